"""Every chart is a frame first, takes axes, says what it shows, and leaves nothing behind."""

from __future__ import annotations

from dataclasses import replace

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ci_notebook.experiment.sweep import grid
from ci_notebook.model.errors import ParameterError
from ci_notebook.results import charts
from ci_notebook.results.charts.importance import REST
from ci_notebook.results.dataframe import to_frame
from tests.results.sample_runs import level_of, made

WIDE = grid(None, SharpenLevel=[None, 0, 3, 6], Resolution=[None, "sdtohd"])
CRF = grid(None, SharpenLevel=[0, 6], Crf=[18, 23, 28, 33], Format="mp4")


def two_parameters():
    """Sharpening costs 1 a level, super-resolution adds 5, and both cost money."""
    runs = []
    for run in made(WIDE):
        doubled = run.setting.super_resolution is not None
        base = 80 if run.clip == "city" else 90
        neg = base - level_of(run.setting) + 5 * doubled
        scores = {"vmaf_neg": neg, "vmaf": neg + 0.9 * level_of(run.setting)}
        runs.append(replace(run, scores=scores, cost_cny=0.1 * doubled + 0.02 * (run.setting.ms_sharpen is not None)))
    return runs


def families(less=0.9):
    """Two families of four sizes; the second needs `less` of the first's at equal quality."""
    runs = []
    for run in made(CRF, ("city",)):
        crf = run.setting.transcode.video.crf
        size = round(1e6 * 2 ** (-(crf - 18) / 6) * (less if level_of(run.setting) else 1))
        info = run.job.operation.media_info
        operation = replace(run.job.operation, media_info=replace(info, format=replace(info.format, size=size)))
        runs.append(replace(run, job=replace(run.job, operation=operation), scores={"vmaf_neg": 110.0 - crf}))
    return runs


OVER = ("SharpenLevel", "Resolution")
DRAWN = {
    "response": lambda ax: charts.plot_response(two_parameters(), "SharpenLevel", "vmaf_neg", "Resolution", ax=ax),
    "interaction": lambda ax: charts.plot_interaction(
        two_parameters(), "SharpenLevel", "Resolution", "vmaf_neg", ax=ax
    ),
    "pareto": lambda ax: charts.plot_pareto(two_parameters(), hue="Resolution", ax=ax),
    "bd_rate": lambda ax: charts.plot_bd_rate(families(), "SharpenLevel", 0, 6, size="size_bytes", ax=ax),
    "importance": lambda ax: charts.plot_importance(two_parameters(), "vmaf_neg", ax=ax),
    "parallel": lambda ax: charts.plot_parallel(two_parameters(), ax=ax),
    "trace": lambda ax: charts.plot_trace(made(), ax=ax),
    "needle": lambda ax: charts.plot_needle(two_parameters(), ax=ax),
    "timeline": lambda ax: charts.plot_timeline(made(), ax=ax),
    "gain": lambda ax: charts.plot_gain(two_parameters(), ax=ax),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWN)
def test_a_chart_draws_on_given_axes_and_changes_nothing_else(name):
    before = dict(mpl.rcParams)
    axes = Figure().add_subplot()
    assert DRAWN[name](axes) is axes
    assert axes.get_xlabel() or name == "parallel"
    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWN)
def test_a_chart_shows_itself_with_one_sentence_the_same_each_time(name):
    first, second = (DRAWN[name](None) for _ in "12")
    assert first.description.endswith(".")
    assert "nan" not in first.description.lower()
    assert first._repr_html_().startswith("<figure")
    assert first._repr_html_() == second._repr_html_()


@pytest.mark.slow
def test_interaction_is_the_mean_at_every_pair():
    data = charts.compute_interaction(two_parameters(), "SharpenLevel", "Resolution", "vmaf_neg")
    assert len(data) == 8
    assert data["vmaf_neg"].max() == 90
    assert "beyond the sum of the two effects, is at most 0." in charts.describe_interaction(
        two_parameters(), "SharpenLevel", "Resolution", "vmaf_neg"
    )
    with pytest.raises(ParameterError):
        charts.compute_interaction(two_parameters(), "SharpenLevel", "SharpenLevel", "vmaf_neg")


def test_nothing_on_the_front_is_beaten():
    data = charts.compute_pareto(two_parameters())
    front = data[data["on_front"]]
    assert len(front) >= 1
    for _, row in data.iterrows():
        beaten = ((front["size_bytes"] <= row["size_bytes"]) & (front["vmaf_neg"] > row["vmaf_neg"])).any()
        assert not (row["on_front"] and beaten)


def test_a_setting_that_misses_a_clip_is_not_on_the_front():
    runs = two_parameters()[1:]  # without one setting of the darker clip, whose mean would look better
    assert len(charts.compute_pareto(runs)) == 7


# Values of the `bjontegaard` package 1.3.0 (method pchip), which agrees with the video groups' spreadsheet.
REFERENCE = [
    (
        ([9487.76, 4593.60, 2486.44, 1358.24], [40.037, 38.615, 36.845, 34.851]),
        ([9787.80, 4469.00, 2451.52, 1356.24], [40.121, 38.651, 36.970, 34.987]),
        -4.417485350589045,
    ),
    (
        ([686.76, 309.58, 157.11, 85.95], [40.28, 37.18, 34.24, 31.42]),
        ([893.34, 407.8, 204.93, 112.75], [40.39, 37.21, 34.17, 31.24]),
        31.379878202397627,
    ),
    (
        ([500, 900, 1700, 3000, 5200], [61.2, 74.8, 86.1, 92.9, 96.4]),
        ([450, 800, 1500, 2800, 5000], [63.0, 75.9, 86.0, 93.5, 96.2]),
        -14.005791014851532,
    ),
    (
        ([500, 900, 1700, 3000, 5200], [61.2, 74.8, 86.1, 92.9, 96.4]),
        ([450, 800, 1500, 2800], [63.0, 75.9, 86.0, 93.5]),
        -13.990722734550642,
    ),
]


@pytest.mark.parametrize(("first", "second", "percent"), REFERENCE)
def test_bd_rate_is_that_of_the_reference(first, second, percent):
    points = [list(zip(*family, strict=True)) for family in (first, second)]
    assert charts.bd_rate(*points) == pytest.approx(percent, abs=1e-9)
    there, back = charts.bd_rate(*points), charts.bd_rate(*points[::-1])
    assert (1 + there / 100) * (1 + back / 100) == pytest.approx(1)


@pytest.mark.parametrize(
    "second",
    [
        [(1, 50), (2, 52), (3, 53)],
        [(1, 30), (2, 34)],
        [(1, 34), (2, 30), (3, 33)],
        [(1, 38.5), (2, 45), (3, 52)],
    ],
    ids=["apart", "two", "falling", "barely"],
)
def test_bd_rate_is_refused_where_it_means_nothing(second):
    with pytest.raises(ParameterError):
        charts.bd_rate([(1, 30), (2, 34), (4, 37), (8, 39)], second)


@pytest.mark.slow
def test_bd_rate_of_runs_is_a_row_a_clip():
    data = charts.compute_bd_rate(families(), "SharpenLevel", 0, 6, size="size_bytes")
    assert data["bd_rate_percent"].tolist() == pytest.approx([-10], abs=0.01)
    assert "needs 10 % less size_bytes than 0" in charts.describe_bd_rate(
        families(), "SharpenLevel", 0, 6, size="size_bytes"
    )
    with pytest.raises(ParameterError, match=r"No run has MsSharpen\.SharpenLevel 5\. The runs have 0, 6"):
        charts.compute_bd_rate(families(), "SharpenLevel", 0, 5)
    few = [run for run in families() if run.setting.transcode.video.crf < 24]
    refused = charts.compute_bd_rate(few, "SharpenLevel", 0, 6, size="size_bytes")
    assert refused["bd_rate_percent"].isna().all()
    assert "at least 3 points" in refused["why"].iloc[0]


@pytest.mark.slow
def test_importance_is_the_share_of_each_parameter():
    data = charts.compute_importance(two_parameters(), "vmaf_neg")
    assert data["parameter"].tolist() == ["SuperResolution.Resolution", "MsSharpen.SharpenLevel", REST]
    assert data["share"].sum() == pytest.approx(100)
    assert data["share"].iloc[-1] == pytest.approx(0, abs=1e-9)
    assert data["span"].tolist()[:2] == [5, 6]
    bars = charts.plot_importance(two_parameters(), "vmaf_neg").patches
    assert [bar.get_x() for bar in bars] == [0, 0, 0]


def test_every_run_crosses_every_axis():
    data = charts.compute_parallel(two_parameters())
    assert list(dict.fromkeys(data["axis"]))[-1] == "vmaf_neg"
    assert data.groupby("axis").size().nunique() == 1
    assert data["place"].between(0, 1).all()


def test_the_worst_frames_are_marked_and_apart():
    data = charts.compute_trace(made(clips=("city",)), "vmaf_neg", worst=2)
    for _, part in data.groupby("run"):
        marked = part[part["is_worst"]]
        assert len(marked) == 2
        assert part["vmaf_neg"].idxmin() in marked.index
        assert marked["picture"].diff().abs().min() > 5 * 3
    assert data["picture"].iloc[1] == 5
    with pytest.raises(ParameterError):
        charts.compute_trace([replace(run, pictures={}) for run in made()])


def test_the_needle_shows_where_vmaf_asks_for_too_much():
    vmaf, neg = {0: 90.3, 3: 94.4, 6: 94.4, 9: 92.7}, {0: 88.7, 3: 86.8, 6: 81.0, 9: 75.6}
    runs = [
        replace(run, scores={"vmaf": vmaf[level_of(run.setting)], "vmaf_neg": neg[level_of(run.setting)]})
        for run in made(grid(None, SharpenLevel=[0, 3, 6, 9]), ("city",))
    ]
    data = charts.compute_needle(runs)
    assert data["gain"].round(1).tolist() == [1.6, 7.6, 13.4, 17.1]
    assert data["over"].tolist() == [False, False, True, True]
    assert "VMAF is best at 3 and VMAF-NEG at 0; they differ by up to 17.1 points (at 9); over-sharpened at 6, 9." in (
        charts.describe_needle(runs)
    )


def test_a_job_waits_then_runs():
    data = charts.compute_timeline(made(clips=("city",)))
    assert data["phase"].value_counts().to_dict() == {"waiting": 4, "Success": 4}
    assert ((data["to_s"] - data["from_s"])[data["phase"] == "Success"] == 60).all()
    assert charts.describe_timeline(to_frame([])) == "No job has the time when it was accepted."


def test_gain_is_over_the_cheapest_on_the_same_clips():
    data = charts.compute_gain(two_parameters())
    assert data["gain"].iloc[0] == 0
    assert data["cost_cny"].is_monotonic_increasing
    best = data[data["gain"] == data["gain"].max()].iloc[0]
    assert best["gain"] == 5
    assert best["pays"]


def test_more_is_better_where_less_is_better():
    data = charts.compute_gain(made(clips=("city",)), on="vmaf_minus_neg")
    assert data["gain"].max() == 0
    assert data["gain"].min() < 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pareto", "importance", "parallel", "gain", "interaction", "timeline"])
def test_no_runs_give_an_empty_frame_and_say_so(name):
    arguments = {"importance": ["vmaf_neg"], "interaction": ["SharpenLevel", "Resolution", "vmaf_neg"]}.get(name, [])
    assert getattr(charts, f"compute_{name}")(to_frame([]), *arguments).empty
    axes = getattr(charts, f"plot_{name}")(to_frame([]), *arguments)
    assert axes.description
    assert "<img" in axes._repr_html_()


@pytest.mark.slow
def test_every_dataframe_has_the_declared_dtypes():
    for name in ("timeline", "parallel", "gain"):
        empty = getattr(charts, f"compute_{name}")(to_frame([]))
        full = getattr(charts, f"compute_{name}")(two_parameters())
        assert list(empty.columns) == list(full.columns)
    assert isinstance(charts.compute_pareto(to_frame([])), pd.DataFrame)
