"""The ledger keeps to the table of states, whatever is asked of it in whatever order."""

import itertools
import shutil
import sqlite3
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from ci_notebook.engine.jobs.ledger import JobQuery, JobRow, Ledger
from ci_notebook.engine.jobs.outcome import JobOutcome
from ci_notebook.engine.storage.bucket_settings import Catalogue
from ci_notebook.engine.storage.database import STEPS, Database
from ci_notebook.model.api.jobs import FOLLOWS, TERMINAL
from ci_notebook.model.errors import EngineError, ServiceError

BUCKET = "test-1250000000"


class Things:
    """A ledger with one bucket, a clock that a test moves, and ids that count."""

    def __init__(self, root):
        self.now, self.ids = 1_700_000_000.0, itertools.count(1)
        self.database = Database(root / "ledger.sqlite")
        self.catalogue = Catalogue(self.database, clock=lambda: self.now, new_id=self.new_id)
        self.catalogue.make_bucket(BUCKET, "ap-chongqing")
        self.queue_id = self.catalogue.queues(BUCKET)[0].queue_id
        self.ledger = Ledger(self.database, clock=lambda: self.now)

    def new_id(self):
        return f"{next(self.ids):032x}"

    def add(self, level=0, key="in.mp4"):
        return self.ledger.add(
            JobRow(
                job_id=f"j{self.new_id()}", bucket=BUCKET, queue_id=self.queue_id, tag="VideoEnhance", level=level,
                input_object=key, created=self.now, request=b"<Request/>", work=b"<Operation/>",
            )
        )  # fmt: skip

    def state(self, job_id):
        return self.ledger.get(BUCKET, [job_id])[0].state

    def set_queue(self, state):
        self.catalogue.update_queue(BUCKET, self.queue_id, name="queue-1", state=state, notify=b"<NotifyConfig/>")


SUCCESS = JobOutcome(state="Success", result=b"")
FAILURE = JobOutcome(state="Failed", code="InternalError", message="why")


def end(ledger, database, job_id, owner, outcome=SUCCESS):
    """End a job as the worker does: in a transaction of the database."""
    with database.change() as change:
        return ledger.end(change, job_id, owner, outcome)


@pytest.fixture
def things(tmp_path):
    made = Things(tmp_path)
    yield made
    made.database.close()


class AnyOrder(RuleBasedStateMachine):
    """Whatever is called, each job only ever takes steps that the table knows."""

    jobs = Bundle("jobs")

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.things = Things(self.folder)
        self.seen = {}

    def teardown(self):
        self.things.database.close()
        shutil.rmtree(self.folder)

    def look(self):
        for job in self.things.ledger.page(JobQuery(bucket=BUCKET, tag="VideoEnhance", size=100))[0]:
            before = self.seen.get(job.job_id, job.state)
            assert job.state == before or self.reachable(before, job.state), f"{before} to {job.state}"
            self.seen[job.job_id] = job.state

    def reachable(self, before, after):
        # A job that goes back into a paused queue takes two steps in one transaction.
        return after in FOLLOWS[before] or any(after in FOLLOWS[one] for one in FOLLOWS[before])

    @rule(target=jobs, level=st.integers(0, 2))
    def add(self, level):
        return self.things.add(level).job_id

    @rule(owner=st.sampled_from(["one", "two"]))
    def claim(self, owner):
        job = self.things.ledger.claim(owner, lease_s=60)
        if job is not None:
            assert self.seen[job.job_id] == "Submitted"
            assert (job.state, job.owner) == ("Running", owner)

    @rule(job_id=jobs, owner=st.sampled_from(["one", "two"]), ok=st.booleans())
    def end(self, job_id, owner, ok):
        mine = self.things.ledger.get(BUCKET, [job_id])[0].owner == owner
        ledger = self.things.ledger
        ended = end(ledger, self.things.database, job_id, owner, SUCCESS if ok else FAILURE)
        assert ended == mine

    @rule(job_id=jobs)
    def cancel(self, job_id):
        may = "Cancel" in FOLLOWS[self.things.state(job_id)]
        try:
            self.things.ledger.cancel(BUCKET, job_id)
        except ServiceError as error:
            assert not may
            assert error.code == "InvalidArgument"
        else:
            assert may

    @rule(owner=st.sampled_from(["one", "two"]))
    def die(self, owner):
        self.things.ledger.release_dead(lambda name: name == owner, but="")

    @rule(state=st.sampled_from(["Active", "Paused"]))
    def queue(self, state):
        self.things.set_queue(state)

    @invariant()
    def follows_the_table(self):
        self.look()
        for job_id, state in self.seen.items():
            if state in TERMINAL:
                assert self.things.ledger.get(BUCKET, [job_id])[0].ended is not None


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


def test_the_highest_level_goes_first_and_then_the_oldest(things):
    low, high, later = things.add(0), things.add(2), things.add(2)
    claimed = [things.ledger.claim("one", lease_s=60).job_id for _ in range(3)]
    assert claimed == [high.job_id, later.job_id, low.job_id]


def test_reading_never_moves_a_state(things):
    job = things.add()
    for _ in range(3):
        things.now += 3600
        assert things.ledger.get(BUCKET, [job.job_id]) == [job]
        assert things.ledger.page(JobQuery(bucket=BUCKET, tag="VideoEnhance"))[0] == [job]


def test_two_processes_never_claim_the_same_job(things, tmp_path):
    for _ in range(40):
        things.add()
    claimed = {}

    def claim_all(owner):
        database = Database(tmp_path / "ledger.sqlite")
        ledger = Ledger(database, clock=lambda: things.now)
        while (job := ledger.claim(owner, lease_s=60)) is not None:
            claimed.setdefault(job.job_id, []).append(owner)
            end(ledger, database, job.job_id, owner)
        database.close()

    threads = [threading.Thread(target=claim_all, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, claimed.values())) == [1] * 40


def test_a_queue_runs_no_more_jobs_at_once_than_it_says(things):
    for _ in range(12):
        things.add()
    claimed = [things.ledger.claim("one", lease_s=60) for _ in range(12)]
    assert claimed.index(None) == things.catalogue.queues(BUCKET)[0].max_concurrent


def test_a_job_whose_owner_let_its_lease_run_out_runs_again_and_the_old_owner_cannot_end_it(things):
    job = things.add()
    things.ledger.claim("one", lease_s=60)
    things.now += 61
    assert things.ledger.release_dead(lambda name: False, but="two") == ["one"]
    assert things.state(job.job_id) == "Submitted"
    assert things.ledger.claim("two", lease_s=60).job_id == job.job_id
    assert not end(things.ledger, things.database, job.job_id, "one")
    assert end(things.ledger, things.database, job.job_id, "two")


def test_an_owner_that_lives_keeps_its_job(things):
    job = things.add()
    things.ledger.claim("one", lease_s=60)
    things.now += 59
    assert things.ledger.renew("one", lease_s=60)
    things.now += 59
    assert things.ledger.release_dead(lambda name: False, but="two") == []
    assert things.state(job.job_id) == "Running"


def test_progress_never_decreases_and_only_the_owner_reports_it(things):
    job = things.add()
    things.ledger.claim("one", lease_s=60)
    for owner, percent in (("one", 40), ("one", 30), ("two", 90)):
        things.ledger.note_progress(job.job_id, owner, percent)
    assert things.ledger.get(BUCKET, [job.job_id])[0].progress == 40


def test_a_paused_queue_holds_waiting_jobs_and_lets_running_jobs_end(things):
    running, waiting = things.add(), things.add()
    things.ledger.claim("one", lease_s=60)
    things.set_queue("Paused")
    assert (things.state(running.job_id), things.state(waiting.job_id)) == ("Running", "Pause")
    assert things.add().state == "Pause"
    assert things.ledger.claim("one", lease_s=60) is None
    things.set_queue("Active")
    assert things.ledger.claim("one", lease_s=60).job_id == waiting.job_id


def test_pages_hold_each_job_once_in_either_order(things):
    ids = [things.add().job_id for _ in range(5)]
    for oldest_first in (True, False):
        found, cursor = [], None
        while True:
            wanted = JobQuery(bucket=BUCKET, tag="VideoEnhance", size=2, cursor=cursor, oldest_first=oldest_first)
            jobs, cursor = things.ledger.page(wanted)
            found += [job.job_id for job in jobs]
            if cursor is None:
                break
        assert found == (ids if oldest_first else ids[::-1])


def test_a_full_queue_takes_no_more(things):
    with things.database.change() as change:
        change.execute("UPDATE queues SET max_size = 1")
    things.add()
    with pytest.raises(ServiceError) as error:
        things.add()
    assert error.value.code == "QueueSaturated"


def test_a_file_of_a_newer_version_is_refused_and_left_alone(tmp_path):
    database = Database(tmp_path / "ledger.sqlite")
    with database.change() as change:
        change.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    database.close()
    with pytest.raises(EngineError, match="newer ci_notebook"):
        Database(tmp_path / "ledger.sqlite")


def test_a_change_that_fails_changes_nothing(things):
    def fail():
        with things.database.change() as change:
            change.execute("DELETE FROM queues")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert things.catalogue.queues(BUCKET)


def test_a_ledger_of_the_version_before_is_brought_up_to_date(tmp_path):
    with sqlite3.connect(tmp_path / "ledger.sqlite") as old:
        for statement in STEPS[0].split(";"):
            old.execute(statement)
        old.execute("PRAGMA user_version = 1")
    old.close()
    database = Database(tmp_path / "ledger.sqlite")
    Catalogue(database, clock=lambda: 0.0, new_id=lambda: "0" * 32).make_bucket(BUCKET, "ap-chongqing")
    assert database.rows("SELECT * FROM notices") == []
    database.close()
