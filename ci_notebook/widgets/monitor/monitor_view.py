"""`Monitor`: the jobs of a lab as a live table.

Invariants: the service is polled in a thread, with backoff while nothing changes, and not at all while no job is open
and no page shows the table. Only changed rows travel to the page. Each click acts once.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import traitlets
from IPython.display import HTML, display

from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.keywords import checks_keywords
from ci_notebook.widgets.compare.compare_view import CompareView
from ci_notebook.widgets.file_ports import video_files_of
from ci_notebook.widgets.files.take_away import TakeAway
from ci_notebook.widgets.monitor.job_list import JobList, counts, static_html
from ci_notebook.widgets.ports import MonitorLab
from ci_notebook.widgets.shared.base_view import MAX_TOKENS, BaseView, error_text, joined
from ci_notebook.widgets.shared.result_output import ResultOutput

__all__ = ["Monitor"]

# A page sends a heartbeat every 15 s while the table is visible; a closed page sends none.
_HEARTBEAT_TIMEOUT_S: Final = 40.0
_FIRST_ROWS: Final = 100
_STATIC_EVERY_S: Final = 5.0
_MAX_PAUSE_S: Final = 10.0
Compare = Callable[[list[JobsDetail]], object]


class Monitor(BaseView):
    """The jobs of a lab as a live table: progress, state, time left, cost, and errors with hints.

    The table has buttons to cancel a job, to send it again, and to open its result. It shows at most `most` jobs,
    the newest that were created after `since` (timezone-aware). It reads everything from the service, so the same
    cell in a new kernel shows the same jobs. `selection` lists the ids of the selected jobs; it is a trait that can be
    observed, linked and assigned. `opened` maps the id of each job whose result was opened to the local
    copy of its output. `compared` is the last `CompareView`. If `compare` is given, it is called with the jobs
    instead, and has to show them itself.

    >>> import ci_notebook as ci
    >>> monitor = ci.Monitor(ci.connect()).refresh()
    >>> len(monitor.jobs) <= 1000
    True
    >>> monitor.close()
    """

    _esm = joined("shared/dom.js", "shared/mount.js", "files/take_away.js", "monitor/table.js", "monitor/view.js")
    _css = joined("shared/base.css", "shared/mount.css", "files/take_away.css", "monitor/view.css")

    facts = traitlets.Dict(help="Constant facts: currency, whether jobs cost money.").tag(sync=True)
    selection: traitlets.List[str] = traitlets.List(traitlets.Unicode(), help="Ids of the selected jobs.").tag(
        sync=True
    )
    compared_model = traitlets.Unicode(help="Model of `compared`, for a page that shows it itself.").tag(sync=True)
    status = traitlets.Dict(help="Whether the service is being polled, and the last error.").tag(sync=True)

    @checks_keywords
    def __init__(
        self, lab: MonitorLab, *, since: dt.datetime | None = None, most: int = 1000, compare: Compare | None = None
    ) -> None:
        self._is_closed, self._wake = False, threading.Event()
        self.on_close(self._stop)
        self._lab, self._port, self._compare = lab, lab.job_desk, compare
        self._list = JobList(self._port, self._notify, since=since, most=most)
        self._last_change = time.monotonic()
        self._viewers: dict[str, float] = {}
        self._tokens: deque[str] = deque(maxlen=MAX_TOKENS)
        self._busy: set[str] = set()
        self._thread: threading.Thread | None = None
        self._actions: list[threading.Thread] = []
        self._is_shown = self._has_viewer = False
        self._static, self._static_at = "", 0.0
        self._display_ids = {name: uuid.uuid4().hex for name in ("table", "compared")}
        self.output = ResultOutput(empty="")
        self.opened: dict[str, Path] = {}
        self.compared: CompareView | None = None
        self._take_away = TakeAway(
            video_files_of(lab), lambda item: (self._port.handle(self._list[item]), ""), self.send
        )
        self.on_close(self._take_away.close)
        facts = {
            "currency": self._port.currency, "costs_money": self._port.costs_money,
            "files": self._take_away.is_offered,
        }  # fmt: skip
        super().__init__(facts=facts, status={"live": False, "error": ""})
        self.on_msg(self._receive)
        self.on_msg(self._take_away.receive)

    @property
    def jobs(self) -> list[JobsDetail]:
        """The jobs as last read, newest first."""
        return self._list.jobs()

    def refresh(self) -> Monitor:
        """Read the jobs now and return the monitor. Raises the errors of the service."""
        self._list.read()
        return self

    def cancel(self, *job_ids: str) -> None:
        """Cancel jobs that have not started. Raises `ServiceError` at the first that has."""
        for job_id in job_ids:
            self._list.update([self._port.cancel(job_id)])
        self._poll_now()

    def retry(self, *job_ids: str) -> list[JobsDetail]:
        """Send the requests of jobs again, and return the new jobs. On the cloud it costs money."""
        new_jobs = []
        for job_id in job_ids:
            new_jobs.append(self._port.retry(self._list[job_id]))
            self._list.update(new_jobs[-1:])
        self._poll_now()
        return new_jobs

    def open_result(self, job_id: str) -> Path | None:
        """Show the result of a job below the table; return the local copy of its output, None if it has none."""
        job = self._list[job_id]
        self.output.add(self._port.result_html(job))
        if job.output_keys:
            self.opened[job_id] = self._port.fetch(job)
        return self.opened.get(job_id)

    def compare(self, *job_ids: str) -> None:
        """Compare the outputs of jobs below the table: one with its source, or two to four with each other."""
        jobs = [self._list[job_id] for job_id in job_ids]
        if self._compare is not None:
            self._compare(jobs)
            return
        source = [jobs[0].input.object] if len(jobs) == 1 and jobs[0].input else []
        view = CompareView(self._lab, [*source, *map(self._port.handle, jobs)])
        if self.compared is not None:
            self.compared.close()
        self.compared, self.compared_model = view, view.model_id or ""
        bundle = view._repr_mimebundle_() if self._is_shown else None
        if bundle is not None:
            display_id = self._display_ids["compared"]
            display(bundle[0], raw=True, display_id=display_id, update=True)  # type: ignore[no-untyped-call]

    def wait(self, timeout_s: float = 60.0) -> bool:
        """Wait until all clicked actions are finished; return False after the timeout."""
        end = time.monotonic() + timeout_s
        for thread in list(self._actions):
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._actions)

    def close(self) -> None:
        """Close the table and stop polling. The jobs continue."""
        super().close()

    def __repr__(self) -> str:
        states = ", ".join(f"{number} {state}" for state, number in counts([*self._list.rows().values()]).items())
        number = len(self._list)
        return f"<Monitor of {number} job{'' if number == 1 else 's'}{': ' if states else ''}{states}>"

    def _repr_html_(self) -> str:
        return static_html([*self._list.rows().values()], currency=self._port.currency)

    def _ipython_display_(self) -> None:
        if not self._is_closed and not len(self._list):
            self._try(lambda: self._list.read(at_most=_FIRST_ROWS))  # so that the output of the cell has rows
        self.display_widget()
        self._static = self._repr_html_()
        display(HTML(self._static), display_id=self._display_ids["table"])  # type: ignore[no-untyped-call]
        display(HTML(""), display_id=self._display_ids["compared"])  # type: ignore[no-untyped-call]
        self.output.show()
        self._is_shown = True
        self._poll_now()

    # Messages of the page

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        action = content.get("do")
        if action == "hello":
            with self._list.lock:
                self._has_viewer = True
                self.send({"do": "all", "rows": self._list.rows()})
        if action in ("hello", "heartbeat"):
            self._update_viewer(str(content.get("view")), is_visible=bool(content.get("visible", True)))
        elif action in ("cancel", "retry", "open", "compare"):
            self._start(str(action), [str(job_id) for job_id in content.get("ids", ())], str(content.get("press")))

    def _update_viewer(self, view: str, *, is_visible: bool) -> None:
        is_new = view not in self._viewers
        now = time.monotonic()
        # A view that went with its page says nothing; it is dropped when another one reports.
        self._viewers = {
            one: at for one, at in self._viewers.items() if one != view and now - at < _HEARTBEAT_TIMEOUT_S
        }
        if is_visible:
            self._viewers[view] = now
            if is_new or self._thread is None:
                self._poll_now()

    def _start(self, action: str, ids: list[str], token: str) -> None:
        """Run an action in a thread, once per click and never twice at a time for one job."""
        names = {f"{action} {job_id}" for job_id in ids}
        with self._list.lock:
            if token in self._tokens or names & self._busy or not ids:
                return
            self._tokens.append(token)
            self._busy |= names
        thread = threading.Thread(target=self._run, args=(action, ids, token), name="monitor-action", daemon=True)
        self._actions = [*(one for one in self._actions if one.is_alive()), thread]
        thread.start()

    def _run(self, action: str, ids: list[str], token: str) -> None:
        answer: dict[str, Any] = {
            "do": "answer", "press": token, "action": action, "ids": ids, "error": "", "new_ids": []
        }  # fmt: skip
        try:
            if action == "cancel":
                self.cancel(*ids)
            elif action == "retry":
                answer["new_ids"] = [job.job_id for job in self.retry(*ids)]
            elif action == "open":
                self.open_result(ids[0])
            else:
                self.compare(*ids)
        except Exception as error:  # noqa: BLE001  top of a thread: the error is shown, not lost
            answer["error"] = error_text(error)
        finally:
            self._busy -= {f"{action} {job_id}" for job_id in ids}
        self._notify(answer)

    def _notify(self, message: dict[str, Any]) -> None:
        if message["do"] == "rows":
            self._last_change = time.monotonic()
            if not self._has_viewer:  # the first view asks for all rows
                return
        if not self._is_closed:
            self.send(message)

    # Polling the service

    def _poll_now(self) -> None:
        """Wake the polling thread, or start it."""
        with self._list.lock:
            self._last_change = time.monotonic()
            self._wake.set()
            if self._is_closed or self._thread is not None:
                return
            self._thread = threading.Thread(target=self._poll, name="monitor", daemon=True)
            self._thread.start()

    def _poll(self) -> None:
        failures = 0
        while True:
            self._wake.clear()
            failures = 0 if self._try(self._list.read) else failures + 1
            with self._list.lock:
                is_open = bool(self._list.open())
                if self._is_closed or not (is_open or self._is_visible()):
                    self._thread = None
                    break
            self._show_static(is_last=not is_open)
            self._wake.wait(min(30.0, 2.0**failures) if failures else self._pause_s(is_open))
        self._set_status(live=False)
        self._show_static(is_last=True)

    def _stop(self) -> None:
        self._is_closed = True
        self._wake.set()

    def _is_visible(self) -> bool:
        now = time.monotonic()
        return any(now - heartbeat < _HEARTBEAT_TIMEOUT_S for heartbeat in [*self._viewers.values()])

    def _pause_s(self, is_open: bool) -> float:
        """Return the pause before the next poll: 15 % of the time since the last change, within limits."""
        quiet_s = time.monotonic() - self._last_change
        return min(_MAX_PAUSE_S, max(0.5 if is_open else 2.0, 0.15 * quiet_s))

    def _try(self, work: Callable[[], object]) -> bool:
        try:
            work()
        except Exception as error:  # noqa: BLE001  top of a thread: the table shows the error and polls again
            self._set_status(live=True, error=error_text(error))
            return False
        self._set_status(live=True, error="")
        return True

    def _set_status(self, **changes: Any) -> None:
        status = {**self.status, **changes}
        if status != self.status and not self._is_closed:
            self.status = status

    def _show_static(self, *, is_last: bool) -> None:
        """Update the plain table for the saved notebook, at most every 5 s."""
        now = time.monotonic()
        if not self._is_shown or self._is_closed or (not is_last and now - self._static_at < _STATIC_EVERY_S):
            return
        html = self._repr_html_()
        if html != self._static:
            self._static, self._static_at = html, now
            display(HTML(html), display_id=self._display_ids["table"], update=True)  # type: ignore[no-untyped-call]
