"""Runs show differences and results, escaped and rounded, and turn into a DataFrame."""

from __future__ import annotations

import re

from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.sweep import grid
from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.results.runs import Runs


def runs(sweep, **more: object) -> Runs:
    job = JobsDetail(state="Success", code="Success")
    base = {
        "clip": "city",
        "clip_key": "c",
        "clip_md5": "m",
        "job": job,
        "scores": {"vmaf": 90.12345, "ssim": 0.987654},
    }
    return Runs(Run(**{**base, "key": f"{number:040}", "setting": one} | more) for number, one in enumerate(sweep))


THREE = runs(grid(None, SharpenLevel=[None, AUTO, 5]))


def test_the_repr_is_one_line_without_ids():
    assert repr(THREE) == "<Runs: 3 of 3 succeeded over MsSharpen.SharpenLevel>"
    assert repr(Runs([])) == "<Runs: 0 of 0 succeeded>"


def test_the_table_shows_what_differs_and_the_scores_rounded():
    html = THREE._repr_html_()
    assert re.findall("<th scope='col'[^>]*>(.*?)</th>", html) == [
        "#",
        "MsSharpen.SharpenLevel",
        "state",
        "ssim",
        "vmaf",
    ]
    assert re.findall("<td[^>]*>(.*?)</td>", html)[:4] == ["<em>left out</em>", "Success", "0.9877", "90.12"]
    assert "<em>AUTO</em></td>" in html
    assert "<td style='text-align:right'>5</td>" in html


def test_errors_are_shown_and_escaped():
    broken = runs([VideoEnhance()], error="<script>alert(1)</script>", clip="<b>")
    html = broken._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "<b>" not in html.replace("<b>0 of 1", "")
    assert broken.failed == broken
    assert repr(broken) == "<Runs: 0 of 1 succeeded, 1 failed>"


def test_common_values_are_shown_once():
    html = runs(grid(None, SharpenLevel=[0, 5], Resolution="sdtohd"))._repr_html_()
    assert html.count("SuperResolution.Resolution") == 1


def test_runs_are_a_sequence():
    assert len(THREE[:2]) == 2
    assert THREE[:2] + THREE[2:] == THREE
    assert next(iter(THREE)) is THREE[0]
    assert len(THREE.to_frame()) == 3
    assert "0 of 0" in Runs([])._repr_html_()
