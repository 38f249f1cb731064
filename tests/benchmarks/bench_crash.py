"""Kill engines at random moments over a queue of jobs, and kernels over a sweep, and count the outcomes.

    python -m tests.benchmarks.bench_crash [--jobs 100] [--kills 50] [--seed 1] [--rounds 3] [--kernels 2]

First the engine: 100 jobs are accepted, then the process that works on them is killed with SIGKILL
at 50 random moments, once with one engine on the store and once with two; at the end each job must
have ended once, well, with all of its objects and nothing else (see `tests.engine.engine_crash_loop`). Then
a server is killed as often while 100 jobs are sent to it (see `tests.engine.serve_crash_loop`). Then
the other side: each round is a sweep of 30 runs, done by so many kernels at once from one journal,
each of them killed after 10 to 1000 ms and started again until one life comes to its end.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.transport import WSGITransport
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.server.listener import Listener
from ci_notebook.experiment.journal import Journal
from ci_notebook.media.ffmpeg import run as ffmpeg
from tests.engine.engine_crash_loop import Counts
from tests.experiment.sweep_crash_loop import BUCKET, ID, KEY, REGION, SWEEP

ROOT = Path(__file__).resolve().parents[2]


def one_round(folder: Path, seed: int, kernels: int) -> tuple[int, int, int]:
    """Return how often kernels were killed, how many runs ended well, and how many jobs were sent."""
    video = folder / "tiny.mp4"
    ffmpeg(["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10:duration=0.3", "-c:v", "libx264", video])
    with Engine(folder / "engine", bucket=BUCKET, region=REGION, keys={ID: KEY}, workers=2) as engine:
        client = Client(
            BUCKET, region=REGION, credentials=Credentials(ID, KEY), transport=WSGITransport(engine.app), scheme="http"
        )
        with client, Listener(engine) as listener:
            listener.start()
            stored = client.upload(video, "input/tiny.mp4")
            command = [
                sys.executable, "-m", "tests.experiment.sweep_crash_loop",
                listener.address, str(folder), stored.key, stored.etag,
            ]  # fmt: skip
            at_work = [
                subprocess.Popen(
                    [*command, "--at-random", str(seed * 100 + n)], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                )
                for n in range(kernels)
            ]  # fmt: skip
            killed = sum(int(one.communicate(timeout=600)[0]) for one in at_work)
            jobs = list(client.jobs())
    with Journal(folder / "journal.sqlite") as journal:
        return killed, sum(run.ok for run in journal.runs()), len(jobs)


def engines_killed(jobs: int, kills: int, seed: int) -> list[str]:
    """Kill engines, print what was counted, and return what is not as it must be."""
    wrong, shown = [], False
    for engines in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            command = [
                sys.executable,
                "-m",
                "tests.engine.engine_crash_loop",
                folder,
                "--jobs",
                str(jobs),
                "--kills",
                str(kills),
            ]
            done = subprocess.run(
                [*command, "--engines", str(engines), "--seed", str(seed)], cwd=ROOT, check=True, text=True,
                stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        counts = Counts(**json.loads(done.stdout))
        if not shown:
            shown = True
            print(f"{'engines':>8} {'seed':>5}", *(f"{name:>{max(6, len(name))}}" for name in asdict(counts)))
        row = (f"{value:>{max(6, len(name))}}" for name, value in asdict(counts).items())
        print(f"{engines:>8} {seed:>5}", *row, flush=True)
        wrong += counts.faults() + (["kills"] if counts.kills < kills else [])
    return wrong


def server_killed(jobs: int, kills: int, seed: int) -> int:
    """Kill a server that is being sent jobs, and return 0 if each ended once; the counts are printed."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.engine.serve_crash_loop", folder, "--jobs", str(jobs)]
        return subprocess.run(
            [*command, "--kills", str(kills), "--seed", str(seed)], cwd=ROOT, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ).returncode  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kernels", type=int, default=2)
    args = parser.parse_args()
    if wrong := engines_killed(args.jobs, args.kills, args.seed):
        sys.exit(f"not as it must be: {', '.join(wrong)}")
    if server_killed(args.jobs, args.kills, args.seed) != 0:
        sys.exit("a job that the server accepted was lost, or ended twice")
    print(f"{'round':>5} {'killed':>7} {'well':>5} {'sent':>5} {'of':>4} {'s':>6}")
    for number in range(args.rounds):
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            killed, well, sent = one_round(Path(folder), number, args.kernels)
        print(f"{number:>5} {killed:>7} {well:>5} {sent:>5} {len(SWEEP):>4} {time.monotonic() - began:>6.1f}")
        if not well == sent == len(SWEEP):
            sys.exit("a run was lost, or sent twice")


if __name__ == "__main__":
    main()
