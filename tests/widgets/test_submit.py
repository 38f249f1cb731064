"""One press makes one job; its outcome is shown in the panel and stays in the notebook."""

from __future__ import annotations

import types

import pytest

from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.errors import ParameterError, ServiceError
from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
from ci_notebook.widgets.enhance.enhance_panel import EnhancePanel
from tests.support import send_to_widget, until
from tests.widgets.panel_messages import CLIP, SHARPEN, do, edit, edited, press


def test_one_press_makes_one_job_and_leaves_a_trace(lab):
    panel = EnhancePanel(lab, CLIP, VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5)))
    press(panel, "first")
    assert panel.wait(10)
    assert len(lab.jobs) == 1
    assert panel.status["state"] == "Success" and not panel.status["error"]
    trace = panel.output._repr_html_()
    assert "Success" in trace and "MsSharpen.SharpenLevel" in trace and "script" not in trace


def test_two_clicks_make_one_job(lab):
    lab.may_end.clear()
    panel = EnhancePanel(lab, CLIP)
    press(panel, "first")
    press(panel, "first")
    press(panel, "second")  # another view of the same panel, while the first job is under way
    assert panel.status["busy"]
    lab.may_end.set()
    assert panel.wait(10)
    press(panel, "first")  # the same click, delivered late
    assert panel.wait(10)
    assert len(lab.jobs) == 1


def test_a_second_press_appends_to_the_trace(lab):
    panel = EnhancePanel(lab, CLIP)
    for token, level in (("first", 5), ("second", 6)):
        panel.set("SharpenLevel", level)
        press(panel, token)
        assert panel.wait(10)
    assert [job.setting.ms_sharpen.sharpen_level for job in lab.jobs] == [5, 6]
    assert panel.output._repr_html_().count("<section>") == 2


def test_edits_that_travel_with_the_press_are_sent(lab):
    panel = EnhancePanel(lab, CLIP)
    do(panel, "submit", press="p", edit=edited(panel, {SHARPEN: "7"}, ["MsSharpen"]))
    assert panel.wait(10)
    assert lab.jobs[0].setting.ms_sharpen.sharpen_level == 7


def test_nothing_is_sent_while_something_is_marked(lab):
    panel = EnhancePanel(lab, CLIP)
    edit(panel, {SHARPEN: "11"}, ["MsSharpen"])
    press(panel, "first")
    assert lab.jobs == [] and not panel.status["busy"]
    assert "Nothing was sent" in panel.status["error"] and "0 to 10 or AUTO" in panel.status["error"]


def test_every_press_is_answered_even_in_the_same_words(lab):
    panel = EnhancePanel(lab, CLIP)
    edit(panel, {SHARPEN: "11"}, ["MsSharpen"])
    for token in ("first", "second"):
        press(panel, token)
        assert panel.status["press"] == token and panel.status["error"]


def test_progress_is_shown_while_the_job_runs(lab):
    seen = []
    panel = EnhancePanel(lab, CLIP)
    panel.observe(
        lambda change: seen.append((change.new["state"], change.new["percent"], change.new["busy"])), "status"
    )
    press(panel, "first")
    assert panel.wait(10)
    assert ("Running", 40, True) in seen and seen[-1] == ("Success", 100, False)


def test_a_refusal_of_a_leaf_is_shown_beside_it(lab):
    lab.refusal = ParameterError(f"Operation.VideoEnhance.{SHARPEN}", 5, "0 to 3 today")
    panel = EnhancePanel(lab, CLIP, VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5)))
    press(panel, "first")
    assert panel.wait(10)
    assert "0 to 3 today" in panel.problems[SHARPEN]
    assert "0 to 3 today" in panel.status["error"]


@pytest.mark.parametrize(
    "error",
    [ServiceError("AccessDenied", "no <b>way</b>", status=403), OSError("the line is cut")],
    ids=lambda e: type(e).__name__,
)
def test_an_error_is_shown_in_the_panel_and_in_the_trace(lab, error):
    lab.refusal = error
    panel = EnhancePanel(lab, CLIP)
    press(panel, "first")
    assert panel.wait(10)
    assert panel.error is error
    assert str(error) in panel.status["error"] and not panel.status["busy"]
    assert "<b>way" not in panel.output._repr_html_()
    lab.refusal = None
    press(panel, "second")
    assert panel.wait(10) and len(lab.jobs) == 1


def test_a_failed_job_says_why(lab):
    lab.end = JobsDetail(job_id="j1", state="Failed", code="ResourceNotSupported", message="no video in it")
    panel = EnhancePanel(lab, CLIP)
    press(panel, "first")
    assert panel.wait(10)
    assert "ResourceNotSupported: no video in it" in panel.status["error"]
    assert "ResourceNotSupported: no video in it" in panel.output._repr_html_()


def test_a_message_that_makes_no_sense_is_shown_and_not_raised(lab):
    panel = EnhancePanel(lab, CLIP)
    send_to_widget(panel, {"do": "submit", "edit": 7})
    assert panel.status["error"]


def test_a_running_job_shows_the_time_left_that_earlier_jobs_let_expect(lab):
    learned = []
    lab.job_durations = types.SimpleNamespace(expected_of=lambda job: 60.0, learn=learned.append)
    panel = EnhancePanel(lab, "clip.mp4", {"SharpenLevel": 3})
    lab.may_end.clear()
    panel.submit()
    until(lambda: panel.status["state"] == "Running")
    assert panel.status["text"] == "Running 40 %, roughly 30 s left"
    lab.may_end.set()
    assert panel.wait(10)
    assert [job.state for job in learned] == ["Success"]
    lab.job_durations = None
    other = EnhancePanel(lab, "clip.mp4", {"SharpenLevel": 3})
    lab.may_end.clear()
    other.submit()
    until(lambda: other.status["state"] == "Running")
    assert other.status["text"] == "Running 40 %, time left unknown"
    lab.may_end.set()
    assert other.wait(10)
