"""`SweepPanel`: choose parameters, values and clips of a sweep, see its price, and run it.

Invariants: fields, Python and sweep of the panel always agree; an invalid text is marked at its field and changes
nothing; results are plain outputs of the cell.
"""

from __future__ import annotations

import threading
import uuid
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

import traitlets

from ci_notebook.model.declaration.paths import resolve, values
from ci_notebook.model.errors import BudgetExceeded, ParameterError
from ci_notebook.model.keywords import checks_keywords
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.widgets.clip_titles import labels_of
from ci_notebook.widgets.enhance.start_from import SettingLike, setting_from
from ci_notebook.widgets.file_ports import video_files_of
from ci_notebook.widgets.files.take_away import TakeAway
from ci_notebook.widgets.ports import SweepLab, SweepSettings
from ci_notebook.widgets.shared.base_view import MAX_TOKENS, BaseView, ViewValue, error_text, joined
from ci_notebook.widgets.shared.clip_lines import ClipLines
from ci_notebook.widgets.shared.persistence import SavedState
from ci_notebook.widgets.shared.result_output import ResultOutput
from ci_notebook.widgets.shared.workers import DebouncedWorker
from ci_notebook.widgets.sweep.form import MAX_ROWS, SweepFields, SweepForm, ValidSweep, sweep_html, table_of
from ci_notebook.widgets.sweep.values import DESIGNS, described, stages_of, text_of

__all__ = ["SweepPanel"]

# Debounce of the plan: the service is asked about each clip.
_DELAY_S: Final = 0.3
_FIELDS: Final = ("vary", "kind", "n", "seed", "budget", "chosen")
_SWEEP_FIELDS: Final = ("vary", "kind", "n", "seed")
_IDLE: Final = {"busy": False, "stopping": False, "share": None, "text": "", "error": "", "press": ""}
_EMPTY: Final = "<p style='opacity:0.75;margin:4px 0'>Nothing was run from this panel yet.</p>"


class SweepPanel(BaseView):
    """A panel for a sweep: what varies, over which values and clips, its price, and Run.

    `clips` is one clip or several, from which the user can choose. The varied parameters are set in `base`: a
    `VideoEnhance`, the name of a preset, or a dict of parameters. `against` is the second setting of the design
    "pairs". `sweep` is the last valid sweep; `value` are its fields as JSON: `vary`, `kind`, `n` and `seed`. Both are
    traits that can be observed; `value` can also be linked and assigned, in whole or in part. `runs` are the results of
    the last run, None before. With a `key` the fields are restored after a restart of the
    kernel, if the lab has a `state_dir` and the arguments are the same. Raises `ParameterError` for an invalid setting.

    >>> import ci_notebook as ci
    >>> lab = ci.connect()
    >>> panel = ci.SweepPanel(lab, lab.upload(ci.sample()))
    >>> panel.set("SharpenLevel", [0, 3, 6, 9])
    >>> panel.sweep
    <Sweep of 4 settings over MsSharpen.SharpenLevel>
    >>> panel.value
    {'vary': [['MsSharpen.SharpenLevel', '0, 3, 6, 9']], 'kind': 'grid', 'n': '10', 'seed': '0'}
    >>> panel.close()
    """

    _esm = joined(
        "shared/dom.js", "shared/mount.js", "files/take_away.js", "enhance/js/export.js", "sweep/parts.js",
        "sweep/panel.js",
    )  # fmt: skip
    _css = joined("shared/base.css", "shared/mount.css", "files/take_away.css", "sweep/panel.css")

    leaves: traitlets.List[dict[str, Any]] = traitlets.List(help="Every stage and leaf that can vary.").tag(sync=True)
    clip_lines: traitlets.List[str] = traitlets.List(help="Properties of each clip in one line.").tag(sync=True)
    facts = traitlets.Dict(help="Constant facts: clips, designs, the base.").tag(sync=True)
    vary: traitlets.List[list[str]] = traitlets.List(help="[path, text] of each varied parameter.").tag(sync=True)
    kind = traitlets.Unicode("grid").tag(sync=True)
    n = traitlets.Unicode("10").tag(sync=True)
    seed = traitlets.Unicode("0").tag(sync=True)
    budget = traitlets.Unicode("").tag(sync=True)
    chosen: traitlets.List[int] = traitlets.List(help="Numbers of the chosen clips.").tag(sync=True)
    problems = traitlets.Dict(help="Field → message.").tag(sync=True)
    result_files: traitlets.List[dict[str, str]] = traitlets.List(
        help="Item and file name of each run that can be played and saved."
    ).tag(sync=True)
    table = traitlets.Dict(help="The first runs: heads and rows, and the number of runs.").tag(sync=True)
    plan = traitlets.Dict(help="The jobs that Run would send, and their price.").tag(sync=True)
    python = traitlets.Unicode().tag(sync=True)
    value = ViewValue[dict[str, Any], Mapping[str, Any]](
        lambda panel, fields: panel._take(fields),
        read=lambda panel, json: json,
        write=dict,
        refuse=lambda panel, error: panel._set_status(error=str(error)),
        help="Fields of the last valid sweep: `vary` as [path, text] pairs, `kind`, `n` and `seed`.",
    )
    sweep = traitlets.Any(read_only=True, help="The last valid sweep.")
    status = traitlets.Dict().tag(sync=True)

    @checks_keywords
    def __init__(
        self, lab: SweepLab, clips: Any, base: SettingLike | None = None, *, against: SettingLike | None = None,
        key: str | None = None,
    ) -> None:  # fmt: skip
        self._cancel = threading.Event()
        self.on_close(self._cancel.set)
        self._planner = DebouncedWorker("sweep-plan", self._plan, self._show_plan, delay_s=_DELAY_S)
        self.on_close(self._planner.close)
        self._port = lab.sweep_desk
        is_one = isinstance(clips, str) or not isinstance(clips, Iterable)
        self._clips = [clips] if is_one else list(clips)
        if not self._clips:
            raise ParameterError.plain("A SweepPanel needs at least one clip.")
        self._clip_lines = ClipLines(lab.clip_facts, self._clips, self._show_clip_lines)
        self.on_close(self._clip_lines.close)
        start = setting_from(base)
        other = setting_from(against) if against is not None else None
        self._form = SweepForm(start, other, len(self._clips), is_one, self._port.design)
        self._tokens: deque[str] = deque(maxlen=MAX_TOKENS)
        self._thread: threading.Thread | None = None
        self._last_token = ""
        self.runs: Any = None
        self._files: dict[str, tuple[Any, str]] = {}
        self._take_away = TakeAway(video_files_of(lab), lambda item: self._files[item], self.send)
        self.on_close(self._take_away.close)
        self.error: Exception | None = None
        self.output = ResultOutput(empty=_EMPTY)
        designs = [[kind, label] for kind, label in DESIGNS.items() if kind != "pairs" or against is not None]
        settings = [f"{path} {value}" for path, value in values(start).items()]
        names = labels_of(self._clips)
        facts = {"clips": names, "designs": designs, "base": settings, "costs_money": self._port.costs_money}
        super().__init__(leaves=described(start), facts=facts, chosen=list(range(len(names))), status=_IDLE, plan={},
                         clip_lines=self._clip_lines.known)  # fmt: skip
        valid, problems = self._form.read(self._fields())
        if valid is None:
            raise ParameterError.plain(next(iter(problems.values())))
        self._show(valid)
        self._saved = SavedState(lab.state_dir, key, repr((start, other, names)), "sweep")
        self._restore()
        self.observe(self._read, list(_FIELDS))
        self.on_msg(self._receive)
        self._clip_lines.start()
        self.on_msg(self._take_away.receive)

    @property
    def clips(self) -> list[Any]:
        """The chosen clips."""
        return [self._clips[at] for at in self._valid.clips]

    def set(self, name: str, values: str | Iterable[Any] | None) -> None:
        """Vary a parameter over values: a list, the text of one ("0:9:3, AUTO"), or None to stop varying it.

        `name` is its path or an unambiguous ending, or the tag of a stage that is on in the base and varies as the
        text "as in the base, left out". Invalid values are in `problems`. Raises `ParameterError` for an unknown
        name.
        """
        is_stage = name in stages_of(self._form.base)
        path = name if is_stage else resolve(VideoEnhance, name).path
        if isinstance(values, str) or values is None:
            text = values
        else:
            text = ", ".join(map(str, values)) if is_stage else text_of(resolve(VideoEnhance, path), values)
        entries = [[other, current] for other, current in self.vary if other != path or text is not None]
        if text is None:
            self.vary = entries
        elif any(other == path for other, _ in entries):
            self.vary = [[other, text if other == path else current] for other, current in entries]
        else:
            self.vary = [*entries, [path, text]]

    def run(self) -> None:
        """Do the same as the Run button: run the sweep in the background, unless one is running."""
        self._run_once(uuid.uuid4().hex)

    def stop(self) -> None:
        """Stop the sweep that is running. Finished runs are kept; jobs that were sent continue."""
        if self.status["busy"]:
            self._cancel.set()
            self._set_status(**{**self.status, "stopping": True, "text": "Stopping"})

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until no sweep of this panel is running; return False after the timeout."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return not self.status["busy"]

    def wait_for_price(self, timeout_s: float = 60.0) -> bool:
        """Wait until the price of the sweep is shown; return False after the timeout."""
        return self._planner.wait(timeout_s)

    def close(self) -> None:
        """Close the panel, and stop its sweep if one is running."""
        super().close()

    def __repr__(self) -> str:
        return f"<SweepPanel of {self.sweep!r} on {', '.join(self._names(self._valid))}>"

    def _ipython_display_(self) -> None:
        self.display_widget()
        self.output.show()

    @traitlets.default("value")
    def _first_value(self) -> dict[str, Any]:
        return self._sweep_fields()

    def _take(self, fields: Mapping[str, Any]) -> None:
        """Set the fields of a sweep, if they are valid together."""
        if not isinstance(fields, Mapping) or not set(fields) <= set(_SWEEP_FIELDS):
            raise ParameterError.plain(f"The value of a sweep panel is a dict with {', '.join(_SWEEP_FIELDS)}.")
        try:
            # The budget and the clips are no part of the sweep.
            everything = {"budget": "", "chosen": range(len(self._clips)), **fields}
            _, problems = self._form.read(self._fields()._replace(**everything))
        except (TypeError, ValueError, AttributeError) as error:
            raise ParameterError.plain("vary is a list of [path, text] pairs; kind, n and seed are texts.") from error
        if problems:
            raise ParameterError.plain(next(iter(problems.values())))
        with self.hold_sync(), self.hold_trait_notifications():
            for name, field in fields.items():
                setattr(self, name, field)

    def _sweep_fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _SWEEP_FIELDS}

    def _restore(self) -> None:
        """Restore the saved fields, if there are any."""
        content = self._saved.load()
        try:
            fields = SweepFields(**content["fields"]) if content else None
            for name, value in fields._asdict().items() if fields else ():
                setattr(self, name, value)
        except (KeyError, TypeError, traitlets.TraitError):
            return  # file of another version: the next edit overwrites it
        if fields:
            self._read()

    def _read(self, _change: object = None) -> None:
        self._saved.save(fields=self._fields()._asdict())
        valid, problems = self._form.read(self._fields())
        with self.hold_sync():
            self.problems = problems
            if valid is not None:
                self._show(valid)

    def _show_clip_lines(self, lines: list[str]) -> None:
        self.clip_lines = lines

    def _names(self, valid: ValidSweep) -> list[str]:
        return [self.facts["clips"][at] for at in valid.clips]

    def _fields(self) -> SweepFields:
        return SweepFields(*(getattr(self, name) for name in _FIELDS))

    def _show(self, valid: ValidSweep) -> None:
        self._valid = valid
        self.table, self.python, self.plan = table_of(valid, self.facts["clips"]), valid.python, {}
        self._planner.submit((valid.clips, valid.sweep))
        self.set_trait("sweep", valid.sweep)
        type(self).value.publish(self, self._sweep_fields())

    # The plan, in a thread

    def _plan(self, request: tuple[tuple[int, ...], SweepSettings]) -> dict[str, Any]:
        plan = self._port.plan([self._clips[at] for at in request[0]], request[1])
        rows = [[round(quote.price.total, 6), in_journal] for quote, in_journal in zip(plan, plan.held, strict=True)]
        prices = plan.cost.prices
        return {
            "total": round(plan.total, 6), "currency": prices.currency, "list": prices.name,
            "is_minimum": not plan.cost.is_complete, "in_journal": sum(plan.held), "count": len(rows),
            "rows": rows[:MAX_ROWS], "error": "",
        }  # fmt: skip

    def _show_plan(self, request: object, plan: dict[str, Any]) -> None:
        if request == (self._valid.clips, self._valid.sweep):
            self.plan = plan

    # Running

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        action = content.get("do")
        if action == "stop":
            self.stop()
        elif action == "run":
            try:
                # The fields travel with the click, because an edit sent just before may arrive later.
                fields = content.get("fields", {})
                with self.hold_trait_notifications():
                    for name in _FIELDS:
                        setattr(self, name, fields.get(name, getattr(self, name)))
                self._run_once(str(content.get("press") or uuid.uuid4().hex))
            except Exception as error:  # noqa: BLE001  top of a call from the page: the panel shows the error
                self._set_status(error=error_text(error))

    def _run_once(self, token: str) -> None:
        if token in self._tokens or self.status["busy"]:
            return
        self._tokens.append(token)
        self._last_token, self.error = token, None
        if self.problems:
            self._set_status(error=f"Nothing was sent. {next(iter(self.problems.values()))}")
            return
        self._cancel.clear()
        self._set_status(busy=True, text="Starting")
        self._thread = threading.Thread(target=self._run, args=(self._valid,), name="sweep-run", daemon=True)
        self._thread.start()

    def _run(self, valid: ValidSweep) -> None:
        entry = self.output.add(sweep_html(valid, self._names(valid), "Running"))
        try:
            clips = [self._clips[at] for at in valid.clips]
            self.runs = self._port.run(
                clips, valid.sweep, budget=valid.budget, cancel=self._cancel,
                on_progress=lambda event: self._set_status(
                    busy=True, share=event.share, text=event.note, stopping=self._cancel.is_set()
                ),
            )  # fmt: skip
            self.output.put(entry, self._port.results_html(self.runs))
            self._offer_files()
            is_stopped = self._cancel.is_set()
            self._set_status(text="Stopped; finished runs are kept" if is_stopped else "Done", share=1.0)
        except Exception as error:  # noqa: BLE001  top of a thread: the error is shown, not lost
            self.error = error
            self.output.put(entry, sweep_html(valid, self._names(valid), error_text(error)))
            if isinstance(error, BudgetExceeded):
                self.problems = {**self.problems, "budget": str(error)}
            self._set_status(error=error_text(error))
        self._planner.submit((self._valid.clips, self._valid.sweep))  # finished runs are not paid again

    def _offer_files(self) -> None:
        """Offer the outputs of the runs to the page, named by what differs."""
        if not self._take_away.is_offered:
            return
        done = [run for run in self.runs if run.job is not None and run.job.output_keys]
        names = self._take_away.names(done)
        self._files = {str(at): one for at, one in enumerate(zip(done, names, strict=True))}
        self.result_files = [{"item": item, "name": name} for item, (_, name) in [*self._files.items()][:MAX_ROWS]]

    def _set_status(self, **changes: Any) -> None:
        self.status = {**_IDLE, "press": self._last_token, **changes}
