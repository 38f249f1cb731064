"""A warm FFmpeg: started in advance, its frame open, waiting at its standard input for a graph.

It ends when this process does, because its standard input ends then, and an empty graph is an error.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from ci_notebook._processes import detach_in_children
from ci_notebook.engine.preview.preview_graph import Still
from ci_notebook.media.ffmpeg import find_ffmpeg, readable
from ci_notebook.media.process import environment, wait_for_end
from ci_notebook.model.errors import EngineError

IDLE_S = 60.0
LIMIT_S = 60.0
PAUSE_S = 0.01  # before the next one starts, so that the current answer goes out first
SMALL_PIXELS = 1280 * 720  # up to here one thread is as fast as several, and takes 15 % less CPU time

Process = subprocess.Popen[bytes]


class WarmFFmpeg:
    """Runs graphs on frames, one frame in and one out. Not for two threads at once. FFmpeg works in `folder`.

    After each run another FFmpeg waits for the same frame, for a minute.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._ready: tuple[Still, Process] | None = None
        self._next: threading.Timer | None = None
        self._previous: Process | None = None

    def run(self, still: Still, graph: str, size_bytes: int) -> bytes:
        """Return the raw frame of `size_bytes` that a graph makes from a still. Raises `EngineError`."""
        process = self._take_ready(still) or self._start(still)
        limit = threading.Timer(LIMIT_S, process.kill)
        limit.daemon = True
        limit.start()
        try:
            assert process.stdin is not None and process.stdout is not None  # noqa: S101 - for the type checker
            try:
                process.stdin.write(graph.encode())
                process.stdin.close()
            except BrokenPipeError:
                process.stdin = None  # FFmpeg ended first, and its log says why
            data = process.stdout.read(size_bytes)
        finally:
            limit.cancel()
        if len(data) != size_bytes:
            raise _failed(process)
        with self._lock:
            before, self._previous = self._previous, process  # it ends by itself; the previous one has ended
            self._after(PAUSE_S, lambda: self._begin(still))
        if before is not None:
            _end(before)
        return data

    @property
    def waiting(self) -> Process | None:
        """The FFmpeg process that waits for the next graph; None while there is none."""
        with self._lock:
            return self._ready[1] if self._ready else None

    def close(self) -> None:
        """End the waiting FFmpeg. Closing twice is allowed."""
        with self._lock:
            ended = [*([self._ready[1]] if self._ready else []), *([self._previous] if self._previous else [])]
            self._ready = self._previous = None
            if self._next is not None:
                self._next.cancel()
                self._next = None
        for process in ended:
            _end(process)

    def _take_ready(self, still: Still) -> Process | None:
        with self._lock:
            ready, self._ready = self._ready, None
            if self._next is not None:
                self._next.cancel()
                self._next = None
        if ready is None:
            return None
        if ready[0].as_input() == still.as_input() and ready[1].poll() is None:
            return ready[1]
        _end(ready[1])
        return None

    def _begin(self, still: Still) -> None:
        with self._lock:
            if self._next is threading.current_thread():  # otherwise a new request or `close` came first
                self._ready = (still, self._start(still))
                self._after(IDLE_S, self.close)

    def _after(self, wait_s: float, work: Callable[[], None]) -> None:
        self._next = threading.Timer(wait_s, work)
        self._next.daemon = True
        self._next.start()

    def _start(self, still: Still) -> Process:
        is_small = still.size.width * still.size.height <= SMALL_PIXELS
        one, filters = (("-threads", "1"), ("-filter_threads", "1")) if is_small else ((), ())
        command = [
            str(find_ffmpeg()), "-hide_banner", "-v", "error", *filters, *one, *still.as_input(),
            "-/vf", "pipe:0", *one, "-fps_mode", "passthrough", "-frames:v", "1", "-f", "rawvideo", "pipe:1",
        ]  # fmt: skip
        process = subprocess.Popen(  # noqa: S603 - no shell
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self._folder,
            env=environment(), start_new_session=True,  # Ctrl-C in a notebook does not reach it
        )  # fmt: skip
        detach_in_children(process.stdin, process.stdout, process.stderr)
        return process


def _end(process: Process) -> None:
    process.kill()
    wait_for_end(process)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None and not pipe.closed:
            pipe.close()


def _failed(process: Process) -> EngineError:
    code = wait_for_end(process)
    log = process.stderr.read().decode("utf-8", "replace").strip() if process.stderr else ""
    command = readable([str(one) for one in process.args]) if isinstance(process.args, list) else ""
    _end(process)
    return EngineError(f"FFmpeg ended with {code} while rendering a preview.", command=command, log=log)
