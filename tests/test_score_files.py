"""`ci.score` and `ci-notebook score`: any two files, with the numbers of a run."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

import ci_notebook as ci
from ci_notebook.cli.verbs import main
from ci_notebook.media.ffmpeg import run as ffmpeg
from tests.support import write_sample


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("score") / "source.mp4", seconds=0.8, size="192x108")


@pytest.fixture(scope="module")
def worse(source: Path) -> Path:
    path = source.with_name("worse.mp4")
    ffmpeg(["-i", source, "-crf", "38", path], total_s=1)
    return path


@pytest.fixture(scope="module")
def broken(source: Path) -> Path:
    path = source.with_name("broken.mp4")
    path.write_text("no video at all")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("every", [None, 1])
def test_two_files_score_as_the_run_that_made_them(lab: ci.Lab, source: Path, every: int | None) -> None:
    (run,) = lab.run(lab.upload(source), {"SharpenLevel": 6}, every=every)
    assert run.output is not None
    result = ci.score(run.output, source, every=every)
    assert dict(result.scores) == dict(run.scores) and dict(result.frames) == dict(run.pictures)
    assert (result.every, result.alignment) == (run.every, run.alignment)
    assert (result.screen, result.vmaf_v1_model, result.note) == (run.screen, run.vmaf_v1_model, run.score_note)


@pytest.mark.slow
def test_the_result_is_shown_as_a_table_and_per_frame(source: Path, worse: Path) -> None:
    shares: list[float] = []
    result = ci.score(str(worse), str(source), every=4, on_progress=shares.append)
    assert result["vmaf_neg"] == result.scores["vmaf_neg"] < 95
    assert repr(result).startswith("<FileScores of worse.mp4 against source.mp4: VMAF-NEG ")
    html = result._repr_html_()
    assert "worse.mp4 against source.mp4" in html and "Every 4th frame; no time offset" in html
    df = result.to_frame()
    assert list(df["frame"]) == [0, 4, 8, 12, 16] and df["time_s"].iloc[1] == pytest.approx(0.16)
    assert df["vmaf_neg"].mean() == pytest.approx(result["vmaf_neg"]) and str(df["psnr"].dtype) == "Float64"
    assert shares and max(shares) <= 1


@pytest.mark.parametrize(
    ("output", "options", "error", "words"),
    [
        ("missing.mp4", {}, ci.ParameterError, "There is no file"),
        (".", {}, ci.ParameterError, "is a folder"),
        (3, {}, ci.ParameterError, r"compares two local files.*lab\.adopt"),
        ("a\0b", {}, ci.ParameterError, "cannot be the name of a file"),
        ("broken", {}, ci.EngineError, "broken.mp4 cannot be read as a video"),
        ("worse", {"every": 0}, ci.ParameterError, "every must be"),
        ("worse", {"screen": "cinema"}, ci.ParameterError, "screen must be"),
        ("worse", {"start_s": -1}, ci.ParameterError, "start_s must be"),
        ("worse", {"length_s": "2"}, ci.ParameterError, "length_s must be"),
        ("worse", {"length_s": float("nan")}, ci.ParameterError, "length_s must be"),
        ("worse", {"evry": 1}, ci.ParameterError, "Did you mean 'every'"),
    ],
)
def test_mistakes_are_refused_by_our_own_errors(
    request: pytest.FixtureRequest, output: object, options: dict[str, object], error: type[Exception], words: str
) -> None:
    path = request.getfixturevalue(str(output)) if output in ("worse", "broken") else output
    with pytest.raises(error, match=words):
        ci.score(path, ci.sample(), **options)  # type: ignore[arg-type]


def test_a_clip_of_a_lab_is_no_local_file(source: Path) -> None:
    clip = ci.Clip(key="a", bucket="b", region="r", size_bytes=1)
    with pytest.raises(ci.ParameterError, match="two local files"):
        ci.score(clip, source)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_verb_prints_a_table_of_one_or_several_outputs(
    source: Path, worse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", str(worse), str(source), "--every", "4"]) == 0
    one = capsys.readouterr()
    assert one.out.splitlines()[0].split() == ["score", "worse.mp4"] and "psnr [dB]" in one.out and one.err == ""
    assert "Every 4th frame" in one.out
    assert main(["score", str(worse), str(source), "--reference", str(source), "--every", "4"]) == 0
    head, first, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["score", "worse.mp4", "source.mp4"] and "100.00" in first


@pytest.mark.slow
def test_in_a_terminal_outputs_that_do_not_fit_follow_below(
    source: Path, worse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = [str(shutil.copy(worse, tmp_path / f"a long name of an output {number}.mp4")) for number in range(3)]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "90")
    assert main(["score", *outputs, "--reference", str(source), "--every", "9"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 90
    assert [line.count("a long name") for line in lines if line.startswith("score ")] == [2, 1]


@pytest.mark.slow
def test_the_verb_prints_json_and_csv_for_programs(
    source: Path, worse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = ci.score(worse, source, every=4)
    assert main(["score", str(worse), "--reference", str(source), "--every", "4", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["scores"] == dict(result.scores) and row["frames"]["vmaf"] == list(result.frames["vmaf"])
    assert row["output"] == str(worse) and row["alignment"]["offset_frames"] == 0
    assert main(["score", str(worse), "--reference", str(source), "--every", "4", "--csv"]) == 0
    (cells,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert float(cells["vmaf_neg"]) == result["vmaf_neg"] and cells["every"] == "4"


@pytest.mark.slow
def test_one_file_that_cannot_be_scored_does_not_stop_the_others(
    source: Path, worse: Path, broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["score", str(broken), str(worse), "--reference", str(source), "--every", "9"]
    assert main(words) == 3
    said = capsys.readouterr()
    assert "worse.mp4" in said.out and "broken.mp4 cannot be read as a video" in said.err
    assert "[Errno" not in said.err
    assert main(["score", str(broken), str(source)]) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["one.mp4"], "Name an output and its reference"),
        (["a.mp4", "b.mp4", "c.mp4"], "pass --reference SOURCE"),
        (["missing.mp4", "also.mp4"], "There is no video file 'missing.mp4'. Check the name."),
    ],
)
def test_wrong_arguments_are_refused_at_once(words: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", *words]) == 1
    assert reason in capsys.readouterr().err
