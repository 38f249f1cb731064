"""Engines that are killed at random moments, again and again, while they work through a queue.

    python -m tests.engine.engine_crash_loop FOLDER --jobs 100 --kills 50 --engines 1 --seed 1

Accepts the jobs, then lets so many engines work on them, each in a separate process (forked, because
starting Python costs more than a job), kills one after the other with SIGKILL at a moment that the
seed draws, and starts another in its place. When all kills are done the engines work to the end.
Triggers in the ledger write down each change of state and each object that appears, in the same
transaction: what is counted is what happened, not what is left. Prints the counts as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from ci_notebook.client.connection.transport import WSGITransport
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.faults import SlowJobs
from ci_notebook.engine.storage.object_store import ORPHAN_S
from tests.engine_fixtures import BUCKET, KEYS, MP4, REGION, Caller
from tests.executor_fixtures import programs_below
from tests.support import fork_process, write_clip

TOLD = (
    "<CallBackType>TDMQ</CallBackType><CallBackMqConfig><MqRegion>cd</MqRegion><MqMode>Queue</MqMode>"
    "<MqName>ends</MqName></CallBackMqConfig>"
)
AUDIT = """
CREATE TABLE steps (job_id TEXT, state TEXT);
CREATE TRIGGER step AFTER UPDATE OF state ON jobs BEGIN INSERT INTO steps VALUES (new.job_id, new.state); END;
CREATE TABLE appeared (key TEXT);
CREATE TRIGGER appear AFTER INSERT ON objects BEGIN INSERT INTO appeared VALUES (new.key); END;
"""
OVER = ("Success", "Failed", "Cancel")


@dataclass
class Counts:
    """The outcome. All but the first two, `begun` and `told_again` must be what `faults` says."""

    jobs: int = 0
    kills: int = 0
    seconds: float = 0.0
    well: int = 0
    ended_twice: int = 0
    begun: int = 0
    objects_missing: int = 0
    appeared_twice: int = 0
    untold: int = 0
    told_again: int = 0
    files_too_many: int = 0
    programs_left: int = 0

    def faults(self) -> list[str]:
        """Return the names of the counts that are not as they must be."""
        wrong = [] if self.well == self.jobs else ["well"]
        zero = ("ended_twice", "objects_missing", "appeared_twice", "untold", "files_too_many", "programs_left")
        return wrong + [name for name in zero if getattr(self, name)]


def engine_on(folder: Path) -> Engine:
    """Return an engine on the folder's store."""
    return Engine(folder / "root", bucket=BUCKET, region=REGION, keys=KEYS, min_free_bytes=0)


def accept(folder: Path, jobs: int) -> None:
    """Put a tiny clip and accept the jobs; every tenth makes many objects. None is begun."""
    video = write_clip(folder / "tiny.mp4", seconds=0.3)
    with engine_on(folder) as engine:
        engine.faults.add("run_job", SlowJobs(start_s=3600), times=None)
        call = Caller(WSGITransport(engine.app))
        call.put("in.mp4", video.read_bytes())
        for number in range(jobs):
            kind = "hls" if number % 10 == 9 else "mp4"
            # No two alike: what was made before is not made again.
            setting = MP4.replace("mp4", kind).replace("</Codec></Video>", f"</Codec><Gop>{number + 1}</Gop></Video>")
            call.submit(setting, output=f"out/{number}.{kind.replace('hls', 'm3u8')}", after=TOLD)
        call.close()
    with contextlib.closing(sqlite3.connect(folder / "root" / "ledger.sqlite")) as ledger:
        ledger.executescript(AUDIT)


def left(folder: Path) -> int:
    """Return how many jobs are not over yet."""
    with contextlib.closing(sqlite3.connect(folder / "root" / "ledger.sqlite", timeout=30)) as ledger:
        return int(ledger.execute("SELECT count(*) FROM jobs WHERE state NOT IN (?, ?, ?)", OVER).fetchone()[0])


def live(folder: Path) -> None:
    """Work until all is done."""
    with engine_on(folder):
        while left(folder):
            time.sleep(0.05)


def kill_and_go_on(folder: Path, kills: int, engines: int, draw: random.Random) -> int:
    """Let engines live and kill them until enough are killed, or all is done; return how many were killed."""
    killed, lives = 0, {}
    while (todo := left(folder)) or lives:
        while len(lives) < engines and todo:
            # Lives are shorter where kills are many for what is left to do, so that none is left over.
            longest = min(1.0, max(0.04, 0.2 * todo / max(1, kills - killed)))
            lives[fork_process(lambda: live(folder))] = time.monotonic() + draw.uniform(0.01, longest)
        for child, until in list(lives.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0, "a life ended with an error"
                del lives[child]
            elif killed < kills and time.monotonic() >= until:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                killed += 1
                del lives[child]
        time.sleep(0.002)
    return killed


def count(folder: Path, counts: Counts) -> Counts:
    """Count what happened."""
    root = folder / "root"
    time.sleep(0.5)  # the programs of the last one killed end by their own watchers
    counts.programs_left = len(programs_below(root))
    for file in (root / BUCKET).iterdir():
        os.utime(file, (1, 1))  # so old that what a killed engine left there, and no row names, may be swept
    assert time.time() - 1 > ORPHAN_S
    with engine_on(folder) as engine:
        notifications = Counter(
            message.job_id for message in engine.messages("ends", region="cd", at_most=10 * counts.jobs)
        )
    with contextlib.closing(sqlite3.connect(root / "ledger.sqlite")) as ledger:
        jobs = ledger.execute("SELECT job_id, state, result FROM jobs").fetchall()
        ends = Counter(row[0] for row in ledger.execute("SELECT job_id FROM steps WHERE state IN (?, ?, ?)", OVER))
        begun = ledger.execute("SELECT count(*) FROM steps WHERE state = 'Running'").fetchone()[0]
        objects = dict(ledger.execute("SELECT key, file FROM objects").fetchall())
        appeared = Counter(row[0] for row in ledger.execute("SELECT key FROM appeared"))
        # An engine killed while it sends leaves the notification to be sent again, a minute later.
        to_tell = {row[0] for row in ledger.execute("SELECT job_id FROM notices")}
    counts.well = sum(state == "Success" for _, state, _ in jobs)
    counts.ended_twice = sum(number > 1 for number in ends.values())
    counts.begun = begun
    expected = {key for key in objects if key.startswith("out/")}
    named = {text for _, _, result in jobs for text in _keys_in(result)}
    counts.objects_missing = len(named ^ expected) + sum(
        not (root / BUCKET / file).exists() for file in objects.values()
    )
    counts.appeared_twice = sum(number > 1 for number in appeared.values())
    counts.untold = sum(not notifications[job_id] and job_id not in to_tell for job_id, _, _ in jobs)
    counts.told_again = sum(number > 1 for number in notifications.values())
    left_over = [file for file in (root / BUCKET).iterdir() if file.name not in objects.values()]
    counts.files_too_many = len([*left_over, *(root / ".owners").iterdir(), *(root / ".incoming").iterdir()])
    return counts


def _keys_in(result: bytes | None) -> list[str]:
    from lxml import etree

    return [
        str(one.text)
        for one in etree.fromstring(result or b"<a/>").iter("ObjectName")
        if one.getparent().tag == "OutputFile"
    ]


def one_run(folder: Path, *, jobs: int, kills: int, engines: int = 1, seed: int = 0) -> Counts:
    """Accept, kill, restart, count."""
    accept(folder, jobs)
    began = time.monotonic()
    counts = Counts(jobs=jobs, kills=kill_and_go_on(folder, kills, engines, random.Random(seed)))
    counts.seconds = round(time.monotonic() - began, 1)
    return count(folder, counts)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--engines", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    counts = one_run(args.folder, jobs=args.jobs, kills=args.kills, engines=args.engines, seed=args.seed)
    print(json.dumps(asdict(counts)))


if __name__ == "__main__":
    main()
