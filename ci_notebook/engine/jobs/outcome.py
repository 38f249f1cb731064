"""What came of a job, as plain values that can be pickled, so that another process can send them back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ci_notebook.engine.storage.crc64 import Crc64

CHUNK_BYTES: Final = 1 << 18
# Kept among an object's headers, and so told by GET and HEAD.
CRC_HEADER: Final = "x-cos-hash-crc64ecma"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedFile:
    """A finished file that is to be the object of a key."""

    bucket: str
    key: str
    file: Path
    size: int
    etag: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutcome:
    """How a job ends: the files that become objects at that very moment, and what replies say.

    In state Submitted it goes back among the waiting.
    """

    state: Literal["Success", "Failed", "Submitted"]
    files: tuple[FinishedFile, ...] = ()
    result: bytes | None = None
    code: str = "Success"
    message: str = ""


def finished_file(bucket: str, key: str, file: Path) -> FinishedFile:
    """Return a file as what is to be the object of a key, reading it for its digests."""
    md5, crc = hashlib.md5(usedforsecurity=False), Crc64()
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            md5.update(chunk)
            crc.update(chunk)
    told = {CRC_HEADER: str(crc)}
    return FinishedFile(bucket=bucket, key=key, file=file, size=file.stat().st_size, etag=md5.hexdigest(), headers=told)
