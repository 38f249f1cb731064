"""The calls on objects: put, get with ranges, head, delete, list. Bodies are streamed both ways."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from email.utils import formatdate
from typing import BinaryIO, Final

from lxml import etree

from ci_notebook.engine.calls.context import CallContext, Handler, bucket_of, number_in_query, word_in_query
from ci_notebook.engine.calls.exchange import CHUNK_BYTES, Answer, Exchange
from ci_notebook.engine.jobs.outcome import CRC_HEADER
from ci_notebook.engine.storage.object_store import ObjectRow
from ci_notebook.wire.headers import http_time_s
from ci_notebook.wire.operations import url_path
from ci_notebook.wire.service_errors import service_error
from ci_notebook.wire.xml import text_for_xml

MAX_PUT_BYTES: Final = 5 << 30
# Headers that PUT stores and GET returns, besides all x-cos-meta-…
OBJECT_HEADERS: Final = (
    "content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires",
)  # fmt: skip


def put_object(service: CallContext, exchange: Exchange) -> Answer:
    """Store an object. It replaces an older one with the same key."""
    bucket = bucket_of(service, exchange)
    if (exchange.body.length or 0) > MAX_PUT_BYTES:
        text = f"One PUT may have at most {MAX_PUT_BYTES} bytes (got {exchange.body.length}). Use a multipart upload."
        raise service_error("EntityTooLarge", text)
    stored = service.store.put(
        bucket.name, exchange.key, exchange.body.chunks(), headers=object_headers(exchange),
        content_md5=exchange.headers.get("content-md5", ""),
    )  # fmt: skip
    return Answer(headers={"ETag": f'"{stored.etag}"', CRC_HEADER: stored.headers[CRC_HEADER]})


def object_headers(exchange: Exchange) -> dict[str, str]:
    """Return the headers of a call that are stored with the object."""
    headers = exchange.headers.items()
    return {name: value for name, value in headers if name in OBJECT_HEADERS or name.startswith("x-cos-meta-")}


def get_object(service: CallContext, exchange: Exchange) -> Answer:
    """Return an object, or one byte range of it."""
    bucket = bucket_of(service, exchange)
    stored, file = service.store.open(bucket.name, exchange.key)
    try:
        status, headers, first, length = _answer_parts(exchange, stored)
    except BaseException:
        file.close()
        raise
    return Answer(status, FileRange(file, first, length), headers, length)


def head_object(service: CallContext, exchange: Exchange) -> Answer:
    """Return the headers that GET would return."""
    bucket = bucket_of(service, exchange)
    stored = service.store.head(bucket.name, exchange.key)
    if stored is None:
        raise service_error("NoSuchKey", f"Bucket {bucket.name} has no object {exchange.key}.")
    status, headers, _, length = _answer_parts(exchange, stored)
    return Answer(status, (), headers, length)


class FileRange:
    """A byte range of an open file, read in chunks of a quarter of a MiB. `close` closes the file."""

    def __init__(self, file: BinaryIO, first: int, length: int) -> None:
        self._file, self._first, self._left = file, first, length

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(self._first)
        while self._left > 0 and (piece := self._file.read(min(self._left, CHUNK_BYTES))):
            self._left -= len(piece)
            yield piece

    def wrapped(self, wrapper: Callable[[BinaryIO, int], Iterable[bytes]]) -> Iterable[bytes]:
        """Return the file, positioned at the range, in a server's `wsgi.file_wrapper`.

        Such a server stops at Content-Length, and closes the file.
        """
        self._file.seek(self._first)
        return wrapper(self._file, CHUNK_BYTES)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def delete_object(service: CallContext, exchange: Exchange) -> Answer:
    """Delete an object. A missing object is no error, because the result is the same."""
    service.store.delete(bucket_of(service, exchange).name, exchange.key)
    return Answer(204)


def head_bucket(service: CallContext, exchange: Exchange) -> Answer:
    """Return the region of a bucket."""
    return Answer(headers={"x-cos-bucket-region": bucket_of(service, exchange).region})


def list_objects(service: CallContext, exchange: Exchange) -> Answer:
    """Return a page of a bucket's keys."""
    bucket = bucket_of(service, exchange)
    query = exchange.query
    size = number_in_query(exchange, "max-keys", 1000, low=0, high=10**6)
    is_encoded = word_in_query(exchange, "encoding-type", "", ("", "url")) == "url"
    prefix, delimiter, marker = (query.get(name, "") for name in ("prefix", "delimiter", "marker"))
    page = service.store.list(bucket.name, prefix=prefix, delimiter=delimiter, marker=marker, size=min(size, 1000))

    def encoded(text: str) -> str:
        return url_path(text) if is_encoded else text

    facts: list[tuple[str, str]] = [("Name", bucket.name)]
    facts += [("EncodingType", "url")] if is_encoded else []
    facts += [("Prefix", encoded(prefix)), ("Marker", encoded(marker)), ("MaxKeys", str(min(size, 1000)))]
    facts += [("Delimiter", encoded(delimiter))] if delimiter else []
    facts += [("IsTruncated", "true" if page.next_marker else "false")]
    facts += [("NextMarker", encoded(page.next_marker))] if page.next_marker else []
    root = etree.Element("ListBucketResult")
    add_leaves(root, facts)
    for common in page.prefixes:
        add_leaves(etree.SubElement(root, "CommonPrefixes"), [("Prefix", encoded(common))])
    for stored in page.objects:
        add_object_entry(etree.SubElement(root, "Contents"), stored, encoded(stored.key), bucket.name)
    return cos_answer(root, {"x-cos-bucket-region": bucket.region})


def add_object_entry(element: etree._Element, stored: ObjectRow, key: str, bucket: str) -> None:
    """Add the facts of an object to its element in a listing."""
    facts = [("Key", key), ("LastModified", iso_time(stored.modified)), ("ETag", f'"{stored.etag}"')]
    add_leaves(element, [*facts, ("Size", str(stored.size))])
    add_owner(element, bucket)
    add_leaves(element, [("StorageClass", "STANDARD")])


def add_owner(element: etree._Element, bucket: str, tag: str = "Owner") -> None:
    """Add the owner: the account in the bucket's name."""
    account = bucket.rpartition("-")[2]
    add_leaves(etree.SubElement(element, tag), [("ID", account), ("DisplayName", account)])


def add_leaves(element: etree._Element, texts: list[tuple[str, str]]) -> None:
    """Add child elements with text. A listing with `encoding-type=url` loses no character of a key."""
    for tag, text in texts:
        etree.SubElement(element, tag).text = text_for_xml(text)


def cos_answer(root: etree._Element, headers: dict[str, str] | None = None) -> Answer:
    """Return an answer whose body is an XML element."""
    body = etree.tostring(root, xml_declaration=True, encoding="utf-8")
    return Answer(200, body, {"Content-Type": "application/xml", **(headers or {})})


def iso_time(seconds: float) -> str:
    """Return a time in the format of COS listings: `2020-12-10T03:37:30.000Z`."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _answer_parts(exchange: Exchange, stored: ObjectRow) -> tuple[int, dict[str, str], int, int]:
    """Return status and headers of the answer, and the first byte and the number of bytes to send."""
    headers = {name: value for name, value in stored.headers.items() if name not in OBJECT_HEADERS}
    for name in OBJECT_HEADERS:
        value = exchange.query.get(f"response-{name}") or stored.headers.get(name)
        if value:
            headers[name.title()] = _header_text(name, value)
    modified = formatdate(stored.modified, usegmt=True)
    headers |= {"ETag": f'"{stored.etag}"', "Last-Modified": modified, "Accept-Ranges": "bytes"}
    if not has_changed(exchange.headers, stored):
        return 304, headers, 0, 0
    span = byte_range(exchange.headers.get("range", ""), stored.size)
    if span is None:
        return 200, headers, 0, stored.size
    first, last = span
    headers["Content-Range"] = f"bytes {first}-{last}/{stored.size}"
    return 206, headers, first, last - first + 1


def _header_text(name: str, value: str) -> str:
    if not re.fullmatch("[\t\x20-\x7e\xa0-\xff]*", value):
        raise service_error("InvalidArgument", f"response-{name} must be one line of Latin-1 (got {value[:40]!r}).")
    return value


def has_changed(headers: Mapping[str, str], stored: ObjectRow) -> bool:
    """Return False when the request's conditions say that the caller has this version of the object.

    Raises `ServiceError` (PreconditionFailed).
    """
    tag = stored.etag
    # RFC 9110: an invalid date is ignored.
    since, until = http_time_s(headers.get("if-modified-since")), http_time_s(headers.get("if-unmodified-since"))
    if "if-match" in headers and not _names(headers["if-match"], tag):
        raise service_error("PreconditionFailed", f"If-Match names another ETag than {tag}.")
    if until is not None and int(stored.modified) > until and "if-match" not in headers:
        raise service_error("PreconditionFailed", "The object was modified after If-Unmodified-Since.")
    if "if-none-match" in headers:
        return not _names(headers["if-none-match"], tag)
    return since is None or int(stored.modified) > since


def _names(header: str, tag: str) -> bool:
    return header.strip() == "*" or tag in (part.strip().strip('"') for part in header.split(","))


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """Return the first and last byte of a Range header; None for the whole object, also when the header is invalid.

    Raises `ServiceError` (InvalidRange).
    """
    match = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", header.replace(" ", ""))
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        first, last = max(0, size - int(match[2])), size - 1
    else:
        first, last = int(match[1]), min(int(match[2] or size - 1), size - 1)
        if match[2] and int(match[2]) < first:
            return None
    if first >= size or first > last:
        raise service_error("InvalidRange", f"The object has {size} bytes; {header[:80]} starts after its end.")
    return first, last


HANDLERS: Final[dict[str, Handler]] = {
    "get_object": get_object, "head_object": head_object, "delete_object": delete_object, "head_bucket": head_bucket,
    "list_objects": list_objects,
}  # fmt: skip
