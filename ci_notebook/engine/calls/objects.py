"""The calls on objects: put, get with ranges, head, delete, list. Bodies are streamed both ways."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from email.utils import formatdate
from typing import BinaryIO, Final

from lxml import etree

from ci_notebook.engine.calls.context import CallContext, Handler, bucket_of, number_in_query, word_in_query
from ci_notebook.engine.calls.cos.request_headers import (
    ENCRYPTION,
    FORBID_OVERWRITE,
    META,
    SHA1,
    STORAGE_CLASS,
    answered_headers,
    kept_headers,
)
from ci_notebook.engine.calls.exchange import CHUNK_BYTES, Answer, Exchange
from ci_notebook.engine.jobs.outcome import CRC_HEADER
from ci_notebook.engine.storage.bucket_settings import Bucket
from ci_notebook.engine.storage.object_keys import check_key
from ci_notebook.engine.storage.object_store import Listing, ObjectRow, read_digest
from ci_notebook.model.errors import ServiceError
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
    bucket = check_put(service, exchange)
    stored = service.store.put(
        bucket.name, exchange.key, body_chunks(exchange), headers=object_headers(exchange),
        content_md5=exchange.headers.get("content-md5", ""), condition=write_condition(exchange),
    )  # fmt: skip
    told = {name: stored.headers[name] for name in (CRC_HEADER, ENCRYPTION) if name in stored.headers}
    return Answer(headers={"ETag": f'"{stored.etag}"', **told})


def check_put(service: CallContext, exchange: Exchange) -> Bucket:
    """Return the bucket of a PUT. Raises `ServiceError` for what the head shows, such as its size."""
    bucket = bucket_of(service, exchange)
    check_body(exchange)
    check_key(exchange.key)
    write_condition(exchange)(service.store.head(bucket.name, exchange.key))
    return bucket


def check_body(exchange: Exchange) -> None:
    """Raise `ServiceError` for a body that is larger than one PUT may be, or whose Content-MD5 is none."""
    if (exchange.body.length or 0) > MAX_PUT_BYTES:
        raise too_large_body(exchange.body.length)
    read_digest(exchange.headers.get("content-md5", ""))


def too_large_body(got: int | None = None) -> ServiceError:
    """Return the error for an object or part that is too large for one call."""
    more = "" if got is None else f" (got {got})"
    text = f"One PUT may have at most {MAX_PUT_BYTES} bytes{more}. Use a multipart upload with more parts."
    return service_error("EntityTooLarge", text)


def object_headers(exchange: Exchange) -> dict[str, str]:
    """Return the headers of a call that are stored with the object."""
    return described_headers(exchange.headers) | kept_headers(exchange.headers)


def described_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that describe an object: its type, its caching and what the caller noted."""
    return {name: value for name, value in headers.items() if name in OBJECT_HEADERS or name.startswith(META)}


def body_chunks(exchange: Exchange) -> Iterator[bytes]:
    """Yield the body of a call that stores it.

    Raises `ServiceError`: MissingContentLength when there is neither a length nor chunks, as for a PUT whose body
    was forgotten, and InvalidSHA1Digest at the end of a body with another SHA-1 than the caller says.
    """
    if exchange.body.length is None and "transfer-encoding" not in exchange.headers:
        raise service_error("MissingContentLength", "The request has no Content-Length. Send 0 for an empty body.")
    expected = exchange.headers.get(SHA1, "").strip().lower()
    digest = hashlib.sha1(usedforsecurity=False)
    for chunk in exchange.body.chunks():
        if expected:
            digest.update(chunk)
        yield chunk
    if expected and expected != digest.hexdigest():
        text = f"{SHA1} is {expected[:40]}, but the body's SHA-1 is {digest.hexdigest()}."
        raise service_error("InvalidSHA1Digest", text)


def write_condition(exchange: Exchange) -> Callable[[ObjectRow | None], None]:
    """Return a check of the object that a call would replace: it raises when the call must not replace it."""
    headers = exchange.headers
    is_new = headers.get(FORBID_OVERWRITE, "").strip().lower() == "true"

    def check(current: ObjectRow | None) -> None:
        if is_new and current is not None:
            raise service_error("FileAlreadyExists", f"The object {exchange.key[:80]} exists already.")
        if current is not None and _names(headers.get("if-none-match", ""), current.etag):
            raise service_error("PreconditionFailed", "An object with this key exists, and If-None-Match excludes it.")
        if "if-match" in headers and (current is None or not _names(headers["if-match"], current.etag)):
            raise service_error("PreconditionFailed", "The key has no object with an ETag that If-Match names.")

    return check


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


def _page(service: CallContext, exchange: Exchange, bucket: str, marker: str) -> tuple[int, Listing, bool]:
    """Return the largest size of a page of keys, the page after `marker`, and whether its keys are percent-encoded."""
    size = min(number_in_query(exchange, "max-keys", 1000, low=0, high=10**6), 1000)
    is_encoded = word_in_query(exchange, "encoding-type", "", ("", "url")) == "url"
    prefix, delimiter = (exchange.query.get(name, "") for name in ("prefix", "delimiter"))
    page = service.store.list(bucket, prefix=prefix, delimiter=delimiter, marker=marker, size=size)
    return size, page, is_encoded or needs_encoding(page)


def list_objects(service: CallContext, exchange: Exchange) -> Answer:
    """Return a page of a bucket's keys."""
    bucket, query = bucket_of(service, exchange), exchange.query
    prefix, delimiter, marker = (query.get(name, "") for name in ("prefix", "delimiter", "marker"))
    size, page, is_encoded = _page(service, exchange, bucket.name, marker)

    def encoded(text: str) -> str:
        return url_path(text) if is_encoded else text

    facts: list[tuple[str, str]] = [("Name", bucket.name)]
    facts += [("EncodingType", "url")] if is_encoded else []
    facts += [("Prefix", encoded(prefix)), ("Marker", encoded(marker)), ("MaxKeys", str(size))]
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


def list_versions(service: CallContext, exchange: Exchange) -> Answer:
    """Return a page of a bucket's keys, each with its only version, `null`."""
    bucket, query = bucket_of(service, exchange), exchange.query
    prefix, delimiter, marker = (query.get(name, "") for name in ("prefix", "delimiter", "key-marker"))
    size, page, is_encoded = _page(service, exchange, bucket.name, marker)

    def encoded(text: str) -> str:
        return url_path(text) if is_encoded else text

    root = etree.Element("ListVersionsResult")
    add_leaves(root, [("EncodingType", "url")] if is_encoded else [])
    add_leaves(root, [("Name", bucket.name), ("Prefix", encoded(prefix)), ("KeyMarker", encoded(marker))])
    add_leaves(root, [("VersionIdMarker", query.get("version-id-marker", "")), ("MaxKeys", str(size))])
    add_leaves(root, [("Delimiter", encoded(delimiter))] if delimiter else [])
    add_leaves(root, [("IsTruncated", "true" if page.next_marker else "false")])
    add_leaves(root, [("NextKeyMarker", encoded(page.next_marker))] if page.next_marker else [])
    for common in page.prefixes:
        add_leaves(etree.SubElement(root, "CommonPrefixes"), [("Prefix", encoded(common))])
    for stored in page.objects:
        version = etree.SubElement(root, "Version")
        add_object_entry(version, stored, encoded(stored.key), bucket.name)
        add_leaves(version, [("VersionId", "null"), ("IsLatest", "true")])
    return cos_answer(root, {"x-cos-bucket-region": bucket.region})


def needs_encoding(page: Listing) -> bool:
    """Return whether a key has a character that XML cannot carry, so that the page is percent-encoded anyway."""
    keys = (*page.prefixes, *(stored.key for stored in page.objects))
    return any(text_for_xml(key) != key for key in keys)


def add_object_entry(element: etree._Element, stored: ObjectRow, key: str, bucket: str) -> None:
    """Add the facts of an object to its element in a listing."""
    facts = [("Key", key), ("LastModified", iso_time(stored.modified)), ("ETag", f'"{stored.etag}"')]
    add_leaves(element, [*facts, ("Size", str(stored.size))])
    add_owner(element, bucket)
    add_leaves(element, [("StorageClass", stored.headers.get(STORAGE_CLASS, "STANDARD"))])


def add_owner(element: etree._Element, bucket: str, tag: str = "Owner") -> None:
    """Add the owner: the account in the bucket's name."""
    account = bucket.rpartition("-")[2]
    add_leaves(etree.SubElement(element, tag), [("ID", account), ("DisplayName", account)])


def add_leaves(element: etree._Element, texts: list[tuple[str, str]]) -> None:
    """Add child elements with text. A character that XML cannot carry becomes U+FFFD; listings encode such keys."""
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
    headers = {name: value for name, value in answered_headers(stored.headers).items() if name not in OBJECT_HEADERS}
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
    "list_objects": list_objects, "list_versions": list_versions,
}  # fmt: skip
