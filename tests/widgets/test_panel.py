"""The panel without a browser: its traits and messages are all that a front end has."""

from __future__ import annotations

import gc
import re

import pytest

from ci_notebook.model.declaration.node import AUTO, Unknown
from ci_notebook.model.declaration.paths import leaves
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import MsSharpen, SuperResolution, VideoEnhance
from ci_notebook.model.setting.transcode import AudioMix, Container, Transcode, Video
from ci_notebook.model.setting.watermark import DigitalWatermark, Watermark
from ci_notebook.widgets.enhance.controls import AUTO_TEXT, part_at
from ci_notebook.widgets.enhance.enhance_panel import EnhancePanel
from ci_notebook.widgets.enhance.schema import stages as all_stages
from tests.widgets.panel_messages import CLIP, SHARPEN, all_agree, edit


def control_path(leaf, before=""):
    """Return the path of a leaf's control, `#` for the number of a repeated node."""
    return before + ".".join(f"{step.tag}.#" if step.many and step.node else step.tag for step in leaf.steps)


def groups(stages=None):
    for group in all_stages() if stages is None else stages:
        yield group
        yield from groups(group["groups"])


def test_every_leaf_has_a_control_and_every_node_a_switch():
    drawn = {leaf["path"]: leaf for group in groups() for leaf in group["leaves"]}
    said = {
        control_path(leaf, before): leaf.part
        for root, before in ((VideoEnhance, ""), (Watermark, "Watermark.#."), (DigitalWatermark, "DigitalWatermark."))
        for leaf in leaves(root)
        if not leaf.part.param.reply
    }
    assert set(drawn) == set(said)
    for path, part in said.items():
        control = drawn[path]
        assert control["auto"] == part.auto
        assert control["help"] and control["absent"]
        assert control["choices"] == [str(choice) for choice in part.choices]


@pytest.mark.slow
def test_switching_a_stage_on_fills_its_required_leaves(lab):
    for group in groups():
        above = group["path"].split(".")[0] + (".#" if "Watermark.#" in group["path"] else "")
        held = [one for one in groups() if one["path"] in (above, group["path"])]
        values = {path: text for one in held for path, text in one["values"].items()}
        on = [path for one in held for path in (one["path"], *one["active"])]
        panel = EnhancePanel(lab, CLIP)
        edit(panel, {path.replace("#", "1"): text for path, text in values.items()}, [p.replace("#", "1") for p in on])
        assert {path.rpartition(".")[2] for path in panel.problems} <= {"AudioSource", "Url", "Message"}, group["path"]


def test_a_slider_covers_exactly_the_range_of_its_leaf():
    sliders = [leaf for group in groups() for leaf in group["leaves"] if "slider" in leaf]
    assert {SHARPEN, "ColorEnhance.Saturation", "Transcode.Video.Crf"} <= {leaf["path"] for leaf in sliders}
    for leaf in sliders:
        part, slider = part_at(leaf["path"].replace("#", "1")), leaf["slider"]
        for end in (slider["low"], slider["high"]):
            assert not part.complaint(part.coerce(part.kind(end)))


def test_a_new_panel_holds_the_empty_setting(lab):
    panel = EnhancePanel(lab, CLIP)
    assert panel.value == VideoEnhance()
    assert panel.values == {} and panel.active_nodes == [] and panel.problems == {}
    assert all_agree(panel)


def test_a_slider_changes_value_python_and_xml(lab):
    panel = EnhancePanel(lab, CLIP)
    edit(panel, {SHARPEN: "5"}, ["MsSharpen"])
    assert panel.value == VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
    assert "<SharpenLevel>5</SharpenLevel>" in panel.xml
    assert panel.python == "ci.VideoEnhance(\n    ms_sharpen=ci.MsSharpen(sharpen_level=5),\n)"


def test_a_leaf_is_left_out_or_auto_or_a_value(lab):
    panel = EnhancePanel(lab, CLIP)
    for text, value in ((None, None), (AUTO_TEXT, AUTO), ("0", 0)):
        edit(panel, {SHARPEN: text}, ["MsSharpen"])
        assert panel.value.ms_sharpen == MsSharpen(sharpen_level=value)
        assert all_agree(panel)


@pytest.mark.parametrize("text", ["11", "-1", "5.5", "NaN", "five", "", " 5"])
def test_a_value_that_is_not_taken_is_named_and_changes_nothing(lab, text):
    panel = EnhancePanel(lab, CLIP, VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5)))
    edit(panel, {SHARPEN: text})
    assert list(panel.problems) == [SHARPEN]
    assert "0 to 10 or AUTO" in panel.problems[SHARPEN]
    assert panel.values[SHARPEN] == text, "what was typed stays where it was typed"
    assert panel.value.ms_sharpen.sharpen_level == 5
    assert all_agree(panel)
    edit(panel, {SHARPEN: "6"})
    assert panel.problems == {} and panel.value.ms_sharpen.sharpen_level == 6


def test_a_stage_that_lacks_something_says_what(lab):
    panel = EnhancePanel(lab, CLIP)
    edit(panel, {}, ["SuperResolution"])
    assert panel.value == VideoEnhance()
    assert "sdtohd, hdto4k" in panel.problems["SuperResolution.Resolution"]
    assert "None" not in panel.problems["SuperResolution.Resolution"]


def test_a_rule_across_leaves_is_shown_at_its_leaf(lab):
    panel = EnhancePanel(lab, CLIP)
    on = ["Transcode", "Transcode.Container", "Transcode.Video"]
    edit(panel, {"Transcode.Container.Format": "mov", "Transcode.Video.Codec": "H.265"}, on)
    assert list(panel.problems) == ["Transcode.Video.Codec"]


def test_a_stage_that_is_switched_off_keeps_its_texts_for_later(lab):
    panel = EnhancePanel(lab, CLIP, VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5)))
    edit(panel, {}, [])
    assert panel.value == VideoEnhance()
    edit(panel, {}, ["MsSharpen"])
    assert panel.value.ms_sharpen.sharpen_level == 5


def test_leaves_without_a_control_are_kept(lab):
    odd = VideoEnhance(
        transcode=Transcode(
            container=Container(format="mp4"), audio_mix_array=(AudioMix(audio_source="https://a/b.mp3"),)
        ),
        unknown=(Unknown("New", "1"),),
    )
    panel = EnhancePanel(lab, CLIP, odd)
    panel.set("Transcode.Video.Crf", 20)
    assert panel.value.transcode.audio_mix_array == odd.transcode.audio_mix_array
    assert panel.value.unknown == odd.unknown
    assert panel.value.transcode.video.crf == 20


def test_set_takes_an_ending_and_switches_nodes_on_and_off(lab):
    panel = EnhancePanel(lab, CLIP)
    panel.set("SharpenLevel", 5)
    assert panel.active_nodes == ["MsSharpen"] and panel.values[SHARPEN] == "5"
    panel.set("SharpenLevel", AUTO)
    assert panel.value.ms_sharpen.sharpen_level is AUTO
    panel.set("SharpenLevel", None)
    assert panel.value == VideoEnhance() and panel.active_nodes == []
    with pytest.raises(ParameterError, match="0 to 10 or AUTO"):
        panel.set("SharpenLevel", 11)
    with pytest.raises(ParameterError, match=r"Transcode\.Video\.Bitrate"):
        panel.set("Bitrate", 800)
    assert panel.value == VideoEnhance()


def test_a_setting_that_cannot_be_sent_is_not_taken_from_code(lab):
    panel = EnhancePanel(lab, CLIP)
    with pytest.raises(ParameterError, match=r"SuperResolution\.Resolution"):
        panel.value = VideoEnhance(super_resolution=SuperResolution())


def test_a_panel_with_a_key_comes_back(lab):
    panel = EnhancePanel(lab, CLIP, key="../my panel")
    edit(panel, {SHARPEN: "5"}, ["MsSharpen"])
    edit(panel, {SHARPEN: "11"})
    again = EnhancePanel(lab, CLIP, key="../my panel")
    assert again.values[SHARPEN] == "11" and list(again.problems) == [SHARPEN]
    assert again.value.ms_sharpen.sharpen_level == 5 and all_agree(again)
    assert EnhancePanel(lab, CLIP).value == VideoEnhance()
    assert EnhancePanel(lab, CLIP, key="other").value == VideoEnhance()
    other_start = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=1))
    assert EnhancePanel(lab, CLIP, other_start, key="../my panel").value == other_start
    assert [path.parent for path in lab.state_dir.rglob("*")] == [lab.state_dir], "a key never leaves the folder"


def test_a_corrupt_state_file_is_ignored(lab):
    EnhancePanel(lab, CLIP, key="a").set("SharpenLevel", 5)
    (file,) = lab.state_dir.iterdir()
    file.write_text(file.read_text()[:20])
    assert EnhancePanel(lab, CLIP, key="a").value == VideoEnhance()


def test_the_repr_is_one_line_of_set_values(lab):
    panel = EnhancePanel(
        lab, CLIP, VideoEnhance(transcode=Transcode(container=Container(format="mp4"), video=Video(crf=20)))
    )
    assert repr(panel) == f"EnhancePanel('bikes.mp4', {panel.value!r})"


@pytest.mark.slow
def test_a_panel_whose_constructor_failed_is_collected_silently(lab):
    with pytest.raises(ParameterError, match=r"SuperResolution\.Resolution"):
        EnhancePanel(lab, CLIP, VideoEnhance(super_resolution=SuperResolution()))
    gc.collect()


def test_the_scripts_are_small_and_take_nothing_from_elsewhere():
    script = EnhancePanel._esm
    assert len(script.encode()) <= 60_000
    assert not re.search(r"^\s*import\b|https?://|\beval\(|innerHTML", script, re.MULTILINE)


def test_closing_closes_all(lab):
    panel = EnhancePanel(lab, CLIP)
    layout = panel.layout
    panel.close()
    panel.close()
    assert panel.comm is None and layout.comm is None
