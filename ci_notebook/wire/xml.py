"""XML both ways, from the declarations alone.

The rule of this file: what was read is written back as it was. A node remembers, where it
matters, the order of its tags and the spelling of its numbers (`25.000000`), and keeps what no
declaration knows. Changing a part with `dataclasses.replace` forgets the spelling, not the unknown.

Every call goes through here twice, so what a class declares is laid out once (`_reading`,
`_writing`), and text is written as text: an element tree is made only of what nobody declared.
"""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from lxml import etree

from ci_notebook.model.declaration.node import Node, Part, Unknown, once_a_class, part_by_tag, parts, tag_of
from ci_notebook.model.errors import CIError
from ci_notebook.model.lru import LRU

N = TypeVar("N", bound=Node)

# The longest documented body is a few kB; a list answer of 100 jobs is about 250 kB.
MAX_REQUEST_BYTES = 1 << 20
MAX_DEPTH = 32

_OF_THREAD = threading.local()


class MalformedXML(CIError, ValueError):
    """The bytes are no XML that we read: broken, too deep, with a DTD, or the wrong root."""


def parse(data: bytes) -> etree._Element:
    """Return the root element. No entity is expanded, no DTD taken, nothing fetched.

    Raises `MalformedXML`, saying where.
    """
    try:
        root = etree.fromstring(data, _parser())
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise MalformedXML(f"the XML cannot be read: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise MalformedXML("the XML has a document type; DTDs and entities are not taken")
    return root


def _parser() -> etree.XMLParser:
    """Return this thread's parser: to make one costs as much as to read a job with it."""
    parser: etree.XMLParser | None = getattr(_OF_THREAD, "parser", None)
    if parser is None:
        parser = _OF_THREAD.parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
            remove_comments=True, remove_pis=True,
        )  # fmt: skip
    return parser


def loads(cls: type[N], data: bytes, *, root: str = "", cache: NodeCache | None = None) -> N:
    """Return the node that XML stands for. Lenient: values out of range and unknown nodes are kept.

    `root` is the tag that the outermost element must have, if any. `cache` gives back nodes that were read
    before from the same XML. Raises `MalformedXML`.

    >>> from ci_notebook.model.setting.enhance import MsSharpen
    >>> loads(MsSharpen, b"<MsSharpen><SharpenLevel>5</SharpenLevel></MsSharpen>")
    MsSharpen(sharpen_level=5)
    """
    element = parse(data)
    if root and element.tag != root:
        raise MalformedXML(f"the outermost element is <{element.tag}>; it must be <{root}>")
    return read(cls, element, cache=cache)


def dumps(node: Node, root: str = "", *, pretty: bool = False) -> bytes:
    """Return the XML of a node, UTF-8 with a declaration. `root` defaults to the class's name."""
    if pretty:
        element = element_of(node, root)
        etree.indent(element)
        return etree.tostring(element, xml_declaration=True, encoding="utf-8", pretty_print=True)
    out = ["<?xml version='1.0' encoding='utf-8'?>\n"]
    _write(node, root or tag_of(type(node)), out)
    return "".join(out).encode()


def element_of(node: Node, tag: str = "") -> etree._Element:
    """Return the element that stands for a node."""
    out: list[str] = []
    _write(node, tag or tag_of(type(node)), out)
    return etree.fromstring("".join(out))


# Reading


class _Known(NamedTuple):
    """What reading needs of one part: `place` in the order of the wire, and how its text is read.

    `value` gives the value and whether it would be written as that text; None means that text is
    the value. `is_own` is False under another spelling of the tag.
    """

    part: Part
    name: str
    place: int
    is_own: bool
    many: bool
    node: type[Node] | None
    value: Callable[[str], tuple[Any, bool]] | None


@once_a_class
def _reading(cls: type[Node]) -> tuple[dict[str, _Known], dict[str, Any]]:
    """Return the parts of a class by tag, and the values of a node that says nothing."""
    order = {part.tag: place for place, part in enumerate(parts(cls))}
    known = {
        tag: _Known(part, part.name, order[part.tag], tag == part.tag, part.many, part.node, _value_of(part))
        for tag, part in part_by_tag(cls).items()
    }
    return known, {part.name: () if part.many else None for part in parts(cls)} | {"unknown": ()}


def _value_of(part: Part) -> Callable[[str], tuple[Any, bool]] | None:
    if part.node is not None or (part.kind is str and not part.choices and not part.auto):
        return None

    def read_text(text: str) -> tuple[Any, bool]:
        value = part.parse(text)
        return value, value is not None and part.text(value) == text

    remembered = functools.lru_cache(maxsize=128)(read_text)
    # Long text on a leaf of numbers is somebody's mistake, and not worth remembering.
    return lambda text: remembered(text) if len(text) <= 32 else read_text(text)


def read(cls: type[N], element: etree._Element, depth: int = 0, cache: NodeCache | None = None) -> N:
    """Return the node that an element stands for (see `loads`)."""
    if depth > MAX_DEPTH:
        raise MalformedXML(f"the XML is nested more than {MAX_DEPTH} deep")
    by_tag, blank = _reading(cls)
    values = blank.copy()
    unknown: list[Unknown] = []
    seen: set[str] = set()
    last, as_declared = 0, True
    for child in element:
        known = by_tag.get(child.tag)
        if known is None or (not known.many and known.name in seen) or (known.node is None and len(child)):
            unknown.append(_unknown(child, depth + 1))
            as_declared = False
            continue
        _, name, place, is_own, many, node, value_of = known
        value: Any
        if node is not None:
            value = read(node, child, depth + 1) if cache is None else cache.read(node, child, depth + 1)
        elif value_of is None:
            value = child.text or ""
        else:
            value, is_as_written = value_of(child.text or "")
            as_declared = as_declared and is_as_written
        if many and name in seen:
            values[name].append(value)
        else:
            values[name] = [value] if many else value
            seen.add(name)
        as_declared = as_declared and is_own and place >= last
        last = place
    for name in seen:
        if type(values[name]) is list:
            values[name] = tuple(values[name])
    values["unknown"] = tuple(unknown)
    if not as_declared:
        values["_as_read"] = _as_read(by_tag, element)
    made = cls.__new__(cls)
    object.__setattr__(made, "__dict__", values)
    return made


class NodeCache:
    """Nodes of some classes by the XML that they were read from, for answers that repeat: polls of the same jobs.

    Nodes are frozen, so one may be part of many answers. Keeps the `limit` most recently used.
    """

    def __init__(self, *classes: type[Node], limit: int) -> None:
        self._classes = frozenset(classes)
        self._nodes = LRU[tuple[type[Node], bytes], Node](limit)

    def __len__(self) -> int:
        return len(self._nodes)

    def read(self, cls: type[Node], element: etree._Element, depth: int) -> Node:
        """Return the node that an element stands for, read only where it is not known."""
        if cls not in self._classes:
            return read(cls, element, depth, self)
        key = (cls, etree.tostring(element, with_tail=False))
        return self._nodes.get_or_make(key, lambda: read(cls, element, depth))


class _AsRead(NamedTuple):
    """One child as it was found: its tag, the part that took it (None: kept as unknown), its text."""

    tag: str
    part: Part | None
    text: str | None


def _as_read(by_tag: dict[str, _Known], element: etree._Element) -> tuple[_AsRead, ...]:
    found, seen = [], set[str]()
    for child in element:
        tag = str(child.tag)
        known = by_tag.get(tag)
        # As in `read`: a second one, or nodes where a leaf is due, is kept as what nobody declared.
        if known is None or (not known.many and known.name in seen) or (known.node is None and len(child)):
            found.append(_AsRead(tag, None, None))
        else:
            seen.add(known.name)
            found.append(_AsRead(tag, known.part, None if known.node else child.text or ""))
    return tuple(found)


def _unknown(element: etree._Element, depth: int) -> Unknown:
    if depth > MAX_DEPTH:
        raise MalformedXML(f"the XML is nested more than {MAX_DEPTH} deep")
    children = tuple(_unknown(child, depth + 1) for child in element)
    return Unknown(str(element.tag), "" if children else element.text or "", children)


# Writing


@once_a_class
def _writing(cls: type[Node]) -> tuple[tuple[str, Part], ...]:
    return tuple((part.name, part) for part in parts(cls))


def _write(node: Node, tag: str, out: list[str]) -> None:
    """Append the text of a node."""
    held = node.__dict__
    start = len(out)
    out.append(f"<{tag}>")
    if "_as_read" in held:
        _write_as_read(node, out)
    else:
        for name, part in _writing(type(node)):
            value = held[name]
            if value is None:
                continue
            for one in value if part.many else (value,):
                _write_one(part.tag, part, one, out)
        for unknown in node.unknown:
            _write_unknown(unknown, out)
    if len(out) == start + 1:
        out[start] = f"<{tag}/>"
    else:
        out.append(f"</{tag}>")


def _write_as_read(node: Node, out: list[str]) -> None:
    """Append the children of a node that was read: in their order, then what came to it since."""
    waiting = {part.name: _listed(part, getattr(node, part.name)) for part in parts(type(node))}
    unknown = deque(node.unknown)
    for tag, part, text in node.__dict__["_as_read"]:
        if part is None:
            _write_unknown(unknown.popleft(), out)
        elif waiting[part.name]:
            value = waiting[part.name].popleft()
            _write_one(tag, part, value, out, text)
        else:  # an empty leaf that says nothing
            out.append(f"<{tag}/>")
    for part in parts(type(node)):
        for value in waiting[part.name]:
            _write_one(part.tag, part, value, out)
    for one in unknown:
        _write_unknown(one, out)


def _listed(part: Part, value: Any) -> deque[Any]:
    return deque(value if part.many else () if value is None else (value,))


def _write_one(tag: str, part: Part, value: Any, out: list[str], as_read: str | None = None) -> None:
    if part.node is not None:
        _write(value, tag, out)
        return
    if as_read is not None and part.parse(as_read) == value:
        text = as_read
    else:
        text = value if type(value) is str else part.text(value)
    if "&" in text or "<" in text or ">" in text or "\r" in text:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    out.append(f"<{tag}>{text}</{tag}>" if text else f"<{tag}/>")


def _write_unknown(unknown: Unknown, out: list[str]) -> None:
    """Append what nobody declared: lxml refuses what is no tag or no text, and writes namespaces."""
    out.append(etree.tostring(_element_of_unknown(unknown), encoding="unicode"))


def _element_of_unknown(unknown: Unknown) -> etree._Element:
    element = etree.Element(unknown.tag)
    element.text = unknown.text or None
    element.extend(_element_of_unknown(one) for one in unknown.children)
    return element
