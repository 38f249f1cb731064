"""Ranking: how likely each setting is preferred to the others, as people voted who did not know what they saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes

from ci_notebook.results.charts.style import COLORS, axes_or_new, described, floats
from ci_notebook.results.labels import count, number

if TYPE_CHECKING:
    from ci_notebook.results.voting.ranking import Ranking


def plot_ranking(ranking: Ranking, ax: Axes | None = None) -> Axes:
    """Draw each setting's share of preferences with its interval, the best on top, and return the axes."""
    made = ranking.to_frame()
    axes = axes_or_new(ax, height_in=1.5 + 0.42 * len(made))
    places, shares = list(range(len(made))), floats(made["chosen"])
    ends = [floats(made["chosen"] - made["low"]), floats(made["high"] - made["chosen"])]
    axes.axvline(50, color="0.6", linewidth=1, linestyle=":")
    # An interval need not hold its own middle where votes are few.
    axes.errorbar(
        shares, places, xerr=[[max(0.0, one) for one in side] for side in ends], fmt="o", color=COLORS[0], capsize=4,
        label=f"{number(100 * ranking.level)} % interval",
    )  # fmt: skip
    axes.set_yticks(places, [str(name) for name in made["setting"]])
    axes.invert_yaxis()
    axes.margins(y=0.5 / len(made) + 0.1)
    axes.set_xlim(0, 100)
    axes.set_xlabel("preferred to the others [%]")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, fontsize="small")
    return described(axes, describe_ranking(ranking))


def describe_ranking(ranking: Ranking) -> str:
    """Return in one sentence which setting came first, and how sure that is."""
    made = ranking.to_frame()
    told = ", ".join(
        f"{row['setting']} {number(float(row['chosen']), 2)} % ({number(float(row['low']), 2)} to "
        f"{number(float(row['high']), 2)})"
        for _, row in made.head(6).iterrows()
    )
    return (
        f"How likely each setting is preferred to the others, by {count(ranking.votes, 'blind vote')}, with "
        f"{number(100 * ranking.level)} % intervals: {told}."
    )
