"""Run jobs and previews for a while, and print what the process uses: memory, descriptors, threads, child processes.

    python -m tests.benchmarks.bench_soak [--jobs 2000] [--previews 2000] [--minutes 60] [--threads 2] [--rows 12]

Half of the jobs go straight to a lab's embedded engine, half through a port, as from another program. Both make
settings that were not made before. Jobs and previews are spread evenly over the time, or done at full speed where that
is too short. A row is printed `--rows` times. The first third of the time warms caches up; after it nothing may grow:
the script ends with 1 when the last third holds 64 MiB, 20 descriptors, 8 threads or 4 processes more than the middle.
"""

from __future__ import annotations

import argparse
import os
import queue
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ci_notebook as ci
from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.transport import AddressTransport
from ci_notebook.client.job import Job
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.server.listener import Listener
from ci_notebook.model.api.requests import enhance_request
from tests.engine_fixtures import BUCKET, KEYS, REGION
from tests.support import write_clip

# How much more than in the middle third the last third may use: caches and allocators still move a little.
ALLOWED = {"memory": 64.0, "descriptors": 20, "threads": 8, "processes": 4}


@dataclass(frozen=True)
class Sample:
    """What this process uses: memory in MiB, and numbers of open descriptors, threads and child processes."""

    memory: float
    descriptors: int
    threads: int
    processes: int

    @classmethod
    def now(cls) -> Sample:
        """Measure; Linux only."""
        status = Path("/proc/self/status").read_text("ascii")
        memory = next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))
        children = [
            path for path in Path("/proc").glob("[0-9]*/stat") if _parent(path) == os.getpid()
        ]  # fmt: skip
        return cls(memory, len(os.listdir("/proc/self/fd")) - 1, threading.active_count(), len(children))  # noqa: PTH208


def _parent(stat: Path) -> int:
    try:
        return int(stat.read_text("utf-8", "replace").rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


class Load:
    """Work that is spread over a time, in a few threads."""

    def __init__(self, name: str, number: int, seconds: float, threads: int, work: Callable[[int], None]) -> None:
        self.name, self.done, self.errors = name, 0, list[str]()
        self._pause, self._began, self._work = seconds / max(1, number), time.monotonic(), work
        self._numbers: queue.SimpleQueue[int] = queue.SimpleQueue()
        for one in range(number):
            self._numbers.put(one)
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def is_running(self) -> bool:
        """Whether work is left."""
        return any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while True:
            try:
                number = self._numbers.get_nowait()
            except queue.Empty:
                return
            time.sleep(max(0.0, self._began + number * self._pause - time.monotonic()))
            try:
                self._work(number)
            except Exception as error:  # noqa: BLE001  the summary shows it
                self.errors.append(repr(error))
            self.done += 1


def growth(samples: list[Sample]) -> dict[str, float]:
    """Return by how much the median of the last third is above that of the middle third."""
    third = len(samples) // 3
    return {
        name: statistics.median(getattr(one, name) for one in samples[2 * third :])
        - statistics.median(getattr(one, name) for one in samples[third : 2 * third])
        for name in ALLOWED
    }


def soak(folder: Path, *, jobs: int, previews: int, seconds: float, threads: int, rows: int) -> list[str]:
    """Do the work, print the rows, and return what is not as it must be."""
    video = write_clip(folder / "tiny.mp4")
    engine = Engine(folder / "port", bucket=BUCKET, region=REGION, keys=KEYS)
    with ci.connect(home=folder / "home") as lab, engine, Listener(engine) as listener:
        listener.start()
        client = Client(
            BUCKET, region=REGION, credentials=Credentials(*next(iter(KEYS.items()))),
            transport=AddressTransport(listener.address), scheme="http",
        )  # fmt: skip
        with client:
            clip, stored = lab.upload(video), client.upload(video, "in.mp4")

            def setting(number: int) -> ci.VideoEnhance:
                return ci.VideoEnhance(
                    ms_sharpen=ci.MsSharpen(sharpen_level=number % 10 + 1),
                    color_enhance=ci.ColorEnhance(saturation=number // 10 % 101, contrast=number // 1010 % 101),
                )

            def job(number: int) -> None:
                if number % 2:
                    lab.submit(clip, setting(number)).wait(600)
                else:
                    request = enhance_request(stored.key, setting(number), bucket=BUCKET, region=REGION,
                                              user_data=f"soak {number}")  # fmt: skip
                    Job(client, client.submit(request)).wait(600)

            def preview(number: int) -> None:
                lab.preview(clip, setting(number), at_s=number % 5 / 10)

            loads = [Load("jobs", jobs, seconds, threads, job), Load("previews", previews, seconds, 1, preview)]
            samples = list[Sample]()
            print(f"{'s':>6} {'jobs':>6} {'previews':>8} {'MiB':>7} {'files':>6} {'threads':>7} {'children':>8}")
            began = shown = time.monotonic()
            while any(load.is_running for load in loads):
                time.sleep(0.2)
                samples.append(Sample.now())
                if time.monotonic() - shown >= seconds / rows:
                    shown = time.monotonic()
                    _print(shown - began, loads, samples[-1])
        samples.append(Sample.now())
        _print(time.monotonic() - began, loads, samples[-1])
    time.sleep(1.0)
    print("closed", end=" ")
    _print(time.monotonic() - began, loads, Sample.now())
    more = growth(samples)
    print("growth of the last third:", ", ".join(f"{name} {value:+.1f}" for name, value in more.items()))
    wrong = [f"{load.name}: {load.errors[0]} ({len(load.errors)} errors)" for load in loads if load.errors]
    return wrong + [f"{name} grows by {value:g}" for name, value in more.items() if value > ALLOWED[name]]


def _print(seconds: float, loads: list[Load], sample: Sample) -> None:
    done = [load.done for load in loads]
    print(
        f"{seconds:>6.0f} {done[0]:>6} {done[1]:>8} {sample.memory:>7.0f} {sample.descriptors:>6} "
        f"{sample.threads:>7} {sample.processes:>8}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--previews", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", type=int, default=12)
    args = parser.parse_args()
    os.environ["CI_NOTEBOOK_PROGRESS"] = "0"
    with tempfile.TemporaryDirectory() as folder:
        wrong = soak(
            Path(folder), jobs=args.jobs, previews=args.previews, seconds=60 * args.minutes, threads=args.threads,
            rows=args.rows,
        )  # fmt: skip
    if wrong:
        sys.exit(f"not as it must be: {'; '.join(wrong)}")


if __name__ == "__main__":
    main()
