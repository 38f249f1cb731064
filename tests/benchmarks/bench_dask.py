"""How jobs scale over the workers of a Dask cluster on this machine, and what the way through a cluster costs.

    python -m tests.benchmarks.bench_dask [--jobs 8] [--workers 1 2 4] [--long 2.0]

Two kinds of jobs. *Simulated*: long jobs that wait (`--long` seconds each, by the fault `SlowJobs`)
and then make next to nothing, so they use no CPU: this is the throughput of N separate machines,
and shows the overhead of the engine and Dask. *Real*: each is an encode of three seconds of
640x360 with sharpening; on one machine they share its cores, so more workers than cores gain
nothing. The first row is the engine's own threads with two places. Scaling is the throughput over
that of one worker, per worker: 1.00 is perfect.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
from pathlib import Path

from distributed import LocalCluster

from ci_notebook.client.connection.transport import WSGITransport
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.faults import SlowJobs
from ci_notebook.engine.jobs.dask_cluster import DaskCluster
from ci_notebook.media.ffmpeg import run as ffmpeg
from tests.engine_fixtures import BUCKET, KEYS, MP4, REGION, Caller


def clip(folder: Path, size: str, seconds: float) -> bytes:
    """Make a clip and return its bytes."""
    path = folder / f"{size}.mp4"
    ffmpeg(["-f", "lavfi", "-i", f"testsrc2=s={size}:r=25:d={seconds}", "-pix_fmt", "yuv420p", path])
    return path.read_bytes()


def one_kind(call: Caller, engine: Engine, jobs: int, *, long_s: float) -> float:
    """Return how long so many jobs take, s."""
    engine.faults.clear()
    if long_s:
        engine.faults.add("run_job", SlowJobs(run_s=long_s), times=None)
    began, ids = time.monotonic(), []
    for number in range(jobs):
        gop = f"<Gop>{number + (100 if long_s else 1)}</Gop>"  # no two alike: what was made before is not made again
        setting = MP4.replace("</Codec></Video>", f"</Codec>{gop}</Video>")
        sharper = "" if long_s else "<MsSharpen><SharpenLevel>6</SharpenLevel></MsSharpen>"
        ids.append(call.submit(setting + sharper, key="tiny.mp4" if long_s else "real.mp4").job_id)
    for job_id in ids:
        done = call.ended(job_id, timeout_s=600)
        assert done.state == "Success", done.message
    return time.monotonic() - began


def measured(folder: Path, jobs: int, long_s: float, slots: int, **options: object) -> tuple[float, float]:
    """Return the seconds that the simulated and the real jobs took."""
    with Engine(folder / "root", bucket=BUCKET, region=REGION, keys=KEYS, reuse=False, **options) as engine:  # type: ignore[arg-type]
        call = Caller(WSGITransport(engine.app))
        call.put("tiny.mp4", clip(folder, "128x128", 0.2))
        call.put("real.mp4", clip(folder, "640x360", 3))
        one_kind(call, engine, 4 * slots, long_s=0.5)  # now every process has loaded what it needs
        took = one_kind(call, engine, jobs, long_s=long_s), one_kind(call, engine, jobs, long_s=0)
        call.close()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--long", type=float, default=2.0)
    args = parser.parse_args()
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    print(f"{args.jobs} jobs of each kind; {os.cpu_count()} cores; simulated jobs wait {args.long:g} s each")
    print(f"{'':>12} {'simulated':^30} {'real':^30}")
    print(f"{'workers':>12}", *(f"{'s':>8} {'jobs/min':>10} {'scaling':>10}" for _ in range(2)))
    base: tuple[float, float] | None = None
    with tempfile.TemporaryDirectory() as folder:
        shown("2 threads", measured(Path(folder), args.jobs, args.long, 2), args.jobs, None, 2)
    for workers in args.workers:
        with (
            tempfile.TemporaryDirectory() as folder,
            LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            ) as cluster,
        ):  # fmt: skip
            executor = DaskCluster(cluster.scheduler_address)
            took = measured(Path(folder), args.jobs, args.long, workers, executor=executor)
        base = base or (took[0] * workers, took[1] * workers)
        shown(str(workers), took, args.jobs, base, workers)


def shown(name: str, took: tuple[float, float], jobs: int, base: tuple[float, float] | None, workers: int) -> None:
    """Print a row."""
    cells = [
        f"{seconds:>8.1f} {jobs / seconds * 60:>10.1f} " + (f"{one / seconds / workers:>10.2f}" if one else f"{'':>10}")
        for seconds, one in zip(took, base or (0.0, 0.0), strict=True)
    ]
    print(f"{name:>12}", *cells, flush=True)


if __name__ == "__main__":
    main()
