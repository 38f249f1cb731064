"""What a search found: every trial as a frame, and those that none beats."""

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
    """What came of `lab.optimize`: its trials, its runs, and the best of them.

    `note` says why it ended before all trials were made, and is empty when they were.
    """

    def __init__(self, search: Search, shown: Callable[[Iterable[Run]], Runs] = Runs) -> None:
        self._search, self._shown = search, shown
        self.note = search.note

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Every trial: those of the journal first, then in the order they were made."""
        return self._search.trials

    @property
    def runs(self) -> Runs:
        """Every run of the trials, for charts, verdicts and a report."""
        return self._shown(self._search.runs)

    @property
    def best(self) -> list[Trial]:
        """The trials that none beats in everything: one for a single goal, the Pareto front for several."""
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
        """Return one row a trial: its number, the leaves that were looked over, the goals' means, and `best`.

        `trial` is Int64, setting columns have their declared dtype (with `auto`, as in `to_frame`),
        goals are Float64 and missing where a run failed, `best` is boolean.
        """
        trials = self.trials
        settings = to_frame([trial.setting for trial in trials])
        names = self._names(settings)
        best = set(map(id, self.best))
        made: dict[str, Any] = {"trial": pd.array(range(len(trials)), dtype="Int64")}
        made |= {name: settings[name].array for name in [*names, "auto"]}
        made |= {goal: pd.array([t.values.get(goal) for t in trials], dtype="Float64") for goal in self._search.on}
        made["best"] = pd.array([id(trial) in best for trial in trials], dtype="boolean")
        return pd.DataFrame(made)

    def _names(self, settings: pd.DataFrame) -> list[str]:
        """Return the columns of what was looked over; those of all leaves below where that is a whole stage."""
        names = []
        for looked in dict.fromkeys(name for trial in self.trials for name in trial.params):
            below = [name for name in setting_columns() if f".{name}.".find(f".{looked}.") >= 0]
            exact = [name for name in below if name == looked or name.endswith(f".{looked}")]
            names += exact or [name for name in below if settings[name].notna().any()]
            if not below:
                names.append(resolve_column(settings, looked))
        return list(dict.fromkeys(names))

    def __repr__(self) -> str:
        goals = listed([f"{name} {way}" for name, way in self._search.on.items()])
        return f"<Found: {count(len(self.trials), 'trial')} for {goals}; {self._sentence()}>"

    def _sentence(self) -> str:
        best = self.best
        if not best:
            return "none went well"
        if len(self._search.on) > 1 and len(best) > 1:
            return f"{count(len(best), 'setting')} that none beats in everything"
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
