"""Reads a pasted text: XML of a request, reply or template, or the Python that the panel shows.

Invariant: pasted code is never executed. Python is parsed as a tree of calls of node classes with literal
values, and everything else is rejected.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from ci_notebook.model.api.jobs import JobsDetail, Operation, Request, Response
from ci_notebook.model.api.templates import Template, TemplateRequest, TemplateResponse
from ci_notebook.model.declaration.node import AUTO, Node, Unknown, part_by_tag, parts, tag_of, walk
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.shorthand import setting_from
from ci_notebook.model.setting.transcode import Transcode
from ci_notebook.model.setting.watermark import DigitalWatermark, Watermark
from ci_notebook.widgets.enhance.controls import PANEL_PARTS
from ci_notebook.widgets.enhance.other_requests import (
    TEMPLATE_IDS,
    FindTemplate,
    StoredSetting,
    gather_stages,
    resolve_templates,
)
from ci_notebook.wire.xml import is_xml_text, parse_text, read

__all__ = ["PastedParts", "read_paste"]

_ACCEPTED: Final = "XML of a request, a reply or a template, the Python that the panel shows, or a dict of parameters"
_FENCED: Final = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)
_TEMPLATE_ID: Final = re.compile("t[01]?[0-9a-f]{32}")


class PastedParts(NamedTuple):
    """Content of a pasted text: parts of an operation by name, and a summary of what was applied and what was not.

    `stored` is the setting that the service stores, where the text names it by the id of its template.
    """

    parts: dict[str, Any]
    summary: str
    stored: StoredSetting | None = None


def read_paste(text: str, current: VideoEnhance, find_template: FindTemplate | None = None) -> PastedParts:
    """Return the setting and watermarks in a pasted text. A single stage replaces that stage of `current`.

    The stages of jobs of other kinds are taken, too. `find_template` reads a template that the text names by its id.

    >>> read_paste("<MsSharpen><SharpenLevel>5</SharpenLevel></MsSharpen>", VideoEnhance()).parts
    {'video_enhance': VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))}

    Values out of range are accepted, and the panel marks them. Raises `MalformedXML`, and `ParameterError` for
    other Python or a text without a setting or watermark.
    """
    text = _unfenced(text)
    if is_xml_text(text):
        return _summarize(*_from_xml(text), current, find_template)
    bare = text.translate(_TYPESET).strip()
    if not bare:
        raise _rejected("it is empty")
    if _TEMPLATE_ID.fullmatch(bare):
        return _summarize(Operation(template_id=bare), [], current, find_template)
    return _summarize(_from_python(text), [], current, find_template)


def _unfenced(text: str) -> str:
    """Return the code between the fences of a chat or a Markdown page; a text without fences as it is."""
    found = _FENCED.search(text)
    return found[1] if found else text


def _rejected(reason: str) -> ParameterError:
    return ParameterError.plain(f"The pasted text cannot be used: {reason}. Paste {_ACCEPTED}.")


def _summarize(
    content: Any, ignored: list[str], current: VideoEnhance, find_template: FindTemplate | None
) -> PastedParts:
    """Return the parts of a node, wherever it is in a request or reply."""
    stored = None
    if isinstance(content, Operation):
        content, stored, missing = resolve_templates(content, find_template)
        found = {name: getattr(content, name) for name in PANEL_PARTS}
        ignored = [*_ignored_in(content), *ignored, *missing]
    else:
        found = _of_node(content, current)
    found = {name: _sendable(value) for name, value in found.items() if value not in (None, ())}
    if not found:
        rest = f", only {', '.join(ignored)}" if ignored else ""
        raise _rejected(f"{tag_of(type(content))} contains no setting and no watermark{rest}")
    summary = "Applied: " + "; ".join(_name(name, value) for name, value in found.items()) + "."
    if stored:
        summary += f" It is stored as {stored.name}: its TemplateId is submitted until you change the setting."
    if ignored:
        summary += f" Ignored: {', '.join(dict.fromkeys(ignored))}."
    return PastedParts(found, summary, stored)


def _of_node(node: Any, current: VideoEnhance) -> dict[str, Any]:
    if isinstance(node, VideoEnhance):
        return {"video_enhance": node}
    if isinstance(node, Watermark):
        return {"watermark": (node,)}
    if isinstance(node, DigitalWatermark):
        return {"digital_watermark": node}
    for part in parts(VideoEnhance):
        if part.node is type(node):
            return {"video_enhance": dataclasses.replace(current, **{part.name: node})}
    return {}


def _ignored_in(operation: Operation) -> list[str]:
    names = {part.tag for part in parts(Operation) if part.name in PANEL_PARTS}
    paths = [path for path, _, _ in walk(operation) if path.partition(".")[0] not in names]
    paths = [path for path in paths if path.partition(".")[0] not in ("MediaInfo", "MediaResult")]
    return paths + [one.tag for one in operation.unknown]


def _sendable(value: Any) -> Any:
    """Return a value without the nodes that only the service sends."""
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
    unknown = [one.tag for one in value.unknown]
    rest = f", and unknown nodes, unchanged: {', '.join(unknown)}" if unknown else ""
    return f"the setting ({', '.join(stages) or 'no stage is on'}{rest})"


# XML


def _from_xml(text: str) -> tuple[Any, list[str]]:
    """Return the node, and the names of what it has no place for."""
    root = parse_text(text)
    if root.tag == "VideoProcess":
        around = root.makeelement("Operation", {})
        around.append(root)
        root = around
    ignored = gather_stages(root)
    return _node_of(root), ignored


def _node_of(root: Any) -> Any:
    tag = str(root.tag).rpartition("}")[2]
    if tag == "Request":
        is_template = root.find("Operation") is None and root.find("Input") is None
        return _of_template(read(TemplateRequest, root)) if is_template else _of_request(read(Request, root))
    if tag == "Response":
        return _of_reply(read(Response, root), read(TemplateResponse, root))
    for node in (JobsDetail, Operation, Template, VideoEnhance, Watermark, DigitalWatermark):
        if tag == tag_of(node) or (node is Template and tag == "TemplateList"):
            content: Any = read(node, root)
            return (
                _of_request(content) if node is JobsDetail else _of_template(content) if node is Template else content
            )
    part = part_by_tag(VideoEnhance).get(tag)
    if part is None or part.node is None:
        raise _rejected(f"<{tag}> is unknown")
    return read(part.node, root)


def _of_reply(jobs: Response, templates: TemplateResponse) -> Any:
    if jobs.jobs_detail:
        return _of_request(jobs.jobs_detail[0])
    found = (*((templates.template,) if templates.template else ()), *templates.template_list)
    if not found:
        raise _rejected("the <Response> contains no job and no template")
    return _of_template(found[0])


def _of_request(request: Request | JobsDetail) -> Operation:
    """Return the operation of a request; everything around it is remembered as ignored."""
    around = [path for path, _, _ in walk(request) if not path.startswith("Operation.")]
    return _with_rest(request.operation or Operation(), [] if isinstance(request, JobsDetail) else around)


def _with_rest(operation: Operation, names: list[str]) -> Operation:
    """Return an operation with the names of ignored nodes added as unknown nodes."""
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


_NODE_CLASSES: Final[dict[str, Any]] = {
    one.__name__: one for root in (VideoEnhance, Watermark, DigitalWatermark) for one in _classes(root)
} | {"Unknown": Unknown}
_CALLS: Final = ("submit", "request")
_TYPESET: Final = str.maketrans(
    {"\u00a0": " ", "\u3000": " ", "\u2028": "\n", "\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'"}
    | dict.fromkeys("\ufeff\u200b\u200c\u200d\u200e\u200f\u2060\u00ad", "")
)


def _from_python(text: str) -> Any:
    try:
        body = _parsed(_as_python(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _rejected(f"it is not XML, and not valid Python ({error})") from error
    for statement in body:
        value = getattr(statement, "value", None)
        if isinstance(value, ast.Call):
            return _call(value)
        if isinstance(value, ast.Dict):
            return setting_from(dict(_leaves(_value(value))))
    raise _rejected("it contains no call like ci.VideoEnhance(…)")


def _as_python(text: str) -> str:
    """Return JSON as Python; any other text as it is."""
    try:
        return repr(json.loads(text.translate(_TYPESET)))
    except (ValueError, RecursionError):
        return text


def _leaves(given: dict[Any, Any], above: str = "") -> Iterator[tuple[Any, Any]]:
    """Yield parameters and values of a dict; a dict in it is a stage: `{"MsSharpen": {"SharpenLevel": 5}}`."""
    for name, value in given.items():
        path = f"{above}{name}" if isinstance(name, str) else name
        if isinstance(value, dict) and value and isinstance(path, str):
            yield from _leaves(value, "" if path == "VideoEnhance" else f"{path}.")
        else:
            yield path, value


def _parsed(text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text.strip().lstrip("\ufeff")).body
    except SyntaxError:
        # A copy from a page or a word processor: blanks and quotation marks that Python does not know.
        return ast.parse(text.translate(_TYPESET).strip()).body


def _call(call: ast.Call) -> Any:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in _CALLS:
        return _submitted(call)
    node_class = _NODE_CLASSES.get(name)
    if node_class is None or call.args or any(word.arg is None for word in call.keywords):
        raise _rejected(f"{_short(ast.unparse(call))} is not a call that the panel writes")
    keywords = {str(word.arg): _value(word.value) for word in call.keywords}
    unknown = keywords.get("unknown", ())
    if not (isinstance(unknown, tuple) and all(isinstance(one, Unknown) for one in unknown)):
        raise _rejected(f"unknown of {name} is not a tuple of Unknown(…)")
    try:
        return node_class(**keywords)
    except TypeError as error:
        raise _rejected(f"{name} does not take all of {', '.join(keywords)}") from error


def _submitted(call: ast.Call) -> Operation:
    """Read `lab.submit(clip, setting, watermark=[…])`; the clip is ignored, because the panel has its own."""
    keywords = {str(word.arg): word.value for word in call.keywords if word.arg != "clip"}
    setting = keywords.pop("setting", call.args[1] if len(call.args) > 1 else None)
    names = (*PANEL_PARTS, *TEMPLATE_IDS)
    parts_by_name = {name: _value(value) for name, value in keywords.items() if name in names}
    if setting is not None:
        parts_by_name["video_enhance"] = _value(setting)
    return _with_rest(Operation(**parts_by_name), [name for name in keywords if name not in names])


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call):
        return _call(node)
    if isinstance(node, ast.List | ast.Tuple):
        items = [_value(item) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    if (isinstance(node, ast.Attribute) and node.attr == "AUTO") or (isinstance(node, ast.Name) and node.id == "AUTO"):
        return AUTO
    try:
        return ast.literal_eval(node)  # numbers, texts, True, False, None; executes nothing
    except ValueError as error:
        raise _rejected(f"{_short(ast.unparse(node))} is not a literal value or a node") from error


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
