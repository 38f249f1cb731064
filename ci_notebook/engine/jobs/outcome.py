"""The outcome of a job as plain values, which another process can pickle and send back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ci_notebook.engine.storage.crc64 import Crc64
from ci_notebook.model.errors import CIError, EngineError, ParameterError, ServiceError

__all__ = ["CHUNK_BYTES", "CRC_HEADER", "FinishedFile", "JobOutcome", "code_of", "finished_file", "message_of"]

CHUNK_BYTES: Final = 1 << 18
# Stored among an object's headers, so GET and HEAD return it.
CRC_HEADER: Final = "x-cos-hash-crc64ecma"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedFile:
    """A finished file, ready to become the object `key`."""

    bucket: str
    key: str
    file: Path
    size: int
    etag: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutcome:
    """How a job ends: the files that become objects in the same transaction, and what replies show.

    In state Submitted the job goes back to its queue.
    """

    state: Literal["Success", "Failed", "Submitted"]
    files: tuple[FinishedFile, ...] = ()
    result: bytes | None = None
    code: str = "Success"
    message: str = ""


def finished_file(bucket: str, key: str, file: Path) -> FinishedFile:
    """Return a file as the future object `key`. Reads the file for its digests."""
    md5, crc = hashlib.md5(usedforsecurity=False), Crc64()
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            md5.update(chunk)
            crc.update(chunk)
    headers = {CRC_HEADER: str(crc)}
    return FinishedFile(
        bucket=bucket, key=key, file=file, size=file.stat().st_size, etag=md5.hexdigest(), headers=headers
    )


def code_of(error: BaseException) -> str:
    """Return the Code of a job that failed with this error."""
    default = "InvalidArgument" if isinstance(error, ParameterError) else "InternalError"
    return str(getattr(error, "code", default))


def message_of(error: BaseException) -> str:
    """Return the Message of a job that failed with this error, without FFmpeg's log."""
    if isinstance(error, ServiceError | EngineError):
        return error.message
    return str(error) if isinstance(error, CIError) else f"{type(error).__name__}: {error}"
