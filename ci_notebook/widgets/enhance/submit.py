"""One press, one job: what Submit does, in a thread of its own, and what it leaves in the notebook."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, Protocol

from ci_notebook.model.api.jobs import JobsDetail, Operation, Request
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.watermark import DigitalWatermark, Watermark
from ci_notebook.widgets.enhance.export import marks_of
from ci_notebook.widgets.enhance.result import asked_html, state_html
from ci_notebook.widgets.shared.error_text import said
from ci_notebook.widgets.shared.output import Trace

IDLE: Final = {"busy": False, "state": "", "percent": None, "text": "", "error": "", "press": ""}


class SentJob(Protocol):
    """A job, as far as the panel needs it."""

    @property
    def detail(self) -> JobsDetail:
        """The service's last reply."""

    def wait(self, *, on_progress: Callable[..., None]) -> object:
        """Return when the job is over; call `on_progress` on the way."""


class Lab(Protocol):
    """What the panel calls.

    A lab may also have a `state_dir`, a folder where panels with a key are kept; `price`, which
    estimates clips and settings; `templates`, with `list` and `create`; `bucket` and `region`, for
    curl; and an `engine`, which is None where jobs cost money. What it lacks the panel does not offer.
    """

    def xml(self, setting: VideoEnhance) -> str:
        """Return the XML of a setting."""

    def request(
        self, clip: Any, setting: VideoEnhance, *, watermark: tuple[Watermark, ...] = (),
        digital_watermark: DigitalWatermark | None = None,
    ) -> Request:  # fmt: skip
        """Return the whole request that `submit` would send."""

    def submit(
        self, clip: Any, setting: VideoEnhance, *, watermark: tuple[Watermark, ...] = (),
        digital_watermark: DigitalWatermark | None = None,
    ) -> SentJob:  # fmt: skip
        """Send one job."""

    def result_html(self, job: Any) -> str:
        """Return what came of a job as plain HTML."""


class Sending:
    """Sends what a panel asks, once a press. `say` gets each new status, `fail` what went wrong."""

    def __init__(
        self, lab: Lab, clip: Any, *, say: Callable[[dict[str, Any]], object], fail: Callable[[Exception], object]
    ) -> None:
        self._lab, self._clip, self._say_status, self._fail_there = lab, clip, say, fail
        self._presses: set[str] = set()
        self._last_press, self._is_busy = "", False
        self._thread: threading.Thread | None = None
        self.trace = Trace()
        self.job: SentJob | None = None
        self.error: Exception | None = None

    def press(self, token: str, operation: Operation, problem: str) -> None:
        """Send one job unless this press was answered, a job is under way, or there is a problem."""
        if token in self._presses or self._is_busy:
            return
        self._presses.add(token)
        self._last_press, self.error = token, None
        if problem:
            self._say(error=f"Nothing was sent. {problem}")
            return
        self._say(busy=True, text="Sending")
        self._thread = threading.Thread(target=self._run, args=(operation,), name="panel-submit", daemon=True)
        self._thread.start()

    def fail(self, error: Exception, token: str = "") -> None:
        """Say an error as the answer to a press."""
        self._last_press = token or self._last_press
        self.error = error
        self._fail_there(error)
        self._say(error=said(error))

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing is under way; return False if that took too long."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return not self._is_busy

    def _run(self, operation: Operation) -> None:
        setting = operation.video_enhance or VideoEnhance()
        entry = self.trace.add(asked_html(operation, "Sending"))
        try:
            job = self.job = self._lab.submit(self._clip, setting, **marks_of(operation))
            self._tell(job.detail)
            self.trace.put(entry, state_html(job.detail) + asked_html(operation))
            job.wait(on_progress=lambda *_: self._tell(job.detail))
            self.trace.put(entry, self._lab.result_html(job))
            self._tell(job.detail, busy=False)
        except Exception as error:  # noqa: BLE001  the top of a worker: whatever went wrong is shown, not lost
            self.trace.put(entry, asked_html(operation, said(error)))
            self.fail(error)

    def _tell(self, job: JobsDetail, *, busy: bool = True) -> None:
        moving = job.state == "Running" and job.progress is not None
        text = f"{job.state} {job.progress} %" if moving else str(job.state)
        self._say(busy=busy, state=job.state, percent=job.progress, text=text)

    def _say(self, **told: Any) -> None:
        # With the press it answers: a second answer in the same words is still an answer, and is sent.
        status = {**IDLE, "press": self._last_press, **told}
        self._is_busy = bool(status["busy"])
        self._say_status(status)
