"""Kill sweeps at random moments, two kernels at a time, and see whether each run is sent once.

    python -m tests.benchmarks.bench_crash [--rounds 3] [--kernels 2]

Each round is a sweep of 30 runs, done by so many kernels at once from one journal, each of them
killed with SIGKILL after 10 to 1000 ms and started again until one life comes to its end.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ci_notebook.client.client import Client
from ci_notebook.client.credentials import Credentials
from ci_notebook.client.transport import WSGITransport
from ci_notebook.engine.app import Engine
from ci_notebook.engine.serve import Listener
from ci_notebook.experiment.journal import Journal
from ci_notebook.media.ffmpeg import run as ffmpeg
from tests.experiment.dying import BUCKET, ID, KEY, REGION, SWEEP

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
                sys.executable, "-m", "tests.experiment.dying", listener.address, str(folder), stored.key, stored.etag,
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kernels", type=int, default=2)
    args = parser.parse_args()
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
