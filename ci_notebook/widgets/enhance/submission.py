"""Submission of a panel: one job per click, in a thread, with its progress and result."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from ci_notebook.model.api.jobs import JobsDetail, Operation
from ci_notebook.model.api.time_left import UNKNOWN, RemainingTime
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.widgets.enhance.export import marks_of
from ci_notebook.widgets.enhance.result import operation_html, state_html
from ci_notebook.widgets.ports import EnhanceLab, SubmittedJob
from ci_notebook.widgets.shared.base_view import MAX_TOKENS, error_text
from ci_notebook.widgets.shared.result_output import ResultOutput

__all__ = ["IDLE", "Submission"]

IDLE: Final = {"busy": False, "state": "", "percent": None, "text": "", "error": "", "press": ""}


class Submission:
    """Sends the operation of a panel, once per click.

    Each click has a token, so a message that arrives twice sends one job. `on_status` receives each new status,
    `on_error` each exception, `on_result` each job that succeeded.
    """

    def __init__(
        self, lab: EnhanceLab, clip: Any, *, on_status: Callable[[dict[str, Any]], object],
        on_error: Callable[[Exception], object], on_result: Callable[[SubmittedJob], object],
    ) -> None:  # fmt: skip
        self._lab, self._clip, self._on_status, self._on_error = lab, clip, on_status, on_error
        self._on_result = on_result
        self._tokens: deque[str] = deque(maxlen=MAX_TOKENS)
        self._last_token, self._is_busy = "", False
        self._thread: threading.Thread | None = None
        self._durations, self._remaining = lab.job_durations, RemainingTime()
        self.output = ResultOutput()
        self.job: SubmittedJob | None = None
        self.error: Exception | None = None

    def submit(self, token: str, operation: Operation, problem: str) -> None:
        """Send one job, unless this click was handled before, a job is running, or there is a problem."""
        if token in self._tokens or self._is_busy:
            return
        self._tokens.append(token)
        self._last_token, self.error = token, None
        if problem:
            self._set_status(error=f"Nothing was sent. {problem}")
            return
        self._set_status(busy=True, text="Sending")
        self._thread = threading.Thread(target=self._run, args=(operation,), name="panel-submit", daemon=True)
        self._thread.start()

    def fail(self, error: Exception, token: str = "") -> None:
        """Show an error as the answer to a click."""
        self._last_token = token or self._last_token
        self.error = error
        self._on_error(error)
        self._set_status(error=error_text(error))

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until no job is running; return False after the timeout."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return not self._is_busy

    def _run(self, operation: Operation) -> None:
        setting = None if operation.template_id else operation.video_enhance or VideoEnhance()
        entry = self.output.add(operation_html(operation, "Sending"))
        try:
            job = self.job = self._lab.submit(self._clip, setting, **marks_of(operation))
            self._report(job.detail)
            self.output.put(entry, state_html(job.detail) + operation_html(operation))
            job.wait(on_progress=lambda *_: self._report(job.detail))
            self.output.put(entry, self._lab.result_html(job))
            if self._durations is not None:
                self._durations.learn(job.detail)
            self._on_result(job)
            self._report(job.detail, busy=False)
        except Exception as error:  # noqa: BLE001  top of a thread: the error is shown, not lost
            self.output.put(entry, operation_html(operation, error_text(error)))
            self.fail(error)

    def _report(self, job: JobsDetail, *, busy: bool = True) -> None:
        has_progress = job.state == "Running" and job.progress is not None
        text = f"{job.state} {job.progress} %, {self._left(job)}" if has_progress else str(job.state)
        self._set_status(busy=busy, state=job.state, percent=job.progress, text=text)

    def _left(self, job: JobsDetail) -> str:
        expected_s = self._durations.expected_of(job) if self._durations is not None else None
        return str(self._remaining.of(job, expected_s) or UNKNOWN)

    def _set_status(self, **changes: Any) -> None:
        # The token makes a second answer with the same text a change, so that it is sent.
        status = {**IDLE, "press": self._last_token, **changes}
        self._is_busy = bool(status["busy"])
        self._on_status(status)
