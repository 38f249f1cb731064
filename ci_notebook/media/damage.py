"""Damaged files: finds out whether a failure of FFmpeg, or of ours, comes from a damaged clip.

A clip is decoded once more, but only after a failure, and FFmpeg's messages decide.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ci_notebook.media.ffmpeg import Cancelled, media_input, run
from ci_notebook.media.streams.selection import open_media
from ci_notebook.model.errors import CIError, EngineError

__all__ = ["CODE", "complaint_about", "damage_error", "damage_of", "explains_damage"]

CODE: Final = "ResourceNotSupported"
_UNEXPLAINED: Final = "InternalError"
# FFmpeg's messages about a file that ends too soon or is damaged.
_BROKEN: Final = (
    "partial file", "prematurely", "Invalid data found", "Invalid NAL", "rror while decoding", "corrupt", "Invalid ",
    "decode_slice_header error", "non-existing PPS", "concealing", "Error submitting packet", "Truncating",
    "missing picture", "out of range", "Decode error rate", "illegal", "damaged", "overread",
    "could not find codec parameters",
)  # fmt: skip


def complaint_about(path: Path, *, streams: str = "", cancel: threading.Event | None = None) -> str:
    """Return FFmpeg's first complaint when it decodes a clip, without its prefix; empty if it has none.

    `streams` is FFmpeg's specifier of what is decoded; by default all video and sound.
    """
    chosen = ["-map", streams] if streams else ["-map", "0:V?", "-map", "0:a?"]
    try:
        log = run(["-v", "error", *media_input(path), *chosen, "-f", "null", "-"], cancel=cancel)
    except Cancelled:
        raise
    except EngineError as error:
        if error.code != _UNEXPLAINED:
            return error.message
        log = error.log
    line = next((line for line in log.splitlines() if any(word in line for word in _BROKEN)), "")
    return line.rpartition("] ")[2].strip().replace(str(path), path.name)


def damage_of(path: Path, *, cancel: threading.Event | None = None) -> str:
    """Return why a clip cannot be read completely; empty if it can."""
    try:
        with open_media(path):
            return complaint_about(path, cancel=cancel)
    except Cancelled:
        raise
    except CIError as error:
        return getattr(error, "message", "") or str(error)


def damage_error(path: Path, reason: str) -> EngineError:
    """Return the error for a damaged clip."""
    if reason.startswith(f"{path.name} "):
        return EngineError(reason, code=CODE)
    text = f"{path.name} is damaged: {reason.rstrip('.')}."
    return EngineError(f"{text} Use a file that a video player can play completely.", code=CODE)


@contextmanager
def explains_damage(*paths: Path, cancel: threading.Event | None = None) -> Iterator[None]:
    """Turn a failure in the block into the error of a damaged file, if one of the clips is damaged.

    Our errors with a code or a remedy, and the errors of the system, stay as they are.
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        is_ours = isinstance(error, CIError) and getattr(error, "code", "") != _UNEXPLAINED
        if is_ours or isinstance(error, MemoryError):
            raise
        for path in paths:
            reason = damage_of(Path(path), cancel=cancel)
            if reason:
                raise damage_error(Path(path), reason) from error
        raise
