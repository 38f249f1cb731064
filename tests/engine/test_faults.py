"""Faults strike when they are asked for, over both faces, and what was accepted before them stays accepted."""

import time

import httpx
import pytest

from ci_notebook.client.connection.transport import WSGITransport
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.faults import Faults, HangUp, JobFails, ServerError, SlowJobs, Throttle, TimeOut
from ci_notebook.model.api.jobs import Response
from ci_notebook.model.errors import ParameterError
from ci_notebook.wire.operations import CALLS
from ci_notebook.wire.xml import loads
from tests.engine_fixtures import BUCKET, COS_HOST, KEYS, REGION, Caller, job_body


def jobs_of(call):
    return loads(Response, call("GET", "/jobs", {"tag": "VideoEnhance"}).content).jobs_detail


@pytest.fixture
def caller(call, clip):
    call.put("in.mp4", clip.read_bytes())
    call.put("text.mp4", b"no video")
    call.http.timeout = 0.5
    return call


def test_there_are_none_at_first(engine):
    assert repr(engine.faults) == "Faults()"


@pytest.mark.slow
@pytest.mark.parametrize(("after", "accepted"), [(False, 0), (True, 1)], ids=["before", "after"])
@pytest.mark.parametrize("fault", [ServerError, Throttle, TimeOut, HangUp])
def test_a_fault_strikes_once_before_or_after_the_job_is_accepted(caller, engine, fault, after, accepted):
    engine.faults.add("create_job", fault(after=after))
    if fault in (ServerError, Throttle):
        answer = caller("POST", "/jobs", body=job_body(key="text.mp4"))
        assert answer.status_code == (503 if fault is ServerError else 429)
        assert b"<Code>" in answer.content
        assert answer.headers.get("retry-after") == ("1" if fault is Throttle else None)
    else:
        lost = httpx.ReadTimeout if fault is TimeOut else (httpx.ReadError, httpx.RemoteProtocolError)
        with pytest.raises(lost):
            caller("POST", "/jobs", body=job_body(key="text.mp4"))
    assert len(jobs_of(caller)) == accepted
    assert caller("POST", "/jobs", body=job_body(key="text.mp4")).status_code == 200


@pytest.mark.slow
def test_the_port_keeps_serving_after_silence_and_broken_connections(caller, engine):
    engine.faults.add("get_object", TimeOut(after=True), times=3)
    engine.faults.add("get_object", HangUp(), times=9)
    for _ in range(12):
        with pytest.raises(httpx.TransportError):
            caller("GET", "/in.mp4", host=COS_HOST)
    assert caller("GET", "/in.mp4", host=COS_HOST).status_code == 200


@pytest.mark.parametrize("call_name", [call.name for call in CALLS])
def test_every_call_can_be_struck(engine, call_name):
    engine.faults.add(call_name, HangUp())
    assert [engine.faults.of_call(call.name) is not None for call in CALLS].count(True) == 1


def test_another_status_than_503(caller, engine):
    for status, code in ((500, "InternalError"), (502, "ServiceUnavailable"), (504, "ServiceUnavailable")):
        engine.faults.add("*", ServerError(status))
        answer = caller("GET", "/queue")
        assert (answer.status_code, code in answer.text) == (status, True)


def test_a_wrong_signature_uses_no_fault_up(caller, engine):
    engine.faults.add("list_queues", ServerError())
    assert caller("GET", "/queue", secret_key="wrong").status_code == 401
    assert caller("GET", "/queue").status_code == 503


def test_times_skip_and_chances_are_counted():
    faults = Faults(seed=7)
    faults.add("get_jobs", HangUp(), times=2, skip=1)
    assert [faults.of_call("get_jobs") is not None for _ in range(5)] == [False, True, True, False, False]
    faults.clear()
    faults.add("get_jobs", HangUp(), times=None, probability=0.25)
    struck = [faults.of_call("get_jobs") is not None for _ in range(400)]
    assert 60 < sum(struck) < 140
    again = Faults(seed=7)
    again.add("get_jobs", HangUp(), times=None, probability=0.25)
    assert [again.of_call("get_jobs") is not None for _ in range(400)] == struck


def test_the_list_shows_pending_and_triggered_faults():
    faults = Faults()
    faults.add("create_job", TimeOut(after=True), times=2)
    faults.add("run_job", SlowJobs(start_s=1), times=None)
    faults.of_call("create_job")
    assert repr(faults) == (
        "Faults(\n  create_job: TimeOut(after=True) (1 left, struck 1)\n"
        "  run_job: SlowJobs(start_s=1, run_s=0.0) (always, struck 0)\n)"
    )
    faults.clear("create_job")
    assert [one.call for one in faults.planned()] == ["run_job"]


@pytest.mark.parametrize(
    ("call_name", "fault", "more"),
    [("create_jobs", HangUp(), {}), ("run_job", HangUp(), {}), ("create_job", JobFails(), {}),
     ("create_job", HangUp(), {"probability": 2})],
)  # fmt: skip
def test_an_invalid_fault_is_named(call_name, fault, more):
    with pytest.raises(ParameterError, match="probability" if more else call_name):
        Faults().add(call_name, fault, **more)


@pytest.mark.slow
@pytest.mark.parametrize("percent", [0, 40, 100])
def test_a_job_fails_where_it_shall_and_leaves_no_output(call_in_process, clip, engine, percent):
    call = call_in_process
    call.put("in.mp4", clip.read_bytes())
    engine.faults.add("run_job", JobFails(percent, code="ResourceNotSupported", message="It broke."))
    job = call.ended(call.submit().job_id)
    assert (job.state, job.code, job.message) == ("Failed", "ResourceNotSupported", "It broke.")
    assert job.progress == min(99, percent)
    assert call("HEAD", f"/out/{job.job_id}.mp4", host=COS_HOST).status_code == 404
    assert call.ended(call.submit().job_id).state == "Success"


@pytest.mark.slow
def test_slow_jobs_can_be_watched_in_each_state(call_in_process, engine):
    call = call_in_process
    call.put("text.mp4", b"no video")
    engine.faults.add("run_job", SlowJobs(start_s=1.0, run_s=0.5))
    began = time.monotonic()
    job, events = call.submit(key="text.mp4"), []
    while not events or events[-1][0] not in ("Success", "Failed"):
        state = call.job(job.job_id).state
        if not events or events[-1][0] != state:
            events.append((state, time.monotonic() - began))
        time.sleep(0.01)
    assert [state for state, _ in events] == ["Submitted", "Running", "Failed"]
    assert events[1][1] >= 0.9
    assert events[2][1] - events[1][1] >= 0.4
    assert call.ended(call.submit(key="text.mp4").job_id, timeout_s=0.9).state == "Failed"


def test_a_slow_job_does_not_hold_up_the_end_of_the_engine(tmp_path):
    with Engine(tmp_path, bucket=BUCKET, region=REGION, keys=KEYS) as engine:
        call = Caller(WSGITransport(engine.app))
        call.put("text.mp4", b"no video")
        engine.faults.add("run_job", SlowJobs(run_s=60))
        job = call.submit(key="text.mp4")
        while call.job(job.job_id).state != "Running":
            time.sleep(0.01)
        call.close()
        began = time.monotonic()
    assert time.monotonic() - began < 5
