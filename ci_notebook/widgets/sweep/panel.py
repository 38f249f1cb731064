"""`SweepPanel`: leaves and values chosen by hand, what they will cost, and the runs.

The rules of this file: the panel, its Python and its sweep always agree; a text that is not taken is
marked at its field and changes nothing; what was run leaves the panel as plain outputs.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import anywidget
import traitlets
from IPython.display import display

from ci_notebook.model.declaration.paths import resolve, values
from ci_notebook.model.errors import BudgetExceeded, ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.rules import check
from ci_notebook.widgets.shared.assets import joined
from ci_notebook.widgets.shared.error_text import said
from ci_notebook.widgets.shared.latest import Latest
from ci_notebook.widgets.shared.output import Trace
from ci_notebook.widgets.shared.persistence import Kept
from ci_notebook.widgets.sweep.form import SHOWN, Fields, Form, Made, Sweep, asked_html, table_of
from ci_notebook.widgets.sweep.values import DESIGNS, described, stages_of, text_of

# The price follows the hand once it rests: the service is asked about each clip.
_REST_S: Final = 0.3
_INPUTS: Final = ("vary", "kind", "n", "seed", "budget", "chosen")
_IDLE: Final = {"busy": False, "stopping": False, "share": None, "text": "", "error": "", "press": ""}


class Desk(Protocol):
    """What the panel asks of a lab (see `sweepdesk.SweepDesk`)."""

    costs_money: bool

    def design(
        self, kind: str, base: VideoEnhance, values: Mapping[str, Any], *,
        n: int, seed: int, against: VideoEnhance | None,
    ) -> Sweep:  # fmt: skip
        """Return the sweep of a design."""

    def plan(self, clips: Iterable[Any], settings: Iterable[Any]) -> Any:
        """Return what would be sent and what it costs."""

    def run(
        self, clips: Iterable[Any], settings: Iterable[Any], *, budget: float | None, cancel: threading.Event,
        on_progress: Callable[[Any], None],
    ) -> Any:  # fmt: skip
        """Run it."""

    def results_html(self, runs: Any) -> str:
        """Return what came of it as plain HTML."""


class Lab(Protocol):
    """What the panel needs of a lab."""

    @property
    def sweep_desk(self) -> Desk:
        """Designs, plans and runs."""


class SweepPanel(anywidget.AnyWidget):
    """A panel for a sweep: what varies, over which values and clips, for how much, and Run.

    `clips` is a clip or several, of which the panel lets some be chosen; `base` is what the leaves are
    set in, and `against` the second setting of the design "pairs". `sweep` is the last sweep in which
    nothing was refused; `runs` is what came of the last run, None before. With a `key` the fields come
    back after the kernel was restarted, if the lab has a `state_dir` and the panel still begins with the
    same. Raises `ParameterError` for settings that could not be sent.

    >>> import ci_notebook as ci
    >>> lab = ci.connect()
    >>> panel = ci.SweepPanel(lab, lab.upload(ci.sample()))
    >>> panel.set("SharpenLevel", [0, 3, 6, 9])
    >>> panel.sweep
    <Sweep of 4 settings over MsSharpen.SharpenLevel>
    >>> panel.close()
    """

    _esm = joined("shared/dom.js", "enhance/js/export.js", "sweep/parts.js", "sweep/panel.js")
    _css = joined("shared/base.css", "sweep/panel.css")

    leaves: traitlets.List[dict[str, Any]] = traitlets.List(help="Every leaf that can vary.").tag(sync=True)
    facts = traitlets.Dict(help="What does not change: clips, designs, the base.").tag(sync=True)
    vary: traitlets.List[list[str]] = traitlets.List(help="[path, text] of each leaf that varies.").tag(sync=True)
    kind = traitlets.Unicode("grid").tag(sync=True)
    n = traitlets.Unicode("10").tag(sync=True)
    seed = traitlets.Unicode("0").tag(sync=True)
    budget = traitlets.Unicode("").tag(sync=True)
    chosen: traitlets.List[int] = traitlets.List(help="Which of the clips.").tag(sync=True)
    problems = traitlets.Dict(help="Field → message.").tag(sync=True)
    table = traitlets.Dict(help="The first runs: heads and rows, and how many there are.").tag(sync=True)
    plan = traitlets.Dict(help="What would be sent, and its price.").tag(sync=True)
    python = traitlets.Unicode().tag(sync=True)
    status = traitlets.Dict().tag(sync=True)

    def __init__(
        self, lab: Lab, clips: Any, base: VideoEnhance | None = None, *, against: VideoEnhance | None = None,
        key: str | None = None,
    ) -> None:  # fmt: skip
        # First what `close` needs: a widget is closed even when it was never built.
        self._cancel = threading.Event()
        self._planner = Latest("sweep-plan", self._plan, self._tell_plan, rest_s=_REST_S)
        self._desk = lab.sweep_desk
        is_one = not isinstance(clips, Iterable)
        self._clips = [clips] if is_one else list(clips)
        if not self._clips:
            raise ParameterError("clips", clips, "at least one clip")
        start = check(base or VideoEnhance())
        other = check(against) if against is not None else None
        self._form = Form(start, other, len(self._clips), is_one, self._desk.design)
        self._presses: set[str] = set()
        self._thread: threading.Thread | None = None
        self._last_press = ""
        self.runs: Any = None
        self.error: Exception | None = None
        self.trace = Trace(nothing="<p style='opacity:0.75;margin:4px 0'>Nothing was run from this panel yet.</p>")
        designs = [[kind, told] for kind, told in DESIGNS.items() if kind != "pairs" or against is not None]
        set_to = [f"{path} {value}" for path, value in values(start).items()]
        names = [getattr(one, "name", "") or getattr(one, "key", "") or str(one) for one in self._clips]
        facts = {"clips": names, "designs": designs, "base": set_to, "costs": self._desk.costs_money}
        super().__init__(leaves=described(start), facts=facts, chosen=list(range(len(names))), status=_IDLE, plan={})
        made, problems = self._form.read(self._fields())
        if made is None:
            raise ParameterError("a sweep", start, next(iter(problems.values())))
        self._show(made)
        self._memory = Kept(getattr(lab, "state_dir", None), key, repr((start, other, names)), "sweep")
        self._recall()
        self.observe(self._judge, list(_INPUTS))
        self.on_msg(self._take)

    @property
    def sweep(self) -> Sweep:
        """The last sweep in which nothing was refused."""
        return self._good.sweep

    @property
    def clips(self) -> list[Any]:
        """The clips that are chosen."""
        return [self._clips[at] for at in self._good.clips]

    def set(self, name: str, values: str | Iterable[Any] | None) -> None:
        """Let a leaf vary over values: a list, the text of one ("0:9:3, AUTO"), or None to vary it no more.

        `name` is its path or an unambiguous ending, or the tag of a stage that is on in the base and
        varies as the text "as in the base, left out". What is not taken is in `problems`. Raises
        `ParameterError` for an unknown name.
        """
        is_stage = name in stages_of(self._form.base)
        varied = name if is_stage else resolve(VideoEnhance, name).path
        if isinstance(values, str) or values is None:
            text = values
        else:
            text = ", ".join(map(str, values)) if is_stage else text_of(resolve(VideoEnhance, varied), values)
        held = [[path, now] for path, now in self.vary if path != varied or text is not None]
        if text is None:
            self.vary = held
        elif any(path == varied for path, _ in held):
            self.vary = [[path, text if path == varied else now] for path, now in held]
        else:
            self.vary = [*held, [varied, text]]

    def run(self) -> None:
        """Do what the Run button does: run the sweep in the background, unless one is under way."""
        self._press(uuid.uuid4().hex)

    def stop(self) -> None:
        """Stop a run that is under way. What is done is kept; jobs that were sent go on."""
        if self.status["busy"]:
            self._cancel.set()
            self._say(**{**self.status, "stopping": True, "text": "Stopping"})

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing that was run here is under way; return False if that took too long."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return not self.status["busy"]

    def wait_for_price(self, timeout_s: float = 60.0) -> bool:
        """Wait until the price of the sweep is shown; return False if that took too long."""
        return self._planner.wait(timeout_s)

    def close(self) -> None:
        """Close the panel. A run that is under way is stopped."""
        self._cancel.set()
        self._planner.close()
        if self.comm is not None:
            self.layout.close()
        super().close()

    def __repr__(self) -> str:
        return f"<SweepPanel of {self.sweep!r} on {', '.join(self._names(self._good))}>"

    def _ipython_display_(self) -> None:
        bundle = self._repr_mimebundle_() if self.comm is not None else None
        if bundle is not None:
            display(bundle[0], metadata=bundle[1], raw=True)  # type: ignore[no-untyped-call]
        self.trace.show()

    def _recall(self) -> None:
        """Come back with what the fields held, if there is anything to come back to."""
        kept = self._memory.load()
        try:
            fields = Fields(**kept["fields"]) if kept else None
            for name, value in fields._asdict().items() if fields else ():
                setattr(self, name, value)
        except (KeyError, TypeError, traitlets.TraitError):
            return  # another version's file: it is written over at the next edit
        if fields:
            self._judge()

    def _judge(self, _change: object = None) -> None:
        self._memory.save(fields=self._fields()._asdict())
        made, problems = self._form.read(self._fields())
        with self.hold_sync():
            self.problems = problems
            if made is not None:
                self._show(made)

    def _names(self, made: Made) -> list[str]:
        return [self.facts["clips"][at] for at in made.clips]

    def _fields(self) -> Fields:
        return Fields(*(getattr(self, name) for name in _INPUTS))

    def _show(self, made: Made) -> None:
        self._good = made
        self.table, self.python, self.plan = table_of(made, self.facts["clips"]), made.python, {}
        self._planner.ask((made.clips, made.sweep))

    # The plan, told when it is known

    def _plan(self, asked: tuple[tuple[int, ...], Sweep]) -> dict[str, Any]:
        plan = self._desk.plan([self._clips[at] for at in asked[0]], asked[1])
        rows = [[round(quote.price.total, 6), held] for quote, held in zip(plan, plan.held, strict=True)]
        prices = plan.cost.prices
        return {
            "total": round(plan.total, 6), "currency": prices.currency, "list": prices.name,
            "least": not plan.cost.is_complete, "held": sum(plan.held), "count": len(rows), "rows": rows[:SHOWN],
            "error": "",
        }  # fmt: skip

    def _tell_plan(self, asked: object, told: dict[str, Any]) -> None:
        if asked == (self._good.clips, self._good.sweep):
            self.plan = told

    # Running

    def _take(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        what = content.get("do")
        if what == "stop":
            self.stop()
        elif what == "run":
            try:
                # The edits travel with the press, because a change sent just before may still be on its way.
                edits = content.get("edits", {})
                with self.hold_trait_notifications():
                    for name in _INPUTS:
                        setattr(self, name, edits.get(name, getattr(self, name)))
                self._press(str(content.get("press") or uuid.uuid4().hex))
            except Exception as error:  # noqa: BLE001  the front end's call ends here, so the panel says it
                self._say(error=said(error))

    def _press(self, press: str) -> None:
        if press in self._presses or self.status["busy"]:
            return
        self._presses.add(press)
        self._last_press, self.error = press, None
        if self.problems:
            self._say(error=f"Nothing was sent. {next(iter(self.problems.values()))}")
            return
        self._cancel.clear()
        self._say(busy=True, text="Starting")
        self._thread = threading.Thread(target=self._run, args=(self._good,), name="sweep-run", daemon=True)
        self._thread.start()

    def _run(self, made: Made) -> None:
        entry = self.trace.add(asked_html(made, self._names(made), "Running"))
        try:
            clips = [self._clips[at] for at in made.clips]
            self.runs = self._desk.run(
                clips, made.sweep, budget=made.budget, cancel=self._cancel,
                on_progress=lambda event: self._say(
                    busy=True, share=event.share, text=event.note, stopping=self._cancel.is_set()
                ),
            )  # fmt: skip
            self.trace.put(entry, self._desk.results_html(self.runs))
            self._say(text="Stopped; what is done is kept" if self._cancel.is_set() else "Done", share=1.0)
        except Exception as error:  # noqa: BLE001  the top of a worker: whatever went wrong is shown, not lost
            self.error = error
            self.trace.put(entry, asked_html(made, self._names(made), said(error)))
            if isinstance(error, BudgetExceeded):
                self.problems = {**self.problems, "budget": str(error)}
            self._say(error=said(error))
        self._planner.ask((self._good.clips, self._good.sweep))  # what was run is not paid again

    def _say(self, **said: Any) -> None:
        self.status = {**_IDLE, "press": self._last_press, **said}
