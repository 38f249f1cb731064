"""Captions name the clip, and only the parameters that differ; never a number of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import ci_notebook as ci
from ci_notebook.client.job import Job
from ci_notebook.experiment.sweep import grid, pairs
from ci_notebook.lab.pictures import look
from ci_notebook.model.api.jobs import Input, JobsDetail, Operation
from ci_notebook.model.setting.words import distinct_names
from ci_notebook.results.charts.per_frame import plot_trace
from ci_notebook.results.charts.timeline import compute_timeline
from ci_notebook.results.dataframe import to_frame
from ci_notebook.results.labels import setting_labels
from ci_notebook.results.report.before_after import views_of
from ci_notebook.widgets.compare.sides import sides_of
from ci_notebook.widgets.enhance.result import result_html
from tests.results.sample_runs import made

SHARP, SOFT = (ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=level)) for level in (5, 0))
CLIENT: Any = SimpleNamespace(snapshot=lambda key, at_s, width: b"jpeg")


def job(source: str, setting: ci.VideoEnhance) -> Job:
    detail = JobsDetail(state="Success", input=Input(object=source), operation=Operation(video_enhance=setting))
    return Job(CLIENT, detail)


def captions(*videos: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr("ci_notebook.lab.pictures.key_of", lambda video: "key")
    return [one.caption.removesuffix(" at 0 s") for one in look(CLIENT, videos, [0.0], 100)]


def test_pictures_name_only_what_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    base = {"contrast": 50}
    first, second = (replace(one, color_enhance=ci.ColorEnhance(**base)) for one in (SOFT, SHARP))
    shown = captions("input/city.mp4", job("input/city.mp4", first), job("input/city.mp4", second),
                     monkeypatch=monkeypatch)  # fmt: skip
    assert shown == ["city.mp4", "SharpenLevel 0", "SharpenLevel 5"]


def test_pictures_of_jobs_on_several_clips_name_the_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = captions(job("a/city.mp4", SHARP), job("b/city.mp4", SHARP), job("sea.mp4", SOFT), monkeypatch=monkeypatch)
    assert shown == ["a/city.mp4: SharpenLevel 5", "b/city.mp4: SharpenLevel 5", "sea.mp4: SharpenLevel 0"]


def test_a_pair_is_named_by_its_two_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = made(pairs(SOFT, SHARP), clips=("city", "sea"))
    shown = captions(*runs, monkeypatch=monkeypatch)
    assert shown == ["city: SharpenLevel 0", "city: SharpenLevel 5", "sea: SharpenLevel 0", "sea: SharpenLevel 5"]


def test_runs_with_one_setting_are_named_by_it_everywhere() -> None:
    runs = [replace(run, output=Path("out.mp4")) for run in made([SHARP], clips=("city", "sea"))]
    assert list(setting_labels(to_frame(runs))) == ["SharpenLevel 5", "SharpenLevel 5"]
    assert list(setting_labels(to_frame(made([ci.VideoEnhance()], clips=("city",))))) == ["no change"]
    assert list(compute_timeline(runs)["name"].unique()) == ["city, SharpenLevel 5", "sea, SharpenLevel 5"]
    views = views_of(runs, lambda path, at, width: b"jpeg", {"city": Path("city.mp4")})
    assert [[label for label, _ in pictures] for pictures in views.values()] == [
        ["source", "SharpenLevel 5"],
        ["SharpenLevel 5"],
    ]
    assert all(heading.startswith(clip) for heading, clip in zip(views, ("city", "sea"), strict=True))


def test_legend_entries_name_clip_and_setting() -> None:
    axes = plot_trace(made(grid(None, SharpenLevel=[0, 6]), clips=("city", "sea")), "vmaf_neg")
    legend = axes.get_legend()
    assert legend is not None
    texts = [text.get_text().replace("\n", "") for text in legend.get_texts()]
    assert texts == ["city,SharpenLevel 0", "city,SharpenLevel 6", "sea,SharpenLevel 0", "sea,SharpenLevel 6"]


def test_files_of_one_name_are_told_apart_by_their_folders() -> None:
    lab = SimpleNamespace(frames=lambda video: None)
    sides, _, _ = sides_of(lab, [Path("x/out.mp4"), Path("y/out.mp4"), "z/other.mp4"])
    assert [side.name for side in sides] == ["x/out.mp4", "y/out.mp4", "other.mp4"]


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        (["a.mp4", "x/a.mp4"], ["a.mp4", "x/a.mp4"]),
        (["x/a.mp4", "x/a.mp4"], ["a.mp4", "a.mp4"]),
        (["p/x/a.mp4", "q/x/a.mp4"], ["p/x/a.mp4", "q/x/a.mp4"]),
        ([], []),
    ],
)
def test_names_are_as_short_as_they_can_be(keys: list[str], names: list[str]) -> None:
    assert distinct_names(keys) == names


def test_the_result_of_a_job_names_its_clip_and_its_parameters() -> None:
    html = result_html(SHARP, job("input/city.mp4", SHARP), b"before", b"after")
    assert "Before: city.mp4" in html
    assert "After: SharpenLevel 5" in html
