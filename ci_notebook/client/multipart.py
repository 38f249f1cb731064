"""Multipart uploads of large objects, which resume: parts that the service has are not sent again.

Invariant: this machine stores no state. The service lists the open uploads and their parts. A part is
reused when its MD5 equals the MD5 of the same section of the file.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

import httpx

from ci_notebook.client.connection.http import BACKOFF_S, RequestBody, Sender
from ci_notebook.client.connection.replies import Reply
from ci_notebook.client.paging import endless
from ci_notebook.model.errors import NotFound, ParameterError, ServiceError, ServiceUnavailable
from ci_notebook.wire.headers import size_of
from ci_notebook.wire.operations import CALL
from ci_notebook.wire.service_errors import error_in, service_error
from ci_notebook.wire.xml import parse

Progress = Callable[[int, int], None]

# Limits of the service for one part and one upload.
MIN_PART_BYTES: Final = 1 << 20
MAX_PART_BYTES: Final = 5 << 30
MAX_PARTS: Final = 10_000
# Large enough that the round trip of a part is negligible, small enough that a lost part costs little.
PART_BYTES: Final = 16 << 20

# Header with the MD5 of the whole object, because the ETag of a multipart object is not its MD5.
MD5_HEADER: Final = "x-cos-meta-md5"


@dataclass(frozen=True, kw_only=True)
class Source:
    """The bytes to upload: `size` in total; each call of `section(start, length)` reads some of them."""

    key: str
    size: int
    content_type: str
    section: Callable[[int, int], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class SourcePart:
    """One section of the source, and its MD5."""

    number: int
    start: int
    length: int
    md5: str


@dataclass(frozen=True, slots=True)
class UploadResult:
    """The result of an upload: the ETag of the object, and the MD5 of its content."""

    etag: str
    md5: str


def part_bytes_for(size: int, part_bytes: int | None = None) -> int:
    """Return the part size for an object. Raises `ParameterError` for a size that the service does not allow.

    >>> [part_bytes_for(size) >> 20 for size in (100 << 20, 1 << 40)]
    [16, 105]
    """
    least = max(MIN_PART_BYTES, -(-size // MAX_PARTS))
    if part_bytes is None:
        # Whole MiB, so that a file always has the same parts.
        part_bytes = max(PART_BYTES, -(-least // MIN_PART_BYTES) * MIN_PART_BYTES)
    if not least <= part_bytes <= MAX_PART_BYTES:
        raise ParameterError.plain(
            f"part_bytes is {part_bytes}, but an object of {size} bytes needs parts of {least} to {MAX_PART_BYTES} "
            "bytes. Leave part_bytes out to use the best size."
        )
    return part_bytes


def upload(
    sender: Sender,
    source: Source,
    *,
    part_bytes: int | None = None,
    keep_parts: bool = True,
    on_progress: Progress | None = None,
) -> UploadResult:
    """Upload a source in parts.

    An unfinished upload of this key is resumed: parts with the right MD5 are not sent again. If this
    upload breaks off, its parts stay for the next one, and are charged as storage; with `keep_parts`
    False they are removed. Raises `ServiceError` (`BadDigest`) when a part was damaged in transit.
    """
    step = part_bytes_for(source.size, part_bytes)
    parts, md5 = _digests(source, step)
    upload_id, stored = _open_upload(sender, source.key, parts) or (_start(sender, source, md5), {})
    sent = sum(part.length for part in parts if stored.get(part.number) == part.md5)
    try:
        for part in parts:
            if stored.get(part.number) != part.md5:
                _send(sender, source, part, upload_id, _PartProgress(on_progress, sent, source.size))
                sent += part.length
        etag = _complete(sender, source, upload_id, parts)
    except BaseException:
        if not keep_parts:
            with contextlib.suppress(httpx.TransportError, ServiceError):  # the first error is more useful
                sender.send(CALL["abort_multipart"], names={"key": source.key}, query={"uploadId": upload_id})
        raise
    if on_progress is not None:
        on_progress(source.size, source.size)
    return UploadResult(etag, md5)


def open_uploads(sender: Sender, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield key and id of each unfinished upload, the newest of a key last."""
    query = {"uploads": "", "prefix": prefix, "encoding-type": "url"}
    markers = {("", "")}
    while True:
        root = parse(sender.send(CALL["list_multiparts"], query=query).content)
        for one in root.iterfind("{*}Upload"):
            yield unquote(one.findtext("{*}Key") or ""), one.findtext("{*}UploadId") or ""
        following = unquote(root.findtext("{*}NextKeyMarker") or "")
        last = root.findtext("{*}NextUploadIdMarker") or ""
        if root.findtext("{*}IsTruncated") != "true":
            return
        if (following, last) in markers or root.find("{*}Upload") is None:
            raise endless("unfinished uploads")
        markers.add((following, last))
        query |= {"key-marker": following, "upload-id-marker": last}


def abort_uploads(sender: Sender, key: str) -> int:
    """Abort all unfinished uploads of a key, and return their number."""
    ids = [upload_id for one, upload_id in open_uploads(sender, key) if one == key]
    for upload_id in ids:
        sender.send(CALL["abort_multipart"], names={"key": key}, query={"uploadId": upload_id})
    return len(ids)


class _PartProgress:
    """Reports progress within one part, which may be sent more than once."""

    def __init__(self, report: Progress | None, before: int, size: int) -> None:
        self._report, self._before, self._size = report, before, size

    def __call__(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        sent = self._before
        for chunk in chunks:
            yield chunk
            sent += len(chunk)
            if self._report is not None and sent < self._size:
                self._report(sent, self._size)


def _digests(source: Source, step: int) -> tuple[list[SourcePart], str]:
    """Read the source once, for the MD5 of each part and of the whole."""
    whole, parts = hashlib.md5(usedforsecurity=False), []
    for number, start in enumerate(range(0, source.size, step), 1):
        length = min(step, source.size - start)
        digest = hashlib.md5(usedforsecurity=False)
        for chunk in source.section(start, length):
            digest.update(chunk)
            whole.update(chunk)
        parts.append(SourcePart(number, start, length, digest.hexdigest()))
    return parts, whole.hexdigest()


def _open_upload(sender: Sender, key: str, parts: list[SourcePart]) -> tuple[str, dict[int, str]] | None:
    """Return the open upload of this key with the most reusable parts, and the MD5 of its parts by number."""
    md5s = {part.number: part.md5 for part in parts}
    best: tuple[str, dict[int, str]] | None = None
    most = 0
    for one, upload_id in open_uploads(sender, key):
        if one != key:
            continue
        stored = _stored_parts(sender, key, upload_id)
        reusable = sum(1 for number, md5 in stored.items() if md5s.get(number) == md5)
        # An upload without any part of this file may belong to somebody else.
        if reusable > most:
            best, most = (upload_id, stored), reusable
    return best


def _stored_parts(sender: Sender, key: str, upload_id: str) -> dict[int, str]:
    stored: dict[int, str] = {}
    query = {"uploadId": upload_id, "max-parts": "1000"}
    while len(stored) <= MAX_PARTS:
        try:
            root = parse(sender.send(CALL["list_parts"], names={"key": key}, query=query).content)
        except NotFound:
            return {}  # ended after it was listed
        for part in root.iterfind("{*}Part"):
            tag = (part.findtext("{*}ETag") or "").strip('"').lower()
            stored[size_of(part.findtext("{*}PartNumber")) or 0] = tag
        if root.findtext("{*}IsTruncated") != "true":
            return stored
        following = root.findtext("{*}NextPartNumberMarker") or ""
        if not following.isdecimal() or int(following) <= int(query.get("part-number-marker", "0")):
            break
        query["part-number-marker"] = following
    raise endless("parts")


def _start(sender: Sender, source: Source, md5: str) -> str:
    headers = {"content-type": source.content_type, MD5_HEADER: md5}
    # Starting twice is harmless: an upload without parts costs nothing.
    response = _retry(sender, lambda: sender.send(CALL["start_multipart"], names={"key": source.key}, headers=headers))
    upload_id = parse(response.content).findtext("{*}UploadId")
    if not upload_id:
        raise ServiceError("InternalError", "The service started an upload, but its reply has no UploadId.", status=200)
    return upload_id


def _send(sender: Sender, source: Source, part: SourcePart, upload_id: str, progress: _PartProgress) -> None:
    query = {"partNumber": str(part.number), "uploadId": upload_id}
    body = RequestBody(part.length, lambda: progress(source.section(part.start, part.length)))
    response = sender.send(CALL["put_part"], names={"key": source.key}, query=query, body=body)
    etag = response.headers.get("etag", "").strip('"').lower()
    if etag and etag != part.md5:
        text = f"Part {part.number} of {source.key!r} was stored with MD5 {etag}, but {part.md5} was sent."
        raise service_error("BadDigest", text)


def _complete(sender: Sender, source: Source, upload_id: str, parts: list[SourcePart]) -> str:
    """Complete the upload, and return the ETag of the object."""
    # Numbers and hexadecimal digits only: nothing to escape.
    items = "".join(f'<Part><PartNumber>{part.number}</PartNumber><ETag>"{part.md5}"</ETag></Part>' for part in parts)
    xml = f"<CompleteMultipartUpload>{items}</CompleteMultipartUpload>"
    body, names = RequestBody.of(xml.encode(), "application/xml"), {"key": source.key}
    try:
        response = _retry(
            sender,
            lambda: sender.send(CALL["complete_multipart"], names=names, query={"uploadId": upload_id}, body=body),
        )
    except NotFound:
        # The upload has ended. If the object is as expected, an earlier attempt succeeded, and its reply was lost.
        headers = sender.send(CALL["head_object"], names=names).headers
        etag = str(headers.get("etag", "")).strip('"')
        if headers.get("content-length") != str(source.size) or not etag.endswith(f"-{len(parts)}"):
            raise
        return etag
    root = parse(response.content)
    error = error_in(root, status=200)
    if error is not None:
        raise error
    return (root.findtext("{*}ETag") or "").strip('"')


def _retry(sender: Sender, send: Callable[[], Reply]) -> Reply:
    """Send an idempotent POST, and retry it when the connection breaks."""
    for pause in BACKOFF_S:
        try:
            return send()
        except (httpx.TransportError, ServiceUnavailable):
            sender.sleep(pause)
    return send()
