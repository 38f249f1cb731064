"""Hypothesis strategies made from the declarations: a leaf that is declared today is tested today."""

from __future__ import annotations

import functools
import re

from hypothesis import strategies as st

from ci_notebook.model.api.jobs import Input, Operation, Output, Request
from ci_notebook.model.declaration.node import AUTO, Node, Part, Unknown, parts
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.rules import problems

# XML 1.0 text; a carriage return is left out because every parser must read it as a line feed.
TEXT = st.text(
    st.characters(min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n"),
    max_size=20,
)
PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126)
TAGS = st.from_regex("Novel[A-Za-z0-9]{1,6}", fullmatch=True)


ATTRIBUTES = st.dictionaries(TAGS, TEXT.map(lambda text: " ".join(text.split())), max_size=2).map(
    lambda pairs: tuple(pairs.items())
)
# Blanks between nodes are layout, so text beside child nodes has something else in it.
MIXED = st.just("") | TEXT.filter(str.strip)


def _parent(
    tag: str, text: str, children: list[Unknown], attributes: tuple[tuple[str, str], ...], tail: str
) -> Unknown:
    return Unknown(tag, text, tuple(children), attributes, tail)


UNKNOWN = st.recursive(
    st.builds(Unknown, TAGS, TEXT, st.just(()), ATTRIBUTES, MIXED),
    lambda children: st.builds(_parent, TAGS, MIXED, st.lists(children, min_size=1, max_size=3), ATTRIBUTES, MIXED),
    max_leaves=4,
)


@functools.cache
def leaf_values(part: Part) -> st.SearchStrategy:
    """Return values that a leaf takes, AUTO included where it may be."""
    ways = [st.sampled_from(part.choices)] if part.choices else []
    if part.auto:
        ways.append(st.just(AUTO))
    if part.kind is bool:
        ways.append(st.booleans())
    elif part.kind in (int, float):
        ways.append(_numbers(part))
    elif part.kind is str:
        ways.append(_texts(part))
    return st.one_of(ways)


def bad_values(part: Part) -> st.SearchStrategy:
    """Return values that a leaf does not take: next to its range, of another type, or no text at all."""
    param, ways = part.param, [st.just(object()), st.just(b"5")]
    if part.kind in (int, float):
        ways += [st.just(float("nan")), st.just(True)]
        ways += [st.just(low - 1) for low in (param.low,) if low is not None]
        ways += [st.just(high + 1) for high in (param.high,) if high is not None]
        ways += [st.just(edge) for edge in (param.above, param.below) if edge is not None]
    if part.kind is bool:
        ways += [st.just(1), st.just("true")]
    if part.kind is str:
        ways += [st.just("a\0b"), st.just(5)]
    if part.kind is None:
        ways += [st.just("no such choice"), st.just(-1)]
    if not part.auto:
        ways.append(st.just(AUTO))
    return st.one_of(ways)


@st.composite
def nodes(draw: st.DrawFn, cls: type[Node], *, unknown: bool = False, depth: int = 0) -> Node:
    """Return nodes of a class with a few parts set; with `unknown`, undeclared nodes among them.

    A few, because what breaks is a leaf or a pair of them, and hundreds of leaves are slow to draw.
    """
    chosen = draw(st.lists(st.sampled_from(parts(cls)), max_size=5 - depth if depth < 4 else 1, unique=True))
    held = {part.name: draw(_part_values(part, unknown, depth)) for part in chosen}
    if unknown:
        held["unknown"] = draw(st.lists(UNKNOWN, max_size=1).map(tuple))
    return cls(**held)


def settings() -> st.SearchStrategy:
    """Return settings: each leaf is good by itself; the rules across leaves may not hold."""
    return nodes(VideoEnhance)


@st.composite
def requests(draw) -> Request:
    """Return requests that can be sent: every rule holds."""
    setting = draw(settings().filter(lambda setting: not problems(setting)))
    output = draw(st.builds(Output, region=st.just("ap-chongqing"), bucket=st.just("b-1250000000"), object=_KEYS))
    user_data = draw(st.none() | st.text(PRINTABLE, min_size=1, max_size=30))
    operation = Operation(
        video_enhance=setting,
        output=output,
        user_data=user_data,
        job_level=draw(st.none() | st.sampled_from([0, 1, 2])),
    )
    return Request(tag="VideoEnhance", input=Input(object=draw(_KEYS)), operation=operation)


_KEYS = st.from_regex(r"[a-z]{1,5}/[a-z0-9]{1,8}\.mp4", fullmatch=True)


def _part_values(part: Part, unknown: bool, depth: int) -> st.SearchStrategy:
    if part.many:
        most = part.param.at_most or 3
        one = nodes(part.node, unknown=unknown, depth=depth + 1) if part.node else leaf_values(part)
        return st.lists(one, max_size=min(most, 2 if depth < 2 else 1)).map(tuple)
    if part.node is not None:
        return nodes(part.node, unknown=unknown, depth=depth + 1)
    return leaf_values(part)


def _numbers(part: Part) -> st.SearchStrategy:
    param = part.param
    low = param.low if param.above is None else param.above
    high = param.high if param.below is None else param.below
    if part.kind is int:
        # A service's own numbers have at most 18 digits.
        bounds = (int(-(10**18) + 1 if low is None else low), int(10**18 - 1 if high is None else high))
        whole = st.integers(*bounds)
        return whole.map(lambda number: min(number + number % 2, bounds[1])) if param.even else whole
    return st.floats(
        low, high, allow_nan=False, allow_infinity=False,
        exclude_min=param.above is not None, exclude_max=param.below is not None,
    )  # fmt: skip


# A few characters of every alphabet that our patterns distinguish.
_LETTERS = "aZ09_-* ~!é视频\t\n𠀀"


def _texts(part: Part) -> st.SearchStrategy:
    pattern, most = part.param.pattern, part.param.max_chars
    letters = [letter for letter in _LETTERS if pattern and re.fullmatch(pattern, letter)]
    if letters:
        return st.text(st.sampled_from(letters), min_size=1, max_size=min(most or 20, 20))
    if pattern:
        return st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True)
    texts = TEXT.map(lambda text: text[:most])
    return texts if part.param.reply else texts.filter(str.strip)  # a blank leaf of a request counts as absent
