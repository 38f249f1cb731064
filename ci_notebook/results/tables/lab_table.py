"""The DataFrame that the lab returns: it writes files that a spreadsheet shows as they are, and never runs."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pandas as pd

from ci_notebook._machine_errors import with_own_errors
from ci_notebook.model.errors import EngineError
from ci_notebook.model.spreadsheet.spreadsheet_text import inert_text, is_formula

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_INSTALL: Final = "python -m pip install 'ci-notebook[tables]'"


class LabTable(pd.DataFrame):
    """A DataFrame with its own `to_csv`, `to_excel` and `to_parquet`. Parts and copies of it are LabTables too.

    Excel has no time zones, and reads a text such as `=A1` as a formula: pandas refuses the one, not the other.
    """

    @property
    def _constructor(self) -> Callable[..., LabTable]:
        return LabTable

    @property
    def _constructor_sliced(self) -> Callable[..., LabColumn]:
        return LabColumn

    def to_csv(self, path_or_buf: Any = None, *args: Any, **options: Any) -> Any:
        """Write CSV (see `pandas.DataFrame.to_csv`) that a spreadsheet does not run; `to_clipboard` does so too.

        A text that a spreadsheet could take for a formula begins with an apostrophe: `'=A1`. `read_frame` and
        `read_runs` remove it again. Numbers are written as they are.
        """
        returns = False

        def inert(text: str) -> str:
            nonlocal returns
            returns = returns or "\r" in text
            return inert_text(text)

        table = with_texts(pd.DataFrame(self), inert)
        if returns:  # Python quotes a carriage return only where it is a part of the line's end
            options.setdefault("lineterminator", "\r\n")
        return table.to_csv(path_or_buf, *args, **options)

    def to_excel(self, excel_writer: Any, *args: Any, **options: Any) -> None:  # type: ignore[misc]  # final in pandas
        """Write an Excel file (see `pandas.DataFrame.to_excel`). Times are written in UTC without a time zone.

        Texts that look like formulas or links stay texts. Control characters, which Excel does not take, become �.
        Raises `EngineError` where openpyxl is not installed.
        """
        table = with_texts(pd.DataFrame(self), lambda text: _CONTROL.sub("�", text))
        for name in table.columns:
            if isinstance(table[name].dtype, pd.DatetimeTZDtype):
                table[name] = table[name].dt.tz_convert("UTC").dt.tz_localize(None)
        with file_package("Excel"):
            if isinstance(excel_writer, pd.ExcelWriter):
                _write_texts(table, excel_writer, *args, **options)
                return
            engine: Any = options.pop("engine", None) or "openpyxl"
            more = options.pop("engine_kwargs", None)
            path = Path(excel_writer) if isinstance(excel_writer, str | Path) else None
            # Not straight into the file: on a full disk, openpyxl's archive would stay open and complain later.
            content = io.BytesIO()
            with pd.ExcelWriter(content if path else excel_writer, engine=engine, engine_kwargs=more) as writer:
                _write_texts(table, writer, *args, **options)
            if path is not None:
                with with_own_errors(path):
                    path.write_bytes(content.getvalue())

    def to_parquet(self, path: Any = None, *args: Any, **options: Any) -> Any:
        """Write a Parquet file (see `pandas.DataFrame.to_parquet`). Raises `EngineError` without pyarrow."""
        with file_package("Parquet"), with_own_errors(path if isinstance(path, str | Path) else ""):
            return pd.DataFrame(self).to_parquet(path, *args, **options)


class LabColumn(pd.Series):
    """A column or row of a LabTable, written as inertly as the table. Groups of it are again of these two types."""

    @property
    def _constructor(self) -> Callable[..., LabColumn]:
        return LabColumn

    @property
    def _constructor_expanddim(self) -> Callable[..., LabTable]:
        return LabTable

    def to_csv(self, path_or_buf: Any = None, *args: Any, **options: Any) -> Any:
        """Write CSV as `LabTable.to_csv` does."""
        return self._table().to_csv(path_or_buf, *args, **options)

    def to_excel(self, excel_writer: Any, *args: Any, **options: Any) -> None:  # type: ignore[misc]  # final in pandas
        """Write an Excel file as `LabTable.to_excel` does."""
        self._table().to_excel(excel_writer, *args, **options)

    def _table(self) -> LabTable:
        return LabTable(pd.Series(self).to_frame())


@contextlib.contextmanager
def file_package(kind: str) -> Iterator[None]:
    """Turn the `ImportError` of a missing package into an `EngineError` that says what to install."""
    try:
        yield
    except ImportError as error:
        package = {"Excel": "openpyxl", "Parquet": "pyarrow"}[kind]
        raise EngineError(f"{kind} files need {package}, which is not installed. Install it: {_INSTALL}") from error


def with_texts(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """Return a table with every text changed. A table without a changed text is returned as it is."""

    def changed(value: Any) -> Any:
        return change(value) if isinstance(value, str) else value

    copy = table
    for place, dtype in enumerate(table.dtypes):
        if pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_datetime64_any_dtype(dtype):
            continue
        column = table.iloc[:, place].astype(object)
        texts = [changed(value) for value in column]
        if any(new is not old and new != old for new, old in zip(texts, column, strict=True)):
            copy = table.copy() if copy is table else copy
            copy.isetitem(place, pd.array(texts, dtype=object))
    for axis in (0, 1):
        labels = copy.axes[axis]
        if isinstance(labels, pd.RangeIndex) and labels.name is None:
            continue
        new = labels.map(lambda one: tuple(map(changed, one)) if isinstance(one, tuple) else changed(one))
        names = [changed(name) for name in labels.names]
        if list(new) != list(labels) or names != list(labels.names):
            copy = copy.set_axis(new.set_names(names), axis=axis)
    return copy


def _write_texts(table: pd.DataFrame, writer: Any, *args: Any, **options: Any) -> None:
    """Write a table into a workbook, with its texts as texts. Other formulas of the workbook stay formulas."""
    if writer.engine == "xlsxwriter":
        writer.book.strings_to_formulas = writer.book.strings_to_urls = False
    table.to_excel(writer, *args, **options)
    if writer.engine != "openpyxl":
        return
    seen: set[str] = set()

    def see(text: str) -> str:
        seen.add(text)
        return text

    with_texts(table, see)
    name = options.get("sheet_name", args[0] if args else "Sheet1")
    for row in writer.sheets[name].iter_rows():
        for cell in row:
            if cell.data_type in ("f", "e") and cell.value in seen:
                cell.data_type = "s"
            if cell.data_type == "s" and cell.value in seen and is_formula(cell.value):
                cell.quotePrefix = True  # it stays a text when somebody edits the cell
