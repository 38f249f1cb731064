"""What a panel and its front end tell each other: the traits, and the scripts and styles that show them."""

from __future__ import annotations

from typing import Any, Final

import anywidget
import traitlets

from ci_notebook.widgets.shared.assets import joined

_VIEWS: Final = 20
_SCRIPTS: Final = (
    "shared/dom.js", "enhance/js/export.js", "enhance/js/controls.js", "enhance/js/groups.js", "enhance/js/toolbar.js",
    "shared/wipe.js", "preview/pane.js", "enhance/js/panel.js",
)  # fmt: skip
_STYLES: Final = ("shared/base.css", "shared/wipe.css", "preview/pane.css", "enhance/js/panel.css")


class Face(anywidget.AnyWidget):
    """The traits of a panel, and how it shows what comes from its threads."""

    _esm = joined(*_SCRIPTS)
    _css = joined(*_STYLES)

    title = traitlets.Unicode().tag(sync=True)
    schema: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    presets: traitlets.List[dict[str, str]] = traitlets.List().tag(sync=True)
    templates: traitlets.List[dict[str, str]] = traitlets.List().tag(sync=True)
    values = traitlets.Dict(help="Path → text of a leaf; None or nothing where it is left out.").tag(sync=True)
    on: traitlets.List[str] = traitlets.List(help="Paths of the nodes that are there.").tag(sync=True)
    heard = traitlets.Dict(help="View → number of the last edit of a hand that is in `values` and `on`.").tag(sync=True)
    python = traitlets.Unicode().tag(sync=True)
    xml = traitlets.Unicode().tag(sync=True)
    problems = traitlets.Dict(help="Path → message.").tag(sync=True)
    advice = traitlets.Dict(help="Path → what to think of.").tag(sync=True)
    remedies = traitlets.Dict(help="Path → what its remedy does, in words.").tag(sync=True)
    changes: traitlets.List[dict[str, str]] = traitlets.List(help="What is not as at the start.").tag(sync=True)
    can = traitlets.Dict(help="What can be done now: undo, redo.").tag(sync=True)
    offers: traitlets.List[str] = traitlets.List(help="What the lab can: price, templates, curl.").tag(sync=True)
    price = traitlets.Dict(help="Of one job with this setting.").tag(sync=True)
    told = traitlets.Dict(help="The answer to what was done last: text, error, and a number.").tag(sync=True)
    status = traitlets.Dict().tag(sync=True)

    def _show_status(self, status: dict[str, Any]) -> None:
        self.status = status

    def _show_templates(self, rows: list[dict[str, str]]) -> None:
        self.templates = rows

    def _show_price(self, price: dict[str, Any]) -> None:
        self.price = price

    def _hear(self, view: str, number: int) -> None:
        """Say that an edit of a view has come; of views that went long ago nothing is kept."""
        self.heard = dict([*(one for one in self.heard.items() if one[0] != view), (view, number)][-_VIEWS:])

    def _tell(self, text: str = "", error: str = "") -> None:
        # With a number: the same answer twice is still an answer, and is sent.
        self.told = {"text": text, "error": error, "number": int(self.told.get("number", 0)) + 1}
