"""A snapshot is the picture shown at a time, in true colours."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ci_notebook.media.ffmpeg import run
from ci_notebook.media.samples import sample
from ci_notebook.media.snapshot import encode_picture, picture
from ci_notebook.media.streams.frame_reader import FrameReader
from ci_notebook.model.errors import EngineError


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures, the n-th of luma 16 + 20 n, one key picture only."""
    path = tmp_path_factory.mktemp("clips") / "counted.mp4"
    source = "color=black:s=64x48:r=10:d=1,format=gray,geq=lum='20*N',format=yuv420p"
    run(["-f", "lavfi", "-i", source, "-c:v", "libx264", "-crf", "1", "-g", "100", "-bf", "3", path])
    return path


@pytest.mark.parametrize(("at_s", "number"), [(0, 0), (0.05, 0), (0.1, 1), (0.55, 5), (0.9, 9), (3.0, 9)])
def test_the_picture_at_a_time_is_the_one_that_is_shown_then(counted: Path, at_s: float, number: int) -> None:
    assert picture(counted, at_s).mean() == pytest.approx(20 * number, abs=4)


CODED = {
    "H.264": ["-c:v", "libx264", "-bf", "3"],
    "HEVC": ["-c:v", "libx265", "-preset", "ultrafast", "-bf", "3", "-x265-params", "log-level=error"],
    "HEVC in layers": ["-c:v", "libx265", "-bf", "3", "-x265-params", "log-level=error:temporal-layers=2"],
    "MPEG-2": ["-c:v", "mpeg2video", "-bf", "2"],
    "MPEG-4": ["-c:v", "mpeg4", "-bf", "2"],
    "VP9": ["-c:v", "libvpx-vp9", "-deadline", "realtime"],
}


@pytest.mark.parametrize("codec", CODED)
def test_a_frame_is_the_same_whether_earlier_ones_were_skipped_or_decoded(codec: str, tmp_path: Path) -> None:
    path = tmp_path / ("clip.mkv" if codec == "VP9" else "clip.mp4")
    run(["-i", sample(), "-t", "1.2", "-vf", "scale=320:180", *CODED[codec], "-g", "100", "-an", path])
    with FrameReader(path) as reader:
        every = dict(reader.frames_from(0))
    for number in (1, 2, 7, 18, 23, 29):
        with FrameReader(path) as reader:
            skipped = dict(reader.frames_from(number, skips=True))
        for later in range(number, len(every)):
            assert np.array_equal(skipped[later].to_ndarray(), every[later].to_ndarray())
    with FrameReader(path) as reader:  # the same reader decodes every frame again afterwards
        next(iter(reader.frames_from(20, skips=True)))
        assert [number for number, _ in reader.frames_from(0)] == list(every)


def test_a_keyframe_is_the_key_picture_before(counted: Path) -> None:
    assert picture(counted, 0.9, mode="keyframe").mean() < 5


def test_colours_are_those_that_were_put_in(tmp_path: Path) -> None:
    path = tmp_path / "red.mp4"
    exact = "scale=out_color_matrix=bt709:flags=accurate_rnd+full_chroma_int"
    colour = f"color=0xC86432:s=64x48:d=0.2,{exact},format=yuv420p,setparams=colorspace=bt709"
    run(["-f", "lavfi", "-i", colour, "-c:v", "libx264", "-crf", "1", path])
    assert np.abs(picture(path).mean(axis=(0, 1)) - (200, 100, 50)).max() < 2


@pytest.mark.slow
def test_one_side_follows_the_other() -> None:
    assert picture(sample(), 1, width=320).shape == (180, 320, 3)
    assert picture(sample(), 1, height=90).shape == (90, 160, 3)
    assert picture(sample(), 1, width=100, height=100).shape == (100, 100, 3)


def test_a_size_past_any_sense_is_refused() -> None:
    with pytest.raises(EngineError, match="4000x5000 is too large: each side may have at most 4096 px"):
        picture(sample(), 0, width=4000, height=5000)


@pytest.mark.parametrize(("kind", "start"), [("jpg", b"\xff\xd8\xff"), ("png", b"\x89PNG")])
def test_a_picture_is_encoded_as_asked(kind: str, start: bytes) -> None:
    shown = picture(sample(), 1, width=160)
    data = encode_picture(shown, kind)  # type: ignore[arg-type]
    assert data.startswith(start)
    assert np.abs(np.asarray(Image.open(io.BytesIO(data))).astype(int) - shown).mean() < 5


def test_a_rotated_video_is_shown_upright_unless_switched_off(counted: Path, tmp_path: Path) -> None:
    turned = tmp_path / "turned.mp4"
    run(["-display_rotation", "90", "-i", counted, "-c", "copy", turned])
    assert picture(turned).shape == (64, 48, 3)
    assert picture(turned, rotate="off").shape == (48, 64, 3)
