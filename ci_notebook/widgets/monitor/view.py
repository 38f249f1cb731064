"""`Monitor`: the jobs of a lab as a table that lives.

The rules of this file: the service is asked in a thread, less often the longer nothing happens, and
not at all when nothing is under way and nobody looks; to the front end travels what changed, by the
job's id; what is sent, cancelled or fetched is done once a press.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

import anywidget
import traitlets
from IPython.display import HTML, display

from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.widgets.compare.sides import Opens
from ci_notebook.widgets.compare.view import CompareView
from ci_notebook.widgets.monitor.board import Board, Desk
from ci_notebook.widgets.monitor.rows import counts, static_html
from ci_notebook.widgets.shared.assets import joined
from ci_notebook.widgets.shared.error_text import said
from ci_notebook.widgets.shared.output import Trace

# A view says every 15 s that it is seen; one that went with its page says nothing.
_SEEN_S: Final = 40.0
_FIRST: Final = 100
_STATIC_EVERY_S: Final = 5.0
_LONGEST_PAUSE_S: Final = 10.0
Compare = Callable[[list[JobsDetail]], object]


class Lab(Opens, Protocol):
    """What the monitor needs of a lab."""

    @property
    def job_desk(self) -> Desk:
        """The lab's jobs."""


class Monitor(anywidget.AnyWidget):
    """The jobs of a lab as a live table: progress, state, time left, cost, errors with what to do about them.

    Jobs are cancelled, sent again, and their results opened, here. Shows at most `most` jobs, the
    newest, of those accepted after `since` (timezone-aware). It knows nothing that the service does
    not: the same cell run by a new kernel shows the same jobs. `opened` maps the id of each job whose
    result was opened to the local copy of it; `compared` is the last `CompareView` that was asked for.
    With `compare` that is called instead, with the jobs, and shows them where it likes.

    >>> import ci_notebook as ci
    >>> monitor = ci.Monitor(ci.connect()).refresh()
    >>> len(monitor.jobs) <= 1000
    True
    >>> monitor.close()
    """

    _esm = joined("shared/dom.js", "monitor/table.js", "monitor/view.js")
    _css = joined("shared/base.css", "monitor/view.css")

    facts = traitlets.Dict(help="What does not change: currency, whether jobs cost money.").tag(sync=True)
    status = traitlets.Dict(help="Whether the service is being asked, and what went wrong.").tag(sync=True)

    def __init__(
        self, lab: Lab, *, since: dt.datetime | None = None, most: int = 1000, compare: Compare | None = None
    ) -> None:
        # First what `close` needs: a widget is closed even when it was never built.
        self._is_closed, self._wake = False, threading.Event()
        self._lab, self._desk, self._compare = lab, lab.job_desk, compare
        self._board = Board(self._desk, self._tell, since=since, most=most)
        self._moved = time.monotonic()
        self._viewers: dict[str, float] = {}
        self._presses: set[str] = set()
        self._busy: set[str] = set()
        self._thread: threading.Thread | None = None
        self._hands: list[threading.Thread] = []
        self._is_shown = self._is_greeted = False
        self._static, self._static_at = "", 0.0
        self._places = {name: uuid.uuid4().hex for name in ("table", "compared")}
        self.trace = Trace(nothing="")
        self.opened: dict[str, Path] = {}
        self.compared: CompareView | None = None
        facts = {"currency": self._desk.currency, "costs": self._desk.costs_money}
        super().__init__(facts=facts, status={"live": False, "error": ""})
        self.on_msg(self._take)

    @property
    def jobs(self) -> list[JobsDetail]:
        """The jobs as last read, newest first."""
        return self._board.jobs()

    def refresh(self) -> Monitor:
        """Read the jobs now and return the monitor. Raises what the service answers."""
        self._board.read()
        return self

    def cancel(self, *job_ids: str) -> None:
        """Cancel jobs that have not started. Raises `ServiceError` at the first that has."""
        for one in job_ids:
            self._board.learn([self._desk.cancel(one)])
        self._poke()

    def retry(self, *job_ids: str) -> list[JobsDetail]:
        """Send the requests of jobs once more, and return the new jobs. On the cloud it costs money."""
        made = []
        for one in job_ids:
            made.append(self._desk.retry(self._board[one]))
            self._board.learn(made[-1:])
        self._poke()
        return made

    def open_result(self, job_id: str) -> Path | None:
        """Show below the table what came of a job; return the local copy of what it made, None if it made nothing."""
        job = self._board[job_id]
        self.trace.add(self._desk.result_html(job))
        if job.output_keys:
            self.opened[job_id] = self._desk.fetch(job)
        return self.opened.get(job_id)

    def compare(self, *job_ids: str) -> None:
        """Compare what jobs made, one with its source or two to four with each other, below the table."""
        jobs = [self._board[one] for one in job_ids]
        if self._compare is not None:
            self._compare(jobs)
            return
        source = [jobs[0].input.object] if len(jobs) == 1 and jobs[0].input else []
        view = CompareView(self._lab, [*source, *map(self._desk.handle, jobs)])
        if self.compared is not None:
            self.compared.close()
        self.compared = view
        bundle = view._repr_mimebundle_() if self._is_shown else None
        if bundle is not None:
            place = self._places["compared"]
            display(bundle[0], raw=True, display_id=place, update=True)  # type: ignore[no-untyped-call]

    def wait(self, timeout_s: float = 60.0) -> bool:
        """Wait until what was pressed here is done; return False if that took too long."""
        until = time.monotonic() + timeout_s
        for hand in list(self._hands):
            hand.join(max(0.0, until - time.monotonic()))
        return not any(hand.is_alive() for hand in self._hands)

    def close(self) -> None:
        """Close the table and stop asking. The jobs go on."""
        self._is_closed = True
        self._wake.set()
        if self.comm is not None:
            self.layout.close()
        super().close()

    def __repr__(self) -> str:
        told = ", ".join(f"{number} {state}" for state, number in counts([*self._board.rows().values()]).items())
        number = len(self._board)
        return f"<Monitor of {number} job{'' if number == 1 else 's'}{': ' if told else ''}{told}>"

    def _repr_html_(self) -> str:
        return static_html([*self._board.rows().values()], currency=self._desk.currency)

    def _ipython_display_(self) -> None:
        if not self._is_closed and not len(self._board):
            self._try(lambda: self._board.read(at_most=_FIRST))  # so that the cell's own output holds the newest
        bundle = self._repr_mimebundle_() if self.comm is not None else None
        if bundle is not None:
            display(bundle[0], metadata=bundle[1], raw=True)  # type: ignore[no-untyped-call]
        self._static = self._repr_html_()
        display(HTML(self._static), display_id=self._places["table"])  # type: ignore[no-untyped-call]
        display(HTML(""), display_id=self._places["compared"])  # type: ignore[no-untyped-call]
        self.trace.show()
        self._is_shown = True
        self._poke()

    # What the front end says

    def _take(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        what = content.get("do")
        if what == "hello":
            with self._board.lock:
                self._is_greeted = True
                self.send({"do": "all", "rows": self._board.rows()})
        if what in ("hello", "look"):
            self._look(str(content.get("view")), is_seen=bool(content.get("on", True)))
        elif what in ("cancel", "retry", "open", "compare"):
            self._act(str(what), [str(one) for one in content.get("ids", ())], str(content.get("press")))

    def _look(self, view: str, *, is_seen: bool) -> None:
        is_new = view not in self._viewers
        self._viewers.pop(view, None)
        if is_seen:
            self._viewers[view] = time.monotonic()
            if is_new or self._thread is None:
                self._poke()

    def _act(self, what: str, ids: list[str], press: str) -> None:
        """Do what was pressed, once, beside the kernel's own work."""
        names = {f"{what} {one}" for one in ids}
        with self._board.lock:
            if press in self._presses or names & self._busy or not ids:
                return
            self._presses.add(press)
            self._busy |= names
        hand = threading.Thread(target=self._do, args=(what, ids, press), name="monitor-act", daemon=True)
        self._hands = [*(one for one in self._hands if one.is_alive()), hand]
        hand.start()

    def _do(self, what: str, ids: list[str], press: str) -> None:
        answer: dict[str, Any] = {"do": "answer", "press": press, "what": what, "ids": ids, "error": "", "made": []}
        try:
            if what == "cancel":
                self.cancel(*ids)
            elif what == "retry":
                answer["made"] = [job.job_id for job in self.retry(*ids)]
            elif what == "open":
                self.open_result(ids[0])
            else:
                self.compare(*ids)
        except Exception as error:  # noqa: BLE001  the top of a worker: whatever went wrong is shown, not lost
            answer["error"] = said(error)
        finally:
            self._busy -= {f"{what} {one}" for one in ids}
        self._tell(answer)

    def _tell(self, message: dict[str, Any]) -> None:
        if message["do"] == "rows":
            self._moved = time.monotonic()
            if not self._is_greeted:  # the first view asks for all
                return
        if not self._is_closed:
            self.send(message)

    # Asking the service

    def _poke(self) -> None:
        """Have the service asked now, by the thread, which begins if there is none."""
        with self._board.lock:
            self._moved = time.monotonic()
            self._wake.set()
            if self._is_closed or self._thread is not None:
                return
            self._thread = threading.Thread(target=self._watch, name="monitor", daemon=True)
            self._thread.start()

    def _watch(self) -> None:
        failed = 0
        while True:
            self._wake.clear()
            failed = 0 if self._try(self._board.read) else failed + 1
            with self._board.lock:
                is_open = bool(self._board.open())
                if self._is_closed or not (is_open or self._is_seen()):
                    self._thread = None
                    break
            self._show_static(is_last=not is_open)
            self._wake.wait(min(30.0, 2.0**failed) if failed else self._pause_s(is_open))
        self._say(live=False)
        self._show_static(is_last=True)

    def _is_seen(self) -> bool:
        now = time.monotonic()
        return any(now - seen < _SEEN_S for seen in [*self._viewers.values()])

    def _pause_s(self, is_open: bool) -> float:
        """Return how long to wait: a seventh of the time in which nothing has moved, within bounds."""
        quiet = time.monotonic() - self._moved
        return min(_LONGEST_PAUSE_S, max(0.5 if is_open else 2.0, 0.15 * quiet))

    def _try(self, work: Callable[[], object]) -> bool:
        try:
            work()
        except Exception as error:  # noqa: BLE001  the top of a worker: the panel says what is wrong, and asks again
            self._say(live=True, error=said(error))
            return False
        self._say(live=True, error="")
        return True

    def _say(self, **said: Any) -> None:
        status = {**self.status, **said}
        if status != self.status and not self._is_closed:
            self.status = status

    def _show_static(self, *, is_last: bool) -> None:
        """Bring the table that a saved notebook shows up to date, but not at every change."""
        now = time.monotonic()
        if not self._is_shown or self._is_closed or (not is_last and now - self._static_at < _STATIC_EVERY_S):
            return
        html = self._repr_html_()
        if html != self._static:
            self._static, self._static_at = html, now
            display(HTML(html), display_id=self._places["table"], update=True)  # type: ignore[no-untyped-call]
