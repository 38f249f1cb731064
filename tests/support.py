"""Helpers that several test folders share: waiting, forked processes, small clips, and XML of finished jobs.

Fixtures live in the `conftest.py` files; this module holds plain functions only.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ci_notebook.media.ffmpeg import run
from ci_notebook.media.samples import sample

if TYPE_CHECKING:
    from ipywidgets import Widget


def until(condition: Callable[[], Any], timeout_s: float = 30) -> None:
    """Wait until a condition is true; fail after the timeout."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"the condition is still false after {timeout_s} s"
        time.sleep(0.01)


def fork_process(work: Callable[[], None]) -> int:
    """Run work in a forked process and return its id. It exits with 0, or with 1 after printing a traceback."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()  # os._exit prints nothing
            raise
        finally:
            os._exit(code)
    return child


def write_clip(
    path: Path, *options: str, seconds: float = 0.5, size: str = "128x128", rate: int = 10, sound: bool = False
) -> Path:
    """Write a generated clip, H.264 unless the options say otherwise, and return its path."""
    sources = [f"testsrc2=size={size}:rate={rate}:duration={seconds}"]
    sources += [f"sine=duration={seconds}"] if sound else []
    inputs = [word for source in sources for word in ("-f", "lavfi", "-i", source)]
    coding = options or ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")
    run([*inputs, *coding, path], total_s=seconds)
    return path


def write_sample(path: Path, *, seconds: float = 0.5, size: str = "320x180") -> Path:
    """Write the beginning of the sample at another size, and return its path."""
    run(["-i", sample(), "-t", str(seconds), "-vf", f"scale={size.replace('x', ':')}", path], total_s=seconds)
    return path


def send_to_widget(widget: Widget, content: Mapping[str, Any]) -> None:
    """Deliver a custom message to a widget, as its view does: over the comm."""
    message = {"content": {"data": {"method": "custom", "content": dict(content)}}, "buffers": []}
    widget.comm.handle_msg(message)
