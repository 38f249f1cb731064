"""Delete Multiple Objects: up to a thousand keys in one call."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from lxml import etree

from ci_notebook.engine.calls.context import CallContext, Handler, bucket_of
from ci_notebook.engine.calls.exchange import Answer, Exchange
from ci_notebook.engine.calls.objects import add_leaves, cos_answer
from ci_notebook.wire.service_errors import service_error
from ci_notebook.wire.xml import MalformedXML, parse

MAX_KEYS: Final = 1000


def delete_objects(service: CallContext, exchange: Exchange) -> Answer:
    """Delete the objects that the body names. A key without an object counts as deleted."""
    bucket = bucket_of(service, exchange)
    is_quiet, named = _named(exchange)
    root = etree.Element("DeleteResult")
    for key, version in named:
        if not key or version not in ("", "null"):
            code = "NoSuchVersion" if key else "InvalidArgument"
            text = f"This engine keeps no versions of objects (got {version[:40]!r})." if key else "The key is empty."
            add_leaves(etree.SubElement(root, "Error"), [("Key", key), ("Code", code), ("Message", text)])
            continue
        service.store.delete(bucket.name, key)
        if not is_quiet:
            add_leaves(etree.SubElement(root, "Deleted"), [("Key", key)])
    return cos_answer(root)


def _named(exchange: Exchange) -> tuple[bool, list[tuple[str, str]]]:
    """Return whether only errors are answered, and each key with its version."""
    expected = exchange.headers.get("content-md5", "")
    if not expected:
        raise service_error("InvalidRequest", "Missing required header for this request: Content-MD5.")
    body = exchange.body.whole()
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    if expected.strip() != digest:
        raise service_error("BadDigest", f"Content-MD5 is {expected[:40]}, but the body's MD5 is {digest}.")
    try:
        root = parse(body)
    except MalformedXML as error:
        raise service_error("MalformedXML", f"{error}.") from error
    objects = root.findall("Object")
    if root.tag != "Delete" or not objects or any(one.find("Key") is None for one in objects):
        text = f"The body must be <Delete> with an <Object> and its <Key> for each object (got <{root.tag}>)."
        raise service_error("MalformedXML", text)
    if len(objects) > MAX_KEYS:
        text = f"One call deletes at most {MAX_KEYS} objects (got {len(objects)}). Nothing was deleted."
        raise service_error("MalformedXML", text)
    is_quiet = (root.findtext("Quiet") or "").strip().lower() == "true"
    return is_quiet, [(one.findtext("Key") or "", (one.findtext("VersionId") or "").strip()) for one in objects]


HANDLERS: Final[dict[str, Handler]] = {"delete_objects": delete_objects}
