"""The one bound on what is decoded: pixels of a frame, frames, streams and length of a file.

Invariant: everything that decodes asks here, before it decodes. A small file can name a huge frame (a PNG of 20 kB
may need 1.5 GB), so the size in its header is checked first, and decoders get the same limit for later frames.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from ci_notebook.model.errors import EngineError, ParameterError

__all__ = [
    "CODE", "PIXELS", "Bounds", "check_file", "check_frame", "check_samples", "current_bounds", "largest_size",
    "restore_bounds", "set_bounds",
]  # fmt: skip

PIXELS: Final = 8192 * 4352
"""Pixels of a frame by default: 8K in all usual shapes (7680x4320, 8192x4320), with the rows that codecs add."""

CODE: Final = "InvalidArgument"
"""The code of errors about the bounds."""
_SAMPLES_A_FRAME: Final = 10  # sound has more packets than a video has frames, and a file several tracks
_RANGES: Final = {
    "pixels": (1 << 16, 1 << 30, "a whole number of pixels"),  # FFmpeg counts bytes of a frame in 32 bits
    "frames": (1, 100_000_000, "a whole number of frames"),
    "streams": (1, 10_000, "a whole number of streams"),
    "seconds": (1, 10_000_000, "a number of seconds"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Upper limits on files and frames that are decoded.

    `pixels` and `side` (px) belong to one frame, as stored and as shown. `frames`, `streams` and `seconds` belong to a
    file. `seconds` is a day, `frames` nine hours at 30 frames per second. `image_bytes` belong to an image file.
    """

    pixels: int = PIXELS
    side: int = 16384
    frames: int = 1_000_000
    streams: int = 100
    seconds: float = 86_400.0
    image_bytes: int = 64 << 20


class _Process:
    """The bounds of this process."""

    bounds = Bounds()


def current_bounds() -> Bounds:
    """Return the bounds of this process."""
    return _Process.bounds


def set_bounds(
    *, pixels: object = None, frames: object = None, streams: object = None, seconds: object = None,
    names: str = "max_{}",
) -> None:  # fmt: skip
    """Set bounds for everything that this process decodes; None leaves one as it is. Raises `ParameterError`.

    `names` makes the name of an option from that of a bound, for the error.

    >>> set_bounds(pixels=0)
    Traceback (most recent call last):
    ...
    ci_notebook.model.errors.ParameterError: max_pixels must be a whole number of pixels, 65536 to 1073741824 (got 0).
    """
    given = {"pixels": pixels, "frames": frames, "streams": streams, "seconds": seconds}
    changes = {name: value for name, value in given.items() if value is not None}
    for name, value in changes.items():
        low, high, words = _RANGES[name]
        kinds = (int, float) if name == "seconds" else (int,)
        if not isinstance(value, kinds) or isinstance(value, bool) or not low <= value <= high:
            raise ParameterError(names.format(name), value, f"{words}, {low} to {high}")
    restore_bounds(replace(_Process.bounds, **changes))  # type: ignore[arg-type]  # checked above


def restore_bounds(bounds: Bounds) -> None:
    """Set all bounds of this process: those of `current_bounds`, of an earlier time or of another process."""
    _Process.bounds = bounds


def largest_size() -> str:
    """Return the bound on a frame in words: `35.7 million pixels and 16384 px a side`."""
    return f"{_Process.bounds.pixels / 1e6:.1f} million pixels and {_Process.bounds.side} px a side"


def check_frame(width: int, height: int, what: str, remedy: str = "Use a smaller version") -> None:
    """Raise `EngineError` for a frame or picture over the bound, before it is decoded or made.

    >>> check_frame(15900, 15900, "huge.mkv")
    Traceback (most recent call last):
    ...
    ci_notebook.model.errors.EngineError: huge.mkv has frames of 15900x15900 px, over the bound of 35.7 million pixels \
and 16384 px a side. Use a smaller version, or raise max_pixels in ci.connect or `ci-notebook serve`.
    """
    is_long = max(width, height) > _Process.bounds.side
    if width * height <= _Process.bounds.pixels and not is_long:
        return
    more = "" if is_long else f", or {_raise('max_pixels')}"
    raise EngineError(
        f"{what} has frames of {width}x{height} px, over the bound of {largest_size()}. {remedy}{more}.", code=CODE
    )


def check_samples(what: str, entries: int) -> None:
    """Raise `EngineError` for a file that states more samples (frames, and packets of sound) than can be indexed."""
    limit = _SAMPLES_A_FRAME * _Process.bounds.frames
    if entries > limit:
        text = (
            f"{what} states {entries} samples, over the bound of {limit}. It may be damaged. "
            f"Cut it into parts, or {_raise('max_frames')}."
        )
        raise EngineError(text, code=CODE)


def check_file(what: str, *, frames: int = 0, streams: int = 0, seconds: float = 0.0) -> None:
    """Raise `EngineError` for a file over the bounds.

    >>> check_file("many.mkv", streams=3001)
    Traceback (most recent call last):
    ...
    ci_notebook.model.errors.EngineError: many.mkv has 3001 streams, over the bound of 100. Keep only those you need, \
or raise max_streams in ci.connect or `ci-notebook serve`.
    """
    bounds = _Process.bounds
    if streams > bounds.streams:
        text = f"{what} has {streams} streams, over the bound of {bounds.streams}. "
        text += f"Keep only those you need, or {_raise('max_streams')}."
    elif frames > bounds.frames:
        text = f"{what} has more than {bounds.frames} frames, which is the bound. "
        text += f"Cut it into parts, or {_raise('max_frames')}."
    elif seconds > bounds.seconds:
        hours = f"{seconds / 3600:.1f} h, over the bound of {bounds.seconds / 3600:g} h"
        text = f"{what} has a length of {hours}. Cut it into parts, or {_raise('max_seconds')}."
    else:
        return
    raise EngineError(text, code=CODE)


def _raise(option: str) -> str:
    return f"raise {option} in ci.connect or `ci-notebook serve`"
