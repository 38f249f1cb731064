"""How a node shows itself in a notebook: a table of what was set. No script, no address, all escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from ci_notebook.model.param import AUTO


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


def _value(value: object, unit: str) -> str:
    if value is AUTO:
        return "<em>AUTO</em>"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return escape(f"{text} {unit}" if unit and not isinstance(value, str) else text)
