"""Rankings: which settings people preferred in blind votes, how certain that is, and which score agrees with them.

    ci.ranking(runs, lab.votes())

A ranking claims no more than the votes support. Intervals come from a bootstrap of the votes, or of the voters
where there are five or more, since the votes of one person resemble each other. Settings that no vote connects
are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.voting.vote import Vote
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.html import bold, table_html
from ci_notebook.model.scores import MAIN, SCORES, label_of, scale_of, with_differences
from ci_notebook.model.vmaf_v1 import mixed_models, of_vmaf_v1
from ci_notebook.results.charts.preference import plot_ranking
from ci_notebook.results.dataframe import to_frame
from ci_notebook.results.inline_chart import ChartAxes
from ci_notebook.results.labels import count, listed, number, setting_labels
from ci_notebook.results.voting.bradley_terry import chosen, groups, strengths, wilson

DRAWS: Final = 1000
PRIOR: Final = 1.0  # one tie with an average item: without it, an item that never lost has no finite strength
_CLUSTERED: Final = 5  # from so many voters on, the bootstrap draws voters with all their votes
_SEED: Final = 20_240_229
# Scores that say which of two runs is better.
_JUDGING: Final = tuple(score.name for score in SCORES if score.better)


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The result of a blind vote. `level` is the probability with which an interval contains the true value.

    `agreement` and `consistency` are tables: how often each score agrees with the voters, and how often each
    voter gave the same answer to a repeated question.
    """

    table: pd.DataFrame
    agreement: pd.DataFrame
    consistency: pd.DataFrame
    votes: int
    voters: tuple[str, ...]
    same: int
    apart: tuple[tuple[str, str], ...]
    level: float = 0.95

    def to_frame(self) -> pd.DataFrame:
        """Return one row per setting, the best first.

        `place` (Int64), `setting` (string), `chosen`, `low`, `high` (Float64, %: how likely it is preferred
        to the others, and the interval), `best` (Float64, %: how often it came first in the bootstrap),
        `strength` (Float64: log, mean 0), `votes` (Int64) and `wins` (Float64, ties count half).
        """
        return self.table.copy()

    @property
    def sentence(self) -> str:
        """The result in plain words, with its numbers."""
        return _sentence(self)

    def __repr__(self) -> str:
        return f"<Ranking: {self.sentence}>"

    def _repr_html_(self) -> str:
        return _html(self)


def ranking(runs: Iterable[Run], votes: Iterable[Vote], *, level: float = 0.95) -> Ranking:
    """Return how people ranked the settings of `runs`, from their votes (Bradley and Terry; ties count half).

    Votes about other runs are left out. Answers to a repeated question count for `consistency` only. Raises
    `ParameterError` where there is nothing to rank, or where no vote connects the settings.
    """
    if isinstance(runs, pd.DataFrame):
        raise ParameterError.plain(
            "ranking() needs the runs, not their table: votes name runs by their full keys. "
            "Pass what lab.run or ci.read_runs returned."
        )
    by_key = {run.key: run for run in runs}
    about_these = [vote for vote in votes if vote.left in by_key and vote.right in by_key]
    first = [vote for vote in about_these if vote.repeats is None]
    voted = {key: run for key, run in by_key.items() if any(key in (vote.left, vote.right) for vote in first)}
    names = dict(zip(voted, setting_labels(to_frame(voted.values())).astype(str), strict=True))
    items = list(dict.fromkeys(names.values()))
    if len(items) < 2:
        raise ParameterError.plain(
            f"Cannot rank: the {len(first)} votes about these runs do not compare at least two settings."
        )
    places = np.array([[items.index(names[vote.left]), items.index(names[vote.right])] for vote in first])
    points = np.array([{"left": 1.0, "right": 0.0, "same": 0.5}[vote.answer] for vote in first])
    (wins,) = _wins(places, points, np.ones((1, len(first))), len(items))
    _refuse_apart(wins, items)
    logs = strengths(wins, prior=PRIOR)
    samples = strengths(_wins(places, points, _weights(first), len(items)), prior=PRIOR)
    return Ranking(
        table=_table(items, logs, samples, wins, level=level), agreement=agreement(by_key.values(), first),
        consistency=consistency(about_these), votes=len(first),
        voters=tuple(dict.fromkeys(vote.voter for vote in first)),
        same=sum(vote.answer == "same" for vote in first), apart=_apart(items, samples, level), level=level,
    )  # fmt: skip


def compute_ranking(runs: Iterable[Run], votes: Iterable[Vote], *, level: float = 0.95) -> pd.DataFrame:
    """Return the data of `plot_ranking`: one row per setting, the best first (see `Ranking.to_frame`)."""
    return ranking(runs, votes, level=level).to_frame()


def agreement(runs: Iterable[Run], votes: Iterable[Vote]) -> pd.DataFrame:
    """Return one row per score, the most agreeing first: `score`, `agrees`, `low`, `high` (%), `votes`.

    A score agrees with a vote when its value for the whole clip is better for the preferred run. Votes for no
    difference, and equal values, are left out. The interval is Wilson's at 95 %, which assumes independent votes.
    """
    scores = {run.key: with_differences(run.scores) for run in runs}
    models = {run.key: run.vmaf_v1_model for run in runs}
    rows = []
    for name in _JUDGING:
        differences = [
            (scores[vote.better][name] - scores[_other(vote)][name]) * scale_of(name).sign
            for vote in votes
            if vote.better
            and name in scores.get(vote.left, {})
            and name in scores.get(vote.right, {})
            and not (of_vmaf_v1(name) and mixed_models([models[vote.left], models[vote.right]]))
        ]
        decided = [difference for difference in differences if difference]
        if decided:
            hits = sum(difference > 0 for difference in decided)
            low, high = wilson(hits, len(decided))
            rows.append((name, 100 * hits / len(decided), 100 * low, 100 * high, len(decided)))
    rows.sort(key=lambda row: -row[1])
    table = pd.DataFrame(rows, columns=["score", "agrees", "low", "high", "votes"])
    kinds = {"score": "string", "agrees": "Float64", "low": "Float64", "high": "Float64", "votes": "Int64"}
    return table.astype(kinds)


def consistency(votes: Iterable[Vote]) -> pd.DataFrame:
    """Return one row per voter: `voter`, `votes`, `asked_again`, `said_the_same`, `left` (% of decisions), `median_s`.

    A voter who gives the same answer to only half of the repeated questions, or who chooses one side far more
    often than the other, was guessing.
    """
    rows = []
    listed_votes = list(votes)
    for voter in dict.fromkeys(vote.voter for vote in listed_votes):
        answers = {(vote.ballot, vote.number): vote for vote in listed_votes if vote.voter == voter}
        again = [
            (answers[vote.ballot, vote.repeats], vote)
            for vote in answers.values()
            if vote.repeats is not None and (vote.ballot, vote.repeats) in answers
        ]
        decided = [vote.answer for vote in answers.values() if vote.better]
        left = 100 * decided.count("left") / len(decided) if decided else None
        pace = float(np.median([vote.took_s for vote in answers.values()]))
        rows.append((voter, len(answers), len(again), sum(a.better == b.better for a, b in again), left, pace))
    table = pd.DataFrame(rows, columns=["voter", "votes", "asked_again", "said_the_same", "left", "median_s"])
    whole = dict.fromkeys(("votes", "asked_again", "said_the_same"), "Int64")
    return table.astype({"voter": "string", **whole, "left": "Float64", "median_s": "Float64"})


def _wins(
    places: npt.NDArray[np.int64], points: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], count: int
) -> npt.NDArray[np.float64]:
    """Return `wins[draw, i, j]`, each vote weighing `weights[draw, vote]`."""
    wins = np.zeros((len(weights), count, count))
    for (left, right), point, weight in zip(places, points, weights.T, strict=True):
        wins[:, left, right] += point * weight
        wins[:, right, left] += (1 - point) * weight
    return wins


def _weights(votes: Sequence[Vote]) -> npt.NDArray[np.float64]:
    """Return how often each vote counts in each draw of the bootstrap, of votes or of voters with all their votes."""
    voters = list(dict.fromkeys(vote.voter for vote in votes))
    draw = np.random.default_rng(_SEED)
    if len(voters) < _CLUSTERED:
        return np.asarray(draw.multinomial(len(votes), np.full(len(votes), 1 / len(votes)), size=DRAWS), dtype=float)
    times = draw.multinomial(len(voters), np.full(len(voters), 1 / len(voters)), size=DRAWS)
    return np.asarray(times[:, [voters.index(vote.voter) for vote in votes]], dtype=float)


def _table(items: Sequence[str], logs: Any, samples: Any, wins: Any, *, level: float) -> pd.DataFrame:
    shares = 100 * chosen(logs)
    low, high = np.quantile(100 * chosen(samples), [(1 - level) / 2, (1 + level) / 2], axis=0)
    best = 100 * np.bincount(samples.argmax(axis=1), minlength=len(items)) / len(samples)
    won = wins.sum(axis=1)
    meetings = won + wins.sum(axis=0)
    order = np.argsort(-logs, kind="stable")
    columns = {
        "chosen": shares,
        "low": low,
        "high": high,
        "best": best,
        "strength": logs,
        "votes": meetings,
        "wins": won,
    }
    table: dict[str, Any] = {
        "place": pd.array(range(1, len(items) + 1), dtype="Int64"),
        "setting": pd.array([items[at] for at in order], dtype="string"),
    }
    for name, values in columns.items():
        ordered = values[order].round() if name == "votes" else values[order]
        table[name] = pd.array(ordered, dtype="Int64" if name == "votes" else "Float64")
    return pd.DataFrame(table)


def _apart(items: Sequence[str], samples: Any, level: float) -> tuple[tuple[str, str], ...]:
    """Return the pairs of which the first is certainly preferred: the interval of their difference is over 0."""
    low = np.quantile(samples[:, :, None] - samples[:, None, :], (1 - level) / 2, axis=0)
    return tuple((items[int(i)], items[int(j)]) for i, j in np.argwhere(low > 0))


def _refuse_apart(wins: Any, items: Sequence[str]) -> None:
    components = groups(wins)
    if len(components) > 1:
        groups_text = "; ".join(", ".join(items[at] for at in group) for group in components)
        raise ParameterError.plain(
            f"Cannot rank: no vote compares a setting of one group with a setting of another: {groups_text}."
        )


def _other(vote: Vote) -> str:
    return vote.right if vote.better == vote.left else vote.left


def _sentence(one: Ranking) -> str:
    """Return a ranking with its numbers in one to three sentences."""
    first = one.table.iloc[0]
    beaten = {other for winner, other in one.apart if winner == first["setting"]}
    rivals = [str(name) for name in one.table["setting"].iloc[1:] if name not in beaten]
    text = f"{first['setting']} is preferred to the others in {_percent(first['chosen'])} ({_interval(one, first)})"
    if rivals:
        text += f", but cannot be distinguished from {listed(rivals[:4])}{' and others' if len(rivals) > 4 else ''}"
    return " ".join(filter(None, [f"{text}.", _agreeing(one), _basis(one)]))


def _agreeing(one: Ranking) -> str:
    known = one.agreement[one.agreement["score"] == MAIN]
    row = (known if len(known) else one.agreement).head(1)
    if not len(row):
        return ""
    score, agrees, low, high, votes = row.iloc[0][["score", "agrees", "low", "high", "votes"]]
    who = "you" if len(one.voters) == 1 else "the voters"
    span = f"95 % interval {number(float(low), 2)} to {number(float(high), 2)}"
    share = f"{_percent(agrees)} of {count(int(votes), 'decision')} ({span})"
    return f"{label_of(score)} agrees with {who} in {share}."


def _basis(one: Ranking) -> str:
    same = f", {one.same} of them “no difference”" if one.same else ""
    again, alike = int(one.consistency["asked_again"].sum()), int(one.consistency["said_the_same"].sum())
    checked = f" Repeated questions got the same answer in {alike} of {again} cases." if again else ""
    return f"Judged on {count(one.votes, 'vote')} of {count(len(one.voters), 'voter')}{same}.{checked}"


def _html(one: Ranking) -> str:
    """Return a ranking as HTML: its sentence, its chart, and three tables."""
    chart = plot_ranking(one)
    figure = chart._repr_html_() if isinstance(chart, ChartAxes) else ""
    settings = _html_table(
        "Settings", ["place", "setting", "preferred [%]", "interval [%]", "first [%]", "votes"],
        [
            (row["place"], row["setting"], number(row["chosen"], 2), _span(row), number(row["best"], 2), row["votes"])
            for _, row in one.table.iterrows()
        ],
    )  # fmt: skip
    scores = _html_table(
        "How often each score agrees with the voters", ["score", "agrees [%]", "interval [%]", "decisions"],
        [(row["score"], number(row["agrees"], 2), _span(row), row["votes"]) for _, row in one.agreement.iterrows()],
    )  # fmt: skip
    voters = _html_table(
        "Voters", ["voter", "votes", "same answer when repeated", "left side [%]", "seconds per vote"],
        [
            (
                row["voter"] or "(no name)", str(row["votes"]), f"{row['said_the_same']} of {row['asked_again']}",
                "–" if pd.isna(row["left"]) else number(row["left"], 2), number(row["median_s"], 2),
            )
            for _, row in one.consistency.iterrows()
        ],
    )  # fmt: skip
    first, _, rest = one.sentence.partition(". ")
    head = f"<p style='margin:0 0 6px'><b>{escape(first)}.</b> {escape(rest)}</p>"
    return f"<div style='max-width:60em;margin:8px 0'>{head}{figure}{settings}{scores}{voters}</div>"


def _html_table(caption: str, head: list[str], rows: list[tuple[Any, ...]]) -> str:
    return table_html([[str(one) for one in row] for row in rows], head=head, caption=bold(caption)) if rows else ""


def _span(row: Any) -> str:
    return f"{number(float(row['low']), 2)} to {number(float(row['high']), 2)}"


def _percent(share: Any) -> str:
    return f"{number(float(share), 2)} %"


def _interval(one: Ranking, row: Any) -> str:
    return f"{number(100 * one.level)} % interval {_span(row)}"
