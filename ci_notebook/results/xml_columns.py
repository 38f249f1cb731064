"""`JobsDetail` elements as columns, some thousand rows at a time.

The layout of the columns is computed once. One walk over a job puts its texts into a flat row, and a whole
column is converted to its dtype at once. A text outside the declaration of its leaf takes a slow path, and goes
to the column `unlisted`.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
from lxml import etree

from ci_notebook.model.api.jobs import time_of
from ci_notebook.model.declaration.node import AUTO, part_by_tag, parts
from ci_notebook.model.setting.enhance import SwitchedMsSharpen, VideoEnhance, VideoProcess
from ci_notebook.results.columns import Column, columns

ROWS: Final = 2048  # a block of texts is then about 10 MB
Notes = dict[int, list[str]]  # row number → notes about it
Texts = tuple[Any, ...]  # of a leaf: text or None; of a node: its number of occurrences, or None

# Column, its cells, their number, and the notes about rows: AUTO leaves, and values outside the declaration.
ArrayOf = Callable[[Column, Texts, int, Notes, Notes], Any]

_WHOLE = re.compile(r"(?:[+-]?[0-9]{1,18}(?:\n|\Z))+")
_NUMBER = re.compile(r"(?:[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?:\n|\Z))+")
_TIME = "%Y-%m-%dT%H:%M:%S%z"


@dataclass(slots=True)
class LayoutEntry:
    """The cell for the text of a tag, or the entries of its children.

    The cell of a node counts its occurrences; -1 means one occurrence without children. `is_auto` marks leaves of
    which an empty text is a value. `has_switches` marks a node whose children are on only by their `Enable`.
    """

    cell: int
    below: list[dict[str, LayoutEntry]] = field(default_factory=list)
    is_auto: bool = False
    has_switches: bool = False


class Layout:
    """The cell of each column in a flat row, and the tree of tags that fills the cells."""

    def __init__(self, shown_columns: Sequence[Column]) -> None:
        self.cells: dict[tuple[str, ...], int] = {}
        self.top: dict[str, LayoutEntry] = {}
        for column in shown_columns:
            if column.path:
                self._add(column)
        self._add_older_kinds()
        self.width = len(self.cells)

    def _add(self, column: Column) -> None:
        level, path = self.top, tuple[str, ...]()
        for tag in column.path[:-1]:
            name, _, number = tag.partition("#")
            path = (*path, name)
            entry = level.get(name) or level.setdefault(name, LayoutEntry(self._cell(path)))
            while len(entry.below) < int(number or 1):
                entry.below.append({})
            level = entry.below[int(number or 1) - 1]
        part = column.part
        for tag in (column.path[-1], *(part.param.also if part else ())):
            level[tag] = LayoutEntry(self._cell(column.path), is_auto=bool(part and part.auto))

    def _add_older_kinds(self) -> None:
        """Lead the stages of the older kinds of jobs, which are next to VideoEnhance, to its cells."""
        operation = self.top["Operation"].below[0]
        stages = operation["VideoEnhance"].below[0]
        for tag in ("SuperResolution", "SDRtoHDR", "Transcode"):
            operation[tag] = stages[tag]
        switched = {part.tag: stages[part.tag] for part in parts(VideoProcess)}
        cell = self._cell(("Operation", "VideoProcess"))
        operation["VideoProcess"] = LayoutEntry(cell, [switched], has_switches=True)

    def _cell(self, path: tuple[str, ...]) -> int:
        return self.cells.setdefault(path, len(self.cells))

    def row(self, job: etree._Element) -> list[Any]:
        """Return the texts of one job; None where it has none. The first one of repeated leaves counts."""
        row: list[Any] = [None] * self.width
        _walk(job, self.top, row)
        return row


def _walk(
    element: etree._Element, level: dict[str, LayoutEntry], row: list[Any], *, has_switches: bool = False
) -> None:
    for child in element:
        entry = level.get(child.tag)
        if entry is None or (has_switches and not _is_on(child)):
            continue
        cell = entry.cell
        if not entry.below:
            if len(child) == 0 and (row[cell] is None or (row[cell] == "" and not entry.is_auto)):
                text = child.text or ""
                row[cell] = "" if text.isspace() else text
            continue
        seen = row[cell] or 0
        row[cell] = abs(seen) + 1 if len(child) else seen or -1
        if abs(seen) < len(entry.below):
            _walk(child, entry.below[abs(seen)], row, has_switches=entry.has_switches)


def _is_on(stage: etree._Element) -> bool:
    switches = (_SWITCH.parse(one.text or "") for one in stage.iterchildren("Enable") if len(one) == 0)
    return next((value for value in switches if value is not None), None) is True


_SWITCH: Final = part_by_tag(SwitchedMsSharpen)["Enable"]


LAYOUT: Final = Layout(columns())


def read(jobs: Iterable[etree._Element]) -> dict[str, Any]:
    """Return column name → pandas array, for all columns that come from the XML of jobs, and the notes."""
    return from_rows(map(LAYOUT.row, jobs), _array)


def from_rows(rows: Iterator[list[Any]], array_of: ArrayOf) -> dict[str, Any]:
    """Return the arrays of `read` for rows of `LAYOUT.row`; `array_of` turns the cells of a column into an array."""
    blocks: dict[str, list[Any]] = defaultdict(list)
    while True:
        texts = list(zip(*itertools.islice(rows, ROWS), strict=True))
        if not texts:
            break
        for name, array in _block(texts, array_of).items():
            blocks[name].append(array)
    if not blocks:
        return _block([() for _ in range(LAYOUT.width)], array_of)
    return {name: arrays[0] if len(arrays) == 1 else _joined(arrays) for name, arrays in blocks.items()}


def _joined(arrays: list[Any]) -> Any:
    return pd.concat([pd.Series(array, copy=False) for array in arrays], ignore_index=True).array


def _block(texts: list[Texts], array_of: ArrayOf) -> dict[str, Any]:
    count = len(texts[0])
    auto: Notes = defaultdict(list)
    odd: Notes = defaultdict(list)
    arrays = {}
    for column in columns():
        if column.path:
            cells = texts[LAYOUT.cells[column.path]]
            arrays[column.name] = array_of(column, cells, count, auto, odd)
            if column.part and column.part.auto:
                _note_auto(column, texts, auto)
    _note_contradicting_times(arrays, texts, odd)
    for stage, cell, is_bare in _STAGES:
        for number, seen in enumerate(texts[cell]):
            if seen == -1 and is_bare:
                auto[number].append(stage)
    for name, notes in (("auto", auto), ("unlisted", odd)):
        arrays[name] = pd.array([("; ".join(notes[n]) if n in notes else None) for n in range(count)], dtype="string")
    return arrays


# Stages that are noted as AUTO when they are empty; of a stage with AUTO leaves, the leaves are noted instead.
_STAGES: Final = tuple(
    (
        tag,
        LAYOUT.cells["Operation", "VideoEnhance", tag],
        not any(below.auto for below in part_by_tag(part.node).values()),
    )
    for tag, part in part_by_tag(VideoEnhance).items()
    if part.node is not None
)


def _note_contradicting_times(arrays: dict[str, Any], texts: list[Texts], odd: Notes) -> None:
    """Note the later time of a job that ends before it starts, or starts before it was created."""
    for first, then, tag in (("created", "started", "StartTime"), ("started", "ended", "EndTime")):
        is_earlier = np.asarray(pd.Series(arrays[then]) < pd.Series(arrays[first]), dtype=bool)
        for number in map(int, np.flatnonzero(is_earlier)):
            odd[number].append(f"{tag}={texts[LAYOUT.cells[tag,]][number]}")


def _note_auto(column: Column, texts: list[Texts], auto: Notes) -> None:
    """Note a leaf that may be AUTO when it is empty or missing in a node that is present."""
    stage = texts[LAYOUT.cells[column.path[:-1]]]
    if stage.count(None) == len(stage):
        return
    for number, (occurrences, text) in enumerate(zip(stage, texts[LAYOUT.cells[column.path]], strict=True)):
        if occurrences and (text is None or text == ""):
            auto[number].append(column.name)


def _array(column: Column, cells: Texts, count: int, auto: Notes, odd: Notes) -> Any:
    if cells.count(None) == count:
        return missing(column, count)
    if column.kind == "text":
        note_odd_texts(column, cells, odd)
        return pd.array([text or None for text in cells], dtype="string")
    if column.kind == "time":
        return times(column, cells, odd)
    present = [text for text in cells if text]
    pattern = {"whole": _WHOLE, "number": _NUMBER}.get(column.kind)
    if pattern and present and (column.part is None or not column.part.choices):
        joined = "\n".join(present)
        if "\n\n" not in joined and pattern.fullmatch(joined) and joined.count("\n") == len(present) - 1:
            return _plain(column, cells, int if column.kind == "whole" else float, odd)
    return of_values(column, [_value(column, number, text, auto, odd) for number, text in enumerate(cells)])


def _plain(column: Column, cells: Texts, make: type, odd: Notes) -> Any:
    values: Any = np.array([make(text) if text else 0 for text in cells], dtype=_NUMPY[column.kind])
    mask = np.array([not text for text in cells], dtype=bool)
    note_outside(column, values, mask, odd)
    return masked(column, values, mask)


def note_outside(column: Column, values: Any, mask: Any, odd: Notes) -> None:
    """Add the numbers that are outside the range of their declaration to `odd`. They stay in their column, too."""
    if column.part is None:
        return
    param, outside = column.part.param, np.zeros(len(values), dtype=bool)
    for limit, is_outside in (
        (param.low, np.less), (param.high, np.greater), (param.above, np.less_equal), (param.below, np.greater_equal),
    ):  # fmt: skip
        if limit is not None:
            outside |= is_outside(values, limit)
    if param.even:
        outside |= values % 2 != 0
    for number in map(int, np.flatnonzero(outside & ~mask)):
        odd[number].append(f"{'.'.join(column.path)}={column.part.text(values[number].item())}")


def note_odd_texts(column: Column, cells: Texts, odd: Notes) -> None:
    """Add the texts that the pattern or the length of their declaration does not admit to `odd`."""
    part = column.part
    if part is None or part.kind is not str or not (part.param.pattern or part.param.max_chars):
        return
    for number, text in enumerate(cells):
        if text and not part.admits(text):
            odd[number].append(f"{'.'.join(column.path)}={text}")


_NUMPY: Final = {"whole": np.int64, "number": np.float64, "truth": np.bool_}


def masked(column: Column, values: Any, mask: Any) -> Any:
    """Return a column of numbers or truth values, missing where the mask is set."""
    kinds = {"whole": pd.arrays.IntegerArray, "number": pd.arrays.FloatingArray, "truth": pd.arrays.BooleanArray}
    return kinds[column.kind](np.asarray(values, dtype=_NUMPY[column.kind]), mask)


def _value(column: Column, number: int, text: str | None, auto: Notes, odd: Notes) -> Any:
    """Return the value of a text by the declaration of its leaf; a text outside of it goes to `odd`."""
    if not text:
        return None
    assert column.part is not None  # noqa: S101 - every column with a path has a leaf
    return value_of(column, number, column.part.parse(text), auto, odd)


def value_of(column: Column, number: int, value: Any, auto: Notes, odd: Notes) -> Any:
    """Return a value that a leaf has; what its declaration does not admit goes to `odd`.

    A number outside its range is returned as well; a text is not one of the column's values.
    """
    assert column.part is not None  # noqa: S101 - as above
    if column.kind == "choice":
        fits = value in column.choices
    elif column.kind == "truth":
        fits = isinstance(value, bool)
    else:
        fits = isinstance(value, (int, float))
    if fits and value is not AUTO:
        if column.kind in ("whole", "number") and not column.part.admits(value):
            odd[number].append(f"{'.'.join(column.path)}={column.part.text(value)}")
        return value
    if column.kind in ("whole", "number") and value in column.part.choices:
        auto[number].append(column.name)  # Bitrate's word `auto` among numbers
    else:
        odd[number].append(f"{'.'.join(column.path)}={column.part.text(value)}")
    return None


def times(column: Column, cells: Texts, odd: Notes) -> Any:
    """Return a column of the times that texts stand for; a text that is no time goes to `odd`."""
    texts = pd.Series(cells, dtype=object)
    dates = pd.to_datetime(texts, format=_TIME, errors="coerce", utc=True).astype(dtype_of(column))
    dates = dates.where(dates.dt.year <= dt.MAXYEAR)  # pandas has later years, and Python has not
    for number in map(int, np.flatnonzero(dates.isna().to_numpy())):
        text = cells[number]
        moment = time_of(text)
        if moment is not None:  # Python accepts a few more formats than pandas
            dates.iloc[number] = pd.Timestamp(moment)
        elif text and text != "-":
            odd[number].append(f"{'.'.join(column.path)}={text}")
    return dates.array


def dtype_of(column: Column) -> Any:
    """Return the pandas dtype of a column, its choices in the order of their declaration."""
    return pd.CategoricalDtype(list(column.choices), ordered=True) if column.kind == "choice" else column.dtype


def missing(column: Column, count: int) -> Any:
    """Return a column of `count` missing values."""
    if column.kind in _NUMPY:
        return masked(column, np.zeros(count, dtype=_NUMPY[column.kind]), np.ones(count, dtype=bool))
    return pd.array([None] * count, dtype=dtype_of(column))


def of_values(column: Column, values: Iterable[Any]) -> Any:
    """Return a column of Python values; None is missing."""
    listed = list(values)
    if column.kind == "choice":
        code = {choice: number for number, choice in enumerate(column.choices)}
        return pd.Categorical.from_codes([code.get(v, -1) for v in listed], dtype=dtype_of(column))
    return pd.array(listed, dtype=dtype_of(column))


def names() -> Iterator[str]:
    """Yield the names of the columns that are shown, in order."""
    return (column.name for column in columns() if not column.hidden)
