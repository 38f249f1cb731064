"""A verdict in plain words and as HTML: the sentence first, then its numbers, then where they lie."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ci_notebook.results.labels import LEFT_OUT, count, listed, number

if TYPE_CHECKING:
    from ci_notebook.results.verdict.verdict_record import Verdict


def sentence(one: Verdict) -> str:
    """Return what a verdict says, with its numbers, in one to four sentences."""
    if one.answer == "refused":
        return f"No verdict on {one.on}, {_name(one, one.second)} against {_first(one)}: {one.why}.{_left_out(one)}"
    return f"{_finding(one)} {_reach(one)}{_alone(one)}{_left_out(one)}"


def _finding(one: Verdict) -> str:
    assert one.effect is not None and one.low is not None and one.high is not None  # noqa: S101 - judged
    second, interval = _name(one, one.second), f"{number(100 * one.level)} % interval"
    signed = f"{_amount(one, one.effect)} ({interval} {_span(one, one.low, one.high)})"
    if one.answer == "undecided":
        return f"On {one.on}, {second} and {_first(one)} cannot be told apart: the difference is {signed}{_odds(one)}."
    if one.answer == "no difference worth having":
        within = f"all within ±{_amount(one, one.worth)}"
        return f"On {one.on}, {second} against {_first(one)} makes no difference worth having: {signed}, {within}."
    low, high = sorted((abs(one.low), abs(one.high)))
    size = f"{_amount(one, abs(one.effect))} ({interval} {_span(one, low, high)})"
    return f"On {one.on}, {second} is {one.answer} than {_first(one)} by {size}{_worth(one, low)}{_odds(one)}."


def _worth(one: Verdict, least: float) -> str:
    if not one.worth:
        return ""
    if least >= one.worth:
        return f", more than the {_amount(one, one.worth)} that is worth having"
    return f", perhaps less than the {_amount(one, one.worth)} that is worth having"


def _odds(one: Verdict) -> str:
    assert one.probability is not None  # noqa: S101 - judged
    percent = 100 * one.probability
    said = "under 0.1" if percent < 0.1 else "over 99.9" if percent > 99.9 else number(percent, 2)
    what = (one.better and "better") or "higher"
    return f"; the probability that {one.second} is {what} is {said} %"


def _reach(one: Verdict) -> str:
    """Say what the verdict rests on, and what it is about."""
    assert one.independent is not None  # noqa: S101 - judged
    over = f", as a mean over {listed(list(one.over))}" if one.over else ""
    holm = f"; one of {one.compared} comparisons, corrected for (Holm)" if one.compared > 1 else ""
    if len(one.clips) > 1:
        return f"Judged on {count(len(one.clips), 'clip')}, for clips like these{over}{holm}."
    alike = f"which tell as much as {max(1, round(one.independent))} independent ones"
    clip = one.clips[0][0]
    return f"Judged on {one.pictures} pictures of {clip}, {alike}, for that clip alone{over}{holm}."


def _alone(one: Verdict) -> str:
    """Say what holds for these clips alone, where that is surer than what holds for others."""
    if one.answer != "undecided" or one.alone is None or one.alone[0] <= 0 <= one.alone[1]:
        return ""
    way = "higher" if one.alone[0] > 0 else "lower"
    return f" For these clips alone it is {way} (interval {_span(one, *one.alone)}); too few to tell of others."


def _left_out(one: Verdict) -> str:
    return f" Left out: {'; '.join(one.left_out)}." if one.left_out else ""


def _name(one: Verdict, value: str) -> str:
    name = one.parameter.rpartition(".")[2]
    return f"{name} {value}" if value != LEFT_OUT else f"leaving {name} out"


def _first(one: Verdict) -> str:
    return "leaving it out" if one.first == LEFT_OUT else one.first


def _amount(one: Verdict, value: float) -> str:
    return f"{number(value)}{f' {one.unit}' if one.unit else ''}"


def _span(one: Verdict, low: float, high: float) -> str:
    return f"{number(low)} to {_amount(one, high)}"


def card(one: Verdict) -> str:
    """Return a verdict as HTML: its sentence, a picture of the interval, and the clips' own differences."""
    head = f"<p style='margin:0 0 6px'><b>{escape(_headline(one))}</b> {escape(one.sentence)}</p>"
    clips = "".join(
        f"<tr><th scope='row' style='text-align:left;font-weight:normal'>{escape(clip)}</th>"
        f"<td style='text-align:right'>{number(mean)}</td></tr>"
        for clip, mean in one.clips
    )
    unit = f" [{escape(one.unit)}]" if one.unit else ""
    caption = f"{escape(one.on)}{unit}, {escape(one.second)} minus {escape(one.first)}"
    table = (
        f"<details><summary>{count(len(one.clips), 'clip')}</summary><table><caption style='text-align:left'>{caption}"
        f"</caption><tbody>{clips}</tbody></table></details>"
        if len(one.clips) > 1
        else ""
    )
    return f"<div style='max-width:46em;margin:8px 0'>{head}{_drawing(one)}{_legend(one)}{table}</div>"


def _headline(one: Verdict) -> str:
    second = _name(one, one.second)
    said = {"refused": "cannot be judged", "no difference worth having": "no difference"}
    return f"{second[:1].upper()}{second[1:]}: {said.get(one.answer, one.answer)}."


def _legend(one: Verdict) -> str:
    if one.effect is None:
        return ""
    grey = f"; grey: within ±{_amount(one, one.worth)}, not worth having" if one.worth else ""
    rings = "; rings: the clips" if len(one.clips) > 1 else ""
    return f"<p style='margin:0;font-size:85%'>Blue: the difference and its interval{rings}{grey}.</p>"


def _drawing(one: Verdict) -> str:
    """Return the interval as a small SVG: zero, what is not worth having, the clips, the interval."""
    if one.effect is None or one.low is None or one.high is None:
        return ""
    points = [mean for _, mean in one.clips]
    ends = [one.low, one.high, 0.0, -one.worth, one.worth, *points]
    left, right = min(ends), max(ends)
    room = (right - left or 1.0) * 0.06
    scale = 560 / (right - left + 2 * room)

    def at(value: float) -> str:
        return f"{20 + (value - left + room) * scale:.1f}"

    zone = (
        f"<rect x='{at(-one.worth)}' y='6' width='{2 * one.worth * scale:.1f}' height='34' fill='currentColor' "
        "opacity='.1'/>"
        if one.worth
        else ""
    )
    dots = "".join(
        f"<circle cx='{at(value)}' cy='31' r='4' fill='none' stroke='currentColor'/>" for value in points[:40]
    )
    low, high, mean = at(one.low), at(one.high), at(one.effect)
    alt = f"Interval from {_span(one, one.low, one.high)} around {_amount(one, one.effect)}; the line is at 0"
    bar = (
        f"<line x1='{low}' x2='{high}' y1='16' y2='16' stroke='#0072B2' stroke-width='4'/>"
        f"<circle cx='{mean}' cy='16' r='6' fill='#0072B2'/>"
    )
    ticks = {0.0: "0"} | {value: number(value) for value in (one.low, one.high) if abs(value) * scale > 45}
    words = "".join(
        f"<text x='{at(value)}' y='56' text-anchor='middle' font-size='12' fill='currentColor'>{word}</text>"
        for value, word in ticks.items()
    )
    return (
        f"<svg viewBox='0 0 600 62' width='600' style='max-width:100%' role='img' aria-label='{escape(alt)}'>"
        f"{zone}<line x1='{at(0)}' x2='{at(0)}' y1='4' y2='42' stroke='currentColor'/>{dots}{bar}{words}</svg>"
    )
