"""A verdict says no more than its data can carry: intervals hold what they say, and refusals say why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ci_notebook.experiment.sweep import grid
from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.scores import COSTS, SCORES
from ci_notebook.results.dataframe import to_frame
from ci_notebook.results.verdict.paired_statistics import of_clips, of_frames
from ci_notebook.results.verdict.verdict import Verdicts, verdict, verdicts
from tests.benchmarks.bench_verdict import series
from tests.results.sample_runs import made

FIVE = ("a", "b", "c", "d", "e")


def test_a_clear_difference_is_found_with_its_size():
    found = verdict(made(clips=FIVE), "SharpenLevel", 0, 6, on="vmaf_neg")
    assert found.answer == "worse"
    assert found.low < -4.8 < found.high
    assert found.probability < 0.001
    assert len(found.clips) == 5
    assert found.pictures == 300
    assert found.sentence.startswith("On vmaf_neg, SharpenLevel 6 is worse than 0 by ")
    assert "the answer is about clips like these." in found.sentence


@pytest.mark.slow
def test_the_other_way_round_is_the_opposite():
    there = verdict(made(clips=FIVE), "SharpenLevel", 0, 6, on="vmaf_neg")
    back = verdict(made(clips=FIVE), "SharpenLevel", 6, 0, on="vmaf_neg")
    assert back.answer == "better"
    assert (back.effect, back.low, back.high) == pytest.approx((-there.effect, -there.high, -there.low))
    assert back.probability == pytest.approx(1 - there.probability)


@pytest.mark.slow
def test_a_difference_too_small_to_matter_is_called_so():
    found = verdict(made(clips=FIVE, effect=-0.01, spread=0.01), "SharpenLevel", 0, 6, on="vmaf_neg")
    assert found.answer == "equivalent"
    assert "SharpenLevel 6 and 0 are equivalent" in found.sentence
    assert "The whole interval is within ±2, the smallest difference worth having." in found.sentence
    strict = verdict(made(clips=FIVE, effect=-0.01, spread=0.01), "SharpenLevel", 0, 6, on="vmaf_neg", worth=0.001)
    assert strict.answer != "equivalent"


def test_clips_that_all_moved_alike_are_told_apart_from_a_proof_for_others():
    found = verdict(made(clips=("a", "b", "c"), effect=-0.8, spread=0.5, seed=2), "SharpenLevel", 0, 6, on="vmaf_neg")
    assert found.answer == "undecided"
    assert not found.is_sure
    assert "cannot be distinguished" in found.sentence
    assert "All of these clips fell, by" in found.sentence
    assert "but they are too few to conclude about others." in found.sentence


@pytest.mark.slow
def test_lower_is_better_where_it_is():
    runs = made(clips=FIVE)
    assert verdict(runs, "SharpenLevel", 0, 6, on="vmaf_minus_neg").answer == "worse"
    size = verdict(runs, "SharpenLevel", 0, 6, on="size_bytes")
    assert (size.answer, size.unit) == ("worse", "%")
    assert size.effect == pytest.approx(45, abs=0.1)
    assert verdict(runs, "SharpenLevel", 0, 6, on="sharpness").answer == "higher"


def test_left_out_and_auto_are_values():
    runs = made(grid(None, SharpenLevel=[None, AUTO, 6]), FIVE)
    assert verdict(runs, "SharpenLevel", None, AUTO, on="vmaf_neg").answer == "worse"
    assert "worse than leaving it out" in verdict(runs, "SharpenLevel", None, 6, on="vmaf_neg").sentence


def test_other_parameters_are_averaged_over_and_named():
    runs = made(grid(None, SharpenLevel=[0, 6], Resolution=[None, "sdtohd"]), FIVE)
    found = verdict(runs, "SharpenLevel", 0, 6, on="vmaf_neg")
    assert found.over == ("SuperResolution.Resolution",)
    assert len(found.clips) == 5
    assert "as a mean over SuperResolution.Resolution" in found.sentence


def test_one_clip_speaks_for_itself():
    found = verdict(made(clips=("city",)), "SharpenLevel", 0, 6, on="vmaf_neg")
    assert found.answer == "worse"
    assert found.independent < 60
    assert "It says nothing about other clips." in found.sentence


@pytest.mark.parametrize(
    ("runs", "on", "why"),
    [
        ([replace(run, job=JobsDetail(state="Failed")) for run in made()], "vmaf_neg", "the run at 0 failed"),
        ([replace(run, pictures={}, scores={}) for run in made()], "vmaf_neg", "no vmaf_neg"),
        ([run for run in made() if ("0" in repr(run)) == (run.clip == "sea")], "vmaf_neg", "no run at"),
    ],
    ids=["failed", "unscored", "unpaired"],
)
def test_a_question_without_a_pair_of_scored_runs_is_refused_with_the_reason(runs, on, why):
    found = verdict(runs, "SharpenLevel", 0, 6, on=on)
    assert found.answer == "refused"
    assert found.effect is None
    assert why in found.sentence
    assert found._repr_html_()


def test_a_clip_whose_run_failed_is_left_out_by_name():
    runs = made(clips=FIVE)
    runs[3] = replace(runs[3], error="EngineError: out of luck")
    found = verdict(runs, "SharpenLevel", 0, 6, on="vmaf_neg")
    assert len(found.clips) == 4
    assert "Left out: a: the run at 6 failed (EngineError: out of luck)" in found.sentence


@pytest.mark.parametrize("change", [{"every": 1}, {"pictures": {"vmaf_neg": (80.0,) * 30}}], ids=["every", "length"])
def test_pictures_that_do_not_belong_together_are_not_paired(change):
    runs = [replace(run, **change) if "6" in repr(run) else run for run in made(clips=("city",))]
    assert verdict(runs, "SharpenLevel", 0, 6, on="vmaf_neg").answer == "refused"


@pytest.mark.parametrize(
    ("parameter", "first", "second", "on"),
    [
        ("Sharp", 0, 6, "vmaf_neg"),
        ("SharpenLevel", 0, 7, "vmaf_neg"),
        ("SharpenLevel", 0, 0, "vmaf_neg"),
        ("SharpenLevel", 0, 6, "quality"),
        ("SharpenLevel", 0, 6, "state"),
        ("vmaf", 0, 6, "vmaf_neg"),
    ],
)
def test_a_question_about_a_missing_column_is_an_error(parameter, first, second, on):
    with pytest.raises(ParameterError):
        verdict(made(), parameter, first, second, on=on)


def test_the_same_runs_give_the_same_verdict_to_the_letter():
    first, second = (verdict(made(clips=("city",)), "SharpenLevel", 0, 6, on="vmaf_neg") for _ in "12")
    assert first == second
    assert first._repr_html_() == second._repr_html_()


def test_html_is_escaped_and_needs_nothing_from_outside():
    html = verdict(made(clips=("<script>", "b", "c")), "SharpenLevel", 0, 6, on="vmaf_neg")._repr_html_()
    assert "<script>" not in html
    assert "http" not in html
    assert "<img alt='Difference " in html
    assert "<svg" not in html, "a notebook that is not trusted strips it and leaves its text"


@pytest.mark.slow
def test_several_comparisons_are_corrected_for():
    found = verdicts(made(clips=FIVE), "SharpenLevel", on="vmaf_neg")
    assert [(one.first, one.second) for one in found][:2] == [("left out", "0"), ("left out", "3")]
    assert len(found) == 6
    assert {one.compared for one in found} == {6}
    assert max(one.level for one in found) == pytest.approx(1 - 0.05 / 6)
    alone = verdict(made(clips=FIVE), "SharpenLevel", 0, 6, on="vmaf_neg")
    among = next(one for one in found if (one.first, one.second) == ("0", "6"))
    assert among.high - among.low > alone.high - alone.low
    assert found[:2] == Verdicts([found[0], found[1]])
    assert repr(found).count("\n") == 6


@pytest.mark.slow
def test_a_baseline_is_compared_with_all_others():
    found = verdicts(made(clips=FIVE), "SharpenLevel", on="vmaf_neg", baseline=0)
    assert [(one.first, one.second) for one in found] == [("0", "left out"), ("0", "3"), ("0", "6")]
    assert [one.second for one in verdicts(made(clips=FIVE), "SharpenLevel", 3, 6, on="vmaf_neg", baseline=None)] == [
        "3",
        "6",
    ]


@pytest.mark.slow
def test_verdicts_are_a_frame():
    df = verdicts(made(clips=FIVE), "SharpenLevel", 0, 3, 6, on="vmaf_neg").to_frame()
    assert list(df.columns[:6]) == ["parameter", "first", "second", "on", "answer", "effect"]
    assert len(df) == 3
    assert (df.dtypes == Verdicts([]).to_frame().dtypes).all()


def test_students_t_agrees_with_the_tables():
    for count, table in ((2, 12.7062), (3, 4.30265), (6, 2.57058), (31, 2.04227)):
        values = np.linspace(-1, 1, count)
        made_of = of_clips(list(values))
        assert made_of.high / (values.std(ddof=1) / count**0.5) == pytest.approx(table, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("pictures", "rho", "noise"), [(75, 0.7, 0.0), (48, 0.9, 0.2), (60, 0.9, 0.4)])
def test_intervals_have_their_stated_coverage_with_correlated_frames(pictures, rho, noise):
    """The full simulation is `tests.benchmarks.bench_verdict`; 200 series know their share to about 1.5 points."""
    drawn = series(200, pictures, rho, np.random.default_rng(5), noise)
    holds = [made_of.low <= 0 <= made_of.high for made_of in (of_frames([one]) for one in drawn)]
    assert np.mean(holds) >= 0.925


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 1.0])
@pytest.mark.parametrize("clips", [2, 5])
def test_intervals_over_clips_have_their_stated_coverage(clips, spread):
    draw = np.random.default_rng(7)
    means = np.stack([series(2000, n, 0.8, draw).mean(axis=1) for n in range(20, 20 + 10 * clips, 10)], axis=1)
    means += spread * draw.standard_normal(means.shape)
    holds = [made_of.low <= 0 <= made_of.high for made_of in (of_clips(list(one)) for one in means)]
    assert np.mean(holds) == pytest.approx(0.95, abs=0.02)


def test_long_series_are_no_surer_for_being_cut_finer():
    one = series(1, 1500, 0.9, np.random.default_rng(2))[0]
    fine, coarse = of_frames([one]), of_frames([one.reshape(-1, 15).mean(axis=1)])
    assert (fine.high - fine.low) == pytest.approx(coarse.high - coarse.low, rel=0.15)


def test_every_scale_has_a_smallest_difference_worth_having():
    assert all(scale.worth > 0 for scale in COSTS.values())
    assert [score.name for score in SCORES if not score.worth] == ["si", "ti"], "no such difference is known"


def test_intervals_over_three_clips_are_those_of_the_closed_formula_of_t_with_two_degrees_of_freedom():
    values, worth = [0.3, 1.1, 0.7], 0.25
    mean, error = np.mean(values), np.std(values, ddof=1) / 3**0.5
    margin = 0.95 * (2 / (1 - 0.95**2)) ** 0.5 * error

    def below(limit):
        t = (limit - mean) / error
        return 0.5 + t / (2 * (2 + t * t) ** 0.5)

    estimate = of_clips(values, worth=worth)
    expected = (mean, mean - margin, mean + margin, 1 - below(0), below(worth) - below(-worth))
    given = (estimate.mean, estimate.low, estimate.high, estimate.above, estimate.inside)
    assert given == pytest.approx(expected, abs=1e-9)


def test_a_table_of_runs_is_judged_clip_by_clip_as_the_runs_are():
    runs = made(clips=FIVE)
    of_runs = verdict(runs, "SharpenLevel", 0, 6, on="vmaf_neg")
    of_table = verdict(to_frame(runs), "SharpenLevel", 0, 6, on="vmaf_neg")
    assert (of_table.answer, of_table.low, of_table.high) == pytest.approx(
        (of_runs.answer, of_runs.low, of_runs.high), abs=1e-9
    )
    several, of_tables = (verdicts(data, "SharpenLevel", on="vmaf_neg") for data in (runs, to_frame(runs)))
    assert [one.answer for one in of_tables] == [one.answer for one in several]
    one_clip = verdict(to_frame(made(clips=("city",))), "SharpenLevel", 0, 6, on="vmaf_neg")
    assert one_clip.answer == "undecided"
    assert "a table holds no scores per frame, so pass the runs" in one_clip.sentence
    known = to_frame([replace(run, every=1) for run in made(clips=("city",))])
    assert verdict(known, "SharpenLevel", 0, 6, on="vmaf_neg").answer == "worse"


def test_a_misspelt_score_is_told_what_was_meant():
    with pytest.raises(ParameterError, match=r"'vmaf_ng'. Did you mean vmaf_neg.* The scores are psnr, ssim"):
        verdict(made(), "SharpenLevel", 0, 6, on="vmaf_ng")
    with pytest.raises(ParameterError, match="Did you mean SharpenLevel"):
        verdict(made(), "SharpnLevel", 0, 6, on="vmaf_neg")
