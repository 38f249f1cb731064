"""SuperResolution's version Enhance: a small network that doubles a picture's size.

The network enlarges luma; the two chroma planes, in which the eye sees little detail, are enlarged
by Lanczos. `weights/WEIGHTS.md` says what the network is, what it learned from and what it gains.
It runs on onnxruntime, which comes with the extra `enhance`: whoever asks for Enhance without it
gets an error that names it, never silently something else.

A picture here is what FFmpeg calls yuv420p, as bytes: the luma plane, then U, then V, of half the
size (rounded up) each way.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from ci_notebook.media.ffmpeg import Cancelled, find_ffmpeg, readable
from ci_notebook.model.errors import EngineError

INSTALL = "python -m pip install 'ci-notebook[enhance]'"
WEIGHTS = Path(__file__).parent / "weights" / "enhance_x2.onnx"

_REACH = 8  # rows above and below that a new pixel depends on: eight 3x3 convolutions
_STRIP_PIXELS = 500_000  # worked on at once: about 250 MB. A 1080p picture in one piece takes 1 GB
_LOG_LINES = 20

Plane = np.ndarray[Any, np.dtype[np.uint8]]


def available() -> bool:
    """Return whether Enhance can run here: is onnxruntime installed? Loads nothing.

    >>> isinstance(available(), bool)
    True
    """
    return importlib.util.find_spec("onnxruntime") is not None


class Enlarger:
    """The network, loaded: call it with a luma plane to get one of twice the width and height.

    `threads` is how many cores one picture may use; left out, two, or what the machine has. May be
    called from several threads at once. Costs about 55 ms of one core for 640x360, 0.2 s to load.
    Raises `EngineError` naming the remedy when onnxruntime is missing or does not load.
    """

    def __init__(self, *, threads: int | None = None) -> None:
        runtime = _onnxruntime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads or min(2, os.cpu_count() or 1)
        options.inter_op_num_threads = 1
        # Waiting threads would burn the core that FFmpeg needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors; a warning on standard error helps nobody in a notebook
        self._session = runtime.InferenceSession(str(WEIGHTS), options, providers=["CPUExecutionProvider"])

    def __call__(self, luma: Plane) -> Plane:
        """Return `luma`, uint8 of height x width, enlarged to uint8 of 2 height x 2 width."""
        if luma.ndim != 2 or luma.dtype != np.uint8 or luma.size == 0:
            raise ValueError(f"a luma plane is uint8, height x width; got {luma.dtype} of shape {luma.shape}")
        height, width = luma.shape
        rows = max(4 * _REACH, _STRIP_PIXELS // width)
        if height <= rows:
            return self._run(luma)
        out: Plane = np.empty((2 * height, 2 * width), dtype=np.uint8)
        for top in range(0, height, rows):
            bottom = min(height, top + rows)
            above, below = min(top, _REACH), min(height - bottom, _REACH)
            strip = self._run(luma[top - above : bottom + below])
            out[2 * top : 2 * bottom] = strip[2 * above : strip.shape[0] - 2 * below]
        return out

    def _run(self, luma: Plane) -> Plane:
        enlarged: Plane = self._session.run(None, {"luma": np.ascontiguousarray(luma)})[0]
        return enlarged


def enlarge_chroma(plane: Plane, width: int, height: int) -> Plane:
    """Return a chroma plane enlarged by two to `width` x `height`, by Lanczos.

    The samples of 4:2:0 video stand left of the middle of the pixels they serve, before and after.
    Enlarging as if they stood in the middle would move the colours by half a pixel of the output.
    """
    padded = np.pad(plane, ((0, 0), (0, 1)), mode="edge")
    box = (0.125, 0.0, width / 2 + 0.125, height / 2)
    return np.asarray(Image.fromarray(padded).resize((width, height), Image.Resampling.LANCZOS, box=box))


def enlarge_stream(
    pictures: Iterable[bytes], width: int, height: int, *, enlarger: Enlarger | None = None
) -> Iterator[bytes]:
    """Yield each yuv420p picture of `width` x `height`, enlarged to 2 `width` x 2 `height`, in order.

    Works picture by picture and holds no more than one. Raises `EngineError` for a picture of the
    wrong size, and what `Enlarger` raises.
    """
    enlarger = enlarger or Enlarger()
    chroma_width, chroma_height = (width + 1) // 2, (height + 1) // 2
    luma_size, chroma_size = width * height, chroma_width * chroma_height
    for picture in pictures:
        if len(picture) != luma_size + 2 * chroma_size:
            raise EngineError(f"a yuv420p picture of {width}x{height} was expected; got {len(picture)} bytes")
        data = np.frombuffer(picture, dtype=np.uint8)
        planes = [enlarger(data[:luma_size].reshape(height, width))]
        for start in (luma_size, luma_size + chroma_size):
            plane = data[start : start + chroma_size].reshape(chroma_height, chroma_width)
            planes.append(enlarge_chroma(plane, width, height))
        yield b"".join(plane.tobytes() for plane in planes)


def enlarge_through(
    decode: Sequence[str | Path],
    encode: Sequence[str | Path],
    *,
    width: int,
    height: int,
    fps: str,
    total: int | None = None,
    on_progress: Callable[[float], None] | None = None,
    cancel: threading.Event | None = None,
    enlarger: Enlarger | None = None,
) -> int:
    """Run FFmpeg, the network and FFmpeg again, all at once; return how many pictures went through.

    `decode` are the first FFmpeg's arguments up to its output: they must end in pictures of
    `width` x `height` at `fps` (an FFmpeg rate, as `25` or `30000/1001`). `encode` are the second's
    after its first input, which is the enlarged pictures; further inputs, such as the source for
    its sound, may follow. `on_progress` gets the share done when `total`, in pictures, is known.
    When `cancel` is set both are killed and `Cancelled` is raised; like any other failure it may
    leave half a file, so let `encode` write aside. Raises `EngineError` with the log's last lines.
    """
    enlarger = enlarger or Enlarger()
    program = [str(find_ffmpeg()), "-hide_banner", "-nostdin", "-y", "-v", "error"]
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p"]
    size = ["-video_size", f"{2 * width}x{2 * height}", "-framerate", fps]
    with (
        _Program([*program, *map(str, decode), *raw, "pipe:1"], stdout=subprocess.PIPE) as source,
        _Program([*program, *raw, *size, "-i", "pipe:0", *map(str, encode)], stdin=subprocess.PIPE) as sink,
        _killed_on(cancel, source, sink),
    ):
        count = 0
        for picture in enlarge_stream(read_pictures(source.out, width, height), width, height, enlarger=enlarger):
            try:
                sink.into.write(picture)
            except BrokenPipeError:
                break  # why, it says on its way out: `end` below raises it
            count += 1
            if on_progress and total:
                on_progress(min(1.0, count / total))
        else:
            source.end()  # before the sink's input closes: half a source must not look like a whole one
        sink.end()
        if count == 0:
            raise EngineError("the source has no picture to enlarge", command=source.command)
    return count


def read_pictures(stream: IO[bytes], width: int, height: int) -> Iterator[bytes]:
    """Yield the yuv420p pictures of `width` x `height` that a pipe carries. Raises `EngineError` for half a one."""
    size = width * height + 2 * ((width + 1) // 2) * ((height + 1) // 2)
    while picture := stream.read(size):
        if len(picture) != size:
            raise EngineError(f"the pictures ended within one: {len(picture)} of {size} bytes")
        yield picture


class _Program:
    """An FFmpeg with a pipe on one side, dead when the block ends; its log goes to a file, so nothing blocks."""

    def __init__(self, command: list[str], **pipes: int) -> None:
        self.command = readable(command)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **pipes}
        self._process = subprocess.Popen(  # noqa: S603 - no shell
            command,
            stdin=given["stdin"],
            stdout=given["stdout"],
            stderr=self._log,
            env={**os.environ, "SVT_LOG": "0"},  # SVT-AV1 takes no notice of -v
            start_new_session=os.name == "posix",  # Ctrl-C in a notebook is for the notebook
        )

    @property
    def out(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101 - for the type checker: it was asked for
        return self._process.stdout

    @property
    def into(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101 - for the type checker: it was asked for
        return self._process.stdin

    def end(self) -> None:
        """Close its pipe and wait for a good end. Raises `EngineError` for any other."""
        self._close()
        code = self._process.wait()
        if code != 0:
            raise EngineError(f"FFmpeg ended with {code}", command=self.command, log=self._said())

    def kill(self) -> None:
        """End it now, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue  # it ended first, and its exit code says why

    def _said(self) -> str:
        self._log.seek(0)
        return "\n".join(self._log.read().decode("utf-8", "replace").strip().splitlines()[-_LOG_LINES:])

    def __enter__(self) -> _Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._close()
        self._process.wait()
        self._log.close()


@contextmanager
def _killed_on(cancel: threading.Event | None, *programs: _Program) -> Iterator[None]:
    """Kill the programs as soon as `cancel` is set, and call what then breaks `Cancelled`."""
    ended = threading.Event()

    def watch() -> None:
        while cancel is not None and not ended.wait(0.05):
            if cancel.is_set():
                for program in programs:
                    program.kill()
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


def _onnxruntime() -> Any:
    try:
        return importlib.import_module("onnxruntime")  # lazy: it comes with an extra, and takes 0.1 s
    except ImportError as problem:
        reason = "is not installed" if not available() else f"does not load ({problem})"
        raise EngineError(
            f"VideoEnhance.SuperResolution.Version Enhance needs onnxruntime, which {reason}. "
            f"Install it: {INSTALL}. Or use Version Base.",
            code="ResourceNotSupported",
        ) from problem
