"""Jobs through the client: made once, listed, waited for."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from ci_notebook.client.connection.failures import ConnectionFailed
from ci_notebook.client.job import Job
from ci_notebook.client.polling import pause_s, watch
from ci_notebook.model.api.jobs import JobFailed, WaitTimedOut
from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.errors import (
    NotFound,
    ParameterError,
    ServiceUnavailable,
    SubmissionUnclear,
    Throttled,
)
from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
from ci_notebook.wire.service_errors import service_error
from tests.client.fake_cloud import BUCKET, CREATED, REGION, finished

SETTING = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))


def request(user_data=None, key="input/a.mp4"):
    return enhance_request(key, SETTING, bucket=BUCKET, region=REGION, user_data=user_data)


def lost():
    return ConnectionResetError("the line is dead")


def test_a_submitted_request_becomes_a_job(client, cloud):
    job = client.submit(request("run-1"))
    assert (job.state, job.operation.user_data, job.operation.video_enhance) == ("Submitted", "run-1", SETTING)
    assert cloud.headers["host"] == "test-1250000000.ci.ap-chongqing.myqcloud.com"
    assert cloud.headers["content-type"] == "application/xml"


def test_an_invalid_request_is_not_sent(client, cloud):
    wrong = dataclasses.replace(request(), call_back_type="TDMQ")
    with pytest.raises(ParameterError, match="CallBackMqConfig"):
        client.submit(wrong)
    assert cloud.calls == []


@pytest.mark.parametrize("fault", [lost(), TimeoutError(), "InternalError", "ServiceUnavailable"])
def test_a_job_whose_answer_was_lost_is_adopted(client, cloud, fault):
    cloud.faults = [("after", fault)]
    job = client.submit(request("run-1"))
    assert job.job_id == "j1"
    assert cloud.calls == ["create_job", "list_jobs"]


@pytest.mark.parametrize("fault", [lost(), TimeoutError(), "InternalError", "ServiceUnavailable"])
def test_a_request_that_was_lost_is_sent_again_when_no_job_is_found(client, cloud, slept, fault):
    cloud.faults = [("before", fault)]
    job = client.submit(request("run-1"))
    assert list(cloud.jobs) == [job.job_id]
    assert cloud.calls == ["create_job", *["list_jobs"] * 3, "create_job"]
    assert sum(slept) > 5


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fault", [lost(), TimeoutError(), "InternalError"])
def test_any_failure_ends_with_one_job(client, cloud, when, fault):
    cloud.faults = [(when, fault), ("before", lost()), ("before", "SlowDown"), (when, fault)]
    client.submit(request("run-1"))
    assert len(cloud.jobs) == 1


def test_a_job_without_a_key_is_never_asked_for_twice(client, cloud):
    cloud.faults = [("after", lost())]
    with pytest.raises(SubmissionUnclear, match="UserData"):
        client.submit(request())
    assert cloud.calls == ["create_job"]


def test_when_jobs_cannot_be_listed_nothing_is_sent_again(client, cloud):
    cloud.faults = [("after", lost()), *[("before", lost())] * 20]
    with pytest.raises(SubmissionUnclear, match="cannot be listed"):
        client.submit(request("run-1"))
    assert cloud.calls.count("create_job") == 1


def test_a_service_that_stays_away_raises_its_own_error(client, cloud):
    never = [("before", "InternalError"), *[("", None)] * 3]
    cloud.faults = never * 3
    with pytest.raises(ServiceUnavailable):
        client.submit(request("run-1"))
    assert cloud.jobs == {}


def test_an_older_job_with_the_same_user_data_is_not_adopted(client, cloud):
    first = client.submit(request("ticket 42"))
    cloud.faults = [("before", lost())]
    second = client.submit(request("ticket 42"))
    assert second.job_id != first.job_id


def test_a_request_that_was_turned_away_is_sent_again_after_the_pause_it_asks_for(client, cloud, slept):
    too_many = service_error("SlowDown", "slow down", retry_after_s=7)
    cloud.faults = [("before", too_many)]
    client.submit(request())
    assert len(cloud.jobs) == 1
    assert 7 <= slept[0] <= 11


def test_a_pause_that_is_too_long_is_left_to_the_caller(client, cloud, slept):
    cloud.faults = [("before", service_error("SlowDown", "slow down", retry_after_s=3600))]
    with pytest.raises(Throttled) as caught:
        client.job("j1")
    assert caught.value.retry_after_s == 3600
    assert slept == []


def test_a_read_is_tried_four_times(client, cloud, slept):
    client.submit(request())
    cloud.faults = [("before", lost()), ("before", "InternalError"), ("before", TimeoutError())]
    assert client.job("j1")[0].job_id == "j1"
    assert len(slept) == 3


def test_a_read_that_stays_broken_raises_our_error_with_the_reason(client, cloud):
    cloud.faults = [("before", lost())] * 4
    with pytest.raises(ConnectionFailed, match="dead"):
        client.job("j1")
    assert cloud.faults == []


def test_an_answer_that_breaks_midway_is_read_again(client, cloud):
    client.submit(request())
    cloud.faults = [("midway", lost())]
    assert client.job("j1")[0].job_id == "j1"


def test_jobs_come_in_the_order_asked(client):
    for number in range(3):
        client.submit(request(f"run-{number}"))
    assert [job.job_id for job in client.job("j3", "j1", "j2")] == ["j3", "j1", "j2"]


def test_missing_jobs_are_named(client):
    client.submit(request())
    with pytest.raises(NotFound, match="j8, j9"):
        client.job("j1", "j8", "j9")


def test_listing_pages_by_itself_and_stops_early(client, cloud):
    for number in range(5):
        client.submit(request(f"run-{number}"))
    cloud.calls.clear()
    listed = client.jobs(page_size=2)
    assert next(listed).job_id == "j5"
    assert cloud.calls == ["list_jobs"]
    assert [job.job_id for job in listed] == ["j4", "j3", "j2", "j1"]
    assert cloud.calls == ["list_jobs"] * 3


def test_listing_filters(client, cloud):
    client.submit(request("a"))
    client.submit(request("b", key="input/b.mp4"))
    cloud.move("j1", state="Running")
    assert [job.job_id for job in client.jobs(states=["Running", "Failed"])] == ["j1"]
    assert [job.job_id for job in client.jobs(input_object="input/b.mp4")] == ["j2"]
    assert [job.job_id for job in client.jobs(newest_first=False)] == ["j1", "j2"]
    assert client.find_by_user_data("b").job_id == "j2"
    assert client.find_by_user_data("c") is None


class Story:
    """Moves a job on each time the client sleeps."""

    def __init__(self, cloud, *steps):
        self.cloud, self.steps, self.slept = cloud, list(steps), []

    def __call__(self, seconds):
        self.slept.append(seconds)
        if self.steps:
            step = self.steps.pop(0)
            if isinstance(step, BaseException):
                raise step
            self.cloud.jobs["j1"] = step(self.cloud.jobs["j1"])


def running(progress):
    return lambda job: dataclasses.replace(job, state="Running", progress=progress)


def done(job):
    return finished(job, "output/a.mp4")


def failed(job):
    return dataclasses.replace(job, state="Failed", code="ResourceNotSupported", message="no video")


def test_waiting_reports_each_new_state_and_ends_with_the_job(client, cloud):
    job = Job(client, client.submit(request()))
    client.sleep = Story(cloud, running(10), running(10), running(60), done)
    events = []
    assert job.wait(on_progress=lambda one: events.append((one.state, one.progress))) is job
    assert events == [("Submitted", 0), ("Running", 10), ("Running", 60), ("Success", 100)]
    assert job.output_key == "output/a.mp4"


def test_waiting_for_a_job_that_fails_raises_with_the_job(client, cloud):
    job = Job(client, client.submit(request()))
    client.sleep = Story(cloud, failed)
    with pytest.raises(JobFailed, match="ResourceNotSupported: no video") as caught:
        job.wait()
    assert caught.value.job == job.detail


def test_waiting_for_a_job_that_was_cancelled_raises(client, cloud):
    job = Job(client, client.submit(request()))
    assert job.cancel().state == "Cancel"
    with pytest.raises(JobFailed, match="was cancelled"):
        job.wait()


def test_waiting_too_long_raises_a_time_out_with_the_job(client):
    job = Job(client, client.submit(request()))
    client.sleep = lambda seconds: None
    with pytest.raises(TimeoutError, match="is still Submitted") as caught:
        job.wait(timeout_s=0.05)
    assert isinstance(caught.value, WaitTimedOut)
    assert caught.value.job.job_id == "j1"


def test_ctrl_c_stops_waiting_and_not_the_job(client, cloud):
    job = Job(client, client.submit(request()))
    client.sleep = Story(cloud, running(30), KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        job.wait()
    assert (job.state, cloud.jobs["j1"].state) == ("Running", "Running")
    assert "cancel_job" not in cloud.calls


def test_a_wait_outlives_a_service_that_is_away_for_a_while(client, cloud):
    job = Job(client, client.submit(request()))
    client.sleep = Story(cloud, *[lambda job: job] * 6, done)
    cloud.faults = [("before", "InternalError")] * 6
    assert job.wait().state == "Success"


def test_a_job_can_be_awaited(client, cloud):
    job = Job(client, client.submit(request()))
    client.sleep = Story(cloud, running(30), done)

    async def wait():
        return await job

    assert asyncio.run(wait()).state == "Success"


def test_many_jobs_are_asked_for_in_one_call(client, cloud):
    for number in range(4):
        client.submit(request(f"run-{number}"))
    cloud.calls.clear()

    def end_all(seconds):
        cloud.jobs = {one: done(job) for one, job in cloud.jobs.items()}

    client.sleep = end_all
    events = [(job.job_id, job.state) for job in watch(client, ["j1", "j2", "j3", "j4"])]
    assert cloud.calls == ["get_jobs"] * 2
    assert events[4:] == [("j1", "Success"), ("j2", "Success"), ("j3", "Success"), ("j4", "Success")]


def test_polling_backs_off_with_age_within_bounds():
    ages = [0, 1, 5, 30, 100, 10_000]
    pauses = [pause_s(age) for age in ages]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.2, 10.0)


def test_an_unknown_state_is_shown_and_waited_through(client, cloud):
    job = Job(client, client.submit(request()))
    odd = dataclasses.replace(cloud.jobs["j1"])
    odd.__dict__["state"] = "Reviewing"
    client.sleep = Story(cloud, lambda _: odd, done)
    events = []
    job.wait(on_progress=lambda one: events.append(one.state))
    assert events == ["Submitted", "Reviewing", "Success"]


def test_a_job_shows_itself_in_a_line_without_ids_and_times(client, cloud):
    job = Job(client, client.submit(request()))
    assert repr(job) == "<Job Submitted: input/a.mp4 · MsSharpen.SharpenLevel=5>"
    cloud.move("j1", state="Running", progress=40)
    assert repr(job.refresh()) == "<Job Running 40 %: input/a.mp4 · MsSharpen.SharpenLevel=5>"


def test_a_job_s_html_is_escaped_and_holds_no_id_and_no_time(client):
    job = Job(client, client.submit(request(key="input/<script>.mp4")))
    html = job._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert job.id not in html
    assert CREATED not in html


def test_the_output_of_a_job_can_be_downloaded_and_viewed(client, cloud, tmp_path):
    job = Job(client, client.submit(request()))
    cloud.jobs["j1"] = done(cloud.jobs["j1"])
    cloud.objects["output/a.mp4"] = b"video"
    job.refresh()
    assert job.download(tmp_path) == tmp_path / "a-SharpenLevel-5.mp4"
    assert (tmp_path / "a-SharpenLevel-5.mp4").read_bytes() == b"video"
    assert job.snapshot(1.25, width=320) == b"picture at 1.25 s, 320"


def test_a_job_that_made_nothing_yet_says_so(client):
    job = Job(client, client.submit(request()))
    with pytest.raises(NotFound, match="has no output yet; its state is Submitted"):
        job.snapshot()
