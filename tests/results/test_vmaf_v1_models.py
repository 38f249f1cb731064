"""Numbers of two models of VMAF v1 never meet: in verdicts, charts, searches, votes and views."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ci_notebook.experiment.run_record import Run
from ci_notebook.model.errors import ParameterError
from ci_notebook.results.charts import plot_response, plot_trace
from ci_notebook.results.dataframe import read_frame, to_frame
from ci_notebook.results.report.html_report import report
from ci_notebook.results.run_table import table
from ci_notebook.results.runs import Runs
from ci_notebook.results.tables.table_files import runs_of_table, write_frame
from ci_notebook.results.verdict.verdict import verdict
from ci_notebook.widgets.compare.sides import sides_of
from tests.results.sample_runs import level_of, made

HD, UHD = "vmaf_v1.0.16_3d0h", "vmaf_v1.0.16_1d5h_2160"


def scored(model_of: Any) -> list[Run]:
    """Return runs with VMAF v1, whose model `model_of` says for each run."""
    runs = []
    for run in made(clips=("city", "sea", "wood")):
        neg = run.pictures["vmaf_neg"]
        runs.append(replace(
            run, pictures={**run.pictures, "vmaf_v1": neg}, scores={**run.scores, "vmaf_v1": run.scores["vmaf_neg"]},
            screen="tv", vmaf_v1_model=model_of(run), score_against="source",
        ))  # fmt: skip
    return runs


def by_level(run: Run) -> str:
    return UHD if level_of(run.setting) == 6 else HD


def test_a_verdict_over_two_models_is_refused_by_name() -> None:
    found = verdict(scored(by_level), "SharpenLevel", 0, 6, on="vmaf_v1")
    assert found.answer == "refused" and HD in found.sentence and UHD in found.sentence
    across = verdict(scored(lambda run: UHD if run.clip == "sea" else HD), "SharpenLevel", 0, 6, on="vmaf_v1")
    assert across.answer == "refused" and "cannot be compared" in across.sentence
    assert verdict(scored(lambda run: HD), "SharpenLevel", 0, 6, on="vmaf_v1").answer == "worse"
    assert verdict(scored(by_level), "SharpenLevel", 0, 6, on="vmaf_neg").answer == "worse"


def test_a_verdict_over_two_models_takes_another_score_by_default() -> None:
    found = verdict(scored(by_level), "SharpenLevel", 0, 6)
    assert found.on == "vmaf_neg" and found.answer == "worse"
    assert verdict(scored(lambda run: HD), "SharpenLevel", 0, 6).on == "vmaf_v1"


def test_charts_refuse_two_models() -> None:
    runs = [replace(run, scores={**run.scores, "vmaf_v1_p5": 50.0}) for run in scored(by_level)]
    with pytest.raises(ParameterError, match="whose scores cannot be compared"):
        plot_response(runs, "SharpenLevel", "vmaf_v1")
    with pytest.raises(ParameterError, match="whose scores cannot be compared"):
        plot_response(to_frame(runs), "SharpenLevel", "vmaf_v1_p5")
    with pytest.raises(ParameterError, match="whose scores cannot be compared"):
        plot_trace(runs, "vmaf_v1")
    assert plot_response(runs, "SharpenLevel", "vmaf_neg")


def test_the_table_keeps_model_screen_and_note(tmp_path: Path) -> None:
    runs = scored(lambda run: HD)
    runs[0] = replace(runs[0], vmaf_v1_model="", score_note="No VMAF v1 and no banding. Too small.")
    df = read_frame(write_frame(to_frame(runs), tmp_path / "runs.csv"))
    assert df["vmaf_v1_model"].dropna().unique().tolist() == [HD] and df["screen"].unique().tolist() == ["tv"]
    back = list(runs_of_table(df))
    assert back[0].score_note == runs[0].score_note and back[1].vmaf_v1_model == HD
    assert to_frame(made())["vmaf_v1_model"].isna().all(), "older runs have none"


def test_the_note_is_shown_once_with_the_runs_and_in_the_report(tmp_path: Path) -> None:
    runs = scored(lambda run: HD)
    note = "No VMAF v1 and no banding. VMAF v1 needs frames of at least 216 × 176 px (tv), and these have 192 × 108."
    runs = [replace(run, score_note=note) if place < 2 else run for place, run in enumerate(runs)]
    html = table(runs)
    assert html.count(note) == 1 and f"2 of {len(runs)} runs: {note}" in html
    text = report(Runs(runs), tmp_path / "r.html", verdicts=[]).read_text()
    assert f"VMAF v1 by the model {HD}." in text and note in text


def test_the_compare_view_names_the_models_where_they_differ(tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    output.touch()
    runs = [replace(run, output=output) for run in scored(by_level) if run.clip == "city"]
    sides, _, _ = sides_of(Runs(runs), None)
    names = {name for side in sides for name in side.frame_scores}
    assert {HD, UHD} <= names and "vmaf_v1" not in names
    alike = [replace(run, vmaf_v1_model=HD) for run in runs]
    assert "vmaf_v1" in {name for side in sides_of(Runs(alike), None)[0] for name in side.frame_scores}
