"""A server that is killed again and again while a client sends it jobs.

    python -m tests.engine.serve_crash_loop FOLDER --jobs 100 --kills 50 --seed 1

The server is a process of its own (forked), killed with SIGKILL at moments that the seed draws, and started again on
the same port. The client sends the jobs meanwhile, repeats what failed, and remembers every job that was accepted.
Then it waits for all. A trigger in the ledger writes down each end of a job. Prints the counts as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import socket
import sqlite3
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.transport import AddressTransport
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.server.listener import Listener
from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.errors import CIError, ParameterError
from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
from ci_notebook.model.setting.transcode import Container, Transcode, Video
from tests.engine.engine_crash_loop import AUDIT, OVER
from tests.engine_fixtures import BUCKET, KEYS, REGION
from tests.support import fork_process, until, write_clip


@dataclass
class Counts:
    """The outcome. `faults` says which counts are not as they must be."""

    jobs: int = 0
    kills: int = 0
    seconds: float = 0.0
    accepted: int = 0
    well: int = 0
    in_ledger: int = 0
    lost: int = 0
    ended_twice: int = 0

    def faults(self) -> list[str]:
        """Return the names of the counts that are wrong."""
        wrong = [name for name in ("accepted", "well", "in_ledger") if getattr(self, name) != self.jobs]
        return wrong + [name for name in ("lost", "ended_twice") if getattr(self, name)]


def serve(root: Path, port: int) -> None:
    """Answer calls until this process is killed."""
    with Engine(root, bucket=BUCKET, region=REGION, keys=KEYS, min_free_bytes=0) as engine:
        until_free = time.monotonic() + 10
        while True:
            try:
                listener = Listener(engine, port=port)
                break
            except CIError:
                if time.monotonic() > until_free:
                    raise
                time.sleep(0.01)
        with listener:
            listener.run()


def repeated(call, limit_s: float = 300.0):
    """Return what a call returns, repeated while the server is away."""
    end = time.monotonic() + limit_s
    while True:
        try:
            return call()
        except CIError as error:
            if isinstance(error, ParameterError) or time.monotonic() > end:
                raise
            time.sleep(0.05)


def one_run(folder: Path, *, jobs: int, kills: int, seed: int = 0) -> Counts:
    """Send jobs to a server that is killed, wait for all, and count."""
    root, draw, counts = folder / "root", random.Random(seed), Counts(jobs=jobs)
    video = write_clip(folder / "tiny.mp4", seconds=0.3).read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    began = time.monotonic()
    server = fork_process(lambda: serve(root, port))
    keys = Credentials(*next(iter(KEYS.items())))
    transport = AddressTransport(f"http://127.0.0.1:{port}")
    ids: dict[int, str] = {}
    with Client(BUCKET, region=REGION, credentials=keys, transport=transport, scheme="http") as client:
        repeated(lambda: client.upload(video, "in.mp4"))
        with contextlib.closing(sqlite3.connect(root / "ledger.sqlite", timeout=30)) as ledger:
            ledger.executescript(AUDIT)

        def send() -> None:
            for number in range(jobs):
                transcode = Transcode(container=Container(format="mp4"), video=Video(codec="H.264", gop=number + 1))
                setting = VideoEnhance(transcode=transcode, ms_sharpen=MsSharpen(sharpen_level=number % 10))
                request = enhance_request(
                    "in.mp4", setting, bucket=BUCKET, region=REGION, user_data=f"crash {number}"
                )  # fmt: skip
                ids[number] = repeated(lambda request=request: client.submit(request)).job_id or ""

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        while counts.kills < kills and not (len(ids) == jobs and _is_done(client, ids)):
            time.sleep(draw.uniform(0.02, 1.2))
            os.kill(server, signal.SIGKILL)
            os.waitpid(server, 0)
            counts.kills += 1
            server = fork_process(lambda: serve(root, port))
        sender.join(300)
        until(lambda: _is_done(client, ids), 300)
        found = [
            job for batch in _batches(list(ids.values())) for job in repeated(lambda batch=batch: client.job(*batch))
        ]
    os.kill(server, signal.SIGKILL)
    os.waitpid(server, 0)
    counts.seconds = round(time.monotonic() - began, 1)
    counts.accepted, counts.well = len(ids), sum(job.state == "Success" for job in found)
    counts.lost = len(ids) - len({job.job_id for job in found})
    with contextlib.closing(sqlite3.connect(root / "ledger.sqlite")) as ledger:
        counts.in_ledger = ledger.execute("SELECT count(*) FROM jobs").fetchone()[0]
        ends = Counter(row[0] for row in ledger.execute("SELECT job_id FROM steps WHERE state IN (?, ?, ?)", OVER))
    counts.ended_twice = sum(number > 1 for number in ends.values())
    return counts


def _batches(ids: list[str]) -> list[list[str]]:
    return [ids[start : start + 50] for start in range(0, len(ids), 50)]


def _is_done(client: Client, ids: dict[int, str]) -> bool:
    try:
        return all(job.is_over for batch in _batches(list(ids.values())) for job in client.job(*batch))
    except CIError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    counts = one_run(args.folder, jobs=args.jobs, kills=args.kills, seed=args.seed)
    print(json.dumps(asdict(counts)), flush=True)
    if counts.faults():
        raise SystemExit(f"not as it must be: {', '.join(counts.faults())}")


if __name__ == "__main__":
    main()
