"""Runs on the real engine: several at once, nothing twice, and resumed after every interruption."""

from __future__ import annotations

import hashlib
import threading

import pytest

from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.transport import WSGITransport
from ci_notebook.client.objects import Clip
from ci_notebook.experiment.pricing.price import Shape
from ci_notebook.experiment.run import RunOptions, run_all
from ci_notebook.model.errors import BudgetExceeded, ParameterError, ServiceUnavailable, SignatureRefused
from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
from ci_notebook.model.setting.transcode import Container, TimeInterval, Transcode, Video
from tests.experiment.conftest import BUCKET, ID, REGION, SWEEP

SHARP = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))

EMPTY_ATOM = bytes([0, 0, 0, 8]) + b"free"  # makes another file of the same video


@pytest.mark.slow
def test_every_setting_is_run_and_scored_in_order(go, client):
    events = []
    runs = go(on_progress=events.append)
    assert [run.state for run in runs] == ["Success"] * 3
    assert [run.setting for run in runs] == list(SWEEP)
    assert all(run.ok and run.output.exists() and run.scores["psnr"] == 30.0 for run in runs)
    assert all(run.cost_cny == pytest.approx(0.4 * 0.6 / 60) for run in runs)
    assert [event.share for event in events] == sorted(event.share for event in events)
    assert (events[-1].share, events[-1].note) == (1.0, "3 of 3 done")
    assert max(len(ids) for ids in client.asked) > 1


@pytest.mark.slow
def test_a_paid_run_is_not_sent_again(go, client):
    first = go()
    again = go([*SWEEP, VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=7))])
    assert again[:3] == first
    assert len(client.sent) == 4
    assert len(client.fetched) == 4


@pytest.mark.slow
def test_another_service_other_content_and_force_are_sent(go, client, clip):
    go([SHARP])
    go([SHARP], service="elsewhere")
    content = clip.path.read_bytes()
    other = content + EMPTY_ATOM
    stored = client.upload(other, clip.key)
    go([SHARP], clips=[Clip(**{**clip.__dict__, "md5": stored.md5, "size_bytes": len(other), "path": None})])
    client.upload(content, clip.key)
    (forced,) = go([SHARP], force=True)
    assert len(set(client.sent)) == 4
    assert forced.attempt == 2
    assert go([SHARP]) == [forced]


@pytest.mark.slow
def test_equal_clips_and_settings_are_run_once(go, client, clip):
    runs = go([SHARP, VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))], clips=[clip, clip])
    assert len(runs) == len(client.sent) == 1


@pytest.mark.slow
def test_a_failed_job_does_not_stop_the_others_and_is_retried_when_asked(go, client):
    late = VideoEnhance(
        transcode=Transcode(container=Container(format="mp4"), video=Video(), time_interval=TimeInterval(start=100.0))
    )
    failed, fine = go([late, SHARP])
    assert (failed.state, failed.ok, fine.ok) == ("Failed", False, True)
    assert "TimeInterval.Start" in failed.job.message
    assert go([late, SHARP]) == [failed, fine]
    assert go([late, SHARP], retry_failed=True)[0].attempt == 2
    assert len(client.sent) == 3


@pytest.mark.slow
def test_a_refusal_by_the_service_is_an_error_of_the_run_and_retried(go, client, clip):
    content = clip.path.read_bytes() + EMPTY_ATOM
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    gone = Clip(**{**clip.__dict__, "key": "input/gone.mp4", "md5": md5, "size_bytes": len(content), "path": None})
    lost, fine = go([SHARP], clips=[gone, clip])
    assert fine.ok
    assert (lost.state, lost.job) == ("", None)
    assert "gone.mp4" in lost.error
    client.upload(content, "input/gone.mp4")
    assert go([SHARP], clips=[gone])[0].ok


@pytest.mark.slow
def test_a_score_that_cannot_be_made_is_an_error_of_the_run_and_made_later(go, client):
    def broken(output, source, /, **more):
        raise ValueError("no scores today")

    (run,) = go([SHARP], measure=broken)
    assert (run.state, run.error) == ("Success", "ValueError: no scores today")
    assert run.cost_cny is not None
    (run,) = go([SHARP])
    assert run.ok
    assert run.scores["psnr"] == 30.0
    assert (len(client.sent), len(client.fetched)) == (1, 1)


@pytest.mark.slow
def test_without_scores_nothing_is_downloaded(go, client):
    (run,) = go([SHARP], measure=None)
    assert run.ok
    assert not client.fetched


@pytest.mark.slow
def test_the_interval_of_the_source_is_passed_to_the_scoring(go):
    cut = VideoEnhance(
        transcode=Transcode(container=Container(format="mp4"), video=Video(), time_interval=TimeInterval(start=0.2))
    )
    assert go([cut])[0].scores["psnr"] == 31.0


@pytest.mark.slow
def test_an_interrupt_keeps_finished_runs_and_the_same_call_resumes(go, client, journal):
    def interrupt():
        if len(client.sent) == 2:
            raise KeyboardInterrupt

    client.before_submit = interrupt
    with pytest.raises(KeyboardInterrupt):
        go(workers=1)
    first, second, third = (entry.phase for entry in journal.entries())
    assert (first, third) == ("over", "sending")
    assert second in ("sent", "over")  # its scores may not have been ready
    client.before_submit = lambda: None
    assert [run.ok for run in go()] == [True] * 3
    assert len(client.sent) == len(set(client.sent)) == 3


@pytest.mark.slow
def test_a_job_whose_answer_was_lost_is_found_by_its_mark(go, client, journal):
    def die():
        raise KeyboardInterrupt  # accepted, and then nothing more was written: as after kill -9

    client.after_submit = die
    with pytest.raises(KeyboardInterrupt):
        go()
    assert [entry.phase for entry in journal.entries()] == ["sending"]
    client.after_submit = lambda: None
    assert [run.ok for run in go()] == [True] * 3
    assert len(client.sent) == len(set(client.sent)) == 3
    assert len(list(client.jobs())) == 3


@pytest.mark.slow
def test_running_jobs_are_resumed(go, client, journal, clip):
    client.sleep = lambda seconds: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        go()
    client.sleep = threading.Event().wait
    assert [run.ok for run in go()] == [True] * 3
    assert len(client.sent) == 3


def test_another_thread_can_stop_a_sweep(go, client):
    stop = threading.Event()
    stop.set()
    assert [run.state for run in go(cancel=stop)] == ["", "", ""]
    assert not client.sent


def test_a_wrong_secret_stops_at_once_with_the_journal_right(engine, clip, journal, tmp_path):
    wrong = Client(
        BUCKET,
        region=REGION,
        credentials=Credentials(ID, "mistyped-secret"),
        transport=WSGITransport(engine.app),
        scheme="http",
    )
    with wrong, pytest.raises(SignatureRefused) as refused:
        run_all(wrong, clip, SWEEP, RunOptions(journal=journal, cache=tmp_path / "cache"))
    assert "mistyped" not in str(refused.value)
    assert [entry.phase for entry in journal.entries()] == ["refused"]


@pytest.mark.slow
def test_a_service_that_fails_leaves_the_run_to_be_found(go, client, journal):
    def fail():
        raise ServiceUnavailable("InternalError", status=500)

    client.before_submit = fail
    with pytest.raises(ServiceUnavailable):
        go(patience_s=0)
    assert [entry.phase for entry in journal.entries()] == ["sending"]
    client.before_submit = lambda: None
    assert [run.ok for run in go()] == [True] * 3


@pytest.mark.slow
def test_over_the_budget_nothing_is_sent(go, client):
    def forecast(setting, source):
        return Shape(192, 128, 10, 60)

    with pytest.raises(BudgetExceeded, match="3 jobs would cost"):
        go(budget=0.001, forecast=forecast)
    assert not client.sent
    assert [run.ok for run in go(budget=1.0, forecast=forecast)] == [True] * 3
    go(budget=0.0, forecast=forecast)  # finished runs cost nothing


def test_a_wrong_number_of_workers_is_refused(go):
    with pytest.raises(ParameterError, match="workers"):
        go(workers=0)


@pytest.mark.slow
def test_runs_show_no_ids_and_no_times(go):
    (run,) = go([SHARP])
    assert repr(run) == "<Run of tiny: Success; MsSharpen.SharpenLevel=5>"
