"""The result of a search: every trial as a table, and the best ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.search import Search, Trial
from ci_notebook.model.html import Markup, bold, table_html, value_html
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.results.dataframe import resolve_column, setting_columns, to_frame
from ci_notebook.results.labels import count, in_words, listed, number
from ci_notebook.results.runs import Runs

if TYPE_CHECKING:
    import optuna


class Found:
    """The result of `lab.optimize`: its trials, its runs, and the best of them.

    `note` gives the reason when it ended before all trials were made; else it is empty.
    """

    def __init__(self, search: Search, shown: Callable[[Iterable[Run]], Runs] = Runs) -> None:
        self._search, self._as_runs = search, shown
        self.note = search.note

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Every trial: those of the journal first, then the others in order."""
        return self._search.trials

    @property
    def runs(self) -> Runs:
        """Every run of the trials, for charts, verdicts and a report."""
        return self._as_runs(self._search.runs)

    @property
    def best(self) -> list[Trial]:
        """The trials that no other one beats in every goal: one for a single goal, the Pareto front for several."""
        return self._search.best

    @property
    def setting(self) -> VideoEnhance | None:
        """The best setting; of a Pareto front the one best in the goal named first. None when every trial failed."""
        best = self.best
        return best[0].setting if best else None

    @property
    def study(self) -> optuna.Study:
        """Optuna's own record of the search, for its charts."""
        return self._search.study

    def to_frame(self) -> pd.DataFrame:
        """Return one row per trial: its number, the searched leaves, the means of the goals, and `best`.

        `trial` is Int64, setting columns have their declared dtype (with `auto`, as in `to_frame`),
        goals are Float64 and missing where a run failed, `best` is boolean.
        """
        trials = self.trials
        settings = to_frame([trial.setting for trial in trials])
        names = self._names(settings)
        best = set(map(id, self.best))
        columns: dict[str, Any] = {"trial": pd.array(range(len(trials)), dtype="Int64")}
        columns |= {name: settings[name].array for name in [*names, "auto"]}
        columns |= {goal: pd.array([t.values.get(goal) for t in trials], dtype="Float64") for goal in self._search.on}
        columns["best"] = pd.array([id(trial) in best for trial in trials], dtype="boolean")
        return pd.DataFrame(columns)

    def _names(self, settings: pd.DataFrame) -> list[str]:
        """Return the columns of the searched leaves; for a whole stage, those of all leaves below it."""
        names = []
        for searched in dict.fromkeys(name for trial in self.trials for name in trial.params):
            below = [name for name in setting_columns() if f".{name}.".find(f".{searched}.") >= 0]
            exact = [name for name in below if name == searched or name.endswith(f".{searched}")]
            names += exact or [name for name in below if settings[name].notna().any()]
            if not below:
                names.append(resolve_column(settings, searched))
        return list(dict.fromkeys(names))

    def __repr__(self) -> str:
        goals = listed([f"{name} {direction}" for name, direction in self._search.on.items()])
        return f"<Found: {count(len(self.trials), 'trial')} for {goals}; {self._sentence()}>"

    def _sentence(self) -> str:
        best = self.best
        if not best:
            return "none succeeded"
        if len(self._search.on) > 1 and len(best) > 1:
            return f"{count(len(best), 'setting')} that none beats in every goal"
        values = ", ".join(f"{name} {number(best[0].values[name], 4)}" for name in self._search.on)
        point = ", ".join(f"{name} {'left out' if value is None else value}" for name, value in best[0].params.items())
        return f"best with {point}: {values}"

    def _repr_html_(self) -> str:
        df = self.to_frame()
        order = df["best"].astype(bool).to_numpy().nonzero()[0].tolist()
        rest = [row for row in range(len(df)) if row not in set(order)]
        names = [name for name in df.columns if name in setting_columns()]
        words = {name: list(in_words(df, name)) for name in names}
        goals = list(self._search.on)
        directions = {"max": "larger is better", "min": "smaller is better"}
        ends = [Markup(f"{escape(goal)}<br><small>{directions[self._search.on[goal]]}</small>") for goal in goals]
        rows = [
            [
                Markup(f"{row} {bold('best')}") if row in order else str(row),
                *(value_html(words[name][row]) for name in names),
                *("failed" if pd.isna(df[g].iloc[row]) else number(df[g].iloc[row], 4) for g in goals),
            ]
            for row in [*order, *rest]
        ]
        note = f"<p>{escape(self.note)}</p>" if self.note else ""
        first = 1 + len(names)
        table = table_html(
            rows,
            head=["trial", *names, *ends],
            caption=bold(repr(self)[1:-1]),
            numeric=range(first, first + len(goals)),
            row_heads=True,
        )
        return f"{table}{note}"
