"""The receiver of callbacks: what arrives becomes jobs, a wait ends by it, and nothing that arrives does harm."""

from __future__ import annotations

import dataclasses
import http.client
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest

from ci_notebook.client.job import Job
from ci_notebook.client.polling import Pace
from ci_notebook.client.receiver import MAX_NOTIFICATION_BYTES, POLL_EVERY_S, Receiver
from ci_notebook.model.api.jobs import JobFailed, WaitTimedOut
from tests.client.fake_cloud import finished
from tests.client.test_jobs import request


@pytest.fixture
def receiver(client):
    with Receiver(client) as receiver:
        yield receiver


def post(receiver, body, path=None, headers=None, method="POST"):
    where = urlsplit(receiver.url)
    line = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
    try:
        line.request(method, where.path if path is None else path, body, headers or {})
        return line.getresponse().status
    finally:
        line.close()


def told(job_id, state="Success"):
    return f"<Response><JobsDetail><JobId>{job_id}</JobId><State>{state}</State></JobsDetail></Response>".encode()


@pytest.mark.slow
def test_notifications_become_jobs_in_order_of_arrival(client, receiver):
    ids = [client.submit(request(f"run {number}")).job_id for number in range(3)]
    for one in ids:
        assert post(receiver, told(one)) == 200
    jobs = [receiver.get(timeout_s=5) for _ in ids]
    assert [job.id for job in jobs] == ids
    assert {job.state for job in jobs} == {"Success"}
    assert jobs[0].refresh().state == "Submitted"  # the service knows better


def test_json_is_taken_as_well(receiver):
    assert post(receiver, b'{"JobsDetail": [{"JobId": "j1", "State": "Failed"}]}') == 200
    assert receiver.get(timeout_s=5).state == "Failed"


@pytest.mark.slow
def test_iterating_ends_when_the_receiver_is_closed(client):
    receiver = Receiver(client)
    post(receiver, told("j1"))
    threading.Timer(0.2, receiver.close).start()
    assert [job.id for job in receiver] == ["j1"]
    with pytest.raises(EOFError):
        receiver.get()
    receiver.close()


def test_nothing_coming_is_a_time_out(receiver):
    with pytest.raises(TimeoutError, match="No notification came"):
        receiver.get(timeout_s=0.01)


@pytest.mark.parametrize(
    ("status", "body", "more"),
    [
        (404, told("j1"), {"path": "/"}),
        (404, told("j1"), {"path": "/other"}),
        (400, b"hello", {}),
        (400, b"", {}),
        (411, b"", {"headers": {"Content-Length": "-1"}}),
        (411, b"", {"headers": {"Content-Length": "one"}}),
        (413, b"", {"headers": {"Content-Length": str(MAX_NOTIFICATION_BYTES + 1)}}),
        (413, b"", {"headers": {"Content-Length": "9" * 5000}}),
        (501, None, {"method": "GET"}),
    ],
)
def test_an_invalid_notification_is_refused_and_not_delivered(receiver, status, body, more):
    assert post(receiver, body, **more) == status
    with pytest.raises(TimeoutError):
        receiver.get(timeout_s=0.01)
    assert post(receiver, told("j2")) == 200


@pytest.mark.slow
def test_a_sender_that_hangs_up_is_dropped_silently(receiver, capfd):
    where = urlsplit(receiver.url)
    for text in (b"", b"POST", f"POST {where.path} HTTP/1.1\r\nContent-Length: 100\r\n\r\n<Resp".encode()):
        line = socket.create_connection((where.hostname, where.port))
        line.sendall(text)
        line.close()
    assert post(receiver, told("j1")) == 200
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_wait_ends_by_notification_before_the_next_poll(client, cloud, receiver):
    job = Job(client, client.submit(request("run 1")))
    client.sleep = lambda seconds: pytest.fail("a wait with a receiver does not sleep")

    def end():
        cloud.jobs[job.id] = finished(cloud.jobs[job.id], "output/a.mp4")
        post(receiver, told(job.id))

    began = time.monotonic()
    threading.Timer(0.3, end).start()
    assert receiver.wait(job).output_key == "output/a.mp4"
    assert time.monotonic() - began < POLL_EVERY_S
    assert cloud.calls.count("get_jobs") == 2
    assert receiver.get(timeout_s=1).id == job.id


@pytest.mark.slow
def test_a_wait_verifies_a_notification(client, cloud, receiver):
    job = Job(client, client.submit(request("run 1")))
    threading.Timer(0.1, post, (receiver, told(job.id))).start()
    with pytest.raises(WaitTimedOut):
        receiver.wait(job, timeout_s=0.5)
    assert job.state == "Submitted"


@pytest.mark.slow
def test_a_wait_ends_without_any_notification(client, cloud, receiver):
    job = Job(client, client.submit(request("run 1")))

    def fail():
        cloud.jobs[job.id] = dataclasses.replace(cloud.jobs[job.id], state="Failed", code="X", message="m")

    threading.Timer(0.1, fail).start()
    with pytest.raises(JobFailed):
        receiver.wait(job)


@pytest.mark.slow
def test_a_notification_before_the_wait_is_not_missed(client, cloud, receiver):
    """The first thing that a wait does is to read."""
    job = Job(client, client.submit(request("run 1")))
    cloud.jobs[job.id] = finished(cloud.jobs[job.id], "output/a.mp4")
    post(receiver, told(job.id))
    began = time.monotonic()
    receiver.wait(job)
    assert time.monotonic() - began < POLL_EVERY_S


@pytest.mark.slow
def test_many_are_watched_and_woken_at_once(client, cloud, receiver):
    ids = [client.submit(request(f"run {number}")).job_id for number in range(3)]

    def end():
        for one in ids:
            cloud.jobs[one] = finished(cloud.jobs[one], f"output/{one}.mp4")
        post(receiver, told(ids[0]))

    threading.Timer(0.2, end).start()
    over = [job.id for job in receiver.watch(ids, timeout_s=10) if job.is_over]
    assert sorted(over) == sorted(ids)


@pytest.mark.slow
def test_the_receiver_is_shown_without_its_path(receiver):
    path = urlsplit(receiver.url).path
    assert len(path) > 16
    assert path.strip("/") not in repr(receiver)
    assert receiver.notify_config("JSON").url == receiver.url


@pytest.mark.slow
def test_a_pace_is_of_one_wait(receiver):
    first, second = receiver.pace(), receiver.pace()
    assert isinstance(first, Pace)
    post(receiver, told("j1"))
    began = time.monotonic()
    first.rest(5)
    second.rest(5)
    assert time.monotonic() - began < 4.5
    first.rest(0.05)
