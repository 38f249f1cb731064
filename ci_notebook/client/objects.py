"""Uploads, downloads and lists objects. Everything is streamed: no file is completely in memory."""

from __future__ import annotations

import hashlib
import math
import mimetypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final
from urllib.parse import quote, unquote

import httpx

from ci_notebook._folders import absolute, readable_file, reading
from ci_notebook.client import multipart
from ci_notebook.client.connection.http import BACKOFF_S, RequestBody, Sender
from ci_notebook.client.connection.replies import OBJECT_BYTES, UnreadableReply
from ci_notebook.client.file_cache import known_md5, whole_file
from ci_notebook.client.multipart import Progress
from ci_notebook.client.paging import endless
from ci_notebook.model.api.jobs import checked_md5
from ci_notebook.model.clip_summary import ClipSummary
from ci_notebook.model.errors import NotFound, ParameterError
from ci_notebook.wire.headers import size_of
from ci_notebook.wire.operations import CALL
from ci_notebook.wire.service_errors import error_in, service_error
from ci_notebook.wire.xml import parse

CHUNK_BYTES: Final = 256 * 1024
# Larger objects are uploaded in parts, because a broken connection loses a whole PUT.
MULTIPART_FROM_BYTES: Final = 64 << 20
MAX_KEY_BYTES: Final = 850
# Characters that turn the direction of the text around a name, and those that XML does not have.
_INVISIBLE: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffe\uffff")


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """Properties of an object. `etag` has no quotation marks.

    `md5` is the MD5 of the content: the ETag of a single PUT, or the header that our multipart upload
    wrote. Empty if unknown. `crc64` is the CRC-64 that the service computes for every object, if it is known.
    """

    key: str
    size_bytes: int
    etag: str = ""
    content_type: str = ""
    last_modified: str = ""
    md5: str = ""
    crc64: str = ""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A video in a bucket. `path` is the local file that was uploaded, if known.

    Its identity is bucket, key and content. `etag` stands for the content of an object whose MD5 is unknown.
    `summary` holds its size, rate, length, codec and sound as read from that file; None for the clip of a key, whose
    properties only the service knows (`lab.describe`).
    """

    key: str
    bucket: str
    region: str
    size_bytes: int
    md5: str = ""
    path: Path | None = None
    name: str = ""
    summary: ClipSummary | None = field(default=None, compare=False)
    etag: str = ""

    def __repr__(self) -> str:
        about = f"{self.summary}, " if self.summary else ""
        return f"Clip({self.name or self.key!r}, {about}{self.size_bytes:,} bytes)"

    def _repr_html_(self) -> str:
        about = f"{escape(str(self.summary))} · " if self.summary else ""
        return f"<p><b>{escape(self.name or self.key)}</b> · {about}{self.size_bytes:,} bytes · {escape(self.key)}</p>"


def clip_of(stored: StoredObject, *, bucket: str, region: str) -> Clip:
    """Return a stored object as a clip. Its name is the last part of its key."""
    return Clip(
        key=stored.key, bucket=bucket, region=region, size_bytes=stored.size_bytes, md5=stored.md5,
        name=PurePosixPath(stored.key).name, etag=stored.etag,
    )  # fmt: skip


def upload(
    sender: Sender,
    source: str | Path | bytes,
    key: str,
    *,
    on_progress: Progress | None = None,
    part_bytes: int | None = None,
    keep_parts: bool = True,
) -> StoredObject:
    """Upload a file or bytes to `key`, and return the stored object.

    Objects of 64 MiB and more are uploaded in parts of at least 16 MiB. With `part_bytes`, any object is
    uploaded in parts of that size. The same call resumes an interrupted multipart upload, also in another
    session; `keep_parts` False removes its parts instead.

    `on_progress` is called with the bytes stored so far and the size. Raises `ServiceError` (`BadDigest`)
    when the stored MD5 differs from the file's, and `ParameterError` for a key or size that the service
    does not allow.
    """
    check_key(key)
    path = None if isinstance(source, bytes) else Path(source)
    if isinstance(source, bytes):
        size = len(source)
    else:
        with reading(source):
            size = readable_file(source).stat().st_size
    kind = mimetypes.guess_type(path.name if path else key)[0] or "application/octet-stream"
    if part_bytes is not None or size >= MULTIPART_FROM_BYTES:

        def section(start: int, length: int) -> Iterator[bytes]:
            return _slices(source, start, length) if isinstance(source, bytes) else _read(Path(source), start, length)

        result = multipart.upload(
            sender, multipart.Source(key=key, size=size, content_type=kind, section=section),
            part_bytes=part_bytes, keep_parts=keep_parts, on_progress=on_progress,
        )  # fmt: skip
        return StoredObject(key=key, size_bytes=size, etag=result.etag, content_type=kind, md5=result.md5)
    digest = hashlib.md5(usedforsecurity=False)

    def chunks() -> Iterator[bytes]:
        nonlocal digest
        digest, sent = hashlib.md5(usedforsecurity=False), 0
        for chunk in _slices(source, 0, size) if isinstance(source, bytes) else _read(Path(source), 0, size):
            digest.update(chunk)
            yield chunk
            sent += len(chunk)
            if on_progress is not None and sent < size:
                on_progress(sent, size)

    response = sender.send(CALL["put_object"], names={"key": key}, body=RequestBody(size, chunks, kind))
    if on_progress is not None:
        on_progress(size, size)
    etag, md5 = response.headers.get("etag", "").strip('"'), digest.hexdigest()
    if etag and "-" not in etag and etag.lower() != md5:
        raise service_error("BadDigest", f"{key!r} was stored with MD5 {etag}, but {md5} was sent.")
    return StoredObject(key=key, size_bytes=size, etag=etag or md5, content_type=kind, md5=md5)


def copy(sender: Sender, key: str, to: str) -> StoredObject:
    """Copy the object `key` to the key `to`, inside the service. Raises `NotFound`."""
    check_key(key)
    check_key(to)
    headers = {"x-cos-copy-source": f"{sender.hosts['cos']}/{quote(key, safe='/-_.~')}"}
    root = parse(sender.send(CALL["put_object"], names={"key": to}, headers=headers).content)
    error = error_in(root, status=200)
    if error is not None:
        raise error
    return head(sender, to)


def upload_clip(
    sender: Sender, path: str | Path, key: str, *, apart: bool = False, on_progress: Progress | None = None,
    on_replace: Callable[[StoredObject], None] | None = None, crc64_of: Callable[[Path], str] | None = None,
) -> Clip:  # fmt: skip
    """Upload a video file and return it as a clip. Equal content is not sent again.

    It is stored under `key`, and `on_replace` is called before it replaces other content there. With `apart` it gets
    another key if `key` has other content: `input/a.mp4` becomes `input/a-1a2b3c4d.mp4`, with the beginning of the
    MD5, so that equal content has one key.
    `crc64_of` computes what tells whether an object without a known MD5 is equal. Raises `ParameterError` for a file
    that changes during the upload.
    """
    check_key(key)
    source = absolute(path)  # the clip remembers it, and `os.chdir` must not move it
    with reading(source):
        size, md5 = readable_file(source).stat().st_size, known_md5(source)

    def is_in(stored: StoredObject) -> bool:
        # An ETag of parts, or of an encrypted object, is no MD5: then the size and the CRC-64 decide.
        is_alike = stored.size_bytes == size and bool(stored.crc64) and crc64_of is not None
        return stored.md5 == md5 or (is_alike and crc64_of is not None and crc64_of(source) == stored.crc64)

    stored, is_stored = None, False
    for candidate in (key, *(_apart(key, md5[:length]) for length in (8, 16, 32))) if apart else (key,):
        stored = _head_or_none(sender, candidate)
        is_stored = stored is not None and is_in(stored)
        key = candidate
        if stored is None or is_stored:
            break
    if stored is not None and not is_stored and on_replace is not None:
        on_replace(stored)
    if not is_stored:
        result = upload(sender, source, key, on_progress=on_progress)
        if result.md5 != md5:
            raise ParameterError.plain(
                f"{source.name} changed while it was uploaded. Upload it again when the program that writes it is done."
            )
    elif on_progress is not None:
        on_progress(size, size)
    return Clip(
        key=key, bucket=sender.bucket, region=sender.region, size_bytes=size, md5=md5, path=source,
        name=readable(source.name),
    )  # fmt: skip


def replaced_content(clip: Clip, stored: StoredObject) -> bool:
    """Return whether an object no longer has the content of its clip, as far as that can be known."""
    if clip.md5 and stored.md5:
        return clip.md5.lower() != stored.md5.lower()
    if clip.etag and stored.etag:
        return clip.etag != stored.etag
    return bool(clip.size_bytes and clip.size_bytes != stored.size_bytes)


def refuse_replaced(clip: Clip, stored: StoredObject) -> None:
    """Raise `ParameterError` if another file was stored under the key of a clip: a job would render that one."""
    if replaced_content(clip, stored):
        raise ParameterError.plain(
            f"{clip.key} has other content than {clip.name or 'the clip'}: another file was stored under its key. "
            "Upload the clip again, without key= or with another key."
        )


def readable(name: str) -> str:
    r"""Return a file name as text: control characters and bytes that are not UTF-8 become `%0A`, `%E9`.

    >>> readable("caf\udce9\n.mp4")
    'caf%E9%0A.mp4'
    """
    return "".join(
        f"%{ord(char) & 0xFF:02X}" if "\udc80" <= char <= "\udcff" or char < " " or "\x7f" <= char <= "\x9f"
        else f"%{ord(char):04X}" if char in _INVISIBLE or "\ud800" <= char <= "\udfff"
        else char
        for char in name
    )  # fmt: skip


def key_for(folder: str, path: Path) -> str:
    """Return the object key of a file in a folder of the bucket: its name as text, as long as a key may be."""
    name, stem = readable(path.name), readable(path.stem)
    ending = name[len(stem) :]
    room = MAX_KEY_BYTES - len(f"{folder}{ending}".encode()) - 33  # for what tells equal names apart
    return f"{folder}{stem.encode()[: max(1, room)].decode(errors='ignore')}{ending}"


def _apart(key: str, md5: str) -> str:
    """Return a key with the beginning of an MD5 before its ending."""
    folder, slash, name = key.rpartition("/")
    stem, dot, ending = name.rpartition(".")
    return f"{folder}{slash}{stem}-{md5}{dot}{ending}" if stem else f"{folder}{slash}{name}-{md5}"


def _head_or_none(sender: Sender, key: str) -> StoredObject | None:
    try:
        return head(sender, key)
    except NotFound:
        return None


def download(sender: Sender, key: str, path: str | Path, *, on_progress: Progress | None = None) -> Path:
    """Download an object into a file, and return its path.

    The file appears only when it is complete; until then it is a temporary file in the same folder. After a
    broken connection the download resumes, as long as the object has not changed.
    """
    check_key(key)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as part, part.open("wb") as file:
        _Fetch(sender, key, on_progress).into(file)
    return target


class _Fetch:
    """One download and its progress."""

    def __init__(self, sender: Sender, key: str, on_progress: Progress | None) -> None:
        self._sender, self._key, self._on_progress = sender, key, on_progress
        self._received, self._total, self._etag = 0, 0, ""

    def into(self, file: BinaryIO) -> None:
        """Write the whole object, and resume after a broken connection."""
        for pause in (*BACKOFF_S, None):
            try:
                for chunk in self._rest():
                    file.write(chunk)
                    self._received += len(chunk)
                    if self._on_progress is not None:
                        self._on_progress(self._received, self._total)
                return
            except httpx.TransportError:
                if pause is None:
                    raise
                self._sender.sleep(pause)

    def _rest(self) -> Iterator[bytes]:
        """Yield the missing bytes. If-Match prevents mixing two versions of an object."""
        is_rest = bool(self._received and self._etag)
        headers = {"range": f"bytes={self._received}-", "if-match": self._etag} if is_rest else {}
        with self._sender.stream(CALL["get_object"], names={"key": self._key}, headers=headers) as response:
            # The reply may contain the whole object instead of the rest: skip the bytes that are already here.
            begins = self._received if response.status_code == 206 else 0
            skip = self._received - begins
            length = response.headers.get("content-length")
            self._total, self._etag = begins + int(length or 0), response.headers.get("etag", "")
            arrived, limit = 0, math.inf if length else head(self._sender, self._key).size_bytes
            for chunk in response.iter_raw(CHUNK_BYTES):
                arrived += len(chunk)
                if arrived > limit:
                    raise UnreadableReply(f"The service sends more bytes of {self._key} than the object has: {limit}.")
                rest, skip = chunk[skip:], max(0, skip - len(chunk))
                if rest:
                    yield rest
            if length is not None and arrived != int(length):
                raise httpx.ReadError(f"{arrived} of {length} bytes arrived")


def head(sender: Sender, key: str) -> StoredObject:
    """Return the properties of an object. Raises `NotFound`."""
    check_key(key)
    headers = sender.send(CALL["head_object"], names={"key": key}).headers
    etag = headers.get("etag", "").strip('"')
    return StoredObject(
        key=key,
        size_bytes=int(headers.get("content-length") or 0),
        etag=etag,
        content_type=headers.get("content-type", ""),
        last_modified=headers.get("last-modified", ""),
        md5=checked_md5(headers.get(multipart.MD5_HEADER, "") if "-" in etag else etag),
        crc64=headers.get("x-cos-hash-crc64ecma", ""),
    )


def read(sender: Sender, key: str) -> bytes:
    """Return the bytes of an object, all in memory: for images and small files, 256 MiB at most."""
    check_key(key)
    remedy = "Download a larger object into a file: lab.client.download(key, path)."
    return sender.send(CALL["get_object"], names={"key": key}, limit_bytes=OBJECT_BYTES, remedy=remedy).content


def delete(sender: Sender, key: str) -> None:
    """Delete an object. A missing object is no error."""
    check_key(key)
    sender.send(CALL["delete_object"], names={"key": key})


def listing(sender: Sender, prefix: str = "") -> Iterator[StoredObject]:
    """Yield the objects whose keys begin with `prefix`, in the order of their keys."""
    marker = ""
    while True:
        query = {"prefix": prefix, "marker": marker, "max-keys": "1000", "encoding-type": "url"}
        root = parse(sender.send(CALL["list_objects"], query=query).content)
        for one in root.iterfind("{*}Contents"):
            fields = {str(child.tag).rpartition("}")[2]: child.text or "" for child in one}
            yield StoredObject(
                key=unquote(fields.get("Key", "")),
                size_bytes=size_of(fields.get("Size")) or 0,
                etag=fields.get("ETag", "").strip('"'),
                last_modified=fields.get("LastModified", ""),
            )
        if root.findtext("{*}IsTruncated") != "true":
            return
        following = unquote(root.findtext("{*}NextMarker") or "")
        if following.encode() <= marker.encode():
            raise endless("objects")
        marker = following


def check_key(key: str) -> None:
    """Raise `ParameterError` for an invalid key."""
    # XML has no other control characters, and no halves of surrogate pairs.
    is_text = not any("\ud800" <= c <= "\udfff" or c in "\ufffe\uffff" or (c < " " and c not in "\t\n\r") for c in key)
    if not is_text or key.startswith("/") or not 1 <= len(key.encode()) <= MAX_KEY_BYTES:
        raise ParameterError.plain(
            f"{key!r:.80} is not a valid object key. "
            f"A key has 1 to {MAX_KEY_BYTES} bytes of UTF-8 and no leading slash; "
            "folders are part of the key, as in input/a.mp4."
        )


def _read(path: Path, start: int, length: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while length > 0 and (chunk := file.read(min(CHUNK_BYTES, length))):
            length -= len(chunk)
            yield chunk


def _slices(data: bytes, start: int, length: int) -> Iterator[bytes]:
    for at in range(start, start + length, CHUNK_BYTES):
        yield data[at : min(at + CHUNK_BYTES, start + length)]
