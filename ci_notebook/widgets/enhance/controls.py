"""What a panel holds for what is asked, and what is asked by what a panel holds: texts both ways.

The rule of this file: a control holds text, as the wire does, and only Python says whether the
text is good. `build` reads a whole panel; a text that is not taken is named, never bent to fit.

A control is named by its path below `VideoEnhance`; those of the marks, which stand beside it in
a request, by `Watermark.1.…` and `DigitalWatermark.…`. Repeated nodes are numbered from 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.declaration.node import AUTO, Node, Part, parts
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.advice import Advice, advice
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.rules import problems

N = TypeVar("N", bound=Node)

# What a control holds for AUTO. The wire's empty text cannot stand for it here, because in a
# panel an empty box means that something is still missing. Every leaf that takes AUTO is a number.
AUTO_TEXT: Final = "AUTO"

# The parts of an operation that a panel asks for, and what comes before the paths below each.
ASKED: Final = {"video_enhance": "", "watermark": "Watermark", "digital_watermark": "DigitalWatermark"}
MARKS: Final[tuple[Part, ...]] = tuple(part for part in parts(Operation) if ASKED.get(part.name))


class Held(NamedTuple):
    """What a panel's controls hold: path → text, and the nodes that are on."""

    values: dict[str, Any]
    on: list[str]


class Built(NamedTuple):
    """What a panel stands for. `made` is None while there is a problem; `fixes` are the remedies of both others."""

    made: Operation | None
    problems: dict[str, str]
    advice: dict[str, str]
    fixes: dict[str, Mapping[str, object]]


def asked(setting: VideoEnhance, **marks: Any) -> Operation:
    """Return the operation that a panel holds: a setting, and the marks beside it."""
    return Operation(video_enhance=setting, **marks)


def shown(what: Operation | VideoEnhance) -> Held:
    """Return what a panel holds for an operation, or for a setting alone."""
    operation, held = what if isinstance(what, Operation) else asked(what), Held({}, [])
    _show(operation.video_enhance or VideoEnhance(), "", held)
    for part in MARKS:
        _show_part(part, getattr(operation, part.name), part.tag, held)
    return held


def build(kept: Operation, texts: Mapping[str, object], on: Collection[str]) -> Built:
    """Return what a panel stands for, and path → message of all that is not taken. `kept` keeps unknown nodes.

    >>> build(asked(VideoEnhance()), {"MsSharpen.SharpenLevel": "11"}, ["MsSharpen"]).problems
    {'MsSharpen.SharpenLevel': 'MsSharpen.SharpenLevel must be 0 to 10 or AUTO (got 11).'}
    """
    held = _Reading(texts, on, {})
    setting = _build(VideoEnhance, kept.video_enhance, "", held)
    marks = {part.name: _build_part(part, getattr(kept, part.name), part.tag, held) for part in MARKS}
    if held.refused:
        return Built(None, held.refused, {}, {})
    made = dataclasses.replace(kept, video_enhance=setting, **marks)
    refused: dict[str, str] = {}
    fixes: dict[str, Mapping[str, object]] = {}
    for problem in map(_below, problems(made)):
        if refused.setdefault(problem.path, words := sentence(problem)) is words and problem.fix:
            fixes[problem.path] = problem.fix
    if refused:
        return Built(None, refused, {}, fixes)
    told: list[Advice] = advice(setting)
    return Built(made, {}, {one.path: one.text for one in told}, {one.path: one.fix for one in told if one.fix})


def part_at(path: str) -> Part:
    """Return the declaration of the leaf or node at a panel's path. Raises `ParameterError` if there is none."""
    first, *rest = (tag for tag in path.split(".") if not tag.isdigit())
    part = next((part for part in (*MARKS, *parts(VideoEnhance)) if part.tag == first), None)
    for tag in rest:
        inside = parts(part.node) if part is not None and part.node is not None else ()
        part = next((one for one in inside if one.tag == tag), None)
    if part is None:
        raise ParameterError("the path of a control", path, "that of a leaf or node of a panel")
    return part


def text_of(part: Part, value: object) -> str | None:
    """Return what a control holds for a value: its text on the wire, `AUTO`, or None when left out."""
    return None if value is None else AUTO_TEXT if value is AUTO else part.text(value)


def above(path: str) -> list[str]:
    """Return the paths of the switches above a leaf or node, the outermost first.

    >>> above("Watermark.1.Text.FontSize")
    ['Watermark.1', 'Watermark.1.Text']
    """
    tags = path.split(".")
    paths = [".".join(tags[:length]) for length in range(1, len(tags))]
    return [one for one, after in zip(paths, tags[1:], strict=True) if not after.isdigit()]


def sentence(problem: ParameterError) -> str:
    """Return a problem in words. What is merely missing is not said to be `None`."""
    if problem.value in (None, ()):
        return f"{problem.path} must be {problem.allowed}. {problem.remedy}".rstrip()
    return str(problem)


def below(path: str) -> str:
    """Return the path of a control, of a path in an operation or a whole request."""
    path = path.rpartition("Operation.")[2] if path.startswith("Operation.") else path
    return path.removeprefix("VideoEnhance.")


def _below(problem: ParameterError) -> ParameterError:
    fix = {below(path): value for path, value in problem.fix.items()}
    return ParameterError(below(problem.path), problem.value, problem.allowed, problem.remedy, fix=fix)


def _show(node: Node, prefix: str, held: Held) -> None:
    for part in parts(type(node)):
        _show_part(part, getattr(node, part.name), prefix + part.tag, held)


def _show_part(part: Part, value: Any, path: str, held: Held) -> None:
    if value is None or part.param.reply:
        return
    for number, one in enumerate(value if part.many else (value,), 1):
        where = f"{path}.{number}" if part.many else path
        if isinstance(one, Node):
            held.on.append(where)
            _show(one, f"{where}.", held)
        else:
            held.values[where] = text_of(part, one) or ""


class _Reading(NamedTuple):
    texts: Mapping[str, object]
    on: Collection[str]
    refused: dict[str, str]


def _build(cls: type[N], kept: N | None, prefix: str, held: _Reading) -> N:
    changes: dict[str, object] = {}
    for part in parts(cls):
        before = getattr(kept, part.name) if kept is not None else () if part.many else None
        made = _build_part(part, before, prefix + part.tag, held)
        if made != before:
            changes[part.name] = made
    node = kept if kept is not None else cls()
    # `replace` forgets how a number was spelt when it was read, so what is unchanged stays itself.
    return dataclasses.replace(node, **changes) if changes else node  # type: ignore[type-var]


def _build_part(part: Part, kept: Any, path: str, held: _Reading) -> Any:
    if part.param.reply:
        return () if part.many else None
    if part.node is None:
        return _read(part, path, held.texts.get(path), held.refused)
    if not part.many:
        return _build(part.node, kept, path + ".", held) if path in held.on else None
    there = list(_items(path, held.on))
    if part.param.at_most is not None and len(there) > part.param.at_most:
        held.refused[path] = f"{path} takes at most {part.param.at_most} of them; got {len(there)}"
        return kept
    return tuple(
        _build(part.node, kept[at] if at < len(kept) else None, one + ".", held) for at, one in enumerate(there)
    )


def _items(path: str, on: Collection[str]) -> Iterator[str]:
    number = 1
    while (one := f"{path}.{number}") in on:
        yield one
        number += 1


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
