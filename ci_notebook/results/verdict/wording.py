"""A verdict in plain words, with its numbers: what was found, what it is about, what would decide it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from ci_notebook.model.scores import SCORE
from ci_notebook.results.labels import LEFT_OUT, count, listed, number
from ci_notebook.results.verdict.more_data import MOST_CLIPS

if TYPE_CHECKING:
    from ci_notebook.results.verdict.record import Verdict

__all__ = ["amount", "headline", "sentence", "span"]

_LEAST_SHOWN: Final = 1e-6  # no score has a worth near this


def sentence(one: Verdict) -> str:
    """Return a verdict with its numbers in a few sentences."""
    if one.answer == "refused":
        text = f"No verdict on {one.on}, {_name(one, one.second)} against {_first(one)}: {one.why}."
    else:
        finding = {"this clip": _of_one, "these clips": _of_two}.get(one.about, _of_many)
        text = " ".join(part for part in (finding(one), _reach(one), _remedy(one)) if part)
    left_out = f"Left out: {'; '.join(one.left_out)}." if one.left_out else ""
    return " ".join(part for part in (text, left_out, one.note) if part)


def headline(one: Verdict) -> str:
    """Return the answer in a few words."""
    second = _name(one, one.second)
    answer = {"refused": "cannot be judged"}.get(one.answer, one.answer)
    return f"{second[:1].upper()}{second[1:]}: {answer}."


def amount(one: Verdict, value: float) -> str:
    """Return a difference with its unit."""
    return f"{_rounded(value)}{f' {one.unit}' if one.unit else ''}"


def span(one: Verdict, low: float, high: float) -> str:
    """Return an interval with its unit."""
    return f"{_rounded(low)} to {amount(one, high)}"


def _rounded(value: float) -> str:
    """Return a number in words; a remainder of rounding is 0."""
    return number(value if abs(value) >= _LEAST_SHOWN else 0.0)


def _of_one(one: Verdict) -> str:
    """Return the finding about one clip, known or sampled."""
    assert one.effect is not None  # noqa: S101 - judged
    if one.low is not None:
        return _of_many(one)
    if one.answer == "undecided":
        clip, difference = one.clips[0][0], amount(one, one.effect)
        return f"On {one.on}, {_both(one)} cannot be ranked on {clip}: the difference is {difference}."
    if one.answer == "equivalent":
        return f"On {one.on}, {_both(one)} are equivalent: the difference is {amount(one, one.effect)}.{_below(one)}"
    return f"On {one.on}, {_compared(one)} by {amount(one, abs(one.effect))}.{_above(one, abs(one.effect))}"


def _of_two(one: Verdict) -> str:
    """Return the finding about two clips alone, with the difference of each."""
    means = [mean for _, mean in one.clips]
    if one.answer in ("equivalent", "not worse", "undecided"):
        changes = f"the differences are {listed([f'{amount(one, mean)} on {clip}' for clip, mean in one.clips])}"
        changes += f".{_spans(one)}"
        if one.answer == "undecided":
            return f"On {one.on}, {_both(one)} cannot be ranked on these two clips: {changes}"
        if one.answer == "equivalent":
            return f"On {one.on}, {_both(one)} are equivalent on both clips: {changes}{_below(one, 'Both are')}"
        return f"On {one.on}, {_compared(one)} on either clip: {changes}{_limit(one)}"
    moved = "rose" if means[0] > 0 else "fell"
    sizes = listed([_rounded(abs(mean)) for mean in means])
    sizes += f" {one.unit}" if one.unit else ""
    sizes += f".{_spans(one, sizes=True)}{_above(one, min(map(abs, means)), 'Both are', 'One may be')}"
    return f"On {one.on}, {_compared(one)}: both clips {moved}, by {sizes}"


def _of_many(one: Verdict) -> str:
    """Return a finding with an interval."""
    assert one.effect is not None and one.low is not None and one.high is not None  # noqa: S101 - judged
    interval = f"{number(100 * one.level)} % interval"
    signed = f"{amount(one, one.effect)} ({interval} {span(one, one.low, one.high)})"
    if one.answer == "undecided":
        return f"On {one.on}, {_both(one)} cannot be distinguished: the difference is {signed}.{_odds(one)}"
    if one.answer == "equivalent":
        within = f"The whole interval is within ±{amount(one, one.worth)}, the smallest difference worth having."
        return f"On {one.on}, {_both(one)} are equivalent: the difference is {signed}. {within}"
    if one.answer == "not worse":
        return f"On {one.on}, {_compared(one)}: the difference is {signed}.{_limit(one)}"
    low, high = sorted((abs(one.low), abs(one.high)))
    size = f"{amount(one, abs(one.effect))} ({interval} {span(one, low, high)})"
    return f"On {one.on}, {_compared(one)} by {size}.{_above(one, low)}{_odds(one)}"


def _compared(one: Verdict) -> str:
    than = "" if one.answer == "equivalent" else " than"
    return f"{_name(one, one.second)} is {one.answer}{than} {_first(one)}"


def _both(one: Verdict) -> str:
    return f"{_name(one, one.second)} and {_first(one)}"


def _above(one: Verdict, least: float, exceeds: str = "That is", may_be: str = "It may be") -> str:
    """Return how a difference of at least `least` compares with the smallest one worth having, as a sentence."""
    if not one.worth:
        return ""
    return f" {f'{exceeds} more' if least >= one.worth else f'{may_be} less'} than {_worth(one)}."


def _below(one: Verdict, subject: str = "That is") -> str:
    return f" {subject} less than {_worth(one)}." if one.worth else ""


def _worth(one: Verdict) -> str:
    return f"{amount(one, one.worth)}, the smallest difference worth having"


def _limit(one: Verdict) -> str:
    """Return that no loss worth having is possible."""
    return f" A loss of {amount(one, one.worth)} or more is excluded."


def _spans(one: Verdict, *, sizes: bool = False) -> str:
    """Return the intervals of sampled clips as a sentence: of the differences, or of their sizes."""
    ends_of = [sorted(map(abs, ends)) if sizes else list(ends) for ends in one.spans if ends is not None]
    sampled = [span(one, low, high) for low, high in ends_of]
    are = "intervals are" if len(sampled) > 1 else "interval is"
    return f" The {number(100 * one.level)} % {are} {listed(sampled)}." if sampled else ""


def _odds(one: Verdict) -> str:
    assert one.probability is not None  # noqa: S101 - has an interval
    percent = 100 * one.probability
    near_one = "over 99.9" if percent > 99.9 else f"{percent:.1f}"
    text = "under 0.1" if percent < 0.1 else near_one if percent > 99 else number(percent, 2)
    what = (one.better and "better") or "higher"
    return f" The probability that {_second(one)} is {what} is {text} %."


def _reach(one: Verdict) -> str:
    """Return what the verdict is based on, and what it is about."""
    over = f", as a mean over {listed(list(one.over))}" if one.over else ""
    holm = f" This is one of {one.compared} comparisons; Holm's method corrects for that." if one.compared > 1 else ""
    if one.about == "clips like these":
        judged = f"Judged on {count(len(one.clips), 'clip')}{over}; the answer is about clips like these."
        return f"{judged}{holm}{_alone(one)}"
    names = listed([clip for clip, _ in one.clips])
    limit = "It says nothing about other clips."
    if one.is_known:
        return f"{_basis(one, names)}{over}. {limit}"
    if one.low is None:
        return f"This is about {names} alone{over}."
    certain = f"which are as certain as {max(1, round(one.independent or 1))} independent ones"
    return f"Judged on {one.pictures} frames of {names}, {certain}{over}. {limit}{holm}"


def _basis(one: Verdict, names: str) -> str:
    if one.pictures:
        clips = "that clip" if len(one.clips) == 1 else "these two clips"
        return f"All {one.pictures} frames of {names} were scored, so this is known for {clips}"
    is_of_frames = one.on not in SCORE or SCORE[one.on].per_frame or SCORE[one.on].minus is not None
    return f"Measured on {names}" if is_of_frames else f"Measured on a few frames of {names}, evenly spread"


def _alone(one: Verdict) -> str:
    """Return that all of these clips moved alike, where this is no proof for others."""
    means = [mean for _, mean in one.clips]
    if one.answer != "undecided" or not (min(means) > 0 or max(means) < 0):
        return ""
    moved = "rose" if means[0] > 0 else "fell"
    least, most = sorted(map(abs, means))[:: len(means) - 1]
    return f" All of these clips {moved}, by {span(one, least, most)}, but they are too few to conclude about others."


def _remedy(one: Verdict) -> str:
    """Return what would decide an undecided question."""
    if one.answer != "undecided":
        return ""
    why = f"{one.why[:1].upper()}{one.why[1:]}. " if one.why else ""
    shows = f"would probably show that {_pronoun(one)}" if one.likely else "would decide it"
    if one.more_clips is None:
        return why.strip() or "No number of clips like these would decide it, since their mean is exactly at the limit."
    if one.more_clips == 0:
        return f"{why}Scoring every frame (every=1{_time(one)}) {shows}."
    clips = f"About {number(one.more_clips, 2)} more clips" if one.more_clips > 1 else "1 more clip"
    price = f" ({_price(one)})" if _price(one) else ""
    if one.more_clips > MOST_CLIPS:
        return (
            f"{why}{clips} like these{price} would be needed. The effect is too small, compared with its spread, to be "
            "decided at a reasonable price."
        )
    return f"{why}{clips} like these{price} {shows}."


def _pronoun(one: Verdict) -> str:
    if one.likely == "equivalent":
        return "both are equivalent"
    return f"{_second(one)} is {one.likely}"


def _price(one: Verdict) -> str:
    if one.more_s is not None:
        return f"free on the embedded engine{_time(one)}"
    return "" if one.more_cost is None else f"{number(one.more_cost)} {one.currency}"


def _time(one: Verdict) -> str:
    return f", about {_duration(one.more_s)}" if one.more_s else ""


def _duration(seconds: float) -> str:
    """Return a time to two digits, never 0.

    >>> [_duration(one) for one in (0.2, 12.4, 200, 9000)]
    ['1 s', '12 s', '3.3 min', '2.5 h']
    """
    if seconds < 100:
        return f"{max(1, math.ceil(seconds - 0.5))} s"
    return f"{number(seconds / 60, 2)} min" if seconds < 6000 else f"{number(seconds / 3600, 2)} h"


def _name(one: Verdict, value: str) -> str:
    name = one.parameter.rpartition(".")[2]
    return f"{name} {value}" if value != LEFT_OUT else f"leaving {name} out"


def _first(one: Verdict) -> str:
    return "leaving it out" if one.first == LEFT_OUT else one.first


def _second(one: Verdict) -> str:
    return "leaving it out" if one.second == LEFT_OUT else one.second
