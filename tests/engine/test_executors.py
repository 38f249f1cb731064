"""Jobs may run in processes of an executor's: what is handed over can be pickled, and nothing is lost with them."""

import multiprocessing
import pickle
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from ci_notebook.client.connection.transport import WSGITransport
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.faults import JobFails, SlowJobs
from ci_notebook.engine.jobs.ledger import JobRow
from ci_notebook.engine.jobs.run_job import RemoteJob
from ci_notebook.engine.limits import Limits
from tests.engine_fixtures import BUCKET, COS_HOST, KEYS, REGION, Caller
from tests.support import until


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture
def engine(tmp_path, processes):
    options = {"bucket": BUCKET, "region": REGION, "keys": KEYS}
    with Engine(tmp_path / "engine", executor=processes, **options) as running:
        yield running


@pytest.fixture
def call(engine):
    caller = Caller(WSGITransport(engine.app))
    yield caller
    caller.close()


def until_running(call, job_id):
    end = time.monotonic() + 30
    while call.job(job_id).state != "Running":
        assert time.monotonic() < end
        time.sleep(0.02)


def test_an_errand_survives_being_pickled():
    job = JobRow(
        job_id="j1", bucket=BUCKET, queue_id="p1", tag="VideoEnhance", input_object="a", created=1.0,
        request=b"<Request/>", work=b"<Operation/>",
    )  # fmt: skip
    remote = RemoteJob(job=job, folder=Path("b"), objects={"a": "held/0/a"}, limits=Limits(), fault=JobFails(10))
    assert pickle.loads(pickle.dumps(remote)) == remote  # noqa: S301  our own


@pytest.mark.slow
def test_a_job_runs_in_another_process_and_faults_go_with_it(call, engine, clip):
    call.put("in.mp4", clip.read_bytes())
    job = call.ended(call.submit().job_id)
    assert job.state == "Success", job
    assert call("HEAD", f"/{job.output_keys[0]}", host=COS_HOST).status_code == 200
    engine.faults.add("run_job", JobFails(0, message="It broke."))
    failed = call.ended(call.submit().job_id)
    assert (failed.state, failed.message) == ("Failed", "It broke.")


@pytest.mark.slow
def test_closing_the_engine_stops_the_job_and_puts_it_back(call, engine, processes, clip):
    call.put("in.mp4", clip.read_bytes())
    engine.faults.add("run_job", SlowJobs(run_s=60))
    job = call.submit()
    until_running(call, job.job_id)
    began = time.monotonic()
    engine.close()
    assert time.monotonic() - began < 10
    with Engine(engine.root, bucket=BUCKET, region=REGION, keys=KEYS, executor=processes) as again:
        other = Caller(WSGITransport(again.app))
        assert other.ended(job.job_id).state == "Success"
        other.close()


@pytest.mark.slow
def test_a_job_whose_process_dies_has_failed(tmp_path, clip):
    others = set(multiprocessing.active_children())
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        Engine(tmp_path, bucket=BUCKET, region=REGION, keys=KEYS, executor=pool) as engine,
    ):
        call = Caller(WSGITransport(engine.app))
        call.put("in.mp4", clip.read_bytes())
        engine.faults.add("run_job", SlowJobs(run_s=60))
        job = call.submit()
        until_running(call, job.job_id)
        until(lambda: set(multiprocessing.active_children()) - others)
        time.sleep(1)
        for process in set(multiprocessing.active_children()) - others:
            process.kill()
        ended = call.ended(job.job_id)
        assert (ended.state, ended.code) == ("Failed", "InternalError")
        assert "BrokenProcessPool" in ended.message
        call.close()
