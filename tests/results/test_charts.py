"""A chart is computed first; the drawing shows every point, names its units, and says what it shows."""

from __future__ import annotations

import base64
import dataclasses
import re

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.sweep import grid
from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.errors import ParameterError
from ci_notebook.results.charts import COLORS, LINES, MARKERS, compute_response, describe_response, plot_response
from ci_notebook.results.dataframe import to_frame
from tests.results.sample_runs import made


def frame(sweep, clips=("city",), score=lambda level, clip: 90.0 - level + clip) -> pd.DataFrame:
    found = []
    for number, clip in enumerate(clips):
        for setting in sweep:
            level = setting.ms_sharpen.sharpen_level if setting.ms_sharpen else 0
            scores = {"vmaf_neg": score(3 if level is AUTO else level, number), "psnr": 40.0}
            found.append(
                Run(key=f"{len(found):040}", clip=clip, clip_key=clip, clip_md5=clip, setting=setting, scores=scores)
            )
    return to_frame(found)


SIX = grid(None, SharpenLevel=[0, 5, 10], Resolution=[None, "sdtohd"])


def test_the_response_of_two_clips_is_their_mean_and_range():
    data = compute_response(frame(grid(None, SharpenLevel=[0, 10]), ("a", "b")), "SharpenLevel", "vmaf_neg")
    assert list(data.columns) == [
        "MsSharpen.SharpenLevel",
        "at",
        "vmaf_neg",
        "low",
        "high",
        "interval",
        "clips",
        "runs",
    ]
    assert data["vmaf_neg"].tolist() == [90.5, 80.5]
    assert data[["low", "high", "interval"]].iloc[0].tolist() == [90.0, 91.0, "range"]
    assert data[["clips", "runs"]].iloc[0].tolist() == [2, 2]


def test_several_clips_have_an_interval_of_the_change_within_them():
    alike = compute_response(frame(grid(None, SharpenLevel=[0, 10]), ("a", "b", "c")), "SharpenLevel", "vmaf_neg")
    assert set(alike["interval"]) == {"clips"}
    assert (alike["high"] - alike["low"]).max() < 1e-6  # the clips change alike, however far apart they are
    apart = frame(grid(None, SharpenLevel=[0, 10]), ("a", "b", "c"), lambda level, clip: 90 - level * (1 + clip / 10))
    data = compute_response(apart, "SharpenLevel", "vmaf_neg")
    assert ((data["low"] < data["vmaf_neg"]) & (data["vmaf_neg"] < data["high"])).all()
    assert (data["high"] - data["low"]).iloc[0] == pytest.approx(2 * 4.30265 * 2**0.5 * 0.5 / 3**0.5, rel=1e-3)


@pytest.mark.slow
def test_one_clip_has_an_interval_over_its_pictures():
    runs = made(clips=("city",))
    data = compute_response(runs, "SharpenLevel", "vmaf_neg")
    assert set(data["interval"]) == {"pictures"}
    assert (data["low"] < data["vmaf_neg"]).all()
    axes = plot_response(runs, "SharpenLevel", "vmaf_neg")
    assert axes.get_title(loc="left") == "band: 95 % interval over pictures"
    assert "with a 95 % interval over pictures" in axes.description
    assert compute_response(to_frame(runs), "SharpenLevel", "vmaf_neg")["low"].isna().all()


def test_every_clip_weighs_the_same_however_many_runs_it_has():
    df = pd.concat([frame(SIX, ("a",)), frame(grid(None, SharpenLevel=[0]), ("b",), lambda level, clip: 80.0)])
    data = compute_response(df, "SharpenLevel", "vmaf_neg")
    assert data.loc[0, ["vmaf_neg", "runs", "clips"]].tolist() == [85.0, 3, 2]


def test_one_clip_has_no_range():
    data = compute_response(frame(SIX), "SharpenLevel", "vmaf_neg", "Resolution")
    assert data["low"].isna().all()
    assert data["SuperResolution.Resolution"].tolist() == ["left out"] * 3 + ["sdtohd"] * 3


def test_left_out_and_auto_are_distinct_values():
    data = compute_response(frame(grid(None, SharpenLevel=[5, AUTO, None, 10])), "SharpenLevel", "vmaf_neg")
    assert data["at"].tolist() == ["left out", "AUTO", "5", "10"]
    assert data["MsSharpen.SharpenLevel"].isna().tolist() == [True, True, False, False]


def test_choices_are_in_the_order_of_their_declaration():
    df = frame(grid(None, Resolution=["hdto4k", None, "sdtohd"]), score=lambda level, clip: 1.0)
    assert compute_response(df, "Resolution", "psnr")["at"].tolist() == ["left out", "sdtohd", "hdto4k"]


def test_runs_without_the_score_are_left_out_and_counted():
    df = frame(SIX)
    df.loc[0, "vmaf_neg"] = pd.NA
    assert compute_response(df, "SharpenLevel", "vmaf_neg")["runs"].sum() == 5
    assert "1 run without vmaf_neg not shown" in describe_response(df, "SharpenLevel", "vmaf_neg")


@pytest.mark.parametrize(
    ("x", "y", "hue"),
    [("SharpenLevel", "state", None), ("Sharpen", "psnr", None), ("psnr", "psnr", None), ("Codec", "psnr", None)],
)
def test_data_that_cannot_be_drawn_is_refused(x, y, hue):
    with pytest.raises(ParameterError):
        compute_response(frame(SIX), x, y, hue)


def test_every_series_is_a_line_with_its_own_colour_marker_and_style():
    axes = plot_response(frame(SIX), "SharpenLevel", "vmaf_neg", hue="Resolution")
    lines = axes.get_lines()
    assert [list(line.get_xdata()) for line in lines] == [[0, 5, 10]] * 2
    assert list(lines[0].get_ydata()) == [90, 85, 80]
    for looks in ("get_color", "get_marker", "get_linestyle"):
        assert len({str(getattr(line, looks)()) for line in lines}) == 2
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["left out", "sdtohd"]


def test_more_series_than_colours_still_differ():
    looks = {(COLORS[n % len(COLORS)], MARKERS[n % len(MARKERS)], str(LINES[n % len(LINES)])) for n in range(40)}
    assert len(looks) == 40


def test_the_axes_name_their_units():
    axes = plot_response(frame(grid(None, SharpenLevel=[0, 5])), "SharpenLevel", "psnr")
    assert axes.get_xlabel() == "MsSharpen.SharpenLevel"
    assert axes.get_ylabel() == "psnr [dB]"


def test_left_out_is_drawn_apart_and_unconnected():
    axes = plot_response(frame(grid(None, SharpenLevel=[None, AUTO, 0, 5])), "SharpenLevel", "vmaf_neg")
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["left out", "AUTO", "0", "5"]
    joined, apart, _border = axes.get_lines()
    assert list(joined.get_xdata()) == [0, 5]
    assert apart.get_linestyle() == "None"
    assert max(apart.get_xdata()) < 0


@pytest.mark.slow
def test_an_interval_is_drawn_and_named():
    df = frame(grid(None, SharpenLevel=[0, 5]), ("a", "b"))
    axes = plot_response(df, "SharpenLevel", "vmaf_neg")
    assert axes.get_title(loc="left") == "mean of 2 clips; band: their range"
    assert any(type(one).__name__ in ("FillBetweenPolyCollection", "PolyCollection") for one in axes.collections)
    bars = plot_response(frame(SIX, ("a", "b")), "Resolution", "vmaf_neg")
    assert bars.get_title(loc="left") == "mean of 2 clips; bar: their range"


@pytest.mark.slow
def test_no_runs_draw_an_empty_chart_that_says_so():
    axes = plot_response(to_frame([]), "SharpenLevel", "vmaf_neg")
    assert axes.description == "No run has a vmaf_neg to show over MsSharpen.SharpenLevel."
    assert "<img" in axes._repr_html_()


def test_given_axes_are_drawn_on_and_returned():
    axes = Figure().add_subplot()
    assert plot_response(frame(SIX), "SharpenLevel", "psnr", ax=axes) is axes


@pytest.mark.slow
def test_drawing_leaves_no_figure_and_no_setting_behind():
    before = dict(mpl.rcParams)
    plot_response(frame(SIX), "SharpenLevel", "psnr")._repr_html_()
    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ((93.1, 88, 81), "falls from 93.1 at 0 to 81 at 10."),
        ((90.3, 94.4, 92.7), "rises from 90.3 at 0 to 92.7 at 10 with a peak of 94.4 at 5."),
        ((90, 80, 90), "goes from 90 at 0 to 90 at 10 with a low of 80 at 5."),
        ((90, 90.001, 90), "stays at 90 from 0 to 10."),
    ],
)
def test_the_description_says_how_the_curve_goes(scores, said):
    df = frame(grid(None, SharpenLevel=[0, 5, 10]), score=lambda level, clip: scores[level // 5])
    assert describe_response(df, "SharpenLevel", "vmaf_neg") == f"vmaf_neg over MsSharpen.SharpenLevel: {said}"


def test_the_description_names_what_was_averaged_over():
    assert "mean over SuperResolution.Resolution" in describe_response(frame(SIX), "SharpenLevel", "vmaf_neg")


@pytest.mark.slow
def test_a_chart_shows_itself_as_a_figure_with_its_description():
    axes = plot_response(frame(SIX), "SharpenLevel", "vmaf_neg", hue="Resolution")
    html = axes._repr_html_()
    assert repr(axes) == f"<Chart: {axes.description}>"
    assert re.match(r"<figure[^>]*><img alt='[^']+' src='data:image/png;base64,", html)
    assert f"<figcaption style='font-size:90%'>{axes.description}</figcaption></figure>" in html
    picture = base64.b64decode(re.search("base64,([^']+)'", html)[1])
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 120_000


@pytest.mark.slow
def test_the_same_chart_is_the_same_text():
    first, second = (plot_response(frame(SIX), "SharpenLevel", "psnr", hue="Resolution")._repr_html_() for _ in "12")
    assert first == second


def test_a_response_of_one_fully_scored_clip_has_no_interval():
    runs = [dataclasses.replace(run, every=1) for run in made(clips=("city",))]
    assert set(compute_response(made(clips=("city",)), "SharpenLevel", "vmaf_neg")["interval"]) == {"pictures"}
    known = compute_response(runs, "SharpenLevel", "vmaf_neg")
    assert known["low"].isna().all() and set(known["interval"]) == {""}
