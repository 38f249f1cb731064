"""Whatever is pasted is read or refused; nothing in it is ever run."""

from __future__ import annotations

import dataclasses
import shlex

import pytest
from hypothesis import given

import ci_notebook as ci
from ci_notebook.model.api.jobs import JobsDetail, Response
from ci_notebook.model.api.templates import Template, TemplateRequest, TemplateResponse, TransTpl
from ci_notebook.model.errors import CIError, ParameterError
from ci_notebook.model.setting.enhance import ColorEnhance, MsSharpen, VideoEnhance
from ci_notebook.model.setting.transcode import Container, Transcode
from ci_notebook.model.setting.watermark import DigitalWatermark, Text, Watermark
from ci_notebook.widgets.enhance.controls import operation_of
from ci_notebook.widgets.enhance.enhance_panel import EnhancePanel
from ci_notebook.widgets.enhance.export import operation_text, python_text
from ci_notebook.widgets.enhance.paste import read_paste
from ci_notebook.wire.xml import dumps
from tests import strategies
from tests.widgets.panel_messages import CLIP, SHARPEN, all_agree, do

SETTING = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
WORDS = Text(text="demo", font_size=30, font_type="simhei.ttf", font_color="0xFFFFFF", transparency=30)
MARK = Watermark(type="Text", pos="TopRight", loc_mode="Absolute", dx=16, dy=16, text=WORDS)
HIDDEN = DigitalWatermark(message="ticket", type="Text", version="V1")
ALL = operation_of(SETTING, watermark=(MARK,), digital_watermark=HIDDEN)
PARTS = {"video_enhance": SETTING, "watermark": (MARK,), "digital_watermark": HIDDEN}


def xml(node, root=""):
    return dumps(node, root).decode()


REPLY = Response(
    jobs_detail=(
        JobsDetail(
            job_id="j1",
            operation=dataclasses.replace(
                ALL, digital_watermark=dataclasses.replace(HIDDEN, state="Success"), user_data="x"
            ),
        ),
    )
)
READ = {
    "python of a setting": (python_text(SETTING), {"video_enhance": SETTING}),
    "python of all": (operation_text(ALL), PARTS),
    "python without its package": (python_text(SETTING, ""), {"video_enhance": SETTING}),
    "python among other lines": (f"import os\nsetting = {python_text(SETTING)}\n", {"video_enhance": SETTING}),
    "a reply": (xml(REPLY), PARTS),
    "one job of a reply": (xml(REPLY.jobs_detail[0]), PARTS),
    "an operation": (xml(ALL), PARTS),
    "a setting": (xml(SETTING), {"video_enhance": SETTING}),
    "a mark": (xml(MARK), {"watermark": (MARK,)}),
    "a hidden text": (xml(HIDDEN), {"digital_watermark": HIDDEN}),
    "a template that is sent": (
        xml(TemplateRequest(tag="VideoEnhance", name="a", video_enhance=SETTING), "Request"),
        {"video_enhance": SETTING},
    ),
    "a template in a reply": (
        xml(TemplateResponse(template=Template(template_id="t1", video_enhance=SETTING)), "Response"),
        {"video_enhance": SETTING},
    ),
    "templates in a list": (
        xml(TemplateResponse(template_list=(Template(watermark=MARK),)), "Response"), {"watermark": (MARK,)},
    ),
    "an encoding in a template": (
        xml(TemplateResponse(template=Template(trans_tpl=TransTpl(container=Container(format="mp4")))), "Response"),
        {"video_enhance": VideoEnhance(transcode=Transcode(container=Container(format="mp4")))},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_a_pasted_setting_is_applied(case):
    text, parts = READ[case]
    taken = read_paste(text, VideoEnhance())
    assert taken.parts == parts
    assert taken.summary.startswith("Applied: ")


@pytest.mark.slow
@given(request=strategies.requests())
def test_any_request_of_ours_is_taken_back(request):
    assert read_paste(dumps(request).decode(), VideoEnhance()).parts["video_enhance"] == (
        request.operation.video_enhance
    )


def test_ignored_parts_of_a_paste_are_reported(lab):
    request = lab.request(CLIP, SETTING, watermark=(MARK,), template_id="t1", queue_id="p1")
    words = read_paste(xml(request), VideoEnhance()).summary
    assert "the setting (MsSharpen); 1 watermark." in words
    for name in ("Input.Object", "Output.Object", "TemplateId", "QueueId"):
        assert name in words
    words = read_paste("lab.submit(clip, ci.VideoEnhance(), output_key='a.mp4')", VideoEnhance()).summary
    assert words == "Applied: the setting (no stage is on). Ignored: output_key."


WATER = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=4))
XML_BODY = "<Operation><VideoEnhance><MsSharpen><SharpenLevel>4</SharpenLevel></MsSharpen></VideoEnhance>{}</Operation>"
HIDDEN_XML = "<DigitalWatermark><Message>水印42</Message><Type>Text</Type><Version>V1</Version></DigitalWatermark>"


@pytest.mark.parametrize(
    "before",
    [
        *(f'<?xml version="1.0" encoding="{name}"?>' for name in ("gb2312", "GBK", "utf-16", "iso-8859-1", "klingon")),
        "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>\r\n", '<?xml version=“1.0” encoding=“utf-8”?>',
        "\ufeff", "\ufeff<?xml version='1.0'?>", "\n \t<?xml version='1.0'?>\n", "\u00a0\u200b", "\u2028\u3000",
    ],
    ids=ascii,
)  # fmt: skip
def test_pasted_xml_is_text_whatever_it_declares(before):
    applied = read_paste(before + XML_BODY.format(f"\u00a0\n{HIDDEN_XML}\u00a0"), VideoEnhance()).parts
    assert applied == {
        "video_enhance": WATER,
        "digital_watermark": DigitalWatermark(message="水印42", type="Text", version="V1"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=4))",
        "ci.VideoEnhance(\n\u00a0\u00a0\u00a0ms_sharpen=ci.MsSharpen(sharpen_level=4),\n)",
        "\u200bci.VideoEnhance(ms_sharpen=ci.MsSharpen(\u200bsharpen_level=4))",
    ],
    ids=ascii,
)
def test_python_that_was_copied_from_a_page_is_read(text):
    assert read_paste(text, VideoEnhance()).parts == {"video_enhance": WATER}


def test_quotation_marks_of_a_word_processor_are_read():
    typeset = "ci.DigitalWatermark(message=“a’b”, type=‘Text’, version=“V1”)"
    with pytest.raises(ParameterError):  # which mark ends the text cannot be known
        read_paste(typeset, VideoEnhance())
    read = read_paste(typeset.replace("a’b", "ab"), VideoEnhance()).parts
    assert read == {"digital_watermark": DigitalWatermark(message="ab", type="Text", version="V1")}


def test_half_of_a_surrogate_pair_is_refused_by_our_error():
    with pytest.raises(CIError, match="surrogate"):
        read_paste("<MsSharpen>\ud83d</MsSharpen>", VideoEnhance())


def test_a_stage_alone_replaces_that_stage():
    present = VideoEnhance(color_enhance=ColorEnhance(contrast=3), ms_sharpen=MsSharpen(sharpen_level=1))
    for text in ("ci.MsSharpen(sharpen_level=5)", "<MsSharpen><SharpenLevel>5</SharpenLevel></MsSharpen>"):
        made = read_paste(text, present).parts["video_enhance"]
        assert made == dataclasses.replace(present, ms_sharpen=MsSharpen(sharpen_level=5))


RUN = "__import__('pathlib').Path({!r}).touch()"
REFUSED = [
    "", "   ", "hello", "1 + 1", "ci.VideoEnhance(", "print('x')", "ci.Lab()", "VideoEnhance(**x)", "ci.MsSharpen(5)",
    "ci.MsSharpen(sharpen_level=11)", "ci.MsSharpen(nothing=1)", "ci.VideoEnhance(ms_sharpen=5)",
    "lab.submit(clip, open('x'))", "lab.submit(clip)", "<Response/>", "<Nothing/>", "<Request/>", "<a",
    "<!DOCTYPE a><a/>",
    "ci.MsSharpen(sharpen_level=" + "-" * 300 + "5)", "(" * 500, "<a>" * 200, "\0", "ci.MsSharpen(sharpen_level=2**9)",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:30])
def test_foreign_text_is_refused_with_a_message(lab, text):
    with pytest.raises(CIError):
        read_paste(text, VideoEnhance())
    panel = EnhancePanel(lab, CLIP, SETTING)
    do(panel, "paste", text=text)
    assert panel.message["error"] and panel.value == SETTING and all_agree(panel)


@pytest.mark.parametrize("shape", ["{}", "ci.VideoEnhance(ms_sharpen={})", "lab.submit(clip, {})", "x = [{}]"])
def test_nothing_that_is_pasted_is_run(tmp_path, shape):
    mark = tmp_path / "ran"
    with pytest.raises(ParameterError):
        read_paste(shape.format(RUN.format(str(mark))), VideoEnhance())
    assert not mark.exists()


def test_a_value_out_of_range_is_taken_and_marked(lab):
    panel = EnhancePanel(lab, CLIP, SETTING)
    panel.paste("<VideoEnhance><MsSharpen><SharpenLevel>99</SharpenLevel></MsSharpen></VideoEnhance>")
    assert panel.values[SHARPEN] == "99" and list(panel.problems) == [SHARPEN]
    assert panel.value == SETTING and all_agree(panel)


def test_a_copied_setting_can_be_pasted(lab):
    panel = EnhancePanel(lab, CLIP, SETTING)
    panel.watermarks, panel.digital_watermark = [MARK], HIDDEN
    sent = []
    panel.send = lambda content, buffers=None: sent.append(content)
    for what in ("python", "xml", "curl"):
        do(panel, "copy", what=what)
    texts = {message["what"]: message["text"] for message in sent}
    for what in ("python", "xml"):
        other = EnhancePanel(lab, CLIP)
        do(other, "paste", text=texts[what])
        assert (other.value, other.watermarks, other.digital_watermark) == (SETTING, (MARK,), HIDDEN)
    body = texts["curl"].partition("--data-binary '")[2].rstrip("'")
    assert read_paste(body, VideoEnhance()).parts == PARTS
    assert "$CI_AUTHORIZATION" in texts["curl"] and "not signed" in texts["curl"]


def test_a_shell_accepts_the_curl_command(lab):
    panel = EnhancePanel(lab, CLIP, ci.VideoEnhance(transcode=Transcode(container=Container(format="mp4"))))
    mix = ci.AudioMix(audio_source="https://a/it's $(touch x).mp3")
    panel.value = ci.VideoEnhance(transcode=Transcode(container=Container(format="mp4"), audio_mix=mix))
    sent = []
    panel.send = lambda content, buffers=None: sent.append(content)
    do(panel, "copy", what="curl")
    words = shlex.split(sent[0]["text"], comments=True)
    assert words[:3] == ["curl", "-X", "POST"] and "it's $(touch x).mp3" in words[-1]


def test_nothing_is_copied_while_something_is_marked(lab):
    panel = EnhancePanel(lab, CLIP)
    panel.paste("<MsSharpen><SharpenLevel>99</SharpenLevel></MsSharpen>")
    do(panel, "copy", what="xml")
    assert "correct the marked parameters first" in panel.message["error"]
