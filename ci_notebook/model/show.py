"""How a node shows itself in a notebook: a table of what was set. No script, no address, all escaped."""

from __future__ import annotations

from html import escape

from ci_notebook.model.node import AUTO, Node, tag_of
from ci_notebook.model.paths import leaves, values


def html_table(node: Node) -> str:
    """Return an HTML table of path, value and unit of every leaf that is set."""
    units = {leaf.path: leaf.part.param.unit for leaf in leaves(type(node))}
    rows = "".join(
        f"<tr><th scope='row' style='text-align:left'>{escape(path)}</th>"
        f"<td style='text-align:left'>{_value(value, units.get(path, ''))}</td></tr>"
        for path, value in values(node).items()
    )
    body = rows or "<tr><td><em>nothing is set</em></td></tr>"
    caption = f"<caption style='text-align:left'><b>{escape(tag_of(type(node)))}</b></caption>"
    return f"<table>{caption}<tbody>{body}</tbody></table>"


def _value(value: object, unit: str) -> str:
    if value is AUTO:
        return "<em>AUTO</em>"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return escape(f"{text} {unit}" if unit and not isinstance(value, str) else text)
