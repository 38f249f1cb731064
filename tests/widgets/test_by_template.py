"""Requests that name their setting by TemplateId, and jobs of other kinds: pasted, shown and submitted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ci_notebook.model.api.jobs import Request
from ci_notebook.model.api.templates import Template, TransTpl
from ci_notebook.model.errors import NotFound, ParameterError
from ci_notebook.model.setting.enhance import ColorEnhance, MsSharpen, SDRtoHDR, SuperResolution, VideoEnhance
from ci_notebook.model.setting.transcode import Container, Transcode, Video
from ci_notebook.model.setting.watermark import Text, Watermark
from ci_notebook.widgets.enhance.enhance_panel import EnhancePanel
from ci_notebook.widgets.enhance.paste import read_paste
from ci_notebook.wire.xml import loads
from tests.widgets.conftest import HandLab
from tests.widgets.panel_messages import CLIP, SHARPEN, do

SETTING = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
WORDS = Text(text="demo", font_size=30, font_type="simhei.ttf", font_color="0xFFFFFF", transparency=30)
MARK = Watermark(type="Text", pos="TopRight", loc_mode="Absolute", dx=16, dy=16, text=WORDS)
ENCODING = Transcode(container=Container(format="mp4"), video=Video(codec="H.265"))
STORED = {
    "t1": Template(template_id="t1", name="crisp", tag="VideoEnhance", video_enhance=SETTING),
    "t2": Template(template_id="t2", name="hevc", tag="Transcode",
                   trans_tpl=TransTpl(container=ENCODING.container, video=ENCODING.video)),
    "t3": Template(template_id="t3", name="logo", tag="Watermark", watermark=MARK),
    "t4": Template(template_id="t4", name="old", tag="VideoProcess"),
}  # fmt: skip


def find(template_id: str) -> Template:
    if template_id not in STORED:
        raise NotFound("TemplateNotFound", f"There is no template with the id {template_id}.")
    return STORED[template_id]


class Stored:
    """The templates of a service, of which two are for video enhancement or its encoding."""

    def list(self, *, tag: str = "", category: str = "Custom") -> list[Template]:
        return [one for one in STORED.values() if one.tag == tag and category == "Custom"]

    def get(self, *ids: str) -> list[Template]:
        return [find(one) for one in ids]


def request(operation: str, tag: str = "VideoEnhance") -> str:
    return (
        f"<Request><Tag>{tag}</Tag><Input><Object>input/a.mp4</Object></Input><Operation>{operation}"
        "<Output><Region>ap-chongqing</Region><Bucket>b-1250000000</Bucket><Object>out.mp4</Object></Output>"
        "</Operation></Request>"
    )


REQUEST_1 = request(
    "<TemplateId>t1</TemplateId><TranscodeTemplateId>t2</TranscodeTemplateId>"
    "<WatermarkTemplateId>t3</WatermarkTemplateId>"
)


@pytest.fixture
def stored_lab(lab: HandLab) -> HandLab:
    lab.templates = Stored()  # type: ignore[assignment]
    return lab


@pytest.fixture
def panel(stored_lab: HandLab) -> EnhancePanel:
    return EnhancePanel(stored_lab, CLIP)


# Pasting


def test_the_first_request_of_the_page_gives_the_contents_of_its_templates() -> None:
    pasted = read_paste(REQUEST_1, VideoEnhance(), find)
    assert pasted.parts == {
        "video_enhance": VideoEnhance(ms_sharpen=SETTING.ms_sharpen, transcode=ENCODING), "watermark": (MARK,),
    }  # fmt: skip
    assert pasted.stored is not None
    assert pasted.stored.ids == {"template_id": "t1", "transcode_template_id": "t2"}
    assert "stored as crisp and hevc" in pasted.summary and "1 watermark" in pasted.summary
    assert "TemplateId," not in pasted.summary, "what was taken is not named as ignored"


@pytest.mark.parametrize(
    ("text", "finder", "words"),
    [
        (request("<TemplateId>t9</TemplateId>"), find, "template t9 cannot be read.*no template with the id t9"),
        (request("<TemplateId>t1</TemplateId>"), None, "in the template t1, and this lab has no templates"),
        (request("<TemplateId>t4</TemplateId>"), find, "template t4 contains no stage"),
    ],
)
def test_a_setting_in_a_template_that_cannot_be_read_is_refused(
    text: str, finder: Callable[[str], Template] | None, words: str
) -> None:
    with pytest.raises(ParameterError, match=words):
        read_paste(text, VideoEnhance(), finder)


def test_other_templates_that_are_missing_are_named() -> None:
    text = request("<TemplateId>t1</TemplateId><TranscodeTemplateId>t8</TranscodeTemplateId>"
                   "<WatermarkTemplateId>t9</WatermarkTemplateId>")  # fmt: skip
    pasted = read_paste(text, VideoEnhance(), find)
    assert pasted.parts == {"video_enhance": SETTING}
    assert "TranscodeTemplateId t8" in pasted.summary and "WatermarkTemplateId t9" in pasted.summary


OLD = (
    "<VideoProcess><ColorEnhance><Enable>true</Enable><Contrast>50</Contrast></ColorEnhance>"
    "<MsSharpen><Enable>false</Enable><SharpenLevel>5</SharpenLevel></MsSharpen><Denoise>1</Denoise></VideoProcess>"
)
TRANSCODE = "<Transcode><Container><Format>mp4</Format></Container><Video><Codec>H.265</Codec></Video></Transcode>"
OTHER_TAGS = {
    "Transcode": (TRANSCODE, VideoEnhance(transcode=ENCODING), ["Output"]),
    "VideoProcess": (
        OLD, VideoEnhance(color_enhance=ColorEnhance(contrast=50)),
        ["MsSharpen (Enable is false)", "VideoProcess.Denoise"],
    ),
    "SDRtoHDR": (
        f"<SDRtoHDR><HdrMode>HLG</HdrMode></SDRtoHDR>{TRANSCODE}<DigitalWatermark2>x</DigitalWatermark2>",
        VideoEnhance(sdr_to_hdr=SDRtoHDR(hdr_mode="HLG"), transcode=ENCODING), ["DigitalWatermark2"],
    ),
    "SuperResolution": (
        "<SuperResolution><Resolution>sdtohd</Resolution></SuperResolution>"
        "<TranscodeTemplateId>t2</TranscodeTemplateId>",
        VideoEnhance(super_resolution=SuperResolution(resolution="sdtohd"), transcode=ENCODING), [],
    ),
    "a Transcode job with a template": ("<TemplateId>t2</TemplateId>", VideoEnhance(transcode=ENCODING), []),
}  # fmt: skip


@pytest.mark.parametrize("tag", OTHER_TAGS)
def test_the_stages_of_other_kinds_of_jobs_are_taken_and_the_rest_is_named(tag: str) -> None:
    operation, setting, named = OTHER_TAGS[tag]
    pasted = read_paste(request(operation, tag), VideoEnhance(), find)
    assert pasted.parts == {"video_enhance": setting} and pasted.stored is None
    assert all(name in pasted.summary for name in named), pasted.summary
    job = f"<JobsDetail><JobId>j1</JobId><Tag>{tag}</Tag><Operation>{operation}</Operation></JobsDetail>"
    assert read_paste(f"<Response>{job}</Response>", VideoEnhance(), find).parts == pasted.parts


def test_the_old_container_alone_is_read() -> None:
    assert read_paste(OLD, SETTING).parts == {"video_enhance": VideoEnhance(color_enhance=ColorEnhance(contrast=50))}


def test_a_job_without_any_stage_is_refused_by_what_it_has() -> None:
    with pytest.raises(ParameterError, match=r"no setting and no watermark.*Snapshot"):
        read_paste(request("<Snapshot><Mode>Interval</Mode></Snapshot>", "Snapshot"), VideoEnhance(), find)


# Submitting


def texts_agree(panel: EnhancePanel) -> None:
    """Check that Python, XML, curl and request say the same, and that pasting each gives the same panel again."""
    sent = panel.request
    assert sent.operation is not None
    assert sent.operation.template_id == panel.template_id
    assert (sent.operation.video_enhance is None) == (panel.template_id is not None)
    if panel.template_id:
        assert loads(Request, panel.xml.encode()) == sent
        assert f"template_id={panel.template_id!r}" in panel.python and "VideoEnhance" not in panel.python
    else:
        assert "template_id" not in panel.python
    before = (panel.value, panel.template_id, panel.watermarks)
    for text in (panel.python, panel.xml):
        panel.paste(text)
        assert (panel.value, panel.template_id, panel.watermarks) == before


def test_choosing_a_template_offers_its_id_and_a_change_withdraws_it(panel: EnhancePanel, stored_lab: HandLab) -> None:
    do(panel, "load_templates")
    panel.settle(10)
    do(panel, "apply_template", id="t1")
    assert panel.template == {"id": "t1", "name": "crisp", "on": False}
    assert panel.value == SETTING and panel.template_id is None
    texts_agree(panel)
    do(panel, "apply_template", id="t1")
    do(panel, "by_template", on=True)
    assert panel.template_id == "t1" and "<TemplateId>t1</TemplateId>" in panel.xml
    do(panel, "copy", what="curl", view="v")
    panel.set(SHARPEN, 6)
    assert panel.template == {} and panel.template_id is None and "SharpenLevel>6<" in panel.xml
    panel.undo()
    assert panel.template_id == "t1", "the setting is that of the template again"
    do(panel, "by_template", on=False)
    assert panel.template_id is None and panel.template["on"] is False
    texts_agree(panel)


def test_submit_sends_the_id_in_place_of_the_setting(panel: EnhancePanel, stored_lab: HandLab) -> None:
    panel.template_id = "t1"
    texts_agree(panel)
    panel.submit()
    assert panel.wait(10)
    (job,) = stored_lab.jobs
    assert job.setting is None and stored_lab.marks == {"template_id": "t1"}
    panel.watermarks = (MARK,)
    assert panel.template_id == "t1", "watermarks are not part of the template"
    texts_agree(panel)
    panel.set(SHARPEN, 1)
    panel.submit()
    assert panel.wait(10)
    assert stored_lab.jobs[1].setting == panel.value and stored_lab.marks == {"watermark": (MARK,)}


def test_a_pasted_request_with_ids_is_submitted_with_its_ids(panel: EnhancePanel, stored_lab: HandLab) -> None:
    assert "its TemplateId is submitted until you change the setting" in panel.paste(REQUEST_1)
    operation = panel.request.operation
    assert operation is not None and operation.watermark == (MARK,)
    assert (operation.template_id, operation.transcode_template_id, operation.video_enhance) == ("t1", "t2", None)
    texts_agree(panel)


@pytest.mark.parametrize("template_id", ["t9", "t2", "", 5])
def test_a_template_that_cannot_be_applied_changes_nothing(panel: EnhancePanel, template_id: str) -> None:
    panel.set(SHARPEN, 3)
    with pytest.raises((ParameterError, NotFound)):
        panel.template_id = template_id
    assert panel.template_id is None and panel.value == VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=3))


def test_a_lab_without_templates_says_so(lab: HandLab) -> None:
    with pytest.raises(ParameterError, match="no templates"):
        EnhancePanel(lab, CLIP).template_id = "t1"
