"""The program that doubles the frames of a pipe: raw frames in, twice as many out.

Invariant: the output depends on the frames only, not on the number of threads. At most two frames more than there
are threads are in memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO

import cv2

from ci_notebook.engine.render.motion.interpolation import FrameFormat, Interpolator

__all__ = ["doubled", "main"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_KEPT_BYTES = 1 << 30


def main(words: Sequence[str]) -> None:
    """Double the frames from standard input; `words` are those of `frame_doubler.doubling_program`."""
    _keep_memory()
    width, height, chroma, bits, threads = words
    layout = FrameFormat(int(width), int(height), chroma, deep=bits == "10")
    for frame in doubled(_frames(sys.stdin.buffer, layout.frame_bytes), layout, threads=int(threads)):
        sys.stdout.buffer.write(frame)
    sys.stdout.buffer.flush()


def doubled(frames: Iterator[bytes], layout: FrameFormat, *, threads: int = 1) -> Iterator[bytes]:
    """Yield each frame, and after it the one half way to the next; the last frame is yielded twice.

    Sets OpenCV's number of threads in this process to 1: the frames themselves are computed side by side.
    """
    cv2.setNumThreads(1)
    between = Interpolator(layout).between
    waiting: deque[tuple[bytes, Future[bytes]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        before = next(frames, None)
        if before is None:
            return
        for after in frames:
            waiting.append((before, pool.submit(between, before, after)))
            if len(waiting) > threads:
                frame, new = waiting.popleft()
                yield frame
                yield new.result()
            before = after
        for frame, new in waiting:
            yield frame
            yield new.result()
        yield before
        yield before


def _keep_memory() -> None:
    """Make the allocator keep freed memory: every frame needs the same again, and a new page costs a fault.

    That takes a quarter off the CPU time with glibc. Other systems' allocators keep it or have no such switch.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            tune = ctypes.CDLL(None).mallopt
            tune(_M_MMAP_THRESHOLD, _KEPT_BYTES)
            tune(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def _frames(stream: IO[bytes], size: int) -> Iterator[bytes]:
    while frame := stream.read(size):
        if len(frame) != size:
            sys.exit(f"The stream ended inside a frame: {len(frame)} of {size} bytes.")
        yield frame
