"""Objects of a bucket, streamed both ways: no file is ever in memory as a whole."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import quote, unquote

import httpx

from ci_notebook.client import multipart
from ci_notebook.client.connection.http import BACK_OFF_S, Body, Sender
from ci_notebook.client.file_cache import whole_file
from ci_notebook.client.multipart import Progress
from ci_notebook.model.errors import NotFound, ParameterError
from ci_notebook.wire.operations import CALL
from ci_notebook.wire.service_errors import service_error
from ci_notebook.wire.xml import parse

CHUNK_BYTES: Final = 256 * 1024
# A connection that breaks loses what one PUT has sent.
IN_PARTS_FROM: Final = 64 << 20
LONGEST_KEY: Final = 850


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """What the service says of an object. `etag` has no quotation marks.

    `md5` is that of the content: the ETag of a single PUT, or what our own upload in parts wrote beside
    the object; empty where nobody knows.
    """

    key: str
    size_bytes: int
    etag: str = ""
    content_type: str = ""
    last_modified: str = ""
    md5: str = ""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A video in a bucket, and where it came from if that is known."""

    key: str
    bucket: str
    region: str
    size_bytes: int
    md5: str = ""
    path: Path | None = None
    name: str = ""

    def __repr__(self) -> str:
        return f"Clip({self.name or self.key!r}, {self.size_bytes:,} bytes)"

    def _repr_html_(self) -> str:
        return f"<p><b>{escape(self.name or self.key)}</b> · {self.size_bytes:,} bytes · {escape(self.key)}</p>"


def upload(
    sender: Sender,
    source: str | Path | bytes,
    key: str,
    *,
    on_progress: Progress | None = None,
    part_bytes: int | None = None,
    keep_parts: bool = True,
) -> StoredObject:
    """Store a file, or bytes, under `key`, and return what is stored.

    From 64 MiB on it goes in parts of 16 MiB or more, and from any size on in parts of `part_bytes`
    if that is given. An upload in parts that breaks off is gone on with by the same call later, in
    another session too; `keep_parts` False removes what is there instead.

    `on_progress` gets the bytes that are there and the size. What arrives is checked against what was
    read: raises `ServiceError` (`BadDigest`) when they differ, and `ParameterError` for a key or size
    that the service does not take.
    """
    check_key(key)
    path = None if isinstance(source, bytes) else Path(source)
    size = len(source) if isinstance(source, bytes) else Path(source).stat().st_size
    kind = mimetypes.guess_type(path.name if path else key)[0] or "application/octet-stream"
    if part_bytes is not None or size >= IN_PARTS_FROM:

        def stretch(start: int, length: int) -> Iterator[bytes]:
            return _slices(source, start, length) if isinstance(source, bytes) else _read(Path(source), start, length)

        made = multipart.upload(
            sender, multipart.Source(key=key, size=size, content_type=kind, stretch=stretch),
            part_bytes=part_bytes, keep_parts=keep_parts, on_progress=on_progress,
        )  # fmt: skip
        return StoredObject(key=key, size_bytes=size, etag=made.etag, content_type=kind, md5=made.md5)
    digest = hashlib.md5(usedforsecurity=False)

    def chunks() -> Iterator[bytes]:
        nonlocal digest
        digest, done = hashlib.md5(usedforsecurity=False), 0
        for chunk in _slices(source, 0, size) if isinstance(source, bytes) else _read(Path(source), 0, size):
            digest.update(chunk)
            yield chunk
            done += len(chunk)
            if on_progress is not None and done < size:
                on_progress(done, size)

    response = sender.send(CALL["put_object"], names={"key": key}, body=Body(size, chunks, kind))
    if on_progress is not None:
        on_progress(size, size)
    etag, md5 = response.headers.get("etag", "").strip('"'), digest.hexdigest()
    if etag and "-" not in etag and etag.lower() != md5:
        raise service_error("BadDigest", f"{key!r} was stored with MD5 {etag}, but {md5} was read")
    return StoredObject(key=key, size_bytes=size, etag=etag or md5, content_type=kind, md5=md5)


def copy(sender: Sender, key: str, to: str) -> StoredObject:
    """Make the object `to` of the object `key`, within the service: no byte travels. Raises `NotFound`."""
    check_key(key)
    check_key(to)
    headers = {"x-cos-copy-source": f"{sender.hosts['cos']}/{quote(key, safe='/-_.~')}"}
    root = parse(sender.send(CALL["put_object"], names={"key": to}, headers=headers).content)
    if root.tag.rpartition("}")[2] == "Error":  # copying may take long: an error may come after the 200
        raise service_error(root.findtext("{*}Code") or "", root.findtext("{*}Message") or "", status=200)
    return head(sender, to)


def upload_clip(sender: Sender, path: str | Path, key: str, *, on_progress: Progress | None = None) -> Clip:
    """Store a video file under `key` and return it as a clip. The same content is not sent again."""
    source = Path(path)
    digest = hashlib.md5(usedforsecurity=False)
    size = source.stat().st_size
    for chunk in _read(source, 0, size):
        digest.update(chunk)
    md5 = digest.hexdigest()
    try:
        is_there = head(sender, key).md5 == md5
    except NotFound:
        is_there = False
    if not is_there:
        upload(sender, source, key, on_progress=on_progress)
    elif on_progress is not None:
        on_progress(size, size)
    return Clip(
        key=key, bucket=sender.bucket, region=sender.region, size_bytes=size, md5=md5, path=source, name=source.name
    )


def download(sender: Sender, key: str, path: str | Path, *, on_progress: Progress | None = None) -> Path:
    """Fetch an object into a file, and return its path.

    The file appears only when it is whole: until then it is a temporary one beside it. A connection that breaks
    is taken up where it broke, as long as the object is still the same.
    """
    check_key(key)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as part, part.open("wb") as file:
        _Fetch(sender, key, on_progress).into(file)
    return target


class _Fetch:
    """One download, and how far it has come."""

    def __init__(self, sender: Sender, key: str, on_progress: Progress | None) -> None:
        self._sender, self._key, self._on_progress = sender, key, on_progress
        self._done, self._total, self._etag = 0, 0, ""

    def into(self, file: BinaryIO) -> None:
        """Write the whole object, taking it up again where a connection breaks."""
        for pause in (*BACK_OFF_S, None):
            try:
                for chunk in self._rest():
                    file.write(chunk)
                    self._done += len(chunk)
                    if self._on_progress is not None:
                        self._on_progress(self._done, self._total)
                return
            except httpx.TransportError:
                if pause is None:
                    raise
                self._sender.sleep(pause)

    def _rest(self) -> Iterator[bytes]:
        """Yield what is missing. If-Match keeps two versions of an object from being joined."""
        is_rest = bool(self._done and self._etag)
        headers = {"range": f"bytes={self._done}-", "if-match": self._etag} if is_rest else {}
        with self._sender.stream(CALL["get_object"], names={"key": self._key}, headers=headers) as response:
            # An answer in full, though the rest was asked for: what is there already is passed over.
            begins = self._done if response.status_code == 206 else 0
            skip = self._done - begins
            length = response.headers.get("content-length")
            self._total, self._etag = begins + int(length or 0), response.headers.get("etag", "")
            got = 0
            for chunk in response.iter_raw(CHUNK_BYTES):
                got += len(chunk)
                kept, skip = chunk[skip:], max(0, skip - len(chunk))
                if kept:
                    yield kept
            if length is not None and got != int(length):
                raise httpx.ReadError(f"{got} of {length} bytes arrived")


def head(sender: Sender, key: str) -> StoredObject:
    """Return what the service says of an object. Raises `NotFound`."""
    check_key(key)
    headers = sender.send(CALL["head_object"], names={"key": key}).headers
    etag = headers.get("etag", "").strip('"')
    return StoredObject(
        key=key,
        size_bytes=int(headers.get("content-length") or 0),
        etag=etag,
        content_type=headers.get("content-type", ""),
        last_modified=headers.get("last-modified", ""),
        md5=(headers.get(multipart.MD5_HEADER, "") if "-" in etag else etag).lower(),
    )


def read(sender: Sender, key: str) -> bytes:
    """Return an object's bytes, all in memory: for pictures and small files."""
    check_key(key)
    return sender.send(CALL["get_object"], names={"key": key}).content


def delete(sender: Sender, key: str) -> None:
    """Delete an object. One that is not there is no error."""
    check_key(key)
    sender.send(CALL["delete_object"], names={"key": key})


def listing(sender: Sender, prefix: str = "") -> Iterator[StoredObject]:
    """Yield the objects whose keys begin with `prefix`, in the order of their keys."""
    marker = ""
    while True:
        asked = {"prefix": prefix, "marker": marker, "max-keys": "1000", "encoding-type": "url"}
        root = parse(sender.send(CALL["list_objects"], query=asked).content)
        for one in root.iterfind("{*}Contents"):
            held = {str(child.tag).rpartition("}")[2]: child.text or "" for child in one}
            yield StoredObject(
                key=unquote(held.get("Key", "")),
                size_bytes=int(held.get("Size") or 0),
                etag=held.get("ETag", "").strip('"'),
                last_modified=held.get("LastModified", ""),
            )
        following = unquote(root.findtext("{*}NextMarker") or "")
        if root.findtext("{*}IsTruncated") != "true" or not following or following == marker:
            return
        marker = following


def check_key(key: str) -> None:
    """Raise `ParameterError` for what is no key."""
    is_text = not any("\ud800" <= char <= "\udfff" for char in key)
    if not is_text or "\0" in key or key.startswith("/") or not 1 <= len(key.encode()) <= LONGEST_KEY:
        raise ParameterError(
            "a key", key, f"1 to {LONGEST_KEY} bytes of UTF-8 without a leading slash", "Folders are part of the key."
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
