"""Nodes to XML and back, derived from the declarations.

Invariant: reading and writing again gives the same XML. A node remembers, where it matters, the order
of its tags and the spelling of its numbers (`25.000000`), and it keeps content without a declaration.
`dataclasses.replace` forgets the spelling, but not the unknown content.

Every call uses this module twice, so it is fast: the layout of a class is computed once (`_reading`,
`_writing`), and XML is written as text. Only unknown content is built as an element tree.
"""

from __future__ import annotations

import codecs
import functools
import re
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

from lxml import etree

from ci_notebook.model.declaration.node import Node, Part, Unknown, cached_per_class, part_by_tag, parts, tag_of
from ci_notebook.model.errors import CIError
from ci_notebook.model.lru import LRU
from ci_notebook.model.text_bytes import decode, encoding_of

N = TypeVar("N", bound=Node)

# The longest documented body is a few kB; a list of 100 jobs is about 250 kB.
MAX_REQUEST_BYTES = 1 << 20
MAX_DEPTH = 32
# A tree takes up to a hundred times the memory of its text. A list of 1000 objects has 10,000 tags.
MAX_TAGS: Final = 500_000
# Of one element that is not declared: reading them takes time with the square of their number.
MAX_ATTRIBUTES: Final = 1000

_OF_THREAD = threading.local()
# Blanks, and characters that cannot be seen, which a copy from a page or a chat may carry along.
_BEFORE: Final = " \t\r\n\f\v\ufeff\u00a0\u00ad\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u2060\u3000"
_NOT_XML: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # the complement takes 6 ms
_DECLARATION: Final = re.compile(r"<\?xml[^>]*\?>\s*")


class MalformedXML(CIError, ValueError):
    """The bytes are not XML that we accept: broken, too deep, with a DTD, or with a wrong root."""


def parse(data: bytes) -> etree._Element:
    """Return the root element. Entities, DTDs and external files are refused.

    A byte-order mark and blanks before the XML are skipped. Raises `MalformedXML` with the position, or for more than
    `MAX_TAGS` tags and attributes.
    """
    if data.count(b"<") + data.count(b"=") > MAX_TAGS:
        raise MalformedXML(f"The XML has more than {MAX_TAGS} tags and attributes, which is the bound.")
    try:
        root = etree.fromstring(data if data[:1] == b"<" else _from_its_begin(data), _parser())
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        reason = error.msg if isinstance(error, etree.XMLSyntaxError) else error  # its text repeats the position
        raise MalformedXML(f"The XML cannot be read: {reason}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise MalformedXML("The XML has a document type; DTDs and entities are not allowed.")
    return root


def parse_text(text: str) -> etree._Element:
    """Return the root element of XML that is text already, as it was pasted; otherwise as `parse`.

    The encoding that its declaration names is that of the file from which it was copied, and means nothing here.

    >>> parse_text('<?xml version="1.0" encoding="gbk"?><Message>\u6c34</Message>').text
    '\u6c34'
    """
    try:
        data = _DECLARATION.sub("", text.lstrip(_BEFORE), count=1).encode()
    except UnicodeEncodeError as error:
        raise MalformedXML("The XML cannot be read: it contains half of a surrogate pair.") from error
    return parse(data)


def text_for_xml(text: str) -> str:
    r"""Return text with `\ufffd` for each character that XML cannot contain, even escaped.

    >>> text_for_xml("a\x00b")
    'a\ufffdb'
    """
    return _NOT_XML.sub("\ufffd", text)


def is_xml_text(text: str) -> bool:
    """Return whether a pasted text begins as XML does, after blanks and invisible characters."""
    return text.lstrip(_BEFORE).startswith("<")


def _from_its_begin(data: bytes) -> bytes:
    """Return XML without what other programs put before it; UTF-16 as UTF-8."""
    if encoding_of(data) in ("utf-8", "utf-8-sig"):
        return data.removeprefix(codecs.BOM_UTF8).lstrip()
    try:
        return _DECLARATION.sub("", decode(data).lstrip(_BEFORE), count=1).encode()
    except UnicodeDecodeError as error:
        raise MalformedXML(f"The XML cannot be read: {error}") from error


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
    """Read a node from XML. Lenient: values out of range and unknown nodes are kept.

    `root` is the required tag of the root element, if any. `cache` returns nodes that were read before from the
    same XML. Raises `MalformedXML`.

    >>> from ci_notebook.model.setting.enhance import MsSharpen
    >>> loads(MsSharpen, b"<MsSharpen><SharpenLevel>5</SharpenLevel></MsSharpen>")
    MsSharpen(sharpen_level=5)
    """
    element = parse(data)
    if root and element.tag != root:
        raise MalformedXML(f"The root element is <{element.tag}>; it must be <{root}>.")
    return read(cls, element, cache=cache)


def dumps(node: Node, root: str = "", *, pretty: bool = False) -> bytes:
    """Return the XML of a node, in UTF-8 with a declaration. `root` defaults to the name of the class."""
    if pretty:
        element = element_of(node, root)
        etree.indent(element)
        return etree.tostring(element, xml_declaration=True, encoding="utf-8", pretty_print=True)
    out = ["<?xml version='1.0' encoding='utf-8'?>\n"]
    _write(node, root or tag_of(type(node)), out)
    return "".join(out).encode()


def element_of(node: Node, tag: str = "") -> etree._Element:
    """Return a node as an element."""
    out: list[str] = []
    _write(node, tag or tag_of(type(node)), out)
    return etree.fromstring("".join(out))


# Reading


class _ReadRule(NamedTuple):
    """How to read one part. `place` is its position in XML order.

    `value` converts text to the value, and says whether that value would be written as the same text;
    None means that the text is the value. `is_own` is False for an alternative spelling of the tag.
    """

    part: Part
    name: str
    place: int
    is_own: bool
    many: bool
    node: type[Node] | None
    value: Callable[[str], tuple[Any, bool]] | None


@cached_per_class
def _reading(cls: type[Node]) -> tuple[dict[str, _ReadRule], dict[str, Any]]:
    """Return the parts of a class by tag, and the values of an empty node."""
    order = {part.tag: place for place, part in enumerate(parts(cls))}
    rules = {
        tag: _ReadRule(part, part.name, order[part.tag], tag == part.tag, part.many, part.node, _value_of(part))
        for tag, part in part_by_tag(cls).items()
    }
    return rules, {part.name: () if part.many else None for part in parts(cls)} | {"unknown": ()}


def _value_of(part: Part) -> Callable[[str], tuple[Any, bool]] | None:
    is_text = part.kind is str and not part.choices and not part.auto
    if part.node is not None or (is_text and part.param.reply):
        return None

    def read_text(text: str) -> tuple[Any, bool]:
        value = part.parse(text)
        return value, value is not None and part.text(value) == text

    if is_text:  # most texts differ, so caching them is no use
        return lambda text: (text, True) if text and not text.isspace() else read_text(text)

    cached = functools.lru_cache(maxsize=128)(read_text)
    # Long text in a numeric leaf is a mistake, and not worth caching.
    return lambda text: cached(text) if len(text) <= 32 else read_text(text)


def read(cls: type[N], element: etree._Element, depth: int = 0, cache: NodeCache | None = None) -> N:
    """Read a node from an element (see `loads`)."""
    if depth > MAX_DEPTH:
        raise MalformedXML(f"The XML is nested more than {MAX_DEPTH} levels deep.")
    by_tag, blank = _reading(cls)
    values = blank.copy()
    unknown: list[Unknown] = []
    used: set[str] = set()
    last, as_declared = 0, True
    for child in element:
        rule = by_tag.get(child.tag)
        if rule is None or (rule.name in used and _is_surplus(rule, child)) or (rule.node is None and len(child)):
            unknown.append(_unknown(child, depth + 1))
            as_declared = False
            continue
        _, name, place, is_own, many, node, value_of = rule
        value: Any
        if node is not None:
            value = read(node, child, depth + 1) if cache is None else cache.read(node, child, depth + 1)
        elif value_of is None:
            value = child.text or ""
        else:
            value, is_as_written = value_of(child.text or "")
            as_declared = as_declared and is_as_written
        if value is None or (not many and name in used):  # an empty leaf, which counts as absent
            as_declared = False
            continue
        if many and name in used:
            values[name].append(value)
        else:
            values[name] = [value] if many else value
            used.add(name)
        as_declared = as_declared and is_own and place >= last
        last = place
    for name in used:
        if type(values[name]) is list:
            values[name] = tuple(values[name])
    values["unknown"] = tuple(unknown)
    if not as_declared:
        values["_as_read"] = _as_read(by_tag, element)
    result = cls.__new__(cls)
    object.__setattr__(result, "__dict__", values)
    return result


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


def _is_surplus(rule: _ReadRule, child: etree._Element) -> bool:
    """Return whether one more child of a part that was read before is kept as unknown. An empty leaf is not."""
    return not rule.many and (rule.node is not None or bool((child.text or "").strip()))


class _AsRead(NamedTuple):
    """One child as it was read: its tag, its part and its text. Without a part it is unknown, or an empty leaf.

    An empty leaf has a text, if only blanks; unknown content has none.
    """

    tag: str
    part: Part | None
    text: str | None


def _as_read(by_tag: dict[str, _ReadRule], element: etree._Element) -> tuple[_AsRead, ...]:
    children, used = [], set[str]()
    for child in element:
        tag = str(child.tag)
        rule = by_tag.get(tag)
        text = child.text or ""
        # As in `read`: a repeated single part, or child nodes of a leaf, are kept as unknown.
        if rule is None or (rule.name in used and _is_surplus(rule, child)) or (rule.node is None and len(child)):
            children.append(_AsRead(tag, None, None))
        elif rule.node is None and (rule.part.parse(text) is None or (not rule.many and rule.name in used)):
            children.append(_AsRead(tag, None, text))
        else:
            used.add(rule.name)
            children.append(_AsRead(tag, rule.part, None if rule.node else text))
    return tuple(children)


def _unknown(element: etree._Element, depth: int) -> Unknown:
    """Return an element as unknown content. Blanks between its children are layout, and are not kept."""
    if depth > MAX_DEPTH:
        raise MalformedXML(f"The XML is nested more than {MAX_DEPTH} levels deep.")
    if len(element.attrib) > MAX_ATTRIBUTES:
        raise MalformedXML(f"An element of the XML has more than {MAX_ATTRIBUTES} attributes, which is the bound.")
    children = tuple(_unknown(child, depth + 1) for child in element)
    text, tail = element.text or "", element.tail or ""
    return Unknown(
        str(element.tag),
        "" if children and not text.strip() else text,
        children,
        tuple((str(name), str(value)) for name, value in element.items()),
        tail if tail.strip() else "",
    )


# Writing


@cached_per_class
def _writing(cls: type[Node]) -> tuple[tuple[str, Part], ...]:
    return tuple((part.name, part) for part in parts(cls))


def _write(node: Node, tag: str, out: list[str]) -> None:
    """Append the text of a node."""
    state = node.__dict__
    start = len(out)
    out.append(f"<{tag}>")
    if "_as_read" in state:
        _write_as_read(node, out)
    else:
        for name, part in _writing(type(node)):
            value = state[name]
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
    """Append the children of a node that was read: in their original order, then the added ones."""
    waiting = {part.name: _listed(part, getattr(node, part.name)) for part in parts(type(node))}
    unknown = deque(node.unknown)
    for tag, part, text in node.__dict__["_as_read"]:
        if part is not None:
            _write_one(tag, part, waiting[part.name].popleft(), out, text)
        elif text is None:
            _write_unknown(unknown.popleft(), out)
        else:  # an empty leaf
            out.append(f"<{tag}>{text}</{tag}>" if text else f"<{tag}/>")
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
    """Append unknown content. lxml refuses invalid tags and text, and writes namespaces."""
    out.append(etree.tostring(_element_of_unknown(unknown), encoding="unicode"))


def _element_of_unknown(unknown: Unknown) -> etree._Element:
    element = etree.Element(unknown.tag, dict(unknown.attributes))
    element.text, element.tail = unknown.text or None, unknown.tail or None
    element.extend(_element_of_unknown(one) for one in unknown.children)
    return element
