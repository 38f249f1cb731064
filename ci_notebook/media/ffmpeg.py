"""FFmpeg as a program: found once, asked once what it can do, run without a shell.

The rule of this file: a run has succeeded only when the program ended with 0 *and* said
`progress=end`. FFmpeg told to stop may end with 0 and leave half a file that plays.
"""

from __future__ import annotations

import functools
import re
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_notebook.media.process import environment, kill, program
from ci_notebook.model.errors import EngineError

Progress = Callable[[float], None]

INSTALL = "python -m pip install 'ci-notebook[local]'"

# The kinds of file that are read as a video. Left out on purpose: pictures and text that FFmpeg
# would show as video, and everything that names further files (hls, dash, concat, image2), since
# a source from elsewhere must not make the engine read other files of this machine.
DEMUXERS = (
    "mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "mpegts", "mpeg", "mpegvideo", "flv", "avi", "asf",
    "ogg", "mxf", "dv", "ivf", "h264", "hevc", "av1", "obu", "m4v", "gif", "rm", "nut", "yuv4mpegpipe", "wtv", "vc1",
    "wav", "mp3", "aac", "flac", "amr", "ac3", "aiff", "caf",
)  # fmt: skip


class Cancelled(EngineError):
    """The run was stopped by the one who asked for it."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the program found on this machine can do."""

    program: Path
    version: str
    encoders: frozenset[str]
    filters: frozenset[str]


def find_ffmpeg() -> Path:
    """Return the path of the FFmpeg program. Raises `EngineError` saying how to install one."""
    try:
        import imageio_ffmpeg  # lazy: the thin client installs without it

        return Path(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as problem:
        raise EngineError(f"the embedded engine needs FFmpeg, and none was found. Install it: {INSTALL}") from problem


def capabilities() -> Capabilities:
    """Return what the FFmpeg of this machine can do; asked once a process (about 0.1 s)."""
    return _ask(find_ffmpeg())


@functools.cache
def _ask(program: Path) -> Capabilities:
    version = _answer(program, "-version").split()
    words = r"^ [A-Z.|]{2,6} +([\w-]+) "
    return Capabilities(
        program,
        version[2] if len(version) > 2 else "unknown",
        frozenset(re.findall(words, _answer(program, "-encoders"), re.M)),
        frozenset(re.findall(words, _answer(program, "-filters"), re.M)),
    )


def _answer(program: Path, question: str) -> str:
    try:
        done = subprocess.run([program, "-hide_banner", question], capture_output=True, check=True, timeout=60)  # noqa: S603 - no shell
    except (OSError, subprocess.SubprocessError) as problem:
        raise EngineError(f"the FFmpeg at {program} does not run: {problem}. Install another: {INSTALL}") from problem
    return done.stdout.decode("utf-8", "replace")


def run(
    arguments: Sequence[str | Path],
    *,
    total_s: float | None = None,
    on_progress: Progress | None = None,
    cancel: threading.Event | None = None,
    log_lines: int = 20,
    cwd: Path | None = None,
) -> str:
    """Run FFmpeg to its end and return what it logged.

    `arguments` are those after the program's name. `on_progress` is called with the share done,
    0.0 to 1.0, when `total_s`, the length of the output, is known. When `cancel` is set the
    program is killed, and `Cancelled` is raised. Any other
    end but a good one raises `EngineError` with the command and the last `log_lines` of the log.
    """
    command = [
        str(find_ffmpeg()), "-hide_banner", "-nostdin", "-y", "-v", "warning", "-progress", "pipe:1",
        "-stats_period", "0.25", *map(str, arguments),
    ]  # fmt: skip
    log: deque[str] = deque(maxlen=log_lines)
    ended = threading.Event()
    with program(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        watch = threading.Thread(target=_stop_when_asked, args=(process, cancel, ended), daemon=True)
        drain = threading.Thread(target=_collect, args=(process.stderr, log), daemon=True)
        watch.start()
        drain.start()
        try:
            finished = _follow(process.stdout or (), total_s, on_progress)
            code = process.wait()
        except BaseException:
            kill(process)
            raise
        finally:
            ended.set()
            process.wait()
            watch.join()
            drain.join()
    text = "\n".join(log)
    if cancel is not None and cancel.is_set():
        raise Cancelled("the run was cancelled", code="Cancelled", command=readable(command), log=text)
    if code != 0 or not finished:
        raise EngineError(
            f"FFmpeg ended with {code}{'' if finished else ' before its end'}", command=readable(command), log=text
        )
    return text


def filter_bytes(arguments: Sequence[str | Path], data: bytes, *, timeout_s: float = 60.0) -> bytes:
    """Give `data` to FFmpeg's input `pipe:0` and return what it writes to `pipe:1`."""
    command = [str(find_ffmpeg()), "-hide_banner", "-nostdin", "-v", "error", *map(str, arguments)]
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            command, input=data, capture_output=True, timeout=timeout_s, check=False, env=environment()
        )
    except subprocess.TimeoutExpired as problem:
        raise EngineError(f"FFmpeg did not answer in {timeout_s:g} s", command=readable(command)) from problem
    if done.returncode != 0 or not done.stdout:
        log = done.stderr.decode("utf-8", "replace").strip()
        raise EngineError(f"FFmpeg ended with {done.returncode}", command=readable(command), log=log)
    return done.stdout


def readable(command: Iterable[str]) -> str:
    """Return a command as one line to read; folders are left out, for they tell of this machine alone."""
    return " ".join(Path(word).name if word.startswith(("/", "\\\\")) else word for word in command)


def _stop_when_asked(process: subprocess.Popen[bytes], cancel: threading.Event | None, ended: threading.Event) -> None:
    while cancel is not None and not ended.wait(0.05):
        if cancel.is_set():
            kill(process)  # not asked to end: it would drain its encoder first, for an output that nobody wants
            return


def _collect(pipe: Iterable[bytes] | None, log: deque[str]) -> None:
    for line in pipe or ():
        log.append(line.decode("utf-8", "replace").rstrip())


def _follow(lines: Iterable[bytes], total_s: float | None, on_progress: Progress | None) -> bool:
    """Read the progress blocks to their end; True when the last one says `end`."""
    finished, last, told = False, -1.0, 0.0
    for line in lines:
        key, _, value = line.decode("ascii", "replace").strip().partition("=")
        if key == "out_time_us" and value.lstrip("-").isdigit() and total_s and on_progress:
            share = min(1.0, max(0.0, int(value) / 1e6 / total_s))
            if share > last and time.monotonic() - told > 0.1:  # never backwards, never a flood
                on_progress(share)
                last, told = share, time.monotonic()
        elif key == "progress":
            finished = value == "end"
    return finished
