"""Lines about what a job would change or leave out that its setting does not say, for the panels.

Invariant: a panel never waits for them. A lab that cannot say leaves out `job_changes`, and shows none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol, runtime_checkable

from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.widgets.shared.workers import DebouncedWorker

__all__ = ["JobChangeLines", "JobChangesPort"]

_DELAY_S: Final = 0.2  # debounce, as for the price


class JobChangesPort(Protocol):
    """Changes and losses by jobs that their settings do not name."""

    @property
    def note(self) -> str:
        """The notice below the sentences; empty without."""

    def sentences(self, video: Any, setting: VideoEnhance, /) -> tuple[str, ...]:
        """Return the sentences for a job with this setting. May read the clip, or ask the service."""


@runtime_checkable
class _HasJobChanges(Protocol):
    @property
    def job_changes(self) -> JobChangesPort | None: ...


class JobChangeLines(DebouncedWorker):
    """Finds the lines for the newest setting on a clip, in a thread, and shows `{"lines": […], "note": text}`.

    A job that would fail has none: preview and price show that error.
    """

    def __init__(self, lab: object, clip: Any, show: Callable[[dict[str, Any]], object]) -> None:
        self._port = lab.job_changes if isinstance(lab, _HasJobChanges) else None
        self._clip = clip
        self._newest: VideoEnhance | None = None
        super().__init__("job-changes", self._find, self._show, delay_s=_DELAY_S)
        self._report_lines = show

    def ask(self, setting: VideoEnhance) -> None:
        """Find the lines of this setting soon, if the lab can say."""
        if self._port is not None:
            self._newest = setting
            self.submit(setting)

    def _find(self, setting: VideoEnhance) -> dict[str, Any]:
        port = self._port
        try:
            lines = list(port.sentences(self._clip, setting)) if port is not None else []
        except Exception:  # noqa: BLE001  top of a thread: price and preview show the same error
            lines = []
        return {"lines": lines, "note": port.note if port is not None and lines else ""}

    def _show(self, setting: VideoEnhance, answer: dict[str, Any]) -> None:
        if setting == self._newest:  # an answer about an older setting would be wrong now
            self._report_lines(answer)
