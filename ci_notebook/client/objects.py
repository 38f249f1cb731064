"""Objects of a bucket, streamed both ways: no file is ever in memory as a whole."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import unquote

import httpx

from ci_notebook.client.sending import BACK_OFF_S, Body, Sender
from ci_notebook.model.errors import NotFound, ParameterError
from ci_notebook.wire.errors import service_error
from ci_notebook.wire.operations import CALL
from ci_notebook.wire.xml import parse

Progress = Callable[[int, int], None]

CHUNK_BYTES: Final = 256 * 1024
# One PUT takes no more (§12).
LARGEST_PUT: Final = 5 * 1024**3
LONGEST_KEY: Final = 850


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """What the service says of an object. `etag` has no quotation marks; that of a single PUT is the MD5."""

    key: str
    size_bytes: int
    etag: str = ""
    content_type: str = ""
    last_modified: str = ""


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
    sender: Sender, source: str | Path | bytes, key: str, *, on_progress: Progress | None = None
) -> StoredObject:
    """Store a file, or bytes, under `key`, and return what is stored.

    `on_progress` gets the bytes sent and the size. What arrives is checked against what was read:
    raises `ServiceError` (`BadDigest`) when they differ, and `ParameterError` for a key or size that
    the service does not take.
    """
    check_key(key)
    path = None if isinstance(source, bytes) else Path(source)
    size = len(source) if isinstance(source, bytes) else Path(source).stat().st_size
    if size > LARGEST_PUT:
        raise ParameterError("the size of an object", size, f"at most {LARGEST_PUT} bytes in one PUT")
    digest = hashlib.md5(usedforsecurity=False)

    def chunks() -> Iterator[bytes]:
        nonlocal digest
        digest, done = hashlib.md5(usedforsecurity=False), 0
        for chunk in _slices(source) if isinstance(source, bytes) else _read(Path(source)):
            digest.update(chunk)
            yield chunk
            done += len(chunk)
            if on_progress is not None and done < size:
                on_progress(done, size)

    kind = mimetypes.guess_type(path.name if path else key)[0] or "application/octet-stream"
    response = sender.send(CALL["put_object"], names={"key": key}, body=Body(size, chunks, kind))
    if on_progress is not None:
        on_progress(size, size)
    etag = response.headers.get("etag", "").strip('"')
    if etag and "-" not in etag and etag.lower() != digest.hexdigest():
        raise service_error("BadDigest", f"{key!r} was stored with MD5 {etag}, but {digest.hexdigest()} was read")
    return StoredObject(key=key, size_bytes=size, etag=etag or digest.hexdigest(), content_type=kind)


def upload_clip(sender: Sender, path: str | Path, key: str, *, on_progress: Progress | None = None) -> Clip:
    """Store a video file under `key` and return it as a clip. The same content is not sent again."""
    source = Path(path)
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in _read(source):
        digest.update(chunk)
    size, md5 = source.stat().st_size, digest.hexdigest()
    try:
        is_there = head(sender, key).etag.lower() == md5
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

    The file appears only when it is whole: until then it is `<name>.part`. A connection that breaks
    is taken up where it broke, as long as the object is still the same.
    """
    check_key(key)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    try:
        with part.open("wb") as file:
            _Fetch(sender, key, on_progress).into(file)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
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
    return StoredObject(
        key=key,
        size_bytes=int(headers.get("content-length") or 0),
        etag=headers.get("etag", "").strip('"'),
        content_type=headers.get("content-type", ""),
        last_modified=headers.get("last-modified", ""),
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


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _slices(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]
