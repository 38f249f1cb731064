"""Runs go out as CSV, Parquet and for Excel, and come back with the same frame."""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import replace
from importlib.util import find_spec

import pandas as pd
import pytest

from ci_notebook.experiment.journal import Journal
from ci_notebook.experiment.sweep import grid
from ci_notebook.model.api.jobs import JobsDetail, Response
from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.errors import EngineError, ParameterError
from ci_notebook.model.score_alignment import Alignment
from ci_notebook.model.setting.enhance import FrameEnhance, VideoEnhance
from ci_notebook.results.dataframe import differing, read_frame, to_frame
from ci_notebook.results.runs import Runs, read_runs
from ci_notebook.results.tables.table_files import write_frame
from ci_notebook.wire.xml import loads
from tests.results.jobs_xml import done, response
from tests.results.sample_runs import made

needs_openpyxl = pytest.mark.skipif(find_spec("openpyxl") is None, reason="the extra tables is not installed")


def whole() -> Runs:
    """Return runs whose jobs tell all that jobs tell, with AUTO, absent and bare nodes in their settings."""
    jobs = loads(Response, response(*(done(n) for n in range(4)))).jobs_detail
    settings = [*grid(None, SharpenLevel=[None, AUTO, 5]), VideoEnhance(frame_enhance=FrameEnhance())]
    alignments = [
        None,
        Alignment(fps=25.0, width=1280, height=720),
        Alignment(offset_frames=-2, offset_s=-0.08, fps=25.0, width=640, height=360, scale_x=0.5, scale_y=0.5),
        Alignment(start_s=1.5, rotation=90, source_crop=(0.0, 0.125, 1.0, 0.75), output_crop=(0.1, 0.0, 0.8, 1.0)),
    ]
    found = []
    for run, job, setting, alignment in zip(made(clips=("city",)), jobs, settings, alignments, strict=True):
        told = replace(job, operation=replace(job.operation, video_enhance=setting))
        found.append(
            replace(
                run, job=told, setting=setting, clip_key=told.input.object, score_against="source", alignment=alignment
            )
        )
    return Runs(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["r.csv", "r.parquet", pytest.param("r.xlsx", marks=needs_openpyxl)])
def test_saved_runs_come_back_with_the_same_frame_and_settings(tmp_path, name):
    runs = whole()
    back = read_runs(runs.save(tmp_path / name))
    pd.testing.assert_frame_equal(back.to_frame(), runs.to_frame())
    assert [run.setting for run in back] == [run.setting for run in runs]
    assert [run.alignment for run in back] == [run.alignment for run in runs]
    assert back[0].scores == pytest.approx(runs[0].scores | {"vmaf_minus_neg": 0.0}, abs=1e-9)


@pytest.mark.slow
def test_runs_that_were_never_sent_come_back_too(tmp_path):
    runs = Runs([replace(run, job=None, scores={}, cost_cny=None, error="no luck") for run in made()])
    back = read_runs(runs.save(tmp_path / "r.csv"))
    assert back[0].job is None
    assert back[0].error == "no luck"
    assert len(back) == len(runs)


def test_a_journal_gives_everything_back(tmp_path):
    run = replace(made(clips=("city",))[1], attempt=1)
    with Journal(tmp_path / "journal.sqlite") as journal:
        request = enhance_request("input/city.mp4", run.setting, bucket="b-1250000000", region="ap-chongqing")
        journal.begin(run, request, service="s", mark="m")
        journal.record_reply(run)
        journal.record_result(run)
    back = read_runs(tmp_path / "journal.sqlite")
    assert back[0].setting == run.setting
    assert back[0].pictures == run.pictures
    assert back[0].every == 5


def test_a_text_that_looks_like_a_formula_stays_a_text(tmp_path):
    runs = Runs([replace(run, clip="=cmd|' /C calc'!A0") for run in made()])
    path = runs.save(tmp_path / "r.csv", excel=True)
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    read = pd.read_csv(path)
    assert read["clip"].iloc[0].startswith("'=")
    assert "Transcode.Video.Codec" not in read.columns
    assert str(read["created"].iloc[0]) == "2026-01-01 02:00:00"


@needs_openpyxl
@pytest.mark.parametrize("part", [lambda df: df, lambda df: df.sort_values("job_id")[["clip", "created"]].head(3)])
def test_pandas_own_calls_write_the_table_and_its_parts(tmp_path, part):
    df = part(Runs([replace(run, clip="=1+1", clip_key="", clip_md5="m") for run in made()]).to_frame())
    df.to_excel(tmp_path / "r.xlsx", index=False)
    df.to_parquet(tmp_path / "r.parquet")
    back = pd.read_excel(tmp_path / "r.xlsx")
    assert back["created"].iloc[0] == dt.datetime(2026, 1, 1, 2), "in UTC: Excel has no time zones"
    assert set(back["clip"]) == {"=1+1"}, "a text that looks like a formula stays a text"
    pd.testing.assert_frame_equal(read_frame(tmp_path / "r.parquet"), df.reset_index(drop=True), check_like=False)
    assert isinstance(df["created"].dtype, pd.DatetimeTZDtype), "the table itself keeps its time zone"


@needs_openpyxl
def test_several_tables_go_into_one_excel_file(tmp_path):
    df = to_frame(made())
    with pd.ExcelWriter(tmp_path / "r.xlsx") as writer:
        df.head(2).to_excel(writer, sheet_name="first")
        df.tail(3).to_excel(writer, sheet_name="last")
    sheets = pd.read_excel(tmp_path / "r.xlsx", sheet_name=None)
    assert {name: len(sheet) for name, sheet in sheets.items()} == {"first": 2, "last": 3}


def test_no_table_has_cells_that_no_file_takes():
    for df in (whole().to_frame(), to_frame(grid(None, SharpenLevel=[None, AUTO, 5])), to_frame([])):
        assert not [name for name in df.columns if df[name].dtype == object]


@pytest.mark.parametrize(("name", "package"), [("r.xlsx", "openpyxl"), ("r.parquet", "pyarrow")])
def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch, name, package):
    for module in [package, *(one for one in sys.modules if one.startswith(f"{package}."))]:
        monkeypatch.setitem(sys.modules, module, None)
    kind = "Excel" if package == "openpyxl" else "Parquet"
    sentence = rf"{kind} files need {package}, which is not installed. Install it: .*'ci-notebook\[tables\]'"
    (tmp_path / name).touch()
    df = to_frame(made())
    for call in (
        lambda: Runs(made()).save(tmp_path / name),
        lambda: read_runs(tmp_path / name),
        lambda: df.to_excel(tmp_path / name) if package == "openpyxl" else df.to_parquet(tmp_path / name),
    ):
        with pytest.raises(EngineError, match=sentence):
            call()


def test_names_that_say_no_format_are_refused(tmp_path):
    with pytest.raises(ParameterError, match=r"csv, \.parquet or \.xlsx"):
        write_frame(to_frame([]), tmp_path / "r.ods")
    with pytest.raises(ParameterError, match=r"csv or \.xlsx"):
        write_frame(to_frame([]), tmp_path / "r.parquet", excel=True)
    with pytest.raises(FileNotFoundError, match="nothing"):
        read_runs(tmp_path / "nothing.csv")


def test_how_bad_the_bad_pictures_are_has_columns_and_units():
    run = replace(made()[0], scores={"vmaf_p5": 60.0, "psnr_worst": 30.0, "delta_e_p95": 2.0})
    df = to_frame([run])
    assert df[["vmaf_p5", "psnr_worst", "delta_e_p95"]].iloc[0].tolist() == [60, 30, 2]
    assert "vmaf_worst" in to_frame([JobsDetail()]).columns
    assert "MsSharpen.SharpenLevel" in differing(to_frame(made())).columns
