"""One name for a parameter from slider to chart: the path of its leaf.

A leaf is named by its path below the root (`MsSharpen.SharpenLevel` below `VideoEnhance`) or by
any ending of it that is unambiguous (`SharpenLevel`).
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from ci_notebook.model.declaration.node import Node, Part, once_a_class, parts, tag_of, walk
from ci_notebook.model.errors import ParameterError

N = TypeVar("N", bound=Node)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf and the way to it. `steps` are the parts from the root down, the leaf's own last."""

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
        """False when the leaf, or a node above it, may be repeated: then no one value has this path."""
        return not any(step.many for step in self.steps)

    def __str__(self) -> str:
        return self.path


@once_a_class
def leaves(root: type[Node]) -> tuple[Leaf, ...]:
    """Return every leaf below a node class, in the order of the wire."""
    return tuple(_leaves_below(root, ()))


@once_a_class
def _by_ending(root: type[Node]) -> dict[str, tuple[Leaf, ...]]:
    found: dict[str, tuple[Leaf, ...]] = {}
    for leaf in leaves(root):
        tags = leaf.path.split(".")
        for start in range(len(tags)):
            ending = ".".join(tags[start:])
            found[ending] = (*found.get(ending, ()), leaf)
    return found


def resolve(root: type[Node], name: str) -> Leaf:
    """Return the leaf that `name` means: a whole path or an unambiguous ending of one.

    >>> from ci_notebook.model.setting.enhance import VideoEnhance
    >>> resolve(VideoEnhance, "SharpenLevel").path
    'MsSharpen.SharpenLevel'

    Raises `ParameterError` naming the candidates when there are several, and the nearest names
    when there is none.
    """
    found = _by_ending(root).get(name, ())
    for leaf in found:
        if leaf.path == name or len(found) == 1:
            return leaf
    if found:
        raise ParameterError("the name of a parameter", name, "one of " + ", ".join(leaf.path for leaf in found))
    near = difflib.get_close_matches(name, _by_ending(root), n=3, cutoff=0.5)
    remedy = f"Did you mean {' or '.join(near)}?" if near else ""
    raise ParameterError("the name of a parameter", name, f"a leaf below {tag_of(root)}", remedy)


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

    Nodes on the way are made where they are missing. None leaves the leaf out, and leaving out
    the only leaf of a node leaves the node out.
    """
    return _with_value(node, leaf.steps, value)


def is_empty(node: Node) -> bool:
    """Say whether nothing in the node is set."""
    return all(value in (None, ()) for name, value in node.__dict__.items() if name[0] != "_")


def values(node: Node) -> dict[str, Any]:
    """Return path → value of every leaf that is set, in the order of the wire.

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
            raise ParameterError(step.tag, value, "no single value: it may be repeated")
        if child is None and value is None:
            return node
        changed: object = _with_value(child if child is not None else step.node(), rest, value)
        value = None if value is None and isinstance(changed, Node) and is_empty(changed) else changed
    return dataclasses.replace(node, **{step.name: value})  # type: ignore[type-var]
