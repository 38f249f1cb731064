"""The rules across nodes: what must be there, what does not go together, and what wins."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given

from ci_notebook.model.api.jobs import CallBackMqConfig, Input, Operation, Output, Request
from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.api.templates import TemplateRequest
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import MsSharpen, SuperResolution, VideoEnhance
from ci_notebook.model.setting.rules import FORMATS, check, in_force, problems
from ci_notebook.model.setting.transcode import Audio, Container, Transcode, Video
from ci_notebook.model.setting.watermark import DigitalWatermark, Image, SlideConfig, Text, Watermark
from ci_notebook.wire.xml import loads
from tests import strategies

SETTING = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
TEXT = Text(text="demo", font_size=30, font_type="simhei.ttf", font_color="0xFFFFFF", transparency=30)
MARK = Watermark(type="Text", pos="TopRight", loc_mode="Absolute", dx=16, dy=16, text=TEXT)
PICTURE = Image(url="http://b.cos/logo.png", mode="Proportion", transparency=100)
WHERE = Output(region="ap-chongqing", bucket="b-1250000000", object="o.mp4")
GOOD = Request(
    tag="VideoEnhance", input=Input(object="a.mp4"), operation=Operation(video_enhance=SETTING, output=WHERE)
)


def operation(**parts):
    return dataclasses.replace(GOOD, operation=dataclasses.replace(GOOD.operation, **parts))


def encoding(format="mp4", video=None, audio=None):
    transcode = Transcode(container=Container(format=format), video=video, audio=audio)
    return operation(video_enhance=VideoEnhance(transcode=transcode))


def test_a_good_request_passes_as_it_is():
    assert check(GOOD) is GOOD


@pytest.mark.slow
@given(strategies.requests())
def test_requests_that_are_made_to_be_good_are(request):
    assert problems(request) == []


BAD = {
    "no input": (dataclasses.replace(GOOD, input=None), "Input"),
    "no key": (dataclasses.replace(GOOD, input=Input()), "Input.Object"),
    "no tag": (dataclasses.replace(GOOD, tag=None), "Tag"),
    "no operation": (dataclasses.replace(GOOD, operation=None), "Operation"),
    "neither setting nor template": (operation(video_enhance=None), "Operation"),
    "no output": (operation(output=None), "Operation.Output"),
    "half an output": (operation(output=Output(object="o")), "Operation.Output.Region"),
    "an enlargement without a class": (
        operation(video_enhance=VideoEnhance(super_resolution=SuperResolution(version="Base"))),
        "Operation.VideoEnhance.SuperResolution.Resolution",
    ),
    "TDMQ without its config": (dataclasses.replace(GOOD, call_back_type="TDMQ"), "CallBackMqConfig"),
    "TDMQ without a name": (
        dataclasses.replace(
            GOOD, call_back_type="TDMQ", call_back_mq_config=CallBackMqConfig(mq_region="bj", mq_mode="Queue")
        ),
        "CallBackMqConfig.MqName",
    ),
    "a queue of another kind": (dataclasses.replace(GOOD, queue_type="SpeedTranscoding"), "QueueType"),
    "a mark without its text": (
        operation(watermark=(dataclasses.replace(MARK, text=None),)),
        "Operation.Watermark.1.Text",
    ),
    "a second mark without a picture": (
        operation(watermark=(MARK, dataclasses.replace(MARK, type="Image"))),
        "Operation.Watermark.2.Image",
    ),
    "an offset over 100 %": (
        operation(watermark=(dataclasses.replace(MARK, loc_mode="Relativity", dx=101),)),
        "Operation.Watermark.1.Dx",
    ),
    "a negative offset": (operation(watermark=(dataclasses.replace(MARK, dy=-1),)), "Operation.Watermark.1.Dy"),
    "a mark that ends before it begins": (
        operation(watermark=(dataclasses.replace(MARK, start_time=5, end_time=5),)),
        "Operation.Watermark.1.EndTime",
    ),
    "a picture over its share": (
        operation(watermark=(dataclasses.replace(MARK, type="Image", image=dataclasses.replace(PICTURE, width=101)),)),
        "Operation.Watermark.1.Image.Width",
    ),
    "a size for an original": (
        operation(
            watermark=(
                dataclasses.replace(MARK, type="Image", image=dataclasses.replace(PICTURE, mode="Original", height=9)),
            )
        ),
        "Operation.Watermark.1.Image.Height",
    ),
    "a mark that moves over H.265": (
        operation(
            video_enhance=VideoEnhance(
                transcode=Transcode(container=Container(format="mp4"), video=Video(codec="H.265"))
            ),
            watermark=(
                dataclasses.replace(
                    MARK, slide_config=SlideConfig(slide_mode="ScrollFromLeft", x_slide_speed=1, y_slide_speed=0)
                ),
            ),
        ),
        "Operation.Watermark.1.SlideConfig",
    ),
    "an outcome that only the service knows": (
        operation(digital_watermark=DigitalWatermark(message="x", type="Text", version="V1", state="Success")),
        "Operation.DigitalWatermark.State",
    ),
    "a transcode without a container": (
        operation(video_enhance=VideoEnhance(transcode=Transcode(video=Video(crf=23)))),
        "Operation.VideoEnhance.Transcode.Container",
    ),
    "H.265 in flv": (encoding("flv", Video(codec="H.265")), "Operation.VideoEnhance.Transcode.Video.Codec"),
    "aac in WebM": (
        encoding("WebM", Video(codec="VP9"), Audio(codec="aac")),
        "Operation.VideoEnhance.Transcode.Audio.Codec",
    ),
    "pictures in mp3": (encoding("mp3", Video(codec="H.264")), "Operation.VideoEnhance.Transcode.Video.Codec"),
    "a preset of another codec": (
        encoding("mp4", Video(codec="AV1", preset="slow")),
        "Operation.VideoEnhance.Transcode.Video.Preset",
    ),
    "a profile of another codec": (
        encoding("mp4", Video(codec="H.265", profile="high")),
        "Operation.VideoEnhance.Transcode.Video.Profile",
    ),
    "six channels of mp3": (
        encoding("mp4", None, Audio(codec="mp3", channels=6)),
        "Operation.VideoEnhance.Transcode.Audio.Channels",
    ),
    "mp3 at 96 kHz": (
        encoding("mkv", None, Audio(codec="mp3", samplerate=96000)),
        "Operation.VideoEnhance.Transcode.Audio.Samplerate",
    ),
    "mp3 at 48 kHz in flv": (
        encoding("flv", None, Audio(codec="mp3", samplerate=48000)),
        "Operation.VideoEnhance.Transcode.Audio.Samplerate",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_problem_is_reported_by_the_path_of_its_node(name):
    request, path = BAD[name]
    assert path in [problem.path for problem in problems(request)]
    with pytest.raises(ParameterError):
        check(request)


@pytest.mark.parametrize("name", BAD)
def test_every_problem_is_a_sentence_with_the_allowed_values(name):
    for problem in problems(BAD[name][0]):
        assert " must be " in str(problem)
        assert "(got " in str(problem) or f"{problem.path} is missing; " in str(problem)
        assert problem.allowed


def test_all_problems_are_reported_at_once():
    request = dataclasses.replace(BAD["no output"][0], input=Input(), call_back_type="TDMQ")
    assert {problem.path for problem in problems(request)} == {"Input.Object", "Operation.Output", "CallBackMqConfig"}


def test_a_parsed_setting_is_checked_like_a_built_one():
    read = loads(VideoEnhance, b"<VideoEnhance><MsSharpen><SharpenLevel>11</SharpenLevel></MsSharpen></VideoEnhance>")
    assert [str(problem) for problem in problems(read)] == ["MsSharpen.SharpenLevel must be 0 to 10 or AUTO (got 11)."]
    twice = loads(MsSharpen, b"<MsSharpen><SharpenLevel>1</SharpenLevel><SharpenLevel>2</SharpenLevel></MsSharpen>")
    assert [problem.path for problem in problems(twice)] == ["SharpenLevel"]


def test_four_watermark_ids_that_were_read_are_refused():
    four = b"<Operation>" + b"<WatermarkTemplateId>t</WatermarkTemplateId>" * 4 + b"</Operation>"
    assert [problem.path for problem in problems(loads(Operation, four))] == ["WatermarkTemplateId"]


def test_a_template_beats_the_inline_setting_and_marks():
    both = Operation(template_id="t1", video_enhance=SETTING, watermark_template_id=("t2",), watermark=(MARK,))
    assert in_force(both) == Operation(template_id="t1", watermark_template_id=("t2",))
    assert in_force(GOOD.operation) is GOOD.operation


def test_a_template_alone_is_enough():
    assert check(operation(video_enhance=None, template_id="t1"))


@pytest.mark.parametrize("format", FORMATS)
def test_every_container_takes_its_own_codecs(format):
    videos, audios = FORMATS[format]
    for codec in videos or (None,):
        transcode = Transcode(
            container=Container(format=format),
            video=Video(codec=codec) if codec else None,
            audio=Audio(codec=audios[0]),
        )
        assert problems(transcode) == []


def test_a_template_must_hold_what_its_tag_says():
    assert [one.path for one in problems(TemplateRequest(tag="VideoEnhance", name="n"))] == ["VideoEnhance"]
    assert [one.path for one in problems(TemplateRequest(tag="Watermark", name="n"))] == ["Watermark"]
    assert [one.path for one in problems(TemplateRequest(tag="Transcode", name="n"))] == ["Container"]
    assert problems(TemplateRequest(tag="VideoEnhance", name="n", video_enhance=SETTING)) == []


def test_a_request_writes_each_result_to_its_own_key():
    request = enhance_request("input/a.mp4", SETTING, bucket="b-1250000000", region="r", user_data="x", job_level=2)
    assert request.operation.output.object == "output/a-${jobid}.${ext}"
    assert (request.operation.user_data, request.operation.job_level) == ("x", 2)
    assert check(request) == request
