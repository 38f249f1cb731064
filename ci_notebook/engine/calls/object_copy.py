"""PUT Object - Copy and Upload Part - Copy: make an object from another one, inside the engine."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from lxml import etree

from ci_notebook.engine.calls.context import CallContext, Handler, bucket_of
from ci_notebook.engine.calls.cos.request_headers import TAGGING, kept_headers
from ci_notebook.engine.calls.exchange import Answer, Exchange
from ci_notebook.engine.calls.objects import (
    FileRange,
    add_leaves,
    byte_range,
    cos_answer,
    described_headers,
    has_changed,
    iso_time,
    put_object,
    write_condition,
)
from ci_notebook.engine.storage.object_store import ObjectRow
from ci_notebook.engine.storage.uploads import Upload
from ci_notebook.wire.service_errors import service_error

SOURCE: Final = "x-cos-copy-source"
_PLACE: Final = re.compile(
    r"/?(?P<bucket>[a-z0-9-]+-[0-9]+)\.cos(-internal)?\.(?P<region>[a-z0-9-]+)\.[^/]+/(?P<key>.+)", re.DOTALL
)
_CONDITIONS: Final = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")


def put_or_copy(service: CallContext, exchange: Exchange) -> Answer:
    """Store an object: from the call's body, or from the object that a header names."""
    return (copy_object if SOURCE in exchange.headers else put_object)(service, exchange)


def copy_object(service: CallContext, exchange: Exchange) -> Answer:
    """Copy an object. Its headers and tags are copied too, unless a directive is Replaced.

    Its ACL, storage class and encryption are not: they are what this call asks for.
    """
    bucket = bucket_of(service, exchange)
    source = _source(service, exchange)
    has_tags = bool(exchange.headers.get(TAGGING, "").strip())
    directive = exchange.headers.get("x-cos-metadata-directive", "") or "Copy"
    if directive not in ("Copy", "Replaced"):
        text = f"x-cos-metadata-directive must be Copy or Replaced (got {directive[:40]!r})."
        raise service_error("InvalidArgument", text)
    tagging = exchange.headers.get("x-cos-tagging-directive", "") or ("Replaced" if has_tags else "Copy")
    if tagging not in ("Copy", "Replaced") or (tagging == "Copy" and has_tags):
        text = f"x-cos-tagging-directive must be Copy, or Replaced with {TAGGING} (got {tagging[:40]!r})."
        raise service_error("InvalidArgument", text)
    asked = kept_headers(exchange.headers)
    is_same = (source.bucket, source.key) == (bucket.name, exchange.key)
    if is_same and directive == tagging == "Copy" and not asked:
        text = "To copy an object onto itself, change its headers with x-cos-metadata-directive: Replaced."
        raise service_error("InvalidRequest", text)
    described = described_headers(exchange.headers if directive == "Replaced" else source.headers)
    tags = {TAGGING: source.headers[TAGGING]} if tagging == "Copy" and TAGGING in source.headers else {}
    condition = write_condition(exchange)
    condition(service.store.head(bucket.name, exchange.key))
    stored = service.store.copy(
        source, bucket.name, exchange.key, headers={**described, **tags, **asked}, condition=condition
    )
    return _copy_answer("CopyObjectResult", stored.etag, stored.modified)


def copy_part(service: CallContext, exchange: Exchange, upload: Upload, number: int) -> Answer:
    """Store a part that is copied from another object, or from a byte range of it."""
    source = _source(service, exchange)
    stored, file = service.store.open(source.bucket, source.key)
    with file:
        md5 = service.uploads.put(upload, number, FileRange(file, *_copy_range(exchange, stored.size)))
    return _copy_answer("CopyPartResult", md5, service.clock())


def _source(service: CallContext, exchange: Exchange) -> ObjectRow:
    """Return the object that the header names, if the conditions in the other headers hold."""
    text, _, version = exchange.headers[SOURCE].partition("?versionId=")
    place = _PLACE.fullmatch(text)
    if place is None:
        example = "<bucket>-<appid>.cos.<region>.myqcloud.com/<key, URL-encoded>"
        raise service_error("InvalidArgument", f"{SOURCE} must be {example} (got {text[:120]!r}).")
    if version not in ("", "null"):
        raise service_error(
            "NoSuchVersion", f"Objects have no versions here. Leave out versionId (got {version[:40]!r})."
        )
    bucket, key = service.catalogue.bucket(place["bucket"]), unquote(place["key"])
    if bucket is None or bucket.region != place["region"]:
        raise service_error("NoSuchBucket", f"There is no bucket {place['bucket']} in {place['region']}.")
    source = service.store.head(bucket.name, key)
    if source is None:
        raise service_error("NoSuchKey", f"Bucket {bucket.name} has no object {key[:80]}.")
    conditions = {
        name: exchange.headers[f"{SOURCE}-{name}"] for name in _CONDITIONS if f"{SOURCE}-{name}" in exchange.headers
    }
    if not has_changed(conditions, source):
        raise service_error("PreconditionFailed", "The source does not meet the conditions of the copy.")
    return source


def _copy_range(exchange: Exchange, size: int) -> tuple[int, int]:
    """Return the first byte to copy, and the number of bytes."""
    first, last = byte_range(exchange.headers.get(f"{SOURCE}-range", ""), size) or (0, size - 1)
    return first, last - first + 1


def _copy_answer(tag: str, etag: str, modified: float) -> Answer:
    root = etree.Element(tag)
    add_leaves(root, [("ETag", f'"{etag}"'), ("LastModified", iso_time(modified))])
    return cos_answer(root)


HANDLERS: Final[dict[str, Handler]] = {"put_object": put_or_copy}
