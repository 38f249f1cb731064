"""Odd input, generated from the declarations: a leaf or call that is declared today is tried today.

Texts for leaves and parameters, bodies in which every leaf is set, and the rule for every answer.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import httpx
from lxml import etree

from ci_notebook.model.api.jobs import Request
from ci_notebook.model.api.queues import QueueRequest
from ci_notebook.model.api.snapshot_calls import MediaInfoRequest, SnapshotRequest
from ci_notebook.model.api.templates import TemplateRequest
from ci_notebook.model.declaration.node import Node, Part, parts

# Text that is no number comes first: the suite tries it with every leaf.
ODD_TEXTS = {
    "no number": "soon",
    "empty": "",
    "blank": " ",
    "many digits": "9" * 400,
    "negative": "-1",
    "negative zero": "-0",
    "over every float": "1e400",
    "largest float": "1e308",
    "smallest float": "1e-320",
    "not a number": "NaN",
    "infinite": "inf",
    "hexadecimal": "0x10",
    "underscore": "1_0",
    "other digits": "\u0661\u0662",
    "wide digits": "\uff11",
    "not ASCII": "\u6c34\U0001f600",
    "long": "x" * 10_000,
    "a way up": "../../etc/passwd",
    "percent zero": "%00",
    "option": "-y",
    "filter": "a,drawtext=text=b[c];[d]",
    "format": "%s{0}${jobid}",
    "list": ",1,,2,",
    "line breaks": "\t\n",
    "bool": "TRUE",
    "earliest": "0001-01-01T00:00:00+2359",
    "latest": "9999-12-31T23:59:59-2359",
    "no character": "\ufffd",
}
# As bytes of a body: what no XML writer writes.
ODD_XML = {
    "zero reference": b"&#0;",
    "control reference": b"&#1;",
    "surrogate reference": b"&#xD800;",
    "control": b"\x01",
    "zero": b"\x00",
    "not UTF-8": b"\xff\xfe",
    "node": b"<b/>",
    "own node": b"<Request/>",
    "entity": b"&e;",
    "CDATA": b"<![CDATA[<a>&]]>",
    "comment": b"1<!-- a -->2",
    "instruction": b"<?a b?>",
}
# As parts of a URL.
ODD_QUERY = {
    **ODD_TEXTS,
    "zero": "a\0b",
    "control": "\x01",
    "line break": "\r\nX: y",
    "no character": "\ufffe",
    "highest": "\U0010ffff",
    "many parts": "," * 2000,
}
VALID_TEXTS = (
    "1", "2", "10", "16", "128", "1000", "44100", "0", "-1", "true", "1:1:1:1", "TaskFinish", "a", "in.mp4", "0xff0000",
    "1x1", "http://example.com/a", "ap-chongqing", "test-1250000000",
)  # fmt: skip
BODIES: dict[str, type[Node]] = {
    "create_job": Request, "create_template": TemplateRequest, "update_template": TemplateRequest,
    "update_queue": QueueRequest, "media_info": MediaInfoRequest, "store_snapshot": SnapshotRequest,
}  # fmt: skip


def paths_of(cls: type[Node], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the tags from below the root to each declared leaf and node."""
    for part in parts(cls):
        yield (*above, part.tag)
        if part.node is not None:
            yield from paths_of(part.node, (*above, part.tag))


@functools.cache
def valid_text(part: Part) -> str:
    """Return a text that a leaf allows."""
    for text in (*map(str, part.choices), *VALID_TEXTS):
        value = part.parse(text)
        if not part.complaint((value,) if part.many else value):
            return text
    raise AssertionError(f"VALID_TEXTS holds nothing for {part.tag}")


def whole_element(cls: type[Node], tag: str = "Request") -> Any:
    """Return a node in which every part that may be sent is set: then each rule has something to compare."""
    element = etree.Element(tag)
    for part in parts(cls):
        if part.node is not None and not part.param.reply:
            element.append(whole_element(part.node, part.tag))
        elif not part.param.reply:
            etree.SubElement(element, part.tag).text = valid_text(part)
    return element


def with_text(root: Any, path: tuple[str, ...], text: str | bytes) -> bytes:
    """Return a body with the text of one leaf replaced. Bytes are put in as they are."""
    element = root
    made = []
    for tag in path:
        below = element.find(tag)
        if below is None:
            below = etree.SubElement(element, tag)
            made.append((element, below))
        element = below
    before, children = element.text, list(element)
    for child in children:
        element.remove(child)
    element.text = "HERE" if isinstance(text, bytes) else text
    body = etree.tostring(root)
    element.text = before
    element.extend(children)
    if made:
        made[0][0].remove(made[0][1])
    return body.replace(b"HERE", text) if isinstance(text, bytes) else body


def assert_fair(answer: httpx.Response, what: Any) -> None:
    """Hold the rule for every answer: no 5xx; an error names code, message and request id; all XML can be read."""
    assert answer.status_code < 500, (what, answer.text)
    request_id = answer.headers.get("x-ci-request-id") or answer.headers.get("x-cos-request-id")
    assert request_id, (what, answer.headers)
    if answer.request.method == "HEAD" or not answer.content:
        assert answer.request.method == "HEAD" or answer.status_code < 400, (what, answer)
        return
    root = etree.fromstring(answer.content) if "xml" in answer.headers.get("content-type", "") else None
    if answer.status_code >= 400:
        assert root is not None, (what, answer.headers)
        assert root.tag == "Error", (what, answer.text)
        assert all(root.findtext(tag) for tag in ("Code", "Message")), (what, answer.text)
        assert root.findtext("RequestId") == request_id, (what, answer.text)
