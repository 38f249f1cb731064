"""Run a server in a child process that ends with the verb, on Ctrl-C and on SIGTERM."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ci_notebook._folders import HOME_VARIABLE, lab_home


def serve_until_ended(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    patience_s: float | None = None,
) -> int:
    """Run a server until it ends and return its exit status. Its kernels have the same home, in any folder.

    After Ctrl-C it may take `patience_s`, then it is stopped. Without a limit it may ask before it stops.
    """
    if os.environ.get(HOME_VARIABLE):
        env = {**(os.environ if env is None else env), HOME_VARIABLE: str(lab_home())}
    server = subprocess.Popen(command, env=env, cwd=cwd)  # noqa: S603  our own interpreter, no shell
    old_handler = signal.signal(
        signal.SIGTERM, lambda *_: server.terminate()
    )  # else it would keep running, with its kernels
    try:
        return server.wait()
    except KeyboardInterrupt:
        if patience_s is None:
            return server.wait()  # the server got Ctrl-C too, and may ask before it stops
        return _interrupted(server, patience_s)
    finally:
        signal.signal(signal.SIGTERM, old_handler)


def _interrupted(server: subprocess.Popen[bytes], patience_s: float) -> int:
    """Wait for a server that got Ctrl-C too, or did not: only this process may have been interrupted."""
    for stop in (server.terminate, server.kill):
        try:
            return server.wait(patience_s)
        except subprocess.TimeoutExpired:
            stop()
    return server.wait()


def port_number(text: str) -> int:
    """Read the number of a port."""
    if not text.isascii() or not text.isdigit() or len(text) > 5 or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to 65535 (got {text!r})")
    return int(text)
