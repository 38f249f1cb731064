"""The types of the public API, pinned. Only mypy reads this file; it is never run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_type

import pandas as pd

import ci_notebook as ci
from ci_notebook.client.receiver import Receiver
from ci_notebook.client.watch import Watch
from ci_notebook.experiment.pricing.quote import Estimate
from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.voting.vote import Vote
from ci_notebook.model.api.jobs import Request
from ci_notebook.results.inline_pictures import Pictures
from ci_notebook.results.plan import Plan
from ci_notebook.results.score.file_scores import FileScores
from ci_notebook.results.search_result import Found

if TYPE_CHECKING:
    from ci_notebook.media.frames import Frames


def labs(path: Path) -> None:
    lab = ci.connect()
    assert_type(lab, ci.Lab)
    assert_type(ci.connect("b-1250000000", region="ap-chongqing", home=path), ci.Lab)
    with ci.connect() as entered:
        assert_type(entered, ci.Lab)
    assert_type(lab.bucket, str)
    assert_type(lab.region, str)


def jobs(lab: ci.Lab, path: Path, setting: ci.VideoEnhance, mark: ci.Watermark, text: ci.DigitalWatermark) -> None:
    clip = lab.upload(path)
    assert_type(clip, ci.Clip)
    assert_type(lab.spoil(clip, shrink=2, cast="warm", noise=3), ci.Clip)
    job = lab.submit(clip, setting, watermark=[mark], digital_watermark=text, output_key="out.mp4", job_level=2)
    assert_type(job, ci.Job)
    assert_type(job.wait(), ci.Job)
    assert_type(lab.submit(clip, "Smooth motion", watermark=mark), ci.Job)
    assert_type(lab.submit(clip, {"SharpenLevel": 5}), ci.Job)
    assert_type(lab.submit(clip.key, template_id="t1"), ci.Job)
    assert_type(lab.request(clip, setting, user_data="a"), Request)
    assert_type(lab.job("j1"), ci.Job)
    assert_type(lab.jobs(states=["Running"]), Iterator[ci.Job])
    assert_type(lab.watch(job), Watch)
    assert_type(lab.callbacks(), Receiver)
    assert_type(lab.messages("queue"), list[ci.JobsDetail])
    assert_type(lab.xml(setting), str)
    assert_type(lab.extract_digital_watermark(job), ci.Job)


def sweeps(lab: ci.Lab, clip: ci.Clip, setting: ci.VideoEnhance, path: Path) -> None:
    sweep = ci.grid(setting, SharpenLevel=[0, 5])
    assert_type(sweep, ci.Sweep)
    assert_type(sweep[:1], ci.Sweep)
    assert_type(lab.price(clip, sweep), Estimate)
    assert_type(lab.plan([clip], sweep), Plan)
    runs = lab.run(clip, sweep, budget=20, reference=clip)
    assert_type(runs, ci.Runs)
    assert_type(lab.run([clip, "input/b.mp4"], ["Smooth motion", {"SharpenLevel": 5}]), ci.Runs)
    assert_type(runs[0], Run)
    assert_type(runs[1:], ci.Runs)
    assert_type(runs.failed, ci.Runs)
    assert_type(runs.where(SharpenLevel=5), ci.Runs)
    assert_type(runs.to_frame(), pd.DataFrame)
    assert_type(runs.report(path, question="Which?"), Path)
    assert_type(runs.save(path), Path)
    assert_type(lab.runs(), ci.Runs)
    assert_type(lab.adopt(["j1", path], reference=clip), ci.Runs)
    assert_type(runs + runs, ci.Runs)
    assert_type(lab.votes(), list[Vote])
    assert_type(lab.optimize(clip, space={"SharpenLevel": (0, 10)}, on="vmaf_neg"), Found)


def frames(lab: ci.Lab, clip: ci.Clip, job: ci.Job, setting: ci.VideoEnhance, path: Path) -> None:
    assert_type(lab.look(clip, job, lab.runs(), at_s=[0, 0.5]), Pictures)
    assert_type(lab.preview(clip, setting, at_s=0.5), bytes)
    assert_type(lab.preview(path, "Smooth motion"), bytes)
    assert_type(ci.score(path, "source.mp4", every=1), FileScores)
    opened: Frames = lab.frames(path)
    opened.close()


def views(lab: ci.Lab, clip: ci.Clip, runs: ci.Runs) -> None:
    assert_type(ci.EnhancePanel(lab, clip), ci.EnhancePanel)
    assert_type(ci.SweepPanel(lab, clip), ci.SweepPanel)
    assert_type(ci.CompareView(runs), ci.CompareView)
    assert_type(ci.Monitor(lab), ci.Monitor)
    assert_type(ci.VoteView(lab, runs, voter="Ann", seed=1), ci.VoteView)


def helpers(jobs: list[ci.Job]) -> None:
    assert_type(ci.sample(), Path)
    assert_type(ci.preset("Smooth motion"), ci.VideoEnhance)
    assert_type(ci.to_frame(jobs), pd.DataFrame)
    assert_type(ci.doctor().ok, bool)


def refused(lab: ci.Lab, clip: ci.Clip, setting: ci.VideoEnhance, mistake: Any) -> None:
    """Each line is a mistake that mypy must find: an unused `type: ignore` is an error."""
    lab.submit(clip, setting, watermrk=mistake)  # type: ignore[call-arg]
    lab.submit(setting, clip)  # type: ignore[arg-type]
    lab.run(clip, [setting], budget="20")  # type: ignore[arg-type]
    lab.jobs(stats="Running")  # type: ignore[call-arg]
    lab.spoil(clip, cast="green")  # type: ignore[arg-type]
    ci.connect(worker=2)  # type: ignore[call-arg]
