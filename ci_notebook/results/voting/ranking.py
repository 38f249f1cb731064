"""Rankings: what people preferred who did not know what they saw, how sure that is, and which score agrees.

    ci.ranking(runs, lab.votes())

The rule of this file: a ranking says no more than the votes carry. Intervals come from drawing the
votes anew (the voters, where there are five or more, for their votes resemble each other); settings
that no vote joins are refused, not ranked.
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
from ci_notebook.results.charts.preference import plot_ranking
from ci_notebook.results.dataframe import to_frame
from ci_notebook.results.inline_chart import ChartAxes
from ci_notebook.results.labels import count, listed, number, setting_labels
from ci_notebook.results.voting.bradley_terry import chosen, groups, strengths, wilson

DRAWS: Final = 1000
PRIOR: Final = 1.0  # one tie with something middling: what was never beaten has no finite strength otherwise
_CLUSTERED: Final = 5  # voters from which on it is they who are drawn anew, with all their votes
_SEED: Final = 20_240_229
# Scores that say which of two runs is better.
_JUDGING: Final = tuple(score.name for score in SCORES if score.better)


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """What a blind vote came to. `level` is what the intervals are to hold of the truth.

    `agreement` and `consistency` are frames: how often each score prefers what was preferred, and how
    often each voter said the same when asked again.
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
        """Return one row a setting, the best first.

        `place` (Int64), `setting` (string), `chosen`, `low`, `high` (Float64, %: how likely it is preferred
        to the others, and the interval), `best` (Float64, %: how often it came first when votes were drawn
        anew), `strength` (Float64: log, mean 0), `votes` (Int64) and `wins` (Float64, ties count half).
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

    Votes about other runs are left out, and answers to a question that was asked again count for
    `consistency` alone. Raises `ParameterError` where there is nothing to rank, or where no vote
    joins the settings.
    """
    by_key = {run.key: run for run in runs}
    held = [vote for vote in votes if vote.left in by_key and vote.right in by_key]
    first = [vote for vote in held if vote.repeats is None]
    shown = {key: run for key, run in by_key.items() if any(key in (vote.left, vote.right) for vote in first)}
    names = dict(zip(shown, setting_labels(to_frame(shown.values())).astype(str), strict=True))
    items = list(dict.fromkeys(names.values()))
    if len(items) < 2:
        raise ParameterError("a ranking", f"{len(first)} votes", "votes between at least two of these runs' settings")
    places = np.array([[items.index(names[vote.left]), items.index(names[vote.right])] for vote in first])
    points = np.array([{"left": 1.0, "right": 0.0, "same": 0.5}[vote.answer] for vote in first])
    (wins,) = _wins(places, points, np.ones((1, len(first))), len(items))
    _refuse_apart(wins, items)
    logs = strengths(wins, prior=PRIOR)
    drawn = strengths(_wins(places, points, _weights(first), len(items)), prior=PRIOR)
    return Ranking(
        table=_table(items, logs, drawn, wins, level=level), agreement=agreement(by_key.values(), first),
        consistency=consistency(held), votes=len(first), voters=tuple(dict.fromkeys(vote.voter for vote in first)),
        same=sum(vote.answer == "same" for vote in first), apart=_apart(items, drawn, level), level=level,
    )  # fmt: skip


def compute_ranking(runs: Iterable[Run], votes: Iterable[Vote], *, level: float = 0.95) -> pd.DataFrame:
    """Return the data of `plot_ranking`: one row a setting, the best first (see `Ranking.to_frame`)."""
    return ranking(runs, votes, level=level).to_frame()


def agreement(runs: Iterable[Run], votes: Iterable[Vote]) -> pd.DataFrame:
    """Return a row a score, the most agreeing first: `score`, `agrees`, `low`, `high` (%), `votes`.

    It agrees where it is better for the run that was preferred, its value for the whole clip counting.
    Votes for no difference, and equal values, say nothing and are left out. The interval is Wilson's
    at 95 %, which takes votes for independent.
    """
    scores = {run.key: with_differences(run.scores) for run in runs}
    rows = []
    for name in _JUDGING:
        told = [
            (scores[vote.better][name] - scores[_other(vote)][name]) * scale_of(name).sign
            for vote in votes
            if vote.better and name in scores.get(vote.left, {}) and name in scores.get(vote.right, {})
        ]
        sure = [apart for apart in told if apart]
        if sure:
            hits = sum(apart > 0 for apart in sure)
            low, high = wilson(hits, len(sure))
            rows.append((name, 100 * hits / len(sure), 100 * low, 100 * high, len(sure)))
    rows.sort(key=lambda row: -row[1])
    made = pd.DataFrame(rows, columns=["score", "agrees", "low", "high", "votes"])
    kinds = {"score": "string", "agrees": "Float64", "low": "Float64", "high": "Float64", "votes": "Int64"}
    return made.astype(kinds)


def consistency(votes: Iterable[Vote]) -> pd.DataFrame:
    """Return a row a voter: `voter`, `votes`, `asked_again`, `said_the_same`, `left` (% of decided votes), `median_s`.

    Who says the same in half of what is asked again, or chooses one side far more often than the
    other, was guessing.
    """
    rows = []
    listed_votes = list(votes)
    for voter in dict.fromkeys(vote.voter for vote in listed_votes):
        own = {(vote.ballot, vote.number): vote for vote in listed_votes if vote.voter == voter}
        again = [
            (own[vote.ballot, vote.repeats], vote)
            for vote in own.values()
            if vote.repeats is not None and (vote.ballot, vote.repeats) in own
        ]
        decided = [vote.answer for vote in own.values() if vote.better]
        left = 100 * decided.count("left") / len(decided) if decided else None
        pace = float(np.median([vote.took_s for vote in own.values()]))
        rows.append((voter, len(own), len(again), sum(a.better == b.better for a, b in again), left, pace))
    made = pd.DataFrame(rows, columns=["voter", "votes", "asked_again", "said_the_same", "left", "median_s"])
    whole = dict.fromkeys(("votes", "asked_again", "said_the_same"), "Int64")
    return made.astype({"voter": "string", **whole, "left": "Float64", "median_s": "Float64"})


def _wins(
    places: npt.NDArray[np.int64], points: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], count: int
) -> npt.NDArray[np.float64]:
    """Return `wins[draw, i, j]`, each vote weighing `weights[draw, vote]`."""
    made = np.zeros((len(weights), count, count))
    for (left, right), point, weight in zip(places, points, weights.T, strict=True):
        made[:, left, right] += point * weight
        made[:, right, left] += (1 - point) * weight
    return made


def _weights(votes: Sequence[Vote]) -> npt.NDArray[np.float64]:
    """Return how often each vote counts in each draw: of votes, or of voters with all of theirs."""
    voters = list(dict.fromkeys(vote.voter for vote in votes))
    draw = np.random.default_rng(_SEED)
    if len(voters) < _CLUSTERED:
        return np.asarray(draw.multinomial(len(votes), np.full(len(votes), 1 / len(votes)), size=DRAWS), dtype=float)
    times = draw.multinomial(len(voters), np.full(len(voters), 1 / len(voters)), size=DRAWS)
    return np.asarray(times[:, [voters.index(vote.voter) for vote in votes]], dtype=float)


def _table(items: Sequence[str], logs: Any, drawn: Any, wins: Any, *, level: float) -> pd.DataFrame:
    shares = 100 * chosen(logs)
    low, high = np.quantile(100 * chosen(drawn), [(1 - level) / 2, (1 + level) / 2], axis=0)
    best = 100 * np.bincount(drawn.argmax(axis=1), minlength=len(items)) / len(drawn)
    won = wins.sum(axis=1)
    met = won + wins.sum(axis=0)
    order = np.argsort(-logs, kind="stable")
    columns = {"chosen": shares, "low": low, "high": high, "best": best, "strength": logs, "votes": met, "wins": won}
    made: dict[str, Any] = {
        "place": pd.array(range(1, len(items) + 1), dtype="Int64"),
        "setting": pd.array([items[at] for at in order], dtype="string"),
    }
    for name, values in columns.items():
        ordered = values[order].round() if name == "votes" else values[order]
        made[name] = pd.array(ordered, dtype="Int64" if name == "votes" else "Float64")
    return pd.DataFrame(made)


def _apart(items: Sequence[str], drawn: Any, level: float) -> tuple[tuple[str, str], ...]:
    """Return the pairs of which the first is surely preferred: the interval of their difference is over 0."""
    low = np.quantile(drawn[:, :, None] - drawn[:, None, :], (1 - level) / 2, axis=0)
    return tuple((items[int(i)], items[int(j)]) for i, j in np.argwhere(low > 0))


def _refuse_apart(wins: Any, items: Sequence[str]) -> None:
    found = groups(wins)
    if len(found) > 1:
        told = "; ".join(", ".join(items[at] for at in group) for group in found)
        raise ParameterError(
            "a ranking", told, "settings that votes join", "Nobody compared one of a group with one of another."
        )


def _other(vote: Vote) -> str:
    return vote.right if vote.better == vote.left else vote.left


def _sentence(one: Ranking) -> str:
    """Return what a ranking says, with its numbers, in one to three sentences."""
    first = one.table.iloc[0]
    beaten = {other for winner, other in one.apart if winner == first["setting"]}
    rivals = [str(name) for name in one.table["setting"].iloc[1:] if name not in beaten]
    told = f"{first['setting']} is preferred to the others in {_percent(first['chosen'])} ({_interval(one, first)})"
    if rivals:
        told += f", but cannot be told apart from {listed(rivals[:4])}{' and others' if len(rivals) > 4 else ''}"
    return " ".join(filter(None, [f"{told}.", _agreeing(one), _basis(one)]))


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
    checked = f" Asked again, the same was said in {alike} of {again}." if again else ""
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
        "How often each score prefers what was preferred", ["score", "agrees [%]", "interval [%]", "decisions"],
        [(row["score"], number(row["agrees"], 2), _span(row), row["votes"]) for _, row in one.agreement.iterrows()],
    )  # fmt: skip
    voters = _html_table(
        "Voters", ["voter", "votes", "the same when asked again", "left side [%]", "seconds a vote"],
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
