"""A small fake lab for widgets: it answers at once, or when a test lets it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ipywidgets import Widget

from ci_notebook.model.api.jobs import JobFailed, JobsDetail, Request
from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.widgets.enhance.result import result_html
from ci_notebook.wire.xml import dumps


class HandJob:
    def __init__(self, lab: HandLab, setting: VideoEnhance) -> None:
        self.lab, self.setting = lab, setting
        self.detail = JobsDetail(job_id="j1", state="Submitted")

    def wait(self, *, on_progress: Callable[..., object]) -> None:
        self.detail = JobsDetail(job_id="j1", state="Running", progress=40)
        on_progress(self)
        assert self.lab.may_end.wait(10)
        self.detail = self.lab.end
        if self.detail.state == "Failed":
            raise JobFailed(self.detail)


class HandLab:
    """The part of a lab that a panel uses; `may_end` holds jobs back, `refusal` is raised by submit."""

    bucket, region = "b-1250000000", "ap-chongqing"
    engine = price = templates = previews = clip_facts = job_durations = None

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.jobs: list[HandJob] = []
        self.may_end = threading.Event()
        self.may_end.set()
        self.end = JobsDetail(job_id="j1", state="Success", progress=100)
        self.refusal: Exception | None = None
        self.marks: dict[str, object] = {}

    def xml(self, setting: VideoEnhance) -> str:
        return dumps(setting, pretty=True).decode()

    def request(self, clip: object, setting: VideoEnhance, **marks: object) -> Request:
        return enhance_request("in.mp4", setting, bucket=self.bucket, region=self.region, **marks)

    def submit(self, clip: object, setting: VideoEnhance, **marks: object) -> HandJob:
        if self.refusal:
            raise self.refusal
        self.marks = marks
        self.jobs.append(HandJob(self, setting))
        return self.jobs[-1]

    def result_html(self, job: HandJob) -> str:
        return result_html(job.setting, job)


@pytest.fixture
def lab(tmp_path: Path) -> HandLab:
    return HandLab(tmp_path / "state")


@pytest.fixture(autouse=True)
def no_widget_is_left() -> Iterator[None]:
    yield
    Widget.close_all()
