"""What a panel holds for a setting, and what setting it stands for: texts both ways.

The rule of this file: a control holds text, as the wire does, and only Python says whether the
text is good. `build` reads a whole panel; a text that is not taken is named, never bent to fit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from ci_notebook.model.errors import ParameterError
from ci_notebook.model.node import AUTO, Node, Part, parts
from ci_notebook.model.rules import problems

N = TypeVar("N", bound=Node)

# What a control holds for AUTO. The wire's empty text cannot stand for it here, because in a
# panel an empty box means that something is still missing. Every leaf that takes AUTO is a number.
AUTO_TEXT: Final = "AUTO"


def shown(setting: Node) -> tuple[dict[str, str], list[str]]:
    """Return what a panel holds for a setting: path → text of each leaf, and the nodes that are on."""
    texts: dict[str, str] = {}
    on: list[str] = []
    _show(setting, "", texts, on)
    return texts, on


def build(kept: N, texts: Mapping[str, object], on: Collection[str]) -> tuple[N | None, dict[str, str]]:
    """Return the setting that a panel stands for, and path → message of all that is not taken.

    The setting is None when there is a message. Repeated and unknown nodes have no control; they
    are taken from `kept`.

    >>> from ci_notebook.model.enhance import VideoEnhance
    >>> build(VideoEnhance(), {"MsSharpen.SharpenLevel": "11"}, ["MsSharpen"])
    (None, {'MsSharpen.SharpenLevel': 'MsSharpen.SharpenLevel takes 0 to 10 or AUTO; got 11'})
    """
    refused: dict[str, str] = {}
    made = _build(type(kept), kept, "", _Held(texts, on, refused))
    if not refused:
        for problem in problems(made):
            refused.setdefault(problem.path, sentence(problem))
    return (None if refused else made), refused


def text_of(part: Part, value: object) -> str | None:
    """Return what a control holds for a value: its text on the wire, `AUTO`, or None when left out."""
    return None if value is None else AUTO_TEXT if value is AUTO else part.text(value)


def sentence(problem: ParameterError) -> str:
    """Return a problem in words. What is merely missing is not said to be `None`."""
    if problem.value in (None, ()):
        return f"{problem.path} takes {problem.allowed}. {problem.remedy}".rstrip()
    return str(problem)


def _show(node: Node, prefix: str, texts: dict[str, str], on: list[str]) -> None:
    for part in parts(type(node)):
        value = getattr(node, part.name)
        if part.many or value is None:
            continue
        if isinstance(value, Node):
            on.append(prefix + part.tag)
            _show(value, f"{prefix}{part.tag}.", texts, on)
        else:
            texts[prefix + part.tag] = text_of(part, value) or ""


class _Held(NamedTuple):
    texts: Mapping[str, object]
    on: Collection[str]
    refused: dict[str, str]


def _build(cls: type[N], kept: N | None, prefix: str, held: _Held) -> N:
    changes: dict[str, object] = {}
    for part in parts(cls):
        path = prefix + part.tag
        before = getattr(kept, part.name) if kept is not None else None
        made: object
        if part.many:
            continue
        if part.node is not None:
            made = _build(part.node, before, path + ".", held) if path in held.on else None
        else:
            made = _read(part, path, held.texts.get(path), held.refused)
        if made != before:
            changes[part.name] = made
    node = kept if kept is not None else cls()
    # `replace` forgets how a number was spelt when it was read, so what is unchanged stays itself.
    return dataclasses.replace(node, **changes) if changes else node  # type: ignore[type-var]


def _read(part: Part, path: str, text: object, refused: dict[str, str]) -> Any:
    if text is None:
        return None
    if part.auto and text == AUTO_TEXT:
        return AUTO
    if text == "" and part.kind is not str and "" not in part.choices:
        refused[path] = sentence(ParameterError(path, None, part.allowed(), "Nothing is given yet."))
        return None
    value = part.parse(str(text))
    if refusal := part.complaint(value):
        refused[path] = sentence(ParameterError(path, value, refusal, part.param.remedy))
        return None
    return value
