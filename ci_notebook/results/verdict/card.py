"""A verdict as HTML for a notebook: its sentence, a drawing, and the differences of the clips.

The drawing is an `<img>` with an SVG inside its address. A notebook that is not trusted strips inline `<svg>` and
leaves its numbers behind as text; it keeps images.
"""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING, Final

from ci_notebook.model.html import table_html
from ci_notebook.model.scores import SCORE
from ci_notebook.results.labels import count, number
from ci_notebook.results.verdict.wording import amount, headline, span

if TYPE_CHECKING:
    from ci_notebook.results.verdict.record import Verdict

__all__ = ["card", "drawing"]

_WIDTH, _HEIGHT = 600, 62
_BLUE: Final = "#0072B2"
_MOST_RINGS: Final = 40


def card(one: Verdict) -> str:
    """Return a verdict as HTML."""
    head = f"<p style='margin:0 0 6px'><b>{escape(headline(one))}</b> {escape(one.sentence)}</p>"
    unit = f" [{one.unit}]" if one.unit else ""
    clips = table_html(
        [(clip, number(mean)) for clip, mean in one.clips], caption=f"{one.on}{unit}, {one.second} minus {one.first}",
        numeric=(1,), row_heads=True,
    )  # fmt: skip
    table = (
        f"<details><summary>{count(len(one.clips), 'clip')}</summary>{clips}</details>" if len(one.clips) > 1 else ""
    )
    return f"<div style='max-width:46em;margin:8px 0'>{head}{_image(one)}{_legend(one)}{table}</div>"


def drawing(one: Verdict) -> str:
    """Return an SVG: zero, the range not worth having, the clips, and the interval where there is one."""
    if one.effect is None:
        return ""
    points = [mean for _, mean in one.clips] if len(one.clips) > 1 else []
    ends = [value for value in (one.low, one.high) if value is not None]
    marks = [*ends, one.effect, 0.0, -one.worth, one.worth, *points]
    left, right = min(marks), max(marks)
    room = (right - left or 1.0) * 0.06
    scale = (_WIDTH - 40) / (right - left + 2 * room)

    def at(value: float) -> str:
        return f"{20 + (value - left + room) * scale:.1f}"

    zone = (
        f"<rect x='{at(-one.worth)}' y='6' width='{2 * one.worth * scale:.1f}' height='34' opacity='.1'/>"
        if one.worth
        else ""
    )
    rings = "".join(
        f"<circle cx='{at(value)}' cy='31' r='4' fill='none' stroke='black'/>" for value in points[:_MOST_RINGS]
    )
    bar = (
        f"<line x1='{at(ends[0])}' x2='{at(ends[1])}' y1='16' y2='16' stroke='{_BLUE}' stroke-width='4'/>"
        if ends
        else ""
    )
    mean = f"<circle cx='{at(one.effect)}' cy='16' r='6' fill='{_BLUE}'/>"
    words = "".join(
        f"<text x='{at(value)}' y='56' text-anchor='middle' font-size='12' font-family='sans-serif'>{word}</text>"
        for value, word in _ticks(ends or points or [one.effect], 45 / scale)
    )
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {_HEIGHT}' width='{_WIDTH}' height='{_HEIGHT}'>"
        f"<rect width='{_WIDTH}' height='{_HEIGHT}' fill='white'/>{zone}"
        f"<line x1='{at(0)}' x2='{at(0)}' y1='4' y2='42' stroke='black'/>{rings}{bar}{mean}{words}</svg>"
    )


def _image(one: Verdict) -> str:
    svg = drawing(one)
    if not svg:
        return ""
    assert one.effect is not None  # noqa: S101 - there is a drawing
    interval = "" if one.low is None or one.high is None else f", interval from {span(one, one.low, one.high)}"
    alt = f"Difference {amount(one, one.effect)}{interval}; the line is at 0"
    source = base64.b64encode(svg.encode()).decode("ascii")
    return (
        f"<img alt='{escape(alt, quote=True)}' src='data:image/svg+xml;base64,{source}' width='{_WIDTH}' "
        "style='max-width:100%;height:auto;display:block'>"
    )


def _ticks(values: list[float], apart: float) -> list[tuple[float, str]]:
    """Return the places with a number: 0, and the others as far as they do not touch a former one."""
    ticks = [(0.0, "0")]
    for value in values:
        if all(abs(value - other) >= apart for other, _ in ticks):
            ticks.append((value, number(value)))
    return ticks


def _legend(one: Verdict) -> str:
    if one.effect is None:
        return ""
    what = "the difference" if one.low is None else "the difference and its interval"
    if len(one.clips) > 1:
        what = what.replace("the difference", "the mean difference", 1)
        what = what.replace("its interval", "the intervals of both", 1) if one.about == "these clips" else what
    grey = f"; grey: within ±{amount(one, one.worth)}, not worth having" if one.worth else ""
    rings = "; rings: the clips" if len(one.clips) > 1 else ""
    return f"<p style='margin:0;font-size:85%'>Blue: {what}{rings}{grey}.{_meaning(one)}</p>"


def _meaning(one: Verdict) -> str:
    """Return what the score is, and what it cannot say: a score against the source knows no taste."""
    score = SCORE.get(one.on)
    if score is None:
        return ""
    text = f"<br>{escape(f'{score.label}: {score.help}')}"
    if not (score.per_frame and score.better == "more"):  # of these alone, the source itself has the highest value
        return text
    if one.against == "source":
        return f"{text} It compares with the source: it says how much was kept, not which video people prefer."
    return f"{text} It compares with a true reference." if one.against else text
