"""The previewer: what is kept, how large, what is refused, and what it leaves behind."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import ci_notebook as ci
from ci_notebook.engine.preview import warm_ffmpeg
from ci_notebook.engine.preview.preview_graph import unshown_leaves
from ci_notebook.engine.preview.previewer import FileOrigin, Previewer
from ci_notebook.engine.render.analysis import Analysis, analyse
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.samples import sample
from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.errors import EngineError, ParameterError
from ci_notebook.model.setting.enhance import ColorEnhance, FrameEnhance, MsSharpen, VideoEnhance
from ci_notebook.model.setting.transcode import TimeInterval, Transcode, Video
from ci_notebook.model.setting.watermark import Image, Watermark
from tests.support import until

CLIP = FileOrigin(sample())
SHARP = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=8))


@pytest.fixture(scope="module")
def previewer() -> Iterator[Previewer]:
    made = Previewer()
    yield made
    made.close()


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Pillow.open(io.BytesIO(data)).convert("RGB")).astype(float)


@pytest.mark.slow
def test_a_width_scales_the_preview_down_and_never_up(previewer: Previewer) -> None:
    assert pixels(previewer.preview(CLIP, SHARP, width_px=320)).shape == (180, 320, 3)
    assert pixels(previewer.preview(CLIP, SHARP, width_px=4000)).shape == (360, 640, 3)


def test_sharpening_is_done_at_the_outputs_size(previewer: Previewer) -> None:
    """Sharpening the small picture would show far more of it."""
    plain, sharp = (pixels(previewer.preview(CLIP, setting, width_px=160)) for setting in (VideoEnhance(), SHARP))
    full = [pixels(previewer.preview(CLIP, setting)) for setting in (VideoEnhance(), SHARP)]
    assert np.abs(sharp - plain).mean() < 0.6 * np.abs(full[1] - full[0]).mean()


@pytest.mark.slow
def test_the_same_question_has_the_same_answer_and_another_time_another(previewer: Previewer) -> None:
    assert previewer.preview(CLIP, SHARP, 1.0) == previewer.preview(CLIP, SHARP, 1.0)
    assert previewer.preview(CLIP, SHARP, 1.0) != previewer.preview(CLIP, SHARP, 2.0)


@pytest.mark.slow
def test_past_the_end_is_the_last_picture(previewer: Previewer) -> None:
    assert previewer.preview(CLIP, SHARP, 99.0) == previewer.preview(CLIP, SHARP, 2.96)


@pytest.mark.slow
def test_a_clip_that_was_written_again_is_looked_at_again(previewer: Previewer, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    shutil.copyfile(sample(), clip)
    before = previewer.preview(FileOrigin(clip), VideoEnhance())
    shutil.copyfile(sample("coffee"), clip)
    assert pixels(previewer.preview(FileOrigin(clip), VideoEnhance())).tobytes() != pixels(before).tobytes()


def test_leaves_that_one_frame_cannot_show_are_named() -> None:
    setting = VideoEnhance(frame_enhance=FrameEnhance(frame_doubling=True), transcode=Transcode(video=Video(fps=30.0)))
    assert unshown_leaves(setting) == ("FrameEnhance.FrameDoubling", "Transcode.Video.Fps")
    assert unshown_leaves(SHARP) == ()


def test_a_setting_that_the_job_would_refuse_is_refused_by_name(previewer: Previewer, tmp_path: Path) -> None:
    late = VideoEnhance(transcode=Transcode(time_interval=TimeInterval(start=60.0, duration=1.0)))
    with pytest.raises(EngineError, match=r"Transcode\.TimeInterval\.Start is 60 s"):
        previewer.preview(CLIP, late)
    mark = Watermark(
        type="Image", pos="Center", loc_mode="Absolute", dx=0, dy=0,
        image=Image(url="x.png", mode="Original", transparency=100),
    )  # fmt: skip
    with pytest.raises(ParameterError, match="has no access to objects"):
        previewer.preview(CLIP, SHARP, watermarks=(mark,))
    with pytest.raises(EngineError, match="cannot be read as a video"):
        (tmp_path / "no.mp4").write_bytes(b"nothing")
        previewer.preview(FileOrigin(tmp_path / "no.mp4"), SHARP)
    assert previewer.preview(CLIP, SHARP), "what went wrong stays with the one that it went wrong for"


@pytest.mark.slow
def test_decoded_frames_are_cached_within_their_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_notebook.engine.preview.previewer.CACHE_BYTES", 1_000_000)
    with_ = Previewer()
    for number in range(8):
        with_.preview(CLIP, SHARP, number / 5)
    assert sum(one.stat().st_size for one in with_.folder.glob("*.raw")) <= 1_000_000
    with_.close()
    assert not with_.folder.exists()


def waiting_of(previewer: Previewer) -> warm_ffmpeg.Process:
    until(lambda: previewer.waiting_process is not None, 5)
    return previewer.waiting_process


@pytest.mark.slow
def test_the_idle_program_ends_with_its_time_and_with_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm_ffmpeg, "IDLE_S", 0.1)
    with_ = Previewer()
    with_.preview(CLIP, SHARP)
    waiting_of(with_).wait(5)
    assert pixels(with_.preview(CLIP, SHARP)).shape == (360, 640, 3)
    monkeypatch.setattr(warm_ffmpeg, "IDLE_S", 60)
    with_.preview(CLIP, SHARP)
    waiting = waiting_of(with_)
    assert waiting.poll() is None
    with_.close()
    assert waiting.poll() is not None


@pytest.fixture(scope="module")
def few_keys(tmp_path_factory: pytest.TempPathFactory) -> FileOrigin:
    """A clip of 75 frames with key frames 0, 30 and 60."""
    path = tmp_path_factory.mktemp("clips") / "few.mp4"
    keys = ["-g", "30", "-keyint_min", "30", "-sc_threshold", "0"]
    run(["-i", sample(), "-vf", "scale=320:180", "-c:v", "libx264", *keys, "-an", path])
    return FileOrigin(path)


def test_a_frame_far_from_a_key_frame_of_a_large_clip_has_a_nearer_one_to_show(
    few_keys: FileOrigin, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_ = Previewer()
    assert with_.time_at_once(few_keys, 1.0) == 1.0, "a small clip is decoded at once"
    monkeypatch.setattr("ci_notebook.engine.preview.previewer.AT_ONCE_PIXELS", 320 * 180 * 5)
    times = {at_s: with_.time_at_once(few_keys, at_s) for at_s in (0.0, 0.2, 0.48, 0.8, 1.2, 1.36, 2.2, 2.96)}
    assert times == {0.0: 0.0, 0.2: 0.2, 0.48: 0.0, 0.8: 1.2, 1.2: 1.2, 1.36: 1.36, 2.2: 2.4, 2.96: 2.4}
    with_.preview(few_keys, VideoEnhance(), 0.8)
    assert with_.time_at_once(few_keys, 0.8) == 0.8, "it is decoded now"
    with_.close()


def test_the_clip_is_analysed_for_settings_that_use_its_levels(
    few_keys: FileOrigin, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysed: list[str] = []

    def noted(path: Path, *, needs: str) -> Analysis:
        analysed.append(needs)
        return analyse(path, needs=needs)  # type: ignore[arg-type]

    monkeypatch.setattr("ci_notebook.engine.preview.previewer.analyse", noted)
    automatic = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=AUTO))
    toned = VideoEnhance(color_enhance=ColorEnhance(contrast=30, correction=0, saturation=0))
    with_ = Previewer()
    for setting in (VideoEnhance(), SHARP):
        assert with_.is_analysed(few_keys, setting)
        with_.preview(few_keys, setting, 1.0)
    assert analysed == []
    assert not with_.is_analysed(few_keys, automatic) and not with_.is_analysed(few_keys, toned)
    with_.analyse(few_keys, automatic)
    assert with_.is_analysed(few_keys, automatic) and with_.is_analysed(few_keys, toned)
    shown = with_.preview(few_keys, automatic, 1.0)
    assert analysed == ["all"], "and all of it serves settings that need less"
    fresh = Previewer()
    assert fresh.preview(few_keys, automatic, 1.0) == shown, "the frame was decoded before the analysis was there"
    fresh.close()
    with_.close()


@pytest.mark.slow
def test_many_threads_may_ask_at_once(previewer: Previewer) -> None:
    wanted = {level: previewer.preview(CLIP, _sharp(level)) for level in range(4)}
    got: dict[int, bytes] = {}
    threads = [
        threading.Thread(target=lambda level=level: got.update({level: previewer.preview(CLIP, _sharp(level))}))
        for level in wanted
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert got == wanted


def test_after_close_a_preview_is_refused_and_starts_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lab, closed = ci.connect(home=tmp_path), Previewer()
    clip, kept = lab.upload(CLIP.path), lab.previews
    kept.see(clip, SHARP)
    engine = lab.engine
    lab.close()
    closed.close()

    def started(*args: object, **kwargs: object) -> None:
        raise AssertionError(f"a program was started: {args}")

    monkeypatch.setattr(subprocess, "Popen", started)
    for call in (
        lambda: lab.preview(clip, SHARP), lambda: kept.see(clip, SHARP), lambda: kept.source(clip, SHARP),
        lambda: kept.length(clip), lambda: kept.see(CLIP.path, SHARP), lambda: closed.preview(CLIP, SHARP),
        lambda: closed.facts(CLIP), lambda: engine.preview(SHARP, np.zeros((8, 8, 3), np.uint8)),
    ):  # fmt: skip
        with pytest.raises(ParameterError, match="closed"):
            call()
    kept.rest()
    kept.close()


@pytest.mark.slow
def test_a_thread_that_asks_while_the_previews_are_closed_leaves_no_program() -> None:
    with_ = Previewer()
    answers: list[str] = []
    rendered = threading.Event()

    def ask() -> None:
        try:
            for number in range(10_000):
                with_.preview(CLIP, _sharp(number % 10))
                rendered.set()
        except ParameterError as error:
            answers.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert rendered.wait(30)
    with_.close()
    for thread in threads:
        thread.join(20)
    assert len(answers) == 3 and all("closed" in one for one in answers)
    assert with_.waiting_process is None
    assert not with_.folder.exists()


def _sharp(level: int) -> VideoEnhance:
    return VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=level))


CHILD = """
import os, time
from ci_notebook.engine.preview.previewer import FileOrigin, Previewer
from ci_notebook.media.samples import sample
from ci_notebook.model.setting.enhance import VideoEnhance
with_ = Previewer()
with_.preview(FileOrigin(sample()), VideoEnhance())
while with_.waiting_process is None:
    time.sleep(0.01)
print(with_.waiting_process.pid, with_.folder, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.slow
def test_a_killed_kernel_leaves_no_program_and_no_pictures_behind() -> None:
    child = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=False)
    number, folder = child.stdout.split()
    Previewer().close()
    assert not Path(folder).exists(), "its pictures go when the next one begins"
    program = Path(f"/proc/{number}/cmdline")
    if not Path("/proc/self").exists():
        pytest.skip("processes are looked up in /proc")
    deadline = time.monotonic() + 5
    while program.exists() and program.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not program.exists() or not program.read_bytes()  # gone, or a zombie that nobody has asked after
