"""The network behind Enhance: one answer for one picture, nearer to the truth than Lanczos, and honest when missing."""

from __future__ import annotations

import io
import sys
import threading
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ci_notebook.engine.render.super_resolution import network
from ci_notebook.engine.render.super_resolution.frame_pipe import Pipe, enlarging, pass_through, read_frames
from ci_notebook.engine.render.super_resolution.network import (
    WEIGHTS,
    Enlarger,
    available,
    enlarge,
    enlarge_chroma,
    frame_bytes,
)
from ci_notebook.media.ffmpeg import Cancelled, run
from ci_notebook.media.probe import media_info
from ci_notebook.media.samples import sample
from ci_notebook.model.errors import EngineError

Plane = np.ndarray
LOSSLESS = ["-c:v", "ffv1", "-pix_fmt", "yuv420p"]


@pytest.fixture(scope="module")
def enlarger() -> Enlarger:
    if not available():
        pytest.skip("onnxruntime is not installed (the extra `enhance`)")
    return Enlarger(threads=1)


@pytest.fixture(scope="module")
def portrait() -> Plane:
    """A photograph in the public domain that comes with matplotlib. The network has never seen it."""
    data = files("matplotlib").joinpath("mpl-data/sample_data/grace_hopper.jpg").read_bytes()
    return np.asarray(Image.open(io.BytesIO(data)).convert("L").crop((0, 0, 512, 600)))


def halved(plane: Plane) -> Plane:
    height, width = plane.shape
    return np.asarray(Image.fromarray(plane).resize((width // 2, height // 2), Image.Resampling.BICUBIC))


def by_lanczos(plane: Plane) -> Plane:
    height, width = plane.shape
    return np.asarray(Image.fromarray(plane).resize((2 * width, 2 * height), Image.Resampling.LANCZOS))


def psnr(one: Plane, other: Plane) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


def ssim(one: Plane, other: Plane) -> float:
    """Structural similarity over blocks of 8x8, as Wang et al. define it for one window."""
    height, width = (side // 8 * 8 for side in one.shape)
    x, y = (p[:height, :width].astype(float).reshape(height // 8, 8, width // 8, 8) for p in (one, other))
    axes = (1, 3)
    mean_x, mean_y = x.mean(axes), y.mean(axes)
    both = (x * y).mean(axes) - mean_x * mean_y
    lights, contrasts = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    above = (2 * mean_x * mean_y + lights) * (2 * both + contrasts)
    below = (mean_x**2 + mean_y**2 + lights) * (x.var(axes) + y.var(axes) + contrasts)
    return float((above / below).mean())


def test_a_picture_comes_back_twice_as_wide_and_high_in_bytes(enlarger: Enlarger, portrait: Plane) -> None:
    small = halved(portrait)
    large = enlarger(small)
    assert large.shape == (2 * small.shape[0], 2 * small.shape[1])
    assert large.dtype == np.uint8


def test_the_same_picture_gives_the_same_answer_every_time(enlarger: Enlarger, portrait: Plane) -> None:
    small = halved(portrait)
    assert np.array_equal(enlarger(small), enlarger(small))
    assert np.array_equal(Enlarger(threads=2)(small), enlarger(small))


def test_a_restored_photograph_is_nearer_to_the_truth_than_by_lanczos(enlarger: Enlarger, portrait: Plane) -> None:
    small = halved(portrait)
    network, lanczos = enlarger(small), by_lanczos(small)
    assert psnr(network, portrait) > psnr(lanczos, portrait) + 1.0
    assert ssim(network, portrait) > ssim(lanczos, portrait) + 0.003


def test_compressed_frames_are_restored_better_too(enlarger: Enlarger, portrait: Plane) -> None:
    store = io.BytesIO()
    Image.fromarray(halved(portrait)).save(store, "JPEG", quality=60)
    small = np.asarray(Image.open(store))
    network, lanczos = enlarger(small), by_lanczos(small)
    assert psnr(network, portrait) > psnr(lanczos, portrait) + 0.5
    assert ssim(network, portrait) > ssim(lanczos, portrait) + 0.005


@pytest.mark.parametrize("level", [0, 16, 126, 235, 255])
def test_a_plain_picture_stays_plain_to_its_very_edge(enlarger: Enlarger, level: int) -> None:
    large = enlarger(np.full((24, 40), level, np.uint8)).astype(int)
    assert np.abs(large - level).max() <= 1


def test_a_plain_picture_of_every_level_comes_back_exactly(enlarger: Enlarger) -> None:
    for level in range(256):
        assert np.array_equal(enlarger(np.full((5, 7), level, np.uint8)), np.full((10, 14), level, np.uint8))


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("name", ["telescope", "portrait", "screen"])
def test_a_compressed_clip_that_was_never_trained_on_gets_its_detail_back(
    enlarger: Enlarger, tmp_path: Path, name: str, codec: str
) -> None:
    """Nearer to the original than Lanczos, with more of its detail but not more than it has, and as steady."""
    truth = _lumas(["-i", sample(name), "-frames:v", "6", "-vf", "crop=480:264"], tmp_path)
    words = ["-i", sample(name), "-frames:v", "6", "-vf", "crop=480:264,scale=240:132:flags=bicubic"]
    run([*words, "-c:v", codec, "-crf", "26", "-an", tmp_path / "small.mkv"])
    small = _lumas(["-i", tmp_path / "small.mkv"], tmp_path, width=240, height=132)
    network, lanczos = (np.stack([way(one) for one in small]) for way in (enlarger, by_lanczos))
    assert psnr(network, truth) > psnr(lanczos, truth) - 0.2
    assert 2.15 * _detail(lanczos, truth) < _detail(network, truth) < 1.0
    assert _change(network, truth) < _change(lanczos, truth)


def _lumas(source: list[object], folder: Path, *, width: int = 480, height: int = 264) -> Plane:
    run([*source, "-pix_fmt", "gray", "-f", "rawvideo", "-y", folder / "luma"])
    return np.fromfile(folder / "luma", np.uint8).reshape(-1, height, width)


def _detail(frames: Plane, truth: Plane) -> float:
    """Return the share of the original's fine detail that is there: 0 to 1, above 1 where it is too strong."""
    one, other = (np.diff(np.diff(part.astype(float), axis=1), axis=2) for part in (frames, truth))
    return float((one * other).sum() / (other * other).sum())


def _change(frames: Plane, truth: Plane) -> float:
    """Return how far the changes from frame to frame are from the original's."""
    return float(np.abs(np.diff(frames.astype(int), axis=0) - np.diff(truth.astype(int), axis=0)).mean())


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (17, 64), (45, 80)])
def test_any_size_is_taken_even_smaller_than_the_network_s_reach(enlarger: Enlarger, shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    assert enlarger(picture).shape == (2 * shape[0], 2 * shape[1])


@pytest.mark.slow
def test_a_large_picture_is_worked_on_in_strips_without_a_seam(
    enlarger: Enlarger, portrait: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = enlarger(portrait)
    monkeypatch.setattr(network, "_STRIP_PIXELS", 40 * portrait.shape[1])
    strips = enlarger(portrait).astype(int)
    assert np.abs(strips - whole).max() <= 1  # sums may be rounded in another order


def test_an_array_that_is_no_luma_plane_is_refused_by_its_shape(enlarger: Enlarger) -> None:
    with pytest.raises(ValueError, match=r"uint8, height x width \(got uint8 of shape \(4, 4, 3\)\)"):
        enlarger(np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(ValueError, match="got float64"):
        enlarger(np.zeros((4, 4)))


def test_without_onnxruntime_the_remedy_is_named_and_nothing_else_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineError, match="Version Enhance needs onnxruntime") as caught:
        Enlarger()
    assert "pip install 'ci-notebook[enhance]'" in str(caught.value)
    assert "Version Base" in str(caught.value)
    assert caught.value.code == "ResourceNotSupported"


def test_chroma_stays_where_the_standard_puts_it(tmp_path: Path) -> None:
    """zimg knows that 4:2:0 chroma stands left of the middle; a plain resize moves it by half a pixel."""
    small, large = tmp_path / "small.yuv", tmp_path / "large.yuv"
    run(["-i", sample(), "-frames:v", "1", "-f", "rawvideo", small])
    run(["-i", sample(), "-frames:v", "1", "-vf", "zscale=1280:720:filter=lanczos", "-f", "rawvideo", large])
    u = np.fromfile(small, np.uint8)[640 * 360 :][: 320 * 180].reshape(180, 320)
    zimg = np.fromfile(large, np.uint8)[1280 * 720 :][: 640 * 360].reshape(360, 640)
    assert psnr(enlarge_chroma(u, 640, 360), zimg) > psnr(by_lanczos(u), zimg) + 2


@pytest.mark.parametrize("deep", [False, True], ids=["8 bits", "10 bits"])
@pytest.mark.parametrize(("width", "height"), [(16, 8), (15, 9), (2, 2), (1, 1)])
def test_a_plain_picture_of_any_size_and_depth_stays_plain(
    enlarger: Enlarger, width: int, height: int, deep: bool
) -> None:
    kind, level = ("<u2", 601) if deep else ("u1", 200)
    count = width * height + 2 * ((width + 1) // 2) * ((height + 1) // 2)
    picture = np.full(count, level, kind).tobytes()
    assert len(picture) == frame_bytes(width, height, deep=deep)
    large = np.frombuffer(enlarge(picture, width, height, enlarger=enlarger, deep=deep), kind)
    assert large.size == 6 * width * height
    assert np.abs(large.astype(int) - level).max() <= (8 if deep else 2)


def test_a_slow_gradient_of_ten_bits_gets_no_bands(enlarger: Enlarger) -> None:
    ramp = np.rint(np.linspace(300, 340, 256)).astype("<u2")
    luma = np.repeat(ramp[None, :], 32, axis=0)
    picture = np.concatenate([luma.ravel(), np.full(2 * 128 * 16, 512, "<u2")]).tobytes()
    large = np.frombuffer(enlarge(picture, 256, 32, enlarger=enlarger, deep=True), "<u2")[: 512 * 64].reshape(64, 512)
    line = large[32, 8:-8].astype(int)
    assert len(np.unique(line)) > 30  # in eight bits it would have ten steps
    assert np.abs(np.diff(line)).max() <= 3


def test_a_picture_of_the_wrong_size_is_refused(enlarger: Enlarger) -> None:
    with pytest.raises(EngineError, match="frame of 16x8 was expected, but it has 10 bytes"):
        enlarge(b"0123456789", 16, 8, enlarger=enlarger)


def test_a_pipe_that_ends_within_a_picture_is_noticed() -> None:
    pictures = read_frames(io.BytesIO(b"x" * 20), 12)
    assert next(pictures) == b"x" * 12
    with pytest.raises(EngineError, match="8 of 12 bytes"):
        next(pictures)


def test_a_clip_goes_through_ffmpeg_the_network_and_ffmpeg(enlarger: Enlarger, tmp_path: Path) -> None:
    out, shares, pipe = tmp_path / "out.mkv", [], Pipe(160, 90, "25")
    count = pass_through(
        ["-i", sample(), "-frames:v", "5", "-vf", "scale=160:90"],
        [*LOSSLESS, out],
        pipe,
        total=5,
        on_progress=shares.append,
        each=enlarging(pipe, enlarger),
    )
    stream = media_info(out).stream
    assert stream is not None
    assert (count, stream.video[0].width, stream.video[0].height) == (5, 320, 180)
    assert shares == [0.2, 0.4, 0.6, 0.8, 1.0]


def test_a_source_that_cannot_be_read_fails_with_the_program_s_own_words(enlarger: Enlarger, tmp_path: Path) -> None:
    broken, pipe = tmp_path / "broken.mp4", Pipe(16, 8, "25")
    broken.write_bytes(b"no video at all")
    with pytest.raises(EngineError, match=r"FFmpeg ended with") as caught:
        pass_through(["-i", broken], [*LOSSLESS, tmp_path / "o.mkv"], pipe, each=enlarging(pipe, enlarger))
    assert "Invalid data" in caught.value.log


@pytest.mark.slow
def test_an_encoder_that_gives_up_fails_with_the_program_s_own_words(enlarger: Enlarger, tmp_path: Path) -> None:
    encode, pipe = ["-c:v", "libx264", "-pix_fmt", "no_such_format", tmp_path / "o.mp4"], Pipe(640, 360, "25")
    with pytest.raises(EngineError, match=r"FFmpeg ended with") as caught:
        pass_through(["-i", sample()], encode, pipe, each=enlarging(pipe, enlarger))
    assert "no_such_format" in caught.value.log


@pytest.mark.slow
def test_a_cancelled_run_stops_though_its_source_has_no_end(enlarger: Enlarger, tmp_path: Path) -> None:
    cancel = threading.Event()
    threading.Timer(0.3, cancel.set).start()
    endless = ["-re", "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=2"]
    encode, pipe = [*LOSSLESS, tmp_path / "o.mkv"], Pipe(64, 48, "2")
    with pytest.raises(Cancelled):
        pass_through(endless, encode, pipe, cancel=cancel, each=enlarging(pipe, enlarger))


def test_the_weights_are_small_and_described() -> None:
    assert WEIGHTS.stat().st_size < 100_000
    assert b"MIT" in WEIGHTS.read_bytes()
    assert (WEIGHTS.parent / "WEIGHTS.md").is_file()
