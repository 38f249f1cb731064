"""A Dask cluster's workers may die, come and go, and not be there at all: jobs end once, or say why they cannot."""

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

import ci_notebook as ci
from ci_notebook.cli import main
from ci_notebook.client.connection.transport import WSGITransport
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.faults import SlowJobs
from ci_notebook.engine.jobs.dask_cluster import DaskCluster
from ci_notebook.engine.jobs.heartbeat import Heartbeat
from ci_notebook.engine.jobs.ledger import JobRow
from ci_notebook.engine.jobs.run_job import CancelCheck, RemoteJob
from ci_notebook.engine.limits import Limits
from ci_notebook.model.errors import EngineError, ParameterError
from tests.engine.test_serve import Server
from tests.engine_fixtures import BUCKET, COS_HOST, KEYS, REGION, Caller
from tests.executor_fixtures import pool
from tests.support import until


@pytest.fixture
def make_engine(make_engine, tmp_path):
    return lambda executor, **options: make_engine(tmp_path / "root", executor=executor, **options)


def begun(engine):
    """Return how many attempts at jobs have begun."""
    return len(list(engine.root.glob(".owners/*/*/try-*")))


def kill_one_at_work(cluster):
    """Kill a worker process that has a job."""
    busy = {address for address, state in cluster.scheduler.workers.items() if state.processing}
    (nanny, *_) = [one for one in cluster.workers.values() if one.worker_address in busy]
    os.kill(nanny.pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_killed_workers_job_runs_again_and_its_output_appears_once(cluster, make_engine, clip):
    engine, call = make_engine(DaskCluster(cluster.scheduler_address))
    call.put("in.mp4", clip.read_bytes())
    engine.faults.add("run_job", SlowJobs(run_s=1.0))
    job = call.submit()
    until(lambda: begun(engine) == 1)
    kill_one_at_work(cluster)
    until(lambda: begun(engine) == 2)
    assert call("HEAD", f"/out/{job.job_id}.mp4", host=COS_HOST).status_code == 404
    assert call.ended(job.job_id).state == "Success"
    assert len(list((engine.root / BUCKET).iterdir())) == 2
    until(lambda: len(cluster.scheduler.workers) == 2)


@pytest.mark.slow
def test_a_job_that_kills_worker_after_worker_has_failed_with_the_reason(cluster, make_engine, clip):
    engine, call = make_engine(DaskCluster(cluster.scheduler_address))
    call.put("in.mp4", clip.read_bytes())
    engine.faults.add("run_job", SlowJobs(run_s=60))
    job = call.submit()
    for death in range(4):
        until(lambda death=death: begun(engine) == death + 1)
        kill_one_at_work(cluster)
    ended = call.ended(job.job_id)
    assert (ended.state, ended.code, ended.output_keys) == ("Failed", "InternalError", ())
    assert "KilledWorker" in ended.message
    assert "4" in ended.message
    until(lambda: len(cluster.scheduler.workers) == 2)
    assert call.ended(call.submit().job_id).state == "Success"


@pytest.mark.slow
def test_an_engine_that_is_killed_leaves_no_work_behind_and_the_next_ends_its_jobs(cluster, clip, tmp_path):
    program = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from ci_notebook.engine.jobs.dask_cluster import DaskCluster
from ci_notebook.engine.faults import SlowJobs
from ci_notebook.engine.jobs.ledger import JobRow
from ci_notebook.engine.limits import Limits
from ci_notebook.engine.jobs.heartbeat import Heartbeat
from ci_notebook.engine.jobs.run_job import CancelCheck, RemoteJob
from tests.engine_fixtures import *
engine = Engine({str(tmp_path / "root")!r}, bucket=BUCKET, region=REGION, keys=KEYS,
    executor=DaskCluster({cluster.scheduler_address!r}))
engine.faults.add("run_job", SlowJobs(run_s=60), times=None)
call = Caller(WSGITransport(engine.app))
call.put("in.mp4", Path({str(clip)!r}).read_bytes())
print(call.submit().job_id, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        job_id = process.stdout.readline().strip()
        until(lambda: list(tmp_path.glob("root/.owners/*/*/try-*")))
        process.kill()
    executor = DaskCluster(cluster.scheduler_address)
    with Engine(tmp_path / "root", bucket=BUCKET, region=REGION, keys=KEYS, executor=executor) as engine:
        call = Caller(WSGITransport(engine.app))
        assert call.ended(job_id).state == "Success"
        call.close()
    assert len(list((tmp_path / "root" / BUCKET).iterdir())) == 2


@pytest.mark.slow
def test_jobs_wait_while_there_is_no_worker_and_no_scheduler(make_engine, clip, caplog):
    class Absent:
        """Stands for a scheduler that is gone for a while."""

        calls = 0

        def __call__(self):
            self.calls += 1
            if self.calls < 2:
                raise ConnectionError("gone")
            return pool(1)

    maker = Absent()
    _, call = make_engine(maker)
    call.put("in.mp4", clip.read_bytes())
    with caplog.at_level(logging.WARNING, logger="ci_notebook"):
        assert call.ended(call.submit().job_id).state == "Success"
    assert maker.calls == 2
    assert "gone" in caplog.text


@pytest.mark.slow
def test_a_broken_pool_is_made_again_and_its_jobs_run_again(make_engine, clip):
    pools: list[ProcessPoolExecutor] = []

    def make():
        pools.append(pool(1))
        return pools[-1]

    others = set(multiprocessing.active_children())
    engine, call = make_engine(make, workers=1)
    call.put("in.mp4", clip.read_bytes())
    engine.faults.add("run_job", SlowJobs(run_s=60))
    job = call.submit()
    until(lambda: begun(engine) == 1)
    children = set(multiprocessing.active_children()) - others  # a worker of the cluster may have been restarted, too
    (process,) = [one for one in children if one.name.startswith("SpawnProcess")]
    process.kill()
    assert call.ended(job.job_id).state == "Success"
    assert len(pools) == 2


@pytest.mark.slow
def test_serve_does_its_jobs_on_the_cluster(cluster, clip, tmp_path):
    server = Server(tmp_path / "root", f"executor=DaskCluster({cluster.scheduler_address!r})")
    server.call.put("in.mp4", clip.read_bytes())
    job = server.call.submit()
    assert server.call.ended(job.job_id).state == "Success"
    assert server.end(signal.SIGTERM) == 0


@pytest.mark.slow
def test_an_unavailable_cluster_is_refused_with_a_remedy(tmp_path, monkeypatch, capsys):
    with pytest.raises(ParameterError, match="tcp://HOST:PORT"):
        DaskCluster("localhost")
    with pytest.raises(EngineError, match="dask scheduler"):
        DaskCluster("tcp://127.0.0.1:1", timeout_s=0.2)
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["serve", "--root", str(tmp_path / "root"), "--dask", "tcp://127.0.0.1:1"]) == 1
    output = capsys.readouterr()
    assert "ci-notebook[dask]" in output.err
    assert "SECRET" not in output.out


@pytest.mark.slow
def test_connect_takes_an_executor_and_limits_and_refuses_them_with_a_bucket(cluster, tmp_path, clip):
    executor = DaskCluster(cluster.scheduler_address)
    with ci.connect(home=tmp_path, executor=executor, time_limit_s=100, disk_limit_bytes=1 << 30) as lab:
        stored = lab.upload(clip)
        assert lab.submit(stored, ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=5))).wait().state == "Success"
    with pytest.raises(ParameterError, match="embedded engine"):
        ci.connect("mybucket-1250000000", region="ap-chongqing", time_limit_s=3)
    with pytest.raises(ParameterError, match="time_limit_s"):
        ci.connect(home=tmp_path, time_limit_s=0)


@pytest.mark.slow
def test_a_worker_stops_when_its_engine_falls_silent_or_the_folder_goes(tmp_path, monkeypatch):
    monkeypatch.setattr("ci_notebook.engine.jobs.run_job.SILENCE_S", 0.2)
    owner = Heartbeat(tmp_path, "owner")
    job = JobRow(
        job_id="j1", bucket=BUCKET, queue_id="p1", tag="VideoEnhance", input_object="a", created=1.0,
        request=b"<Request/>", work=b"<Operation/>",
    )  # fmt: skip
    folder = owner.folder / "j1"
    folder.mkdir()
    is_unwanted = CancelCheck(RemoteJob(job=job, folder=folder, objects={}, limits=Limits()))
    for _ in range(4):
        owner.beat()
        assert not is_unwanted()
        time.sleep(0.1)
    time.sleep(0.15)
    assert is_unwanted()
    owner.beat()
    assert not is_unwanted()
    owner.close()
    assert is_unwanted()
