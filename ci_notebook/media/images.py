"""Opens image files from elsewhere within bounds: five formats, chosen by their first bytes.

Invariant: nothing is decoded, and Pillow reads nothing, before format, size of the file and size of the picture are
known from the header. Pillow knows dozens of other formats; some start programs (EPS starts Ghostscript).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from ci_notebook.media.snapshot import pillow
from ci_notebook.model.bounds import CODE, check_frame, current_bounds
from ci_notebook.model.errors import CIError, EngineError

__all__ = ["FORMATS", "UnreadableImage", "header_of", "open_image"]

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
_HEAD_BYTES: Final = 32
# Each scan of a progressive JPEG goes over the whole picture, and may take four bytes. Programs write about ten.
_MAX_SCANS: Final = 100
# Frames of a JPEG: Huffman or arithmetic, baseline or progressive. The others in between are tables.
_SIZES_OF_JPEG: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class UnreadableImage(EngineError):
    """A file that is none of the five formats, or broken."""


@contextmanager
def open_image(
    source: Path | bytes, what: str, *, formats: tuple[str, ...] = FORMATS, remedy: str = "Use a smaller image",
    pixels: int = 0,
) -> Iterator[Any]:  # fmt: skip
    """Yield an image as Pillow's, of one of `formats`; only its first frame is ever decoded.

    It may have `pixels`, or as many as a frame.

    Raises `EngineError` for a file or picture over the bounds, where `what` and `remedy` name it and say what to do,
    and `UnreadableImage` for any other file and for a damaged one, also when it is decoded in the block.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        kind, width, height = _checked_header(file, what, formats)
        _check_size(width, height, pixels, what, remedy)
        try:
            with pillow().open(file, formats=(kind,)) as image:
                # A frame of a GIF may be larger than the file's header says, and a PNG may have two headers.
                _check_size(image.width, image.height, pixels, what, remedy)
                yield image
        except CIError:
            raise
        except MemoryError:
            raise EngineError(f"{what} needs more memory than this machine has. {remedy}.", code=CODE) from None
        except Exception as problem:  # the readers of broken files raise nearly everything
            raise UnreadableImage(f"{what} cannot be read: {problem}", code="ResourceNotSupported") from problem


def _check_size(width: int, height: int, pixels: int, what: str, remedy: str) -> None:
    if pixels and width * height > pixels:
        size = f"{width}x{height} px, over the bound of {pixels / 1e6:.1f} million pixels for an image"
        raise EngineError(f"{what} has {size}. {remedy}.", code=CODE)
    check_frame(width, height, what, remedy)


def _checked_header(file: BinaryIO, what: str, formats: tuple[str, ...]) -> tuple[str, int, int]:
    size_bytes, limit = file.seek(0, io.SEEK_END), current_bounds().image_bytes
    if size_bytes > limit:
        text = f"{what} has {size_bytes / (1 << 20):.1f} MiB, over the bound of {limit >> 20} MiB. Use a smaller file."
        raise EngineError(text, code=CODE)
    header = header_of(file)
    if header is None or header[0] not in formats:
        raise UnreadableImage(
            f"{what} has none of the formats {', '.join(formats)}. Save it in one of them.", code="ResourceNotSupported"
        )
    if header[0] == "JPEG":
        file.seek(0)
        scans = file.read().count(b"\xff\xda")
        if scans > _MAX_SCANS:
            text = f"{what} has {scans} scans, over the bound of {_MAX_SCANS}. Save it with another program."
            raise EngineError(text, code=CODE)
    file.seek(0)
    return header


def header_of(file: BinaryIO) -> tuple[str, int, int] | None:
    """Return format, width and height of an image file as its header states them; None for any other file.

    >>> header_of(io.BytesIO(b"GIF89a" + struct.pack("<HH", 640, 360)))
    ('GIF', 640, 360)
    >>> header_of(io.BytesIO(b"%!PS-Adobe-3.0 EPSF-3.0"))
    """
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    reader = next((read for begin, read in _READERS.items() if head.startswith(begin)), None)
    try:
        return reader(head, file) if reader else None
    except (struct.error, IndexError):  # the file ends inside its header
        return None


Header = tuple[str, int, int]


def _png(head: bytes, _: BinaryIO) -> Header | None:
    return ("PNG", *struct.unpack_from(">II", head, 16)) if head[12:16] == b"IHDR" else None


def _gif(head: bytes, _: BinaryIO) -> Header:
    return ("GIF", *struct.unpack_from("<HH", head, 6))


def _bmp(head: bytes, _: BinaryIO) -> Header:
    is_old = struct.unpack_from("<I", head, 14)[0] == 12
    width, height = struct.unpack_from("<HH" if is_old else "<ii", head, 18)
    return "BMP", abs(width), abs(height)


def _webp(head: bytes, _: BinaryIO) -> Header | None:
    kind = head[12:16] if head[8:12] == b"WEBP" else b""
    if kind == b"VP8X":
        width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        bits = struct.unpack_from("<I", head, 21)[0]
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", head, 26))
    else:
        return None
    return "WEBP", width, height


def _jpeg(_: bytes, file: BinaryIO) -> Header | None:
    """Return the size in the first frame header of a JPEG, after any number of other segments."""
    file.seek(2)
    while True:
        mark = file.read(1)
        while mark and mark != b"\xff":
            mark = file.read(1)
        while mark == b"\xff":
            mark = file.read(1)
        if not mark or mark in (b"\xd9", b"\xda"):
            return None
        if mark[0] == 0 or 0xD0 <= mark[0] <= 0xD8:
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if mark[0] in _SIZES_OF_JPEG:
            height, width = struct.unpack_from(">HH", file.read(5), 1)
            return "JPEG", width, height
        file.seek(max(0, length - 2), io.SEEK_CUR)


_READERS: Final[dict[bytes, Callable[[bytes, BinaryIO], Header | None]]] = {
    b"\x89PNG\r\n\x1a\n": _png, b"GIF87a": _gif, b"GIF89a": _gif, b"BM": _bmp, b"RIFF": _webp, b"\xff\xd8\xff": _jpeg,
}  # fmt: skip
