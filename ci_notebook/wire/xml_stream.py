"""Reading long XML one element at a time: memory stays at one element, whatever the file's size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from lxml import etree

from ci_notebook.wire.xml import MalformedXML


def elements(source: IO[bytes], tag: str) -> Iterator[etree._Element]:
    """Yield each element called `tag`, and let go of it when the next is asked for.

    As in `wire.xml.parse`, no entity is expanded, no DTD taken, nothing fetched. Raises `MalformedXML`.
    """
    context = etree.iterparse(
        source, tag=tag, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        for number, (_, element) in enumerate(context):
            if number == 0 and element.getroottree().docinfo.doctype:
                raise MalformedXML("the XML has a document type; DTDs and entities are not taken")
            yield element
            element.clear(keep_tail=False)
            parent = element.getparent()
            while parent is not None and parent[0] is not element:
                del parent[0]
    except etree.XMLSyntaxError as error:
        raise MalformedXML(f"the XML cannot be read: {error}") from error
