"""Sweeps under special conditions: in two kernels, with templates, on a budget, with a failing service."""

from __future__ import annotations

import itertools
import threading

import pytest

from ci_notebook.client.client import Client
from ci_notebook.engine.faults import ServerError, TimeOut
from ci_notebook.experiment.client_port import RateLimit
from ci_notebook.experiment.journal import Journal
from ci_notebook.experiment.pricing.price import PriceList
from ci_notebook.experiment.pricing.quote import Estimate
from ci_notebook.experiment.run import Interrupted
from ci_notebook.experiment.settings import resolved
from ci_notebook.experiment.sweep import explicit, grid, templates
from ci_notebook.model.api.templates import Template
from ci_notebook.model.errors import BudgetExceeded, ParameterError
from ci_notebook.model.setting.enhance import ColorEnhance, MsSharpen, VideoEnhance
from tests.experiment.conftest import SWEEP

SHARP = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))


@pytest.mark.slow
def test_two_kernels_with_the_same_sweep_send_it_once(go, client, journal):
    matches = []

    def other():
        with Journal(journal.path) as same:
            matches.append(go(journal=same))

    threads = [threading.Thread(target=other) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(client.sent) == sorted(set(client.sent))
    assert len(client.sent) == 3
    assert [run.ok for runs in matches for run in runs] == [True] * 6


@pytest.mark.slow
def test_a_run_submitted_by_another_kernel_is_waited_for(go, client, journal):
    began, may_go_on = threading.Event(), threading.Event()

    def hold():
        began.set()
        may_go_on.wait(10)

    client.before_submit = hold
    first = threading.Thread(target=lambda: go([SHARP]))
    first.start()
    began.wait(10)
    events = []

    def seen(event):
        events.append(event)
        if len(events) > 2:
            may_go_on.set()

    with Journal(journal.path) as other:
        runs = go([SHARP], journal=other, on_progress=seen)
    first.join()
    assert [run.ok for run in runs] == [True]
    assert len(client.sent) == 1


@pytest.mark.slow
def test_ctrl_c_reports_the_progress_and_how_to_resume(go, client):
    def interrupt():
        if len(client.sent) == 1:
            raise KeyboardInterrupt

    client.before_submit = interrupt
    with pytest.raises(Interrupted, match=r"Stopped at \d of 3 done.*Run the same call again"):
        go(workers=1)


@pytest.mark.slow
def test_scoring_is_ended_by_an_interrupt_and_done_again(go, client):
    signal = threading.Event()

    def endless(output, source, /, *, cancel, **more):
        signal.set()
        cancel.wait(30)
        raise RuntimeError("ended")

    def interrupt(event):
        if signal.is_set():
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        go([SHARP], measure=endless, on_progress=interrupt)
    (run,) = go([SHARP])
    assert run.ok and run.scores
    assert len(client.sent) == 1


@pytest.mark.slow
def test_a_lost_answer_and_a_failing_service_are_tolerated(go, client, engine):
    engine.faults.add("create_job", TimeOut(after=True))
    engine.faults.add("get_jobs", ServerError(), times=5)
    assert [run.ok for run in go()] == [True] * 3
    assert len(list(client.jobs())) == 3


@pytest.mark.slow
def test_templates_are_sent_by_id_and_shown_by_their_setting(go, client):
    template = client.templates.create("sharp", SHARP)
    sweep = explicit(templates(template.template_id), VideoEnhance(color_enhance=ColorEnhance(contrast=50)))
    by_id, plain = go(sweep)
    assert by_id.ok and plain.ok
    assert (by_id.setting, by_id.template_id, plain.template_id) == (SHARP, template.template_id, "")
    assert by_id.job.operation.template_id == template.template_id
    assert by_id.cost_cny == pytest.approx(0.4 * 0.6 / 60)
    assert go([SHARP])[0].attempt == 1  # the same content: nothing is paid twice
    assert len(client.sent) == 2


def test_a_template_shows_its_id_and_its_setting():
    known = Template(tag="VideoEnhance", template_id="t1", video_enhance=SHARP)
    sweep = explicit(known, SHARP)
    assert sweep.varies == ("TemplateId",)
    assert sweep.common == {"MsSharpen.SharpenLevel": 5}
    assert list(grid(known, SharpenLevel=[7])) == [VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=7))]
    with pytest.raises(ParameterError, match="content of the template 't1' is unknown"):
        grid(templates("t1")[0], SharpenLevel=[7])


def test_a_template_of_another_kind_is_refused():
    with pytest.raises(ParameterError, match="Use one with Tag VideoEnhance"):
        explicit(Template(tag="Watermark", template_id="t1"))
    with pytest.raises(ParameterError, match="Use one with Tag VideoEnhance"):
        resolved(templates("t1"), lambda *ids: [Template(tag="VideoEnhance", template_id="t1")])


@pytest.mark.slow
def test_outputs_are_scored_against_a_reference_when_there_is_one(go, client, clip, video):
    events = []

    def measure(output, source, /, **more):
        events.append(source)
        return {"psnr": 30.0}

    truth = type(clip)(**{**clip.__dict__, "key": "input/truth.mp4", "path": video.with_name("truth")})
    truth.path.write_bytes(video.read_bytes())
    (against_source,) = go([SHARP], measure=measure)
    (against_truth,) = go([SHARP], measure=measure, reference=truth)
    assert events == [video, truth.path]
    assert [run.score_against for run in (against_source, against_truth)] == ["source", "reference"]
    assert go([SHARP], measure=measure, reference={clip.key: truth}) == [against_truth]
    assert len(events) == 2
    go([SHARP], measure=measure, reference=truth, rescore=True)
    assert len(events) == 3
    assert len(client.sent) == 1


@pytest.mark.slow
def test_the_price_is_shown_before_anything_is_sent(go, client):
    estimates: list[Estimate] = []
    with pytest.raises(BudgetExceeded, match="3 jobs would cost"):
        go(budget=0.001, on_price=estimates.append)
    assert not estimates and not client.sent
    go(budget=0.1, on_price=estimates.append)
    assert estimates[0].total == pytest.approx(3 * 0.4 * 0.6 / 60)
    assert (estimates[0].quotes[0].output.width, estimates[0].quotes[0].output.fps) == (192, 10)
    go(budget=0, on_price=estimates.append)
    assert len(estimates) == 1  # nothing is left to send


def test_a_price_that_is_not_listed_keeps_no_budget(go, client):
    own = PriceList("own", "CNY", "2026-11-22", "a contract", {})
    with pytest.raises(BudgetExceeded, match="own price list has no price for MsSharpen"):
        go([SHARP], budget=1000, prices=own)
    assert not client.sent


def test_a_rate_gives_so_many_turns_a_second():
    now, slept = [0.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    rate = RateLimit(3, clock=lambda: now[0], sleep=sleep)
    turns = []
    for _ in range(7):
        rate.take()
        turns.append(now[0])
    assert turns == [0, 0, 0, 1, 1, 1, 2]
    with pytest.raises(ParameterError, match="rate_per_s"):
        RateLimit(0)


@pytest.mark.slow
def test_calls_are_paced(go, client, monkeypatch):
    times = []
    real = Client.submit
    monkeypatch.setattr(Client, "submit", lambda self, request: times.append(self.now()) or real(self, request))
    now = [0.0]
    client.now = lambda: now[0]

    def sleep(seconds):
        now[0] += seconds
        threading.Event().wait(min(seconds, 0.05))

    client.sleep = sleep
    go(SWEEP, rate_per_s=1, workers=3)
    assert len(times) == 3
    assert all(later - earlier >= 0.9 for earlier, later in itertools.pairwise(times))
