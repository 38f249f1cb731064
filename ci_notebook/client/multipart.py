"""Large files in parts: what is there already is not sent again, whoever sent it and when.

The rule of this file: nothing is remembered on this machine. The service lists the uploads that are
open and the parts that are there, and a part counts when its MD5 is that of the file's own stretch.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

import httpx

from ci_notebook.client.connection.http import BACK_OFF_S, Body, Sender
from ci_notebook.model.errors import NotFound, ParameterError, ServiceError, ServiceUnavailable
from ci_notebook.wire.operations import CALL
from ci_notebook.wire.service_errors import service_error
from ci_notebook.wire.xml import parse

Progress = Callable[[int, int], None]

# What one part and one upload take (§12).
LEAST_PART: Final = 1 << 20
LARGEST_PART: Final = 5 << 30
MOST_PARTS: Final = 10_000
# Large enough that a part's round trip does not count, small enough that little is lost with one.
PART_BYTES: Final = 16 << 20

# Where an object in parts says the MD5 of its whole: its ETag is another thing.
MD5_HEADER: Final = "x-cos-meta-md5"


@dataclass(frozen=True, kw_only=True)
class Source:
    """What is to be stored: `size` bytes, of which `stretch(start, length)` gives some, anew each time."""

    key: str
    size: int
    content_type: str
    stretch: Callable[[int, int], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of the source, and the MD5 it has."""

    number: int
    start: int
    length: int
    md5: str


@dataclass(frozen=True, slots=True)
class Made:
    """What came of an upload: the ETag of the whole, and its MD5."""

    etag: str
    md5: str


def part_bytes_for(size: int, part_bytes: int | None = None) -> int:
    """Return how long the parts of an object are. Raises `ParameterError` for what the service does not take.

    >>> [part_bytes_for(size) >> 20 for size in (100 << 20, 1 << 40)]
    [16, 105]
    """
    least = max(LEAST_PART, -(-size // MOST_PARTS))
    if part_bytes is None:
        # Whole MiB, so that the same file has the same parts each time.
        part_bytes = max(PART_BYTES, -(-least // LEAST_PART) * LEAST_PART)
    if not least <= part_bytes <= LARGEST_PART:
        allowed = f"{least} to {LARGEST_PART} bytes for an object of {size} bytes"
        raise ParameterError("part_bytes", part_bytes, allowed, "Leave it out to have it chosen.")
    return part_bytes


def upload(
    sender: Sender,
    source: Source,
    *,
    part_bytes: int | None = None,
    keep_parts: bool = True,
    on_progress: Progress | None = None,
) -> Made:
    """Store a source in parts.

    An upload of this key that was broken off is gone on with: parts that are there with the right MD5
    are not sent. If this one breaks off, its parts stay for the next, and are paid for as stored;
    with `keep_parts` False they are removed. Raises `ServiceError` (`BadDigest`) when a part arrived
    otherwise than it was read.
    """
    step = part_bytes_for(source.size, part_bytes)
    parts, md5 = _digests(source, step)
    upload_id, there = _open_upload(sender, source.key, parts) or (_start(sender, source, md5), {})
    done = sum(part.length for part in parts if there.get(part.number) == part.md5)
    try:
        for part in parts:
            if there.get(part.number) != part.md5:
                _send(sender, source, part, upload_id, _Telling(on_progress, done, source.size))
                done += part.length
        etag = _complete(sender, source, upload_id, parts)
    except BaseException:
        if not keep_parts:
            with contextlib.suppress(httpx.TransportError, ServiceError):  # why it broke off is the better news
                sender.send(CALL["abort_multipart"], names={"key": source.key}, query={"uploadId": upload_id})
        raise
    if on_progress is not None:
        on_progress(source.size, source.size)
    return Made(etag, md5)


def open_uploads(sender: Sender, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield key and id of each upload that was begun and not ended, the newest of a key last."""
    asked = {"uploads": "", "prefix": prefix, "encoding-type": "url"}
    while True:
        root = parse(sender.send(CALL["list_multiparts"], query=asked).content)
        for one in root.iterfind("{*}Upload"):
            yield unquote(one.findtext("{*}Key") or ""), one.findtext("{*}UploadId") or ""
        following = unquote(root.findtext("{*}NextKeyMarker") or "")
        last = root.findtext("{*}NextUploadIdMarker") or ""
        is_same = (asked.get("key-marker"), asked.get("upload-id-marker")) == (following, last)
        if root.findtext("{*}IsTruncated") != "true" or is_same:
            return
        asked |= {"key-marker": following, "upload-id-marker": last}


def abort_uploads(sender: Sender, key: str) -> int:
    """Remove the parts of all uploads of a key that were broken off, and return how many uploads there were."""
    ids = [upload_id for one, upload_id in open_uploads(sender, key) if one == key]
    for upload_id in ids:
        sender.send(CALL["abort_multipart"], names={"key": key}, query={"uploadId": upload_id})
    return len(ids)


class _Telling:
    """Progress within one part, which may be sent more than once."""

    def __init__(self, tell: Progress | None, before: int, size: int) -> None:
        self._tell, self._before, self._size = tell, before, size

    def __call__(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        done = self._before
        for chunk in chunks:
            yield chunk
            done += len(chunk)
            if self._tell is not None and done < self._size:
                self._tell(done, self._size)


def _digests(source: Source, step: int) -> tuple[list[Part], str]:
    """Read the source once, for the MD5 of each part and of the whole."""
    whole, parts = hashlib.md5(usedforsecurity=False), []
    for number, start in enumerate(range(0, source.size, step), 1):
        length = min(step, source.size - start)
        digest = hashlib.md5(usedforsecurity=False)
        for chunk in source.stretch(start, length):
            digest.update(chunk)
            whole.update(chunk)
        parts.append(Part(number, start, length, digest.hexdigest()))
    return parts, whole.hexdigest()


def _open_upload(sender: Sender, key: str, parts: list[Part]) -> tuple[str, dict[int, str]] | None:
    """Return the upload of this key that has most of what is to be sent, and its parts' MD5s by number."""
    wanted = {part.number: part.md5 for part in parts}
    best: tuple[str, dict[int, str]] | None = None
    most = 0
    for one, upload_id in open_uploads(sender, key):
        if one != key:
            continue
        there = _parts_there(sender, key, upload_id)
        fitting = sum(1 for number, md5 in there.items() if wanted.get(number) == md5)
        # One that has nothing of ours may be somebody else's, with another file.
        if fitting > most:
            best, most = (upload_id, there), fitting
    return best


def _parts_there(sender: Sender, key: str, upload_id: str) -> dict[int, str]:
    there: dict[int, str] = {}
    asked = {"uploadId": upload_id, "max-parts": "1000"}
    while True:
        try:
            root = parse(sender.send(CALL["list_parts"], names={"key": key}, query=asked).content)
        except NotFound:
            return {}  # ended since it was listed
        for part in root.iterfind("{*}Part"):
            tag = (part.findtext("{*}ETag") or "").strip('"').lower()
            there[int(part.findtext("{*}PartNumber") or 0)] = tag
        following = root.findtext("{*}NextPartNumberMarker") or ""
        if root.findtext("{*}IsTruncated") != "true" or following in ("", asked.get("part-number-marker")):
            return there
        asked["part-number-marker"] = following


def _start(sender: Sender, source: Source, md5: str) -> str:
    headers = {"content-type": source.content_type, MD5_HEADER: md5}
    # Twice does no harm: an upload without parts costs nothing.
    response = _again(sender, lambda: sender.send(CALL["start_multipart"], names={"key": source.key}, headers=headers))
    upload_id = parse(response.content).findtext("{*}UploadId")
    if not upload_id:
        raise ServiceError("InternalError", "the service began an upload without saying its id", status=200)
    return upload_id


def _send(sender: Sender, source: Source, part: Part, upload_id: str, telling: _Telling) -> None:
    query = {"partNumber": str(part.number), "uploadId": upload_id}
    body = Body(part.length, lambda: telling(source.stretch(part.start, part.length)))
    response = sender.send(CALL["put_part"], names={"key": source.key}, query=query, body=body)
    etag = response.headers.get("etag", "").strip('"').lower()
    if etag and etag != part.md5:
        text = f"part {part.number} of {source.key!r} was stored with MD5 {etag}, but {part.md5} was read"
        raise service_error("BadDigest", text)


def _complete(sender: Sender, source: Source, upload_id: str, parts: list[Part]) -> str:
    """Have the parts put together, and return the ETag of the whole."""
    # Numbers and hexadecimal digits only: nothing to escape.
    listed = "".join(f'<Part><PartNumber>{part.number}</PartNumber><ETag>"{part.md5}"</ETag></Part>' for part in parts)
    root = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>"
    body, names = Body.of(root.encode(), "application/xml"), {"key": source.key}
    try:
        response = _again(
            sender,
            lambda: sender.send(CALL["complete_multipart"], names=names, query={"uploadId": upload_id}, body=body),
        )
    except NotFound:
        # The upload has ended: by a first try whose answer was lost, if the object is there as it should be.
        headers = sender.send(CALL["head_object"], names=names).headers
        etag = str(headers.get("etag", "")).strip('"')
        if headers.get("content-length") != str(source.size) or not etag.endswith(f"-{len(parts)}"):
            raise
        return etag
    told = parse(response.content)
    if told.tag.rpartition("}")[2] == "Error":  # putting together takes long: an error may come after the 200
        raise service_error(told.findtext("{*}Code") or "InternalError", told.findtext("{*}Message") or "", status=200)
    return (told.findtext("{*}ETag") or "").strip('"')


def _again(sender: Sender, send: Callable[[], httpx.Response]) -> httpx.Response:
    """Send a POST that may come twice without harm, again where a connection breaks."""
    for pause in BACK_OFF_S:
        try:
            return send()
        except (httpx.TransportError, ServiceUnavailable):
            sender.sleep(pause)
    return send()
