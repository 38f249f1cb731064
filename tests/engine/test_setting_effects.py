"""Every parameter has its documented effect, strictly, over its whole range, on real frames."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ci_notebook.engine.preview.previewer import FileOrigin, Previewer
from ci_notebook.engine.render.analysis import analyse
from ci_notebook.engine.render.graph import resolved_levels
from ci_notebook.engine.render.render import render
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.samples import sample
from ci_notebook.media.scoring import no_reference
from ci_notebook.media.scoring.score import sharpness
from ci_notebook.media.snapshot import picture
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.declaration.paths import resolve
from ci_notebook.model.setting.enhance import ColorEnhance, MsSharpen, VideoEnhance
from ci_notebook.model.setting.transcode import Audio, Container, TimeInterval, Transcode, Video

Rgb = NDArray[np.uint8]


def colour(**values: int) -> VideoEnhance:
    """Return a setting with one colour knob turned and the others at rest."""
    return VideoEnhance(color_enhance=ColorEnhance(**{"contrast": 0, "correction": 0, "saturation": 0, **values}))


def levels_missed(rgb: Rgb) -> float:
    """Return how far the channels' ends are from black and white: what a cast and a flat picture have in common."""
    ordered = np.sort(rgb.reshape(-1, 3), axis=0).astype(float)
    tail = len(ordered) // 50
    return float(ordered[:tail].mean() + 255 - ordered[-tail:].mean())


KNOBS: dict[str, tuple[range, Callable[[int], VideoEnhance], Callable[[Rgb], float], int]] = {
    "SharpenLevel": (
        range(0, 11, 2),
        lambda value: VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=value)),
        lambda rgb: no_reference.laplacian_variance(no_reference.luma_of(rgb)),
        +1,
    ),
    "Contrast": (
        range(0, 101, 20), lambda value: colour(contrast=value),
        lambda rgb: no_reference.contrast(no_reference.luma_of(rgb)), +1,
    ),
    "Saturation": (range(0, 301, 50), lambda value: colour(saturation=value), no_reference.colourfulness, +1),
    "Correction": (range(0, 1001, 200), lambda value: colour(correction=value), levels_missed, -1),
}  # fmt: skip


@pytest.fixture(scope="module", params=["as it is", "dim and warm", "flat, soft and blue"])
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of real footage, as it is and spoilt in two ways."""
    spoil = {
        "as it is": "null",
        "dim and warm": "colorlevels=romax=0.85:gomax=0.7:bomax=0.55:romin=0.05:gomin=0.04",
        "flat, soft and blue": "gblur=1.2,colorlevels=romax=0.7:gomax=0.75:bomax=0.9:romin=0.15:gomin=0.15:bomin=0.25",
    }[request.param]
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    run(["-i", sample(), "-t", "1", "-vf", f"{spoil},format=yuv420p", "-c:v", "libx264", "-crf", "16", path])
    return path


Shown = Callable[[VideoEnhance, Path], Rgb]


@pytest.fixture(scope="module")
def shown() -> Iterator[Shown]:
    """Return what half a second into a clip looks like with a setting."""
    previewer = Previewer()

    def shown(setting: VideoEnhance, clip: Path) -> Rgb:
        jpeg = previewer.preview(FileOrigin(clip), setting, 0.5)
        return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))

    yield shown
    previewer.close()


@pytest.mark.slow
@pytest.mark.parametrize("knob", KNOBS)
def test_a_knob_moves_its_measure_strictly_over_its_whole_range(knob: str, clip: Path, shown: Shown) -> None:
    values, setting, measure, direction = KNOBS[knob]
    low, high = (resolve(VideoEnhance, knob).part.param.low, resolve(VideoEnhance, knob).part.param.high)
    assert (values[0], values[-1]) == (low, high)
    measured = [direction * measure(shown(setting(value), clip)) for value in values]
    assert all(before < after for before, after in itertools.pairwise(measured)), measured


@pytest.mark.slow
def test_a_knob_at_rest_changes_nothing(clip: Path, shown: Shown) -> None:
    at_rest = VideoEnhance(
        color_enhance=ColorEnhance(contrast=0, correction=0, saturation=0), ms_sharpen=MsSharpen(sharpen_level=0)
    )
    assert np.array_equal(shown(at_rest, clip), shown(VideoEnhance(), clip))


@pytest.mark.slow
@pytest.mark.parametrize("clip", ["dim and warm", "flat, soft and blue"], indirect=True)
def test_correction_brings_a_spoilt_clip_nearer_to_the_good_one(clip: Path, shown: Shown) -> None:
    good = picture(sample(), 0.5).astype(float)
    off = [float(np.abs(shown(colour(correction=value), clip) - good).mean()) for value in (0, 250, 500, 1000)]
    assert off == sorted(off, reverse=True)
    assert off[-1] < 0.6 * off[0]


@pytest.mark.slow
def test_correction_hardly_touches_good_footage(shown: Shown) -> None:
    moved = shown(colour(correction=1000), sample()).astype(float) - picture(sample(), 0.5)
    assert np.abs(moved).mean() < 8


def test_contrast_and_saturation_leave_the_brightness_about_where_it_was(clip: Path, shown: Shown) -> None:
    rgb = picture(clip, 0.5)
    for setting in (colour(contrast=50), colour(saturation=150)):
        moved = no_reference.luma_of(shown(setting, clip)).mean() - no_reference.luma_of(rgb).mean()
        assert abs(moved) < 12


@pytest.mark.slow
def test_auto_lands_inside_the_documented_ranges(clip: Path) -> None:
    auto = VideoEnhance(
        color_enhance=ColorEnhance(contrast=AUTO, correction=AUTO, saturation=AUTO),
        ms_sharpen=MsSharpen(sharpen_level=AUTO),
    )
    for path, value in resolved_levels(auto, analyse(clip)).items():
        leaf = resolve(VideoEnhance, path)
        assert leaf.part.complaint(value) == ""


@pytest.mark.slow
def test_auto_does_more_where_more_is_wrong(tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.mp4"
    grey = "gblur=2,hue=s=0.3,colorlevels=romax=0.7:gomax=0.7:bomax=0.6:romin=0.2:gomin=0.2:bomin=0.2,format=yuv420p"
    run(["-i", sample(), "-t", "1", "-vf", grey, "-c:v", "libx264", "-crf", "16", spoilt])
    good, bad = analyse(sample()), analyse(spoilt)
    assert bad.auto_contrast > good.auto_contrast
    assert bad.auto_correction > good.auto_correction
    assert bad.auto_saturation > good.auto_saturation
    assert bad.auto_sharpen_level > good.auto_sharpen_level


@pytest.mark.slow
def test_a_leaf_left_out_of_a_stage_that_is_on_is_auto() -> None:
    analysis = analyse(sample())
    left_out = VideoEnhance(color_enhance=ColorEnhance(), ms_sharpen=MsSharpen())
    auto = VideoEnhance(
        color_enhance=ColorEnhance(contrast=AUTO, correction=AUTO, saturation=AUTO),
        ms_sharpen=MsSharpen(sharpen_level=AUTO),
    )
    assert resolved_levels(left_out, analysis) == resolved_levels(auto, analysis)
    assert resolved_levels(VideoEnhance(), analysis) == {}


@pytest.mark.slow
def test_a_clip_is_analysed_the_same_every_time() -> None:
    assert analyse(sample()) == analyse(sample())


@pytest.mark.slow
def test_finished_files_are_sharper_for_a_higher_level(tmp_path: Path) -> None:
    measured = []
    for level in (0, 5, 10):
        setting = VideoEnhance(
            transcode=Transcode(
                container=Container(format="mp4"),
                video=Video(codec="H.264", crf=20.0, preset="veryfast"),
                audio=Audio(),
                time_interval=TimeInterval(start=1.0, duration=0.5),
            ),
            ms_sharpen=MsSharpen(sharpen_level=level),
        )
        output = render(Operation(video_enhance=setting), sample(), tmp_path, stem=f"level{level}")
        measured.append(sharpness(output.files[0]))
    assert measured == sorted(measured) and len(set(measured)) == 3
