"""A job's life is the same wherever its work is done: in threads, in a pool's processes, in a cluster's workers."""

import pytest

from ci_notebook.engine.faults import JobFails, SlowJobs
from tests.engine.test_serve import SLOW, states
from tests.engine_fixtures import BUCKET, COS_HOST, MP4
from tests.executor_fixtures import programs_below
from tests.support import until


@pytest.fixture
def make_engine(make_engine, executor, tmp_path):
    def make(**options):
        engine, call = make_engine(tmp_path / "root", executor=executor, **options)
        engine.start()
        return engine, call

    return make


@pytest.fixture
def at_work(make_engine, clip):
    engine, call = make_engine()
    call.put("in.mp4", clip.read_bytes())
    return engine, call


def nothing_is_left(engine):
    """Only the owner's own files are there: no half-made output, no source, no errand."""
    until(lambda: not [one for one in (engine.root / ".owners").glob("*/*") if one.is_dir()])
    assert not list((engine.root / ".incoming").iterdir())


@pytest.mark.slow
def test_jobs_end_well_and_leave_nothing_but_their_objects(at_work):
    engine, call = at_work
    ended = [call.ended(job.job_id) for job in [call.submit() for _ in range(3)]]
    assert [(job.state, job.progress) for job in ended] == [("Success", 100)] * 3
    for job in ended:
        answer = call("GET", f"/{job.output_keys[0]}", host=COS_HOST)
        assert len(answer.content) == job.operation.media_info.format.size
        assert answer.headers["x-cos-hash-crc64ecma"].isdigit()
    nothing_is_left(engine)


@pytest.mark.slow
def test_the_objects_that_a_setting_names_are_found(at_work, tmp_path):
    from PIL import Image

    _, call = at_work
    picture = tmp_path / "mark.png"
    Image.new("RGB", (20, 20), "red").save(picture)
    call.put("marks/red mark.png", picture.read_bytes())
    url = f"http://{COS_HOST}/marks/red%20mark.png"
    mark = (
        f"<Watermark><Type>Image</Type><Pos>TopLeft</Pos><LocMode>Absolute</LocMode><Dx>0</Dx><Dy>0</Dy><Image>"
        f"<Url>{url}</Url><Mode>Original</Mode><Transparency>100</Transparency></Image></Watermark>"
    )
    job = call.ended(call.submit(operation=mark).job_id)
    assert job.state == "Success", job.message
    missing = call.ended(call.submit(operation=mark.replace("red%20mark", "nix")).job_id)
    assert (missing.state, missing.code) == ("Failed", "NoSuchKey")
    assert "marks/nix.png" in missing.message


@pytest.mark.slow
def test_segments_and_playlist_all_become_objects(at_work):
    _, call = at_work
    hls = MP4.replace("<Format>mp4</Format>", "<Format>hls</Format>")
    job = call.ended(call.submit(hls).job_id)
    assert job.state == "Success", job.message
    assert len(job.output_keys) >= 2
    assert job.output_keys[0].endswith(".m3u8")
    assert all(call("HEAD", f"/{key}", host=COS_HOST).status_code == 200 for key in job.output_keys)


@pytest.mark.slow
def test_a_source_that_went_away_or_is_broken_fails_the_job_with_the_reason(at_work, clip):
    engine, call = at_work
    (queue,) = engine.start().catalogue.queues(BUCKET)
    engine.start().catalogue.update_queue(
        BUCKET, queue.queue_id, name="queue-1", state="Paused", notify=b"<NotifyConfig/>"
    )
    call.put("half.mp4", clip.read_bytes()[:2000])
    call.put("gone.mp4", clip.read_bytes())
    half, gone = call.submit(key="half.mp4"), call.submit(key="gone.mp4")
    call("DELETE", "/gone.mp4", host=COS_HOST)
    assert [call.job(job.job_id).state for job in (half, gone)] == ["Pause"] * 2
    engine.start().catalogue.update_queue(
        BUCKET, queue.queue_id, name="queue-1", state="Active", notify=b"<NotifyConfig/>"
    )
    half, gone = (call.ended(job.job_id) for job in (half, gone))
    assert (half.state, half.code, gone.state, gone.code) == ("Failed", "ResourceNotSupported", "Failed", "NoSuchKey")
    assert "half.mp4" in half.message
    assert "gone.mp4" in gone.message
    assert (half.output_keys, gone.output_keys) == ((), ())
    nothing_is_left(engine)


@pytest.mark.slow
def test_a_fault_that_was_asked_for_strikes(at_work):
    engine, call = at_work
    engine.faults.add("run_job", JobFails(0, message="It broke."))
    failed = call.ended(call.submit().job_id)
    assert (failed.state, failed.message, failed.output_keys) == ("Failed", "It broke.", ())
    assert call("HEAD", f"/out/{failed.job_id}.mp4", host=COS_HOST).status_code == 404


@pytest.mark.slow
def test_progress_comes_from_the_work_and_closing_ends_it_at_once(make_engine, make_clip):
    engine, call = make_engine()
    call.put("in.mp4", make_clip(seconds=2, size="640x360").read_bytes())
    job = call.submit(SLOW)
    until(lambda: 0 < call.job(job.job_id).progress < 100)
    assert call("HEAD", f"/out/{job.job_id}.mp4", host=COS_HOST).status_code == 404
    assert programs_below(engine.root)
    engine.close()
    assert programs_below(engine.root) == []
    assert list((engine.root / ".owners").iterdir()) == []
    assert states(engine.root) == ["Submitted"]


@pytest.mark.slow
def test_a_job_that_waits_for_a_place_can_be_cancelled_and_one_that_runs_cannot(make_engine, clip):
    engine, call = make_engine(workers=1)
    call.put("in.mp4", clip.read_bytes())
    engine.faults.add("run_job", SlowJobs(run_s=0.4), times=None)
    first, *others = [call.submit() for _ in range(3)]
    until(lambda: call.job(first.job_id).state == "Running")
    assert call("PUT", f"/jobs/{others[-1].job_id}", {"cancel": ""}).status_code == 200
    refusal = call("PUT", f"/jobs/{first.job_id}", {"cancel": ""})
    assert refusal.status_code == 400
    assert b"Running" in refusal.content
    assert [call.ended(job.job_id).state for job in (first, *others)] == ["Success"] * 2 + ["Cancel"]


@pytest.mark.slow
def test_a_job_over_its_time_has_failed_and_its_program_is_gone(make_engine, make_clip):
    engine, call = make_engine(time_limit_s=0.7)
    call.put("in.mp4", make_clip(seconds=2, size="640x360").read_bytes())
    job = call.ended(call.submit(SLOW).job_id)
    assert (job.state, job.code, job.output_keys) == ("Failed", "TimeLimitExceeded", ())
    assert "0.7 s" in job.message
    assert "time_limit_s" in job.message
    assert programs_below(engine.root) == []
    nothing_is_left(engine)


@pytest.mark.slow
def test_a_job_that_would_fill_the_engines_share_of_the_disk_has_failed(make_engine, make_clip):
    source = make_clip(seconds=2, size="640x360")
    engine, call = make_engine(disk_limit_bytes=source.stat().st_size + 400_000)
    call.put("in.mp4", source.read_bytes())
    job = call.ended(call.submit(SLOW.replace("<Preset>", "<Crf>1</Crf><Preset>")).job_id)
    assert (job.state, job.code, job.output_keys) == ("Failed", "InsufficientStorage", ())
    assert "disk_limit_bytes" in job.message
    nothing_is_left(engine)
