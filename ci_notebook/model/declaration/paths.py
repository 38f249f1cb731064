"""Paths: the name of a parameter everywhere, from slider to chart.

A leaf is named by its path below the root (`MsSharpen.SharpenLevel` below `VideoEnhance`) or by
any unambiguous ending of the path (`SharpenLevel`).
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from ci_notebook.model.declaration.node import Node, Part, cached_per_class, parts, tag_of, walk
from ci_notebook.model.errors import ParameterError

N = TypeVar("N", bound=Node)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf and its path. `steps` are the parts from the root down to the leaf."""

    path: str
    steps: tuple[Part, ...]

    @property
    def part(self) -> Part:
        """The leaf's declaration."""
        return self.steps[-1]

    @property
    def stage(self) -> str:
        """The first tag of the path: `MsSharpen` of `MsSharpen.SharpenLevel`."""
        return self.path.partition(".")[0]

    @property
    def single(self) -> bool:
        """False when the leaf, or a node above it, may be repeated: the path then has no single value."""
        return not any(step.many for step in self.steps)

    def __str__(self) -> str:
        return self.path


@cached_per_class
def leaves(root: type[Node]) -> tuple[Leaf, ...]:
    """Return every leaf below a node class, in XML order."""
    return tuple(_leaves_below(root, ()))


@cached_per_class
def _by_ending(root: type[Node]) -> dict[str, tuple[Leaf, ...]]:
    matches: dict[str, tuple[Leaf, ...]] = {}
    for leaf in leaves(root):
        tags = leaf.path.split(".")
        for start in range(len(tags)):
            ending = ".".join(tags[start:])
            matches[ending] = (*matches.get(ending, ()), leaf)
    return matches


def resolve(root: type[Node], name: str) -> Leaf:
    """Return the leaf that `name` means: a whole path or an unambiguous ending of one.

    >>> from ci_notebook.model.setting.enhance import VideoEnhance
    >>> resolve(VideoEnhance, "SharpenLevel").path
    'MsSharpen.SharpenLevel'

    Raises `ParameterError` with the candidates if several match, and with the nearest names if none
    matches.
    """
    matches = _by_ending(root).get(name, ())
    for leaf in matches:
        if leaf.path == name or len(matches) == 1:
            return leaf
    if matches:
        paths = ", ".join(leaf.path for leaf in matches)
        raise ParameterError.plain(f"The parameter name {name!r} is ambiguous. Use one of {paths}.")
    near = _nearest_names(root, name)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ParameterError.plain(f"{tag_of(root)} has no parameter {name!r}.{hint}")


def _nearest_names(root: type[Node], name: str, most: int = 3) -> list[str]:
    """Return the names most like `name`, each parameter once. Case and underscores do not count."""
    plain = {ending: ending.replace("_", "").lower() for ending in _by_ending(root)}
    likes = difflib.get_close_matches(name.replace("_", "").lower(), set(plain.values()), n=10, cutoff=0.5)
    names: list[str] = []
    leaves_named: set[Leaf] = set()
    for ending in sorted((e for e in plain if plain[e] in likes), key=lambda e: (likes.index(plain[e]), len(e))):
        if not leaves_named.issuperset(_by_ending(root)[ending]):
            leaves_named.update(_by_ending(root)[ending])
            names.append(ending)
    return names[:most]


def value_at(node: Node, leaf: Leaf) -> Any:
    """Return the value of a single leaf; None when it, or a node above it, is absent."""
    value: Any = node
    for step in leaf.steps:
        if value is None:
            return None
        value = getattr(value, step.name)
    return value


def with_value(node: N, leaf: Leaf, value: object) -> N:
    """Return a copy of `node` with one leaf changed.

    Missing nodes on the path are created. None removes the leaf; a node without any leaf left is
    removed too.
    """
    return _with_value(node, leaf.steps, value)


def is_empty(node: Node) -> bool:
    """Return True when nothing in the node is set."""
    return all(value in (None, ()) for name, value in node.__dict__.items() if name[0] != "_")


def values(node: Node) -> dict[str, Any]:
    """Return path → value of every leaf that is set, in XML order.

    The leaves of repeated nodes are numbered: `Watermark.1.Pos`.
    """
    return {path: value for path, _, value in walk(node)}


def _leaves_below(node: type[Node], above: tuple[Part, ...]) -> Iterator[Leaf]:
    for part in parts(node):
        steps = (*above, part)
        if part.node is not None:
            yield from _leaves_below(part.node, steps)
        else:
            yield Leaf(".".join(step.tag for step in steps), steps)


def _with_value(node: N, steps: tuple[Part, ...], value: object) -> N:
    step, rest = steps[0], steps[1:]
    if rest:
        child = getattr(node, step.name)
        if step.many or step.node is None:
            raise ParameterError.plain(f"{step.tag} can be repeated, so it has no single value.")
        if child is None and value is None:
            return node
        changed: object = _with_value(child if child is not None else step.node(), rest, value)
        value = None if value is None and isinstance(changed, Node) and is_empty(changed) else changed
    return dataclasses.replace(node, **{step.name: value})  # type: ignore[type-var]
