"""`LabTable`: the DataFrame of `to_frame`, which Excel and Parquet take as it is.

Excel has no time zones, and reads a text such as `=A1` as a formula; pandas refuses the one and passes the other on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from ci_notebook.model.errors import EngineError

__all__ = ["LabTable", "file_package"]

_INSTALL = "python -m pip install 'ci-notebook[tables]'"


class LabTable(pd.DataFrame):
    """A DataFrame with its own `to_excel` and `to_parquet`. Parts and copies of it are LabTables too."""

    @property
    def _constructor(self) -> Callable[..., LabTable]:
        return LabTable

    def to_excel(self, excel_writer: Any, *args: Any, **options: Any) -> None:  # type: ignore[misc]  # final in pandas
        """Write an Excel file (see `pandas.DataFrame.to_excel`). Times are written in UTC without a time zone.

        Texts that look like formulas stay texts. Raises `EngineError` where openpyxl is not installed.
        """
        table = pd.DataFrame(self)
        for name in table.columns:
            if isinstance(table[name].dtype, pd.DatetimeTZDtype):
                table[name] = table[name].dt.tz_convert("UTC").dt.tz_localize(None)
        with file_package("Excel"):
            if isinstance(excel_writer, pd.ExcelWriter):
                table.to_excel(excel_writer, *args, **options)
                _without_formulas(excel_writer)
                return
            engine: Any = options.pop("engine", None) or "openpyxl"
            more = options.pop("engine_kwargs", None)
            with pd.ExcelWriter(excel_writer, engine=engine, engine_kwargs=more) as writer:
                table.to_excel(writer, *args, **options)
                _without_formulas(writer)

    def to_parquet(self, path: Any = None, *args: Any, **options: Any) -> Any:
        """Write a Parquet file (see `pandas.DataFrame.to_parquet`). Raises `EngineError` without pyarrow."""
        with file_package("Parquet"):
            return pd.DataFrame(self).to_parquet(path, *args, **options)


@contextlib.contextmanager
def file_package(kind: str) -> Iterator[None]:
    """Turn the `ImportError` of a missing package into an `EngineError` that says what to install."""
    try:
        yield
    except ImportError as error:
        package = {"Excel": "openpyxl", "Parquet": "pyarrow"}[kind]
        raise EngineError(f"{kind} files need {package}, which is not installed. Install it: {_INSTALL}") from error


def _without_formulas(writer: Any) -> None:
    """Mark the formulas of every sheet as texts: the table has none, so each is a text that begins with `=`."""
    if writer.engine != "openpyxl":
        return
    for sheet in writer.sheets.values():
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    cell.data_type = "s"
