"""Searches for good settings step by step with Optuna: each step learns from the runs before it.

All trials are in the journal, like every run; there is no other record. So an interrupted search
resumes, and a longer search starts with the known trials.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from ci_notebook.client.objects import Clip
from ci_notebook.experiment.client_port import ClientPort
from ci_notebook.experiment.journal import Journal, normalized
from ci_notebook.experiment.pricing.price import checked_budget, refuse_over
from ci_notebook.experiment.pricing.quote import Estimate
from ci_notebook.experiment.run import RunOptions, run_all
from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.sweep import grid, steps_of
from ci_notebook.model.clip_labels import clip_id
from ci_notebook.model.declaration.paths import Leaf, value_at
from ci_notebook.model.errors import BudgetExceeded, CIError, ParameterError
from ci_notebook.model.scores import scale_of, suggestion
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.vmaf_v1 import mixed_models, of_vmaf_v1

if TYPE_CHECKING:
    import optuna

Direction = Literal["max", "min"]
Span = tuple[float, float]

FACTS: Final = ("cost_cny", "size_bytes", "bitrate_kbps")
"""Goals of a search besides scores."""
INSTALL: Final = "python -m pip install 'ci-notebook[optuna]'"


@dataclass(frozen=True, slots=True)
class Trial:
    """One tried setting, its runs (one per clip), and the mean over the clips of each goal.

    `values` is empty when a run failed.
    """

    setting: VideoEnhance
    params: Mapping[str, Any]
    values: Mapping[str, float]
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """The result of a search. `study` is Optuna's record of it, for its charts.

    `note` says why the search ended before all trials; empty if it did not.
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
        """The best trial for a single goal, or the Pareto front for several goals."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """What `optimize` searches for.

    `space` maps leaves, named as in `grid`, to a list of values or to `(low, high)`. `on` is the name of a
    score to maximize, or maps several names to "max" or "min": scores, `cost_cny`, `size_bytes`,
    `bitrate_kbps`. A trial is one setting on all clips; `batch` trials run at the same time. `trials`
    includes the trials that the journal contains already; they cost nothing. `on_trial` receives every
    trial, also those from the journal.
    """

    space: Mapping[str, Sequence[Any] | Span]
    on: str | Mapping[str, Direction]
    trials: int = 20
    batch: int = 4
    seed: int = 0
    on_trial: Callable[[Trial], None] | None = None


def optimize(
    client: ClientPort, clips: Clip | Iterable[Clip], base: VideoEnhance | None, search: SearchOptions, run: RunOptions
) -> Search:
    """Search the space for the settings with the best goals, and return all trials.

    Leaves outside the space are as in `base`. The budget of `run` is for the whole search: before it would be
    exceeded, the search ends.

    Raises `CIError` without Optuna, and `ParameterError` for an unknown name.
    """
    optuna = _optuna()
    on = search.on
    goals: dict[str, Direction] = {on: direction_of(on)} if isinstance(on, str) else dict(on)
    if not goals or not search.space:
        raise ParameterError.plain("A search needs at least one goal (on) and at least one leaf to vary (space).")
    if search.trials < 1 or search.batch < 1:
        raise ParameterError.plain(
            f"trials is {search.trials} and batch is {search.batch}; both must be whole numbers of at least 1."
        )
    run = replace(run, budget=checked_budget(run.budget))
    clip_list = [clips] if isinstance(clips, Clip) else list(clips)
    axes = {name: _Axis(name, values) for name, values in search.space.items()}
    service = run.service or f"{client.bucket}/{client.region}"
    known = _known(run.journal, service, clip_list, base=base, axes=axes, goals=goals)[: search.trials]
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            directions=["maximize" if direction == "max" else "minimize" for direction in goals.values()],
            sampler=optuna.samplers.TPESampler(
                seed=search.seed + len(known)
            ),  # else it would suggest the same settings
        )
        notify = search.on_trial or (lambda trial: None)
        runner = _SearchRunner(study, base, axes=axes, goals=goals, trials=[*known], notify=notify)
        for trial in known:
            study.add_trial(runner.frozen(trial))
            notify(trial)
        note = runner.run(client, clip_list, trials=search.trials, batch=search.batch, options=run)
    finally:
        optuna.logging.set_verbosity(verbosity)
    return Search(tuple(runner.trials), goals, study, note)


def direction_of(name: str) -> Direction:
    """Return whether a number is better when it is larger or smaller, by its declaration; "max" where neither is."""
    return "min" if scale_of(name).sign < 0 else "max"


def value_of(run: Run, name: str) -> float | None:
    """Return a score of a run, or `cost_cny`, `size_bytes`, `bitrate_kbps`; None if the run has none."""
    if name == "cost_cny":
        return run.cost_cny
    info = run.job.operation.media_info if run.job and run.job.operation else None
    file = info.format if info else None
    if name in ("size_bytes", "bitrate_kbps"):
        value = (file.size if name == "size_bytes" else file.bitrate) if file else None
        return float(value) if isinstance(value, (int, float)) else None
    return run.scores.get(name)


class _Axis:
    """One leaf and its values, as an Optuna distribution."""

    def __init__(self, name: str, values: Sequence[Any] | Span) -> None:
        import optuna  # lazy: an extra

        is_span = isinstance(values, tuple) and len(values) == 2 and all(type(v) in (int, float) for v in values)
        self.values = None if is_span else list(values)
        self.distribution: optuna.distributions.BaseDistribution
        if self.values is None:
            low, high = values
            if isinstance(low, int) and isinstance(high, int):
                self.distribution = optuna.distributions.IntDistribution(low, high)
            else:
                self.distribution = optuna.distributions.FloatDistribution(low, high)
        elif all(type(value) in (int, float) for value in self.values):
            self.values.sort()  # sorted numbers tell Optuna which values are neighbours
            self.distribution = optuna.distributions.IntDistribution(0, len(self.values) - 1)
        elif self.values:
            self.distribution = optuna.distributions.CategoricalDistribution(range(len(self.values)))
        else:
            raise ParameterError.plain(f"{name} has an empty list of values. Give at least one value.")

    def value(self, param: Any) -> Any:
        return param if self.values is None else self.values[param]

    def param(self, value: Any) -> Any:
        """Return the Optuna parameter of a value. Raises `ValueError` for a value that is not on the axis."""
        return value if self.values is None else self.values.index(value)


class _SearchRunner:
    """Runs the trials of a study, and keeps the runs of each trial."""

    def __init__(
        self, study: optuna.Study, base: VideoEnhance | None, *, axes: Mapping[str, _Axis],
        goals: Mapping[str, Direction], trials: list[Trial], notify: Callable[[Trial], None],
    ) -> None:  # fmt: skip
        self.study, self._base, self._axes, self._goals, self.trials, self._notify = (
            study, base, axes, goals, trials, notify,
        )  # fmt: skip

    def frozen(self, trial: Trial) -> optuna.trial.FrozenTrial:
        """Convert a trial of the journal to an Optuna trial."""
        from optuna.trial import create_trial  # lazy: an extra

        return create_trial(
            params={name: axis.param(trial.params[name]) for name, axis in self._axes.items()},
            distributions={name: axis.distribution for name, axis in self._axes.items()},
            values=[trial.values[name] for name in self._goals],
        )

    def run(self, client: ClientPort, clips: list[Clip], *, trials: int, batch: int, options: RunOptions) -> str:
        """Run trials until there are `trials`; return why the search ended earlier, or an empty text."""
        spent, budget = 0.0, options.budget

        def pay(cost: Estimate) -> None:
            nonlocal spent
            refuse_over(None if budget is None else budget - spent, [quote.price for quote in cost.quotes])
            spent += cost.total

        options = replace(options, budget=None, on_price=pay if budget is not None else None)
        while len(self.trials) < trials:
            suggestions = [self._suggest() for _ in range(min(batch, trials - len(self.trials)))]
            settings = [setting for _, _, setting in suggestions if setting is not None]
            try:
                runs = run_all(client, clips, settings, options)
            except BudgetExceeded as error:
                if not self.trials:
                    raise
                return str(error)
            for number, params, setting in suggestions:
                self._record(number, params, setting, [run for run in runs if run.setting == setting])
        return ""

    def _suggest(self) -> tuple[int, dict[str, Any], VideoEnhance | None]:
        trial = self.study.ask({name: axis.distribution for name, axis in self._axes.items()})
        params = {name: axis.value(trial.params[name]) for name, axis in self._axes.items()}
        try:
            return trial.number, params, _setting(self._base, params)
        except ParameterError:
            return trial.number, params, None  # Optuna learns from an invalid setting as from a failed run

    def _record(self, number: int, params: dict[str, Any], setting: VideoEnhance | None, runs: list[Run]) -> None:
        mixed = _mixed([*(run for trial in self.trials for run in trial.runs), *runs], self._goals)
        if mixed:
            raise ParameterError.plain(f"{mixed} Search by another score, such as vmaf_neg, or for one size of output.")
        values = _means(runs, self._goals)
        if values:
            self.study.tell(number, [values[name] for name in self._goals])
        else:
            self.study.tell(number, state=_optuna().trial.TrialState.FAIL)
        trial = Trial(setting or VideoEnhance(), params, values, tuple(runs))
        self.trials.append(trial)
        self._notify(trial)


def _setting(base: VideoEnhance | None, params: Mapping[str, Any]) -> VideoEnhance:
    (setting,) = grid(base, **{name: [value] for name, value in params.items()})
    if not isinstance(setting, VideoEnhance):
        raise ParameterError.plain(f"base must be a VideoEnhance setting, not {type(setting).__name__}.")
    return setting


def _means(runs: list[Run], goals: Mapping[str, Direction]) -> dict[str, float]:
    """Return the mean over the clips of each goal; empty if a run failed. An unknown score is an error."""
    if not runs or not all(run.ok for run in runs):
        return {}
    means = {}
    for name in goals:
        values = [value_of(run, name) for run in runs]
        if all(value is None for value in values):
            known = sorted({score for run in runs for score in run.scores} | set(FACTS))
            raise ParameterError.plain(
                f"No numeric column is called {name!r}. {suggestion(name, known)}Available: {', '.join(known)}."
            )
        numbers = [value for value in values if value is not None and math.isfinite(value)]
        if len(numbers) < len(values):
            return {}
        means[name] = math.fsum(numbers) / len(numbers)
    return means


def _mixed(runs: Iterable[Run], goals: Iterable[str]) -> str:
    """Return why a search with these goals cannot compare the scores of these runs; empty where it can."""
    return mixed_models(run.vmaf_v1_model for run in runs) if any(map(of_vmaf_v1, goals)) else ""


def _known(
    journal: Journal, service: str, clips: list[Clip], *, base: VideoEnhance | None, axes: Mapping[str, _Axis],
    goals: Mapping[str, Direction],
) -> list[Trial]:  # fmt: skip
    """Return the trials in the journal: points of the space that succeeded on all clips."""
    ids = {clip.md5 or clip.key for clip in clips}
    groups: dict[VideoEnhance, dict[str, Run]] = {}
    for entry in journal.entries():
        run = entry.run
        if entry.service == service and clip_id(run) in ids and run.ok and run.scores:
            groups.setdefault(normalized(run.setting), {})[clip_id(run)] = run
    trials: list[Trial] = []
    for setting, runs in groups.items():
        params = _params(setting, base, axes)
        values = _means([*runs.values()], goals) if params and set(runs) == ids else {}
        before = [run for trial in trials for run in trial.runs]
        if params and values and not _mixed([*before, *runs.values()], goals):
            trials.append(Trial(setting, params, values, tuple(runs.values())))
    return trials


def _params(setting: VideoEnhance, base: VideoEnhance | None, axes: Mapping[str, _Axis]) -> dict[str, Any]:
    """Return the point of the space that equals a setting; empty if there is none."""
    places = {name: steps_of(name) for name in axes}
    params = {name: value_at(setting, Leaf(name, steps)) for name, steps in places.items()}
    try:
        for name, axis in axes.items():
            axis.param(params[name])
            if not axis.distribution._contains(axis.param(params[name])):
                return {}
        return params if normalized(_setting(base, params)) == setting else {}
    except (ParameterError, ValueError, TypeError):
        return {}


def _optuna() -> Any:
    try:
        import optuna  # lazy: an extra, and a second of start-up
    except ImportError as problem:
        raise CIError(f"optimize() needs Optuna, which is not installed. Install it: {INSTALL}") from problem
    return optuna
