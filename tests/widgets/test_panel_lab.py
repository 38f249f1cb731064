"""The features that a lab adds to a panel: watermarks in the job, the price, and the templates of the service."""

from __future__ import annotations

import threading
import types

import pytest

import ci_notebook as ci
from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
from ci_notebook.model.setting.presets import preset
from ci_notebook.model.setting.watermark import DigitalWatermark, Text, Watermark
from ci_notebook.widgets.enhance.enhance_panel import EnhancePanel
from ci_notebook.widgets.enhance.price_line import PriceDisplay
from tests.support import write_clip
from tests.widgets.panel_messages import CLIP, SHARPEN, all_agree, do, edit, press

WORDS = Text(text="demo", font_size=20, font_type="arial.ttf", font_color="0xFFFFFF", transparency=80)
MARK = Watermark(type="Text", pos="TopRight", loc_mode="Absolute", dx=4, dy=4, text=WORDS)
HIDDEN = DigitalWatermark(message="t1", type="Text", version="V1", ignore_error=True)


@pytest.fixture(scope="module")
def clip(embedded_lab, tmp_path_factory):
    return embedded_lab.upload(write_clip(tmp_path_factory.mktemp("clips") / "tiny.mp4", seconds=0.6, size="320x240"))


def test_watermarks_are_part_of_the_texts_and_of_the_request(lab):
    panel = EnhancePanel(lab, CLIP, VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5)))
    assert panel.python.startswith("ci.VideoEnhance(") and panel.xml.startswith("<?xml")
    panel.watermarks, panel.digital_watermark = [MARK, MARK], HIDDEN
    assert all_agree(panel) and panel.python.startswith("lab.submit(\n    clip,\n    ci.VideoEnhance(")
    assert {"Watermark.1", "Watermark.2", "DigitalWatermark"} <= set(panel.active_nodes)
    press(panel, "first")
    assert panel.wait(10)
    assert lab.marks == {"watermark": (MARK, MARK), "digital_watermark": HIDDEN}
    panel.value = VideoEnhance()
    assert panel.watermarks == (MARK, MARK), "a setting leaves the marks alone"
    panel.watermarks, panel.digital_watermark = (), None
    assert panel.python == "ci.VideoEnhance()" and all_agree(panel)
    with pytest.raises(ci.ParameterError, match="at most 3"):
        panel.watermarks = [MARK] * 4
    with pytest.raises(ci.ParameterError):
        panel.watermarks = [Watermark(type="Text")]


def test_more_marks_than_may_be_are_named(lab):
    panel = EnhancePanel(lab, CLIP)
    panel.watermarks = [MARK] * 3
    edit(panel, {}, [*panel.active_nodes, "Watermark.4"])
    assert panel.problems == {"Watermark": "At most 3 of Watermark are allowed; there are 4."}
    do(panel, "remove", path="Watermark.4")
    assert panel.problems == {} and panel.watermarks == (MARK,) * 3


def test_a_panel_with_a_key_comes_back_with_its_marks(lab):
    panel = EnhancePanel(lab, CLIP, key="marked")
    panel.watermarks = [MARK]
    assert EnhancePanel(lab, CLIP, key="marked").watermarks == (MARK,)


@pytest.mark.slow
def test_a_job_with_marks_comes_back_with_them(embedded_lab, clip):
    panel = EnhancePanel(embedded_lab, clip, preset("Crisp detail"))
    panel.watermarks, panel.digital_watermark = [MARK], HIDDEN
    panel.submit()
    assert panel.wait(60) and panel.status["state"] == "Success", panel.status
    operation = panel.job.detail.operation
    assert operation.watermark == (MARK,) and operation.digital_watermark.message == "t1"
    trace = panel.output._repr_html_()
    assert "Text.FontSize" in trace and "DigitalWatermark" in trace, "the notebook keeps what was asked, marks and all"


def test_the_price_follows_the_setting_and_says_who_charges(embedded_lab, clip):
    panel = EnhancePanel(embedded_lab, clip)
    assert panel.settle(10)
    assert panel.price["text"] == "0.00 CNY" and panel.price["lines"] == []
    panel.value = preset("Restore SD")
    assert panel.settle(10)
    assert [line["stage"] for line in panel.price["lines"]] == ["SuperResolution.Enhance", "ColorEnhance", "MsSharpen"]
    total = embedded_lab.price(clip, [panel.value]).total
    assert panel.price["text"] == f"{total:.4f} CNY"
    assert panel.price["label"] == "Price on the cloud" and "Price list: mainland" in panel.price["about"]


def test_a_setting_that_does_not_fit_the_clip_has_no_price_and_says_why(embedded_lab, clip):
    panel = EnhancePanel(embedded_lab, clip)
    panel.set("Transcode.TimeInterval.Start", 60.0)
    panel.set("Format", "mp4")
    assert panel.settle(10)
    assert "Start is 60 s" in panel.price["error"]


def test_only_the_last_of_many_settings_is_priced():
    may_go, asked, told = threading.Event(), [], []

    def estimate(setting):
        asked.append(setting)
        assert may_go.wait(10)
        raise OSError(f"no price for {setting}")

    pricing = PriceDisplay(estimate, told.append, is_free=False)
    for setting in range(20):
        pricing.submit(setting)
    may_go.set()
    assert pricing.wait(10)
    assert asked[-1] == 19 and len(asked) <= 2
    assert told[-1] == {"error": "OSError: no price for 19"}


def test_the_services_templates_are_listed_taken_and_kept(embedded_lab, clip):
    start = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=2))
    panel = EnhancePanel(embedded_lab, clip, start)
    assert {"price", "templates", "curl"} <= set(panel.features)
    do(panel, "save_template", name="soft skin")
    assert panel.settle(10) and panel.message["text"] == "Saved as the template soft_skin."
    (row,) = panel.templates
    assert row["name"] == "soft_skin" and embedded_lab.templates.get(row["id"])[0].setting == start
    panel.set("SharpenLevel", 7)
    do(panel, "apply_template", id=row["id"])
    assert panel.value == start and panel.message["text"] == "Set to the template soft_skin."
    panel.undo()
    assert panel.value.ms_sharpen.sharpen_level == 7
    do(panel, "apply_template", id="t-none")
    assert "t-none" in panel.message["error"]


@pytest.mark.parametrize("name", ["a/b", "", "x" * 65])
def test_a_name_that_the_service_refuses_is_reported(embedded_lab, clip, name):
    panel = EnhancePanel(embedded_lab, clip)
    do(panel, "save_template", name=name)
    assert panel.settle(10) and panel.message["error"]


def test_a_setting_that_is_refused_is_not_kept(embedded_lab, clip):
    panel = EnhancePanel(embedded_lab, clip)
    edit(panel, {SHARPEN: "11"}, ["MsSharpen"])
    do(panel, "save_template", name="no")
    assert "correct the marked parameters first" in panel.message["error"]


def test_python_goes_into_a_new_cell_where_there_is_a_notebook(lab, monkeypatch):
    panel, cells = EnhancePanel(lab, CLIP, preset("Smooth motion")), []
    monkeypatch.setattr("ci_notebook.widgets.enhance.enhance_panel.get_ipython", lambda: None)
    with pytest.raises(ci.ParameterError, match=r"panel\.python"):
        panel.to_cell()
    monkeypatch.setattr(
        "ci_notebook.widgets.enhance.enhance_panel.get_ipython",
        lambda: types.SimpleNamespace(set_next_input=cells.append),
    )
    panel.to_cell()
    assert cells == [panel.python]


def test_a_lab_that_can_less_is_offered_less():
    nothing = dict.fromkeys(("state_dir", "engine", "price", "templates", "previews", "clip_facts", "job_durations"))
    lab = types.SimpleNamespace(xml=lambda setting: "<VideoEnhance/>", bucket="", region="", **nothing)
    panel = EnhancePanel(lab, "clip.mp4")
    assert panel.features == [] and panel.price == {} and panel.title == "clip.mp4"
    do(panel, "load_templates")
    do(panel, "preset", name="No such preset")
    assert "Restore SD" in panel.message["error"]
