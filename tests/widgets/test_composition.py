"""Values of views as traits with a JSON form, and results of views inside other widgets, in the kernel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import comm
import ipywidgets
import pytest
from comm.base_comm import BaseComm
from hypothesis import given, settings

import ci_notebook as ci
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import ColorEnhance, MsSharpen, SuperResolution, VideoEnhance
from ci_notebook.model.setting.presets import preset
from ci_notebook.model.setting.rules import problems
from ci_notebook.widgets.enhance.controls import json_of, setting_of_json
from ci_notebook.widgets.enhance.enhance_panel import EnhancePanel
from ci_notebook.widgets.monitor.monitor_view import Monitor
from ci_notebook.widgets.sweep.sweep_panel import SweepPanel
from tests.strategies import settings as any_setting
from tests.widgets.panel_messages import CLIP, SHARPEN, all_agree, do, edit, press

SHARP = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))


@contextmanager
def recorded() -> Iterator[list[dict[str, Any]]]:
    """Collect the messages that would go to the page."""
    sent: list[dict[str, Any]] = []

    class Recording(BaseComm):
        def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
            sent.append(json.loads(json.dumps(data)))

    before, comm.create_comm = comm.create_comm, Recording
    try:
        yield sent
    finally:
        comm.create_comm = before


def from_page(view: ipywidgets.Widget, **state: Any) -> None:
    """Deliver what a page does when a script, such as a `jslink`, sets traits."""
    view.comm.handle_msg({"content": {"data": {"method": "update", "state": state, "buffer_paths": []}}, "buffers": []})


@given(any_setting())
@settings(max_examples=60, deadline=None)
def test_a_setting_survives_json_unless_it_is_invalid(setting: VideoEnhance) -> None:
    sent = json.loads(json.dumps(json_of(setting)))
    if problems(setting):
        with pytest.raises(ParameterError):
            setting_of_json(sent)
    else:
        assert setting_of_json(sent) == setting


def test_observers_see_old_and_new_settings_and_a_panel_that_agrees(lab) -> None:
    panel, seen = EnhancePanel(lab, CLIP), []
    panel.observe(lambda change: seen.append((change.old, change.new, all_agree(panel))), "value")
    edit(panel, {SHARPEN: "5"}, ["MsSharpen"])
    panel.value = {"Contrast": 60}
    do(panel, "undo")
    panel.set("SharpenLevel", 5)  # no change
    contrast = VideoEnhance(color_enhance=ColorEnhance(contrast=60))
    assert seen == [(VideoEnhance(), SHARP, True), (SHARP, contrast, True), (contrast, SHARP, True)]


def test_an_invalid_text_leaves_the_value(lab) -> None:
    panel, seen = EnhancePanel(lab, CLIP, SHARP), []
    panel.observe(seen.append, "value")
    edit(panel, {SHARPEN: "11"})
    assert seen == [] and panel.value == SHARP and panel.problems
    panel.value = SHARP
    assert panel.problems == {} and panel.values[SHARPEN] == "5", "an equal value replaces the invalid text"


def test_a_value_may_be_a_preset_or_a_dict_and_is_checked(lab) -> None:
    panel = EnhancePanel(lab, CLIP)
    panel.value = "Crisp detail"
    assert panel.value == preset("Crisp detail")
    for wrong in ({"SharpenLevel": 11}, "no such preset", 5, None, VideoEnhance(super_resolution=SuperResolution())):
        with pytest.raises(ParameterError):
            panel.value = wrong
    assert panel.value == preset("Crisp detail") and all_agree(panel)


def test_linked_panels_agree_whichever_changes(lab) -> None:
    one, other = EnhancePanel(lab, CLIP), EnhancePanel(lab, CLIP, SHARP)
    link = ipywidgets.link((one, "value"), (other, "value"))
    assert other.value == VideoEnhance()
    edit(one, {SHARPEN: "3"}, ["MsSharpen"])
    assert other.value == one.value and all_agree(other) and "<SharpenLevel>3<" in other.xml
    other.value = "Crisp detail"
    assert one.value == preset("Crisp detail") and all_agree(one)
    other.undo()
    assert one.value == other.value == VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=3))
    link.unlink()
    other.value = SHARP
    assert one.value != SHARP


def test_a_page_sets_the_value_and_gets_one_message_without_its_own_value() -> None:
    from tests.benchmarks.bench_panel import LAB

    with recorded() as sent:
        panel = EnhancePanel(LAB, CLIP)
        sent.clear()
        from_page(panel, value={"MsSharpen.SharpenLevel": 5})
        echo, answer = sent
        assert panel.value == SHARP and all_agree(panel)
        assert echo["method"] == "echo_update" and echo["state"] == {"value": {"MsSharpen.SharpenLevel": 5}}
        assert answer["method"] == "update" and "value" not in answer["state"]
        assert answer["state"]["values"] == {"MsSharpen.SharpenLevel": "5"}
        sent.clear()
        edit(panel, {SHARPEN: "7"})
        assert [one["state"]["value"] for one in sent] == [{"MsSharpen.SharpenLevel": 7}], "one message for an edit"


@pytest.mark.parametrize(
    "wrong", [{"MsSharpen.SharpenLevel": 11}, {"No.Such": 1}, ["MsSharpen"], None, {"MsSharpen": {}, "X": 1}]
)
def test_a_wrong_value_of_a_page_is_refused_with_a_message(wrong: Any) -> None:
    from tests.benchmarks.bench_panel import LAB

    with recorded() as sent:
        panel = EnhancePanel(LAB, CLIP, SHARP)
        from_page(panel, value=wrong)
        assert panel.value == SHARP and panel.message["error"]
        shown = [one["state"]["value"] for one in sent if one.get("method") == "update" and "value" in one["state"]]
        assert shown == [{"MsSharpen.SharpenLevel": 5}], "the page goes back to the last valid value"


def test_unknown_nodes_survive_a_page_that_sends_the_value_back(lab) -> None:
    panel = EnhancePanel(lab, CLIP)
    panel.paste("<VideoEnhance><MsSharpen><SharpenLevel>5</SharpenLevel></MsSharpen><New>1</New></VideoEnhance>")
    assert panel.value.unknown
    from_page(panel, value=json_of(panel.value))
    assert panel.value.unknown


def test_a_function_follows_a_panel(lab) -> None:
    panel, seen = EnhancePanel(lab, CLIP), []

    def follow(setting: VideoEnhance) -> None:
        seen.append(setting)

    ipywidgets.interactive_output(follow, {"setting": panel})
    edit(panel, {SHARPEN: "5"}, ["MsSharpen"])
    assert seen == [VideoEnhance(), SHARP]


def test_the_sweep_is_observed_linked_and_set_from_a_page(embedded_lab) -> None:
    one, other = SweepPanel(embedded_lab, "a.mp4"), SweepPanel(embedded_lab, ["a.mp4", "b.mp4"])
    seen: list[Any] = []
    one.observe(lambda change: seen.append(change.new), "sweep")
    link = ipywidgets.link((one, "value"), (other, "value"))
    one.set("SharpenLevel", [0, 5])
    assert seen == [ci.grid(None, SharpenLevel=[0, 5])] and other.sweep == one.sweep
    assert one.value == {"vary": [[SHARPEN, "0, 5"]], "kind": "grid", "n": "10", "seed": "0"}
    one.vary = [[SHARPEN, "0, 11"]]
    assert len(seen) == 1 and one.problems, "an invalid text changes no value"
    other.value = {"vary": [[SHARPEN, "1, 2, 3"]]}
    assert len(one.sweep) == 3 and one.problems == {}
    with pytest.raises(ParameterError, match="0 to 10"):
        other.value = {"vary": [[SHARPEN, "11"]]}
    with pytest.raises(ParameterError, match="vary, kind, n, seed"):
        other.value = {"budget": "1"}
    with pytest.raises(ParameterError, match="pairs"):
        other.value = {"vary": 5}
    link.unlink()
    from_page(one, value={"kind": "one_at_a_time"})
    assert one.kind == "one_at_a_time" and len(other.sweep) == 3
    from_page(one, value={"vary": [["No.Such", "1"]]})
    assert "No.Such" in one.status["error"] and len(one.sweep) == 4
    one.close()
    other.close()


def test_the_selection_of_jobs_is_a_trait(embedded_lab) -> None:
    one, other = Monitor(embedded_lab), Monitor(embedded_lab)
    ipywidgets.link((one, "selection"), (other, "selection"))
    from_page(one, selection=["j1", "j2"])
    assert other.selection == ["j1", "j2"]
    one.close()
    other.close()


def test_results_travel_only_to_a_page_that_shows_the_view_inside_another(lab) -> None:
    panel = EnhancePanel(lab, CLIP, SHARP)
    press(panel, "first")
    assert panel.wait(10) and panel.results == ""
    from_page(panel, is_inside=True)
    assert "Success" in panel.results and panel.results.count("<section>") == 1
    press(panel, "second")
    assert panel.wait(10) and panel.results.count("<section>") == 2
    panel.close()
    panel.output.add("late")  # a job that ends after its panel was closed
