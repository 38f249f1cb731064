"""FFmpeg runs without a shell, reports its progress, and stops on request."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from ci_notebook.media import ffmpeg
from ci_notebook.media.ffmpeg import Cancelled, capabilities, filter_bytes, readable, run
from ci_notebook.model.errors import EngineError


def test_the_program_says_what_it_can_do() -> None:
    can = capabilities()
    assert {"libx264", "libx265", "libsvtav1", "libvpx-vp9", "aac"} <= can.encoders
    assert {"scale", "unsharp", "zscale", "libvmaf", "minterpolate", "overlay"} <= can.filters


@pytest.mark.slow
def test_a_run_reports_its_progress_and_ends(tmp_path: Path) -> None:
    seen: list[float] = []
    out = tmp_path / "a.mp4"
    run(
        ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=4", "-c:v", "libx264", out],
        total_s=4.0,
        on_progress=seen.append,
    )
    assert out.stat().st_size > 0
    assert seen and seen == sorted(seen) and seen[0] >= 0 and seen[-1] <= 1


def test_a_failed_run_says_the_command_and_the_log_without_folders(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        run(["-i", tmp_path / "absent.mp4", tmp_path / "b.mp4"])
    assert "absent.mp4" in caught.value.command
    assert str(tmp_path) not in caught.value.command
    assert "No such file" in caught.value.log


@pytest.mark.slow
def test_a_cancelled_run_stops_within_a_second_and_says_so(tmp_path: Path) -> None:
    cancel = threading.Event()
    threading.Timer(0.4, cancel.set).start()
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        endless = ["-f", "lavfi", "-i", "testsrc2=s=1280x720:r=25", "-c:v", "libx264", "-preset", "slower"]
        run([*endless, tmp_path / "c.mp4"], cancel=cancel)
    assert time.monotonic() - begun < 5  # a loaded machine starts slowly; the stop itself takes a tenth of a second


def test_a_run_cancelled_before_it_starts_is_cancelled(tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        run(["-f", "lavfi", "-i", "testsrc2=d=0.2", tmp_path / "d.mp4"], cancel=cancel)


def test_bytes_go_through_a_filter() -> None:
    grey = bytes([128]) * 64
    raw = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", "8x8"]
    assert filter_bytes([*raw, "-i", "pipe:0", "-vf", "negate", *raw[:4], "pipe:1"], grey) == bytes([127]) * 64


def test_a_missing_program_is_an_error_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nowhere/ffmpeg")
    with pytest.raises(EngineError, match=r"pip install 'ci-notebook\[local\]'"):
        ffmpeg.capabilities()


def test_a_command_is_shown_without_this_machines_folders() -> None:
    assert readable(["/usr/bin/ffmpeg", "-i", "/home/me/a b.mp4", "-y"]) == "ffmpeg -i a b.mp4 -y"
