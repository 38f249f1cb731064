"""A process that runs a sweep and is killed on the way, again and again, until the sweep is done.

    python -m tests.experiment.sweep_crash_loop ADDRESS FOLDER CLIP_KEY CLIP_MD5 [--every-step | --at-random SEED]

Killed with SIGKILL, by itself before and after each step that the sweep takes for the first time
(`--every-step`), or by another at any moment (`--at-random`). Each life is a separate process;
it is forked, because starting Python hundreds of times takes minutes. Prints how often it was killed.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.transport import AddressTransport
from ci_notebook.client.objects import Clip
from ci_notebook.experiment.journal import Journal
from ci_notebook.experiment.run import RunOptions, run_all
from ci_notebook.experiment.sweep import grid
from tests.support import fork_process

BUCKET, REGION, ID, KEY = "lab-1250000000", "ap-chongqing", "AKIDexample", "secret-example"
SWEEP = grid(None, SharpenLevel=range(10), Contrast=[0, 30, 60])
STEPS = {
    Journal: ("begin", "claim", "record_reply", "record_refusal", "record_result"),
    Client: ("submit", "find_by_user_data", "job", "download", "video_info"),
}


class Fate:
    """Kills the process at every step that no life before has come to."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._met = set(file.read_text().splitlines()) if file.exists() else set()

    def __call__(self, step: str) -> None:
        if step in self._met:
            return
        with self._file.open("a") as file:
            file.write(f"{step}\n")
        os.kill(os.getpid(), signal.SIGKILL)

    def on(self, kind: type, name: str) -> None:
        """Strike before and after a method does its work."""
        real = getattr(kind, name)

        def struck(self_: Any, *given: Any, **more: Any) -> Any:
            what = f"{name} {_about(given)}"
            self(f"before {what}")
            result = real(self_, *given, **more)
            self(f"after {what}")
            return result

        setattr(kind, name, struck)


def _about(given: tuple[Any, ...]) -> str:
    """Name what a step is about, equal in every life: a run and its state, a mark, a key."""
    first = given[0] if given else ""
    run = getattr(first, "run", first)  # an entry of the journal has one
    if hasattr(run, "attempt"):
        return f"{run.key} {run.attempt} {run.state}"
    if hasattr(first, "operation"):
        return str(first.operation.user_data)
    return str(first)


def live(address: str, folder: Path, clip: Clip, *, settle_s: float) -> None:
    """Run the sweep, as a user would."""

    def measure(output: Path, source: Path, /, **more: Any) -> dict[str, float]:
        return {"bytes": float(output.stat().st_size)}

    client = Client(
        BUCKET, region=REGION, credentials=Credentials(ID, KEY), transport=AddressTransport(address), scheme="http",
        sleep=lambda seconds: time.sleep(min(seconds, 0.02)),
    )  # fmt: skip
    with client, Journal(folder / "journal.sqlite") as journal:
        options = RunOptions(journal=journal, cache=folder / "cache", measure=measure, settle_s=settle_s)
        runs = run_all(client, clip, SWEEP, options)
    assert len(runs) == len(SWEEP)
    assert all(run.ok for run in runs), [run.error or run.state for run in runs if not run.ok]


def lives(one: Callable[[], None], wait: Callable[[int], int]) -> int:
    """Start one life after the other until one comes to its end; return how many were killed."""
    killed = 0
    while True:
        status = wait(fork_process(one))
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0, "a life ended with an error"
            return killed
        killed += 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("folder", type=Path)
    parser.add_argument("clip_key")
    parser.add_argument("clip_md5")
    parser.add_argument("--at-random", type=int, default=None)
    args = parser.parse_args()
    clip = Clip(key=args.clip_key, bucket=BUCKET, region=REGION, size_bytes=0, md5=args.clip_md5, name="tiny")

    def at_every_step() -> None:
        fate = Fate(args.folder / "met.txt")
        for kind, names in STEPS.items():
            for name in names:
                fate.on(kind, name)
        live(args.address, args.folder, clip, settle_s=0)  # killed before or after the call, never during it

    def until_it_ends(child: int) -> int:
        return os.waitpid(child, 0)[1]

    draw = random.Random(args.at_random)

    def until_a_moment(child: int) -> int:
        until = time.monotonic() + draw.uniform(0.01, 1.0)
        while time.monotonic() < until:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return status
            time.sleep(0.002)
        os.kill(child, signal.SIGKILL)
        return os.waitpid(child, 0)[1]

    if args.at_random is None:
        print(lives(at_every_step, until_it_ends))
    else:
        print(lives(lambda: live(args.address, args.folder, clip, settle_s=0.3), until_a_moment))


if __name__ == "__main__":
    main()
