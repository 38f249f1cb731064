"""A program ends with the work it does, and with the process that asked for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ci_notebook.media.process import kill, program

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX's")
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
PARENT = """
import subprocess, sys, time
from ci_notebook.media.process import program
sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
with program(sleep) as one, program(sleep, group_of=one) as other:
    print(one.pid, other.pid, flush=True)
    time.sleep(60)
"""


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(*pids: int, within_s: float = 5) -> bool:
    until = time.monotonic() + within_s
    while any(map(lives, pids)) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(map(lives, pids))


def test_a_program_ends_with_its_block() -> None:
    with program(SLEEP) as process:
        assert process.poll() is None
    assert process.poll() == -signal.SIGKILL


def test_two_in_one_group_are_killed_as_one() -> None:
    with program(SLEEP) as one, program(SLEEP, group_of=one) as other:
        assert os.getpgid(other.pid) == os.getpgid(one.pid) == one.pid != os.getpgid(0)
        kill(one)
        assert one.wait() == other.wait() == -signal.SIGKILL


def test_one_of_two_programs_can_be_ended_alone() -> None:
    with program(SLEEP) as one:
        with program(SLEEP, group_of=one) as other:
            kill(other, signal.SIGTERM)
            assert other.wait() == -signal.SIGTERM
        assert one.poll() is None


def test_killing_an_ended_program_does_nothing() -> None:
    with program([sys.executable, "-c", ""]) as process:
        process.wait()
        kill(process)
    assert process.returncode == 0


def test_pipes_are_closed_even_when_nobody_reads_them() -> None:
    with program([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"left in the buffer")
        kill(process)
        process.wait()
    assert process.stdin.closed


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "kill"])
def test_programs_end_with_a_killed_parent(how: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2 and all(map(lives, pids))
        parent.send_signal(how)
        parent.wait()
    assert gone(*pids)
