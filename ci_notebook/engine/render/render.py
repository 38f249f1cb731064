"""The renderer: from an operation and a source file to output files."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ci_notebook._folders import private_folder
from ci_notebook.engine.render.analysis import Analysis
from ci_notebook.engine.render.cache_lookup import CacheLookup, cached_analysis, cached_output
from ci_notebook.engine.render.changes import changes
from ci_notebook.engine.render.command import (
    Paths,
    command,
    decoding,
    has_leading_stages,
    refuse_missing,
    refuse_nothing_to_show,
    thread_arguments,
)
from ci_notebook.engine.render.digital_watermark.embedding import (
    DigitalWatermarkResult,
    read_back,
    strengths,
    unreadable_error,
    write_pattern,
)
from ci_notebook.engine.render.hdr import converts_to_sdr
from ci_notebook.engine.render.hdr_source.made_light import with_made_light
from ci_notebook.engine.render.interval import job_stretch
from ci_notebook.engine.render.output.audio import audio_inputs
from ci_notebook.engine.render.output.encoders import container_of, extension, refuse_size, video_codec
from ci_notebook.engine.render.output.segments import LONG_NAMES, cut_segments, segment_s
from ci_notebook.engine.render.output.truncation import refuse_cut_short
from ci_notebook.engine.render.refusal import RequestRefused
from ci_notebook.engine.render.stage_cache import LeadingStages, run_with_leading_stages
from ci_notebook.engine.render.supported import refuse_unacted
from ci_notebook.engine.render.watermark.background_image import WatermarkLayout, layout_watermarks
from ci_notebook.media import color_tags
from ci_notebook.media.ffmpeg import capabilities, run
from ci_notebook.media.probe import first_video, media_info
from ci_notebook.media.streams.damage import explains_damage
from ci_notebook.media.streams.frame_times import timeline_of
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.errors import EngineError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.shape import Size, length_s, plan, rates
from ci_notebook.model.setting.watermark import DigitalWatermark

Fetch = Callable[[str], Path]
_LONGEST_WORD = 60_000  # characters; Linux allows 131,071


@dataclass(frozen=True, slots=True)
class Rendered:
    """The output files, the first being the one to open, and the facts of that one.

    `digital_watermark` says how well the digital watermark can be read, None where none was requested.
    `changes` are sentences about what was changed or left out that the setting does not say.
    """

    files: tuple[Path, ...]
    media_info: MediaInfo
    analysis: Analysis
    digital_watermark: DigitalWatermarkResult | None = None
    changes: tuple[str, ...] = ()


def render(
    operation: Operation,
    source_path: Path,
    out_dir: Path,
    *,
    on_progress: Callable[[float], None] | None = None,
    cancel: threading.Event | None = None,
    fetch: Fetch | None = None,
    stem: str = "output",
    lookup: CacheLookup | None = None,
    threads: int | None = None,
) -> Rendered:
    """Apply an operation to the video at `source_path`; return the files made in `out_dir`.

    Templates must be expanded before. `on_progress` gets the share done, 0.0 to 1.0. When `cancel` is set,
    the work stops within a second and `media.ffmpeg.Cancelled` is raised. `fetch` returns the file of a
    watermark image's Url or of an AudioSource. `lookup` is the cache, `threads` this job's share of the
    cores; neither changes a byte of the output. Work is done in a temporary folder: `out_dir` holds
    complete files or none. Raises `RequestRefused` and `EngineError`, whose `code` and message become the
    job's Code and Message.
    """
    refuse_unacted(operation)
    setting = operation.setting or VideoEnhance()
    refuse_nothing_to_show(setting, hides=operation.digital_watermark is not None)
    source = media_info(source_path)
    if video_codec(setting) is not None:
        first_video(source, Path(source_path).name)
    refuse_missing(setting, source, capabilities())
    private_folder(out_dir)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=out_dir) as temporary:
        folder = Path(temporary)
        has_video = video_codec(setting) is not None
        analysis = cached_analysis(source_path, setting, lookup, folder) if has_video else Analysis()
        if source.stream and source.stream.video:
            analysis = dataclasses.replace(analysis, timeline=timeline_of(source_path))
        if has_video and converts_to_sdr(setting, source):
            analysis = dataclasses.replace(analysis, matrix=color_tags.SDR)  # all later stages see SDR
        if has_video:
            _refuse_empty_interval(setting, source, analysis)
        fetch = fetch or _no_fetch
        layout = (
            layout_watermarks(operation.watermark, plan(setting, source).out, folder, fetch)
            if has_video
            else WatermarkLayout((), Size(0, 0))
        )
        if has_video:
            refuse_size(setting, layout.size)
        output, mixed = folder / f"{stem}.{extension(setting)}", audio_inputs(setting, fetch)
        paths = Paths(Path(source_path), output, layout.overlays, audio_inputs=mixed, padding=layout.padding)
        work = _RenderWork(setting, source, analysis, on_progress, cancel, lookup, threads)
        with cached_output(operation, lookup, fetch, cancel) as entry:
            is_cached, result = entry.load(output) if entry else (False, None)
            if not is_cached:
                if has_video:
                    lit = with_made_light(setting, source, analysis, paths.source, folder=folder, cancel=cancel)
                    work = dataclasses.replace(work, analysis=lit)
                result = _render_with_watermark(work, paths, operation.digital_watermark, layout.size)
            info = _check_output(output, setting, source)
            if not is_cached:
                refuse_cut_short(info, setting, source, paths.source, cancel)
                if entry:
                    entry.save(output, result)
        info = _decimal_rates(info)
        files = (paths.output,) if segment_s(setting) is None else cut_segments(setting, paths.output, stem, cancel)
        info = _segmented_info(info, setting, files)
        said = changes(setting, source, analysis) if has_video else ()
        return Rendered(_move_files(files, out_dir), info, analysis, result, said)


@dataclass(frozen=True, slots=True)
class _RenderWork:
    """One rendering: the setting, the source, callbacks and limits."""

    setting: VideoEnhance
    source: MediaInfo
    analysis: Analysis
    on_progress: Callable[[float], None] | None
    cancel: threading.Event | None
    lookup: CacheLookup | None
    threads: int | None

    def run(self, paths: Paths) -> None:
        """Render the output file."""
        arguments = command(self.setting, self.source, paths, self.analysis, threads=self.threads)
        arguments = with_graph_files(arguments, paths.output.parent)
        with explains_damage(*(one.path for one in paths.audio_inputs), cancel=self.cancel):
            self._run(arguments, paths)

    def _run(self, arguments: tuple[str, ...], paths: Paths) -> None:
        length = length_s(self.setting, self.source)
        if not has_leading_stages(self.setting, self.source):
            run(
                [*thread_arguments(self.threads), *arguments],
                total_s=length,
                on_progress=self.on_progress,
                cancel=self.cancel,
            )
            return
        decode, pipe = decoding(self.setting, self.source, paths.source, self.analysis)
        stages = LeadingStages(
            decode=with_graph_files(decode, paths.output.parent), source=paths.source, pipe=pipe,
            folder=paths.output.parent, threads=self.threads, length_s=length,
        )  # fmt: skip
        run_with_leading_stages(stages, arguments, lookup=self.lookup, on_progress=self.on_progress, cancel=self.cancel)


def with_graph_files(arguments: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """Return FFmpeg's arguments with filter graphs that are too long for a command line in files of `folder`."""
    words: list[str] = []
    for word in arguments:
        if len(word) > _LONGEST_WORD and words[-1] == "-filter_complex":
            path = folder / f"graph-{hashlib.sha256(word.encode()).hexdigest()[:16]}.txt"
            path.write_text(word, encoding="utf-8")
            words[-1], word = "-/filter_complex", str(path)  # noqa: PLW2901
        words.append(word)
    return tuple(words)


def _refuse_empty_interval(setting: VideoEnhance, source: MediaInfo, analysis: Analysis) -> None:
    stretch = job_stretch(setting, source, analysis)
    if stretch is not None and not stretch.times:
        late = analysis.timeline.late_s if analysis.timeline else 0.0
        begin = f" The video begins at {late:.2f} s." if late else ""
        raise RequestRefused(
            "VideoEnhance.Transcode.TimeInterval contains no frame of the source."
            + begin
            + " Choose a longer Duration or another Start."
        )


def _render_with_watermark(
    work: _RenderWork, paths: Paths, watermark: DigitalWatermark | None, size: Size
) -> DigitalWatermarkResult | None:
    """Render the output with its digital watermark, more strongly a second time if needed; return how well it reads."""
    if watermark is None:
        work.run(paths)
        return None
    result = None
    for strength in strengths(watermark, work.setting, work.source, size, paths.source, cancel=work.cancel):
        path = paths.output.parent / "hidden.y4m"
        still = write_pattern(watermark, work.setting, work.source, size, path, strength=strength)
        work.run(dataclasses.replace(paths, pattern=still))
        result = read_back(paths.output, watermark, strength, work.cancel)
        if result.margin_db is not None:
            return result
    if not watermark.ignore_error:
        raise unreadable_error(watermark, size)
    return result


def _move_files(files: tuple[Path, ...], folder: Path) -> tuple[Path, ...]:
    """Move finished files into a folder; the playlist, which names the others, comes last."""
    for file in reversed(files):
        file.replace(folder / file.name)
    return tuple(folder / file.name for file in files)


def _segmented_info(info: MediaInfo, setting: VideoEnhance, files: tuple[Path, ...]) -> MediaInfo:
    """Return the facts of a file that was cut into segments."""
    if len(files) == 1 or info.format is None:
        return info
    kind = container_of(setting)
    size = sum(file.stat().st_size for file in files)
    return dataclasses.replace(
        info, format=dataclasses.replace(info.format, format_name=kind, format_long_name=LONG_NAMES[kind], size=size)
    )


def _check_output(path: Path, setting: VideoEnhance, source: MediaInfo) -> MediaInfo:
    """Return the facts of a new output. FFmpeg may exit with 0 and still leave an unreadable file, or no frame."""
    info, wrong = None, None
    try:
        info = media_info(path)
    except EngineError as problem:
        wrong = problem
    length, rate = length_s(setting, source), rates(setting, source)[2]
    is_empty = info is not None and not (info.stream and info.stream.video)
    if video_codec(setting) is not None and (is_empty or (info is None and (length or 1.0) * rate < 1)):
        raise RequestRefused(
            f"The output has no frame: {length or 0:g} s at VideoEnhance.Transcode.Video.Fps {rate:g} contain none. "
            "Raise Fps, or lengthen VideoEnhance.Transcode.TimeInterval."
        )
    if info is None:
        raise EngineError(f"The output cannot be read: {wrong.message if wrong else ''}") from wrong
    return info


def _decimal_rates(info: MediaInfo) -> MediaInfo:
    """Write AvgFps as job replies do: 25.000000, where videoinfo has 25/1."""
    if info.stream is None:
        return info
    videos = tuple(dataclasses.replace(one, avg_fps=f"{one.fps or 0:.6f}") for one in info.stream.video)
    return dataclasses.replace(info, stream=dataclasses.replace(info.stream, video=videos))


def _no_fetch(url: str) -> Path:
    raise RequestRefused(f"{url} cannot be read: this renderer has no access to objects.", code="ResourceNotFound")
