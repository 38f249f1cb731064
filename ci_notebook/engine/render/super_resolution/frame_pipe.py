"""A clip through two FFmpegs: one decodes, what stands between them works on each picture, the other encodes.

The pictures travel as bare bytes at one rate, so a clip whose rate varies gets its mean one. Both
programs and the work between them end together, well or badly.
"""

from __future__ import annotations

import contextlib
import functools
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from ci_notebook.engine.render.super_resolution.network import Enlarger, enlarge
from ci_notebook.media.ffmpeg import Cancelled, find_ffmpeg, readable
from ci_notebook.media.process import kill, program
from ci_notebook.model.errors import EngineError

if sys.platform == "linux":
    import fcntl

_LOG_LINES = 20
_PIPE_BYTES = 1 << 20  # what Linux lets a pipe hold: a picture in one go, not in pieces of 64 kB
Words = Sequence[str | Path]
Each = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Pipe:
    """What leaves the decoder: pictures of `width` x `height` at `fps` (an FFmpeg rate, 30000/1001).

    `deep` is ten bits instead of eight, `chroma` how the colours are thinned out. What reaches the
    encoder is `times` as wide and high.
    """

    width: int
    height: int
    fps: str
    deep: bool = False
    chroma: str = "420"
    times: int = 2

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name of the pictures' format."""
        return f"yuv{self.chroma}p{'10le' if self.deep else ''}"

    @property
    def picture_bytes(self) -> int:
        """How many bytes a picture that leaves the decoder has."""
        across = self.width if self.chroma == "444" else (self.width + 1) // 2
        down = (self.height + 1) // 2 if self.chroma == "420" else self.height
        return (self.width * self.height + 2 * across * down) * (2 if self.deep else 1)

    @property
    def made(self) -> Pipe:
        """What reaches the encoder, as what leaves a decoder."""
        return replace(self, width=self.times * self.width, height=self.times * self.height, times=1)

    def as_output(self) -> tuple[str, ...]:
        """Return FFmpeg's arguments for the output of the decoder."""
        return ("-f", "rawvideo", "-pix_fmt", self.pixel_format, "pipe:1")

    def as_input(self) -> tuple[str, ...]:
        """Return FFmpeg's arguments for the first input of the encoder."""
        size = f"{self.times * self.width}x{self.times * self.height}"
        return (
            "-f", "rawvideo", "-pix_fmt", self.pixel_format, "-video_size", size, "-framerate", self.fps, "-i", "pipe:0"
        )  # fmt: skip


def enlarging(pipe: Pipe, enlarger: Enlarger) -> Each:
    """Return what doubles one picture of a pipe by the network."""
    return functools.partial(enlarge, width=pipe.width, height=pipe.height, enlarger=enlarger, deep=pipe.deep)


def pass_through(
    decode: Words,
    encode: Words,
    pipe: Pipe,
    *,
    each: Each | None = None,
    total: float | None = None,
    on_progress: Callable[[float], None] | None = None,
    cancel: threading.Event | None = None,
    before: Words = (),
) -> int:
    """Run FFmpeg, `each` on every picture, and FFmpeg again, all at once; return how many pictures went through.

    `decode` are the first FFmpeg's arguments up to its output, `encode` the second's after its first
    input, which is the pictures as `each` gives them; further inputs, such as the source for its
    sound, may follow. `on_progress` gets the share done when `total`, in pictures, is known. When
    `cancel` is set both are killed and `Cancelled` is raised; like any other failure it may leave
    half a file, so let `encode` write aside. `before` stands before both programs' arguments. Raises
    `EngineError` with the log's last lines.
    """
    words = [str(find_ffmpeg()), "-hide_banner", "-nostdin", "-y", "-v", "error", *map(str, before)]
    with (
        _started([*words, *map(str, decode), *pipe.as_output()], stdout=subprocess.PIPE) as source,
        _started([*words, *pipe.as_input(), *map(str, encode)], stdin=subprocess.PIPE, beside=source.process) as sink,
        _killed_on(cancel, source, sink),
    ):
        count, out, into = 0, source.process.stdout, sink.process.stdin
        assert out is not None and into is not None  # noqa: S101 - for the type checker: they were asked for
        _widened(out, into)
        for picture in read_pictures(out, pipe.picture_bytes):
            try:
                into.write(each(picture) if each else picture)
            except BrokenPipeError:
                break  # why, it says on its way out: `end` below raises it
            count += 1
            if on_progress and total:
                on_progress(min(1.0, count / total))
        else:
            source.end(out)  # before the sink's input closes: half a source must not look like a whole one
        sink.end(into)
        if count == 0:
            raise EngineError("the source has no picture to work on", command=source.command)
    return count


def read_pictures(stream: IO[bytes], size: int) -> Iterator[bytes]:
    """Yield the pictures of `size` bytes that a pipe carries. Raises `EngineError` for half a one."""
    while picture := stream.read(size):
        if len(picture) != size:
            raise EngineError(f"the pictures ended within one: {len(picture)} of {size} bytes")
        yield picture


def _widened(*pipes: IO[bytes]) -> None:
    """Let the pipes hold more, where the system can; it goes without, too."""
    if sys.platform == "linux":
        for pipe in pipes:
            with contextlib.suppress(OSError):  # a user may have only so many wide ones
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


@dataclass(frozen=True, slots=True)
class _Program:
    """A running FFmpeg. Its log goes to a file, so nothing blocks."""

    process: subprocess.Popen[bytes]
    command: str
    log: IO[bytes]

    def end(self, pipe: IO[bytes]) -> None:
        """Close its pipe and wait for a good end. Raises `EngineError` for any other."""
        with contextlib.suppress(BrokenPipeError):  # it ended first, and its exit code says why
            pipe.close()
        code = self.process.wait()
        if code != 0:
            self.log.seek(0)
            said = self.log.read().decode("utf-8", "replace").strip().splitlines()[-_LOG_LINES:]
            raise EngineError(f"FFmpeg ended with {code}", command=self.command, log="\n".join(said))


@contextmanager
def _started(command: list[str], *, beside: subprocess.Popen[bytes] | None = None, **pipes: Any) -> Iterator[_Program]:
    with tempfile.TemporaryFile() as log, program(command, group_of=beside, stderr=log, **pipes) as process:
        yield _Program(process, readable(command), log)


@contextmanager
def _killed_on(cancel: threading.Event | None, *programs: _Program) -> Iterator[None]:
    """Kill the programs as soon as `cancel` is set, and call what then breaks `Cancelled`."""
    ended = threading.Event()

    def watch() -> None:
        while cancel is not None and not ended.wait(0.05):
            if cancel.is_set():
                for one in programs:
                    kill(one.process)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    broken: EngineError | None = None
    try:
        yield
    except EngineError as problem:
        if cancel is None or not cancel.is_set():
            raise
        broken = problem
    finally:
        ended.set()
        watcher.join()
    if cancel is not None and cancel.is_set():
        raise Cancelled("the run was cancelled", code="Cancelled", command=programs[0].command) from broken
