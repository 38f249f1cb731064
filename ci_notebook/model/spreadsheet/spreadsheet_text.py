"""Texts of a table that a spreadsheet must show as texts: neither formulas, nor split into further cells.

A clip, a file or a message may be named by anybody, and Excel, LibreOffice and others run a cell that begins with `=`,
`+`, `-` or `@`. Invariant: `text_of_cell(inert_text(text)) == text` for every text.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["inert_text", "is_formula", "text_of_cell"]

_MARK: Final = "'"  # spreadsheets take what follows an apostrophe as a text
# The begin of a text, and each place after which a spreadsheet may begin a new cell.
_PLACE: Final = r"(?:\A{run}(?=[\t\r\n])|(?<![^;\t\r\n]){run}(?=[ \"\u00a0\u3000]*[=+\-@＝＋－＠]))"
_UNMARKED: Final = re.compile(_PLACE.replace("{run}", "'*"))
_MARKED: Final = re.compile(_PLACE.replace("{run}", "'+"))
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def inert_text(text: str) -> str:
    """Return a text for a CSV cell: with an apostrophe before each place that could be a formula.

    Numbers stay numbers.

    >>> inert_text("=1+1"), inert_text("-3.5"), inert_text("city.mp4")
    ("'=1+1", '-3.5', 'city.mp4')
    """
    return text if _NUMBER.fullmatch(text) else _UNMARKED.sub(lambda match: _MARK + match[0], text)


def text_of_cell(cell: str) -> str:
    """Return the text of which `inert_text` made a cell.

    >>> text_of_cell("'=1+1")
    '=1+1'
    """
    return cell if _NUMBER.fullmatch(cell) else _MARKED.sub(lambda match: match[0][1:], cell)


def is_formula(text: str) -> bool:
    """Return whether a spreadsheet could run a text, or take it apart."""
    return inert_text(text) != text
