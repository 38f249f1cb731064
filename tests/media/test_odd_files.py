"""Every reader of a clip sees an odd file as players show it: the same stream, orientation, shape and length."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ci_notebook.engine.preview.previewer import FileOrigin, Previewer
from ci_notebook.engine.render.render import render
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.frame_sampling import key_frames, sample_frames
from ci_notebook.media.frames import Frames
from ci_notebook.media.probe import first_video, media_info, shown_size
from ci_notebook.media.raw_frame import raw_frame
from ci_notebook.media.scoring.alignment import align
from ci_notebook.media.scoring.frame_pairs import WHOLE
from ci_notebook.media.scoring.score import by_itself, compare
from ci_notebook.media.snapshot import picture
from ci_notebook.media.spoil import spoil
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.errors import EngineError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.transcode import Container, Transcode, Video
from tests.media.odd_files import FRAMES, HIGH, LENGTH_S, ODD_FILES, RATE, WIDE, as_players_show, make

pytestmark = pytest.mark.slow

JOB = VideoEnhance(transcode=Transcode(container=Container(format="mp4"), video=Video(codec="H.264", crf=8.0)))
AT = 10  # the frame that is compared


@pytest.fixture(scope="module")
def odd_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the path of an odd file, made once."""
    paths: dict[str, Path] = {}

    def path_of(name: str) -> Path:
        if name not in paths:
            paths[name] = make(name, tmp_path_factory.mktemp("odd"))
        return paths[name]

    return path_of


@pytest.fixture(scope="module")
def jobs(odd_file: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the output of a job that changes nothing, made once per odd file."""
    paths: dict[str, Path] = {}

    def output_of(name: str) -> Path:
        if name not in paths:
            folder = tmp_path_factory.mktemp("job")
            paths[name] = render(Operation(video_enhance=JOB), odd_file(name), folder).files[0]
        return paths[name]

    return output_of


def apart(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the mean difference, of 255."""
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("name", ODD_FILES)
def test_facts_are_those_of_the_video(name: str, odd_file: Callable[[str], Path]) -> None:
    info = media_info(odd_file(name))
    video = first_video(info)
    size = shown_size(info)
    assert (size.width, size.height) == ODD_FILES[name].shown
    assert (video.width, video.height, video.num_frames) == (WIDE, HIGH, FRAMES)
    assert video.duration == pytest.approx(LENGTH_S, abs=0.05)
    assert info.format is not None
    assert info.format.duration == pytest.approx(LENGTH_S, abs=0.05)
    assert len(info.stream.video if info.stream else ()) == 1


@pytest.mark.parametrize("name", ODD_FILES)
def test_frames_are_those_that_players_show(name: str, odd_file: Callable[[str], Path]) -> None:
    path = odd_file(name)
    truth = as_players_show(path, name)
    with Frames(path) as frames:
        assert (len(frames), frames.size, frames.rate) == (FRAMES, ODD_FILES[name].shown, RATE)
        assert frames.duration_s == pytest.approx(LENGTH_S)
        assert apart(frames[AT], truth[AT]) < 2
        half = frames.picture(AT, box=(0.5, 0.5, 0.5, 0.5))
        high, wide = truth[AT].shape[:2]
        assert apart(half, truth[AT][high // 2 :, wide // 2 :]) < 2


@pytest.mark.parametrize("name", ODD_FILES)
def test_a_snapshot_is_the_frame_that_players_show(name: str, odd_file: Callable[[str], Path]) -> None:
    path = odd_file(name)
    truth = as_players_show(path, name)
    assert apart(picture(path, AT / RATE), truth[AT]) < 2
    assert apart(picture(path, 99.0), truth[-1]) < 2


def test_a_snapshot_without_rotation_keeps_the_stored_orientation(odd_file: Callable[[str], Path]) -> None:
    assert picture(odd_file("rotated anamorphic"), rotate="off").shape == (HIGH, round(WIDE * 5 / 4), 3)
    mirrored, plain = (picture(odd_file("mirrored"), AT / RATE, rotate=mode) for mode in ("auto", "off"))
    assert apart(mirrored, plain[:, ::-1]) == 0


@pytest.mark.parametrize("name", ODD_FILES)
def test_a_raw_frame_is_upright_in_stored_pixels(name: str, odd_file: Callable[[str], Path]) -> None:
    raw = raw_frame(odd_file(name), AT / RATE)
    assert (raw.width, raw.height) == ODD_FILES[name].upright
    luma = np.frombuffer(raw.data, np.uint8)[: raw.width * raw.height].reshape(raw.height, raw.width)
    shown = Image.fromarray(as_players_show(odd_file(name), name)[AT]).convert("L").resize((raw.width, raw.height))
    likeness = np.corrcoef(luma.ravel(), np.asarray(shown).ravel())[0, 1]
    assert likeness > 0.98


@pytest.mark.parametrize("name", ODD_FILES)
def test_samples_come_from_the_whole_video(name: str, odd_file: Callable[[str], Path]) -> None:
    frames = list(sample_frames(odd_file(name), 5))
    assert {(frame.width, frame.height) for frame in frames} == {(WIDE, HIGH)}
    assert [frame.time for frame in frames] == pytest.approx([0.08, 0.28, 0.48, 0.68, 0.88], abs=0.05)
    assert next(key_frames(odd_file(name))).width == WIDE


@pytest.mark.parametrize("name", ODD_FILES)
def test_a_preview_shows_what_players_show(name: str, odd_file: Callable[[str], Path]) -> None:
    previewer = Previewer()
    jpeg = previewer.preview(FileOrigin(odd_file(name)), VideoEnhance(), AT / RATE)
    previewer.close()
    shown = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))
    assert apart(shown, as_players_show(odd_file(name), name)[AT]) < 4


@pytest.mark.parametrize("name", ODD_FILES)
def test_a_job_makes_what_players_show_of_its_source(
    name: str, odd_file: Callable[[str], Path], jobs: Callable[[str], Path]
) -> None:
    truth = as_players_show(odd_file(name), name)
    with Frames(jobs(name)) as frames:
        assert (len(frames), frames.size) == (FRAMES, ODD_FILES[name].shown)
        assert apart(frames[AT], truth[AT]) < 4


@pytest.mark.parametrize("name", ODD_FILES)
def test_source_and_output_differ_little_in_a_comparison(
    name: str, odd_file: Callable[[str], Path], jobs: Callable[[str], Path]
) -> None:
    with Frames(odd_file(name)) as source, Frames(jobs(name)) as output:
        _, mean, _ = source.difference(AT, output, AT)
    assert mean < 3


@pytest.mark.parametrize("name", ODD_FILES)
def test_an_output_is_scored_against_its_odd_source(
    name: str, odd_file: Callable[[str], Path], jobs: Callable[[str], Path]
) -> None:
    result = compare(jobs(name), odd_file(name), every=1)
    assert (result.place, result.offset) == (WHOLE, 0)
    assert len(result.pictures["vmaf"]) == FRAMES
    assert result.pooled["vmaf"] > 90
    assert result.pooled["delta_e"] < 1
    pair = align(jobs(name), odd_file(name))
    assert (pair.place, pair.offset) == (WHOLE, 0)
    ours, theirs = by_itself(jobs(name)), by_itself(odd_file(name))
    assert ours["colourfulness"] == pytest.approx(theirs["colourfulness"], rel=0.05)


@pytest.mark.parametrize("name", ODD_FILES)
def test_a_spoiled_clip_keeps_the_shape(name: str, odd_file: Callable[[str], Path], tmp_path: Path) -> None:
    path = spoil(odd_file(name), tmp_path / "spoiled.mp4", shrink=2)
    wide, high = (2 * round(side / 4) for side in ODD_FILES[name].upright)
    with Frames(path) as frames, Frames(odd_file(name)) as source:
        assert (first_video(media_info(path)).width, first_video(media_info(path)).height) == (wide, high)
        assert len(frames) == FRAMES
        assert frames.size[0] / frames.size[1] == pytest.approx(source.size[0] / source.size[1], rel=0.02)
        small = np.asarray(Image.fromarray(source[AT]).resize(frames.size, Image.Resampling.BOX))
        assert apart(frames[AT], small) < 12


def test_a_rotation_that_is_no_right_angle_is_refused_by_every_reader(tmp_path: Path) -> None:
    plain, slanted = tmp_path / "plain.mp4", tmp_path / "slanted.mp4"
    run(["-f", "lavfi", "-i", "testsrc2=s=128x96:d=0.2,format=yuv420p", plain])
    run(["-display_rotation", "30", "-i", plain, "-c", "copy", slanted])
    readers: list[Callable[[], object]] = [
        lambda: Frames(slanted), lambda: picture(slanted), lambda: raw_frame(slanted, 0.0),
        lambda: render(Operation(video_enhance=JOB), slanted, tmp_path / "job"), lambda: compare(slanted, plain),
        lambda: spoil(slanted, tmp_path / "spoiled.mp4"),
    ]  # fmt: skip
    for read in readers:
        with pytest.raises(EngineError, match="turns it by 33"):
            read()
