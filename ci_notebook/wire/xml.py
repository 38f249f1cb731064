"""XML both ways, from the declarations alone.

The rule of this file: what was read is written back as it was. A node remembers, where it
matters, the order of its tags and the spelling of its numbers (`25.000000`), and keeps what no
declaration knows. Changing a part with `dataclasses.replace` forgets the spelling, not the unknown.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple, TypeVar

from lxml import etree

from ci_notebook.model.errors import CIError
from ci_notebook.model.node import Node, Part, Unknown, part_by_tag, parts, tag_of

N = TypeVar("N", bound=Node)

# The longest documented body is a few kB; a list answer of 100 jobs is about 250 kB.
MAX_REQUEST_BYTES = 1 << 20
MAX_DEPTH = 32


class MalformedXML(CIError, ValueError):
    """The bytes are no XML that we read: broken, too deep, with a DTD, or the wrong root."""


def parse(data: bytes) -> etree._Element:
    """Return the root element. No entity is expanded, no DTD taken, nothing fetched.

    Raises `MalformedXML`, saying where.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise MalformedXML(f"the XML cannot be read: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise MalformedXML("the XML has a document type; DTDs and entities are not taken")
    return root


def loads(cls: type[N], data: bytes, *, root: str = "") -> N:
    """Return the node that XML stands for. Lenient: values out of range and unknown nodes are kept.

    `root` is the tag that the outermost element must have, if any. Raises `MalformedXML`.

    >>> from ci_notebook.model.enhance import MsSharpen
    >>> loads(MsSharpen, b"<MsSharpen><SharpenLevel>5</SharpenLevel></MsSharpen>")
    MsSharpen(sharpen_level=5)
    """
    element = parse(data)
    if root and element.tag != root:
        raise MalformedXML(f"the outermost element is <{element.tag}>; it must be <{root}>")
    return read(cls, element)


def dumps(node: Node, root: str = "", *, pretty: bool = False) -> bytes:
    """Return the XML of a node, UTF-8 with a declaration. `root` defaults to the class's name."""
    element = element_of(node, root)
    if pretty:
        etree.indent(element)
    return etree.tostring(element, xml_declaration=True, encoding="utf-8", pretty_print=pretty)


def read(cls: type[N], element: etree._Element, depth: int = 0) -> N:
    """Return the node that an element stands for (see `loads`)."""
    if depth > MAX_DEPTH:
        raise MalformedXML(f"the XML is nested more than {MAX_DEPTH} deep")
    known = part_by_tag(cls)
    values: dict[str, Any] = {part.name: () if part.many else None for part in parts(cls)}
    unknown: list[Unknown] = []
    as_read: list[_AsRead] = []
    seen: set[str] = set()
    as_declared = True
    for child in element:
        part = known.get(child.tag)
        is_second = part is not None and not part.many and part.tag in seen
        is_odd = part is not None and part.node is None and len(child) > 0
        if part is None or is_second or is_odd:
            unknown.append(_unknown(child, depth + 1))
            as_read.append(_AsRead(child.tag, None, None))
            as_declared = False
            continue
        seen.add(part.tag)
        text: str | None = None
        if part.node is not None:
            value: Any = read(part.node, child, depth + 1)
        else:
            text = child.text or ""
            value = part.parse(text)
            as_declared = as_declared and value is not None and part.text(value) == text
        values[part.name] = (*values[part.name], value) if part.many else value
        as_read.append(_AsRead(child.tag, part, text))
    made = cls.__new__(cls)
    made.__dict__.update(values, unknown=tuple(unknown))
    if not as_declared or [one.tag for one in as_read] != _declared_order(cls, as_read):
        made.__dict__["_as_read"] = tuple(as_read)
    return made


class _AsRead(NamedTuple):
    """One child as it was found: its tag, the part that took it (None: kept as unknown), its text."""

    tag: str
    part: Part | None
    text: str | None


def element_of(node: Node, tag: str = "") -> etree._Element:
    """Return the element that stands for a node."""
    element = etree.Element(tag or tag_of(type(node)))
    _fill(element, node)
    return element


def _declared_order(cls: type[Node], as_read: list[_AsRead]) -> list[str]:
    count = Counter(one.tag for one in as_read)
    return [part.tag for part in parts(cls) for _ in range(count[part.tag])]


def _fill(element: etree._Element, node: Node) -> None:
    waiting = {part.name: _listed(part, getattr(node, part.name)) for part in parts(type(node))}
    unknown = list(node.unknown)
    for tag, part, text in node.__dict__.get("_as_read", ()):
        if part is None:
            _put_unknown(element, unknown.pop(0))
        elif waiting[part.name]:
            _put(element, tag, part, waiting[part.name].pop(0), text)
        else:  # an empty leaf that says nothing
            etree.SubElement(element, tag)
    for part in parts(type(node)):
        for value in waiting[part.name]:
            _put(element, part.tag, part, value, None)
    for one in unknown:
        _put_unknown(element, one)


def _listed(part: Part, value: Any) -> list[Any]:
    return list(value) if part.many else [] if value is None else [value]


def _put(element: etree._Element, tag: str, part: Part, value: Any, as_read: str | None) -> None:
    child = etree.SubElement(element, tag)
    if isinstance(value, Node):
        _fill(child, value)
    else:
        text = as_read if as_read is not None and part.parse(as_read) == value else part.text(value)
        child.text = text or None


def _unknown(element: etree._Element, depth: int) -> Unknown:
    if depth > MAX_DEPTH:
        raise MalformedXML(f"the XML is nested more than {MAX_DEPTH} deep")
    children = tuple(_unknown(child, depth + 1) for child in element)
    return Unknown(str(element.tag), "" if children else element.text or "", children)


def _put_unknown(element: etree._Element, unknown: Unknown) -> None:
    child = etree.SubElement(element, unknown.tag)
    child.text = unknown.text or None
    for one in unknown.children:
        _put_unknown(child, one)
