"""A server that a verb starts in a process of its own: it ends when the verb is ended, by Ctrl-C or by SIGTERM."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from typing import Any


def serve_until_ended(command: Sequence[str], **how: Any) -> int:
    """Run a server until it ends and return its exit status; `how` is that of `subprocess.Popen`."""
    server = subprocess.Popen(command, **how)  # noqa: S603  our own interpreter, no shell
    before = signal.signal(signal.SIGTERM, lambda *_: server.terminate())  # it would go on alone, with its kernels
    try:
        return server.wait()
    except KeyboardInterrupt:
        return server.wait()  # Ctrl-C went to the server as well, which may ask before it stops
    finally:
        signal.signal(signal.SIGTERM, before)
