"""Reads long XML one element at a time, so that memory use does not depend on the file size."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import IO

from lxml import etree

from ci_notebook.wire.xml import MalformedXML


def elements(source: IO[bytes], tag: str) -> Iterator[etree._Element]:
    """Yield each element with this tag, and free it when the next one is requested.

    Entities, DTDs and external files are refused, as in `wire.xml.parse`. Raises `MalformedXML`.
    """
    _skip_begin(source)
    context = etree.iterparse(
        source, tag=tag, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        for number, (_, element) in enumerate(context):
            if number == 0 and element.getroottree().docinfo.doctype:
                raise MalformedXML("The XML has a document type; DTDs and entities are not allowed.")
            yield element
            element.clear(keep_tail=False)
            parent = element.getparent()
            while parent is not None and parent[0] is not element:
                del parent[0]
    except etree.XMLSyntaxError as error:
        raise MalformedXML(f"The XML cannot be read: {error}") from error


def _skip_begin(source: IO[bytes]) -> None:
    """Skip a byte-order mark of UTF-8 and blanks before the XML declaration, which libxml2 refuses."""
    start = source.tell()
    begin = source.read(4096)
    xml = begin.removeprefix(codecs.BOM_UTF8).lstrip()
    source.seek(start + (len(begin) - len(xml) if xml[:1] == b"<" else 0))
