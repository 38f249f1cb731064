"""Frame n is the same frame for every reader, at the same time, in every container and of every origin."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ci_notebook.engine.preview.previewer import FileOrigin, Previewer
from ci_notebook.engine.render.render import Rendered, render
from ci_notebook.media.frame_sampling import key_frames, sample_frames
from ci_notebook.media.frames import Frames
from ci_notebook.media.probe import first_video, media_info
from ci_notebook.media.scoring.score import compare
from ci_notebook.media.snapshot import picture
from ci_notebook.media.spoil import spoil
from ci_notebook.media.streams.stretch import retimed
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.setting.enhance import FrameEnhance, VideoEnhance
from ci_notebook.model.setting.transcode import Audio, Container, TimeInterval, Transcode, Video
from tests.media.coded_clips import HIGH, WIDE, number_of, patch_error
from tests.media.odd_times import ODD_TIMES, make

CLOSE_S = 0.0021  # MKV and FLV count in ms
VIDEO = Video(codec="H.264", crf=8.0, preset="veryfast")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the path of an odd file, made once."""
    paths: dict[str, Path] = {}

    def path_of(name: str) -> Path:
        if name not in paths:
            paths[name] = make(name, tmp_path_factory.mktemp("odd"))
        return paths[name]

    return path_of


def rendered(path: Path, folder: Path, *, interval: TimeInterval | None = None, doubled: bool = False) -> Rendered:
    transcode = Transcode(
        container=Container(format="mp4"), video=VIDEO, audio=Audio(codec="aac"), time_interval=interval
    )
    stage = FrameEnhance(frame_doubling=True) if doubled else None
    return render(Operation(video_enhance=VideoEnhance(transcode=transcode, frame_enhance=stage)), path, folder)


def numbers_and_times(path: Path) -> tuple[list[int | None], list[float]]:
    with Frames(path) as frames:
        return [number_of(frames[n]) for n in range(len(frames))], [frames.time_of(n) for n in range(len(frames))]


def assert_frames(path: Path, numbers: Sequence[int], times: Sequence[float]) -> None:
    found, shown = numbers_and_times(path)
    assert found == list(numbers)
    assert shown == pytest.approx(list(times), abs=CLOSE_S)


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD_TIMES)
def test_every_reader_sees_the_same_frames(name: str, clip: Callable[[str], Path]) -> None:
    odd, path = ODD_TIMES[name], clip(name)
    video = first_video(media_info(path))
    assert (video.width, video.height, video.num_frames) == (WIDE, HIGH, len(odd.numbers))
    assert video.duration == pytest.approx(odd.length_s, abs=0.05)
    assert_frames(path, odd.numbers, odd.times)
    some = [len(odd.numbers) - 1, 3, len(odd.numbers) // 2, 0, 7]
    with Frames(path) as frames:
        for number in some:
            frames.rest()  # so that each is found from a closed file
            assert number_of(frames[number]) == odd.numbers[number]
    previewer = Previewer()
    for number in some[1:4]:
        at_s = odd.times[number] + 0.004
        shown = picture(path, at_s)
        preview = np.asarray(Image.open(io.BytesIO(previewer.preview(FileOrigin(path), VideoEnhance(), at_s))))
        assert number_of(shown) == number_of(preview) == odd.numbers[number]
        assert patch_error(shown) < odd.color_error
    previewer.close()
    assert len(list(sample_frames(path, 5))) == 5
    assert next(key_frames(path)).width == WIDE


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD_TIMES)
def test_jobs_keep_the_frames_and_their_times(name: str, clip: Callable[[str], Path], tmp_path: Path) -> None:
    odd, path = ODD_TIMES[name], clip(name)
    whole = rendered(path, tmp_path / "whole").files[0]
    assert_frames(whole, odd.numbers, odd.times)
    scores = compare(whole, path, every=1)
    assert (len(scores.pictures["vmaf"]), scores.offset) == (len(odd.numbers), 0)
    assert scores.pooled["vmaf"] > 90
    assert_frames(spoil(path, tmp_path / "spoiled.mp4"), odd.numbers, odd.times)
    doubled, times = numbers_and_times(rendered(path, tmp_path / "doubled", doubled=True).files[0])
    assert doubled[::2] == list(odd.numbers)
    assert len(doubled) == 2 * len(odd.numbers)
    assert times[::2] == pytest.approx(list(odd.times), abs=CLOSE_S)


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD_TIMES)
def test_a_cut_has_exactly_its_frames_and_is_scored(name: str, clip: Callable[[str], Path], tmp_path: Path) -> None:
    odd, path = ODD_TIMES[name], clip(name)
    start, length = round(odd.late_s + odd.times[len(odd.times) // 2 + 1], 3), 0.3
    cut = rendered(path, tmp_path, interval=TimeInterval(start=start, duration=length)).files[0]
    inside = [n for n, at in zip(odd.numbers, odd.times, strict=True) if -6e-4 <= at + odd.late_s - start < length]
    assert numbers_and_times(cut)[0] == inside
    scores = compare(cut, path, every=1, start_s=start, length_s=length)
    assert (len(scores.pictures["vmaf"]), scores.offset) == (len(inside), 0)
    assert scores.pooled["vmaf"] > 90


def test_times_are_given_back_by_runs() -> None:
    even = [n / 25 for n in range(1000)]
    assert retimed(even) == ("settb=1/90000,setpts='(0.000000+(N-0)*0.040000)/TB'",)
    assert retimed([0.0, 0.04, 0.08, 1.0, 1.1])[0].count("if(") == 1


@pytest.mark.parametrize("name", ODD_TIMES)
def test_the_table_is_consistent(name: str) -> None:
    odd = ODD_TIMES[name]
    assert len(odd.numbers) == len(odd.times)
    assert list(odd.times) == sorted(set(odd.times))
