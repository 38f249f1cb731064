"""Presets pass every rule, are thought of well, and do what they are for on the engine."""

from __future__ import annotations

import pytest

import ci_notebook as ci
from ci_notebook.model.setting.advice import advice
from ci_notebook.model.setting.presets import PRESETS, preset
from ci_notebook.model.setting.rules import problems
from tests.support import write_clip


@pytest.fixture(scope="module")
def clip(lab, tmp_path_factory):
    return lab.upload(write_clip(tmp_path_factory.mktemp("clips") / "tiny.mp4", size="192x128", sound=True))


@pytest.mark.parametrize("one", PRESETS, ids=lambda one: one.name)
def test_a_preset_can_be_sent_and_needs_no_advice(one):
    assert problems(one.setting) == [] and advice(one.setting) == []
    assert one.about.endswith(".") and len(one.about) <= 100
    assert preset(one.name) is one.setting


def test_the_name_of_no_preset_is_refused_with_those_there_are():
    with pytest.raises(ci.ParameterError, match="Restore SD"):
        preset("Restore HD")


MADE = {
    "Restore SD": ("h264", 384, 10), "4K master": ("hevc", 384, 10), "Smooth motion": ("h264", 192, 20),
    "HDR10 from SDR": ("hevc", 192, 10), "HLG for broadcast": ("hevc", 192, 10),
}  # fmt: skip
LIGHT = {"HDR10 from SDR": "smpte2084", "HLG for broadcast": "arib-std-b67"}


@pytest.mark.slow
@pytest.mark.parametrize("one", PRESETS, ids=lambda one: one.name)
def test_a_preset_runs_on_the_engine_and_has_its_effect(lab, clip, one):
    job = lab.submit(clip, one.setting).wait()
    stream = job.detail.operation.media_info.stream
    video = stream.video[0]
    assert (video.codec_name, video.width, video.fps) == MADE.get(one.name, ("h264", 192, 10))
    assert stream.audio, "no preset drops the sound"
    if one.name in LIGHT:
        assert video.color_transfer == LIGHT[one.name]
