"""The sweep's panel in the kernel: what it reads, what it says, and what it runs."""

from __future__ import annotations

import threading
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ci_notebook as ci
from ci_notebook.experiment.sweep import grid
from ci_notebook.lab.connect import connect
from ci_notebook.lab.panel_sweeps import LabSweeps
from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.declaration.paths import leaves, resolve
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import ColorEnhance, MsSharpen, VideoEnhance
from ci_notebook.widgets.sweep.sweep_panel import SweepPanel
from ci_notebook.widgets.sweep.values import described, text_of, values_of
from tests.strategies import leaf_values
from tests.support import send_to_widget

SHARPEN = "MsSharpen.SharpenLevel"
LEAVES = [leaf for leaf in leaves(VideoEnhance) if leaf.single]


class HandDesk(LabSweeps):
    """Designs are real; plans and runs are kept for the test to see."""

    def __init__(self):
        super().__init__(plan=None, run=None, costs_money=False)
        self.asked, self.may_end = [], threading.Event()
        self.may_end.set()

    def plan(self, clips, settings):
        raise OSError("no price today")

    def run(self, clips, settings, **how):
        self.asked.append((clips, settings, how["budget"]))
        how["on_progress"](types.SimpleNamespace(share=0.5, note="1 of 2 done"))
        assert self.may_end.wait(10)
        return ["stopped" if how["cancel"].is_set() else "all"]

    def results_html(self, runs):
        return f"<p>results of {runs[0]}</p>"


@pytest.fixture
def hand():
    return types.SimpleNamespace(sweep_desk=HandDesk(), state_dir=None, clip_facts=None)


@pytest.fixture
def panel(hand):
    panel = SweepPanel(hand, ["a.mp4", "b.mp4"], VideoEnhance(color_enhance=ColorEnhance(contrast=10)))
    yield panel
    panel.close()


def leaf(name):
    return resolve(VideoEnhance, name)


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("SharpenLevel", "0, 3, 6, 9", [0, 3, 6, 9]),
        ("SharpenLevel", "0:9:3", [0, 3, 6, 9]),
        ("SharpenLevel", "8:10", [8, 9, 10]),
        ("SharpenLevel", "AUTO, left out, 5, 5", [AUTO, None, 5]),
        ("Fps", "23.976, 24:25:0.5", [23.976, 24.0, 24.5, 25.0]),
        ("Video.Bitrate", "auto, 1000", ["auto", 1000]),
        ("Resolution", "sdtohd, left out", ["sdtohd", None]),
        ("FrameDoubling", "true,false", [True, False]),
        ("Crop", '640:360:0:0, "left out"', ["640:360:0:0", None]),
    ],
)
def test_values_are_read_as_they_are_written(name, text, values):
    assert values_of(leaf(name), text) == values


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("11", "0 to 10 or AUTO"), ("0, x", "got 'x'"), ("", "at least one value"), (" , ", "at least one value"),
        ("0:10:0", "a step over 0"), ("9:0", "a step over 0"), ("0:1:2:3", "start:stop"), ("0:10:0.001", "larger step"),
        ("0..10", "random design"), ("1.5", "got '1.5'"), ("0:nan", "start:stop"),
    ],
)  # fmt: skip
def test_an_invalid_value_is_refused_with_a_message(text, word):
    with pytest.raises(ParameterError, match=r"MsSharpen\.SharpenLevel must be") as refused:
        values_of(leaf("SharpenLevel"), text)
    assert word in str(refused.value)


def test_a_span_is_for_a_random_design():
    assert values_of(leaf("SharpenLevel"), "2..8", "random") == (2, 8)
    with pytest.raises(ParameterError, match="the lower number first"):
        values_of(leaf("SharpenLevel"), "8..2", "random")


@pytest.mark.parametrize("one", LEAVES, ids=str)
def test_every_leaf_is_offered_under_a_name_that_means_it_alone_with_values_that_it_takes(one):
    (told,) = [entry for entry in described(VideoEnhance()) if entry["path"] == one.path]
    assert resolve(VideoEnhance, told["name"]) == one
    if told["start"]:
        assert values_of(one, told["start"])


@st.composite
def fields(draw):
    """Return leaves with lists of values that they take, and the rest of a panel."""
    chosen = draw(st.lists(st.sampled_from(LEAVES), max_size=3, unique=True))
    vary = {one.path: draw(st.lists(leaf_values(one.part) | st.none(), min_size=1, max_size=3)) for one in chosen}
    kind = draw(st.sampled_from(["grid", "one_at_a_time", "random", "pairs"]))
    return (
        vary,
        kind,
        draw(st.integers(1, 5)),
        draw(st.sampled_from([[0], [1], [0, 1]])),
        draw(st.sampled_from(["", "2.5"])),
    )


@pytest.mark.slow
@settings(max_examples=120)
@given(fields())
def test_the_panel_its_python_and_its_sweep_agree(drawn):
    vary, kind, n, chosen, budget = drawn
    desk, start = HandDesk(), VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=3))
    panel = SweepPanel(
        types.SimpleNamespace(sweep_desk=desk, state_dir=None, clip_facts=None),
        ["a", "b"],
        start,
        against=VideoEnhance(),
    )
    try:
        with panel.hold_trait_notifications():
            panel.kind, panel.n, panel.chosen, panel.budget = kind, str(n), chosen, budget
            panel.vary = [[path, text_of(leaf(path), listed)] for path, listed in vary.items()]
        ran = []
        lab = types.SimpleNamespace(run=lambda clips, sweep, budget=None: ran.append((clips, sweep, budget)))
        names = {"ci": ci, "lab": lab, "clips": ["a", "b"]}
        exec(panel.python, names)  # noqa: S102  what the panel says is to be run as it stands
        assert names["sweep"] == panel.sweep
        ((clips, sweep, limit),) = ran
        assert (clips, sweep) == (panel.clips, panel.sweep)
        assert limit == (2.5 if budget and not panel.problems else None)
        assert panel.table["count"] == len(panel.sweep) * len(panel.clips)
        assert len(panel.table["rows"]) == min(50, panel.table["count"])
        if not panel.problems:
            assert panel.clips == [["a", "b"][at] for at in chosen]
            read = {path: values_of(leaf(path), text, kind) for path, text in panel.vary}
            assert panel.sweep == desk.design(kind, start, read, n=n, seed=0, against=VideoEnhance())
    finally:
        panel.close()


def test_a_panel_begins_with_its_base_alone(panel):
    assert panel.sweep == grid(VideoEnhance(color_enhance=ColorEnhance(contrast=10)))
    assert panel.table == {"heads": ["clip"], "rows": [["a.mp4"], ["b.mp4"]], "count": 2}
    panel.set("SharpenLevel", "0:9:3")
    panel.set("Contrast", [None, AUTO])
    assert panel.table["count"] == 16 and panel.table["heads"] == ["clip", "ColorEnhance.Contrast", SHARPEN]
    assert panel.table["rows"][:2] == [["a.mp4", "left out", "0"], ["a.mp4", "AUTO", "0"]]
    panel.set("Contrast", None)
    assert [path for path, _ in panel.vary] == [SHARPEN]
    with pytest.raises(ParameterError, match="one of"):
        panel.set("Bitrate", [1])


def test_a_refused_value_is_reported_at_its_field_and_changes_nothing(panel):
    panel.set("SharpenLevel", "1, 2")
    good = panel.sweep
    for name, value, word in (
        ("vary", [[SHARPEN, "11"]], "0 to 10"), ("vary", [["Nonsense", "1"]], "no stage of the base"),
        ("budget", "-1", "at least 0"), ("budget", "much", "at least 0"), ("chosen", [], "at least one"),
        ("chosen", [7], "at least one"),
    ):  # fmt: skip
        before = getattr(panel, name)
        setattr(panel, name, value)
        field = value[0][0] if name == "vary" else name
        assert word in panel.problems[field] and panel.sweep == good and "[1, 2]" in panel.python
        panel.run()
        assert panel.status["error"].startswith("Nothing was sent.") and not panel.status["busy"]
        setattr(panel, name, before)
        assert panel.problems == {}
    panel.kind, panel.n = "random", "0"
    assert "1 to 2000" in panel.problems["n"]


def test_ten_thousand_runs_are_refused(panel):
    for name in ("SharpenLevel", "Contrast", "Saturation"):
        panel.set(name, "0:10" if name == "SharpenLevel" else "0:100")
    assert "at most 2000 runs" in panel.problems[""]


def test_a_leaf_that_cannot_stand_alone_says_what_it_needs(panel):
    panel.set("Video.Bitrate", [1000])
    assert "Transcode.Container" in panel.problems[""] and "vary it, too" in panel.problems[""]
    panel.set("Container.Format", ["mp4"])
    assert panel.problems == {}


def press(panel, name, **edits):
    held = {one: getattr(panel, one) for one in ("vary", "kind", "n", "seed", "budget", "chosen")}
    send_to_widget(panel, {"do": "run", "press": name, "fields": {**held, **edits}})


def test_two_presses_make_one_sweep_and_its_edits_travel_with_it(panel, hand):
    hand.sweep_desk.may_end.clear()
    press(panel, "one", vary=[[SHARPEN, "1, 2"]], chosen=[1], budget="3")
    press(panel, "one")
    press(panel, "two")
    assert panel.status["busy"] and panel.status["text"] in ("Starting", "1 of 2 done")
    hand.sweep_desk.may_end.set()
    assert panel.wait(10)
    press(panel, "one")
    ((clips, sweep, budget),) = hand.sweep_desk.asked
    assert (clips, len(sweep), budget) == (["b.mp4"], 2, 3.0)
    assert panel.runs == ["all"] and "results of all" in panel.output._repr_html_()


def test_stop_keeps_finished_runs(panel, hand):
    hand.sweep_desk.may_end.clear()
    press(panel, "one")
    send_to_widget(panel, {"do": "stop"})
    assert panel.status["stopping"]
    hand.sweep_desk.may_end.set()
    assert panel.wait(10) and panel.runs == ["stopped"]
    assert panel.status["text"] == "Stopped; finished runs are kept" and not panel.status["busy"]


def test_a_price_that_cannot_be_computed_is_reported(panel):
    assert panel.wait_for_price(10)
    assert panel.plan == {"error": "OSError: no price today"}


@pytest.mark.slow
def test_a_sweep_is_priced_run_and_shown_by_the_lab(tmp_path, make_clip):
    with connect(home=tmp_path / "home") as lab:
        clip = lab.upload(make_clip(seconds=0.4, size="128x128"))
        panel = SweepPanel(lab, clip)
        panel.set("SharpenLevel", [0, 9])
        assert panel.wait_for_price(30)
        assert panel.plan["count"] == 2 and panel.plan["currency"] == "CNY" and panel.plan["total"] > 0
        panel.budget = "0"
        panel.run()
        assert panel.wait(60) and "over the budget" in panel.problems["budget"] and panel.runs is None
        panel.budget = ""
        panel.run()
        assert panel.wait(60) and panel.status["error"] == ""
        assert [run.setting for run in panel.runs] == list(panel.sweep)
        html = panel.output._repr_html_()
        assert "2 of 2 succeeded" in html and "<figure" in html and "<script" not in html
        assert panel.wait_for_price(30) and panel.plan["in_journal"] == 2 and panel.plan["total"] == 0
        panel.close()


def test_a_panel_wants_a_clip(hand):
    with pytest.raises(ParameterError, match="at least one clip"):
        SweepPanel(hand, [])


def test_a_panel_with_a_key_comes_back_with_its_fields_unless_it_begins_elsewhere(hand, tmp_path):
    lab = types.SimpleNamespace(sweep_desk=hand.sweep_desk, state_dir=tmp_path, clip_facts=None)
    first = SweepPanel(lab, "clip", key="mine")
    first.set("SharpenLevel", [0, 5])
    first.budget = "3"
    first.set("Contrast", "101")  # refused, and remembered as it was typed
    again = SweepPanel(lab, "clip", key="mine")
    assert again.vary == first.vary and again.budget == "3" and "ColorEnhance.Contrast" in again.problems
    again.set("Contrast", None)
    assert len(again.sweep) == 2 and again.sweep == grid(SharpenLevel=[0, 5])
    assert SweepPanel(lab, "clip", VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=1)), key="mine").vary == []
    assert SweepPanel(lab, "clip", key="other").vary == [] and SweepPanel(lab, "clip").vary == []
    (file,) = (one for one in tmp_path.iterdir() if "mine" in one.name)
    file.write_text(file.read_text().replace('"budget": "3"', '"budget": 3'))
    assert SweepPanel(lab, "clip", key="mine").problems == {}


def test_a_stage_of_the_base_varies_as_a_whole(hand):
    base = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5), color_enhance=ColorEnhance(contrast=10))
    panel = SweepPanel(hand, "clip", base)
    assert [one["path"] for one in panel.leaves if "." not in one["path"]] == ["ColorEnhance", "MsSharpen"]
    panel.set("MsSharpen", ["as in the base", "left out"])
    panel.set("Contrast", [10, 40])
    assert panel.sweep == grid(base, MsSharpen=[base.ms_sharpen, None], Contrast=[10, 40]) and not panel.problems
    made = {}
    exec(panel.python.rpartition("runs =")[0], {"ci": ci}, made)  # noqa: S102  that it is Python is what is tested
    assert made["sweep"] == panel.sweep
    panel.set("MsSharpen", "on")
    assert "as in the base or left out" in panel.problems["MsSharpen"]
    panel.set("MsSharpen", None)
    assert not panel.problems and len(panel.sweep) == 2
    with pytest.raises(ParameterError):
        panel.set("SDRtoHDR", "as in the base")
    panel.close()
