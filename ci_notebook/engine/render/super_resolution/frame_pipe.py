"""A clip through two FFmpegs: the first decodes, a Python function changes each frame, the second encodes.

A program between them may double the number of frames first.

The frames travel as raw bytes at one frame rate, so a clip with a variable rate gets its mean rate. Both
programs and the function end together, in success and in failure.
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

from ci_notebook.engine.render.motion.frame_doubler import doubling_program
from ci_notebook.engine.render.super_resolution.hdr_frames import enlarge_hdr
from ci_notebook.engine.render.super_resolution.network import Enlarger, enlarge
from ci_notebook.media.ffmpeg import Cancelled, find_ffmpeg, readable, refuse_larger_frames
from ci_notebook.media.process import cores, kill, program, wait_for_end
from ci_notebook.model.errors import EngineError

if sys.platform == "linux":
    import fcntl

_LOG_LINES = 20
FINISH_S = 600.0  # an encoder may still have many frames to write when its input ends
_PIPE_BYTES = 1 << 20  # the maximum on Linux: a whole frame at once, not pieces of 64 kB
Words = Sequence[str | Path]
FrameFunction = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Pipe:
    """Format of the decoder's output: frames of `width` x `height`.

    `deep` means ten bits instead of eight, `chroma` the subsampling. Frames that reach the encoder are
    `times` as wide and high, and come at `fps` (an FFmpeg rate, 30000/1001). `doubles` means that a program
    between the two makes twice as many frames. `transfer` is that of HDR, empty for SDR.
    """

    width: int
    height: int
    fps: str
    deep: bool = False
    chroma: str = "420"
    times: int = 2
    doubles: bool = False
    transfer: str = ""

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name of the frames' format."""
        return f"yuv{self.chroma}p{'10le' if self.deep else ''}"

    @property
    def frame_bytes(self) -> int:
        """Size of a frame that leaves the decoder, in bytes."""
        across = self.width if self.chroma == "444" else (self.width + 1) // 2
        down = (self.height + 1) // 2 if self.chroma == "420" else self.height
        return (self.width * self.height + 2 * across * down) * (2 if self.deep else 1)

    @property
    def output(self) -> Pipe:
        """The format of the encoder's input, as a pipe that changes nothing."""
        return replace(self, width=self.times * self.width, height=self.times * self.height, times=1, doubles=False)

    def as_output(self) -> tuple[str, ...]:
        """Return FFmpeg's arguments for the output of the decoder."""
        return ("-f", "rawvideo", "-pix_fmt", self.pixel_format, "pipe:1")

    def as_input(self) -> tuple[str, ...]:
        """Return FFmpeg's arguments for the first input of the encoder."""
        size = f"{self.times * self.width}x{self.times * self.height}"
        return (
            "-f", "rawvideo", "-pix_fmt", self.pixel_format, "-video_size", size, "-framerate", self.fps, "-i", "pipe:0"
        )  # fmt: skip


def enlarging(pipe: Pipe, enlarger: Enlarger) -> FrameFunction:
    """Return a function that doubles one frame of a pipe with the network."""
    if pipe.transfer:
        return functools.partial(
            enlarge_hdr, width=pipe.width, height=pipe.height, enlarger=enlarger, transfer=pipe.transfer
        )
    return functools.partial(enlarge, width=pipe.width, height=pipe.height, enlarger=enlarger, deep=pipe.deep)


def pass_through(
    decode: Words,
    encode: Words,
    pipe: Pipe,
    *,
    each: FrameFunction | None = None,
    total: float | None = None,
    on_progress: Callable[[float], None] | None = None,
    cancel: threading.Event | None = None,
    before: Words = (),
    threads: int | None = None,
) -> int:
    """Run FFmpeg, `each` on every frame, and FFmpeg again, all at once; return the number of frames.

    `decode` are the first FFmpeg's arguments up to its output. `encode` are the second's after its first
    input, which is the frames; further inputs may follow, such as the source for its audio. `on_progress`
    gets the share done when `total`, in frames, is known. When `cancel` is set, both are killed and
    `Cancelled` is raised. A failure may leave half a file, so let `encode` write to a temporary folder.
    `before` is placed before both programs' arguments. `threads` bounds the cores of the program that doubles
    frames. Raises `EngineError` with the log's last lines.
    """
    words = [str(find_ffmpeg()), "-hide_banner", "-nostdin", "-y", "-v", "error", *map(str, before)]
    with (
        _started([*words, *map(str, decode), *pipe.as_output()], stdout=subprocess.PIPE) as decoder,
        _doubled(decoder, pipe, threads or cores()) as source,
        _started([*words, *pipe.as_input(), *map(str, encode)], stdin=subprocess.PIPE, beside=decoder.process) as sink,
        _killed_on(cancel, decoder, source, sink),
    ):
        count, out, into = 0, source.process.stdout, sink.process.stdin
        assert out is not None and into is not None  # noqa: S101 - for the type checker: they were asked for
        _enlarge_buffers(out, into)
        for picture in read_frames(out, pipe.frame_bytes):
            try:
                into.write(each(picture) if each else picture)
            except BrokenPipeError:
                break  # its log says why; `end` below raises it
            count += 1
            if on_progress and total:
                on_progress(min(1.0, count / total))
        else:
            source.end(out)  # before the sink's input closes: half a source must not look complete
            decoder.end()
        sink.end(into)
        if count == 0:
            raise EngineError("The source has no frame.", command=decoder.command)
    return count


def read_frames(stream: IO[bytes], size: int) -> Iterator[bytes]:
    """Yield the frames of `size` bytes from a pipe. Raises `EngineError` for an incomplete frame."""
    while picture := stream.read(size):
        if len(picture) != size:
            raise EngineError(f"The stream ended inside a frame: {len(picture)} of {size} bytes.")
        yield picture


def _enlarge_buffers(*pipes: IO[bytes]) -> None:
    """Enlarge the pipes' buffers where the system can; it works without, too."""
    if sys.platform == "linux":
        for pipe in pipes:
            with contextlib.suppress(OSError):  # the number of large buffers per user is limited
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


@dataclass(frozen=True, slots=True)
class _Program:
    """A running program. Its log goes to a file, so that it never blocks on the log."""

    process: subprocess.Popen[bytes]
    command: str
    log: IO[bytes]
    name: str = "FFmpeg"

    def end(self, pipe: IO[bytes] | None = None) -> None:
        """Close its pipe, if there is one, and wait for its end. Raises `EngineError` unless it exits with 0."""
        with contextlib.suppress(BrokenPipeError):  # it ended first, and its exit code says why
            if pipe is not None:
                pipe.close()
        code = wait_for_end(self.process, FINISH_S)
        self.log.seek(0)
        text = self.log.read().decode("utf-8", "replace").strip()
        refuse_larger_frames(text)
        if code != 0:
            lines = text.splitlines()[-_LOG_LINES:]
            raise EngineError(f"{self.name} ended with {code}.", command=self.command, log="\n".join(lines))


@contextmanager
def _started(
    command: Sequence[str], *, beside: subprocess.Popen[bytes] | None = None, name: str = "FFmpeg", **pipes: Any
) -> Iterator[_Program]:
    with tempfile.TemporaryFile() as log, program(command, group_of=beside, stderr=log, **pipes) as process:
        yield _Program(process, readable(command), log, name)


@contextmanager
def _doubled(decoder: _Program, pipe: Pipe, threads: int) -> Iterator[_Program]:
    """Yield the program whose output is read: the decoder itself, or the one that doubles its frames."""
    if not pipe.doubles:
        yield decoder
        return
    out = decoder.process.stdout
    assert out is not None  # noqa: S101 - for the type checker: it was asked for
    _enlarge_buffers(out)
    command = doubling_program(pipe.width, pipe.height, chroma=pipe.chroma, deep=pipe.deep, threads=threads)
    name = "The program that doubles frames"
    with _started(command, beside=decoder.process, name=name, stdin=out, stdout=subprocess.PIPE) as doubler:
        out.close()  # only the doubler reads it: when that ends early, the decoder must notice
        yield doubler


@contextmanager
def _killed_on(cancel: threading.Event | None, *programs: _Program) -> Iterator[None]:
    """Kill the programs as soon as `cancel` is set, and raise `Cancelled` instead of the errors that follow."""
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
        watcher.join(1.0)
    if cancel is not None and cancel.is_set():
        raise Cancelled("The run was cancelled.", code="Cancelled", command=programs[0].command) from broken
