"""Watching several jobs at once, in a plain loop and inside a running event loop."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from ci_notebook.client.job import Job
from ci_notebook.client.watch import Watch
from ci_notebook.model.errors import NotFound
from tests.client.fake_cloud import finished
from tests.client.test_jobs import Story, done, failed, request, running


@pytest.fixture
def jobs(client):
    return [Job(client, client.submit(request(f"run {number}"))) for number in range(3)]


class Ends:
    """Ends one more job each time the client sleeps."""

    def __init__(self, cloud):
        self.cloud, self.slept = cloud, 0

    def __call__(self, seconds):
        time.sleep(0.01)
        open_ = [one for one, job in self.cloud.jobs.items() if not job.is_over]
        self.slept += 1
        if open_:
            self.cloud.jobs[open_[0]] = finished(self.cloud.jobs[open_[0]], "output/a.mp4")


def test_each_job_comes_when_its_state_is_new_and_last_when_it_is_over(client, cloud, jobs):
    client.sleep = Ends(cloud)
    cloud.calls.clear()
    events = [(job.id, job.state) for job in Watch(client, jobs)]
    assert events == [(f"j{n}", "Submitted") for n in (1, 2, 3)] + [(f"j{n}", "Success") for n in (1, 2, 3)]
    assert cloud.calls == ["get_jobs"] * 4
    assert all(job.is_over for job in jobs)


def test_progress_is_reported_on_request(client, cloud, jobs):
    client.sleep = Story(cloud, running(10), running(20), done)
    plain = [(job.state, job.progress) for job in Watch(client, ["j1"])]
    assert plain == [("Submitted", 0), ("Running", 10), ("Success", 100)]
    cloud.jobs["j1"] = running(0)(cloud.jobs["j1"])
    client.sleep = Story(cloud, running(10), running(20), failed)
    states = [(job.state, job.progress) for job in Watch(client, ["j1"], progress=True)]
    assert states == [("Running", 0), ("Running", 10), ("Running", 20), ("Failed", 20)]


def test_jobs_that_are_over_come_once(client, cloud, jobs):
    cloud.jobs = {one: done(job) for one, job in cloud.jobs.items()}
    assert [job.id for job in Watch(client, jobs)] == ["j1", "j2", "j3"]


def test_no_jobs_end_at_once(client, cloud):
    assert list(Watch(client, [])) == []
    assert cloud.calls == []


def test_an_unknown_id_is_reported(client, jobs):
    with pytest.raises(NotFound, match="j9"):
        list(Watch(client, ["j1", "j9"]))


def test_a_watch_that_takes_too_long_ends_early(client, jobs):
    client.sleep = lambda seconds: time.sleep(0.01)
    assert [job.state for job in Watch(client, jobs, timeout_s=0.05)] == ["Submitted"] * 3


def test_many_jobs_are_watched_inside_a_running_loop(client, cloud, jobs):
    client.sleep = Ends(cloud)

    async def watch():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(tick())
        events = [(job.id, job.state) async for job in Watch(client, jobs)]
        beside.cancel()
        return events, ticks

    events, ticks = asyncio.run(watch())
    assert [state for _, state in events] == ["Submitted"] * 3 + ["Success"] * 3
    assert ticks > 3


def test_an_error_of_the_service_is_raised_in_the_loop(client, jobs):
    async def watch():
        async for _ in Watch(client, ["j1", "j9"]):
            pass

    with pytest.raises(NotFound, match="j9"):
        asyncio.run(watch())


def ours():
    return [one for one in threading.enumerate() if one.name == "ci-notebook-aside"]


def test_leaving_the_loop_ends_the_thread_and_leaves_the_jobs(client, cloud, jobs):
    client.sleep = lambda seconds: time.sleep(0.01)

    async def watch():
        watched = aiter(Watch(client, jobs))
        first = await anext(watched)
        await watched.aclose()
        return first

    assert asyncio.run(watch()).state == "Submitted"
    gone_by(2.0)
    assert "cancel_job" not in cloud.calls


@pytest.mark.slow
def test_cancelling_an_awaited_job_ends_the_thread_and_leaves_the_job(client, cloud, jobs):
    client.sleep = lambda seconds: time.sleep(0.01)

    async def wait():
        await asyncio.wait_for(jobs[0], 0.1)

    with pytest.raises(TimeoutError):
        asyncio.run(wait())
    gone_by(2.0)
    assert cloud.jobs["j1"].state == "Submitted"


@pytest.mark.slow
def test_twenty_awaited_jobs_do_not_wait_for_each_other(client, cloud):
    jobs = [Job(client, client.submit(request(f"run {number}"))) for number in range(20)]
    client.sleep = lambda seconds: time.sleep(0.01)
    threading.Timer(0.3, lambda: cloud.jobs.update({one: done(job) for one, job in cloud.jobs.items()})).start()

    async def wait():
        return await asyncio.gather(*jobs)

    assert {job.state for job in asyncio.run(wait())} == {"Success"}


def gone_by(seconds):
    until = time.monotonic() + seconds
    while ours() and time.monotonic() < until:
        time.sleep(0.01)
    assert ours() == []


def test_a_watch_shows_how_many_jobs_it_is_about(client):
    assert repr(Watch(client, ["j1"])) == "<Watch of 1 job>"
