"""The one way from an operation and a source to output files: look, decide, run, probe."""

from __future__ import annotations

import dataclasses
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ci_notebook.engine.render.analysis import Analysis
from ci_notebook.engine.render.cache_lookup import Memory, former, look
from ci_notebook.engine.render.command import (
    Paths,
    command,
    decoding,
    leads,
    refuse_missing,
    refuse_nothing_to_show,
    share,
)
from ci_notebook.engine.render.digital_watermark.embedding import Hidden, levels, lost, read_back, write_pattern
from ci_notebook.engine.render.graph import flattens
from ci_notebook.engine.render.output.encoders import container_of, extension, video_codec
from ci_notebook.engine.render.output.output_size import Size, length_s, plan, rates
from ci_notebook.engine.render.output.segments import LONG_NAMES, cut, segment_s
from ci_notebook.engine.render.output.sound import ready
from ci_notebook.engine.render.output.truncation import refuse_cut_short
from ci_notebook.engine.render.stage_cache import Lead, run_led
from ci_notebook.engine.render.supported import refuse_unacted
from ci_notebook.engine.render.watermark.background_image import Laid, lay_out
from ci_notebook.media import color_tags
from ci_notebook.media.ffmpeg import capabilities, run
from ci_notebook.media.probe import first_video, media_info
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.errors import EngineError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.watermark import DigitalWatermark

Fetch = Callable[[str], Path]


@dataclass(frozen=True, slots=True)
class Rendered:
    """What was made: the files, the first being the one to open, and the facts of that one.

    `hidden` says how well the output's hidden text reads, None where none was asked for.
    """

    files: tuple[Path, ...]
    media_info: MediaInfo
    analysis: Analysis
    hidden: Hidden | None = None


def render(
    operation: Operation,
    source_path: Path,
    out_dir: Path,
    *,
    on_progress: Callable[[float], None] | None = None,
    cancel: threading.Event | None = None,
    fetch: Fetch | None = None,
    stem: str = "output",
    memory: Memory | None = None,
    threads: int | None = None,
) -> Rendered:
    """Do what an operation asks to the video at `source_path`; return the files made in `out_dir`.

    Templates must have been put into the operation before. `on_progress` gets the share done, 0.0
    to 1.0; when `cancel` is set the work stops within a second and `media.ffmpeg.Cancelled` is
    raised; `fetch` gives the file for an image mark's Url or a sound's AudioSource. `memory` keeps what is
    dear, `threads` is this job's share of the cores; neither changes a byte of the output. Work is
    done aside, in a folder that goes away: `out_dir` holds whole files or none. Raises `EngineError`:
    its `code` and text are what the job's Code and Message should say.
    """
    refuse_unacted(operation)
    setting = operation.video_enhance or VideoEnhance()
    refuse_nothing_to_show(setting, hides=operation.digital_watermark is not None)
    source = media_info(source_path)
    if video_codec(setting) is not None:
        first_video(source, Path(source_path).name)
    refuse_missing(setting, source, capabilities())
    out_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=out_dir) as aside:
        folder = Path(aside)
        shown = video_codec(setting) is not None
        analysis = look(source_path, setting, memory, folder) if shown else Analysis()
        if shown and flattens(setting, source):
            analysis = dataclasses.replace(analysis, matrix=color_tags.SDR)  # all that follows it sees SDR
        fetch = fetch or _no_fetch
        laid = lay_out(operation.watermark, plan(setting, source).out, folder, fetch) if shown else Laid((), Size(0, 0))
        output, mixed = folder / f"{stem}.{extension(setting)}", ready(setting, fetch)
        paths = Paths(Path(source_path), output, laid.overlays, mixed=mixed, room=laid.room)
        work = _Work(setting, source, analysis, on_progress, cancel, memory, threads)
        with former(operation, memory, fetch, cancel) as place:
            is_there, hidden = place.take(output) if place else (False, None)
            if not is_there:
                hidden = _with_hidden(work, paths, operation.digital_watermark, laid.size)
            info = _checked(output, setting, source)
            if not is_there:
                refuse_cut_short(info, setting, source, paths.source, cancel)
                if place:
                    place.keep(output, hidden)
        info = _decimal_rates(info)
        made = (paths.output,) if segment_s(setting) is None else cut(setting, paths.output, stem, cancel)
        info = _as_a_whole(info, setting, made)
        return Rendered(_moved(made, out_dir), info, analysis, hidden)


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be made, and who hears of it."""

    setting: VideoEnhance
    source: MediaInfo
    analysis: Analysis
    on_progress: Callable[[float], None] | None
    cancel: threading.Event | None
    memory: Memory | None
    threads: int | None

    def run(self, paths: Paths) -> None:
        """Make the output file."""
        arguments = command(self.setting, self.source, paths, self.analysis, threads=self.threads)
        length = length_s(self.setting, self.source)
        if not leads(self.setting, self.source):
            run([*share(self.threads), *arguments], total_s=length, on_progress=self.on_progress, cancel=self.cancel)
            return
        decode, pipe = decoding(self.setting, self.source, paths.source, self.analysis)
        lead = Lead(
            decode=decode, source=paths.source, pipe=pipe, folder=paths.output.parent, threads=self.threads,
            length_s=length,
        )  # fmt: skip
        run_led(lead, arguments, memory=self.memory, on_progress=self.on_progress, cancel=self.cancel)


def _with_hidden(work: _Work, paths: Paths, mark: DigitalWatermark | None, size: Size) -> Hidden | None:
    """Make the output with its hidden text, stronger a second time if need be; say how well it reads."""
    if mark is None:
        work.run(paths)
        return None
    hidden = None
    for level in levels(mark, work.setting, work.source, size):
        path = paths.output.parent / "hidden.y4m"
        still = write_pattern(mark, work.setting, work.source, size, path, level=level)
        work.run(dataclasses.replace(paths, hidden=still))
        hidden = read_back(paths.output, mark, level, work.cancel)
        if hidden.margin_db is not None:
            return hidden
    if not mark.ignore_error:
        raise lost(mark)
    return hidden


def _moved(files: tuple[Path, ...], folder: Path) -> tuple[Path, ...]:
    """Move finished files into a folder, the one that names the others last."""
    for file in reversed(files):
        file.replace(folder / file.name)
    return tuple(folder / file.name for file in files)


def _as_a_whole(info: MediaInfo, setting: VideoEnhance, files: tuple[Path, ...]) -> MediaInfo:
    """Return the facts of the file that was cut as those of its segments."""
    if len(files) == 1 or info.format is None:
        return info
    kind = container_of(setting)
    size = sum(file.stat().st_size for file in files)
    return dataclasses.replace(
        info, format=dataclasses.replace(info.format, format_name=kind, format_long_name=LONG_NAMES[kind], size=size)
    )


def _checked(path: Path, setting: VideoEnhance, source: MediaInfo) -> MediaInfo:
    """Return the facts of a file just made. FFmpeg may end well and leave a file that nothing reads, or no picture."""
    made, wrong = None, None
    try:
        made = media_info(path)
    except EngineError as problem:
        wrong = problem
    length, rate = length_s(setting, source), rates(setting, source)[2]
    is_empty = made is not None and not (made.stream and made.stream.video)
    if video_codec(setting) is not None and (is_empty or (made is None and (length or 1.0) * rate < 1)):
        raise EngineError(
            f"no picture came of it: {length or 0:g} s at VideoEnhance.Transcode.Video.Fps {rate:g} hold none. "
            "Raise Fps, or lengthen VideoEnhance.Transcode.TimeInterval.",
            code="InvalidArgument",
        )
    if made is None:
        raise EngineError(f"the output cannot be read back: {wrong.message if wrong else ''}") from wrong
    return made


def _decimal_rates(info: MediaInfo) -> MediaInfo:
    """Write AvgFps as replies about jobs do: 25.000000, where videoinfo says 25/1."""
    if info.stream is None:
        return info
    videos = tuple(dataclasses.replace(one, avg_fps=f"{one.fps or 0:.6f}") for one in info.stream.video)
    return dataclasses.replace(info, stream=dataclasses.replace(info.stream, video=videos))


def _no_fetch(url: str) -> Path:
    raise EngineError(f"{url}: no objects are within reach", code="ResourceNotFound")
