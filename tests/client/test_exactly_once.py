"""POST /jobs, exactly once: every fault at every step, over both faces, and the jobs counted at the service.

A session that gives up with an error is begun again, with a client that remembers nothing, as after
a crash: what it knows then stands in the journal, and in the service's own list.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections import Counter

import httpx
import pytest

from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.transport import AddressTransport, WSGITransport
from ci_notebook.client.objects import Clip
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.faults import HangUp, JobFails, ServerError, Throttle, TimeOut
from ci_notebook.engine.server.listener import Listener
from ci_notebook.experiment.journal import Journal
from ci_notebook.experiment.run import RunOptions, run_all
from ci_notebook.experiment.sweep import grid
from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.errors import ServiceError, SubmissionUnclear
from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
from tests.client.test_engine import video  # noqa: F401  a fixture

pytestmark = pytest.mark.slow

BUCKET, REGION, ID, KEY = "lab-1250000000", "ap-chongqing", "AKIDonce", "onceonceonce"
SETTING = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
GIVES_UP = (httpx.TransportError, ServiceError, SubmissionUnclear)

FAULTS = [
    kind(**facts, after=after)
    for (kind, facts), after in itertools.product(
        [(ServerError, {"status": 500}), (ServerError, {"status": 503}), (Throttle, {"retry_after_s": 1}),
         (TimeOut, {}), (HangUp, {})],
        [False, True],
    )
]  # fmt: skip


# What a port makes different: nothing comes back, or the connection is closed. The rest is the same on both
# faces, so what takes long meets it in process only.
FACES = [("in process", fault) for fault in FAULTS]
FACES += [("over a port", fault) for fault in FAULTS if isinstance(fault, (TimeOut, HangUp))]


@pytest.fixture(scope="module")
def engine(tmp_path_factory, video):  # noqa: F811
    with Engine(tmp_path_factory.mktemp("engine"), bucket=BUCKET, region=REGION, keys={ID: KEY}, workers=2) as made:
        with Client(
            BUCKET, region=REGION, credentials=Credentials(ID, KEY), scheme="http", transport=WSGITransport(made.app)
        ) as client:
            client.upload(video, "input/tiny.mp4")
        yield made


@pytest.fixture(scope="module")
def listener(engine):
    with Listener(engine) as made:
        made.start()
        yield made


@pytest.fixture(params=["in process", "over a port"])
def session(request, engine):
    """Return a way to begin a session: a client that knows nothing of those before it."""
    in_process = request.param == "in process"
    address = "" if in_process else request.getfixturevalue("listener").address
    opened = []

    def begin():
        opened.append(
            Client(
                BUCKET, region=REGION, credentials=Credentials(ID, KEY), scheme="http", timeout_s=0.4,
                sleep=lambda seconds: time.sleep(min(seconds, 0.03)),
                transport=WSGITransport(engine.app) if in_process else AddressTransport(address),
            )
        )  # fmt: skip
        return opened[-1]

    yield begin
    engine.faults.clear()
    for one in opened:
        one.close()


@pytest.fixture
def paused(session):
    """Jobs wait: what is counted is how many there are, not what comes of them."""
    client = session()
    queue = client.queues.pause(next(client.queues.list()))
    yield
    client.queues.resume(queue)


keys = (f"run {number}" for number in itertools.count())


def submitted(key):
    return enhance_request("input/tiny.mp4", SETTING, bucket=BUCKET, region=REGION, user_data=key)


def jobs_with(client, key):
    return [job for job in client.jobs() if job.operation.user_data == key]


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
@pytest.mark.parametrize("times", [1, 2])
def test_a_submission_that_meets_a_fault_makes_one_job(session, engine, paused, fault, times):
    key = next(keys)
    engine.faults.add("create_job", fault, times=times)
    job = session().submit(submitted(key))
    assert [one.job_id for one in jobs_with(session(), key)] == [job.job_id]


@pytest.mark.parametrize("looking", [ServerError(), HangUp(), Throttle()], ids=repr)
@pytest.mark.parametrize(("session", "fault"), FACES, ids=repr, indirect=["session"])
def test_a_submission_that_meets_a_fault_while_reconciling_makes_one_job(session, engine, paused, fault, looking):
    key = next(keys)
    engine.faults.add("create_job", fault)
    engine.faults.add("list_jobs", looking, times=2)
    job = session().submit(submitted(key))
    engine.faults.clear()
    assert [one.job_id for one in jobs_with(session(), key)] == [job.job_id]


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if not isinstance(fault, Throttle)], ids=repr)
def test_a_submission_that_gave_up_makes_one_job_when_repeated(session, engine, paused, fault):
    key, client = next(keys), session()
    engine.faults.add("create_job", fault)
    engine.faults.add("list_jobs", HangUp(), times=None)
    with pytest.raises(SubmissionUnclear):
        client.submit(submitted(key))
    with pytest.raises(SubmissionUnclear):
        client.submit(submitted(key))
    engine.faults.clear()
    job = client.submit(submitted(key))
    assert [one.job_id for one in jobs_with(session(), key)] == [job.job_id]


def test_ctrl_c_in_a_submission_makes_one_job_when_repeated(session, paused, monkeypatch):
    key, client = next(keys), session()
    send = client.sender.send

    def broken_off(call, **more):
        answer = send(call, **more)
        if call.name == "create_job":
            raise KeyboardInterrupt
        return answer

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(client.sender, "send", broken_off)
        client.submit(submitted(key))
    job = client.submit(submitted(key))
    assert [one.job_id for one in jobs_with(session(), key)] == [job.job_id]


def test_another_request_with_the_same_key_is_another_job(session, engine, paused):
    """A label of the user's own may be on many requests; only the very same one is taken for the same."""
    key, client = next(keys), session()
    engine.faults.add("create_job", HangUp(after=True))
    engine.faults.add("list_jobs", HangUp(), times=None)
    with pytest.raises(SubmissionUnclear):
        client.submit(submitted(key))
    engine.faults.clear()
    other = enhance_request("input/tiny.mp4", None, template_id=None, bucket=BUCKET, region=REGION, user_data=key)
    other = dataclasses.replace(other, operation=dataclasses.replace(other.operation, video_enhance=VideoEnhance()))
    client.submit(other)
    client.submit(submitted(key))
    assert len(jobs_with(session(), key)) == 2


@pytest.mark.parametrize("seed", range(6))
def test_a_service_that_keeps_failing_has_one_job_per_submission(session, engine, paused, seed):
    mine = [next(keys) for _ in range(3)]
    for number, fault in enumerate(FAULTS):
        engine.faults.add("*", fault, times=2, probability=0.15, skip=(seed * 7 + number * 3) % 11)
    client = session()
    for key in mine:
        for _ in range(30):
            try:
                client.submit(submitted(key))
                break
            except GIVES_UP:
                continue
        else:
            pytest.fail("the faults should have run out")
    engine.faults.clear()
    assert Counter(job.operation.user_data for job in session().jobs() if job.operation.user_data in mine) == Counter(
        mine
    )


# A sweep: the journal outlives the session.


@pytest.fixture
def sweep(session, tmp_path, video):  # noqa: F811
    """Return a way to run a sweep to its end, however many sessions that takes; and what it asked for."""
    clip = Clip(key="input/tiny.mp4", bucket=BUCKET, region=REGION, size_bytes=video.stat().st_size, path=video)
    # Another service each time, so that no run is taken from a test before.
    asked = {"service": next(keys), "settings": grid(None, SharpenLevel=[0, 5])}

    def run(sessions=20, **more):
        more = {"settle_s": 0.2} | more  # what this service accepts, it lists at once
        for number in range(1, sessions + 1):
            with Journal(tmp_path / "journal.sqlite") as journal:
                try:
                    runs = run_all(
                        session(), clip, asked["settings"],
                        RunOptions(journal=journal, cache=tmp_path / "cache", service=asked["service"], **more),
                    )  # fmt: skip
                except (*GIVES_UP, KeyboardInterrupt):
                    continue
                return runs, number
        raise AssertionError("the faults should have run out")

    return run


@pytest.fixture
def quick(engine, session):
    """Jobs fail as soon as they start: they are counted all the same, and nothing is encoded."""
    engine.faults.add("run_job", JobFails(at_percent=0), times=None)


def marks(session, runs):
    """Return how many jobs the service has for each run."""
    listed = Counter(job.operation.user_data or "" for job in session().jobs())
    return [sum(count for mark, count in listed.items() if run.key in mark) for run in runs]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("session", "fault"), FACES, ids=repr, indirect=["session"])
@pytest.mark.parametrize("call", ["create_job", "get_jobs", "list_jobs"])
def test_a_sweep_that_meets_a_fault_makes_one_job_per_run(session, engine, sweep, call, fault):
    engine.faults.add(call, fault, times=5)
    runs, _ = sweep(patience_s=0)
    engine.faults.clear()
    assert [run.state for run in runs] == ["Failed"] * 2
    assert marks(session, runs) == [1, 1]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("session", "fault"), FACES, ids=repr, indirect=["session"])
def test_a_sweep_that_tolerates_a_fault_makes_one_job_per_run(session, engine, sweep, fault):
    engine.faults.add("create_job", fault, times=5)
    runs, sessions = sweep(patience_s=120)
    engine.faults.clear()
    assert (marks(session, runs), sessions) == ([1, 1], 1)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("session", "fault"), FACES, ids=repr, indirect=["session"])
def test_a_sweep_that_gives_up_while_reconciling_makes_one_job_per_run(session, engine, sweep, fault):
    engine.faults.add("create_job", fault, times=2)
    engine.faults.add("list_jobs", HangUp(), times=6)
    runs, _ = sweep(patience_s=0)
    engine.faults.clear()
    assert marks(session, runs) == [1, 1]


@pytest.mark.parametrize("seed", range(3))
def test_a_sweep_on_a_service_that_keeps_failing_makes_one_job_per_run(session, engine, sweep, seed):
    for number, fault in enumerate(FAULTS):
        engine.faults.add("*", fault, times=2, probability=0.2, skip=(seed * 5 + number * 3) % 13)
    runs, _ = sweep(patience_s=0)
    engine.faults.clear()
    assert [run.state for run in runs] == ["Success"] * 2
    assert marks(session, runs) == [1, 1]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("session", ["in process"], indirect=True)
@pytest.mark.parametrize("at", range(8))
def test_a_sweep_killed_at_any_call_makes_one_job_per_run(session, sweep, at, monkeypatch):
    """Broken off right after the service has answered a call, before anything of it is written down."""
    calls = itertools.count()
    send = WSGITransport.handle_request

    def killed(self, request):
        answer = send(self, request)
        if next(calls) == at:
            raise KeyboardInterrupt
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(WSGITransport, "handle_request", killed)
        runs, _ = sweep()
    assert marks(session, runs) == [1, 1]
