"""Text of files that other programs wrote: Notepad and Excel put a byte-order mark before it, or write UTF-16.

Invariant: a byte-order mark never becomes a part of the text.
"""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Final

__all__ = ["decode", "encoding_of", "read_text", "without_mark"]

MARK: Final = "\ufeff"
# UTF-32 first: its mark begins as that of UTF-16 does.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


def encoding_of(data: bytes) -> str:
    """Return the encoding of a text by its beginning: what its byte-order mark says, else UTF-8.

    UTF-16 without a mark is known by the zero byte in its first, ASCII, character.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    if len(data) >= 2 and len(data) % 2 == 0 and 0 in data[:2] and data[:2] != b"\0\0":
        return "utf-16-le" if data[1] == 0 else "utf-16-be"
    return "utf-8"


def decode(data: bytes) -> str:
    r"""Return the text of a file. Raises `UnicodeDecodeError` where it is neither UTF-8 nor UTF-16.

    >>> decode("key".encode("utf-16")), decode(b"\xef\xbb\xbfkey")
    ('key', 'key')
    """
    return without_mark(data.decode(encoding_of(data)))


def read_text(path: Path) -> str:
    """Return the text of a file, with the line ends of Unix. Raises `OSError`, and `UnicodeDecodeError` as `decode`."""
    return decode(path.read_bytes()).replace("\r\n", "\n").replace("\r", "\n")


def without_mark(text: str) -> str:
    """Return a text without the byte-order marks at its beginning."""
    return text.lstrip(MARK)
