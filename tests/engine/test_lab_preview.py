"""`lab.preview`: the same on the engine and on the cloud, where it says what it is."""

from __future__ import annotations

import dataclasses
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import ci_notebook as ci
from ci_notebook.client.objects import Clip
from ci_notebook.lab.lab import Lab
from ci_notebook.lab.previews import LabPreviews
from ci_notebook.media.snapshot import picture
from ci_notebook.model.errors import EngineError, ParameterError
from ci_notebook.model.setting.watermark import Image, Text, Watermark

SHARP = ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=8))
WORDS = Text(text="Mark", font_size=40, font_type="arial.ttf", font_color="0xFF0000", transparency=100)
MARK = Watermark(type="Text", pos="BottomRight", loc_mode="Absolute", dx=20, dy=10, text=WORDS)


@pytest.fixture(scope="module")
def clip(lab: Lab) -> Clip:
    return lab.upload(ci.sample())


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Pillow.open(io.BytesIO(data)).convert("RGB")).astype(float)


@pytest.mark.slow
def test_a_preview_is_a_jpeg_of_the_width_asked_and_sends_nothing(lab: Lab, clip: Clip) -> None:
    assert pixels(lab.preview(clip, SHARP, at_s=1.0, width_px=320)).shape == (180, 320, 3)
    assert list(lab.jobs()) == []
    assert lab.previews.note == ""


@pytest.mark.slow
def test_the_engine_shows_one_decoded_picture_too(lab: Lab, clip: Clip) -> None:
    assert lab.engine is not None
    snapshot = picture(ci.sample(), 1.0)
    made = pixels(lab.engine.preview(SHARP, snapshot))
    assert np.abs(made.mean(axis=(0, 1)) - pixels(lab.preview(clip, SHARP, at_s=1.0)).mean(axis=(0, 1))).max() < 1
    assert np.abs(made - snapshot).mean() > 1
    with pytest.raises(ParameterError, match=r"snapshot .*HxWx3 array of uint8.*uint8 array of shape"):
        lab.engine.preview(SHARP, snapshot[..., 0])


def test_a_detail_is_that_of_the_whole(lab: Lab, clip: Clip) -> None:
    whole = pixels(lab.preview(clip, SHARP, at_s=1.0))
    seen = lab.previews.see(clip, SHARP, at_s=1.0, box=(0.25, 0.4, 0.5, 0.4))
    assert seen.box == (0.25, 0.4, 0.5, 0.4) and seen.size == (640, 360)
    assert np.abs(pixels(seen.jpeg)[8:-8, 8:-8] - whole[152:280, 168:472]).mean() < 1.0


def test_the_source_is_shown_in_the_shape_of_the_result(lab: Lab, clip: Clip) -> None:
    turned = ci.Transcode(video=ci.Video(crop="320:200:40:60", rotate=90.0))
    setting = dataclasses.replace(SHARP, transcode=turned)  # type: ignore[type-var]
    result, source = lab.previews.see(clip, setting), lab.previews.source(clip, setting)
    assert result.size == source.size == (200, 320)
    assert np.abs(pixels(result.jpeg) - pixels(source.jpeg)).mean() > 1


def test_watermarks_are_at_their_positions_and_an_image_comes_from_the_bucket(lab: Lab, clip: Clip) -> None:
    data = io.BytesIO()
    Pillow.new("RGB", (60, 30), (0, 0, 255)).save(data, "PNG")
    lab.client.upload(data.getvalue(), "marks/blue.png")
    logo = Watermark(
        type="Image", pos="TopLeft", loc_mode="Relativity", dx=5, dy=5,
        image=Image(url="marks%2Fblue.png", mode="Original", transparency=100),
    )  # fmt: skip
    seen = lab.previews.see(clip, ci.VideoEnhance(), watermark=(MARK, logo))
    assert seen.places[1] == (32, 18, 60, 30)
    assert np.abs(pixels(seen.jpeg)[24:42, 40:84].mean(axis=(0, 1)) - (0, 0, 255)).max() < 12
    left, top, wide, high = seen.places[0] or (0, 0, 0, 0)
    assert (left + wide, top + high) == (620, 350)
    red = pixels(seen.jpeg)[top : top + high, left : left + wide]
    assert (red[..., 0] - red[..., 1]).max() > 150


@pytest.mark.slow
def test_on_the_cloud_it_is_made_from_snapshots_and_says_what_it_is(lab: Lab, clip: Clip) -> None:
    elsewhere = LabPreviews(lab.client, cache=lab.cache_dir, is_local=False)
    far = dataclasses.replace(clip, path=None)
    assert "approximation" in elsewhere.note
    there, here = elsewhere.see(far, SHARP, at_s=1.0), lab.previews.see(clip, SHARP, at_s=1.0)
    assert there.size == here.size
    assert np.abs(pixels(there.jpeg).mean(axis=(0, 1)) - pixels(here.jpeg).mean(axis=(0, 1))).max() < 1
    assert elsewhere.length(far).seconds == 3.0
    elsewhere.close()


def test_without_the_extra_it_is_refused_with_the_remedy(
    lab: Lab, clip: Clip, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    for name in [name for name in sys.modules if name.startswith("ci_notebook.engine")]:
        monkeypatch.delitem(sys.modules, name)
    bare = LabPreviews(lab.client, cache=tmp_path, is_local=False)
    with pytest.raises(EngineError, match=r"numpy is not installed\. Install it: .*ci-notebook\[local\]"):
        bare.see(clip, SHARP)
