"""The monitor in the kernel: its calls to the service, its messages to the page, and its static output."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from ci_notebook.lab.connect import connect
from ci_notebook.model.api.jobs import Input, JobsDetail, Operation, Output
from ci_notebook.model.api.requests import repeat_request
from ci_notebook.model.errors import ServiceError
from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
from ci_notebook.model.setting.watermark import DigitalWatermark
from ci_notebook.widgets.monitor.job_list import JobList, difference, row_of, varied
from ci_notebook.widgets.monitor.monitor_view import Monitor
from tests.ledger_jobs import fill
from tests.support import send_to_widget, until

SETTING = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))


@pytest.fixture
def lab(tmp_path):
    with connect(home=tmp_path / "home") as lab:
        yield lab


@pytest.fixture
def clip_of(lab, make_clip):
    return lab.upload(make_clip(seconds=0.4, size="128x128"))


@pytest.fixture
def monitor(lab):
    """A monitor whose messages to the page are kept in `told`."""
    monitor = Monitor(lab)
    monitor.told = []
    monitor.send = lambda message, buffers=None: monitor.told.append(message)
    yield monitor
    monitor.close()


def press(monitor, what, *ids, name="first"):
    send_to_widget(monitor, {"do": what, "ids": list(ids), "press": name})
    assert monitor.wait(30)


def watchers():
    """Return the threads that ask the service."""
    return [thread for thread in threading.enumerate() if thread.name == "monitor"]


def pause(lab):
    (queue,) = lab.queues.list()
    return lab.queues.pause(queue)


@pytest.mark.slow
def test_a_page_gets_all_rows_once_and_then_only_new_ones(lab, clip_of, monitor):
    fill(lab, clip_of, 20)
    monitor.refresh()
    send_to_widget(monitor, {"do": "hello", "view": "a"})
    everything = [message for message in monitor.told if message["do"] == "all"]
    assert len(everything) == 1 and len(everything[0]["rows"]) == 20
    monitor.told.clear()
    monitor.refresh()
    assert monitor.told == [], "nothing happened, so nothing is sent"
    queue = pause(lab)
    job = lab.submit(clip_of, SETTING)
    until(lambda: monitor.jobs[0].job_id == job.id)
    lab.queues.resume(queue)
    until(lambda: monitor.jobs[0].state == "Success")
    news = [message["rows"] for message in monitor.told if message["do"] == "rows"]
    assert all(set(rows) == {job.id} for rows in news)
    assert "settings" in news[0][job.id] and "settings" not in news[-1][job.id], "a job's setting travels once"


@pytest.mark.slow
def test_it_shows_the_newest_jobs_and_knows_when_to_stop_reading(lab, clip_of):
    ids = fill(lab, clip_of, 230)
    monitor = Monitor(lab, most=150)
    assert [job.job_id for job in monitor.refresh().jobs] == ids[::-1][:150]
    asked = []
    real = lab.client.jobs
    lab.client.jobs = lambda **more: (asked.append(job.job_id) or job for job in real(**more))
    monitor.refresh()
    assert len(asked) == 10, "ten known ones in a row are enough"
    monitor.close()


def test_another_monitor_shows_the_same_jobs(lab, clip_of):
    fill(lab, clip_of, 5)
    first, second = Monitor(lab).refresh(), Monitor(lab).refresh()
    assert first.jobs == second.jobs and first._repr_html_() == second._repr_html_() and repr(first) == repr(second)
    first.close(), second.close()


def test_two_presses_cancel_once_and_send_once(lab, clip_of, monitor):
    pause(lab)
    job = lab.submit(clip_of, SETTING, user_data="mine")
    monitor.refresh()
    for token in ("one", "one", "two"):
        send_to_widget(monitor, {"do": "cancel", "ids": [job.id], "press": token})
    assert monitor.wait(30) and job.refresh().state == "Cancel"
    for token in ("three", "three"):
        send_to_widget(monitor, {"do": "retry", "ids": [job.id], "press": token})
    assert monitor.wait(30)
    again, first = lab.jobs()
    assert first.id == job.id and again.state == "Pause" and again.setting == SETTING
    assert again.detail.input == job.detail.input and again.detail.operation.output == job.detail.operation.output
    assert again.detail.operation.user_data.startswith("mine retry ")
    answers = [message for message in monitor.told if message["do"] == "answer" and message["action"] == "retry"]
    assert [answer["new_ids"] for answer in answers] == [[again.id]]


def test_a_refusal_of_the_service_is_shown_as_a_message(lab, clip_of, monitor):
    (job_id,) = fill(lab, clip_of, 1, state="Success")
    monitor.refresh()
    press(monitor, "cancel", job_id)
    assert "only a job in Submitted or Pause can be cancelled" in monitor.told[-1]["error"]
    with pytest.raises(ServiceError):
        monitor.cancel(job_id)


@pytest.mark.slow
def test_a_result_is_fetched_once_and_stays_as_an_output(lab, clip_of, monitor):
    job = lab.submit(clip_of, SETTING).wait()
    monitor.refresh()
    press(monitor, "open", job.id)
    path = monitor.opened[job.id]
    assert path.read_bytes() == lab.client.read(job.output_key)
    assert "MsSharpen.SharpenLevel" in monitor.output._repr_html_() and "<img" in monitor.output._repr_html_()
    before = path.stat().st_mtime_ns
    press(monitor, "open", job.id, name="second")
    assert path.stat().st_mtime_ns == before


@pytest.mark.slow
def test_jobs_are_compared_with_their_source_or_with_each_other(lab, clip_of, monitor):
    jobs = [lab.submit(clip_of, VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=level))).wait() for level in (2, 8)]
    monitor.refresh()
    press(monitor, "compare", jobs[0].id)
    first = monitor.compared
    assert len(first.sides) == 2 and monitor.told[-1]["error"] == ""
    press(monitor, "compare", *(job.id for job in jobs), name="second")
    assert monitor.compared is not first and len(monitor.compared.sides) == 2
    monitor.compared.close()


def test_a_failure_comes_with_its_code_message_and_what_to_do(lab, clip_of, monitor):
    fill(lab, clip_of, 1, state="Failed")
    monitor.refresh()
    html = monitor._repr_html_()
    assert "ResourceNotSupported: no &lt;video&gt; in it" in html and "mp4, mkv" in html
    assert "<script" not in html and "http" not in html


def test_it_stops_polling_when_no_job_runs_and_no_page_is_open(lab, clip_of, monitor):
    fill(lab, clip_of, 3)
    send_to_widget(monitor, {"do": "heartbeat", "view": "a", "visible": True})
    until(lambda: len(monitor.jobs) == 3)
    (thread,) = watchers()
    send_to_widget(monitor, {"do": "heartbeat", "view": "a", "visible": False})
    monitor.cancel()  # of no job: the thread looks now, and not only after its pause
    thread.join(20)
    assert not thread.is_alive()
    assert monitor.status == {"live": False, "error": ""}
    send_to_widget(monitor, {"do": "heartbeat", "view": "b", "visible": True})
    (thread,) = watchers()
    monitor.close()
    thread.join(5)
    assert not thread.is_alive()


@pytest.mark.slow
def test_an_unreachable_service_is_shown_and_polled_again(lab, clip_of, monitor):
    real, broken = lab.client.jobs, [OSError("the line is cut")]

    def jobs(**more):
        if broken:
            raise broken.pop()
        return real(**more)

    lab.client.jobs = jobs
    fill(lab, clip_of, 1)
    said = []
    monitor.observe(lambda change: said.append(change.new["error"]), "status")
    send_to_widget(monitor, {"do": "heartbeat", "view": "a", "visible": True})
    until(lambda: len(monitor.jobs) == 1)
    until(lambda: monitor.status["error"] == "")
    assert "OSError: the line is cut" in said


@pytest.mark.slow
def test_many_waiting_jobs_are_read_a_part_at_a_time(lab, clip_of, monitor):
    queue = pause(lab)
    ids = fill(lab, clip_of, 420, state="Pause")
    monitor.refresh()
    read = []
    real = lab.client.job
    lab.client.job = lambda *ids: read.append(len(ids)) or real(*ids)
    monitor.refresh()
    assert sum(read) <= 200 and max(read) <= 50
    for one in ids[:3]:
        lab.client.cancel(one)
    for _ in range(4):
        monitor.refresh()
    assert sum(job.state == "Cancel" for job in monitor.jobs) == 3
    assert queue.state == "Paused"


def test_only_differing_values_are_shown():
    def row(level):
        setting = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=level))
        return row_of(JobsDetail(input=Input(object="a/b.mp4"), operation=Operation(video_enhance=setting)))

    assert varied([row(1), row(1)]) == varied([row(1)]) == {"MsSharpen.SharpenLevel"}
    assert row(None)["settings"] == {"MsSharpen": "on"} and varied([row(1), row(None)]) == {
        "MsSharpen",
        "MsSharpen.SharpenLevel",
    }
    assert difference(row(1), row(2)) == {"settings": {"MsSharpen.SharpenLevel": "2"}}


@pytest.mark.slow
def test_a_request_is_repeated_without_the_nodes_of_replies(lab, clip_of):
    mark = DigitalWatermark(message="t-1", type="Text", version="V1")
    first = lab.submit(clip_of, SETTING, digital_watermark=mark, output_key="out/mine.mp4", job_level=2)
    read = lab.extract_digital_watermark(clip_of).wait().detail
    asked = lab.request(clip_of, SETTING, digital_watermark=mark, output_key="out/mine.mp4", job_level=2)
    repeated = repeat_request(first.refresh().detail, user_data="x")
    assert repeated.operation == replace(asked.operation, user_data="x") and repeated.input == asked.input
    for request in (repeated, repeat_request(read, user_data="x")):
        assert lab.client.submit(request).job_id not in (first.id, read.job_id)
    named = replace(first.detail.operation, output=Output(object=f"out/{first.id}.mp4"), template_id="t1")
    again = repeat_request(replace(first.detail, operation=named), user_data="x").operation
    assert again.output.object == "out/${jobid}.mp4" and again.template_id == "t1" and again.video_enhance is None


def test_a_job_that_is_not_listed_any_more_is_forgotten():
    """Its price is asked again, and the time it needs is measured anew, if it comes back."""
    priced = []

    class Service:
        def cost(self, job):
            priced.append(job.job_id)

        def hint(self, code):
            return ""

        def expected_s(self, job):
            return None

    def running(number, percent, at=0):
        time_text = f"2026-01-01T00:{number + at:02}:00+0800"
        return JobsDetail(job_id=f"j{number}", state="Running", progress=percent, creation_time=time_text)

    jobs = JobList(Service(), lambda message: None, since=None, most=3)
    jobs.update([running(number, 10) for number in range(3)])
    jobs.update([running(0, 20)])
    assert jobs.rows()["j0"]["left_s"] is not None
    jobs.update([running(number, 10) for number in range(3, 40)])
    assert list(jobs.rows()) == ["j39", "j38", "j37"]
    priced.clear()
    jobs.update([running(0, 30, at=50), running(39, 30)])
    assert priced == ["j0"], "what is listed still has its price"
    assert jobs.rows()["j0"]["left_s"] is None
    assert jobs.rows()["j39"]["left_s"] is not None


def test_a_click_is_remembered_for_as_long_as_its_message_may_come_again(lab, clip_of, monitor, monkeypatch):
    (job_id,) = fill(lab, clip_of, 1, state="Success")
    monitor.refresh()
    for number in range(300):
        press(monitor, "cancel", job_id, name=f"click {number}")
    answers = len(monitor.told)
    press(monitor, "cancel", job_id, name="click 299")
    assert len(monitor.told) == answers, "a message that came twice"
    press(monitor, "cancel", job_id, name="click 0")
    assert len(monitor.told) == answers + 1, "the clicks of long ago are forgotten"
