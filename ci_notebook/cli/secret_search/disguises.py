"""Other readings of a text: as a person or program would read it after decoding, unescaping and joining.

Invariant: each character of a reading knows its offset in the text, so that a match has a line.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["Reading", "decoded_base64", "packed_texts", "readings", "unpacked"]

# What is unpacked is bounded, because a small file can hold a very long text of zeros.
_MOST_UNPACKED: Final = 1 << 20
_MOST_CHUNKS: Final = 1000
_DEPTH: Final = 3

_ANSI: Final = re.compile(r"(?:\x1b|\\x1b|\\u001b|\\033)(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\))")
_INVISIBLE: Final = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")
_ESCAPE: Final = re.compile(
    r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|u\{([0-9A-Fa-f]{1,6})\}|([0-3][0-7]{2})|([nrt\"'/\\]))"
)
_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});")
_PERCENT: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,500}>|<!--[^<>]{0,500}-->")
# The end of one string and the begin of the next: "a" + "b", "a" "b", "a" \ "b", and f-strings.
_SEAM: Final = re.compile(r"""["'`]\s{0,40}(?:\\?\n\s{0,40})?[+.&]?\s{0,40}(?:\\?\n\s{0,40})?[rbfuRBFU]{0,2}["'`]""")
_LIST_SEAM: Final = re.compile(r"""["'`]\s{0,40},\s{0,40}["'`]""")
_JOINED_LINES: Final = re.compile(r"\\?\n[ \t>#]{0,40}")

_HEX: Final = re.compile(r"(?<![0-9A-Za-z])(?:0x)?((?:[0-9A-Fa-f]{2}[ :,_-]?(?:0x)?){12,})(?![0-9A-Za-z])")
_NUMBERS: Final = re.compile(r"(?<![0-9.])(?:[0-9]{2,3}\s{0,4},\s{0,4}){12,}[0-9]{2,3}(?![0-9.])")
_BASE64: Final = re.compile(
    r"(?<![A-Za-z0-9+/_-])(?:(?:[A-Za-z0-9+/_-]{60,76}(?:\n|\\n)){1,200000}[A-Za-z0-9+/_-]*|[A-Za-z0-9+/_-]{16,})={0,2}"
)
_PNG: Final = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Reading:
    """A text, and for each of its characters the offset in the text that it was read from."""

    text: str
    places: list[int] | range
    # A free reading joins what may not belong together, so only known keys are looked for in it.
    is_free: bool = False


def readings(text: str) -> Iterator[Reading]:
    """Yield other readings of a text, without the text itself and without decoded parts."""
    plain = Reading(text, range(len(text)))
    clean = _clean(plain)
    if clean is not plain:
        yield clean
    for pattern, replace, is_free in (
        (_TAG, _nothing, True),
        (_TAG, _blank, False),
        (_SEAM, _nothing, False),
        (_LIST_SEAM, _nothing, True),
        (_JOINED_LINES, _nothing, True),
    ):
        changed = _rewritten(clean, pattern, replace)
        if changed is not clean:
            yield Reading(changed.text, changed.places, is_free)


def packed_texts(text: str, *, depth: int = _DEPTH) -> Iterator[tuple[int, str]]:
    """Yield the texts that are packed inside a text as base64, hexadecimal or numbers, with their offsets.

    Texts inside those texts are found too, to a depth of three.
    """
    for pattern, decode in ((_BASE64, _of_base64), (_HEX, _of_hex), (_NUMBERS, _of_numbers)):
        for match in pattern.finditer(text):
            data = decode(match[0])
            inside = unpacked(data) if data else ""
            if not inside:
                continue
            yield match.start(), inside
            if depth > 1 and is_readable(inside):
                yield from ((match.start(), deeper) for _, deeper in packed_texts(inside, depth=depth - 1))


def is_readable(text: str) -> bool:
    """Return whether nearly all characters of a text are printable: so not the bytes of a picture or a hash."""
    readable = sum(" " <= one <= "~" or one in "\n\r\t" for one in text[:4096])
    return readable >= 0.9 * len(text[:4096])


def unpacked(data: bytes) -> str:
    """Return bytes as Latin-1 text, followed by the texts that they hold compressed (gzip, zlib, PNG)."""
    parts = [data]
    if data.startswith(_PNG):
        parts += _png_texts(data)
    elif data[:2] == b"\x1f\x8b" or (data[:1] == b"\x78" and data[1:2] in (b"\x01", b"\x5e", b"\x9c", b"\xda")):
        parts.append(_inflated(data))
    return "\n".join(part.decode("latin-1") for part in parts)


def decoded_base64(text: str) -> str:
    """Return the bytes of base64 as Latin-1 text, unpacked; empty if the text is not base64."""
    return unpacked(_of_base64(text))


def _clean(reading: Reading) -> Reading:
    for pattern, replace in (
        (_ANSI, _nothing),
        (_INVISIBLE, _nothing),
        (_ESCAPE, _unescaped),
        (_ENTITY, _character),
        (_PERCENT, _byte),
        (_PERCENT, _byte),  # a URL inside a URL
        (_ENTITY, _character),
        (_ANSI, _nothing),
        (_INVISIBLE, _nothing),
    ):
        reading = _rewritten(reading, pattern, replace)
    return reading


def _rewritten(reading: Reading, pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str]) -> Reading:
    """Return a reading with every match replaced; the reading itself where nothing matches."""
    parts: list[str] = []
    places: list[int] = []
    end = 0
    for match in pattern.finditer(reading.text):
        new = replace(match)
        parts += (reading.text[end : match.start()], new)
        places += reading.places[end : match.start()]
        places += [reading.places[match.start()]] * len(new)
        end = match.end()
    if not parts:
        return reading
    parts.append(reading.text[end:])
    places += reading.places[end:]
    return Reading("".join(parts), places)


def _nothing(match: re.Match[str]) -> str:
    return ""


def _blank(match: re.Match[str]) -> str:
    return " "


def _unescaped(match: re.Match[str]) -> str:
    if match[6]:
        return {"n": "\n", "r": "\r", "t": "\t"}.get(match[6], match[6])
    code = int(match[5], 8) if match[5] else int(match[1] or match[2] or match[3] or match[4], 16)
    return chr(code) if code < 0x110000 else ""


def _character(match: re.Match[str]) -> str:
    return html.unescape(match[0])


def _byte(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))


def _of_base64(text: str) -> bytes:
    encoded = re.sub(r"[^A-Za-z0-9+/]", "", text.replace("\\n", "").replace("-", "+").replace("_", "/"))
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    except binascii.Error:
        return b""


def _of_hex(text: str) -> bytes:
    digits = re.sub(r"0x|[ :,_-]", "", text)
    return bytes.fromhex(digits) if len(digits) % 2 == 0 else b""


def _of_numbers(text: str) -> bytes:
    numbers = [int(one) for one in text.split(",")]
    return bytes(numbers) if all(number < 256 for number in numbers) else b""


def _png_texts(data: bytes) -> Iterator[bytes]:
    """Yield the compressed texts of a PNG file."""
    at = len(_PNG)
    for _ in range(_MOST_CHUNKS):
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + size]
        if kind in (b"zTXt", b"iTXt", b"iCCP"):
            start = re.search(rb"\x78[\x01\x5e\x9c\xda]", body)
            if start:
                yield _inflated(body[start.start() :])
        if len(kind) < 4 or kind == b"IEND":
            return
        at += 12 + size


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=47).decompress(data, _MOST_UNPACKED)  # 47: gzip or zlib, by its first bytes
    except zlib.error:
        return b""
