"""From `JobsDetail` objects straight into columns, without their XML.

Invariant: the columns are those that `xml_columns.read` makes of the same jobs' XML. A job that repeats a
node that may come once is read by its XML, because only that says which of the two counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.declaration.node import AUTO, Node, part_by_tag, parts
from ci_notebook.results.columns import Column, columns
from ci_notebook.results.xml_columns import (
    LAYOUT,
    LayoutEntry,
    Notes,
    Texts,
    from_rows,
    masked,
    missing,
    note_odd_texts,
    note_outside,
    of_values,
    times,
    value_of,
)
from ci_notebook.wire.xml import element_of

__all__ = ["read_nodes"]

# Whole numbers of more digits are no values where XML is read, either.
_LARGEST: Final = 10**18


def read_nodes(jobs: Iterable[JobsDetail]) -> dict[str, Any]:
    """Return column name → pandas array, for all columns that come from the jobs, and the notes."""
    return from_rows(map(_row, jobs), _array)


@dataclass(frozen=True, slots=True)
class _Step:
    """One part of a node: the cell of its value, or what becomes of the nodes below it, one plan each."""

    name: str
    cell: int
    many: bool
    below: tuple[_Plan, ...]
    has_switch: bool = False


@dataclass(frozen=True, slots=True)
class _Plan:
    steps: tuple[_Step, ...]
    tags: frozenset[str]


def _plan(cls: type[Node], level: dict[str, LayoutEntry]) -> _Plan:
    steps = []
    for part in parts(cls):
        entry = level.get(part.tag)
        if entry is not None:
            below = tuple(_plan(part.node, one) for one in entry.below) if part.node is not None else ()
            has_switch = part.node is not None and "Enable" in part_by_tag(part.node)
            steps.append(_Step(part.name, entry.cell, part.many, below, has_switch))
    return _Plan(tuple(steps), frozenset(level))


_PLAN: Final = _plan(JobsDetail, LAYOUT.top)


def _row(job: JobsDetail) -> list[Any]:
    """Return the values of one job; None where it has none, an empty text for AUTO."""
    row: list[Any] = [None] * LAYOUT.width
    return row if _fill(job, _PLAN, row) else _row_by_xml(job)


def _fill(node: Node, plan: _Plan, row: list[Any]) -> bool:
    """Put the values of a node and those below it into the row; False where its XML is needed."""
    values = node.__dict__
    if values["unknown"] and any(one.tag in plan.tags for one in values["unknown"]):
        return False
    for step in plan.steps:
        value = values[step.name]
        if value is None or (step.many and not value) or (step.has_switch and value.enable is not True):
            continue
        if not step.below:
            first = value[0] if step.many else value
            row[step.cell] = "" if first is AUTO or (type(first) is str and first.isspace()) else first
            continue
        for child in value if step.many else (value,):
            count = row[step.cell] or 0  # as in `xml_columns`: -1 stands for one without children
            row[step.cell] = abs(count) + 1 if _has_children(child) else count or -1
            if abs(count) < len(step.below) and not _fill(child, step.below[abs(count)], row):
                return False
    return True


def _has_children(node: Node) -> bool:
    return any(value is not None and value != () for value in node.__dict__.values())


def _row_by_xml(job: JobsDetail) -> list[Any]:
    row = LAYOUT.row(element_of(job))
    for column in columns():
        if column.part is not None and column.kind not in ("text", "time"):
            cell = LAYOUT.cells[column.path]
            value = column.part.parse(row[cell]) if row[cell] else row[cell]
            row[cell] = "" if value is AUTO else value
    return row


def _array(column: Column, cells: Texts, count: int, auto: Notes, odd: Notes) -> Any:
    if cells.count(None) == count:
        return missing(column, count)
    if column.kind == "text":
        assert column.part is not None  # noqa: S101 - every column with a path has a leaf
        text = column.part.text
        texts = tuple(one if type(one) is str or one is None else text(one) for one in cells)
        note_odd_texts(column, texts, odd)
        return pd.array([one or None for one in texts], dtype="string")
    if column.kind == "time":
        return times(column, cells, odd)
    kinds = set(map(type, cells))
    kinds.discard(type(None))
    if (column.kind, kinds) in (("whole", {int}), ("number", {float}), ("truth", {bool})) and _is_plain(column, cells):
        mask = np.array([one is None for one in cells], dtype=bool)
        values = np.array([0 if one is None else one for one in cells])
        note_outside(column, values, mask, odd)
        return masked(column, values, mask)
    return of_values(column, [_value(column, number, one, auto, odd) for number, one in enumerate(cells)])


def _is_plain(column: Column, cells: Texts) -> bool:
    """Say whether a column of numbers needs no second look: no choices among them, none too large."""
    if column.kind == "truth":
        return True
    assert column.part is not None  # noqa: S101 - every column with a path has a leaf
    return not column.part.choices and all(one is None or -_LARGEST < one < _LARGEST for one in cells)


def _value(column: Column, number: int, value: Any, auto: Notes, odd: Notes) -> Any:
    if value is None or (type(value) is str and not value):
        return None
    if type(value) is int and not -_LARGEST < value < _LARGEST:
        value = str(value)
    return value_of(column, number, value, auto, odd)
