"""Charts of what went wrong: nothing at all, failed runs, pictures without a score, and far too many lines."""

from __future__ import annotations

import dataclasses
import math

import pytest

from ci_notebook.model.errors import ParameterError
from ci_notebook.results.charts import (
    compute_trace,
    plot_gain,
    plot_importance,
    plot_interaction,
    plot_parallel,
    plot_pareto,
    plot_response,
    plot_timeline,
    plot_trace,
)
from ci_notebook.results.dataframe import to_frame
from ci_notebook.results.verdict.verdict import verdicts
from tests.results.sample_runs import made


def without(run, *at):
    """Return a run whose pictures at these places could not be scored."""
    gone = {name: tuple(math.nan if n in at else v for n, v in enumerate(one)) for name, one in run.pictures.items()}
    return dataclasses.replace(run, pictures=gone)


@pytest.mark.slow
def test_pictures_without_a_score_are_gaps_and_are_not_judged():
    runs = [without(run, 5) if not number else run for number, run in enumerate(made(clips=("city",)))]
    assert not compute_trace(runs)["is_worst"][5]
    assert math.isnan(plot_trace(runs).lines[0].get_ydata()[5])
    (one,) = verdicts(runs, "SharpenLevel", None, 3, on="vmaf_neg")
    assert one.answer == "refused"
    assert "some of its frames have no vmaf_neg" in one.sentence
    with pytest.raises(ParameterError, match="None of these runs has values of vmaf_neg per frame"):
        compute_trace([without(run, *range(60)) for run in runs])


@pytest.mark.slow
def test_many_lines_leave_room_for_themselves():
    runs = made(clips=tuple(f"clip{n}" for n in range(6)))
    axes = plot_trace(runs)
    axes.figure.canvas.draw()
    said = [text.get_text() for text in axes.get_legend().get_texts()]
    assert said[-1] == "and 8 more"
    assert len(said) == 17
    assert axes.get_window_extent().width > 300


@pytest.mark.slow
@pytest.mark.parametrize(
    "draw",
    [
        plot_gain, plot_pareto, plot_parallel, plot_timeline, lambda runs: plot_importance(runs, "vmaf_neg"),
        lambda runs: plot_interaction(runs, "SharpenLevel", "clip", "vmaf_neg"),
        lambda runs: plot_response(runs, "SharpenLevel", "vmaf_neg"),
    ],
)  # fmt: skip
def test_a_chart_of_nothing_says_so(draw):
    failed = [dataclasses.replace(run, job=None, scores={}, pictures={}, cost_cny=None, error="no") for run in made()]
    for runs in ([], failed):
        assert "nothing to show" in [text.get_text() for text in draw(runs).texts]
    assert "nothing to show" not in [text.get_text() for text in draw(made()).texts]


@pytest.mark.slow
def test_a_trace_of_one_clip_names_it():
    axes = plot_trace(made(clips=("city",)))
    assert axes.get_title(loc="left").startswith("city; ")
    assert axes.description.startswith("vmaf_neg of city picture by picture: SharpenLevel")


@pytest.mark.slow
def test_a_job_that_began_and_ended_in_one_second_is_seen():
    runs = made(clips=("city",))
    (first, *rest) = runs
    at_once = dataclasses.replace(first.job, end_time=first.job.start_time)
    axes = plot_timeline([dataclasses.replace(first, job=at_once), *rest])
    assert 0 < min(bar.get_width() for bar in axes.containers[-1]) < 1


def test_a_trace_of_a_table_or_of_a_misspelt_score_says_what_it_needs():
    runs = made(clips=("city",))
    with pytest.raises(ParameterError, match="needs the runs: their table holds no scores per frame"):
        plot_trace(to_frame(runs))
    with pytest.raises(ParameterError, match="Did you mean vmaf_neg"):
        plot_trace(runs, "vmaf_ng")
    with pytest.raises(ParameterError, match="sharpness has no value per frame"):
        plot_trace(runs, "sharpness")
