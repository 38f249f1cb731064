"""A ranking in plain words and as HTML: the sentence first, then the chart, then the numbers behind it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from ci_notebook.results.charts.preference import plot_ranking
from ci_notebook.results.inline_chart import ChartAxes
from ci_notebook.results.labels import count, listed, number

if TYPE_CHECKING:
    from ci_notebook.results.voting.ranking_record import Ranking

_NAMES = {"vmaf_neg": "VMAF-NEG", "vmaf": "VMAF", "psnr": "PSNR", "xpsnr": "XPSNR", "ssim": "SSIM", "delta_e": "ΔE2000"}


def sentence(one: Ranking) -> str:
    """Return what a ranking says, with its numbers, in one to three sentences."""
    first = one.table.iloc[0]
    beaten = {other for winner, other in one.apart if winner == first["setting"]}
    rivals = [str(name) for name in one.table["setting"].iloc[1:] if name not in beaten]
    told = f"{first['setting']} is preferred to the others in {_percent(first['chosen'])} ({_interval(one, first)})"
    if rivals:
        told += f", but cannot be told apart from {listed(rivals[:4])}{' and others' if len(rivals) > 4 else ''}"
    return " ".join(filter(None, [f"{told}.", _agreeing(one), _basis(one)]))


def _agreeing(one: Ranking) -> str:
    known = one.agreement[one.agreement["score"].isin(["vmaf_neg"])]
    row = (known if len(known) else one.agreement).head(1)
    if not len(row):
        return ""
    score, agrees, low, high, votes = row.iloc[0][["score", "agrees", "low", "high", "votes"]]
    who = "you" if len(one.voters) == 1 else "the voters"
    span = f"95 % interval {number(float(low), 2)} to {number(float(high), 2)}"
    share = f"{_percent(agrees)} of {count(int(votes), 'decision')} ({span})"
    return f"{_NAMES.get(score, score)} agrees with {who} in {share}."


def _basis(one: Ranking) -> str:
    same = f", {one.same} of them “no difference”" if one.same else ""
    again, alike = int(one.consistency["asked_again"].sum()), int(one.consistency["said_the_same"].sum())
    checked = f" Asked again, the same was said in {alike} of {again}." if again else ""
    return f"Judged on {count(one.votes, 'vote')} of {count(len(one.voters), 'voter')}{same}.{checked}"


def page(one: Ranking) -> str:
    """Return a ranking as HTML: its sentence, its chart, and three tables."""
    chart = plot_ranking(one)
    figure = chart._repr_html_() if isinstance(chart, ChartAxes) else ""
    settings = _table(
        "Settings", ["place", "setting", "preferred [%]", "interval [%]", "first [%]", "votes"],
        [
            (row["place"], row["setting"], number(row["chosen"], 2), _span(row), number(row["best"], 2), row["votes"])
            for _, row in one.table.iterrows()
        ],
    )  # fmt: skip
    scores = _table(
        "How often each score prefers what was preferred", ["score", "agrees [%]", "interval [%]", "decisions"],
        [(row["score"], number(row["agrees"], 2), _span(row), row["votes"]) for _, row in one.agreement.iterrows()],
    )  # fmt: skip
    voters = _table(
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


def _table(caption: str, head: list[str], rows: list[tuple[Any, ...]]) -> str:
    if not rows:
        return ""
    cell = " style='text-align:left'"
    names = "".join(f"<th scope='col'{cell}>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td{cell}>{escape(str(one))}</td>" for one in row) + "</tr>" for row in rows)
    return (
        f"<table><caption{cell}><b>{escape(caption)}</b></caption><thead><tr>{names}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _span(row: Any) -> str:
    return f"{number(float(row['low']), 2)} to {number(float(row['high']), 2)}"


def _percent(share: Any) -> str:
    return f"{number(float(share), 2)} %"


def _interval(one: Ranking, row: Any) -> str:
    return f"{number(100 * one.level)} % interval {_span(row)}"
