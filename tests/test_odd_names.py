"""One table of odd file names, and every consumer of a name: a name is text, never markup or an option."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import ci_notebook as ci
from ci_notebook.client.objects import MAX_KEY_BYTES, check_key, key_for, readable
from ci_notebook.results.charts.parallel import plot_parallel
from ci_notebook.results.report import chart_choice
from tests.odd_names import ODD_NAMES
from tests.results.sample_runs import made
from tests.support import write_clip

NAMES = {kind: readable(name) for kind, name in ODD_NAMES.items()}
PAIRS = list(itertools.batched(NAMES.values(), 2)) if hasattr(itertools, "batched") else [
    (list(NAMES.values())[at : at + 2]) for at in range(0, len(NAMES), 2)
]  # fmt: skip


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", seconds=0.3, size="96x64").read_bytes()


SHARE = 10  # the suite tries one of so many names with every consumer, a sweep the others


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=pytest.mark.sweep if number % SHARE else pytest.mark.slow)
        for number, kind in enumerate(ODD_NAMES)
    ],
)
def test_every_consumer_takes_a_file_by_any_name(kind: str, lab: ci.Lab, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / ODD_NAMES[kind]
    # A box that players skip: content of its own, so that each name is a clip of its own.
    path.write_bytes(content + b"\0\0\0\x28free" + kind.encode().ljust(32)[:32])
    clip = lab.upload(path)
    assert clip.name == NAMES[kind]
    assert clip.key.endswith(clip.name)
    assert lab.client.read(clip.key) == path.read_bytes()
    for video in (clip, path, clip.key):
        with lab.frames(video) as frames:
            assert len(frames) == 3
    assert lab.preview(clip, {"SharpenLevel": 3}) == lab.preview(path, {"SharpenLevel": 3})
    assert escape(clip.name) in lab.look(clip)._repr_html_()
    runs = lab.run(clip, ci.grid(None, SharpenLevel=[0]), every=1)
    assert [run.error or run.job.message for run in runs if not run.ok] == []  # type: ignore[union-attr]
    assert runs[0].scores["psnr"] > 30
    assert next(lab.jobs(input_object=clip.key)).detail.input.object == clip.key  # type: ignore[union-attr]
    view = ci.CompareView(runs)
    assert view.title == clip.name
    view.close()
    read = ci.read_runs(runs.save(tmp_path / "runs.csv"))
    assert (read[0].clip, read[0].clip_key) == (clip.name, clip.key)
    runs.save(tmp_path / "excel.csv", excel=True)
    assert lab.spoil(clip, dim=0.3).key.startswith("input/")
    page = runs.report(tmp_path / "r.html").read_text("utf-8")
    assert escape(clip.name) in page
    assert "could not be made" not in page


def of_names(names: Any) -> list[ci.Run]:
    """Return generated runs on clips of these names."""
    return [dataclasses.replace(run, clip=run.clip_md5, clip_key=f"input/{run.clip_md5}") for run in made(clips=names)]


def charts(runs: list[ci.Run]) -> Iterator[Any]:
    yield ci.plot_trace(runs, on="vmaf_neg")
    yield ci.plot_trace(runs[:2], on="vmaf_neg")  # one clip: its name is in the title
    yield ci.plot_response(runs, "SharpenLevel", "vmaf_neg", hue="clip")
    yield ci.plot_response(runs, "clip", "vmaf_neg")
    yield ci.plot_interaction(runs, "SharpenLevel", "clip", "vmaf_neg")
    yield ci.plot_pareto(runs, hue="clip")
    yield plot_parallel(runs, "clip", "SharpenLevel", on="vmaf_neg")
    yield ci.plot_timeline(runs)


@pytest.mark.slow
@pytest.mark.parametrize("names", PAIRS, ids=ascii)
def test_a_chart_shows_names_as_they_are(names: Any) -> None:
    for axes in charts(of_names(names)):
        axes._repr_html_()  # it is drawn without a warning
        figure: Figure = axes.figure
        for text in figure.findobj(Text):
            if "$" in text.get_text():
                assert not text.get_parse_math()
            assert not text.get_text().startswith("\u200b")
        legend = axes.get_legend()
        if legend is not None and "clip" in str(legend.get_title().get_text()):
            shown = {text.get_text() for text in legend.get_texts()}
            for name in names:
                assert name in shown or any("…" in one and len(name) > 48 for one in shown)


def test_names_that_begin_with_an_underscore_are_in_the_legend() -> None:
    names = ("_hidden.mp4", "_nolegend_", "_child0", "plain.mp4")
    axes = ci.plot_response(of_names(names), "SharpenLevel", "vmaf_neg", hue="clip")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == sorted(names)


def test_a_report_escapes_every_name_and_runs_none(tmp_path: Path) -> None:
    runs = ci.Runs(of_names((*list(NAMES.values())[:8], NAMES["script"], NAMES["attribute"])))
    page = runs.report(tmp_path / "r.html").read_text("utf-8")
    assert "<script" not in page
    assert "could not be made" not in page
    for name in (NAMES["script"], NAMES["attribute"]):
        assert escape(name) in runs._repr_html_()


def test_a_finished_sweep_never_loses_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("ParseException: <$>")

    monkeypatch.setattr(chart_choice, "plot_trace", broken)
    runs = ci.Runs(made())
    page = runs.report(tmp_path / "r.html").read_text("utf-8")
    assert "A chart could not be made: ValueError: ParseException: &lt;$&gt;" in page
    assert page.count("<figure") == ci.Runs(made()).report(tmp_path / "s.html").read_text("utf-8").count("<figure")
    runs = ci.Runs([dataclasses.replace(run, output=tmp_path / "none.mp4") for run in runs], snapshot=broken)
    page = runs.report(tmp_path / "r.html").read_text("utf-8")
    assert "Before and after could not be made" in page
    assert "Every run" in page


@pytest.mark.parametrize("kind", ODD_NAMES)
def test_a_key_is_readable_text_that_says_the_name(kind: str) -> None:
    key = key_for("input/", Path(ODD_NAMES[kind]))
    check_key(key)
    assert key == f"input/{NAMES[kind]}"
    assert len(key_for("x" * 700 + "/", Path(ODD_NAMES[kind])).encode()) <= MAX_KEY_BYTES


@pytest.mark.parametrize("key", ["a\ud800.mp4", "a\0.mp4", "a\x01.mp4", "a\ufffe.mp4", "/a.mp4", "", "é" * 426])
def test_a_key_that_no_request_can_carry_is_refused(key: str) -> None:
    with pytest.raises(ci.ParameterError, match="is not a valid object key"):
        check_key(key)
