"""The time left of a job: expected at first, measured later, and never more precise than it is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ci_notebook.experiment.progress import Event, SweepPace
from ci_notebook.model.api.jobs import JobsDetail, State
from ci_notebook.model.api.time_left import RemainingTime, TimeLeft, combined, measured_s
from ci_notebook.results import progress_bar


class Watched:
    """A job that is looked at, at chosen times."""

    def __init__(self, expected_s: float | None = None) -> None:
        self._now, self._expected_s = 0.0, expected_s
        self._remaining = RemainingTime(lambda: self._now)

    def at(self, seconds: float, percent: int | None, state: State = "Running") -> TimeLeft | None:
        self._now = seconds
        return self._remaining.of(JobsDetail(job_id="j", state=state, progress=percent), self._expected_s)


def test_without_an_expectation_the_time_left_is_measured() -> None:
    job = Watched()
    assert job.at(0, 20) is None
    assert job.at(10, 40) == TimeLeft(30.0, is_rough=False)
    assert job.at(20, 60) == TimeLeft(20.0, is_rough=False)
    assert job.at(21, 5) is None, "another worker started over"
    assert job.at(31, 24) == TimeLeft(40.0, is_rough=False)
    assert job.at(32, 100, "Success") is None


def test_an_expected_job_has_a_time_left_from_its_first_moment() -> None:
    job = Watched(60.0)
    assert job.at(0, 0) == TimeLeft(60.0, is_rough=True)
    assert job.at(10, None) == TimeLeft(50.0, is_rough=True)
    early, late = job.at(12, 2), job.at(120, 50)
    assert early is not None and early.is_rough and 59 < early.seconds < 200
    assert late is not None and not late.is_rough and late.seconds == pytest.approx(105, abs=1), "measured: 120 s"


def test_a_job_that_takes_longer_than_expected_says_nothing_until_it_is_measured() -> None:
    job = Watched(10.0)
    assert job.at(0, 0) == TimeLeft(10.0, is_rough=True)
    assert job.at(11, 0) is None
    assert job.at(20, 1) is not None


def test_an_expectation_is_shown_in_coarse_steps() -> None:
    texts = [str(TimeLeft(seconds, is_rough=True)) for seconds in (0.4, 3, 7.9, 27, 47, 100, 1000, 5000)]
    assert texts == [
        "roughly 1 s left", "roughly 2 s left", "roughly 10 s left", "roughly 30 s left", "roughly 1 min left",
        "roughly 2 min left", "roughly 20 min left", "roughly 1 h left",
    ]  # fmt: skip
    assert str(TimeLeft(47, is_rough=False)) == "about 45 s left"


def test_a_first_second_measures_nothing() -> None:
    assert measured_s(0.5, 0.5) is None and measured_s(5.0, 0.0) is None
    assert measured_s(5.0, 0.5) == 5.0
    assert combined(0.0, None, None) is None


def test_a_sweep_expects_first_and_measures_later() -> None:
    now = [0.0]
    pace = SweepPace(0.0, lambda: now[0])
    assert pace.left(0.0, 40.0) == TimeLeft(40.0, is_rough=True)
    assert pace.left(0.0) is None
    now[0] = 30.0
    assert pace.left(0.5) == TimeLeft(30.0, is_rough=False)
    event = Event(0.5, 4, 2, 0, 1, left_s=30.0)
    assert event.note == "2 of 4 done, 1 running, about 30 s left"
    assert replace(event, is_rough=True).note.endswith(", roughly 30 s left")
    assert event.counts == replace(event, share=1.0).note == "2 of 4 done, 1 running"


def test_a_bar_shows_the_time_left_that_it_is_given_and_else_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(progress_bar, "_output", lambda: lambda html, text, last: shown.append(text))
    now = [0.0]
    with progress_bar.Progress("Job", total=100, clock=lambda: now[0]) as progress:
        now[0] = 1.0
        progress.update(0, "Running", left=TimeLeft(12.0, is_rough=True))
        now[0] = 20.0
        progress.update(50, "Running")
    assert shown[1] == "Job: 0 % · Running · 1 s, roughly 10 s left"
    assert shown[2] == "Job: 50 % · Running · 20 s, about 20 s left"
