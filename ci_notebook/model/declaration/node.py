"""Base class of all XML nodes: one line per leaf declares its order, type, range, unit and help.

A node is a frozen, keyword-only dataclass. Each part is `Annotated[type, Param(…)]`. Checks, error
texts, XML, widgets, columns and tables are all derived from `parts(cls)`.

Invariant: strict when we build, lenient when we read. The constructor refuses values that a leaf
does not allow. The reader (`wire.xml`) bypasses the constructor, keeps all content and writes it back.
"""

from __future__ import annotations

import functools
import inspect
import operator
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError, dataclass, fields
from typing import Any, Literal, TypeVar, cast, dataclass_transform

from ci_notebook.model.declaration.param import AUTO, Auto, Param, Part
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.html import html_table

__all__ = [
    "AUTO",
    "Auto",
    "Node",
    "Param",
    "Part",
    "Unknown",
    "cached_per_class",
    "part_by_tag",
    "parts",
    "tag_of",
    "walk",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unknown:
    """An XML node without a declaration, kept unchanged: `text` is before its children, `tail` after the node."""

    tag: str
    text: str = ""
    children: tuple[Unknown, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    tail: str = ""

    @property
    def is_empty(self) -> bool:
        """True where the node says nothing: no text but blanks, no attribute, and no child that says something."""
        texts = f"{self.text}{self.tail}"
        return not texts.strip() and not self.attributes and all(child.is_empty for child in self.children)


class _SignatureOfFields:
    """The keywords of a node class, for completers and `inspect.signature`; computed when somebody asks."""

    def __get__(self, node: object, cls: type[Node]) -> inspect.Signature:
        only, hints = inspect.Parameter.KEYWORD_ONLY, cls.__annotations__
        keywords = [
            inspect.Parameter(name, only, default=default, annotation=hints.get(name, inspect.Parameter.empty))
            for name, default in _DEFAULTS.get(cls, {}).items()
        ]
        return inspect.Signature(keywords, return_annotation=None)


_VALUES: dict[type, Callable[[object], object]] = {}
_DEFAULTS: dict[type, dict[str, object]] = {}


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Node:
    """Base class of nodes. A subclass becomes a frozen, keyword-only, checked dataclass.

    `unknown` keeps children without a declaration, and repeated copies of a child that may occur once.
    """

    unknown: tuple[Unknown, ...] = ()
    __signature__ = _SignatureOfFields()

    def __init_subclass__(cls) -> None:
        cls.__annotations__ = {**inspect.get_annotations(cls), "unknown": tuple[Unknown, ...]}
        # The methods below serve all nodes. Compiling them for each class would double the time to a first client.
        dataclass(kw_only=True, init=False, repr=False, eq=False)(cls)
        names = [field.name for field in fields(cast(Any, cls))]
        _VALUES[cls], _DEFAULTS[cls] = operator.attrgetter(*names), {name: getattr(cls, name) for name in names}

    def __init__(self, **values: object) -> None:
        defaults = _DEFAULTS[type(self)]
        if not defaults.keys() >= values.keys():
            name = next(name for name in values if name not in defaults)
            raise TypeError(f"{type(self).__name__}.__init__() got an unexpected keyword argument {name!r}")
        self.__dict__.update(defaults, **values)
        self.__post_init__()

    def __post_init__(self) -> None:
        state = self.__dict__
        for part in parts(type(self)):
            value = state[part.name]
            if value is None if not part.many else value == () and type(value) is tuple:
                continue  # most parts are left out, and leaving out needs no check
            value = part.coerce(value)
            object.__setattr__(self, part.name, value)
            refusal = part.complaint(value)
            if refusal:
                raise ParameterError(f"{tag_of(type(self))}.{part.tag}", value, refusal, part.param.remedy)

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        values = _VALUES[type(self)]
        return bool(values(self) == values(other))

    def __hash__(self) -> int:
        return hash(_VALUES[type(self)](self))

    def __repr__(self) -> str:
        is_set = {name: value for name, value in self.__dict__.items() if name[0] != "_" and value not in (None, ())}
        arguments = (f"{name}={value!r}" for name, value in is_set.items())
        return f"{type(self).__name__}({', '.join(arguments)})"

    def _repr_html_(self) -> str:
        return html_table(tag_of(type(self)), ((path, value, part.param.unit) for path, part, value in walk(self)))


def cached_per_class(make: Callable[[type[Node]], T]) -> Callable[[type[Node]], T]:
    """Cache a function of a node class. mypy refuses `functools.cache`: it says a class is not Hashable."""
    results: dict[type[Node], T] = {}

    @functools.wraps(make)
    def cached(cls: type[Node]) -> T:
        if cls not in results:
            results[cls] = make(cls)
        return results[cls]

    return cached


@cached_per_class
def parts(cls: type[Node]) -> tuple[Part, ...]:
    """Return the declared parts of a node class in XML order."""
    hints = typing.get_type_hints(cls, include_extras=True)
    declared = [name for name in cls.__annotations__ if typing.get_origin(hints[name]) is typing.Annotated]
    return tuple(_part(name, *typing.get_args(hints[name])) for name in declared)


@cached_per_class
def part_by_tag(cls: type[Node]) -> dict[str, Part]:
    """Return the parts of a node class by tag, including alternative spellings of the tag."""
    return {tag: part for part in parts(cls) for tag in (part.tag, *part.param.also)}


def tag_of(cls: type) -> str:
    """Return the default tag of a node class: the name of the class."""
    return cls.__name__


def walk(node: Node, prefix: str = "") -> Iterator[tuple[str, Part, Any]]:
    """Yield path, declaration and value of every leaf that is set, in XML order.

    The leaves of repeated nodes are numbered: `Watermark.1.Pos`.
    """
    for part in parts(type(node)):
        value = getattr(node, part.name)
        for number, one in enumerate(value if part.many else (value,), 1):
            path = f"{prefix}{part.tag}.{number}" if part.many else f"{prefix}{part.tag}"
            if isinstance(one, Node):
                yield from walk(one, path + ".")
            elif one is not None:
                yield path, part, one


def _part(name: str, declared: Any, param: Param) -> Part:
    kinds: list[type] = []
    choices: list[str | int] = []
    auto = many = False
    todo = [declared]
    while todo:
        hint = todo.pop(0)
        origin = typing.get_origin(hint)
        if origin in (typing.Union, types.UnionType):
            todo[:0] = typing.get_args(hint)
        elif origin is Literal:
            choices += typing.get_args(hint)
        elif origin is tuple:
            many = True
            todo.insert(0, typing.get_args(hint)[0])
        elif hint is Auto:
            auto = True
        elif hint is not type(None):
            kinds.append(hint)
    kind = kinds[0] if kinds else None
    child = kind if kind is not None and issubclass(kind, Node) else None
    tag = param.tag or "".join(word[:1].upper() + word[1:] for word in name.split("_"))
    return Part(name, tag, param, None if child else kind, tuple(choices), auto, many, child)
