"""The kernel's half of a panel's preview pane: what the front end would see, it gets as bytes.

The rule of this file: nothing is kept in a trait, so no picture is ever saved with a notebook by
the widget, and no request waits for another: a thread does the newest of each view.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypedDict

from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.watermark import Watermark
from ci_notebook.widgets.enhance.controls import asked, build
from ci_notebook.widgets.shared.error_text import said
from ci_notebook.widgets.shared.newest_worker import Worker

IDLE_S: Final = 10.0  # a panel that a cell made anew leaves no thread behind
WIDEST: Final = 1920  # px of a picture that travels
Box = tuple[float, float, float, float]
Send = Callable[[dict[str, Any], list[bytes] | None], None]


class _How(TypedDict):
    at_s: float
    width_px: int
    box: Box


class Length(Protocol):
    """How long a clip is."""

    @property
    def seconds(self) -> float:
        """From its begin to its end."""

    @property
    def rate(self) -> float:
        """Pictures a second."""


class Seen(Protocol):
    """A preview: `size` in px and `box` (shares of 1) say what of the whole output the JPEG shows."""

    @property
    def jpeg(self) -> bytes:
        """The picture."""

    @property
    def size(self) -> tuple[int, int]:
        """Of the whole output."""

    @property
    def box(self) -> Box:
        """What of it is shown."""

    @property
    def places(self) -> tuple[tuple[int, int, int, int] | None, ...]:
        """Where the marks lie: left, top, width, height in px, None for one that has no fixed place."""

    @property
    def unshown(self) -> tuple[str, ...]:
        """What one picture cannot show, by path."""


class Previews(Protocol):
    """What a lab offers under `previews`."""

    @property
    def note(self) -> str:
        """What is to be said beside every preview."""

    def length(self, clip: Any) -> Length:
        """Return how long a clip is."""

    def see(
        self, clip: Any, setting: VideoEnhance, *, at_s: float, width_px: int, box: Box,
        watermark: tuple[Watermark, ...],
    ) -> Seen:  # fmt: skip
        """Return one picture as a job with this setting would make it."""

    def source(self, clip: Any, setting: VideoEnhance, *, at_s: float, width_px: int, box: Box) -> Seen:
        """Return the same picture without any enhancement."""

    def rest(self) -> None:
        """End what stands ready for the next one."""


class Sight:
    """Answers what a preview pane asks. A lab without `previews` has none: then every question stays unanswered."""

    def __init__(self, lab: Any, clip: Any, *, send: Send) -> None:
        self._previews: Previews | None = getattr(lab, "previews", None)
        self._clip, self._send = clip, send
        self._worker = Worker("look", idle_s=IDLE_S)

    def take(self, content: Mapping[str, Any]) -> None:
        """Take one question, and have it answered in a thread; one of the same view that waits is dropped."""
        if self._previews is not None:
            previews = self._previews
            self._worker.ask("look", lambda _: self._answer(previews, content), str(content.get("view")))

    def close(self) -> None:
        """Answer nothing any more, and end what stands ready to answer; for another pane it starts anew."""
        self._worker.close()
        if self._previews is not None:
            self._previews.rest()

    def _answer(self, previews: Previews, content: Mapping[str, Any]) -> None:
        head = {"do": "sight", "view": content.get("view"), "number": content.get("number")}
        try:
            told, pictures = self._look(previews, content)
        except Exception as error:  # noqa: BLE001  the top of a worker: whatever went wrong is said in the pane
            told, pictures = {"error": said(error)}, []
        self._send({**head, **told}, pictures)

    def _look(self, previews: Previews, content: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        made = build(asked(VideoEnhance()), content["values"], content["on"]).made
        if made is None:
            return {"refused": True}, []  # the panel says what is wrong, beside it
        setting = made.video_enhance or VideoEnhance()
        length = previews.length(self._clip)
        at_s = length.seconds / 2 if content.get("at_s") is None else float(content["at_s"])
        how = _How(at_s=_on_picture(at_s, length), width_px=_width(content.get("width")), box=_box(content.get("box")))
        after = previews.see(self._clip, setting, **how, watermark=made.watermark)
        # What the source looks like hangs on little, so it seldom travels.
        key = repr((how, setting.transcode))
        before = [] if content.get("has") == key else [previews.source(self._clip, setting, **how).jpeg]
        told = {
            "key": key, "at_s": how["at_s"], "size": after.size, "box": after.box, "places": after.places,
            "unshown": after.unshown, "note": previews.note, "seconds": length.seconds, "rate": length.rate,
        }  # fmt: skip
        return told, [after.jpeg, *before]


def _on_picture(at_s: float, length: Length) -> float:
    """Return the time of the picture that is shown at `at_s`."""
    last = max(0, round(length.seconds * length.rate) - 1)
    return round(min(last, max(0, round(at_s * length.rate))) / length.rate, 6)


def _width(given: Any) -> int:
    return min(WIDEST, max(64, int(given or 640)))


def _box(given: Any) -> Box:
    if not given:
        return (0.0, 0.0, 1.0, 1.0)
    left, top, wide, high = (min(1.0, max(0.0, float(one))) for one in given)
    return (left, top, min(wide, 1 - left), min(high, 1 - top))
