"""Advice and remedies: what they meet, and that applying them once is enough."""

from __future__ import annotations

import pytest

from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.setting.advice import advice
from ci_notebook.model.setting.enhance import FrameEnhance, SDRtoHDR, SuperResolution, VideoEnhance
from ci_notebook.model.setting.rules import problems
from ci_notebook.model.setting.transcode import Audio, Container, Transcode, TransConfig, Video
from ci_notebook.model.setting.watermark import Image, SlideConfig, Text, Watermark
from ci_notebook.widgets.enhance.controls import build, state_of
from ci_notebook.widgets.enhance.history import apply_remedy, remedy_label

HDR = SDRtoHDR(hdr_mode="HDR10")


def encoded(format="mp4", config=None, audio=None, **video):
    return Transcode(container=Container(format=format), video=Video(**video), audio=audio, trans_config=config)


def setting(transcode=None, **stages):
    return VideoEnhance(transcode=transcode, **stages)


MET = {
    "HDR without an encoding": (setting(sdr_to_hdr=HDR), "SDRtoHDR.HdrMode"),
    "HDR in H.264": (setting(encoded(codec="H.264", profile="high"), sdr_to_hdr=HDR), "SDRtoHDR.HdrMode"),
    "HDR in a container of H.264 alone": (setting(encoded("mov", codec="H.264"), sdr_to_hdr=HDR), "SDRtoHDR.HdrMode"),
    "HDR in eight bits": (
        setting(encoded(codec="H.265", pixfmt="yuv420p"), sdr_to_hdr=HDR), "Transcode.Video.Pixfmt",
    ),
    "HDR undone": (
        setting(encoded(codec="H.265", config=TransConfig(is_hdr2_sdr=True)), sdr_to_hdr=HDR),
        "Transcode.TransConfig.IsHdr2Sdr",
    ),
    "Crf and Bitrate": (setting(encoded(crf=20.0, bitrate=800)), "Transcode.Video.Bitrate"),
    "a size over an enlargement": (
        setting(encoded(width=640), super_resolution=SuperResolution(resolution="sdtohd")),
        "SuperResolution.Resolution",
    ),
    "a rate over a doubling": (
        setting(encoded(fps=25.0), frame_enhance=FrameEnhance(frame_doubling=True)), "FrameEnhance.FrameDoubling",
    ),
    "ten bits in H.264": (setting(encoded(pixfmt="yuv420p10le")), "Transcode.Video.Pixfmt"),
    "interpolation that says nothing": (setting(frame_enhance=FrameEnhance()), "FrameEnhance.FrameDoubling"),
}  # fmt: skip


def after(operation, fix):
    """Return what is asked once a remedy was pressed."""
    return build(operation, *apply_remedy(state_of(operation), fix))


@pytest.mark.parametrize("case", MET)
def test_a_suspicious_setting_is_reported_with_a_remedy_that_works(case):
    given, path = MET[case]
    assert problems(given) == [], "advice never refuses"
    found = {one.path: one for one in advice(given)}
    assert path in found and found[path].text.endswith(".")
    built = after(Operation(video_enhance=given), found[path].fix)
    assert built.operation is not None and path not in built.advice
    assert remedy_label(found[path].fix)


def test_a_remedy_that_brings_an_encoding_keeps_the_sound():
    (one,) = advice(setting(sdr_to_hdr=HDR))
    made = after(Operation(video_enhance=setting(sdr_to_hdr=HDR)), one.fix).operation
    assert made.video_enhance.transcode == encoded(codec="H.265", pixfmt="yuv420p10le", audio=Audio())


WORDS = Text(text="demo", font_size=30, font_type="simhei.ttf", font_color="0xFFFFFF", transparency=30)
PICTURE = Image(url="http://b.cos/logo.png", mode="Original", width=8, transparency=100)


def mark(**parts):
    given = {"type": "Text", "pos": "TopRight", "loc_mode": "Absolute", "dx": 16.0, "dy": 16.0, "text": WORDS, **parts}
    return Operation(video_enhance=VideoEnhance(), watermark=(Watermark(**given),))


BROKEN = {
    "a codec that the container lacks": Operation(video_enhance=setting(encoded("mov", codec="H.265"))),
    "a codec in a container of sound": Operation(video_enhance=setting(encoded("mp3", codec="H.265"))),
    "a leaf of another codec": Operation(video_enhance=setting(encoded(codec="H.265", profile="high"))),
    "a preset of another codec": Operation(video_enhance=setting(encoded(codec="H.264", preset="good"))),
    "too many channels": Operation(video_enhance=setting(encoded(audio=Audio(codec="mp3", channels=6)))),
    "an offset that is too large": mark(loc_mode="Relativity", dx=120.0),
    "an end before the start": mark(start_time=3.0, end_time=2.0),
    "a width of its own": mark(type="Image", image=PICTURE),
    "a motion that the codec lacks": Operation(
        video_enhance=setting(encoded(codec="H.265")),
        watermark=mark(
            slide_config=SlideConfig(slide_mode="ScrollFromLeft", x_slide_speed=1, y_slide_speed=0)
        ).watermark,
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_rule_that_refuses_names_a_remedy_that_works(case):
    built = build(BROKEN[case], *state_of(BROKEN[case]))
    assert built.operation is None and built.problems.keys() == built.remedies.keys()
    for fix in built.remedies.values():
        assert after(BROKEN[case], fix).operation is not None
