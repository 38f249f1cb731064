"""A run, a lab, presets and lists of templates show themselves as one line of text and as a plain HTML table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import ci_notebook as ci
from ci_notebook.client.templates import TemplateList
from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.api.templates import Template
from ci_notebook.model.setting.presets import Presets
from tests.results.sample_runs import made

EVIL = "<img src=x onerror=alert(1)>"
SHARP = ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=5))
RUN = replace(
    made()[2], clip="city.mp4", setting=SHARP, scores={"vmaf": 95.12345, "vmaf_p5": 90.0, "psnr": 40.0, "niqe": 1.0}
)
TEMPLATES = TemplateList(
    [Template(name="soft_skin", template_id="t1", tag="VideoEnhance", video_enhance=SHARP), Template(name="bare")]
)


def test_a_run_shows_its_parameters_scores_and_cost() -> None:
    html = RUN._repr_html_()
    rows = ("Clip", "city.mp4", "Success", "MsSharpen.SharpenLevel", ">5<", "vmaf", "95.12<", "40.00 dB", "0.0200 CNY")
    assert [row for row in rows if row not in html] == []
    assert "95.123" not in html, "the third decimal differs between machines"
    assert "vmaf_p5" not in html, "the pooled scores are columns of to_frame"
    assert repr(RUN) == "<Run of city.mp4: Success; MsSharpen.SharpenLevel=5>"


def test_a_run_says_why_it_failed_and_when_it_was_not_sent() -> None:
    failed = replace(RUN, job=JobsDetail(state="Failed", code="InvalidArgument", message="no video"), scores={})
    assert "InvalidArgument: no video" in failed._repr_html_()
    assert "not sent" in replace(RUN, job=None)._repr_html_()
    assert "no luck" in replace(RUN, error="no luck")._repr_html_()


def test_a_lab_shows_where_its_jobs_run(embedded_lab: ci.Lab) -> None:
    html = embedded_lab._repr_html_()
    assert [word for word in (embedded_lab.bucket, "embedded", "no cost", "mainland") if word not in html] == []


def test_the_jobs_of_a_lab_say_how_they_are_read(embedded_lab: ci.Lab) -> None:
    jobs = embedded_lab.jobs()
    assert repr(jobs) == repr(embedded_lab.jobs()) and "list(…)" in repr(jobs) and "0x" not in repr(jobs)
    assert list(jobs) == []


def test_a_closed_lab_says_so(tmp_path: Any) -> None:
    lab = ci.connect(home=tmp_path)
    lab.close()
    assert "Lab (closed)" in lab._repr_html_()


def test_presets_are_a_table_with_their_parameters() -> None:
    html = ci.PRESETS._repr_html_()
    assert html.count("<tr>") == len(ci.PRESETS) + 1
    assert "SharpenLevel 6" in html
    assert "Only sharpens" in html
    assert repr(ci.PRESETS).startswith("<10 presets: Automatic, Restore SD,")
    crisp = next(one for one in ci.PRESETS if one.name == "Crisp detail")
    assert "MsSharpen.SharpenLevel" in crisp._repr_html_()
    assert repr(crisp) == "Preset('Crisp detail': Only sharpens: for soft lenses, slides and text.)"


def test_templates_are_listed_as_a_table(embedded_lab: ci.Lab) -> None:
    made = embedded_lab.templates.create("shown in a list", SHARP)
    listed = embedded_lab.templates.list(name="shown")
    assert repr(listed) == "<1 template: shown_in_a_list>"
    assert made.template_id and made.template_id in listed._repr_html_()
    assert "SharpenLevel 5" in listed._repr_html_()
    assert repr(TEMPLATES) == "<2 templates: soft_skin, bare>"
    assert repr(TemplateList()) == "<0 templates>"
    assert embedded_lab.templates.get(made.template_id) == listed


@pytest.mark.parametrize(
    "shown",
    [
        replace(RUN, clip=EVIL, error=EVIL),
        Presets([ci.PRESETS[0].__class__(EVIL, EVIL, SHARP)]),
        ci.PRESETS[0].__class__(EVIL, EVIL, SHARP),
        TemplateList([Template(name=EVIL, template_id=EVIL, tag=EVIL)]),
        ci.Clip(key=EVIL, bucket="b-1", region="r", size_bytes=1, name=EVIL),
    ],
    ids=lambda one: type(one).__name__,
)
def test_texts_are_escaped_and_nothing_is_drawn(shown: Any) -> None:
    html = shown._repr_html_()
    assert "<img" not in html
    assert "<svg" not in html
    assert "&lt;img" in html
    assert "\n" not in repr(shown)
