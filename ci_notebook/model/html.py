"""HTML tables and pictures for notebook outputs, shown without a kernel. No script, no URL, all text escaped."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Sequence
from html import escape
from typing import Final

from ci_notebook.model.declaration.param import AUTO
from ci_notebook.model.setting.words import AUTO_WORD, LEFT_OUT, word_of
from ci_notebook.model.spreadsheet.spreadsheet_text import is_formula

_LEFT: Final = " style='text-align:left'"
_RIGHT: Final = " style='text-align:right'"
# A spreadsheet that opens the page takes the cell as a text.
_TEXT: Final = " style='text-align:left;mso-number-format:\"\\@\"'"


class Markup(str):
    """Text that is HTML already, so that it is not escaped again."""

    __slots__ = ()


def bold(text: str) -> Markup:
    """Return a text in bold."""
    return Markup(f"<b>{escape(text)}</b>")


def value_html(value: object) -> Markup:
    """Return a value of a setting in words, `left out` and `AUTO` in italics."""
    word = word_of(value)
    is_special = value is None or value is AUTO or word in (LEFT_OUT, AUTO_WORD)
    return Markup(f"<em>{word}</em>" if is_special else escape(word))


def table_html(
    rows: Iterable[Sequence[str]],
    *,
    head: Sequence[str] = (),
    caption: str = "",
    numeric: Collection[int] = (),
    row_heads: bool = False,
) -> Markup:
    """Return an HTML table: texts to the left, columns with an index in `numeric` to the right.

    Texts are escaped unless they are `Markup`. With `row_heads` the first cell of a row is its header.
    """
    sides = dict.fromkeys(numeric, _RIGHT)
    title = f"<caption{_LEFT}>{_escaped(caption)}</caption>" if caption else ""
    names = "".join(
        f"<th scope='col'{sides.get(index, _left(name))}>{_escaped(name)}</th>" for index, name in enumerate(head)
    )
    body = []
    for row in rows:
        cells = [f"<td{sides.get(index, _left(text))}>{_escaped(text)}</td>" for index, text in enumerate(row)]
        if row_heads and cells:
            cells[0] = f"<th scope='row'{sides.get(0, _left(row[0]))}>{_escaped(row[0])}</th>"
        body.append(f"<tr>{''.join(cells)}</tr>")
    top = f"<thead><tr>{names}</tr></thead>" if names else ""
    return Markup(f"<table>{title}{top}<tbody>{''.join(body)}</tbody></table>")


def html_table(title: str, rows: Iterable[tuple[str, object, str]]) -> str:
    """Return an HTML table of (path, value, unit) rows."""
    cells = [(path, _with_unit(value, unit)) for path, value, unit in rows]
    return table_html(
        cells or [(Markup("<em>nothing is set</em>"),)], caption=bold(title), row_heads=bool(cells)
    )  # fmt: skip


def picture_html(picture: bytes, kind: str, text: str, *, width_px: int) -> str:
    """Return `<figure>` HTML with a picture; `kind` is jpeg or png. `text` is its caption and alt text."""
    caption = escape(text, quote=True)
    source = base64.b64encode(picture).decode("ascii")
    return (
        "<figure style='display:inline-block;margin:4px 8px 4px 0;vertical-align:top;"
        f"width:100%;max-width:{width_px}px'>"
        f"<img alt='{caption}' src='data:image/{kind};base64,{source}' style='width:100%;display:block'>"
        f"<figcaption style='font-size:90%'>{caption}</figcaption></figure>"
    )


def _left(text: str) -> str:
    return _TEXT if not isinstance(text, Markup) and text != "-" and is_formula(text) else _LEFT


def _escaped(text: str) -> str:
    return text if isinstance(text, Markup) else escape(text)


def _with_unit(value: object, unit: str) -> Markup:
    if value is AUTO or isinstance(value, str | bool) or not unit:
        return value_html(value) if value is AUTO or isinstance(value, bool) else Markup(escape(str(value)))
    return Markup(escape(f"{value} {unit}"))
