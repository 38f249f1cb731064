"""Leaves and nodes: what they take, what they say when they do not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_notebook.model.api.jobs import Operation, Request
from ci_notebook.model.api.templates import TemplateRequest
from ci_notebook.model.declaration.node import AUTO, Node, parts
from ci_notebook.model.declaration.paths import leaves
from ci_notebook.model.errors import CIError, ParameterError
from ci_notebook.model.setting.enhance import ColorEnhance, FrameEnhance, MsSharpen, SuperResolution, VideoEnhance
from ci_notebook.model.setting.transcode import Audio, Container, Transcode, Video
from ci_notebook.model.setting.watermark import DigitalWatermark, Image, SlideConfig, Text, Watermark
from tests import strategies


def every_class(cls=Node):
    below = [inner for one in cls.__subclasses__() for inner in every_class(one)]
    return [*([] if cls is Node else [cls]), *below]


CLASSES = sorted(
    (one for one in every_class() if one.__module__.startswith("ci_notebook.")), key=lambda cls: cls.__name__
)
LEAVES = [(cls, part) for cls in CLASSES for part in parts(cls) if part.node is None and not part.many]


def refusal(make, *args, **kwargs):
    with pytest.raises(ParameterError) as caught:
        make(*args, **kwargs)
    return str(caught.value)


@pytest.mark.slow
@settings(max_examples=15)
@pytest.mark.parametrize(("cls", "part"), LEAVES, ids=lambda one: getattr(one, "tag", getattr(one, "__name__", "")))
@given(data=st.data())
def test_every_leaf_takes_its_declared_values_and_refuses_others(cls, part, data):
    good = data.draw(strategies.leaf_values(part))
    assert getattr(cls(**{part.name: good}), part.name) == good
    assert getattr(cls(**{part.name: None}), part.name) is None
    bad = data.draw(strategies.bad_values(part))
    said = refusal(cls, **{part.name: bad})
    assert f"{cls.__name__}.{part.tag} must be {part.allowed()} (got " in said


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_node_is_documented_and_every_part_has_help(cls):
    assert cls.__doc__
    for part in parts(cls):
        assert part.param.help.endswith((".", "`")), f"{cls.__name__}.{part.tag}"
        assert part.node is not None or part.allowed()


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_no_two_parts_of_a_node_share_a_tag(cls):
    tags = [tag for part in parts(cls) for tag in (part.tag, *part.param.also)]
    assert len(tags) == len(set(tags))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: MsSharpen(sharpen_level=11), "MsSharpen.SharpenLevel must be 0 to 10 or AUTO (got 11)"),
        (lambda: MsSharpen(sharpen_level=5.5), "MsSharpen.SharpenLevel must be 0 to 10 or AUTO (got 5.5)"),
        (lambda: MsSharpen(sharpen_level=True), "MsSharpen.SharpenLevel must be 0 to 10 or AUTO (got True)"),
        (lambda: MsSharpen(sharpen_level="5"), "MsSharpen.SharpenLevel must be 0 to 10 or AUTO (got '5')"),
        (lambda: ColorEnhance(correction=1001), "ColorEnhance.Correction must be 0 to 1000 or AUTO (got 1001)"),
        (
            lambda: SuperResolution(resolution="4k"),
            "SuperResolution.Resolution must be one of sdtohd, hdto4k (got '4k')",
        ),
        (
            lambda: SuperResolution(enable_scale_up="true"),
            "SuperResolution.EnableScaleUp must be True or False (got 'true')",
        ),
        (lambda: FrameEnhance(frame_doubling=AUTO), "FrameEnhance.FrameDoubling must be True or False (got AUTO)"),
        (lambda: Video(width=129), "Video.Width must be an even number, 128 to 4096 px (got 129)"),
        (lambda: Video(crf=0), "Video.Crf must be over 0 and at most 51 (got 0.0)"),
        (lambda: Video(rotate=360), "Video.Rotate must be 0 to under 360 ° (got 360.0)"),
        (lambda: Video(crop="1:2"), "Video.Crop must be width:height:left:top in px (got '1:2')"),
        (lambda: Audio(channels=3), "Audio.Channels must be one of 1, 2, 4, 5, 6, 8 (got 3)"),
        (
            lambda: Text(text="no!"),
            "Text.Text must be at most 64 characters of Chinese, letters, digits, _ - * and space (got 'no!')",
        ),
        (lambda: Text(font_color="red"), "Text.FontColor must be 0xRRGGBB (got 'red')"),
        (
            lambda: Transcode(video=Container(format="mp4")),
            "Video must be a Video (got Container(format='mp4'))",
        ),
        (
            lambda: Operation(user_data="two\nlines"),
            "Operation.UserData must be at most 1024 printable ASCII characters (got 'two\\nlines'). "
            "Line breaks and other alphabets are not allowed; encode them, for example with base64.",
        ),
        (lambda: Operation(user_data="x" * 1025), "at most 1024 printable ASCII characters (got 'xxx"),
        (
            lambda: Operation(watermark_template_id=("t1",) * 4),
            "WatermarkTemplateId must be at most 3 values, each text (got (",
        ),
        (
            lambda: Operation(watermark=(Watermark(),) * 4),
            "Operation.Watermark must be at most 3 values, each a Watermark (got",
        ),
        (lambda: Operation(watermark=Watermark()), "Operation.Watermark must be a tuple, each value a Watermark (got"),
        (
            lambda: Request(tag="Transcode"),
            "Tag must be one of VideoEnhance, SuperResolution, SDRtoHDR, VideoProcess, DigitalWatermark",
        ),
        (lambda: TemplateRequest(name="two words"), "TemplateRequest.Name must be at most 64 characters of Chinese"),
        (lambda: DigitalWatermark(message="中" * 65), "DigitalWatermark.Message must be at most 64 characters"),
        (lambda: SlideConfig(x_slide_speed=11), "SlideConfig.XSlideSpeed must be 0 to 10 (got 11)"),
        (lambda: Image(transparency=0), "Image.Transparency must be 1 to 100 % (got 0)"),
    ],
)
def test_a_refusal_names_the_leaf_the_allowed_values_and_the_given_one(make, says):
    assert says in refusal(make)


def test_a_refusal_is_a_value_error_of_ours_and_does_not_flood():
    said = refusal(Operation, user_data="é" * 5000)
    assert issubclass(ParameterError, (ValueError, CIError))
    assert len(said) < 300


def test_numbers_of_numpy_are_taken_as_numbers():
    setting = MsSharpen(sharpen_level=np.int64(5))
    assert type(setting.sharpen_level) is int
    assert type(Video(fps=np.float32(25)).fps) is float
    assert type(Video(fps=25).fps) is float


def test_a_list_is_taken_for_a_tuple():
    assert Operation(watermark_template_id=["t1", "t2"]).watermark_template_id == ("t1", "t2")


def test_values_are_frozen_hashable_and_compare_by_value():
    one, same = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5)), VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
    assert one == same
    assert hash(one) == hash(same)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.ms_sharpen = None


def test_auto_none_and_absent_are_three_things():
    assert len({MsSharpen(sharpen_level=AUTO), MsSharpen(), MsSharpen(sharpen_level=0)}) == 3
    assert VideoEnhance() != VideoEnhance(ms_sharpen=MsSharpen())


@pytest.mark.slow
@given(strategies.settings())
def test_a_setting_s_repr_is_python_that_rebuilds_it(setting):
    from ci_notebook.model.setting import enhance, transcode

    names = {**vars(transcode), **vars(enhance), "AUTO": AUTO}
    assert eval(repr(setting), names) == setting  # noqa: S307 - our own repr


def test_a_repr_shows_only_what_was_set():
    assert repr(VideoEnhance()) == "VideoEnhance()"
    assert repr(ColorEnhance(contrast=0, saturation=AUTO)) == "ColorEnhance(contrast=0, saturation=AUTO)"


def test_a_setting_s_html_is_escaped_and_shows_units():
    html = Operation(user_data="<script>alert(1)</script>")._repr_html_()
    assert "<script>" not in html
    assert "1280 px" in VideoEnhance(transcode=Transcode(video=Video(width=1280)))._repr_html_()


def test_every_leaf_of_a_setting_has_a_path():
    assert len(leaves(VideoEnhance)) > 60
    assert {"MsSharpen.SharpenLevel", "SDRtoHDR.HdrMode", "Transcode.Video.Codec"} <= {
        leaf.path for leaf in leaves(VideoEnhance)
    }
