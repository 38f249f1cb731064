"""`EnhancePanel`: one setting by hand, its Python and XML beside it, and one job a press.

The rules of this file: the panel, its Python and its XML always agree; a text that is not taken
is marked and changes nothing; results leave the panel as plain outputs.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

import anywidget
import traitlets
from IPython.display import display

from ci_notebook.model.enhance import VideoEnhance
from ci_notebook.model.errors import CIError, ParameterError
from ci_notebook.model.jobs import JobsDetail
from ci_notebook.model.paths import resolve, value_at, with_value
from ci_notebook.model.rules import check
from ci_notebook.widgets.code import python_text
from ci_notebook.widgets.control import build, shown, text_of
from ci_notebook.widgets.memory import Held, Memory
from ci_notebook.widgets.result import asked_html, state_html
from ci_notebook.widgets.schema import schema
from ci_notebook.widgets.trace import Trace

_HERE = Path(__file__).parent
_IDLE: Final = {"busy": False, "state": "", "percent": None, "text": "", "error": "", "press": ""}


class SentJob(Protocol):
    """A job, as far as the panel needs it."""

    @property
    def detail(self) -> JobsDetail:
        """The service's last reply."""

    def wait(self, *, on_progress: Callable[..., None]) -> object:
        """Return when the job is over; call `on_progress` on the way."""


class Lab(Protocol):
    """What the panel calls. A lab may also have a `state_dir`, a folder where panels with a key are kept."""

    def xml(self, setting: VideoEnhance) -> str:
        """Return the XML of a setting."""

    def submit(self, clip: Any, setting: VideoEnhance) -> SentJob:
        """Send one job."""

    def result_html(self, job: Any) -> str:
        """Return what came of a job as plain HTML."""


class EnhancePanel(anywidget.AnyWidget):
    """A panel for one setting: switches, sliders, Python, XML and Submit, all from the declarations.

    `value` is the last setting in which nothing was refused. With a `key` the panel comes back
    with what its controls held after the kernel was restarted, if the lab has a `state_dir` and
    `setting` is still the one it began with. Raises `ParameterError` for a `setting` that could
    not be sent.
    """

    _esm = "".join((_HERE / name).read_text("utf-8") for name in ("dom.js", "control.js", "panel.js"))
    _css = "".join((_HERE / name).read_text("utf-8") for name in ("base.css", "panel.css"))

    title = traitlets.Unicode().tag(sync=True)
    schema: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    values = traitlets.Dict(help="Path → text of a leaf; None or nothing where it is left out.").tag(sync=True)
    on: traitlets.List[str] = traitlets.List(help="Paths of the nodes that are there.").tag(sync=True)
    python = traitlets.Unicode().tag(sync=True)
    xml = traitlets.Unicode().tag(sync=True)
    problems = traitlets.Dict(help="Path → message.").tag(sync=True)
    status = traitlets.Dict().tag(sync=True)

    def __init__(self, lab: Lab, clip: Any, setting: VideoEnhance | None = None, *, key: str | None = None) -> None:
        start = check(setting) if setting is not None else VideoEnhance()
        self._lab, self._clip = lab, clip
        self._value = self._kept = start
        self._presses: set[str] = set()
        self._last_press = ""
        self._thread: threading.Thread | None = None
        self.trace = Trace()
        self.job: SentJob | None = None
        self.error: Exception | None = None
        self._memory = Memory(getattr(lab, "state_dir", None), key, python_text(start))
        held, self._good = self._memory.read() or (Held(*shown(start)), Held(*shown(start)))
        self._value = build(start, *self._good)[0] or start
        made, problems = build(start, *held)
        self._value = made or self._value
        super().__init__(
            title=getattr(clip, "name", "") or getattr(clip, "key", "") or str(clip),
            schema=list(schema(VideoEnhance)),
            values=held.values,
            on=held.on,
            problems=problems,
            python=python_text(self._value),
            xml=lab.xml(self._value),
            status=_IDLE,
        )
        self.observe(self._judge, ["values", "on"])
        self.on_msg(self._take)

    @property
    def value(self) -> VideoEnhance:
        """The last setting in which nothing was refused. Assign to set every control."""
        return self._value

    @value.setter
    def value(self, setting: VideoEnhance) -> None:
        self._kept = check(setting)
        self._hold(*shown(setting))

    def set(self, name: str, value: object) -> None:
        """Set one leaf, by its path or an unambiguous ending of it, and switch on the nodes above it.

        None leaves it out, and with it the nodes above it that hold nothing else. Raises
        `ParameterError` if the leaf does not take the value. What is still missing elsewhere is
        in `problems`.
        """
        leaf = resolve(VideoEnhance, name)
        after = with_value(self._value, leaf, value)
        above = [leaf.path.rsplit(".", up)[0] for up in range(len(leaf.steps) - 1, 0, -1)]
        there = shown(after)[1]
        on = [path for path in self.on if path not in above] + [path for path in above if path in there]
        self._hold({**self.values, leaf.path: text_of(leaf.part, value_at(after, leaf))}, on)

    def submit(self) -> None:
        """Do what the Submit button does: send one job in the background, unless one is under way."""
        self._press(uuid.uuid4().hex)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing submitted here is under way; return False if that took too long."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return not self.status["busy"]

    def close(self) -> None:
        """Close the panel and its layout. A job that was sent goes on; its result still appears."""
        if self.comm is not None:
            self.layout.close()
        super().close()

    def __repr__(self) -> str:
        return f"EnhancePanel({self.title!r}, {self._value!r})"

    def _ipython_display_(self) -> None:
        bundle = self._repr_mimebundle_() if self.comm is not None else None
        if bundle is not None:
            display(bundle[0], metadata=bundle[1], raw=True)  # type: ignore[no-untyped-call]
        self.trace.show()

    def _hold(self, values: dict[str, Any], on: list[str]) -> None:
        with self.hold_sync():
            with self.hold_trait_notifications():
                self.values, self.on = values, on
            self._judge()  # also when no text changed: what has no control may have

    def _judge(self, _change: object = None) -> None:
        made, problems = build(self._kept, self.values, self.on)
        with self.hold_sync():
            self.problems = problems
            if made is not None:
                self._value, self._good = made, Held(self.values, self.on)
                self.python, self.xml = python_text(made), self._lab.xml(made)
        self._memory.write(Held(self.values, self.on), self._good)

    def _take(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        if content.get("do") != "submit":
            return
        press = str(content.get("press") or uuid.uuid4().hex)
        try:
            # The edits travel with the press, because a change sent just before may still be on its way.
            self._hold(dict(content.get("values", self.values)), list(content.get("on", self.on)))
            self._press(press)
        except Exception as error:  # noqa: BLE001  the front end's call ends here, so the panel says it
            self._last_press = press
            self._fail(error)

    def _press(self, press: str) -> None:
        if press in self._presses or self.status["busy"]:
            return
        self._presses.add(press)
        self._last_press, self.error = press, None
        if self.problems:
            self._say(error=f"Nothing was sent. {next(iter(self.problems.values()))}")
            return
        self._say(busy=True, text="Sending")
        self._thread = threading.Thread(target=self._run_job, args=(self._value,), name="panel-submit", daemon=True)
        self._thread.start()

    def _run_job(self, setting: VideoEnhance) -> None:
        entry = self.trace.add(asked_html(setting, "Sending"))
        try:
            job = self.job = self._lab.submit(self._clip, setting)
            self._tell(job.detail)
            self.trace.put(entry, state_html(job.detail) + asked_html(setting))
            job.wait(on_progress=lambda *_: self._tell(job.detail))
            self.trace.put(entry, self._lab.result_html(job))
            self._tell(job.detail, busy=False)
        except Exception as error:  # noqa: BLE001  the top of a worker: whatever went wrong is shown, not lost
            self.trace.put(entry, asked_html(setting, said(error)))
            self._fail(error)

    def _tell(self, job: JobsDetail, *, busy: bool = True) -> None:
        moving = job.state == "Running" and job.progress is not None
        text = f"{job.state} {job.progress} %" if moving else str(job.state)
        self._say(busy=busy, state=job.state, percent=job.progress, text=text)

    def _fail(self, error: Exception) -> None:
        self.error = error
        with self.hold_sync():
            if isinstance(error, ParameterError):
                self.problems = {**self.problems, _below(error.path): str(error)}
            self._say(error=said(error))

    def _say(self, **said: Any) -> None:
        # With the press it answers: a second answer in the same words is still an answer, and is sent.
        self.status = {**_IDLE, "press": self._last_press, **said}


def said(error: Exception) -> str:
    """Return an error as a sentence; one that is not ours with its kind, since its text may be no sentence."""
    return str(error) if isinstance(error, CIError) else f"{type(error).__name__}: {error}"


def _below(path: str) -> str:
    """Return the path below `VideoEnhance`, as the controls are named, of a path in a whole request."""
    return path.rpartition("VideoEnhance.")[2]
