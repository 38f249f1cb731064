"""A number means the same frame, in any order of access and from any thread."""

from __future__ import annotations

import io
import random
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ci_notebook.media.ffmpeg import run
from ci_notebook.media.frames import Frames
from ci_notebook.media.samples import sample
from ci_notebook.media.snapshot import picture
from ci_notebook.model.errors import EngineError, ParameterError
from tests.frame_numbers import counting_clip, number_in

SMALL = "160x96"
H264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "16", "-bf", "3")
CODINGS = {
    "clip.mp4": (*H264, "-g", "24"),
    "open-groups.mp4": (*H264, "-g", "12", "-x264-params", "open-gop=1"),
    "one-key.mkv": (*H264, "-g", "250"),
    "later.ts": (*H264, "-g", "10"),
    "clip.webm": ("-c:v", "libvpx-vp9", "-crf", "20", "-b:v", "0", "-g", "20", "-cpu-used", "8"),
    "hevc.mp4": ("-c:v", "libx265", "-preset", "ultrafast", "-crf", "16", "-x265-params", "log-level=none:keyint=15"),
}  # fmt: skip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return counting_clip(tmp_path_factory.mktemp("frames") / "clip.mp4", pictures=40, size=SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("name", CODINGS)
def test_every_number_in_any_order_gives_its_own_picture(name: str, tmp_path: Path) -> None:
    path = counting_clip(tmp_path / name, *CODINGS[name], pictures=40, size=SMALL)
    order = [*range(40), *range(39, -1, -1), *random.Random(4).sample(range(40), 25)]
    with Frames(path, keep_bytes=0) as frames:
        assert len(frames) == 40
        assert frames.rate == pytest.approx(25, abs=0.05)
        assert [number_in(frames[number]) for number in order] == order


@pytest.mark.slow
def test_a_stretch_that_was_cut_off_by_an_edit_list_is_not_counted(clip: Path, tmp_path: Path) -> None:
    run(["-ss", "0.4", "-i", clip, "-c", "copy", tmp_path / "cut.mp4"])
    with Frames(tmp_path / "cut.mp4") as frames:
        first = number_in(frames[0])
        assert [number_in(frames[at]) for at in range(len(frames))] == list(range(first, 40))


def test_a_number_and_a_time_are_two_names_of_one_picture(clip: Path) -> None:
    with Frames(clip) as frames:
        assert [frames.number_at(at) for at in (0, 0.039, 0.04, 1.0, 99.0)] == [0, 0, 1, 25, 39]
        assert all(frames.number_at(frames.time_of(number)) == number for number in range(40))
        np.testing.assert_array_equal(frames[25], picture(clip, 1.0))


def test_pictures_that_come_at_no_constant_rate_keep_their_times(tmp_path: Path) -> None:
    path = counting_clip(tmp_path / "uneven.mkv", *H264, "-fps_mode", "passthrough", pictures=20, size=SMALL,
                         filters="select='not(between(n,5,9))'")  # fmt: skip
    with Frames(path) as frames:
        assert len(frames) == 15
        assert number_in(frames[frames.number_at(0.3)]) == 4, "the last one before the gap is still shown"
        assert number_in(frames[5]) == 10
        assert frames.time_of(5) == pytest.approx(0.4, abs=0.001)


def test_a_detail_is_exactly_what_the_whole_picture_shows_there(clip: Path) -> None:
    with Frames(clip) as frames:
        whole = frames[7]
        part = frames.picture(7, box=(31 / 160, 21 / 96, 40 / 160, 30 / 96))
        assert part.shape == (30, 40, 3)
        assert np.abs(part.astype(int) - whole[21:51, 31:71]).max() <= 1


def test_pictures_are_made_smaller_and_never_larger(clip: Path) -> None:
    with Frames(clip) as frames:
        assert frames.picture(3, width=80).shape == (48, 80, 3)
        assert frames.picture(3, width=4000).shape == (96, 160, 3)
        assert frames.picture(3, box=(0.5, 0.5, 0.5, 0.5), width=20).shape == (12, 20, 3)


def test_another_shape_gets_bars(clip: Path) -> None:
    with Frames(clip) as frames:
        shown = frames.picture(39, shape=(96, 96))
        assert shown.shape == (160, 160, 3)
        assert shown[:30].max() == 0
        assert number_in(shown[32:128]) == 39


def test_a_turned_clip_is_shown_upright(clip: Path, tmp_path: Path) -> None:
    run(["-display_rotation:v:0", "90", "-i", clip, "-c", "copy", tmp_path / "turned.mp4"])
    with Frames(tmp_path / "turned.mp4") as frames:
        assert frames.size == (96, 160)
        np.testing.assert_array_equal(frames[20], picture(tmp_path / "turned.mp4", 0.8))


@pytest.mark.slow
def test_hdr_is_shown_through_a_tone_that_is_named(tmp_path: Path) -> None:
    coding = ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=none")
    tags = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc"
    path = counting_clip(tmp_path / "hdr.mp4", *coding, pictures=6, size=SMALL, filters=tags)
    with Frames(path) as frames, Frames(sample()) as plain:
        assert "HDR10 (PQ) shown as SDR" in frames.tone
        assert "203" in frames.tone
        assert plain.tone == ""
        assert number_in(frames[5]) == 5
        np.testing.assert_array_equal(frames[5], picture(path, 0.2))


def test_a_difference_is_amplified_and_measured_at_full_size(clip: Path, tmp_path: Path) -> None:
    brighter = tmp_path / "brighter.mp4"
    run(["-i", clip, "-vf", "lutyuv=y=val+5,scale=320:192:flags=neighbor", *H264, brighter])
    with Frames(clip) as one, Frames(brighter) as other:
        same, mean, largest = one.difference(4, one, 4, gain=8)
        assert (mean, largest) == (0, 0)
        assert np.asarray(Image.open(io.BytesIO(same))).max() <= 1
        jpeg, mean, largest = one.difference(4, other, 4, gain=8, width=100)
        shown = np.asarray(Image.open(io.BytesIO(jpeg)))
        assert shown.shape == (60, 100, 3)
        assert 3 < mean < 9 < largest
        assert shown.mean() == pytest.approx(8 * mean, rel=0.35)


def test_many_threads_may_ask_at_once(clip: Path) -> None:
    wrong: list[int] = []
    with Frames(clip) as frames:

        def ask(seed: int) -> None:
            numbers = random.Random(seed).choices(range(40), k=15)
            wrong.extend(number for number in numbers if number_in(frames[number]) != number)

        threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_the_cache_of_decoded_frames_is_bounded(clip: Path) -> None:
    with Frames(clip, keep_bytes=10 * 160 * 96 * 3 // 2) as frames:
        for number in range(40):
            frames[number]
        assert frames.cached_frames == 10


def test_at_rest_it_holds_nothing_and_it_resumes_on_demand(clip: Path) -> None:
    with Frames(clip) as frames:
        before = frames[17]
        frames.rest()
        assert frames.cached_frames == 0
        assert (len(frames), frames.number_at(1.0), frames.rate) == (40, 25, 25)
        np.testing.assert_array_equal(frames[17], before)


@pytest.mark.parametrize("number", [-1, 40])
def test_a_number_that_no_picture_has_is_refused(clip: Path, number: int) -> None:
    with Frames(clip) as frames, pytest.raises(ParameterError, match="0 to 39"):
        frames[number]


def test_a_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no video")
    with pytest.raises(EngineError, match="cannot be read as a video"):
        Frames(tmp_path / "note.txt")
