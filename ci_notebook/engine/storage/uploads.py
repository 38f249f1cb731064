"""Multipart uploads: where the parts are stored, and how they become one object."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_notebook.engine.jobs.outcome import CHUNK_BYTES, CRC_HEADER
from ci_notebook.engine.storage.database import Database
from ci_notebook.engine.storage.object_keys import check_key
from ci_notebook.engine.storage.object_store import Condition, ObjectRow, ObjectStore
from ci_notebook.wire.service_errors import service_error

# Minimum length of all parts except the last.
MIN_PART_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An upload that is not complete. `headers` will be the object's."""

    upload_id: str
    bucket: str
    key: str
    created: float
    headers: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """One part that was uploaded."""

    upload_id: str
    number: int
    file: str
    size: int
    md5: str
    modified: float


class Uploads:
    """Multipart uploads into an object store."""

    def __init__(
        self,
        root: Path,
        store: ObjectStore,
        database: Database,
        *,
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._aside, self._store, self._database = root / ".incoming", store, database
        self._clock, self._new_id = clock, new_id

    def start(self, bucket: str, key: str, headers: Mapping[str, str]) -> Upload:
        """Start an upload."""
        check_key(key)
        upload = Upload(
            upload_id=self._new_id(), bucket=bucket, key=key, created=self._clock(), headers=json.dumps(dict(headers))
        )
        with self._database.change() as change:
            values = (upload.upload_id, bucket, key, upload.created, upload.headers)
            change.execute("INSERT INTO uploads VALUES (?, ?, ?, ?, ?)", values)
        return upload

    def get(self, upload_id: str) -> Upload | None:
        """Return an open upload, or None."""
        row = self._database.row("SELECT * FROM uploads WHERE upload_id = ?", (upload_id,))
        return Upload(**dict(row)) if row else None

    def open(self, bucket: str, prefix: str = "", *, after: tuple[str, str] = ("", "")) -> list[Upload]:
        """Return the open uploads of keys that begin with `prefix`, by key and age, after the key and id in `after`.

        With a key alone: the uploads of later keys.
        """
        rows = self._database.rows("SELECT * FROM uploads WHERE bucket = ? ORDER BY key, created, upload_id", (bucket,))
        uploads = [Upload(**dict(row)) for row in rows if row["key"].startswith(prefix)]
        places = [(upload.key, upload.upload_id) for upload in uploads]
        if after in places:
            return uploads[places.index(after) + 1 :]
        return [upload for upload in uploads if upload.key > after[0]]

    def parts(self, upload: Upload) -> list[StoredPart]:
        """Return the uploaded parts, by number."""
        rows = self._database.rows("SELECT * FROM parts WHERE upload_id = ? ORDER BY number", (upload.upload_id,))
        return [StoredPart(**dict(row)) for row in rows]

    def put(self, upload: Upload, number: int, chunks: Iterable[bytes], *, content_md5: str = "") -> str:
        """Store a part and return its MD5. Raises `ServiceError` when the upload ended meanwhile."""
        file, size, md5, _ = self._store.write_aside(chunks, content_md5)
        with self._database.change() as change:
            which = (upload.upload_id, number)
            old = change.execute("SELECT file FROM parts WHERE upload_id = ? AND number = ?", which).fetchone()
            is_open = change.execute("SELECT 1 FROM uploads WHERE upload_id = ?", which[:1]).fetchone()
            if is_open:
                values = (*which, file.name, size, md5, self._clock())
                change.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?)", values)
        self._remove([old["file"]] if old and is_open else [] if is_open else [file.name])
        if not is_open:
            raise service_error("NoSuchUpload", f"Upload {upload.upload_id} has ended.")
        return md5

    def complete(
        self, upload: Upload, named: Sequence[tuple[int, str]], *, condition: Condition | None = None
    ) -> ObjectRow:
        """Join the named parts (number, ETag) into one object, in their order.

        Raises `ServiceError`: InvalidPartOrder, InvalidPart, EntityTooSmall.
        """
        numbers = [number for number, _ in named]
        if not named or numbers != sorted(set(numbers)):
            raise service_error("InvalidPartOrder", "The parts must be listed by ascending number, each once.")
        there = {part.number: part for part in self.parts(upload)}
        for number, tag in named:
            if number not in there or there[number].md5 != tag:
                raise service_error("InvalidPart", f"Part {number} does not exist, or its ETag is not {tag[:40]}.")
        parts = [there[number] for number in numbers]
        for part in parts[:-1]:
            if part.size < MIN_PART_BYTES:
                text = f"Part {part.number} has {part.size} bytes; all but the last need at least {MIN_PART_BYTES}."
                raise service_error("EntityTooSmall", text)
        file, size, _, crc = self._store.write_aside(self._joined(parts))
        tags = hashlib.md5(b"".join(bytes.fromhex(part.md5) for part in parts), usedforsecurity=False)
        stored = self._store.adopt(
            upload.bucket, upload.key, file, size=size, etag=f"{tags.hexdigest()}-{len(parts)}",
            headers={**json.loads(upload.headers), CRC_HEADER: crc}, condition=condition,
        )  # fmt: skip
        self.forget(upload)
        return stored

    def forget(self, upload: Upload) -> None:
        """Remove an upload and its parts."""
        with self._database.change() as change:
            change.execute("DELETE FROM uploads WHERE upload_id = ?", (upload.upload_id,))
            sql = "DELETE FROM parts WHERE upload_id = ? RETURNING file"
            files = [row["file"] for row in change.execute(sql, (upload.upload_id,)).fetchall()]
        self._remove(files)

    def _joined(self, parts: Sequence[StoredPart]) -> Iterator[bytes]:
        for part in parts:
            with (self._aside / part.file).open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            # A file that cannot be removed now (open, on Windows) is removed by the next sweep.
            with contextlib.suppress(OSError):
                (self._aside / name).unlink()
