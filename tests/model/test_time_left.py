"""The time left of a job: expected at first, measured later, and never more precise than it is known."""

from __future__ import annotations

import pytest

from ci_notebook.model.api.jobs import JobsDetail, State
from ci_notebook.model.api.time_left import RemainingTime, TimeLeft, combined, measured_s


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
