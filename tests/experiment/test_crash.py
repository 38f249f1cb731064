"""Kill -9 at any step of a sweep, start it again: every run ends, and none is sent twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ci_notebook.client.client import Client
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.server.listener import Listener
from ci_notebook.experiment.journal import Journal
from tests.experiment.sweep_crash_loop import SWEEP
from tests.support import write_clip

ROOT = Path(__file__).resolve().parents[2]


def killed_on_the_way(engine: Engine, client: Client, folder: Path, *more: str) -> int:
    """Run the sweep in processes that are killed, hold the outcome to what it must be, and return how many were."""
    video = write_clip(folder / "tiny.mp4", seconds=0.3, size="64x48")
    stored = client.upload(video, "input/tiny.mp4")
    with Listener(engine) as listener:
        listener.start()
        command = [sys.executable, "-m", "tests.experiment.sweep_crash_loop", listener.address, str(folder)]
        process = subprocess.run(
            [*command, stored.key, stored.etag, *more], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
    assert process.returncode == 0, process.stderr
    with Journal(folder / "journal.sqlite") as journal:
        runs = journal.runs()
    jobs = list(client.jobs())
    assert len(runs) == len(SWEEP)
    assert all(run.ok and run.attempt == 1 and run.scores for run in runs)
    assert len(jobs) == len({job.operation.user_data for job in jobs}) == len(SWEEP)
    assert {job.job_id for job in jobs} == {run.job.job_id for run in runs}
    return int(process.stdout)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="processes are forked, and killed by SIGKILL")
def test_killed_at_every_step_thirty_runs_end_and_none_is_sent_twice(engine, client, tmp_path):
    assert killed_on_the_way(engine, client, tmp_path) > 10 * len(SWEEP)
