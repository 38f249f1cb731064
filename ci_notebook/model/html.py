"""HTML tables and pictures for notebook outputs, shown without a kernel. No script, no URL, all text escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape

from ci_notebook.model.declaration.param import AUTO


def html_table(title: str, rows: Iterable[tuple[str, object, str]]) -> str:
    """Return an HTML table of (path, value, unit) rows."""
    cells = "".join(
        f"<tr><th scope='row' style='text-align:left'>{escape(path)}</th>"
        f"<td style='text-align:left'>{_value(value, unit)}</td></tr>"
        for path, value, unit in rows
    )
    body = cells or "<tr><td><em>nothing is set</em></td></tr>"
    caption = f"<caption style='text-align:left'><b>{escape(title)}</b></caption>"
    return f"<table>{caption}<tbody>{body}</tbody></table>"


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


def _value(value: object, unit: str) -> str:
    if value is AUTO:
        return "<em>AUTO</em>"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return escape(f"{text} {unit}" if unit and not isinstance(value, str) else text)
