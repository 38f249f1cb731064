"""An exercise accepts the answer that the data supports, and gives a hint for every other."""

from types import SimpleNamespace

import pandas as pd
import pytest

import ci_notebook as ci
from ci_notebook.course.exercises import EXERCISES
from ci_notebook.model.errors import ParameterError

KNOBS = pd.DataFrame({
    "ColorEnhance.Contrast": [0, 50, 0, 0], "ColorEnhance.Saturation": [0, 0, 300, 0],
    "MsSharpen.SharpenLevel": [0, 0, 0, 10], "noise": [2.0, 2.2, 2.1, 5.0],
})  # fmt: skip
VERSIONS = pd.DataFrame({"SuperResolution.Version": ["Enhance", "Base"], "vmaf_neg": [85.0, 81.0]})
LEVELS = pd.DataFrame({
    "MsSharpen.SharpenLevel": [0, 4, 8] * 2, "vmaf": [80, 90, 95, 82, 91, 94.0], "vmaf_neg": [80, 82, 70, 81, 83, 70.0]
})  # fmt: skip
COLOURS = pd.DataFrame({"ColorEnhance.Correction": [0, 500, 1000], "delta_e": [9.0, 4.0, 6.0]})
HDR = pd.DataFrame(
    {"SDRtoHDR.HdrMode": [None, "HLG", "HDR10"], "color_transfer": ["bt709", "arib-std-b67", "smpte2084"]}
)
MOTION = pd.DataFrame({
    "clip": ["city", "raccoon", "raccoon"], "FrameEnhance.FrameDoubling": pd.array([None, None, True], "boolean"),
    "psnr": [20.0, 30.0, 35.0],
})  # fmt: skip
SURE = SimpleNamespace(low=-3.0, high=-1.0, why="")


class Reader:
    """A lab in which nothing is hidden in any clip."""

    def extract_digital_watermark(self, clip):
        return SimpleNamespace(wait=lambda: SimpleNamespace(hidden_text=""))


SOLVED = {
    "knobs.noise": ("SharpenLevel", "Contrast", (KNOBS,)),
    "superres.gain": (4.0, 12.0, (VERSIONS,)),
    "trap.levels": ((8, 4), (0, 0), (LEVELS,)),
    "colour.best": (500, 1000, (COLOURS,)),
    "hdr.transfer": ("SMPTE2084", "bt709", (HDR,)),
    "motion.gain": (5.1, -5.0, (MOTION,)),
    "ab.jobs": (6, 5, ([1, 2], [1, 2, 3])),
    "ab.sure": (False, True, (SURE,)),
    "marks.none": ("", "ticket-42", (Reader(), "clip")),
    "cloud.sent": (1, 2, (["job"],)),
}


def test_every_exercise_is_solved_here():
    assert set(SOLVED) == set(EXERCISES)


@pytest.mark.parametrize("name", EXERCISES)
def test_a_correct_answer_passes_and_a_wrong_one_gets_a_hint(name):
    truth, other, evidence = SOLVED[name]
    assert ci.check(name, truth, *evidence).state == "right"
    first = ci.check(name, other, *evidence)
    assert first.state == "wrong"
    assert first.hint == (EXERCISES[name].hints[0] if EXERCISES[name].hints else "")
    again = ci.check(name, other, *evidence)
    assert again.hint == EXERCISES[name].hints[-1 if len(EXERCISES[name].hints) == 1 else 1]
    assert ci.check(name, truth, *evidence).is_right


@pytest.mark.parametrize("name", EXERCISES)
def test_without_an_answer_it_asks(name):
    asked = ci.check(name)
    assert asked.state == "open"
    assert asked.text == EXERCISES[name].question
    assert ci.check(name, ..., *SOLVED[name][2]) == asked


@pytest.mark.parametrize(("name", "answer"), [
    ("superres.gain", "four"), ("superres.gain", True), ("trap.levels", 8), ("ab.sure", 1), ("knobs.noise", "Grain"),
])  # fmt: skip
def test_an_answer_of_the_wrong_type_is_reported_with_the_expected_type(name, answer):
    said = ci.check(name, answer, *SOLVED[name][2])
    assert said.state == "wrong"
    assert "The answer must be" in said.text


def test_near_and_partly_correct_answers_are_reported_as_such():
    assert ci.check("superres.gain", 4.5, VERSIONS).state == "near"
    assert "first is right" in ci.check("trap.levels", (8, 0), LEVELS).text
    assert "sign" in ci.check("superres.gain", -4, VERSIONS).text


def test_feedback_is_escaped_and_says_its_state_in_words():
    html = ci.check("marks.none", "<b>x</b>", Reader(), "clip")._repr_html_()
    assert "<b>x</b>" not in html
    assert "Not yet" in html


def test_a_name_that_is_none_is_refused_with_those_that_are():
    with pytest.raises(ParameterError, match=r"cloud\.sent"):
        ci.check("cloud.send", 1)
