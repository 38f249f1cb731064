"""Steps back and forth, changes and resets, and items of repeated nodes."""

from __future__ import annotations

from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.setting.enhance import ColorEnhance, MsSharpen, VideoEnhance
from ci_notebook.model.setting.watermark import Watermark
from ci_notebook.widgets.enhance.controls import ControlState, above, state_of
from ci_notebook.widgets.enhance.enhance_panel import EnhancePanel
from ci_notebook.widgets.enhance.history import ONE_STEP_S, HistoryEntry, UndoHistory, changes, reset, without_item
from tests.support import send_to_widget
from tests.widgets.panel_messages import CLIP, SHARPEN, do, edit

KEPT = Operation(video_enhance=VideoEnhance())


def state(**values):
    return HistoryEntry(ControlState(dict(values), ["MsSharpen"]), KEPT)


def test_a_drag_that_pauses_is_one_step_and_a_later_one_another():
    now = [0.0]
    steps = UndoHistory(state(), clock=lambda: now[0])
    for level in "123":
        now[0] += ONE_STEP_S / 2
        steps.record(state(a=level), by_user=True)
    now[0] += 2 * ONE_STEP_S
    steps.record(state(a="4"), by_user=True)
    assert steps.undo() == state(a="3")
    assert steps.undo() == state()
    assert steps.undo() == state() and not steps.available["undo"]
    assert steps.redo() == state(a="3") and steps.redo() == state(a="4") and not steps.available["redo"]


def test_another_edit_clears_the_redo_history():
    steps = UndoHistory(state())
    steps.record(state(a="1"))
    steps.undo()
    steps.record(state(b="1"))
    assert not steps.available["redo"] and steps.undo() == state()


def test_undo_and_redo_move_the_whole_panel(lab):
    panel = EnhancePanel(lab, CLIP)
    panel.set("SharpenLevel", 5)
    edit(panel, {}, [])
    assert panel.value == VideoEnhance()
    do(panel, "undo")
    assert panel.value.ms_sharpen.sharpen_level == 5 and panel.history == {"undo": True, "redo": True}
    do(panel, "undo")
    assert panel.values == {} and panel.history == {"undo": False, "redo": True}
    panel.redo()
    assert panel.value.ms_sharpen.sharpen_level == 5


def test_a_refused_edit_can_be_undone_too(lab):
    panel = EnhancePanel(lab, CLIP, VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5)))
    edit(panel, {SHARPEN: "11"})
    assert panel.problems
    panel.undo()
    assert not panel.problems and panel.values[SHARPEN] == "5"


def test_changes_are_listed_by_leaf_and_reset_one_by_one(lab):
    start = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5), color_enhance=ColorEnhance(contrast=10))
    panel = EnhancePanel(lab, CLIP, start)
    panel.set("SharpenLevel", 6)
    panel.set("HdrMode", "HLG")
    edit(panel, {}, [path for path in panel.active_nodes if path != "ColorEnhance"])
    assert panel.changes == [
        {"path": "ColorEnhance.Contrast", "before": "10", "now": "left out"},
        {"path": SHARPEN, "before": "5", "now": "6"},
        {"path": "SDRtoHDR.HdrMode", "before": "left out", "now": "HLG"},
    ]
    do(panel, "reset", path="SDRtoHDR.HdrMode")
    assert panel.value.sdr_to_hdr is None, "a stage that was off and holds nothing goes off"
    do(panel, "reset", path="ColorEnhance.Contrast")
    assert panel.value.color_enhance == start.color_enhance, "and one that was on comes back"
    do(panel, "reset")
    assert panel.changes == [] and panel.value == start
    panel.undo()
    assert panel.value.ms_sharpen.sharpen_level == 6


def test_a_switch_alone_is_a_change():
    start, now = state_of(VideoEnhance()), state_of(VideoEnhance(ms_sharpen=MsSharpen()))
    assert changes(start, now) == [{"path": "MsSharpen", "before": "off", "now": "on"}]
    assert reset(now, start, "MsSharpen") == start and reset(start, now, "MsSharpen") == now


def test_items_move_up_when_one_is_removed():
    marks = tuple(Watermark(type="Text", pos=pos) for pos in ("Top", "Left", "Right"))
    held = state_of(Operation(video_enhance=VideoEnhance(ms_sharpen=MsSharpen()), watermark=marks))
    left = Operation(video_enhance=VideoEnhance(ms_sharpen=MsSharpen()), watermark=(marks[0], marks[2]))
    assert without_item(held, "Watermark.2") == state_of(left)
    assert without_item(held, "Watermark.4") == held


def test_the_switches_above_a_leaf():
    assert above("Transcode.AudioMixArray.2.EffectConfig.BgmFadeTime") == [
        "Transcode", "Transcode.AudioMixArray.2", "Transcode.AudioMixArray.2.EffectConfig",
    ]  # fmt: skip


def test_an_edit_in_the_page_is_applied_over_a_concurrent_change_from_python(lab):
    panel = EnhancePanel(lab, CLIP, VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5)))
    do(panel, "preset", name="Punchy colour")
    edit(
        panel, {"ColorEnhance.Contrast": "40"}
    )  # sent by a view that has not seen the preset yet, it would be the same
    assert panel.value.color_enhance.contrast == 40 and panel.value.ms_sharpen is None
    assert panel.acknowledged_edits == {"v": 1}, "what its view need not lay over the values any more"
    for number in range(40):
        send_to_widget(
            panel, {"do": "edit", "view": f"gone {number}", "edit": {"number": 1, "values": {}, "nodes": {}}}
        )
    assert len(panel.acknowledged_edits) == 20
