"""What is pasted into a panel: any XML of a request, reply or template, or Python as the panel writes it.

The rule of this file: nothing that is pasted is ever run. Python is read as a tree of calls to our
own node classes with plain values, and everything else in it is refused.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from ci_notebook.model.api.jobs import JobsDetail, Operation, Request, Response
from ci_notebook.model.api.templates import Template, TemplateRequest, TemplateResponse
from ci_notebook.model.declaration.node import AUTO, Node, Unknown, part_by_tag, parts, tag_of, walk
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.transcode import Transcode
from ci_notebook.model.setting.watermark import DigitalWatermark, Watermark
from ci_notebook.widgets.enhance.controls import ASKED
from ci_notebook.wire.xml import parse, read

_TAKEN: Final = "a request, a reply, a template, or Python as the panel writes it"


class Taken(NamedTuple):
    """What a pasted text gave: parts of an operation by name, and in words what was taken and what was not."""

    parts: dict[str, Any]
    words: str


def read_paste(text: str, present: VideoEnhance) -> Taken:
    """Return what a pasted text asks for. A single stage replaces that stage of `present`.

    >>> read_paste("<MsSharpen><SharpenLevel>5</SharpenLevel></MsSharpen>", VideoEnhance()).parts
    {'video_enhance': VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))}

    Values out of range are taken as they are: the panel marks them. Raises `ParameterError` for
    Python that is none of ours or a text without a setting or mark, and `MalformedXML`.
    """
    if text.lstrip().startswith("<"):
        return _taken(_from_xml(text), present)
    if not text.strip():
        raise ParameterError("the pasted text", text, _TAKEN)
    return _taken(_from_python(text), present)


def _taken(found: Any, present: VideoEnhance) -> Taken:
    """Return what a node gives, wherever it stands in a request or reply."""
    left: list[str] = []
    if isinstance(found, Operation):
        asked, left = {name: getattr(found, name) for name in ASKED}, _left_of(found)
    else:
        asked = _of_node(found, present)
    asked = {name: _sendable(value) for name, value in asked.items() if value not in (None, ())}
    if not asked:
        rest = f" It holds {', '.join(left)}." if left else ""
        raise ParameterError("the pasted text", tag_of(type(found)), f"{_TAKEN}, with a setting or a mark in it", rest)
    words = "Taken: " + "; ".join(_name(name, value) for name, value in asked.items()) + "."
    if left:
        words += f" Left out: {', '.join(dict.fromkeys(left))}."
    return Taken(asked, words)


def _of_node(node: Any, present: VideoEnhance) -> dict[str, Any]:
    if isinstance(node, VideoEnhance):
        return {"video_enhance": node}
    if isinstance(node, Watermark):
        return {"watermark": (node,)}
    if isinstance(node, DigitalWatermark):
        return {"digital_watermark": node}
    for part in parts(VideoEnhance):
        if part.node is type(node):
            return {"video_enhance": dataclasses.replace(present, **{part.name: node})}
    return {}


def _left_of(operation: Operation) -> list[str]:
    names = {part.tag for part in parts(Operation) if part.name in ASKED}
    found = [path for path, _, _ in walk(operation) if path.partition(".")[0] not in names]
    found = [path for path in found if path.partition(".")[0] not in ("MediaInfo", "MediaResult")]
    return found + [one.tag for one in operation.unknown]


def _sendable(value: Any) -> Any:
    """Return a value without what only the service sends."""
    if isinstance(value, tuple):
        return tuple(map(_sendable, value))
    if not isinstance(value, Node):
        return value
    replies = {part.name: None for part in parts(type(value)) if part.param.reply and getattr(value, part.name)}
    return dataclasses.replace(value, **replies) if replies else value  # type: ignore[type-var]


def _name(name: str, value: Any) -> str:
    if name == "watermark":
        return f"{len(value)} watermark{'' if len(value) == 1 else 's'}"
    if name == "digital_watermark":
        return "the digital watermark"
    stages = [part.tag for part in parts(VideoEnhance) if getattr(value, part.name) is not None]
    more = [one.tag for one in value.unknown]
    kept = f", and kept as they are: {', '.join(more)}" if more else ""
    return f"the setting ({', '.join(stages) or 'nothing is on'}{kept})"


# XML


def _from_xml(text: str) -> Any:
    root = parse(text.encode())
    tag = str(root.tag).rpartition("}")[2]
    if tag == "Request":
        is_template = root.find("Operation") is None and root.find("Input") is None
        return _of_template(read(TemplateRequest, root)) if is_template else _of_request(read(Request, root))
    if tag == "Response":
        return _of_reply(read(Response, root), read(TemplateResponse, root))
    for node in (JobsDetail, Operation, Template, VideoEnhance, Watermark, DigitalWatermark):
        if tag == tag_of(node) or (node is Template and tag == "TemplateList"):
            made: Any = read(node, root)
            return _of_request(made) if node is JobsDetail else _of_template(made) if node is Template else made
    part = part_by_tag(VideoEnhance).get(tag)
    if part is None or part.node is None:
        raise ParameterError("the pasted text", f"<{tag}>", _TAKEN)
    return read(part.node, root)


def _of_reply(jobs: Response, templates: TemplateResponse) -> Any:
    if jobs.jobs_detail:
        return _of_request(jobs.jobs_detail[0])
    listed = (*((templates.template,) if templates.template else ()), *templates.template_list)
    if not listed:
        raise ParameterError("the pasted text", "<Response>", "a reply with a job or a template in it")
    return _of_template(listed[0])


def _of_request(request: Request | JobsDetail) -> Operation:
    """Return the operation, with all that stands around it as something that is left out."""
    around = [path for path, _, _ in walk(request) if not path.startswith("Operation.")]
    return _with_rest(request.operation or Operation(), [] if isinstance(request, JobsDetail) else around)


def _with_rest(operation: Operation, names: list[str]) -> Operation:
    """Return an operation that remembers, as nodes that nobody declared, what else there was."""
    rest: dict[str, Any] = {"unknown": (*operation.unknown, *map(Unknown, names))}
    return dataclasses.replace(operation, **rest)


def _of_template(template: Template | TemplateRequest) -> Any:
    if isinstance(template, Template):
        return template.setting
    if template.tag == "Transcode":
        return Transcode(**{part.name: getattr(template, part.name) for part in parts(Transcode)})
    return template.video_enhance or template.watermark


# Python


def _classes(node: type[Node]) -> Iterator[type[Node]]:
    yield node
    for part in parts(node):
        if part.node is not None:
            yield from _classes(part.node)


_MAY: Final[dict[str, Any]] = {
    one.__name__: one for root in (VideoEnhance, Watermark, DigitalWatermark) for one in _classes(root)
} | {"Unknown": Unknown}
_CALLS: Final = ("submit", "request")


def _from_python(text: str) -> Any:
    try:
        body = ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ParameterError(
            "the pasted text", _short(text), _TAKEN, f"As Python it cannot be read: {error}."
        ) from error
    for statement in body:
        value = getattr(statement, "value", None)
        if isinstance(value, ast.Call):
            return _call(value)
    raise ParameterError("the pasted text", _short(text), _TAKEN, "There is no call like ci.VideoEnhance(…) in it.")


def _call(call: ast.Call) -> Any:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in _CALLS:
        return _submitted(call)
    made = _MAY.get(name)
    if made is None or call.args or any(word.arg is None for word in call.keywords):
        raise ParameterError("the pasted text", _short(ast.unparse(call)), "nodes as the panel writes them")
    given = {str(word.arg): _value(word.value) for word in call.keywords}
    try:
        return made(**given)
    except TypeError as error:
        raise ParameterError(name, ", ".join(given), "the names that the panel writes") from error


def _submitted(call: ast.Call) -> Operation:
    """Read `lab.submit(clip, setting, watermark=[…])`: the clip is whatever the panel is for."""
    named = {str(word.arg): word.value for word in call.keywords if word.arg != "clip"}
    setting = named.pop("setting", call.args[1] if len(call.args) > 1 else None)
    found = {name: _value(value) for name, value in named.items() if name in ASKED}
    if setting is not None:
        found["video_enhance"] = _value(setting)
    return _with_rest(Operation(**found), [name for name in named if name not in ASKED])


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call):
        return _call(node)
    if isinstance(node, ast.List | ast.Tuple):
        made = [_value(one) for one in node.elts]
        return made if isinstance(node, ast.List) else tuple(made)
    if (isinstance(node, ast.Attribute) and node.attr == "AUTO") or (isinstance(node, ast.Name) and node.id == "AUTO"):
        return AUTO
    try:
        return ast.literal_eval(node)  # numbers, texts, True, False, None; nothing that runs
    except ValueError as error:
        wanted = "numbers, texts, True, False, None, AUTO and nodes"
        raise ParameterError("the pasted text", _short(ast.unparse(node)), wanted) from error


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
