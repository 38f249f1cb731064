"""Objects as files below the engine's root, found through an index in SQLite.

Invariant: a file is written once, in a separate folder, under a name that the engine chooses. The row that
names the file makes it the object. So no key can point outside the store, an object is replaced at once or
not at all, and a reader of the old object reads it to its end. A file's name begins with the plain part of
its key (`input_a.mp4` for `input/a.mp4`), for human readers only.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from ci_notebook._folders import private_folder, private_opener
from ci_notebook.engine.jobs.outcome import CHUNK_BYTES, CRC_HEADER, FinishedFile
from ci_notebook.engine.storage.crc64 import Crc64
from ci_notebook.engine.storage.database import Database
from ci_notebook.engine.storage.object_keys import check_key, content_type, plain_name
from ci_notebook.wire.service_errors import service_error

# A file that no row names was left by a process that died, unless it is being written now.
ORPHAN_S: Final = 3600.0
# An object may be replaced between reading its row and its file; then the row has changed too, and is read again.
_TRIES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRow:
    """One object. `etag` has no quotes; `headers` are those of PUT, and always `content-type` and `CRC_HEADER`."""

    bucket: str
    key: str
    file: str
    size: int
    etag: str
    modified: float
    headers: Mapping[str, str]


# Gets the object that would be replaced, or None, and raises when it must stay.
Condition = Callable[[ObjectRow | None], None]


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a bucket. `next_marker` is empty on the last page."""

    objects: tuple[ObjectRow, ...]
    prefixes: tuple[str, ...]
    next_marker: str


class ObjectStore:
    """Objects of buckets. `new_id` returns 32 hexadecimal digits, `clock` Unix seconds."""

    def __init__(
        self, root: Path, database: Database, *, clock: Callable[[], float], new_id: Callable[[], str]
    ) -> None:
        self._root, self._database, self._clock, self._new_id = root, database, clock, new_id
        self._aside = private_folder(root / ".incoming")

    def put(
        self,
        bucket: str,
        key: str,
        chunks: Iterable[bytes],
        *,
        headers: Mapping[str, str],
        content_md5: str = "",
        condition: Condition | None = None,
    ) -> ObjectRow:
        """Store an object, replacing one with the same key, and return it.

        `content_md5` is the sender's digest (base64), checked when it is not empty.
        """
        check_key(key)
        aside, size, digest, crc = self.write_aside(chunks, content_md5)
        return self.adopt(
            bucket, key, aside, size=size, etag=digest, headers={**headers, CRC_HEADER: crc}, condition=condition
        )

    def write_aside(self, chunks: Iterable[bytes], content_md5: str = "") -> tuple[Path, int, str, str]:
        """Write bytes to a file that no key names yet; return it, its size, its MD5 and its CRC-64."""
        expected = read_digest(content_md5)
        aside = self._new_aside()
        md5, crc, size = hashlib.md5(usedforsecurity=False), Crc64(), 0
        try:
            with open(aside, "xb", opener=private_opener) as file:
                for chunk in chunks:
                    md5.update(chunk)
                    crc.update(chunk)
                    size += len(chunk)
                    file.write(chunk)
            if expected is not None and expected != md5.digest():
                text = f"Content-MD5 is {content_md5}, but the body's MD5 is {_base64(md5.digest())}."
                raise service_error("BadDigest", text)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        return aside, size, md5.hexdigest(), str(crc)

    def _new_aside(self) -> Path:
        private_folder(self._aside)  # it may have been removed since the last file
        return self._aside / self._new_id()

    def adopt(
        self,
        bucket: str,
        key: str,
        file: Path,
        *,
        size: int,
        etag: str,
        headers: Mapping[str, str],
        condition: Condition | None = None,
    ) -> ObjectRow:
        """Make a finished file below the root the object of a key. The file moves; do not use it afterwards.

        `condition` gets the object that would be replaced, or None, and raises when it must stay.
        """

        def may_replace(change: sqlite3.Connection) -> bool:
            if condition is not None:
                row = change.execute("SELECT * FROM objects WHERE bucket = ? AND key = ?", (bucket, key)).fetchone()
                condition(_stored(row) if row else None)
            return True

        try:
            (files,) = self.adopt_all(
                [FinishedFile(bucket=bucket, key=key, file=file, size=size, etag=etag, headers=headers)], may_replace
            )
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        return files

    def adopt_all(
        self, files: Sequence[FinishedFile], only_if: Callable[[sqlite3.Connection], bool] = lambda change: True
    ) -> list[ObjectRow]:
        """Make finished files below the root the objects of their keys, in one transaction. The files move.

        `only_if` is called within the transaction and may change more; when it returns False, nothing is
        stored. After an error the files are where they were.
        """
        stored: list[ObjectRow] = []
        moved: list[tuple[FinishedFile, str]] = []
        old: list[tuple[str, str | None]] = []
        try:
            for one in files:
                check_key(one.key)
                folder = private_folder(self._root / one.bucket)
                name = plain_name(one.key, self._new_id()[:12])
                one.file.replace(folder / name)
                moved.append((one, name))
                headers = {"content-type": content_type(one.key), **one.headers}
                stored.append(
                    ObjectRow(
                        bucket=one.bucket, key=one.key, file=name, size=one.size, etag=one.etag,
                        modified=self._clock(), headers=headers,
                    )
                )  # fmt: skip
            with self._database.change() as change:
                if not only_if(change):
                    stored = []
                for new in stored:
                    old.append((new.bucket, _file_of(change, new.bucket, new.key)))
                    values = (new.bucket, new.key, new.file, new.size, new.etag, new.modified, json.dumps(new.headers))
                    change.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        except BaseException:
            for one, name in moved:
                (self._root / one.bucket / name).replace(one.file)
            raise
        for bucket, gone in old if stored else [(one.bucket, name) for one, name in moved]:
            self._drop(bucket, gone)
        return stored

    def copy(
        self,
        source: ObjectRow,
        bucket: str,
        key: str,
        *,
        headers: Mapping[str, str],
        condition: Condition | None = None,
    ) -> ObjectRow:
        """Copy an object: a second name for its file where the disk has hard links.

        Raises `ServiceError` (NoSuchKey, when the source was deleted meanwhile).
        """
        check_key(key)
        current, opened = self.open(source.bucket, source.key)
        aside = self._new_aside()
        with opened:
            try:
                os.link(self.path(current), aside)
                os.utime(aside)  # otherwise it would look like a leftover of a dead process
            except OSError:  # this disk has no hard links, or the source was just replaced
                aside, *_ = self.write_aside(iter(lambda: opened.read(CHUNK_BYTES), b""))
        crc_header = {name: value for name, value in current.headers.items() if name == CRC_HEADER}
        return self.adopt(
            bucket, key, aside, size=current.size, etag=current.etag, headers={**headers, **crc_header},
            condition=condition,
        )  # fmt: skip

    def change_headers(
        self, bucket: str, key: str, change_of: Callable[[Mapping[str, str]], Mapping[str, str]]
    ) -> ObjectRow:
        """Replace an object's headers by a function of them; its bytes, ETag and time stay.

        Raises `ServiceError` (NoSuchKey).
        """
        with self._database.change() as change:
            row = change.execute("SELECT * FROM objects WHERE bucket = ? AND key = ?", (bucket, key)).fetchone()
            if row is None:
                raise service_error("NoSuchKey", f"Bucket {bucket} has no object {key}.")
            stored = _stored(row)
            stored = replace(stored, headers=dict(change_of(stored.headers)))
            change.execute(
                "UPDATE objects SET headers = ? WHERE bucket = ? AND key = ?", (json.dumps(stored.headers), bucket, key)
            )
        return stored

    def head(self, bucket: str, key: str) -> ObjectRow | None:
        """Return an object's facts, or None: also when its file was removed behind the engine's back."""
        for _ in range(_TRIES):
            stored = self._row(bucket, key)
            if stored is None or self.path(stored).exists():
                return stored
        return None

    def _row(self, bucket: str, key: str) -> ObjectRow | None:
        row = self._database.row("SELECT * FROM objects WHERE bucket = ? AND key = ?", (bucket, key))
        return _stored(row) if row else None

    def open(self, bucket: str, key: str) -> tuple[ObjectRow, BinaryIO]:
        """Return an object and its open file, both of the same version, also when the key is written meanwhile.

        Raises `ServiceError` (NoSuchKey).
        """
        for _ in range(_TRIES):
            stored = self._row(bucket, key)
            if stored is None:
                break
            with contextlib.suppress(FileNotFoundError):
                return stored, self.path(stored).open("rb")
        raise service_error("NoSuchKey", f"Bucket {bucket} has no object {key}.")

    def path(self, stored: ObjectRow) -> Path:
        """Return the path of an object's bytes. It is removed when the key is written again."""
        return self._root / stored.bucket / stored.file

    def delete(self, bucket: str, key: str) -> bool:
        """Delete an object and return whether there was one."""
        with self._database.change() as change:
            old = _file_of(change, bucket, key)
            change.execute("DELETE FROM objects WHERE bucket = ? AND key = ?", (bucket, key))
        self._drop(bucket, old)
        return old is not None

    def list(
        self, bucket: str, *, prefix: str = "", delimiter: str = "", marker: str = "", size: int = 1000
    ) -> Listing:
        """Return a page of a bucket in the order of the keys' UTF-8 bytes.

        Keys that share the text after the prefix up to the delimiter are one common prefix.
        """
        objects: list[ObjectRow] = []
        prefixes: list[str] = []
        last, beyond = "", marker
        if delimiter and marker.startswith(prefix) and marker.endswith(delimiter) and marker != prefix:
            beyond = marker + _LAST  # the previous page ended with a common prefix
        while (row := self._next(bucket, prefix, beyond)) is not None:
            key: str = row["key"]
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            common = key[: cut + len(delimiter)] if cut >= 0 else ""
            if common and common in prefixes[-1:]:
                beyond = key
                continue
            if len(objects) + len(prefixes) >= size:
                return Listing(tuple(objects), tuple(prefixes), last)
            if common:
                prefixes.append(common)
                last, beyond = common, common + _LAST
            else:
                objects.append(_stored(row))
                last = beyond = key
        return Listing(tuple(objects), tuple(prefixes), "")

    def _next(self, bucket: str, prefix: str, beyond: str) -> sqlite3.Row | None:
        sql = "SELECT * FROM objects WHERE bucket = ? AND key > ? AND key >= ? ORDER BY key LIMIT 1"
        row = self._database.row(sql, (bucket, beyond, prefix))
        return row if row is not None and row["key"].startswith(prefix) else None

    def sweep(self) -> int:
        """Remove the files that dead processes left; return how many. Called at start."""
        known = {(row["bucket"], row["file"]) for row in self._database.rows("SELECT bucket, file FROM objects")}
        known |= {(".incoming", row["file"]) for row in self._database.rows("SELECT file FROM parts")}
        buckets = [row["name"] for row in self._database.rows("SELECT name FROM buckets")]
        now, removed = time.time(), 0  # not the injected clock, because it is compared with the file system's
        for folder in (".incoming", *buckets):
            for file in (self._root / folder).glob("*"):
                with contextlib.suppress(FileNotFoundError):
                    if (folder, file.name) not in known and now - file.stat().st_mtime > ORPHAN_S:
                        file.unlink()
                        removed += 1
        return removed

    def _drop(self, bucket: str, name: str | None) -> None:
        if name is not None:
            # Where an open file cannot be removed (Windows), the next sweep removes it.
            with contextlib.suppress(OSError):
                (self._root / bucket / name).unlink()


# Appended to a prefix, it sorts after every key with that prefix.
_LAST: Final = "\U0010ffff"


def _file_of(change: sqlite3.Connection, bucket: str, key: str) -> str | None:
    row = change.execute("SELECT file FROM objects WHERE bucket = ? AND key = ?", (bucket, key)).fetchone()
    return str(row["file"]) if row else None


def _stored(row: sqlite3.Row) -> ObjectRow:
    return ObjectRow(**{**dict(row), "headers": json.loads(row["headers"])})


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def read_digest(content_md5: str) -> bytes | None:
    """Return the bytes of a Content-MD5, None for an empty one. Raises `ServiceError` (InvalidDigest)."""
    if not content_md5:
        return None
    try:
        digest = base64.b64decode(content_md5, validate=True)
    except ValueError:
        digest = b""
    if len(digest) != 16:
        raise service_error("InvalidDigest", "Content-MD5 must be the base64 of 16 bytes.")
    return digest
