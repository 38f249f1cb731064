"""Looking for good settings step by step: each step learns from the runs before it (Optuna's ask and tell).

What was tried is in the journal, like every run; there is no other record. So a search that was
broken off goes on where it was, and one that is asked for more trials begins with what it knows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from ci_notebook.client.objects import Clip
from ci_notebook.experiment.client_port import Service
from ci_notebook.experiment.journal import Journal, as_written
from ci_notebook.experiment.pricing.price import refuse_over
from ci_notebook.experiment.pricing.quote import Estimate
from ci_notebook.experiment.run import run_all
from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.sweep import grid, place_of
from ci_notebook.model.declaration.paths import Leaf, value_at
from ci_notebook.model.errors import BudgetExceeded, CIError, ParameterError
from ci_notebook.model.scores import scale_of, suggestion
from ci_notebook.model.setting.enhance import VideoEnhance

if TYPE_CHECKING:
    import optuna

Direction = Literal["max", "min"]
Span = tuple[float, float]

FACTS: Final = ("cost_cny", "size_bytes", "bitrate_kbps")
"""What a search can aim at besides scores."""
INSTALL: Final = "python -m pip install 'ci-notebook[optuna]'"


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting that was tried, its runs (one a clip), and the means over clips of what was looked for.

    `values` is empty when a run failed.
    """

    setting: VideoEnhance
    params: Mapping[str, Any]
    values: Mapping[str, float]
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """What came of a search. `study` is Optuna's own record of it, for its charts.

    `note` says why it ended before all trials were made; empty when they were.
    """

    trials: tuple[Trial, ...]
    on: Mapping[str, Direction]
    study: optuna.Study
    note: str = ""

    @property
    def runs(self) -> list[Run]:
        """Every run, in the order of the trials."""
        return [run for trial in self.trials for run in trial.runs]

    @property
    def best(self) -> list[Trial]:
        """The trials that none beats in everything: one for a single goal, the Pareto front for several."""
        good = [trial for trial in self.trials if trial.values]
        front = [one for one in good if not any(self._beats(other, one) for other in good)]
        return sorted(front, key=lambda trial: [self._loss(trial, name) for name in self.on])

    def _loss(self, trial: Trial, name: str) -> float:
        return trial.values[name] if self.on[name] == "min" else -trial.values[name]

    def _beats(self, one: Trial, other: Trial) -> bool:
        pairs = [(self._loss(one, name), self._loss(other, name)) for name in self.on]
        return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)

    def __repr__(self) -> str:
        goals = ", ".join(f"{name} {direction}" for name, direction in self.on.items())
        return f"<Search of {len(self.trials)} trials for {goals}, {len(self.best)} best>"


def optimize(
    client: Service,
    clips: Clip | Iterable[Clip],
    base: VideoEnhance | None = None,
    *,
    space: Mapping[str, Sequence[Any] | Span],
    on: str | Mapping[str, Direction],
    trials: int = 20,
    batch: int = 4,
    seed: int = 0,
    journal: Journal,
    budget: float | None = None,
    on_trial: Callable[[Trial], None] | None = None,
    **more: Any,
) -> Search:
    """Look for the settings in `space` that make `on` best, and return all that were tried.

    `space` maps leaves, named as in `grid`, to a list of values or to `(low, high)`; the rest of a
    setting is `base`. `on` is the name of a score, which is made better, or several with "max" or "min":
    scores, `cost_cny`, `size_bytes`, `bitrate_kbps`. A trial is one setting on all clips; `batch` of them are
    under way at once. `trials` counts those that the journal holds already; they cost nothing. `budget`
    is for the whole search, in the currency of the price list: where it would be passed the search ends.
    `on_trial` is told of every trial, the
    journal's too. `more` goes to `run_all`.

    Raises `CIError` without Optuna, and `ParameterError` for a name that is not known.
    """
    optuna = _optuna()
    goals: dict[str, Direction] = {on: direction_of(on)} if isinstance(on, str) else dict(on)
    if not goals or not space:
        raise ParameterError("optimize", on, "at least one goal and one leaf to vary")
    if trials < 1 or batch < 1:
        raise ParameterError("trials and batch", min(trials, batch), "whole numbers of at least 1")
    listed = [clips] if isinstance(clips, Clip) else list(clips)
    axes = {name: _Axis(name, values) for name, values in space.items()}
    name = more.get("service") or f"{client.bucket}/{client.region}"
    known = _known(journal, name, listed, base=base, axes=axes, goals=goals)[:trials]
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            directions=["maximize" if way == "max" else "minimize" for way in goals.values()],
            sampler=optuna.samplers.TPESampler(seed=seed + len(known)),  # else it would draw the same again
        )
        search = _Search(study, base, axes=axes, goals=goals, trials=[*known], tell=on_trial or (lambda trial: None))
        for trial in known:
            study.add_trial(search.frozen(trial))
            search.tell(trial)
        note = search.go_on(
            client, listed, trials=trials, batch=batch, budget=budget, more={"journal": journal, **more}
        )
    finally:
        optuna.logging.set_verbosity(verbosity)
    return Search(tuple(search.trials), goals, study, note)


def direction_of(name: str) -> Direction:
    """Return whether a number is better when it is larger or smaller, by its declaration; "max" where neither is."""
    return "min" if scale_of(name).sign < 0 else "max"


def value_of(run: Run, name: str) -> float | None:
    """Return a score of a run, or `cost_cny`, `size_bytes`, `bitrate_kbps`; None when it has none."""
    if name == "cost_cny":
        return run.cost_cny
    facts = run.job.operation.media_info if run.job and run.job.operation else None
    form = facts.format if facts else None
    if name in ("size_bytes", "bitrate_kbps"):
        found = (form.size if name == "size_bytes" else form.bitrate) if form else None
        return float(found) if isinstance(found, (int, float)) else None
    return run.scores.get(name)


class _Axis:
    """One leaf and the values that it may take, as Optuna counts them."""

    def __init__(self, name: str, given: Sequence[Any] | Span) -> None:
        import optuna  # lazy: an extra

        is_span = isinstance(given, tuple) and len(given) == 2 and all(type(v) in (int, float) for v in given)
        self.values = None if is_span else list(given)
        self.distribution: optuna.distributions.BaseDistribution
        if self.values is None:
            low, high = given
            if isinstance(low, int) and isinstance(high, int):
                self.distribution = optuna.distributions.IntDistribution(low, high)
            else:
                self.distribution = optuna.distributions.FloatDistribution(low, high)
        elif all(type(value) in (int, float) for value in self.values):
            self.values.sort()  # a number among its neighbours says more than a name among names
            self.distribution = optuna.distributions.IntDistribution(0, len(self.values) - 1)
        elif self.values:
            self.distribution = optuna.distributions.CategoricalDistribution(range(len(self.values)))
        else:
            raise ParameterError(name, given, "at least one value")

    def value(self, param: Any) -> Any:
        return param if self.values is None else self.values[param]

    def param(self, value: Any) -> Any:
        """Return how Optuna counts a value. Raises `ValueError` for one that is not on the axis."""
        return value if self.values is None else self.values.index(value)


class _Search:
    """The study, and beside it what each trial really was."""

    def __init__(
        self, study: optuna.Study, base: VideoEnhance | None, *, axes: Mapping[str, _Axis],
        goals: Mapping[str, Direction], trials: list[Trial], tell: Callable[[Trial], None],
    ) -> None:  # fmt: skip
        self.study, self._base, self._axes, self._goals, self.trials, self.tell = (
            study, base, axes, goals, trials, tell,
        )  # fmt: skip

    def frozen(self, trial: Trial) -> optuna.trial.FrozenTrial:
        """Return a trial of the journal as Optuna keeps it."""
        from optuna.trial import create_trial  # lazy: an extra

        return create_trial(
            params={name: axis.param(trial.params[name]) for name, axis in self._axes.items()},
            distributions={name: axis.distribution for name, axis in self._axes.items()},
            values=[trial.values[name] for name in self._goals],
        )

    def go_on(
        self, client: Service, clips: list[Clip], *, trials: int, batch: int, budget: float | None, more: dict[str, Any]
    ) -> str:
        """Try until there are so many trials; return why it ended earlier, or nothing."""
        spent = 0.0

        def pay(cost: Estimate) -> None:
            nonlocal spent
            refuse_over(None if budget is None else budget - spent, [quote.price for quote in cost.quotes])
            spent += cost.total

        while len(self.trials) < trials:
            asked = [self._ask() for _ in range(min(batch, trials - len(self.trials)))]
            settings = [setting for _, _, setting in asked if setting is not None]
            try:
                runs = run_all(client, clips, settings, on_price=pay if budget is not None else None, **more)
            except BudgetExceeded as error:
                if not self.trials:
                    raise
                return str(error)
            for number, params, setting in asked:
                self._told(number, params, setting, [run for run in runs if run.setting == setting])
        return ""

    def _ask(self) -> tuple[int, dict[str, Any], VideoEnhance | None]:
        trial = self.study.ask({name: axis.distribution for name, axis in self._axes.items()})
        params = {name: axis.value(trial.params[name]) for name, axis in self._axes.items()}
        try:
            return trial.number, params, _setting(self._base, params)
        except ParameterError:
            return trial.number, params, None  # what cannot be sent is learned from like what failed

    def _told(self, number: int, params: dict[str, Any], setting: VideoEnhance | None, runs: list[Run]) -> None:
        values = _means(runs, self._goals)
        if values:
            self.study.tell(number, [values[name] for name in self._goals])
        else:
            self.study.tell(number, state=_optuna().trial.TrialState.FAIL)
        trial = Trial(setting or VideoEnhance(), params, values, tuple(runs))
        self.trials.append(trial)
        self.tell(trial)


def _setting(base: VideoEnhance | None, params: Mapping[str, Any]) -> VideoEnhance:
    (setting,) = grid(base, **{name: [value] for name, value in params.items()})
    if not isinstance(setting, VideoEnhance):
        raise ParameterError("base", setting, "a setting")
    return setting


def _means(runs: list[Run], goals: Mapping[str, Direction]) -> dict[str, float]:
    """Return the mean over clips of each goal; empty where a run failed. Raises for a score that nobody measures."""
    if not runs or not all(run.ok for run in runs):
        return {}
    found = {}
    for name in goals:
        values = [value_of(run, name) for run in runs]
        if all(value is None for value in values):
            known = sorted({score for run in runs for score in run.scores} | set(FACTS))
            raise ParameterError.plain(
                f"No run has a number called {name!r}. {suggestion(name, known)}They have {', '.join(known)}."
            )
        numbers = [value for value in values if value is not None and math.isfinite(value)]
        if len(numbers) < len(values):
            return {}
        found[name] = math.fsum(numbers) / len(numbers)
    return found


def _known(
    journal: Journal, service: str, clips: list[Clip], *, base: VideoEnhance | None, axes: Mapping[str, _Axis],
    goals: Mapping[str, Direction],
) -> list[Trial]:  # fmt: skip
    """Return the trials that the journal holds already: points of the space that went well on all clips."""
    wanted = {clip.md5 for clip in clips}
    groups: dict[VideoEnhance, dict[str, Run]] = {}
    for entry in journal.entries():
        run = entry.run
        if entry.service == service and run.clip_md5 in wanted and run.ok and run.scores:
            groups.setdefault(as_written(run.setting), {})[run.clip_md5] = run
    found = []
    for setting, runs in groups.items():
        params = _params(setting, base, axes)
        values = _means([*runs.values()], goals) if params and set(runs) == wanted else {}
        if params and values:
            found.append(Trial(setting, params, values, tuple(runs.values())))
    return found


def _params(setting: VideoEnhance, base: VideoEnhance | None, axes: Mapping[str, _Axis]) -> dict[str, Any]:
    """Return the point of the space that a setting is; empty when it is none."""
    places = {name: place_of(name) for name in axes}
    params = {name: value_at(setting, Leaf(name, steps)) for name, steps in places.items()}
    try:
        for name, axis in axes.items():
            axis.param(params[name])
            if not axis.distribution._contains(axis.param(params[name])):
                return {}
        return params if as_written(_setting(base, params)) == setting else {}
    except (ParameterError, ValueError, TypeError):
        return {}


def _optuna() -> Any:
    try:
        import optuna  # lazy: an extra, and a second of start-up
    except ImportError as problem:
        raise CIError(f"optimize needs Optuna, which is not installed. Install it: {INSTALL}") from problem
    return optuna
