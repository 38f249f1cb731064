"""A client and a lab that live for weeks remember a bounded number of things, and an output is downloaded once."""

from __future__ import annotations

import itertools
from collections import Counter
from types import SimpleNamespace

import pytest

import ci_notebook as ci
from ci_notebook.client import submit
from ci_notebook.client.client import Client
from ci_notebook.client.objects import Clip
from ci_notebook.lab import monitor_jobs
from ci_notebook.lab.clips import clip_facts
from ci_notebook.model.api.jobs import Input, JobsDetail, Operation
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.errors import ServiceUnavailable, SubmissionUnclear
from ci_notebook.model.lru import LRU
from ci_notebook.model.setting.enhance import ColorEnhance, MsSharpen, VideoEnhance
from tests.ledger_jobs import fill

SHARP = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))


class Informed:
    """A client that knows the facts of any clip, and counts who asks."""

    bucket = "b-1250000000"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def video_info(self, key: str) -> MediaInfo:
        self.asked.append(key)
        return MediaInfo()


@pytest.fixture
def largest(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """Return, by the identity of each bounded mapping, the most entries that it held."""
    sizes: Counter[int] = Counter()
    alive = []
    real = LRU.put

    def put(self: LRU, key: object, value: object) -> None:
        real(self, key, value)
        alive.append(self)  # so that no two have one identity
        sizes[id(self)] = max(sizes[id(self)], len(self))

    monkeypatch.setattr(LRU, "put", put)
    return sizes


def test_the_facts_of_clips_are_bounded(monkeypatch):
    monkeypatch.setattr(clip_facts, "KNOWN_CLIPS", 3)
    client = Informed()
    facts = clip_facts.ClipFacts(client)
    clips = [Clip(key=f"{n}.mp4", bucket="b", region="r", size_bytes=1, md5=str(n)) for n in range(5)]
    for clip in [*clips, *clips[2:], clips[0]]:
        facts.of(clip)
    assert client.asked == [*(clip.key for clip in clips), "0.mp4"], "the oldest was evicted, the newest were not"


def test_the_sources_of_watched_jobs_are_bounded(monkeypatch):
    monkeypatch.setattr(monitor_jobs, "KNOWN_CLIPS", 3)
    client = Informed()
    jobs = monitor_jobs.LabJobs(
        client, cache=SimpleNamespace(), costs_money=False, result_html=str, durations=SimpleNamespace()
    )
    for number in [0, 1, 2, 3, 4, 4, 3, 2, 0]:
        jobs.cost(JobsDetail(input=Input(object=f"{number}.mp4"), operation=Operation(video_enhance=SHARP)))
    assert client.asked == [f"{number}.mp4" for number in [0, 1, 2, 3, 4, 0]]


class Calls:
    """A service whose answers to submissions are lost while `is_broken`."""

    def __init__(self) -> None:
        self.is_broken, self._numbers = False, itertools.count()

    def sleep(self, seconds: float) -> None:
        """Wait for nothing."""

    def post(self, request: object) -> JobsDetail:
        if self.is_broken:
            raise ServiceUnavailable("InternalError", "no answer", status=503)
        return JobsDetail(job_id=f"j{next(self._numbers)}")

    def jobs(self, **filters: object) -> list[JobsDetail]:
        if self.is_broken:
            raise ServiceUnavailable("InternalError", "no answer", status=503)
        return []


def test_what_a_client_remembers_of_its_submissions_is_bounded(monkeypatch, largest):
    monkeypatch.setattr(submit, "REMEMBERED", 8)
    calls = Calls()
    submitter = submit.Submitter(calls, lambda: 1e9)
    for number in range(60):
        calls.is_broken = 20 <= number < 40
        request = enhance_request("in.mp4", SHARP, bucket="b-1250000000", region="r", user_data=f"run {number}")
        if calls.is_broken:
            with pytest.raises(SubmissionUnclear):
                submitter.submit(request)
        else:
            submitter.submit(request)
    assert sorted(largest.values()) == [8, 8], "jobs that were made, and requests that nobody answered"


def test_what_a_client_keeps_of_the_jobs_it_read_is_bounded(tmp_path, monkeypatch, largest):
    monkeypatch.setattr("ci_notebook.client.client.KNOWN_OPERATIONS", 10)
    with ci.connect(home=tmp_path) as lab:
        fill(lab, lab.upload(ci.sample()), 40)
        assert len(list(lab.jobs(page_size=20))) == len(list(lab.jobs(page_size=7))) == 40
    assert list(largest.values()).count(10) == 1, "the operations of jobs"
    assert 40 not in largest.values()


def test_one_output_is_downloaded_once_for_scores_monitor_and_comparison(tmp_path, monkeypatch):
    fetched = []
    real = Client.download
    monkeypatch.setattr(
        Client, "download", lambda self, key, *more, **how: fetched.append(key) or real(self, key, *more, **how)
    )
    with ci.connect(home=tmp_path) as lab:
        clip = lab.upload(ci.sample("meadow"))
        setting = VideoEnhance(color_enhance=ColorEnhance(contrast=60))
        runs = lab.run(clip, [setting], every=25)
        run = runs[0]
        key = run.job.output_keys[0]
        assert fetched == [key]
        (job,) = lab.jobs()
        paths = {run.output, lab.job_desk.fetch(job.detail)}
        with lab.frames(job) as of_job, lab.frames(key) as of_key, lab.frames(run) as of_run:
            assert len(of_job) == len(of_key) == len(of_run)
        monitor = ci.Monitor(lab).refresh()
        paths.add(monitor.open_result(job.id))
        view = ci.CompareView(runs)
        view.close()
        monitor.close()
    assert (fetched, paths) == ([key], {run.output})


def test_a_clip_made_worse_is_made_once_and_named_for_people(tmp_path, monkeypatch):
    made = []
    from ci_notebook.media import spoil

    real = spoil.spoil
    monkeypatch.setattr(spoil, "spoil", lambda *where, **how: made.append(how) or real(*where, **how))
    with ci.connect(home=tmp_path) as lab:
        clip = lab.upload(ci.sample("meadow"))
        first, again = lab.spoil(clip, shrink=2), lab.spoil(clip, shrink=2)
        assert (first, made) == (again, [{"shrink": 2}])
        assert (first.name, first.key) == ("meadow-shrink2.mp4", "input/meadow-shrink2.mp4")
        other = tmp_path / "meadow.mp4"
        other.write_bytes(ci.sample("portrait").read_bytes())
        with pytest.warns(UserWarning, match="other content"):
            worse = lab.spoil(lab.upload(other, "input/other.mp4"), shrink=2)
        assert worse.path != first.path, "two clips of one name"
        assert worse.md5 != first.md5
