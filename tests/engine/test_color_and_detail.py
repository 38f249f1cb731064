"""Limits of the knobs: what they never do to a frame, and that AUTO leaves a good clip alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ci_notebook.engine.render.analysis import Analysis, analyse
from ci_notebook.engine.render.filters.sharpening import sharpening
from ci_notebook.engine.render.filters.tone import tone
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.samples import sample
from ci_notebook.model.setting.enhance import ColorEnhance, VideoEnhance
from tests.benchmarks.bench_color_enhance import COLOR, LAMPS, SPOILS, SURFACES, enhanced, frames_of, measure, write

GBRP = "scale=in_color_matrix=bt709:in_range=tv:flags=accurate_rnd+full_chroma_int+full_chroma_inp,format=gbrp"
AUTO_COLOR = VideoEnhance(color_enhance=COLOR)
WIDE, HIGH = 320, 180


def luma_after(filters: str, luma: NDArray[np.uint8], folder: Path, *, deep: bool) -> NDArray[np.float64]:
    """Return the luma of one frame after some filters, in levels of eight bits."""
    source, target = folder / "in.raw", folder / "out.raw"
    source.write_bytes(luma.tobytes())
    size = f"{luma.shape[1]}x{luma.shape[0]}"
    work = "yuv420p10le" if deep else "yuv420p"
    run(["-f", "rawvideo", "-pix_fmt", "gray", "-s", size, "-i", source, "-vf",
         f"scale=in_range=tv:out_range=tv,format={work},{filters},scale=in_range=tv:out_range=tv,format=yuv420p10le",
         "-f", "rawvideo", target])  # fmt: skip
    plane = np.fromfile(target, np.uint16)[: luma.size].reshape(luma.shape)
    return plane / 4


def step(low: int, high: int, *, soft: float, across: bool) -> NDArray[np.uint8]:
    """Return a frame with one step in the middle, blurred by a Gaussian of `soft` px."""
    line = np.where(np.arange(WIDE) < WIDE // 2, float(low), float(high))
    if soft:
        kernel = np.exp(-(np.arange(-6, 7) ** 2) / (2 * soft**2))
        line = np.convolve(np.pad(line, 6, mode="edge"), kernel / kernel.sum(), "valid")
    rows = np.repeat(np.round(line)[None], WIDE, axis=0).astype(np.uint8)
    return rows if across else rows.T.copy()


@pytest.mark.parametrize("deep", [False, True], ids=["8 bits", "10 bits"])
@pytest.mark.parametrize("level", [1, 5, 10])
def test_a_step_overshoots_by_a_bounded_share_of_its_height(level: int, deep: bool, tmp_path: Path) -> None:
    most = 0.15 if level <= 5 else 0.30
    (filters,) = sharpening(level)
    for low, high in ((60, 180), (40, 220), (100, 140)):
        for soft in (0.0, 0.6, 1.0):
            for across in (True, False):
                luma = luma_after(filters, step(low, high, soft=soft, across=across), tmp_path, deep=deep)
                over = max(luma.max() - high, low - luma.min())
                assert over <= most * (high - low) + 0.5, (low, high, soft, across)


def test_a_sharpened_step_is_steeper(tmp_path: Path) -> None:
    slopes = []
    for level in (2, 5, 10):
        luma = luma_after(sharpening(level)[0], step(60, 180, soft=1.0, across=True), tmp_path, deep=True)
        slopes.append(float(np.diff(luma[90]).max()))
    assert slopes == sorted(slopes) and slopes[0] < slopes[-1]


def sky(folder: Path) -> Path:
    """Write a clip of a light blue sky, from level 200 up."""
    drawn = "gradients=c0=0xc8dcf5:c1=0xd8e8fa:x0=0:y0=0:x1=0:y1=180:nb_colors=2:s=320x180:speed=0.00001"
    return write(folder / "sky.mp4", f"{drawn},trim=end_frame=1", "null", count=1)


def hue_of(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the hue of each pixel, in degrees, on the plane of color differences."""
    luma = rgb @ np.array([0.2126, 0.7152, 0.0722])
    return np.degrees(np.arctan2((rgb[..., 0] - luma) / 1.5748, (rgb[..., 2] - luma) / 1.8556))


def test_saturation_of_a_light_sky_rises_without_clipping_and_keeps_the_hue(tmp_path: Path) -> None:
    clip = sky(tmp_path)
    before = frames_of(clip, "null", count=1)[0]
    assert before.max() < 253
    chroma = []
    for level in (0, 100, 200, 300):
        setting = VideoEnhance(color_enhance=ColorEnhance(contrast=0, correction=0, saturation=level))
        after = enhanced(clip, setting, count=1, analysis=Analysis())[0]
        assert ((after >= 254) | (after <= 1)).mean() < 0.005
        assert abs(float(np.median(hue_of(after))) - float(np.median(hue_of(before)))) < 3
        chroma.append(float((after.max(axis=-1).astype(float) - after.min(axis=-1)).mean()))
    assert chroma == sorted(set(chroma)), chroma


def test_contrast_and_saturation_at_rest_make_no_filter() -> None:
    assert tone(0, 0, 0.5, matrix="bt709", output_format="yuv420p") == ()


@pytest.mark.slow
@pytest.mark.parametrize("size", [(2, 2), (4, 2), (16, 16)])
def test_tiny_frames_take_every_knob(size: tuple[int, int], tmp_path: Path) -> None:
    clip = write(tmp_path / "tiny.mp4", f"testsrc2=s={size[0]}x{size[1]},trim=end_frame=1", "null", count=1)
    setting = VideoEnhance(color_enhance=ColorEnhance(contrast=50, correction=500, saturation=150))
    assert enhanced(clip, setting, count=1).shape == (1, size[1], size[0], 3)
    luma_after(sharpening(5)[0], np.full((size[1], size[0]), 90, np.uint8), tmp_path, deep=False)


@pytest.mark.slow
@pytest.mark.parametrize("values", [
    ("contrast", 1), ("contrast", 99), ("correction", 1), ("correction", 999), ("saturation", 1), ("saturation", 299),
])  # fmt: skip
def test_neighbouring_values_differ(values: tuple[str, int]) -> None:
    (knob, value), clip = values, sample("portrait")
    analysis = analyse(clip)

    def shown(level: int) -> NDArray[np.uint8]:
        color = ColorEnhance(**{"contrast": 0, "correction": 0, "saturation": 0, knob: level})
        return enhanced(clip, VideoEnhance(color_enhance=color), count=1, analysis=analysis)

    assert not np.array_equal(shown(value), shown(value + 1))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["coffee", "meadow", "portrait", "raccoon", "city"])
def test_auto_leaves_a_good_clip_alone(name: str, tmp_path: Path) -> None:
    row = measure("good", name, sample(name), AUTO_COLOR, count=2)
    assert row.change < 2.5
    assert row.clipped <= 1


@pytest.mark.slow
@pytest.mark.parametrize("spoil", ["light x 0.35", "level x 0.35"])
@pytest.mark.parametrize("name", ["meadow", "portrait"])
def test_auto_brings_a_dark_clip_a_third_of_the_way_back(name: str, spoil: str, tmp_path: Path) -> None:
    plain = write(tmp_path / "plain.mp4", sample(name), "null", count=2)
    dark = write(tmp_path / "dark.mp4", plain, f"{GBRP},{SPOILS[spoil]}", count=2)
    row = measure(spoil, name, dark, AUTO_COLOR, count=2, good=frames_of(plain, "null", count=2))
    assert row.back is not None and row.back >= 1 / 3
    assert row.black < 2
    assert row.unsteady < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SURFACES, "lamps"])
def test_auto_clips_no_surface_and_no_night_scene(name: str, tmp_path: Path) -> None:
    head, _, tail = {**SURFACES, "lamps": LAMPS}[name].partition(",")
    sized = f"{head}:s=480x270,format=gbrp,noise=alls=4:allf=t:all_seed=3{',' + tail if tail else ''}"
    clip = write(tmp_path / "clip.mp4", f"{sized},trim=end_frame=2", "null", count=2)
    assert measure("surface", name, clip, AUTO_COLOR, count=2).clipped <= 1
