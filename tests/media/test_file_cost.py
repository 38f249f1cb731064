"""What reading a clip costs: it is opened once for all facts, and few frames are decoded for an analysis."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from ci_notebook.engine.render.analysis import analyse
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.frame_sampling import matrix_and_fields_of, sample_frames, spread_frames
from ci_notebook.media.probe import media_info
from ci_notebook.media.streams.frame_times import timeline_of


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Return how often a file was opened since the last call."""
    plain, count = av.open, 0

    def counting(*arguments: Any, **more: Any) -> Any:
        nonlocal count
        count += 1
        return plain(*arguments, **more)

    def since() -> int:
        nonlocal count
        result, count = count, 0
        return result

    monkeypatch.setattr(av, "open", counting)
    return since


def write_video(path: Path, *, seconds: float = 4, group: int = 250, more: tuple[str, ...] = ()) -> Path:
    """Write a clip that becomes lighter all the time, with a key frame every `group` frames."""
    light = f"testsrc2=s=160x120:r=25:d={seconds}"
    dim = f"eq=brightness='-0.3+0.6*t/{seconds}':eval=frame"
    options = ("-c:v", "libx264", "-g", str(group), "-sc_threshold", "0", "-preset", "veryfast")
    run(["-f", "lavfi", "-i", light, "-vf", dim, *options, *more, path])
    return path


def test_the_facts_times_and_coding_of_a_clip_take_one_opening_and_its_other_names_none(
    tmp_path: Path, opened: Callable[[], int]
) -> None:
    path = write_video(tmp_path / "a.mp4", seconds=1)
    info, timeline, coding = media_info(path), timeline_of(path), matrix_and_fields_of(path)
    assert opened() == 1
    os.link(path, tmp_path / "b.mp4")
    other = tmp_path / "b.mp4"
    assert (media_info(other), timeline_of(other), matrix_and_fields_of(other)) == (info, timeline, coding)
    assert opened() == 0


def test_a_clip_that_is_written_again_is_read_again(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", seconds=1)
    assert len(timeline_of(path)) == 25
    write_video(path, seconds=2)
    assert len(timeline_of(path)) == 50
    assert media_info(path).stream.video[0].num_frames == 50  # type: ignore[union-attr]


def test_fields_are_found_in_a_later_key_frame(tmp_path: Path) -> None:
    for name, more in (("a", ()), ("b", ("-x264-params", "tff=1"))):
        write_video(tmp_path / f"{name}.ts", seconds=1, group=5, more=more)
    both = tmp_path / "both.ts"
    both.write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    assert matrix_and_fields_of(tmp_path / "a.ts")[1] is False
    assert matrix_and_fields_of(both)[1] is True


@pytest.mark.parametrize(("group", "only_keys"), [(250, False), (5, True), (1, True)])
def test_the_frames_of_an_analysis_are_spread_over_the_whole_clip(tmp_path: Path, group: int, only_keys: bool) -> None:
    path = write_video(tmp_path / "a.mp4", group=group)
    frames = list(spread_frames(path, 12))
    times = [float(frame.pts * frame.time_base) for frame in frames]
    assert len(frames) == 12
    assert times == sorted(times)
    assert times[0] < 0.5
    assert times[-1] > 3.4
    assert max(np.diff(times)) < 0.6
    assert all(frame.key_frame for frame in frames) == only_keys


def test_an_analysis_of_few_frames_sees_what_all_frames_show(tmp_path: Path) -> None:
    values = []
    for group in (250, 5):
        path = write_video(tmp_path / f"{group}.mp4", group=group)
        exact = [frame.to_ndarray(format="gray").mean() / 255 for frame in sample_frames(path, 12)]
        analysis = analyse(path)
        assert analysis.mean == pytest.approx(np.mean(exact), abs=0.04)
        values.append((*analysis.low, *analysis.high, analysis.spread))
    assert np.allclose(*values, atol=0.05)
