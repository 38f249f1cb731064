"""Converts between an operation and the texts of a panel's controls, and validates the texts.

Invariant: a control holds text, as XML does, and only Python decides whether the text is valid. `build` reads a whole
panel; an invalid text is reported with its path and never changed to fit.

A control is named by its path below `VideoEnhance`. Those of the watermarks, which are outside of the setting in a
request, are named `Watermark.1.…` and `DigitalWatermark.…`. Repeated nodes are numbered from 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.declaration.node import AUTO, Node, Part, parts, walk
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.advice import Advice, advice
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.rules import problems
from ci_notebook.model.setting.source_rules import hdr_problem

__all__ = [
    "AUTO_TEXT",
    "MARKS",
    "PANEL_PARTS",
    "BuildResult",
    "ControlState",
    "above",
    "below",
    "build",
    "json_of",
    "operation_of",
    "part_at",
    "sentence",
    "setting_of_json",
    "state_of",
    "text_of",
]

N = TypeVar("N", bound=Node)

# Text of a control for AUTO. The empty text of the XML cannot be used, because an empty box in a panel means
# "a value is missing". Every leaf that accepts AUTO is a number.
AUTO_TEXT: Final = "AUTO"

# The parts of an operation that a panel edits, with the prefix of the paths below each.
PANEL_PARTS: Final = {"video_enhance": "", "watermark": "Watermark", "digital_watermark": "DigitalWatermark"}
MARKS: Final[tuple[Part, ...]] = tuple(part for part in parts(Operation) if PANEL_PARTS.get(part.name))


class ControlState(NamedTuple):
    """State of a panel's controls: path → text, and the paths of the active nodes."""

    values: dict[str, Any]
    active: list[str]


class BuildResult(NamedTuple):
    """Result of reading a panel. `operation` is None while there are problems.

    `remedies` maps the path of a problem or of an advice to the changes that resolve it.
    """

    operation: Operation | None
    problems: dict[str, str]
    advice: dict[str, str]
    remedies: dict[str, Mapping[str, object]]


def operation_of(setting: VideoEnhance, **marks: Any) -> Operation:
    """Return the operation of a panel: a setting and its watermarks."""
    return Operation(video_enhance=setting, **marks)


def state_of(content: Operation | VideoEnhance) -> ControlState:
    """Return the controls for an operation, or for a setting alone."""
    operation = content if isinstance(content, Operation) else operation_of(content)
    state = ControlState({}, [])
    _write_node(operation.video_enhance or VideoEnhance(), "", state)
    for part in MARKS:
        _write_part(part, getattr(operation, part.name), part.tag, state)
    return state


def build(previous: Operation, texts: Mapping[str, object], active: Collection[str], *, hdr: str = "") -> BuildResult:
    """Read all controls; return the operation, or path → message for each invalid text.

    Unknown nodes of `previous` are kept. `hdr` is the HDR of the clip, which cannot be converted from SDR.

    >>> result = build(operation_of(VideoEnhance()), {"MsSharpen.SharpenLevel": "11"}, ["MsSharpen"])
    >>> list(result.problems)
    ['MsSharpen.SharpenLevel']
    """
    reading = _Reading(texts, active, {})
    setting = _read_node(VideoEnhance, previous.video_enhance, "", reading)
    marks = {part.name: _read_part(part, getattr(previous, part.name), part.tag, reading) for part in MARKS}
    if reading.problems:
        return BuildResult(None, reading.problems, {}, {})
    operation = dataclasses.replace(previous, video_enhance=setting, **marks)
    messages: dict[str, str] = {}
    remedies: dict[str, Mapping[str, object]] = {}
    for problem in map(_in_panel, problems(operation)):
        if messages.setdefault(problem.path, text := sentence(problem)) is text and problem.fix:
            remedies[problem.path] = problem.fix
    if text := hdr_problem(setting, hdr):
        messages["SDRtoHDR.HdrMode"], remedies["SDRtoHDR.HdrMode"] = text, {"SDRtoHDR": None}
    if messages:
        return BuildResult(None, messages, {}, remedies)
    notes: list[Advice] = advice(setting)
    return BuildResult(
        operation, {}, {note.path: note.text for note in notes}, {note.path: note.fix for note in notes if note.fix}
    )


def part_at(path: str) -> Part:
    """Return the declaration of the leaf or node at a path of a panel. Raises `ParameterError` if there is none."""
    first, *rest = (tag for tag in path.split(".") if not tag.isdigit())
    part = next((part for part in (*MARKS, *parts(VideoEnhance)) if part.tag == first), None)
    for tag in rest:
        children = parts(part.node) if part is not None and part.node is not None else ()
        part = next((child for child in children if child.tag == tag), None)
    if part is None:
        raise ParameterError.plain(f"The panel has no parameter or stage {path!r}.")
    return part


def text_of(part: Part, value: object) -> str | None:
    """Return the text of a control for a value: its text in XML, `AUTO`, or None when left out."""
    return None if value is None else AUTO_TEXT if value is AUTO else part.text(value)


def above(path: str) -> list[str]:
    """Return the paths of the switches above a leaf or node, outermost first.

    >>> above("Watermark.1.Text.FontSize")
    ['Watermark.1', 'Watermark.1.Text']
    """
    tags = path.split(".")
    paths = [".".join(tags[:length]) for length in range(1, len(tags))]
    return [one for one, following in zip(paths, tags[1:], strict=True) if not following.isdigit()]


def sentence(problem: ParameterError) -> str:
    """Return the message of a problem. A missing value is not shown as `None`."""
    if problem.path and problem.value in (None, ()):
        return f"{problem.path} is missing; it must be {problem.allowed}. {problem.remedy}".rstrip()
    return str(problem)


def json_of(setting: VideoEnhance) -> dict[str, Any]:
    """Return the JSON form of a setting: path → value of each leaf, and True for a node that is on without a leaf.

    AUTO is the text "AUTO". Unknown nodes are left out.

    >>> from ci_notebook.model.setting.enhance import MsSharpen
    >>> json_of(VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5)))
    {'MsSharpen.SharpenLevel': 5}
    """
    state = state_of(setting)
    leaf_values = {
        path: value if type(value) in (int, float) else text_of(part, value)
        for path, part, value in walk(setting)
        if path in state.values
    }
    inner = {node for path in (*state.active, *leaf_values) for node in above(path)}
    return leaf_values | {path: True for path in state.active if path not in inner}


def setting_of_json(value: object) -> VideoEnhance:
    """Return the setting whose JSON form this is. Raises `ParameterError` for anything else.

    >>> setting_of_json({"MsSharpen.SharpenLevel": 5})
    VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
    """
    if not isinstance(value, dict):
        raise ParameterError.plain("The JSON form of a setting is an object that maps paths to values.")
    texts, active = dict[str, str](), dict[str, None]()
    for path, entry in value.items():
        is_node = part_at(path).node is not None
        active |= dict.fromkeys([*above(path), path] if is_node else above(path))
        if not is_node:
            texts[path] = str(entry)
    result = build(Operation(video_enhance=VideoEnhance()), texts, active)
    if result.operation is None:
        raise ParameterError.plain(next(iter(result.problems.values())))
    return result.operation.video_enhance or VideoEnhance()


def below(path: str) -> str:
    """Return the path of a control for a path in an operation or in a whole request."""
    path = path.rpartition("Operation.")[2] if path.startswith("Operation.") else path
    return path.removeprefix("VideoEnhance.")


def _in_panel(problem: ParameterError) -> ParameterError:
    fix = {below(path): value for path, value in problem.fix.items()}
    return ParameterError(below(problem.path), problem.value, problem.allowed, problem.remedy, fix=fix)


# From an operation to texts


def _write_node(node: Node, prefix: str, state: ControlState) -> None:
    for part in parts(type(node)):
        _write_part(part, getattr(node, part.name), prefix + part.tag, state)


def _write_part(part: Part, value: Any, path: str, state: ControlState) -> None:
    if value is None or part.param.reply:
        return
    for number, item in enumerate(value if part.many else (value,), 1):
        item_path = f"{path}.{number}" if part.many else path
        if isinstance(item, Node):
            state.active.append(item_path)
            _write_node(item, f"{item_path}.", state)
        else:
            state.values[item_path] = text_of(part, item) or ""


# From texts to an operation


class _Reading(NamedTuple):
    texts: Mapping[str, object]
    active: Collection[str]
    problems: dict[str, str]


def _read_node(cls: type[N], previous: N | None, prefix: str, reading: _Reading) -> N:
    changes: dict[str, object] = {}
    for part in parts(cls):
        before = getattr(previous, part.name) if previous is not None else () if part.many else None
        value = _read_part(part, before, prefix + part.tag, reading)
        if value != before:
            changes[part.name] = value
    node = previous if previous is not None else cls()
    # `replace` loses the original spelling of a number, so an unchanged node is returned as it is.
    return dataclasses.replace(node, **changes) if changes else node  # type: ignore[type-var]


def _read_part(part: Part, previous: Any, path: str, reading: _Reading) -> Any:
    if part.param.reply:
        return () if part.many else None
    if part.node is None:
        return _read_leaf(part, path, reading.texts.get(path), reading.problems)
    if not part.many:
        return _read_node(part.node, previous, path + ".", reading) if path in reading.active else None
    items = list(_items(path, reading.active))
    if part.param.at_most is not None and len(items) > part.param.at_most:
        reading.problems[path] = f"At most {part.param.at_most} of {path} are allowed; there are {len(items)}."
        return previous
    return tuple(
        _read_node(part.node, previous[at] if at < len(previous) else None, item + ".", reading)
        for at, item in enumerate(items)
    )


def _items(path: str, active: Collection[str]) -> Iterator[str]:
    number = 1
    while (item := f"{path}.{number}") in active:
        yield item
        number += 1


def _read_leaf(part: Part, path: str, text: object, messages: dict[str, str]) -> Any:
    if text is None:
        return None
    if part.auto and text == AUTO_TEXT:
        return AUTO
    typed = str(text)
    value = part.parse(typed)
    if not typed.strip() and "" not in part.choices and value in (None, AUTO):
        messages[path] = sentence(ParameterError(path, None, part.allowed()))
        return None
    if typed != typed.strip() and part.kind is not str:
        value = typed  # XML may have blanks around a number; here they are a slip, and the text stays as typed
    if complaint := part.complaint(value):
        messages[path] = sentence(ParameterError(path, value, complaint, part.param.remedy))
        return None
    return value
