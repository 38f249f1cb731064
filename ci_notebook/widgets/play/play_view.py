"""`PlayView`: videos side by side in the browser's own player.

Invariant: the videos travel over the widget channel, when the view is shown; a saved notebook keeps a frame of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import traitlets

from ci_notebook.model.html import picture_html
from ci_notebook.model.keywords import checks_keywords
from ci_notebook.widgets.file_ports import VideoFilesPort
from ci_notebook.widgets.files.take_away import PLAYER_SCRIPTS, TakeAway
from ci_notebook.widgets.shared.base_view import BaseView, joined
from ci_notebook.widgets.shared.result_output import ResultOutput

__all__ = ["PlayView"]

_STILL_WIDTH: Final = 240


class PlayView(BaseView):
    """Videos side by side, with play and pause for all of them, and a download of each.

    `videos` are what `files` finds, `titles` their headings. `height` is the largest height of a player in px.
    """

    _esm = joined(*PLAYER_SCRIPTS, "shared/mount.js", "play/view.js")
    _css = joined("shared/base.css", "shared/mount.css", "files/take_away.css")

    items: traitlets.List[dict[str, str]] = traitlets.List(help="Item and name of each video.").tag(sync=True)
    height = traitlets.Int(480, min=80).tag(sync=True)

    @checks_keywords
    def __init__(
        self, files: VideoFilesPort, videos: Sequence[Any], titles: Sequence[str], *, height: int = 480
    ) -> None:
        self._files, self._videos = files, list(videos)
        self._take_away = TakeAway(files, self._find, self.send)
        self.on_close(self._take_away.close)
        self.output = ResultOutput(empty="")
        items = [{"item": str(at), "name": title} for at, title in enumerate(titles)]
        super().__init__(items=items, height=height)
        self.on_msg(self._take_away.receive)

    def _find(self, item: str) -> tuple[Any, str]:
        at = int(item)
        if not 0 <= at < len(self._videos):
            raise KeyError(item)
        return self._videos[at], self._take_away.names(self._videos)[at]

    def close(self) -> None:
        """Close the players and their layout. The frames in the output stay."""
        super().close()

    def __repr__(self) -> str:
        return f"PlayView({', '.join(repr(one['name']) for one in self.items)})"

    def _repr_html_(self) -> str:
        return "".join(self._still(*one) for one in zip(self._videos, self.items, strict=True))

    def _still(self, video: Any, item: dict[str, str]) -> str:
        jpeg = self._files.still(video, width_px=_STILL_WIDTH)
        if jpeg is None:
            return f"<p>{escape(item['name'])}</p>"
        return picture_html(jpeg, "jpeg", item["name"], width_px=_STILL_WIDTH)

    def _ipython_display_(self) -> None:
        self.display_widget()
        self.output.add(f"<div>{self._repr_html_()}</div>")
        self.output.show()
