"""Tables of runs as CSV, Parquet and Excel files, and runs read back from them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pandas as pd
from lxml import etree

from ci_notebook._folders import readable_file, reading
from ci_notebook._machine_errors import with_own_errors
from ci_notebook.experiment.journal import Journal
from ci_notebook.experiment.run_record import Run
from ci_notebook.model.api.jobs import JobsDetail, time_text
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.score_alignment import Alignment
from ci_notebook.model.scores import score_names
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.results.columns import ALIGNMENT, by_name
from ci_notebook.results.dataframe import read_frame
from ci_notebook.results.tables.lab_table import LabTable
from ci_notebook.wire.xml import read

_SQLITE: Final = b"SQLite format 3\0"


def write_frame(df: pd.DataFrame, path: str | Path, *, excel: bool = False) -> Path:
    """Write a table as CSV, Parquet or Excel (.xlsx), by the ending of `path`, and return the path.

    `read_frame` reads it back. Parquet needs pyarrow and Excel openpyxl (`pip install 'ci-notebook[tables]'`): raises
    `EngineError` without. With `excel` a CSV is one for Excel: it begins with a byte-order mark, so that Excel reads
    UTF-8; times are UTC without a time zone, so that Excel reads dates; columns without values are left out. In every
    CSV, a text that a spreadsheet could take for a formula begins with an apostrophe, which `read_frame` removes.
    """
    path = Path(path)
    if path.suffix == ".parquet" and not excel:
        with with_own_errors(path):
            LabTable(df).to_parquet(path)
    elif path.suffix == ".xlsx":
        with with_own_errors(path):
            LabTable(df).to_excel(path, index=False)
    elif path.suffix == ".csv":
        table = LabTable(_for_excel(df) if excel else df)
        with with_own_errors(path):
            table.to_csv(path, index=False, encoding="utf-8-sig" if excel else "utf-8")
    else:
        raise ParameterError("path", str(path), f"a name ending in .csv{'' if excel else ', .parquet'} or .xlsx")
    return path


def runs_in(path: Path) -> Iterator[Run]:
    """Yield the runs of a journal, or of a table that was written as CSV, Parquet or Excel."""
    readable_file(path)
    if path.suffix in (".csv", ".parquet", ".xlsx"):
        yield from runs_of_table(read_frame(path))
        return
    with reading(path), path.open("rb") as file:
        if file.read(len(_SQLITE)) != _SQLITE:
            raise ParameterError.plain(
                f"{str(path)!r} is no journal. Use a journal.sqlite, or a table that ends in .csv, .parquet or .xlsx."
            )
    with Journal(path) as journal:
        yield from journal.runs()


def runs_of_table(df: pd.DataFrame) -> Iterator[Run]:
    """Yield the runs of a DataFrame. It holds no scores per frame and no paths of outputs."""
    others = [name for name in df.columns if name not in by_name()]
    for _, row in df.iterrows():
        scores = {name: float(row[name]) for name in (*score_names(), *others) if name in row and pd.notna(row[name])}
        job = read(JobsDetail, _xml(row))
        setting = job.operation.video_enhance if job.operation else None
        against = _text(row, "score_against")
        yield Run(
            key=_text(row, "run"), clip=_text(row, "clip"), clip_key=_text(row, "input_key"),
            clip_md5=_text(row, "clip_md5"), setting=setting or VideoEnhance(), template_id=_text(row, "template_id"),
            job=job if job.state or job.job_id else None, scores=scores,
            every=int(_number(row, "score_every") or 0),
            score_against="reference" if against == "reference" else "source" if against else "",
            cost_cny=_number(row, "cost_cny"), error=_text(row, "error"), alignment=_alignment(row),
            screen=_text(row, "screen"), vmaf_v1_model=_text(row, "vmaf_v1_model"),
            score_note=_text(row, "score_note"),
        )  # fmt: skip


def _xml(row: pd.Series[Any]) -> etree._Element:
    """Return the `JobsDetail` of a row: each fact goes to the path of its column."""
    job = etree.Element("JobsDetail")
    for name, column in by_name().items():
        if column.path and name in row and pd.notna(row[name]):
            _element(job, column.path).text = _xml_text(row[name])
    auto = _text(row, "auto")
    for path in auto.split("; ") if auto else ():
        known = by_name().get(path)
        _element(job, known.path if known else ("Operation", "VideoEnhance", *path.split(".")))
    return job


def _element(job: etree._Element, path: tuple[str, ...]) -> etree._Element:
    """Return the element at a path, created where it is missing; `AudioMix#2` is the second one of its tag."""
    element = job
    for step in path:
        tag, _, number = step.partition("#")
        children = element.findall(tag)
        while len(children) < int(number or 1):
            children.append(etree.SubElement(element, tag))
        element = children[int(number or 1) - 1]
    return element


def _xml_text(value: Any) -> str:
    if isinstance(value, pd.Timestamp):
        return time_text(value.to_pydatetime())
    return str(value).lower() if str(value) in ("True", "False") else str(value)


def _number(row: pd.Series[Any], name: str) -> float | None:
    return None if name not in row or pd.isna(row[name]) else float(row[name])


def _alignment(row: pd.Series[Any]) -> Alignment | None:
    values: dict[str, Any] = {}
    for column in ALIGNMENT:
        if column.name in row and pd.notna(row[column.name]):
            value = row[column.name]
            name = column.name.removeprefix("align_")
            values[name] = int(value) if column.kind == "whole" else value
            values[name] = value.split(", ") if column.kind == "text" else values[name]
    return Alignment.of(values) if values else None


def _text(row: pd.Series[Any], name: str) -> str:
    return "" if name not in row or pd.isna(row[name]) else str(row[name])


def _for_excel(df: pd.DataFrame) -> pd.DataFrame:
    table = df.dropna(axis="columns", how="all").copy()
    for name in table.columns:
        if isinstance(table[name].dtype, pd.DatetimeTZDtype):
            table[name] = table[name].dt.tz_localize(None).dt.floor("s")
    return table
