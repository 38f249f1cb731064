"""Child programs that end with their work, and with the process that started them.

Invariant: a program that reads media from elsewhere gets no key: its environment holds only what `environment` lets
through. The files that it writes are private to this account.

A parent that is killed (kill -9, a restarted kernel) cannot end its children. On POSIX a watcher shell does
it: it waits on a pipe that only the parent has open (a forked child of the parent has not), and kills the process
group when that pipe breaks.
Linux's PR_SET_PDEATHSIG is no alternative. It must be set between fork and exec, where Python code is not
safe in a process with threads, and it fires when the starting thread ends, not the process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ci_notebook._processes import Owner, detach_in_children
from ci_notebook.model.errors import EngineError

__all__ = ["POSIX", "PRIVATE_UMASK", "cores", "environment", "kill", "program", "wait_for_end"]

POSIX = os.name == "posix"
PRIVATE_UMASK: Final = 0o077
"""The umask of child programs: other accounts cannot read the files that they write."""
# The variables that FFmpeg needs: to find its libraries, to write temporary files, and those that Windows needs to
# start a program. Keys, tokens, proxies with passwords, and FFREPORT, which names a file to write, are not among them.
_VARIABLES: Final = frozenset({
    "PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TMP", "TEMP", "LD_LIBRARY_PATH", "LD_PRELOAD",
    "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR",
    "COMSPEC", "PATHEXT", "USERPROFILE", "LOCALAPPDATA", "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE",
})  # fmt: skip
# A program that has closed its output ends within moments; one that was killed, too.
END_S: Final = 60.0
_SHELL = Path("/bin/sh")
_WATCH = 'read -r _ && exit; kill -s KILL -- "-$1"'  # a line: the work is over; end of file: the parent is dead


def environment() -> dict[str, str]:
    """Return the environment for FFmpeg: without keys, tokens and proxies."""
    kept = {name: value for name, value in os.environ.items() if name in _VARIABLES or name.startswith("LC_")}
    return {**kept, "SVT_LOG": "0"}  # SVT-AV1 ignores -v


def cores() -> int:
    """Return how many cores this process may use; in a container or under taskset, fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def program(
    command: Sequence[str],
    *,
    group_of: subprocess.Popen[bytes] | None = None,
    cwd: Path | None = None,
    stdin: int | Any = subprocess.DEVNULL,
    stdout: int | Any = subprocess.DEVNULL,
    stderr: int | Any = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program in a new process group, or in the group of `group_of`; on exit, kill it and close its pipes.

    The pipes carry bytes. Ctrl-C in a terminal or notebook does not reach the program. A forked child that leaves
    the block does not touch the program.
    """
    owner = Owner()
    process = subprocess.Popen(  # noqa: S603 - no shell
        command,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=cwd,
        env=environment(),
        umask=PRIVATE_UMASK,
        **_group(group_of),
    )
    detach_in_children(process.stdin, process.stdout, process.stderr)
    watcher = None
    try:
        watcher = _start_watcher(process) if group_of is None and _SHELL.exists() else None
        yield process
    finally:
        if owner.is_here:
            _end(process, watcher, is_leader=group_of is None)


def wait_for_end(process: subprocess.Popen[bytes], limit_s: float = END_S) -> int:
    """Return the exit code of a program that is about to end. After `limit_s` seconds it is killed.

    Raises `EngineError` where even that does not end it, as when it waits for a broken disk.
    """
    for final in (False, True):
        try:
            return process.wait(limit_s)
        except subprocess.TimeoutExpired:
            if final:
                break
            kill(process)
    raise EngineError(f"A program (process {process.pid}) does not end, although it was killed. Restart the machine.")


def _end(process: subprocess.Popen[bytes], watcher: subprocess.Popen[bytes] | None, *, is_leader: bool) -> None:
    kill(process)
    try:
        if not is_leader:
            wait_for_end(process)
        _close(process)
        wait_for_end(process)
    finally:
        if watcher is not None:
            watcher.communicate(b"\n", timeout=END_S)


def kill(process: subprocess.Popen[bytes], how: signal.Signals | None = None) -> None:
    """Send a signal (SIGKILL by default) to a program's process group, or to the program alone if it leads none."""
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


def _group(leader: subprocess.Popen[bytes] | None) -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"process_group": leader.pid if leader else 0}


def _start_watcher(process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    watcher = subprocess.Popen(  # noqa: S603 - a fixed script and a number
        [str(_SHELL), "-c", _WATCH, "sh", str(process.pid)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, process_group=0, env=environment(),
    )  # fmt: skip
    detach_in_children(watcher.stdin)
    return watcher


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None and not pipe.closed:
            try:
                pipe.close()
            except BrokenPipeError:
                continue  # it ended first, and its exit code says why
