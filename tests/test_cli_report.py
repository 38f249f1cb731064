"""`ci-notebook report`: clips in, one file out; mistakes are reported before anything is sent."""

from __future__ import annotations

import contextlib
import io
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ci_notebook as ci
from ci_notebook.cli import main
from ci_notebook.cli.report import sweep_of, videos_in
from ci_notebook.media.ffmpeg import run as ffmpeg
from ci_notebook.model.declaration.node import AUTO


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for at, name in enumerate(("a.mp4", "b.mov")):
        ffmpeg(["-ss", str(at), "-i", ci.sample(), "-t", "0.4", "-vf", "scale=192:108", folder / name], total_s=0.4)
    (folder / "notes.txt").write_text("no video")
    return folder


@pytest.mark.slow
def test_a_folder_of_clips_becomes_a_report_and_the_same_command_again_sends_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, home = tmp_path / "report.html", tmp_path / "home"
    words = ["report", str(folder), "--vary", "SharpenLevel=,6", "--set", "Contrast=30", "--home", str(home)]
    assert main([*words, "--out", str(out), "--question", "Sharper <or> not?", "--budget", "1"]) == 0
    said = capsys.readouterr().out
    assert "2 clips, <Sweep of 2 settings over MsSharpen.SharpenLevel>" in said
    assert "Plan of 4 jobs: 4 to be sent for 0.0" in said and "CNY" in said
    assert "- On vmaf_neg, SharpenLevel 6 " in said and f"The report is in {out}" in said
    page = out.read_text("utf-8")
    assert "Sharper &lt;or&gt; not?" in page and page.count("data:image/jpeg;base64,") == 6
    assert main([*words, "--out", str(out), "--plan"]) == 0
    assert "0 to be sent for 0.0000 CNY, mainland list, 4 in the journal already" in capsys.readouterr().out


@pytest.mark.slow
def test_a_true_reference_is_scored_and_a_failed_run_sets_the_exit_status(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ffmpeg(["-i", folder / "a.mp4", "-crf", "40", tmp_path / "spoilt.mp4"], total_s=0.4)
    words = ["report", str(tmp_path / "spoilt.mp4"), "--reference", str(folder / "a.mp4"), "--every", "1"]
    # The engine finds no region of interest, so that one of the two settings fails.
    vary = ["--vary", "Video.Roi=,high", "--set", "Video.Codec=H.264"]
    assert main([*words, *vary, "--home", str(tmp_path / "home"), "--out", str(tmp_path / "r.html")]) == 3
    said = capsys.readouterr().out
    assert "failed: <Run of spoilt.mp4: Failed" in said
    assert "measure how near the result comes to it" in (tmp_path / "r.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["no.mp4", "--vary", "SharpenLevel=1"], "There is no video file or folder 'no.mp4'. Check the name."),
        (["{clip}", "--vary", "SharpenLevel=0,11"], "MsSharpen.SharpenLevel must be 0 to 10 or AUTO (got 11)"),
        (
            ["{clip}", "--vary", "SharpenLevel"],
            "--vary must be PARAMETER=VALUE,VALUE, each parameter once (got 'SharpenLevel').",
        ),
        (["{clip}", "--vary", "Bitrate=1"], "Transcode.Video.Bitrate"),
        (["{clip}", "--vary", "SharpenLevel=soft"], "must be 0 to 10 or AUTO (got 'soft')"),
        (
            ["{clip}", "--vary", "MsSharpen=5"],
            "MsSharpen is a whole stage: use MsSharpen=on, or MsSharpen= to leave it out (got '5').",
        ),
        (["{clip}", "--vary", "SharpenLevel=1", "--on", "beauty"], "No column is called 'beauty'. The scores are psnr"),
        (
            ["{clip}", "--vary", "SharpenLevel=1", "--out", "nowhere/r.html"],
            "--out must be a file in an existing folder (got 'nowhere/r.html').",
        ),
        (["{clip}", "--vary", "SharpenLevel=1", "--budget", "0.000001"], "over the budget of 1e-06 CNY"),
        (["{clip}", "{clip}", "--vary", "SharpenLevel=1"], "is given twice. Name it once"),
        (
            ["{clip}", "--vary", "SharpenLevel=1", "--reference", "{clip}", "--reference", "{other}"],
            "--reference must be given once per clip (clips: 1, references: 2).",
        ),
        (["{clip}", "--vary", "SharpenLevel=1", "--bucket", "b-1250000000"], "region"),
        (["{folder}/empty", "--vary", "SharpenLevel=1"], "empty' holds no video."),
    ],
)
def test_a_wrong_argument_is_reported_and_nothing_is_sent(
    words: list[str], why: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "empty").mkdir(exist_ok=True)
    given = [w.format(clip=folder / "a.mp4", other=folder / "b.mov", folder=folder) for w in words]
    assert main(["report", *given, "--home", str(tmp_path)]) == 1
    assert why in capsys.readouterr().err
    assert _runs(tmp_path) == []


@pytest.mark.slow
def test_on_the_cloud_no_money_is_spent_without_confirmation(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ci_notebook.engine.engine import Engine
    from ci_notebook.engine.server.listener import Listener
    from ci_notebook.lab.connect import BUCKET, REGION

    keys = ci.Credentials("AKIDmine", "a-secret-of-mine")
    with (
        Engine(tmp_path / "engine", bucket=BUCKET, region=REGION, keys={"AKIDmine": keys.secret_key}) as engine,
        Listener(engine) as listener,
    ):
        listener.start()
        address = listener.address
        connect = ci.connect
        monkeypatch.setattr(  # the cloud's place is taken by an engine on a port
            "ci_notebook.lab.connect.connect",
            lambda bucket, **more: connect(bucket, endpoint=address, credentials=keys, **more),
        )
        monkeypatch.setattr("sys.stdin", io.StringIO())
        words = ["report", str(folder / "a.mp4"), "--vary", "SharpenLevel=1", "--bucket", BUCKET, "--region", REGION]
        assert main([*words, "--home", str(tmp_path / "home")]) == 1
    assert "stdin is not a terminal. Pass --budget CNY or --yes." in capsys.readouterr().err
    assert _runs(tmp_path / "home") == []


@pytest.mark.slow
def test_ctrl_c_says_how_to_resume_and_the_journal_has_the_runs(folder: Path, tmp_path: Path) -> None:
    words = [
        *(sys.executable, "-m", "ci_notebook", "report", str(folder / "a.mp4"), "--home", str(tmp_path)),
        *(
            "--vary",
            "SharpenLevel=" + ",".join(map(str, range(6))),
            "--workers",
            "1",
            "--out",
            str(tmp_path / "r.html"),
        ),
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as first:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and "over" not in _runs(tmp_path):
            time.sleep(0.05)
        first.send_signal(signal.SIGINT)
        _, said = first.communicate(timeout=30)
    assert first.returncode == 130
    assert "Traceback" not in said
    assert "of 6 done" in said and "Run the same call again to resume." in said
    assert not (tmp_path / "r.html").exists()
    again = subprocess.run([*words, "--plan"], capture_output=True, text=True, timeout=60, check=True)
    assert f"{len(_runs(tmp_path))} in the journal already" in again.stdout


def test_words_become_values_of_their_leaves() -> None:
    sweep = sweep_of(["SharpenLevel=, AUTO,6", "ColorEnhance=,on"], ["Video.Crf=23.5"])
    assert len(sweep) == 6
    assert [one.ms_sharpen and one.ms_sharpen.sharpen_level for one in sweep][::2] == [None, AUTO, 6]  # type: ignore[union-attr]
    made = {one.transcode for one in sweep}  # type: ignore[union-attr]
    assert made == {ci.Transcode(container=ci.Container(format="mp4"), video=ci.Video(crf=23.5), audio=ci.Audio())}


def test_videos_of_a_folder_come_by_name_and_nothing_else(folder: Path) -> None:
    assert [path.name for path in videos_in([folder])] == ["a.mp4", "b.mov"]


def _runs(home: Path) -> list[str]:
    """Return how far every run of the journal came."""
    journal = home / "journal.sqlite"
    if not journal.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        try:
            return [phase for (phase,) in db.execute("SELECT phase FROM runs")]
        except sqlite3.OperationalError:  # not made yet
            return []
