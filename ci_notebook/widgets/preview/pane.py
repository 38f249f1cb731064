"""Kernel side of the preview pane: renders previews in a worker thread and sends them as bytes.

Invariant: nothing is stored in a trait, so no image is saved with the notebook by the widget; and no request queues up,
because the worker handles only the newest request of each view.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypedDict

from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.widgets.enhance.controls import build, operation_of
from ci_notebook.widgets.ports import Box, ClipLength, PreviewPort
from ci_notebook.widgets.shared.base_view import error_text
from ci_notebook.widgets.shared.workers import NewestWorker

__all__ = ["PreviewPane"]

IDLE_S: Final = 10.0  # a panel that was replaced by running its cell again leaves no thread behind
MAX_WIDTH: Final = 1920  # px of an image that is sent to the page
Send = Callable[[dict[str, Any], list[bytes] | None], None]


class _RenderOptions(TypedDict):
    at_s: float
    width_px: int
    box: Box


class PreviewPane:
    """Answers the requests of a preview pane. Without `previews` (None) no request is answered."""

    def __init__(self, previews: PreviewPort | None, clip: Any, *, send: Send) -> None:
        self._previews, self._clip, self._send = previews, clip, send
        self._worker = NewestWorker("preview", idle_s=IDLE_S)

    def receive(self, content: Mapping[str, Any]) -> None:
        """Answer a request in a thread; an older request of the same view that still waits is dropped."""
        if self._previews is not None:
            previews = self._previews
            self._worker.submit("preview", lambda _: self._answer(previews, content), str(content.get("view")))

    def close(self) -> None:
        """Answer nothing more, and stop the warm FFmpeg process. Another pane starts it again."""
        self._worker.close()
        if self._previews is not None:
            self._previews.rest()

    def _answer(self, previews: PreviewPort, content: Mapping[str, Any]) -> None:
        header = {"do": "preview", "view": content.get("view"), "number": content.get("number")}
        try:
            answer, images = self._render(previews, content)
        except Exception as error:  # noqa: BLE001  top of a thread: the pane shows the error
            answer, images = {"error": error_text(error)}, []
        self._send({**header, **answer}, images)

    def _render(self, previews: PreviewPort, content: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        operation = build(operation_of(VideoEnhance()), content["values"], content["nodes"]).operation
        if operation is None:
            return {"refused": True}, []  # the panel shows the problem at its control
        setting = operation.video_enhance or VideoEnhance()
        length = previews.length(self._clip)
        at_s = length.seconds / 2 if content.get("at_s") is None else float(content["at_s"])
        options = _RenderOptions(
            at_s=_frame_time(at_s, length), width_px=_width(content.get("width")), box=_box(content.get("box"))
        )
        after = previews.see(self._clip, setting, **options, watermark=operation.watermark)
        # The source frame depends on few parameters, so it is sent only if one of them has changed.
        key = repr((options, setting.transcode))
        before = [] if content.get("has") == key else [previews.source(self._clip, setting, **options).jpeg]
        answer = {
            "key": key, "at_s": options["at_s"], "size": after.size, "box": after.box, "places": after.places,
            "unshown": after.unshown, "note": previews.note, "seconds": length.seconds, "rate": length.rate,
        }  # fmt: skip
        return answer, [after.jpeg, *before]


def _frame_time(at_s: float, length: ClipLength) -> float:
    """Return the time of the frame that is shown at `at_s`."""
    last = max(0, round(length.seconds * length.rate) - 1)
    return round(min(last, max(0, round(at_s * length.rate))) / length.rate, 6)


def _width(value: Any) -> int:
    return min(MAX_WIDTH, max(64, int(value or 640)))


def _box(value: Any) -> Box:
    if not value:
        return (0.0, 0.0, 1.0, 1.0)
    left, top, width, height = (min(1.0, max(0.0, float(share))) for share in value)
    return (left, top, min(width, 1 - left), min(height, 1 - top))
