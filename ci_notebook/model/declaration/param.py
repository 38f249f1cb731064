"""Declaration of one leaf: its range, unit and help, which values it allows, and its text in XML."""

from __future__ import annotations

import enum
import math
import numbers
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final


class Auto(enum.Enum):
    """The type of `AUTO`, the empty leaf: the service analyses the video and chooses."""

    AUTO = "AUTO"

    def __repr__(self) -> str:
        return "AUTO"

    __str__ = __repr__


AUTO: Final = Auto.AUTO


@dataclass(frozen=True, slots=True)
class Param:
    """Declaration of one leaf or child node, beyond its type.

    `low` and `high` are inclusive bounds, `above` and `below` exclusive ones; text has none.
    `default` describes what the *service* does when the node is absent: it is documented, never sent.
    `reply` marks parts that only the service sends. `also` lists other tags that the service has used
    for the same part. `decimals` is the number of decimals to write, where that loses nothing.
    """

    help: str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    above: float | None = None
    below: float | None = None
    even: bool = False
    default: str = ""
    required: bool = False
    reply: bool = False
    common: bool = False
    tag: str = ""
    also: tuple[str, ...] = ()
    pattern: str = ""
    allowed: str = ""
    max_chars: int | None = None
    at_most: int | None = None
    remedy: str = ""
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One declared part of a node: a leaf (`node is None`) or a child node.

    `kind` is `int`, `float`, `bool`, `str`, or `None` when only `choices` are allowed.
    """

    name: str
    tag: str
    param: Param
    kind: type | None
    choices: tuple[str | int, ...]
    auto: bool
    many: bool
    node: type[Any] | None

    def allowed(self) -> str:
        """Return the allowed values in words: `0 to 10 or AUTO`, `one of sdtohd, hdto4k`."""
        param, alternatives = self.param, []
        if param.allowed:
            alternatives.append(param.allowed)
        elif self.kind in (int, float):
            alternatives.append(_range(param, whole=self.kind is int))
        elif self.kind is bool:
            alternatives.append("True or False")
        elif self.kind is str:
            alternatives.append(f"text of at most {param.max_chars} characters" if param.max_chars else "text")
        if self.choices:
            choices = ", ".join(map(str, self.choices))
            alternatives.append(choices if self.kind else f"one of {choices}")
        if self.auto:
            alternatives.append("AUTO")
        return " or ".join(alternatives)

    def complaint(self, value: object) -> str:
        """Return the allowed values in words if `value` is not allowed, else an empty text."""
        if self.many:
            return self._complaint_about_many(value)
        if self.node is not None:
            return "" if value is None or isinstance(value, self.node) else f"a {self.node.__name__}"
        return "" if value is None or self.admits(value) else self.allowed()

    def is_of_type(self, value: object) -> bool:
        """Return whether `value` has the declared type, in or out of its range: it can be compared with the bounds."""
        if isinstance(value, Auto):
            return self.auto
        types = {type(choice) for choice in self.choices} | ({self.kind} if self.kind else set())
        return type(value) in types or (float in types and type(value) is int)

    def _complaint_about_many(self, values: object) -> str:
        most = self.param.at_most
        each = f"a {self.node.__name__}" if self.node else self.allowed()
        allows = (lambda v: isinstance(v, self.node)) if self.node else self.admits
        if not isinstance(values, tuple) or not all(map(allows, values)):
            return f"a tuple, each value {each}"
        return f"at most {most} values, each {each}" if most is not None and len(values) > most else ""

    def admits(self, value: object) -> bool:
        """Return whether one value of the leaf is allowed: its type, range, choices and pattern."""
        if isinstance(value, Auto):
            return self.auto
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value in self.choices:
            return True
        if self.kind is bool:
            return isinstance(value, bool)
        if self.kind in (int, float):
            return isinstance(value, (int, float)) and not isinstance(value, bool) and self._in_range(value)
        if self.kind is str:
            return isinstance(value, str) and self._is_good_text(value)
        return False

    def _in_range(self, value: float) -> bool:
        p = self.param
        if not math.isfinite(value) or (self.kind is int and not isinstance(value, int)):
            return False
        if (p.low is not None and value < p.low) or (p.high is not None and value > p.high):
            return False
        if (p.above is not None and value <= p.above) or (p.below is not None and value >= p.below):
            return False
        return not (p.even and value % 2)

    def _is_good_text(self, value: str) -> bool:
        p = self.param
        if _NOT_XML.search(value) or (p.max_chars is not None and len(value) > p.max_chars):
            return False
        return not p.pattern or re.fullmatch(p.pattern, value) is not None

    def parse(self, text: str) -> Any:
        """Return the value of `text`; text that does not fit the type is returned as it is.

        An empty leaf is AUTO if the leaf allows AUTO. Otherwise it is None, as if it were absent: clients send
        every leaf that they know, most of them empty. Blanks alone, and blanks around anything but free text, do
        not count. Only leaves that the service sends, and those with an empty choice, may be an empty text.
        """
        bare = text.strip(_BLANKS)
        if not bare and not self._is_text(text):
            return AUTO if self.auto else "" if "" in self.choices else None
        for choice in self.choices:
            if bare == str(choice):
                return choice
        try:
            return text if self.kind is str else _READERS[self.kind](bare)
        except (ValueError, KeyError):
            return text

    def _is_text(self, blank: str) -> bool:
        """Return whether blanks alone are a text that the leaf admits."""
        if self.kind is not str or self.auto or "" in self.choices:
            return False
        p = self.param
        return p.reply or bool(blank and p.pattern and re.fullmatch(p.pattern, blank))

    def text(self, value: object) -> str:
        """Return the text of `value` in XML."""
        if value is AUTO:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float):
            if self.param.decimals is not None and float(text := f"{value:.{self.param.decimals}f}") == value:
                return text
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        return str(value)

    def coerce(self, value: object) -> object:
        """Return `value` converted to the type of the leaf (from numpy numbers, or int to float)."""
        if self.many and isinstance(value, list):
            return tuple(value)
        if isinstance(value, bool) or not isinstance(value, numbers.Number):
            return value
        if self.kind is float and isinstance(value, numbers.Real):
            return float(value)
        return int(value) if isinstance(value, numbers.Integral) else value


def _range(param: Param, *, whole: bool) -> str:
    noun = ("even number" if param.even else "whole number") if whole else "number"
    low = param.low if param.above is None else param.above
    high = param.high if param.below is None else param.below
    unit = f" {param.unit}" if param.unit else ""
    if low is None or high is None:
        floor = "" if low is None else f" {'over' if param.above is not None else 'of at least'} {low:g}"
        return f"a {noun}{floor}{unit}".replace("a even", "an even")
    span = f"{low:g} to {high:g}{unit}"
    if param.above is not None:
        span = f"over {low:g} and at most {high:g}{unit}"
    if param.below is not None:
        span = f"{low:g} to under {high:g}{unit}"
    return f"an even number, {span}" if param.even else span


def _whole(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise ValueError(text)
    return int(text)


def _decimal(text: str) -> float:
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        raise ValueError(text)
    return float(text)


_READERS: dict[type | None, Callable[[str], object]] = {
    int: _whole,
    float: _decimal,
    bool: lambda text: {"true": True, "false": False}[text.lower()],
}
# The white space of XML. A no-break space is a character like others.
_BLANKS: Final = " \t\r\n"
# Characters that XML 1.0 cannot contain, even escaped.
_NOT_XML = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # the complement takes 6 ms to compile
