"""The strength of a digital watermark: as much as a clip needs, and a reader that removes moving content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ci_notebook.engine.render.digital_watermark.carrier import residual
from ci_notebook.engine.render.digital_watermark.motion_prediction import unpredicted
from ci_notebook.engine.render.digital_watermark.pattern import (
    amplitude,
    blend_filter,
    extract,
    known_margin_db,
    pattern,
)
from ci_notebook.engine.render.digital_watermark.strength import Strength, needed_strength
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.samples import sample
from ci_notebook.model.setting.shape import Size

TEXT = "ci_notebook-2026"
MOVING = (1, 1)  # cells down and across in each frame


def moving_frames(mark: np.ndarray, step: tuple[int, int]) -> list[np.ndarray]:
    """Return 20 frames of a texture with a natural spectrum that moves under a mark that stands still."""
    (down, across), random = mark.shape, np.random.default_rng(3)
    tall, wide = down + 40, across + 40
    frequencies = np.hypot(np.fft.fftfreq(tall)[:, None], np.fft.fftfreq(wide)[None, :]) + 0.01
    texture = np.real(np.fft.ifft2(np.fft.fft2(random.standard_normal((tall, wide))) / frequencies))
    texture *= 30 / texture.std()
    places = [(step[0] * at, step[1] * at) for at in range(20)]
    noise = [random.normal(0, 0.5, mark.shape) for _ in places]
    shown = [texture[y : y + down, x : x + across] + mark for y, x in places]
    return [(one + grain).astype(np.float32) for one, grain in zip(shown, noise, strict=True)]


def likeness(frames: list[np.ndarray], mark: np.ndarray) -> float:
    return float(np.corrcoef(np.sum([residual(one) for one in frames], axis=0).ravel(), residual(mark).ravel())[0, 1])


def test_under_a_moving_camera_the_prediction_removes_the_content_and_leaves_the_mark() -> None:
    mark = np.random.default_rng(5).choice([-1.0, 1.0], (90, 160)).astype(np.float32)
    frames = moving_frames(mark, MOVING)
    assert likeness(list(unpredicted(frames)), mark) > 1.5 * likeness(frames, mark)


def test_where_nothing_moves_the_mark_is_not_predicted_away() -> None:
    mark = np.random.default_rng(5).choice([-1.0, 1.0], (90, 160)).astype(np.float32)
    frames = moving_frames(mark, (0, 0))
    assert likeness(list(unpredicted(frames)), mark) > 0.8 * likeness(frames, mark)


@pytest.mark.parametrize("shape", [(2, 2), (5, 70), (90, 160)])
def test_frames_of_every_shape_keep_it(shape: tuple[int, int]) -> None:
    frames = [np.full(shape, 7.0, np.float32)] * 3
    assert [one.shape for one in unpredicted(frames)] == [shape] * 3
    assert list(unpredicted([])) == []


@pytest.mark.slow
def test_a_busy_clip_gets_less_than_the_full_amplitude_and_survives_half_size(tmp_path: Path) -> None:
    full = amplitude(640, 360, TEXT)
    strength = needed_strength(sample("city"), TEXT, Size(640, 360), full, stretch=(0.0, 1.5))
    assert 0.4 * full <= strength.level < 0.85 * full
    still = pattern(TEXT, 640, 360, amplitude=strength.level, coarse=strength.coarse)
    (tmp_path / "still.y4m").write_bytes(still)
    graph = blend_filter("0:v", "1:v", "out", pixel_format="yuv420p")
    inputs: list[str | Path] = ["-i", sample("city"), "-i", tmp_path / "still.y4m"]
    run([*inputs, "-filter_complex", graph, "-map", "[out]", "-c:v", "libx264", "-crf", "23", tmp_path / "marked.mp4"])
    half = ["-vf", "scale=320:180", "-c:v", "libx264", "-preset", "veryfast", "-crf", "23"]
    run(["-i", tmp_path / "marked.mp4", *half, tmp_path / "half.mp4"])
    assert extract(tmp_path / "half.mp4").message == TEXT


@pytest.mark.slow
def test_a_text_that_is_not_there_has_no_margin() -> None:
    assert known_margin_db(sample("portrait"), TEXT) < -10


def test_what_cannot_be_measured_gets_the_full_amplitude(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_bytes(b"this is no video")
    assert needed_strength(tmp_path / "no.mp4", TEXT, Size(640, 360), 2.25) == Strength(2.25)
