"""The FFmpeg program: found once, its capabilities read once, run without a shell.

A run has succeeded only when the program ended with 0 *and* reported `progress=end`. An interrupted FFmpeg
may end with 0 and leave half a file that plays.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_notebook._folders import absolute
from ci_notebook.media.process import environment, kill, program, wait_for_end
from ci_notebook.model.bounds import check_frame, current_bounds
from ci_notebook.model.errors import EngineError

__all__ = [
    "DEMUXERS", "INSTALL", "Cancelled", "Capabilities", "Progress", "capabilities", "capabilities_of", "file_url",
    "filter_bytes", "find_ffmpeg", "media_input", "own_input", "readable", "refuse_larger_frames", "run",
]  # fmt: skip

Progress = Callable[[float], None]

# FFmpeg reports its progress several times a second. One that is silent for so long is stuck, for example on a disk.
SILENCE_S = 900.0

INSTALL = "python -m pip install 'ci-notebook[local]'"

# The formats that are read as a video. Left out on purpose: pictures and text that FFmpeg would show as video,
# and all formats that name further files (hls, dash, concat, image2). A source from elsewhere must not make
# the engine read other files of this machine.
DEMUXERS = (
    "mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "mpegts", "mpeg", "mpegvideo", "flv", "avi", "asf",
    "ogg", "mxf", "dv", "ivf", "h264", "hevc", "av1", "obu", "m4v", "gif", "rm", "nut", "yuv4mpegpipe", "wtv", "vc1",
    "mjpeg", "wav", "mp3", "aac", "flac", "amr", "ac3", "aiff", "caf",
)  # fmt: skip


def file_url(path: str | Path) -> str:
    """Return the name of a local file for FFmpeg, which can take it for nothing else: no option, protocol or device.

    FFmpeg takes `-y` for an option, `concat:a` for two files, `http:` for an address and `-` for its standard input.

    >>> file_url("/clips/concat:a.mp4")
    'file:/clips/concat:a.mp4'
    """
    return f"file:{absolute(path)}"


def media_input(path: str | Path) -> tuple[str, ...]:
    """Return FFmpeg's arguments that read a clip: a local file of `DEMUXERS`, and no frame larger than the bound."""
    bound = ("-max_pixels", str(current_bounds().pixels))
    return (*bound, "-format_whitelist", ",".join(DEMUXERS), *_local(path))


def own_input(path: str | Path, demuxer: str) -> tuple[str, ...]:
    """Return FFmpeg's arguments that read a file of our own in one format, in a folder of any name.

    FFmpeg takes `%03d` in a path for the numbers of many pictures, unless the format is named.
    """
    return ("-f", demuxer, *_local(path))


def _local(path: str | Path) -> tuple[str, ...]:
    return ("-protocol_whitelist", "file", "-i", file_url(path))


def refuse_larger_frames(log: str, name: str = "The source") -> None:
    """Raise `EngineError` if FFmpeg's log says that a decoder refused frames of `name` for their size."""
    size = re.search(r"Picture size (\d+)x(\d+) exceeds", log)
    if size:
        check_frame(int(size[1]), int(size[2]), name)


class Cancelled(EngineError):
    """The caller cancelled the run."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The encoders and filters of the FFmpeg program on this machine."""

    program: Path
    version: str
    encoders: frozenset[str]
    filters: frozenset[str]


def find_ffmpeg() -> Path:
    """Return the path of the FFmpeg program. Raises `EngineError` saying how to install one."""
    try:
        import imageio_ffmpeg  # lazy: the thin client installs without it

        return _absolute_program(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as problem:
        raise EngineError(f"The embedded engine needs FFmpeg, and none was found. Install it: {INSTALL}") from problem


@functools.cache
def _absolute_program(name: str) -> Path:
    """Return the path of a program; a relative one is found once, because programs run in other folders."""
    found = shutil.which(name)
    return absolute(found) if found else Path(name)


def capabilities() -> Capabilities:
    """Return the capabilities of the FFmpeg program; read once per process (about 0.1 s)."""
    return capabilities_of(find_ffmpeg())


@functools.cache
def capabilities_of(program: Path) -> Capabilities:
    """Return what one FFmpeg program can do. Raises `EngineError` when it does not run."""
    version = _stdout_of(program, "-version").split()
    words = r"^ [A-Z.|]{2,6} +([\w-]+) "
    return Capabilities(
        program,
        version[2] if len(version) > 2 else "unknown",
        frozenset(re.findall(words, _stdout_of(program, "-encoders"), re.M)),
        frozenset(re.findall(words, _stdout_of(program, "-filters"), re.M)),
    )


def _stdout_of(program: Path, option: str) -> str:
    try:
        result = subprocess.run(  # noqa: S603 - no shell
            [program, "-hide_banner", option], capture_output=True, check=True, timeout=60, env=environment()
        )
    except (OSError, subprocess.SubprocessError) as problem:
        raise EngineError(f"The FFmpeg at {program} does not run: {problem}. Install another: {INSTALL}") from problem
    return result.stdout.decode("utf-8", "replace")


def run(
    arguments: Sequence[str | Path],
    *,
    total_s: float | None = None,
    on_progress: Progress | None = None,
    cancel: threading.Event | None = None,
    log_lines: int = 20,
    cwd: Path | None = None,
) -> str:
    """Run FFmpeg to its end and return its log.

    `arguments` are those after the program's name; a `Path` names a file, as in `file_url`. `on_progress` is called
    with the completed share, 0.0 to 1.0, when the length of the output is known as `total_s`. When `cancel` is set,
    the program is killed and `Cancelled` is raised. Any failure raises `EngineError` with the command and the last
    `log_lines` of the log, also if FFmpeg reports no progress for 15 minutes.
    """
    command = [
        str(find_ffmpeg()), "-hide_banner", "-nostdin", "-y", "-v", "warning", "-progress", "pipe:1",
        "-stats_period", "0.25", *(file_url(one) if isinstance(one, Path) else str(one) for one in arguments),
    ]  # fmt: skip
    log: deque[str] = deque(maxlen=log_lines)
    sizes: deque[str] = deque(maxlen=1)
    ended, silence = threading.Event(), Silence()
    with program(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        watch = threading.Thread(target=_kill_on_cancel, args=(process, cancel, ended, silence), daemon=True)
        drain = threading.Thread(target=_collect, args=(process.stderr, log, sizes), daemon=True)
        watch.start()
        drain.start()
        try:
            finished = _follow(silence.broken_by(process.stdout or ()), total_s, on_progress)
            code = wait_for_end(process)
        except BaseException:
            kill(process)
            raise
        finally:
            ended.set()
            wait_for_end(process)
            watch.join(1.0)
            drain.join(10.0)  # a grandchild may hold the pipe
    text = "\n".join(log)
    if cancel is not None and cancel.is_set():
        raise Cancelled("The run was cancelled.", code="Cancelled", command=readable(command), log=text)
    if silence.is_too_long:
        raise EngineError(
            f"FFmpeg reported no progress for {SILENCE_S:g} s, and was ended. Try again.", command=readable(command)
        )
    refuse_larger_frames("".join(sizes))  # FFmpeg leaves such frames out, and exits with 0
    if code != 0 and "No space left on device" in text:
        raise EngineError(
            "The disk is full (No space left on device). Free some space, then try again.",
            code="InsufficientStorage",
            command=readable(command),
        )
    if code != 0 or not finished:
        raise EngineError(
            f"FFmpeg ended with {code}{'' if finished else ' before its work was complete'}",
            command=readable(command),
            log=text,
        )
    return text


def filter_bytes(arguments: Sequence[str], data: bytes, *, timeout_s: float = 60.0) -> bytes:
    """Send `data` to FFmpeg's input `pipe:0` and return the bytes of its output `pipe:1`."""
    command = [str(find_ffmpeg()), "-hide_banner", "-nostdin", "-v", "error", *arguments]
    try:
        result = subprocess.run(  # noqa: S603 - no shell
            command, input=data, capture_output=True, timeout=timeout_s, check=False, env=environment()
        )
    except subprocess.TimeoutExpired as problem:
        raise EngineError(f"FFmpeg did not answer in {timeout_s:g} s", command=readable(command)) from problem
    if result.returncode != 0 or not result.stdout:
        log = result.stderr.decode("utf-8", "replace").strip()
        raise EngineError(f"FFmpeg ended with {result.returncode}", command=readable(command), log=log)
    return result.stdout


def readable(command: Iterable[str]) -> str:
    """Return a command as one readable line, without the folders of this machine."""
    words = (word.removeprefix("file:") for word in command)
    return " ".join(Path(word).name if word.startswith(("/", "\\\\")) else word for word in words)


class Silence:
    """How long a program has reported nothing."""

    def __init__(self) -> None:
        self._last, self.is_too_long = time.monotonic(), False

    def broken_by(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the lines; each ends the silence."""
        for line in lines:
            self._last = time.monotonic()
            yield line

    def check(self) -> bool:
        """Return whether it lasts for longer than `SILENCE_S`."""
        self.is_too_long = time.monotonic() - self._last > SILENCE_S
        return self.is_too_long


def _kill_on_cancel(
    process: subprocess.Popen[bytes], cancel: threading.Event | None, ended: threading.Event, silence: Silence
) -> None:
    while not ended.wait(0.05):
        if (cancel is not None and cancel.is_set()) or silence.check():
            kill(process)  # SIGTERM would make it drain its encoder first, for an output that is thrown away
            return


def _collect(pipe: Iterable[bytes] | None, log: deque[str], sizes: deque[str]) -> None:
    for line in pipe or ():
        log.append(line.decode("utf-8", "replace").rstrip())
        if "exceeds specified max pixel count" in log[-1]:
            sizes.append(log[-1])


def _follow(lines: Iterable[bytes], total_s: float | None, on_progress: Progress | None) -> bool:
    """Read the progress blocks to the end; True when the last one says `end`."""
    finished, share, last, last_call = False, 0.0, -1.0, 0.0
    for line in lines:
        key, _, value = line.decode("ascii", "replace").strip().partition("=")
        if key == "out_time_us" and value.lstrip("-").isdigit() and total_s:
            share = min(1.0, max(0.0, int(value) / 1e6 / total_s))
        elif key == "progress":  # the last line of a block
            finished = value == "end"
            if on_progress and share > last and (finished or time.monotonic() - last_call > 0.1):
                on_progress(share)  # never backwards, at most ten a second, and the last block always
                last, last_call = share, time.monotonic()
    return finished
