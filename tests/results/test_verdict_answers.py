"""Each answer follows from the interval and the worth; an open question names its price; one clip and two speak for
themselves."""

from __future__ import annotations

import base64
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from ci_notebook.experiment.pricing.price import EMBEDDED_BUCKET
from ci_notebook.model.api.jobs import Input
from ci_notebook.model.score_sampling import MOST_FRAMES, default_every, scoring_s
from ci_notebook.model.scores import SCORE, Scale
from ci_notebook.results.charts import describe_response, plot_response
from ci_notebook.results.dataframe import to_frame
from ci_notebook.results.verdict.default_score import default_score
from ci_notebook.results.verdict.judgement import answer_of
from ci_notebook.results.verdict.more_data import clips_needed
from ci_notebook.results.verdict.verdict import Verdict, all_verdicts, verdict, verdicts
from tests.results.sample_runs import made

MORE = Scale(better="more", worth=2.0)
LESS = replace(MORE, better="less")
NEITHER = replace(MORE, better="")
NO_WORTH = replace(MORE, worth=0.0)
FIVE = ("a", "b", "c", "d", "e")


def known(runs):
    """Return the runs as if all of their frames were scored."""
    return [replace(run, every=1) for run in runs]


def differing_by(*differences, every=1, frames=60, **more):
    """Return runs at 0 and 6 on clips whose VMAF-NEG differs by these values, with ripples between frames."""
    ripple = 0.2 * np.sin(np.arange(frames))
    runs = []
    for run in made(clips=tuple(f"clip{n}" for n in range(len(differences))), pictures=frames, **more):
        level = run.setting.ms_sharpen and run.setting.ms_sharpen.sharpen_level
        if level in (0, 6):
            change = differences[int(run.clip.removeprefix("clip"))] * (level == 6)
            values = tuple(map(float, 80 + change + ripple * (level == 6) - ripple.mean() * (level == 6)))
            scores = {**run.scores, "vmaf_neg": float(np.mean(values))}
            runs.append(replace(run, every=every, pictures={"vmaf_neg": values}, scores=scores))
    return runs


def judged(*differences, **more) -> Verdict:
    """Return the verdict on runs whose clips differ by these values."""
    return verdict(differing_by(*differences, **more), "SharpenLevel", 0, 6, on="vmaf_neg")


@pytest.mark.parametrize(
    ("scale", "low", "high", "answer"),
    [
        (MORE, -1.9, 1.9, "equivalent"),
        (MORE, 0.5, 1.9, "equivalent"),  # wins over better
        (MORE, -1.9, 2.0, "not worse"),  # the limit itself is worth having
        (MORE, -2.0, 1.0, "undecided"),
        (MORE, 0.1, 2.0, "better"),
        (MORE, 0.0, 2.0, "not worse"),  # 0 is no gain
        (MORE, -3.0, -0.1, "worse"),
        (MORE, -3.0, 0.0, "undecided"),
        (MORE, -3.0, 3.0, "undecided"),
        (MORE, 2.0, 2.0, "better"),
        (MORE, -2.0, -2.0, "worse"),
        (LESS, 0.1, 2.0, "worse"),
        (LESS, -3.0, -0.1, "better"),
        (LESS, -3.0, 1.9, "not worse"),
        (LESS, -3.0, 2.0, "undecided"),
        (LESS, -1.0, 1.0, "equivalent"),
        (NEITHER, 0.1, 2.0, "higher"),
        (NEITHER, -2.0, -0.1, "lower"),
        (NEITHER, -1.0, 1.0, "equivalent"),
        (NEITHER, -1.0, 3.0, "undecided"),
        (NO_WORTH, 1e-9, 1.0, "better"),
        (NO_WORTH, -1.0, -1e-9, "worse"),
        (NO_WORTH, -1e-9, 1.0, "undecided"),
        (NO_WORTH, 0.0, 0.0, "equivalent"),
        (SCORE["sharpness"], 0.05, 0.09, "equivalent"),  # up to 10 %, as the log of a ratio
        (SCORE["sharpness"], 0.05, 0.096, "higher"),
    ],
)
def test_an_answer_follows_from_the_interval_and_the_worth(scale, low, high, answer):
    assert answer_of(low, high, scale) == answer


@pytest.mark.parametrize(
    ("difference", "answer"),
    [(-2.01, "worse"), (-1.99, "equivalent"), (0.0, "equivalent"), (1.99, "equivalent"), (2.01, "better")],
)
def test_the_difference_on_a_fully_scored_clip_is_known(difference, answer):
    found = judged(difference)
    assert (found.answer, found.about, found.is_known) == (answer, "this clip", True)
    assert found.effect == pytest.approx(difference, abs=1e-9)
    assert found.low is found.high is found.probability is None
    assert "All 60 frames of clip0 were scored, so this is known for that clip." in found.sentence
    assert "It says nothing about other clips." in found.sentence
    assert "interval" not in found.sentence


def test_a_verdict_reads_as_plain_sentences():
    assert "are equivalent: the difference is 0. That is less than 2, the smallest" in judged(0.0).sentence
    left_out = verdict(made(clips=FIVE), "SharpenLevel", 6, None, on="vmaf_neg").sentence
    assert "The probability that leaving it out is better is over 99.9 %." in left_out
    several = verdicts(made(clips=FIVE), "SharpenLevel", on="vmaf_neg")
    assert "It may be less than 2, the smallest difference worth having." in several[-1].sentence
    assert all("This is one of 6 comparisons; Holm's method corrects for that." in one.sentence for one in several)


def test_a_sampled_clip_has_an_interval_and_an_open_question_names_its_time():
    found = judged(-2.78, every=7)
    assert (found.answer, found.about) == ("worse", "this clip")
    assert found.low < -2.78 < found.high
    wavering = verdict(made(clips=("city",), effect=-0.35, noise=1), "SharpenLevel", 0, 6, on="vmaf_neg")
    assert wavering.answer == "undecided"
    assert wavering.more_clips == 0 and wavering.more_cost == 0
    assert re.search(r"Scoring every frame \(every=1, about \d+ s\) would probably show that 6 is worse", str(wavering))


def test_too_few_sampled_frames_say_so_and_what_to_do():
    found = judged(-5.0, every=5, frames=47)
    assert (found.answer, found.low) == ("undecided", None)
    assert not found.is_known
    assert "47 sampled frames of clip0 are too few to know how much they vary (at least 48 are needed)" in str(found)
    assert "Scoring every frame (every=1, about" in str(found)
    assert judged(-5.0, every=5, frames=48).answer == "worse"


def test_a_number_of_the_whole_clip_is_known_for_that_clip():
    runs = made(clips=("city",))
    size = verdict(runs, "SharpenLevel", 0, 6, on="size_bytes")
    assert (size.answer, size.unit, size.about) == ("worse", "%", "this clip")
    assert "Measured on city. It says nothing about other clips." in size.sentence
    sharp = verdict(runs, "SharpenLevel", 0, 6, on="sharpness")
    assert sharp.answer == "higher"
    assert "Measured on a few frames of city" in sharp.sentence
    pooled = [replace(run, scores={**run.scores, "vmaf_neg_p5": 70.0 + n}) for n, run in enumerate(runs)]
    assert verdict(pooled, "SharpenLevel", 0, 6, on="vmaf_neg_p5").answer == "undecided", "from sampled frames"
    assert verdict(known(pooled), "SharpenLevel", 0, 6, on="vmaf_neg_p5").answer == "better"


@pytest.mark.parametrize(
    ("differences", "answer", "words"),
    [
        ((-18, -22), "worse", "SharpenLevel 6 is worse than 0: both clips fell, by 18 and 22. Both are more than 2, "),
        ((4, 2.01), "better", "SharpenLevel 6 is better than 0: both clips rose, by 4 and 2.01. Both are more than 2,"),
        ((1, -1), "equivalent", "are equivalent on both clips: the differences are 1 on clip0 and -1 on clip1."),
        ((5, -1), "not worse", "is not worse than 0 on either clip: the differences are 5 on clip0 and -1 on clip1."),
        ((5, -5), "undecided", "cannot be ranked on these two clips: the differences are 5 on clip0 and -5 on clip1."),
        (
            (-1, -5),
            "undecided",
            "cannot be ranked on these two clips: the differences are -1 on clip0 and -5 on clip1.",
        ),
    ],
)
def test_two_clips_are_judged_for_themselves(differences, answer, words):
    found = judged(*differences)
    assert (found.answer, found.about) == (answer, "these clips")
    assert words in found.sentence
    assert found.low is None, "no interval over two clips"
    assert "It says nothing about other clips." in found.sentence
    assert verdict(differing_by(*differences)[::-1], "SharpenLevel", 0, 6, on="vmaf_neg").answer == answer


def test_two_sampled_clips_must_both_support_the_answer():
    found = judged(-18, -22, every=7)
    assert found.answer == "worse"
    assert found.low < -22 < found.spans[1][1] < found.spans[0][0] < -18 < found.high
    assert found.probability < 0.001
    assert re.search(
        r"both clips fell, by 18 and 22\. The 95 % intervals are 1[78].* to .* and 2[12].* to ", found.sentence
    )
    mixed = [run if run.clip == "clip0" else replace(run, every=1) for run in differing_by(-18, -22, every=7)]
    half = verdict(mixed, "SharpenLevel", 0, 6, on="vmaf_neg")
    assert half.answer == "worse" and half.spans[0] is not None and half.spans[1] is None
    assert judged(-18, 22, every=7).answer == "undecided"


def test_from_three_clips_on_the_answer_is_about_clips_like_these():
    found = judged(-5, -5.5, -6)
    assert (found.answer, found.about) == ("worse", "clips like these")
    assert found.low < -5.5 < found.high
    better = judged(6, 1, 8)
    assert better.answer == "undecided", "the interval reaches below -2"
    assert judged(6, 2, 8, 7, 2, 5).answer == "better"
    assert judged(-1.5, 2, 8, 4, -1, 5).answer == "not worse"
    assert "A loss of 2 or more is excluded." in judged(-1.5, 2, 8, 4, -1, 5).sentence


@pytest.mark.parametrize(("spread", "distance"), [(1.0, 0.5), (2.0, 1.1), (5.0, 1.0), (1.0, 1.0)])
def test_the_number_of_clips_has_the_stated_power(spread, distance):
    """Against the exact power of the t test, from the noncentral t distribution."""

    def power(count):
        limit = stats.t.ppf(0.975, count - 1)
        return stats.nct.sf(limit, count - 1, distance / spread * count**0.5)

    needed = clips_needed(spread, distance)
    assert power(needed) == pytest.approx(0.8, abs=0.03)
    assert power(needed - 2) < 0.8 < power(needed + 1)
    assert clips_needed(spread, distance, level=0.99) > needed
    assert clips_needed(1e-9, 1.0) == 3


def test_an_open_question_names_the_clips_and_the_money_that_would_decide_it():
    found = judged(-1, -6, -3, -4, 1)
    assert found.answer == "undecided"
    means = np.array([-1, -6, -3, -4, 1])
    assert found.more_clips == clips_needed(means.std(ddof=1), 2.6) - 5 == 6
    assert found.more_cost == pytest.approx(6 * 0.02), "a run at 6 costs 0.02 CNY, one at 0 nothing"
    assert found.currency == "CNY"
    assert "About 6 more clips like these (0.12 CNY) would probably show that 6 is worse." in found.sentence
    row = found.to_frame().iloc[0]
    assert (row["more_clips"], row["currency"], row["about"]) == (6, "CNY", "clips like these")
    assert found.likely == "worse"


def test_on_the_embedded_engine_more_clips_are_free_and_take_a_time():
    local = Input(object="input/a.mp4", bucket_id=EMBEDDED_BUCKET)
    runs = [replace(run, job=replace(run.job, input=local)) for run in differing_by(-1, -6, -3, -4, 1)]
    found = verdict(runs, "SharpenLevel", 0, 6, on="vmaf_neg")
    assert found.more_cost == 0
    assert found.more_s > 6 * 2 * 50, "a job took about a minute"
    assert re.search(r"About 6 more clips like these \(free on the embedded engine, about .* min\) would", str(found))


def test_a_price_that_is_not_known_is_not_named():
    runs = [replace(run, cost_cny=None) for run in differing_by(-1, -6, -3, -4, 1)]
    found = verdict(runs, "SharpenLevel", 0, 6, on="vmaf_neg")
    assert found.more_cost is None
    assert "About 6 more clips like these would probably show" in found.sentence


def test_an_effect_too_small_for_a_reasonable_price_is_called_so():
    found = judged(1, -12, 10, -6, 5)
    assert found.answer == "undecided"
    assert found.more_clips > 50
    assert "more clips like these (" in found.sentence
    assert "would be needed. The effect is too small, compared with its spread, to be decided" in found.sentence


def test_two_clips_that_disagree_say_how_many_more_would_decide():
    found = judged(5, -5)
    assert found.more_clips is not None and found.more_clips > 1
    assert f"{found.more_clips} more clips like these" in found.sentence


def test_known_differences_need_no_correction():
    several = verdicts(known(made()), "SharpenLevel", on="vmaf_neg")
    assert {one.compared for one in several} == {1}
    assert [one.answer for one in several] == [
        verdict(known(made()), "SharpenLevel", one.first, one.second, on="vmaf_neg").answer
        if one.first != "left out"
        else one.answer
        for one in several
    ]
    assert {one.level for one in all_verdicts(known(made()))} == {0.95}
    assert {one.compared for one in all_verdicts(made(clips=FIVE))} == {3}


def test_without_a_name_the_most_telling_score_that_all_runs_have_is_taken():
    old = made(clips=FIVE)
    assert default_score(to_frame(old)).name == "vmaf_neg"
    found = verdict(old, "SharpenLevel", 0, 6)
    assert found.on == "vmaf_neg"
    assert found.sentence.endswith("No run has vmaf_v1, so vmaf_neg is used.")
    small = [replace(run, score_note="No VMAF v1. The frames are too small.") for run in old]
    assert default_score(to_frame(small)).note == "No run has vmaf_v1 (score_note says why), so vmaf_neg is used."
    new = [replace(run, scores={**run.scores, "vmaf_v1": 70.0}) for run in old]
    assert (default_score(to_frame(new)).name, default_score(to_frame(new)).note) == ("vmaf_v1", "")
    assert verdict(new, "SharpenLevel", 0, 6).note == ""
    partly = [*new[:-1], old[-1]]
    assert default_score(to_frame(partly)).note == "1 of 20 runs has no vmaf_v1, so vmaf_neg is used."
    assert verdict(partly, "SharpenLevel", 0, 3).on == "vmaf_v1", "only the compared runs count"
    mixed = [replace(run, vmaf_v1_model=f"vmaf_v1.0.16_{'3d0h' if n else '5d0h'}") for n, run in enumerate(new)]
    assert "different models (vmaf_v1.0.16_3d0h, vmaf_v1.0.16_5d0h)" in default_score(to_frame(mixed)).note
    assert default_score(to_frame(mixed)).name == "vmaf_neg"
    failed = [*new[:-1], replace(old[-1], error="EngineError: out of luck")]
    assert default_score(to_frame(failed)).name == "vmaf_v1", "a failed run does not count"
    assert default_score(to_frame([])).name == "vmaf_neg"
    assert verdict([replace(run, scores={}, pictures={}) for run in old], "SharpenLevel", 0, 6).answer == "refused"


def test_a_chart_takes_the_same_score_and_says_why():
    runs = made()
    words = describe_response(runs, "SharpenLevel")
    assert words.startswith("vmaf_neg over MsSharpen.SharpenLevel")
    assert words.endswith("No run has vmaf_v1, so vmaf_neg is used.")
    axes = plot_response(runs, "SharpenLevel")
    assert axes.get_ylabel() == "vmaf_neg" and axes.description == words


def test_a_card_says_what_the_score_is_and_what_it_cannot_say():
    def card(against, on="vmaf_neg"):
        runs = [replace(run, score_against=against) for run in differing_by(-5)]
        return verdict(runs, "SharpenLevel", 0, 6, on=on)._repr_html_()

    assert "VMAF-NEG: VMAF without enhancement gain, 0 to 100." in card("source")
    assert "it says how much was kept, not which video people prefer" in card("source")
    assert "It compares with a true reference." in card("reference")
    assert "prefer" not in card("reference") and "prefer" not in card("source", on="size_bytes")


def test_a_drawing_is_an_image_of_its_own():
    for found in (judged(-5), judged(-5, 5), judged(-5, -6, -7), judged(-5, -6, every=7)):
        html = found._repr_html_()
        assert "<svg" not in html
        (source,) = re.findall(r"src='data:image/svg\+xml;base64,([^']+)'", html)
        svg = base64.b64decode(source).decode()
        assert svg.startswith("<svg xmlns='http://www.w3.org/2000/svg'")
        assert ("stroke-width='4'" in svg) == (found.low is not None), "an interval where there is one"
        assert svg.count("r='4'") == len(found.clips) * (len(found.clips) > 1), "rings for several clips"
        assert re.search(r"<img alt='Difference -?[\d.]+(, interval from .*)?; the line is at 0'", html)


@pytest.mark.parametrize(
    ("frames", "every"), [(0, 1), (1, 1), (75, 1), (350, 1), (351, 7), (2450, 7), (2451, 11), (90_000, 259)]
)
def test_short_clips_are_scored_wholly_and_long_ones_at_a_distance_that_does_not_alias(frames, every):
    assert default_every(frames) == every
    assert -(-frames // every) <= MOST_FRAMES
    if every > 1:
        assert -(-frames // every) >= 50, "enough for an interval over frames"
        assert all(np.gcd(every, period) == 1 for period in (2, 3, 4, 5, 8, 12, 15, 24, 25, 30, 48, 50, 60, 240, 250))


def test_the_time_of_scoring_grows_with_frames_and_area():
    small, large = (scoring_s(75, width=w, height=h) for w, h in ((640, 360), (1920, 1080)))
    assert 4 * small < large < 9 * small, "a part of the time does not depend on the area"
    assert large == pytest.approx(75 * 0.093, rel=0.01)
    assert scoring_s(75, width=1920, height=1080, every=5) == pytest.approx(75 * 0.046, rel=0.01)
    assert scoring_s(150, width=1920, height=1080) == pytest.approx(2 * large)
