"""A watermark's text as few bits: the smallest alphabet that holds the text, a length class, a check sum.

Every bit that is saved makes all others stronger. 64 Chinese characters are 192 bytes of UTF-8; as one
number in the base of the 6,763 characters of GB 2312 they are 103.
"""

from __future__ import annotations

import functools
import zlib
from typing import Final

from ci_notebook.model.errors import ParameterError

MAX_CHARS: Final = 64

# Payload sizes in bits. A text uses the smallest that holds it, and the reader tries all of them.
# 392, 768, 824, 928 and 1112 hold 64 characters of each alphabet, the others shorter texts.
PAYLOADS: Final = (32, 48, 64, 96, 128, 160, 192, 256, 320, 392, 456, 528, 600, 680, 768, 824, 928, 1112)
# 18 classes, 16 candidates, 2 grids: one false reading in about 29,000 clips without a watermark.
# 32 bits would cost a short message half a decibel more.
CHECK_BITS: Final = 24

_LATIN = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-* "


@functools.cache
def alphabets() -> tuple[str, ...]:
    """Return the alphabets, smallest first: letters, then more and more Chinese. Never reorder them.

    >>> [len(alphabet) for alphabet in alphabets()]
    [66, 3821, 6829, 21058, 158722]
    """
    common, usual = _gb2312(0xB0, 0xD7), _gb2312(0xB0, 0xF7)
    unified = "".join(map(chr, range(0x4E00, 0xA000)))
    rare = "".join(map(chr, (*range(0x3400, 0x4DC0), *range(0x20000, 0x40000))))
    return _LATIN, _LATIN + common, _LATIN + usual, _LATIN + unified, _LATIN + unified + rare


def _gb2312(first_row: int, last_row: int) -> str:
    rows = (bytes((row, cell)) for row in range(first_row, last_row + 1) for cell in range(0xA1, 0xFF))
    return b"".join(rows).decode("gb2312", "ignore")  # row 0xD7 ends with five empty cells


@functools.cache
def _positions(number: int) -> dict[str, int]:
    return {character: place for place, character in enumerate(alphabets()[number])}


def to_bits(message: str) -> list[int]:
    """Return the bits to embed: a number of one of the `PAYLOADS` and its check sum.

    Raises `ParameterError` for an empty text, one over 64 characters, or a character outside the API's
    alphabet.

    >>> len(to_bits("ci_notebook")), len(to_bits("版权所有")), len(to_bits("版" * 64))
    (120, 88, 792)
    """
    number = _number(message)
    payload = next(bits for bits in PAYLOADS if number.bit_length() <= bits)
    word = number << CHECK_BITS | _check(number, payload)
    return [int(bit) for bit in f"{word:0{payload + CHECK_BITS}b}"]


def to_message(bits: list[int]) -> str | None:
    """Return the text of bits made by `to_bits`, or None when their check sum or form is wrong.

    >>> to_message(to_bits("版权所有 2026"))
    '版权所有 2026'
    """
    word = int("".join(map(str, bits)), 2)
    number = word >> CHECK_BITS
    if number == 0 or word & (1 << CHECK_BITS) - 1 != _check(number, len(bits) - CHECK_BITS):
        return None
    number, kind = divmod(number, len(alphabets()))
    alphabet, characters = alphabets()[kind], ""
    while number > 1:
        number, place = divmod(number, len(alphabet))
        characters += alphabet[place]
    return characters[::-1] if number == 1 and 0 < len(characters) <= MAX_CHARS else None


def _number(message: str) -> int:
    if not 0 < len(message) <= MAX_CHARS:
        raise ParameterError("DigitalWatermark.Message", message, f"1 to {MAX_CHARS} characters")
    for kind in range(len(alphabets())):
        places = _positions(kind)
        if all(character in places for character in message):
            number = 1  # a leading one keeps the zeros of the first characters
            for character in message:
                number = number * len(places) + places[character]
            return number * len(alphabets()) + kind
    raise ParameterError("DigitalWatermark.Message", message, "Chinese, letters, digits, _ - * and space")


def _check(number: int, payload: int) -> int:
    # The check sum covers the class: the same number in another class is another message.
    return zlib.crc32(payload.to_bytes(2, "big") + number.to_bytes(payload // 8, "big")) & (1 << CHECK_BITS) - 1
