"""Killed at random moments: every accepted job ends, once, with all of its objects; `bench_crash` does it at length."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.engine_crash_loop import Counts

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows forks no processes and has no locks that end with one")
@pytest.mark.parametrize("engines", [1, 2], ids=["one engine", "two on one store"])
def test_engines_that_are_killed_lose_no_job_and_end_none_twice(tmp_path, engines):
    seed = random.randrange(10_000)
    print(f"seed {seed}")  # pytest shows it when the test fails
    command = [sys.executable, "-m", "tests.engine.engine_crash_loop", str(tmp_path), "--jobs", "16", "--kills", "8"]
    process = subprocess.run(
        [*command, "--engines", str(engines), "--seed", str(seed)], cwd=ROOT, check=True, text=True,
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=300,
    )  # fmt: skip
    counts = Counts(**json.loads(process.stdout))
    assert counts.faults() == [], counts
    assert counts.kills > 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows forks no processes")
def test_a_server_that_is_killed_while_it_accepts_jobs_loses_none(tmp_path):
    seed = random.randrange(10_000)
    print(f"seed {seed}")  # pytest shows it when the test fails
    command = [sys.executable, "-m", "tests.engine.serve_crash_loop", str(tmp_path), "--jobs", "12", "--kills", "5"]
    process = subprocess.run(
        [*command, "--seed", str(seed)], cwd=ROOT, text=True, capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=300,
    )  # fmt: skip
    assert process.returncode == 0, process.stdout + process.stderr
    assert json.loads(process.stdout)["kills"] > 0
