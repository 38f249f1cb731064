"""Kernel side of the preview pane: renders previews in a worker thread and sends them as bytes.

Invariant: nothing is stored in a trait, so no image is saved with the notebook by the widget; and no request queues up,
because the worker handles only the newest request of each view. A request that takes long is answered in steps. Each
step says what it shows, and a newer request ends the ones that are left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypedDict

from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.widgets.enhance.controls import build, operation_of
from ci_notebook.widgets.preview_ports import Box, ClipLength, PreviewImage, PreviewPort
from ci_notebook.widgets.shared.base_view import error_text
from ci_notebook.widgets.shared.workers import NewestWorker

__all__ = ["PreviewPane"]

IDLE_S: Final = 10.0  # a panel that was replaced by running its cell again leaves no thread behind
MAX_WIDTH: Final = 1920  # px of an image that is sent to the page
Send = Callable[[dict[str, Any], list[bytes] | None], None]
_Step: TypeAlias = tuple[dict[str, Any], list[bytes]]


class _RenderOptions(TypedDict):
    at_s: float
    width_px: int
    box: Box


class PreviewPane:
    """Answers the requests of a preview pane. Without `previews` (None) no request is answered."""

    def __init__(self, previews: PreviewPort | None, clip: Any, *, send: Send) -> None:
        self._previews, self._clip, self._send = previews, clip, send
        self._newest: dict[str, Mapping[str, Any]] = {}
        self._is_closed = False
        self._worker = NewestWorker("preview", idle_s=IDLE_S)

    def receive(self, content: Mapping[str, Any]) -> None:
        """Answer a request in a thread; an older request of the same view that still waits is dropped."""
        if self._previews is not None:
            previews, view = self._previews, str(content.get("view"))
            self._newest[view] = content
            self._worker.submit("preview", lambda _: self._answer(previews, content), view)

    def close(self) -> None:
        """Answer nothing more, and stop the warm FFmpeg process. Another pane starts it again."""
        self._is_closed = True
        self._worker.close()
        if self._previews is not None:
            self._previews.rest()

    def _answer(self, previews: PreviewPort, content: Mapping[str, Any]) -> None:
        header = {"do": "preview", "view": content.get("view"), "number": content.get("number")}
        try:
            for answer, images in self._steps(previews, content):
                self._send({**header, **answer}, images)
        except _Superseded:
            return  # the page waits for the answer to the newer request
        except Exception as error:  # noqa: BLE001  top of a thread: the pane shows the error
            self._send({**header, "error": error_text(error)}, [])

    def _steps(self, previews: PreviewPort, content: Mapping[str, Any]) -> Iterator[_Step]:
        """Yield what can be shown at once, with a text `stage` that says so, then the answer itself."""
        operation = build(operation_of(VideoEnhance()), content["values"], content["nodes"]).operation
        if operation is None:
            yield {"refused": True}, []  # the panel shows the problem at its control
            return
        setting = operation.video_enhance or VideoEnhance()
        length = previews.length(self._clip)
        if content.get("at_s") is None:  # any frame in the middle will do: one that is soon decoded
            at_s = soon_s = previews.time_at_once(self._clip, _frame_time(length.seconds / 2, length))
        else:
            at_s = _frame_time(float(content["at_s"]), length)
            soon_s = previews.time_at_once(self._clip, at_s)
        request = _Request(
            previews, self._clip, operation, length, _width(content.get("width")), _box(content.get("box"))
        )
        if soon_s != at_s and previews.is_analysed(self._clip, setting):
            answer, images = request.result(soon_s, has=content.get("has"))
            yield {**answer, "stage": f"Decoding {at_s:.2f} s… Until then, {soon_s:.2f} s is shown."}, images
        if not previews.is_analysed(self._clip, setting):
            answer, images = request.source(soon_s)
            seen = "" if soon_s == at_s else f" Until then, {soon_s:.2f} s is shown."
            yield {**answer, "stage": f"Measuring the clip for this setting…{seen}"}, images
            previews.analyse(self._clip, setting)
        with previews.interruptible(lambda: self._check_newest(content)):
            yield request.result(at_s, has=content.get("has") if soon_s == at_s else None)

    def _check_newest(self, content: Mapping[str, Any]) -> None:
        if self._is_closed or self._newest.get(str(content.get("view"))) is not content:
            raise _Superseded


@dataclass(frozen=True, slots=True)
class _Request:
    """What a page asks for; `result` and `source` are answers to it, for frames at given times."""

    previews: PreviewPort
    clip: Any
    operation: Operation
    length: ClipLength
    width_px: int
    box: Box

    def result(self, at_s: float, *, has: object) -> _Step:
        """Return the frame after enhancement, and the frame before unless the page has it."""
        setting = self.operation.video_enhance or VideoEnhance()
        options, key = self._options(at_s), self._key(at_s, setting)
        after = self.previews.see(self.clip, setting, **options, watermark=self.operation.watermark)
        # The source frame depends on few parameters, so it is sent only if one of them has changed.
        if has == key:
            return self._answer(at_s, key, after, ["after"]), [after.jpeg]
        is_plain = setting == VideoEnhance(transcode=setting.transcode) and not self.operation.watermark
        before = after if is_plain else self.previews.source(self.clip, setting, **options)
        return self._answer(at_s, key, after, ["after", "before"]), [after.jpeg, before.jpeg]

    def source(self, at_s: float) -> _Step:
        """Return only the frame before."""
        setting = self.operation.video_enhance or VideoEnhance()
        before = self.previews.source(self.clip, setting, **self._options(at_s))
        return self._answer(at_s, self._key(at_s, setting), before, ["before"]), [before.jpeg]

    def _options(self, at_s: float) -> _RenderOptions:
        return _RenderOptions(at_s=at_s, width_px=self.width_px, box=self.box)

    def _key(self, at_s: float, setting: VideoEnhance) -> str:
        return repr((self._options(at_s), setting.transcode))

    def _answer(self, at_s: float, key: str, image: PreviewImage, shows: list[str]) -> dict[str, Any]:
        return {
            "key": key, "at_s": at_s, "size": image.size, "box": image.box, "places": image.places, "shows": shows,
            "unshown": image.unshown, "note": self.previews.note, "seconds": self.length.seconds,
            "rate": self.length.rate,
        }  # fmt: skip


class _Superseded(Exception):
    """The page has sent a newer request, or the pane is closed."""


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
