"""A job ends once, whatever it runs out of: time, disk, its lease; its end is written even when the disk is full."""

import os
import resource
import sqlite3
import subprocess
import threading

import pytest

from ci_notebook.engine.faults import SlowJobs
from ci_notebook.engine.jobs.heartbeat import Heartbeat
from ci_notebook.engine.jobs.ledger import Ledger
from ci_notebook.engine.jobs.outcome import FinishedFile
from ci_notebook.engine.limits import LimitGuard, Limits, folder_bytes
from ci_notebook.engine.storage.database import Database
from ci_notebook.engine.storage.object_store import ObjectStore
from ci_notebook.media.ffmpeg import run as ffmpeg
from ci_notebook.model.errors import ParameterError
from tests.engine.test_serve import SLOW, states
from tests.engine_fixtures import BUCKET, COS_HOST
from tests.executor_fixtures import programs_below
from tests.support import until

# An output far larger than its source: what the encoder lost is paid for with every bit.
LARGE = (
    "<Transcode><Container><Format>mp4</Format></Container><Video><Codec>H.264</Codec><Crf>1</Crf>"
    "<Preset>veryfast</Preset></Video></Transcode><MsSharpen><SharpenLevel>10</SharpenLevel></MsSharpen>"
)


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """Two seconds of noise, 640x360: 0.7 MB that become several."""
    path = tmp_path_factory.mktemp("noise") / "noise.mp4"
    ffmpeg(
        ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=2,noise=alls=60:allf=t", "-c:v", "libx264", "-crf", "44",
         "-preset", "ultrafast", "-pix_fmt", "yuv420p", path]
    )  # fmt: skip
    return path


def mounted(place, mib):
    """Return whether a disk of so many MiB could be mounted."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", place], capture_output=True, check=False
    )
    return done.returncode == 0


def full_disk_ends_the_job(engine, call, noise):
    call.put("in.mp4", noise.read_bytes())
    job = call.ended(call.submit(LARGE).job_id)
    assert (job.state, job.code, job.output_keys) == ("Failed", "InsufficientStorage", ())
    assert "full" in job.message
    assert call("HEAD", f"/out/{job.job_id}.mp4", host=COS_HOST).status_code == 404
    # The job's folder is removed just after its end was written.
    until(lambda: not [one for one in (engine.root / ".owners").glob("*/*") if one.is_dir()])
    assert len(list((engine.root / BUCKET).iterdir())) == 1
    call.put("small.mp4", noise.read_bytes()[:1000])  # the engine goes on
    assert call.ended(call.submit(key="small.mp4").job_id).code == "ResourceNotSupported"


@pytest.mark.slow
def test_a_file_over_the_systems_limit_fails_the_job_with_the_reason(make_engine, tmp_path, noise):
    engine, call = make_engine(tmp_path / "root", min_free_bytes=0)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        full_disk_ends_the_job(engine, call, noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.slow
def test_a_full_disk_fails_the_job_with_the_reason(make_engine, tmp_path, noise):
    """A real small disk where this process may mount one; else a limit on the size of files fills it."""
    place = tmp_path / "small"
    place.mkdir()
    if not mounted(place, 3):
        test_a_file_over_the_systems_limit_fails_the_job_with_the_reason(make_engine, tmp_path, noise)
        return
    try:
        engine, call = make_engine(place / "root", min_free_bytes=0)
        full_disk_ends_the_job(engine, call, noise)
        answer = call("PUT", "/large", body=bytes(4 << 20), host=COS_HOST)
        assert (answer.status_code, b"<Code>InsufficientStorage</Code>" in answer.content) == (507, True)
        assert call("HEAD", "/large", host=COS_HOST).status_code == 404
        engine.close()
    finally:
        subprocess.run(["umount", place], check=True)


def test_the_reserve_of_the_disk_stays_free(make_engine, tmp_path, clip):
    _, call = make_engine(tmp_path, min_free_bytes=1 << 60)
    call.put("in.mp4", clip.read_bytes())
    job = call.ended(call.submit().job_id)
    assert (job.state, job.code, job.output_keys) == ("Failed", "InsufficientStorage", ())
    assert "min_free_bytes" in job.message


@pytest.mark.parametrize("name", ["time_s", "disk_bytes", "free_bytes"])
def test_a_limit_that_cannot_be_is_refused_by_name(name):
    with pytest.raises(ParameterError, match=r"limit|free"):
        Limits(**{name: -1})


def test_the_time_a_job_may_take_grows_with_its_clip(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("ci_notebook.engine.limits.time.monotonic", lambda: now[0])
    asked = []

    def length_s():
        asked.append(now[0])
        return 10.0

    guard = LimitGuard(Limits(), tmp_path, room_bytes=None, is_unwanted=lambda: False, length_s=length_s)
    for moment, why in ((599, False), (600, False), (6599, False), (6601, True)):
        now[0] = float(moment)
        guard.check_now()
        assert bool(guard.why) == guard.cancel.is_set() == why
    assert asked == [600.0], "a job that ends soon is not measured"


def test_a_file_with_several_names_is_weighed_once(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(bytes(1000))
    os.link(tmp_path / "in" / "a", tmp_path / "in" / "b")
    os.link(tmp_path / "in" / "a", tmp_path / "elsewhere")
    assert (folder_bytes(tmp_path), folder_bytes(tmp_path / "in")) == (1000, 0)


@pytest.mark.slow
def test_the_end_of_a_job_is_written_as_soon_as_it_can_be(make_engine, tmp_path, clip, monkeypatch, caplog):
    """As long as the ledger cannot be written the job is Running; it is neither lost nor run again for it."""
    real, refusals = Ledger.end, []

    def end(*given):
        if len(refusals) < 4:
            refusals.append(given)
            raise sqlite3.OperationalError("database or disk is full")
        return real(*given)

    monkeypatch.setattr(Ledger, "end", end)
    engine, call = make_engine(tmp_path)
    call.put("in.mp4", clip.read_bytes())
    job = call.ended(call.submit().job_id)
    assert len(refusals) == 4
    assert (job.state, job.code) == ("Failed", "InsufficientStorage")
    assert len(list((engine.root / BUCKET).iterdir())) == 1


@pytest.mark.slow
def test_a_busy_ledger_is_written_later_and_the_work_is_not_done_again(make_engine, tmp_path, clip, monkeypatch):
    real, refusals = Ledger.end, []

    def end(*given):
        if len(refusals) < 2:
            refusals.append(given)
            raise sqlite3.OperationalError("database is locked")
        return real(*given)

    monkeypatch.setattr(Ledger, "end", end)
    monkeypatch.setattr(Ledger, "claim", lambda *given, real=Ledger.claim, **more: claimed(real(*given, **more)))
    tries = []

    def claimed(job):
        tries.extend([job] if job else [])
        return job

    engine, call = make_engine(tmp_path)
    call.put("in.mp4", clip.read_bytes())
    assert call.ended(call.submit().job_id).state == "Success"
    assert (len(tries), len(refusals)) == (1, 2)
    assert len(list((engine.root / BUCKET).iterdir())) == 2


@pytest.mark.slow
def test_objects_and_state_change_together_or_not_at_all(make_engine, tmp_path, clip):
    """Who lost the job while working on it leaves no trace, and who looks never sees one without the other."""
    engine, call = make_engine(tmp_path)
    call.put("in.mp4", clip.read_bytes())
    engine.faults.add("run_job", SlowJobs(run_s=0.3))
    job = call.submit()
    until(lambda: call.job(job.job_id).state == "Running")
    seen, stop = [], threading.Event()

    def look():
        other = Database(tmp_path / "ledger.sqlite")
        sql = "SELECT (SELECT state FROM jobs), (SELECT count(*) FROM objects WHERE key LIKE 'out/%')"
        while not stop.is_set():
            seen.append(tuple(other.rows(sql)[0]))
        other.close()

    watcher = threading.Thread(target=look)
    watcher.start()
    call.ended(job.job_id)
    stop.set()
    watcher.join()
    assert set(seen) <= {("Running", 0), ("Success", 1)}
    assert len(seen) > 10


@pytest.mark.slow
def test_an_engine_that_lost_its_lease_stops_and_publishes_nothing(make_engine, tmp_path, make_clip, monkeypatch):
    monkeypatch.setattr("ci_notebook.engine.jobs.worker.RENEW_S", 0.2)
    engine, call = make_engine(tmp_path)
    call.put("in.mp4", make_clip(seconds=2, size="640x360").read_bytes())
    call.submit(SLOW)
    until(lambda: programs_below(engine.root))
    taker, other = Heartbeat(tmp_path, "another"), Database(tmp_path / "ledger.sqlite")
    with other.change() as change:
        change.execute("UPDATE jobs SET owner = 'another', lease = 9e9")
    until(lambda: not programs_below(engine.root))
    other.close()
    assert states(tmp_path) == ["Running"]
    engine.close()
    taker.close()
    assert states(tmp_path) == ["Running"]
    assert len(list((tmp_path / BUCKET).iterdir())) == 1


def test_an_output_that_cannot_be_stored_is_removed(tmp_path, engine, call_in_process, clip):
    call_in_process.put("in.mp4", clip.read_bytes())
    store: ObjectStore = engine.start().store
    aside, size, etag, _ = store.write_aside([b"data"])
    made = FinishedFile(bucket=BUCKET, key="x", file=aside, size=size, etag=etag, headers={})
    assert store.adopt_all([made], only_if=lambda change: False) == []
    assert store.head(BUCKET, "x") is None
    assert len(list((engine.root / BUCKET).iterdir())) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mp4", "mkv", "flv", "ts", "avi"])
def test_half_a_source_fails_the_job_and_a_whole_one_does_not(make_engine, tmp_path, kind):
    """FFmpeg makes half an output of it and calls it well. Half of a ts or an avi is a whole shorter one."""
    path = tmp_path / f"a.{kind}"
    sources = ["-f", "lavfi", "-i", "testsrc2=s=160x128:r=25:d=4"]
    ffmpeg([*sources, "-pix_fmt", "yuv420p", "-c:v", "libx264", "-g", "10", "-movflags", "+faststart", path])
    engine, call = make_engine(tmp_path / "root")
    call.put(f"whole.{kind}", path.read_bytes())
    call.put(f"half.{kind}", path.read_bytes()[: path.stat().st_size // 2])
    whole, half = (call.ended(call.submit(key=f"{name}.{kind}").job_id) for name in ("whole", "half"))
    assert whole.state == "Success", whole.message
    if kind in ("ts", "avi"):
        assert half.state == "Success"
        return
    assert (half.state, half.code) == ("Failed", "ResourceNotSupported"), half.operation.media_info
    assert f"half.{kind}" in half.message
    assert len(list((engine.root / BUCKET).iterdir())) == 3
