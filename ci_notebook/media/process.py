"""Programs that live no longer than the work they do: not past its end, and not past the process that asked for it.

A parent that is killed (kill -9, a kernel that is restarted) cannot end its programs. On POSIX a
shell does it: it waits on a pipe that only the parent holds, and when that breaks it kills the
group. (Linux would do it by PR_SET_PDEATHSIG, but that is set between fork and exec, where Python
code may not run safely beside threads, and it fires when the starting thread ends, not the process.)
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

POSIX = os.name == "posix"
_SHELL = Path("/bin/sh")
_WATCH = 'read -r _ && exit; kill -s KILL -- "-$1"'  # a line says that all is well; the end of the pipe that nobody is


def environment() -> dict[str, str]:
    """Return the environment for FFmpeg."""
    return {**os.environ, "SVT_LOG": "0"}  # SVT-AV1 takes no notice of -v


def cores() -> int:
    """Return how many cores this process may use: not all of the machine's in a container, or under taskset."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def program(
    command: Sequence[str],
    *,
    beside: subprocess.Popen[bytes] | None = None,
    cwd: Path | None = None,
    stdin: int | Any = subprocess.DEVNULL,
    stdout: int | Any = subprocess.DEVNULL,
    stderr: int | Any = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program in a process group of its own, or of the one `beside`; on leaving, end it and close its pipes.

    The pipes are bytes. Ctrl-C in a terminal or notebook does not reach it.
    """
    process = subprocess.Popen(  # noqa: S603 - no shell
        command, stdin=stdin, stdout=stdout, stderr=stderr, cwd=cwd, env=environment(), **_group(beside)
    )
    watcher = None
    try:
        watcher = _watched(process) if beside is None and _SHELL.exists() else None
        yield process
    finally:
        kill(process)
        if beside is not None:
            process.wait()
        _close(process)
        process.wait()
        if watcher is not None:
            watcher.communicate(b"\n")


def kill(process: subprocess.Popen[bytes], how: signal.Signals | None = None) -> None:
    """Send a signal, SIGKILL unless said, to the group that a program leads, or to one beside another alone."""
    if process.poll() is not None:
        return
    try:
        if POSIX and os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, how or signal.SIGKILL)
        elif how is None or not POSIX:
            process.kill()
        else:
            process.send_signal(how)
    except ProcessLookupError:
        return  # it ended meanwhile


def _group(beside: subprocess.Popen[bytes] | None) -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"process_group": beside.pid if beside else 0}


def _watched(process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - a fixed script and a number
        [str(_SHELL), "-c", _WATCH, "sh", str(process.pid)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, process_group=0,
    )  # fmt: skip


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None and not pipe.closed:
            try:
                pipe.close()
            except BrokenPipeError:
                continue  # it ended first, and its exit code says why
