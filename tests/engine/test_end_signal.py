"""A wait in the engine's process ends with the job; nothing else ends it early, and nothing is missed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import ci_notebook as ci
from ci_notebook.client import polling
from ci_notebook.engine.jobs.end_signal import EndSignal
from ci_notebook.experiment import run as sweeps
from tests.support import write_sample

LONG_S = 60.0  # a pause that no test waits for


def seconds_of(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def test_a_signal_ends_the_pauses_of_all_waits():
    signal = EndSignal()
    pauses = [signal.new_pause() for _ in range(3)]
    threads = [threading.Thread(target=pause, args=(LONG_S,)) for pause in pauses]
    for thread in threads:
        thread.start()
    signal.send()
    for thread in threads:
        thread.join(LONG_S / 2)
        assert not thread.is_alive()


def test_a_signal_between_two_pauses_ends_the_second_one_only_once():
    signal = EndSignal()
    pause = signal.new_pause()
    signal.send()
    assert seconds_of(lambda: pause(LONG_S)) < LONG_S / 2
    assert seconds_of(lambda: pause(0.05)) >= 0.05


def test_without_a_signal_a_pause_lasts_as_long_as_asked():
    assert seconds_of(lambda: EndSignal().new_pause()(0.05)) >= 0.05


@pytest.mark.slow
def test_waits_and_sweeps_of_a_lab_end_with_their_jobs_however_rarely_they_poll(
    lab: ci.Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clip = lab.upload(write_sample(tmp_path / "small.mp4"))
    for module in (polling, sweeps):
        monkeypatch.setattr(module, "pause_s", lambda age_s: LONG_S)
    spent_s = seconds_of(lambda: lab.submit(clip, {"SharpenLevel": 4}).wait())
    spent_s += seconds_of(lambda: list(lab.watch(lab.submit(clip, {"SharpenLevel": 7}))))
    spent_s += seconds_of(lambda: lab.run(clip, [{"SharpenLevel": 5}, {"SharpenLevel": 6}], scores=False))
    assert spent_s < LONG_S
