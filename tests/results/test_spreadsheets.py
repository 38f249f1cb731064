"""No export of ours makes a spreadsheet run a text, and every text comes back as it was."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_notebook.cli.score import _FORMS as SCORE_FORMS
from ci_notebook.model.html import table_html
from ci_notebook.model.spreadsheet.spreadsheet_text import inert_text, is_formula, text_of_cell
from ci_notebook.results.dataframe import read_frame, to_frame
from ci_notebook.results.runs import Runs, read_runs
from ci_notebook.results.tables.table_files import write_frame
from tests.results.sample_runs import made

needs_openpyxl = pytest.mark.skipif(find_spec("openpyxl") is None, reason="the extra tables is not installed")
EVIL = (
    "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1+1", "\r=1+1", "\n=1+1", " =1+1", "＝1+1", '"=1+1', ";=1+1",
    '=HYPERLINK("http://example.com")', "a;=1+1", "a\t@SUM(1)", "-", "'=1+1", "''-a", "\u3000=1", "-3 dB", "--5",
)  # fmt: skip
START = tuple("=+@＝＋－＠\t\r\n")


def runs() -> Runs:
    return Runs(
        [replace(run, clip=text, clip_md5=str(n)) for n, (run, text) in enumerate(zip(made() * 9, EVIL, strict=False))]
    )


def formulas(text: str, separator: str = ",") -> list[str]:
    """Return the cells that a spreadsheet would run, when it splits lines at this separator."""
    cells = [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) for cell in row]
    stripped = [cell.lstrip(' "\u3000') for cell in cells]
    return [one for one in stripped if one.startswith(START) or (one[:1] == "-" and one[1:] and not is_number(one))]


def is_number(text: str) -> bool:
    try:
        return float(text) == float(text)
    except ValueError:
        return False


@given(st.text(alphabet="=+-@＝\t\r\n;'\" a1.5e", max_size=8) | st.text())
def test_every_text_comes_back(text: str) -> None:
    assert text_of_cell(inert_text(text)) == text


@pytest.mark.parametrize("number", ["-3", "+1.5", "-.5", "1e-3", "-2E+10", "0.1, 0.2", "2026-01-01", ""])
def test_numbers_stay_numbers(number: str) -> None:
    assert inert_text(number) == number


def test_every_csv_is_inert_also_where_a_spreadsheet_splits_at_semicolons_or_tabs(tmp_path: Path) -> None:
    df = runs().to_frame()
    df["own"] = pd.Series((*EVIL, *[None] * (len(df) - len(EVIL))), dtype=object)
    df["kind"] = pd.Categorical(df["own"])
    df["=score"] = -1.5
    plain = write_frame(df, tmp_path / "a.csv").read_text("utf-8")
    for_excel = write_frame(df, tmp_path / "b.csv", excel=True).read_text("utf-8-sig")
    for text in (plain, for_excel, df.to_csv(index=False), df[["clip", "own"]].to_csv(), df.set_index("clip").to_csv()):
        assert "=1+1" in text and formulas(text) == []
        assert formulas(text, ";") == []
    assert formulas(df.to_csv(sep="\t"), "\t") == [] == formulas(df.to_csv(sep=";"), ";")
    rows = list(csv.DictReader(io.StringIO(plain, newline="")))
    assert {row["'=score"] for row in rows} == {"-1.5"}
    assert df["own"].iloc[0] == EVIL[0] and "=score" in df, "the table itself is not changed"


@pytest.mark.parametrize(
    "part",
    [
        lambda df: df["clip"],
        lambda df: df["clip"].head(9).copy(),
        lambda df: df["clip"].to_frame(),
        lambda df: df.set_index("clip")["size_bytes"],
        lambda df: df.set_index("clip").iloc[0],
        lambda df: df.iloc[0],
        lambda df: df.copy().groupby("clip").size(),
        lambda df: df.groupby("clip").mean(numeric_only=True),
        lambda df: df.groupby("clip").agg({"size_bytes": "max"}).reset_index(),
        lambda df: df.groupby("clip")["size_bytes"].max(),
        lambda df: df.pivot_table(index="clip", values="size_bytes"),
        lambda df: pd.concat([df["clip"], df["clip"]]),
    ],
)
def test_columns_rows_and_groups_are_inert_too(part: Callable[[pd.DataFrame], pd.DataFrame], tmp_path: Path) -> None:
    df = runs().to_frame()
    df["clip"] = ["=1+1"] * len(df)
    text = part(df).to_csv()
    assert "'=1+1" in text and formulas(text) == []
    part(df).to_csv(tmp_path / "a.csv")
    assert formulas((tmp_path / "a.csv").read_text()) == []


def test_texts_come_back_from_csv(tmp_path: Path) -> None:
    back = read_frame(write_frame(runs().to_frame(), tmp_path / "a.csv"))
    assert back["clip"].tolist() == runs().to_frame()["clip"].tolist()
    path = runs().save(tmp_path / "b.csv")
    assert sorted(run.clip for run in read_runs(path)) == sorted(run.clip for run in runs())


@needs_openpyxl
def test_excel_files_hold_texts_and_keep_the_formulas_of_others(tmp_path: Path) -> None:
    import openpyxl  # here, because it is optional

    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    book.active["A1"] = "=1+2"
    book.save(path)
    df = to_frame(runs())[["clip", "size_bytes"]].rename(columns={"clip": "=clip"})
    df["=clip"] = df["=clip"].astype(object)
    df.loc[0, "=clip"] = "bell\x07 #N/A"
    df.loc[1, "=clip"] = "#N/A"
    df.loc[2, "=clip"] = "http://example.com/"
    with pd.ExcelWriter(path, mode="a", engine="openpyxl") as writer:
        df.to_excel(writer, sheet_name="runs")
    book = openpyxl.load_workbook(path)
    assert book["Sheet"]["A1"].data_type == "f"
    cells = [cell for row in book["runs"].iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s", "n"}
    assert not any(cell.hyperlink for cell in cells)
    quoted = {cell.value for cell in cells if cell.quotePrefix}
    assert {"=clip", "@SUM(1)"} <= quoted and all(map(is_formula, quoted))
    assert {"bell� #N/A", "#N/A"} <= {cell.value for cell in cells}


def test_the_csv_of_scores_and_the_tables_of_reports_are_inert() -> None:
    assert formulas(SCORE_FORMS["csv"]([])) == []
    page = table_html([("=1+1", "city.mp4")], head=("@SUM(1)", "clip"))
    assert page.count('mso-number-format:"\\@"') == 2
