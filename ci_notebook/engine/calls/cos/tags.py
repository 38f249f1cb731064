"""Tags of objects: up to ten pairs of key and value, kept apart from the bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lxml import etree

from ci_notebook.engine.calls.context import CallContext, Handler, bucket_of
from ci_notebook.engine.calls.cos.request_headers import TAGGING, Tags, check_tags, tags_of, tags_text
from ci_notebook.engine.calls.exchange import Answer, Exchange
from ci_notebook.engine.calls.objects import add_leaves, cos_answer
from ci_notebook.wire.service_errors import service_error
from ci_notebook.wire.xml import MalformedXML, parse


def get_object_tags(service: CallContext, exchange: Exchange) -> Answer:
    """Return the tags of an object. Raises `ServiceError` (NoSuchTagSet) when it has none."""
    bucket = bucket_of(service, exchange)
    stored = service.store.head(bucket.name, exchange.key)
    if stored is None:
        raise service_error("NoSuchKey", f"Bucket {bucket.name} has no object {exchange.key}.")
    if not stored.headers.get(TAGGING):
        raise service_error("NoSuchTagSet", f"The object {exchange.key[:80]} has no tags.")
    root = etree.Element("Tagging")
    tag_set = etree.SubElement(root, "TagSet")
    for key, value in tags_of(stored.headers[TAGGING]):
        add_leaves(etree.SubElement(tag_set, "Tag"), [("Key", key), ("Value", value)])
    return cos_answer(root)


def put_object_tags(service: CallContext, exchange: Exchange) -> Answer:
    """Replace the tags of an object."""
    bucket = bucket_of(service, exchange)
    text = tags_text(_tags_in(exchange.body.whole(exchange.headers.get("content-md5", ""))))
    service.store.change_headers(bucket.name, exchange.key, lambda headers: _with_tags(headers, text))
    return Answer()


def delete_object_tags(service: CallContext, exchange: Exchange) -> Answer:
    """Remove the tags of an object; the object stays."""
    bucket = bucket_of(service, exchange)
    service.store.change_headers(bucket.name, exchange.key, lambda headers: _with_tags(headers, ""))
    return Answer(204)


def _with_tags(headers: Mapping[str, str], text: str) -> dict[str, str]:
    rest = {name: value for name, value in headers.items() if name != TAGGING}
    return {**rest, TAGGING: text} if text else rest


def _tags_in(body: bytes) -> Tags:
    if not body.strip():
        raise service_error("MissingRequestBodyError", "The tags are missing: the body must be <Tagging>.")
    try:
        root = parse(body)
    except MalformedXML as error:
        raise service_error("MalformedXML", f"{error}.") from error
    if root.tag != "Tagging" or root.find("TagSet") is None:
        raise service_error("MalformedXML", f"The body must be <Tagging> with a <TagSet> (got <{root.tag}>).")
    return check_tags([(tag.findtext("Key") or "", tag.findtext("Value") or "") for tag in root.iterfind("TagSet/Tag")])


HANDLERS: Final[dict[str, Handler]] = {
    "get_object_tags": get_object_tags, "put_object_tags": put_object_tags, "delete_object_tags": delete_object_tags,
}  # fmt: skip
