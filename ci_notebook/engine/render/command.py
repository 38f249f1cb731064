"""From an operation to FFmpeg's command line. Pure: paths, facts and values in, arguments out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ci_notebook.engine.render import hdr
from ci_notebook.engine.render.analysis import Analysis
from ci_notebook.engine.render.digital_watermark.pattern import blend_filter
from ci_notebook.engine.render.graph import (
    AFTER_MARKS,
    BEFORE_NETWORK,
    STAGES,
    by_network,
    depth,
    flattens,
    is_hdr,
    pixel_format,
    stages,
)
from ci_notebook.engine.render.interval import cut_out, sought
from ci_notebook.engine.render.output.encoders import (
    AUDIO_ENCODERS,
    VIDEO_ENCODERS,
    audio_arguments,
    audio_codec,
    container_arguments,
    container_of,
    extension,
    transcode_of,
    video_arguments,
    video_codec,
)
from ci_notebook.engine.render.output.output_size import plan, rate_text, rates
from ci_notebook.engine.render.output.sound import Mixed, mapped
from ci_notebook.engine.render.super_resolution import network
from ci_notebook.engine.render.super_resolution.frame_pipe import Pipe
from ci_notebook.engine.render.watermark.watermark_overlay import Overlay
from ci_notebook.media import color_tags
from ci_notebook.media.ffmpeg import DEMUXERS, Capabilities
from ci_notebook.media.probe import MAIN_VIDEO, first_video
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.errors import EngineError
from ci_notebook.model.setting.enhance import VideoEnhance

__all__ = ["Paths", "command", "extension", "refuse_missing"]


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the command reads and writes. `marks` are pictures to be laid on, `hidden` is a hidden text's pattern.

    `mixed` are sounds to be mixed in, `room` is the filter that makes room around the pictures.
    """

    source: Path
    output: Path
    marks: tuple[Overlay, ...] = ()
    hidden: Path | None = None
    mixed: tuple[Mixed, ...] = ()
    room: str = ""


def command(
    setting: VideoEnhance, source: MediaInfo, paths: Paths, analysis: Analysis, *, threads: int | None = None
) -> tuple[str, ...]:
    """Return FFmpeg's arguments, those after the program's name, for one setting.

    Where dear stages lead, the pictures come through a pipe that is the first input, not among the
    arguments, and `decoding` says what goes into it. Raises `EngineError` naming the leaf where
    setting and source do not go together.
    """
    at = 1 if leads(setting, source) else 0  # the source's number among the inputs
    arguments = _input(setting, source, paths.source)
    stills = [*(mark.path for mark in paths.marks), *((paths.hidden,) if paths.hidden else ())]
    for path in stills:
        arguments += ["-i", str(path)]
    for one in paths.mixed:
        arguments += one.as_input()
    if video_codec(setting) is not None:
        graph = _graph(setting, source, paths, analysis)
        arguments += ["-filter_complex", graph, "-map", "[out]"]
    tracks, graph = mapped(setting, source, paths.mixed, at=at, first=at + 1 + len(stills))
    arguments += [*(("-filter_complex", graph) if graph else ()), *tracks]
    if at:
        arguments += ["-map_metadata", str(at), "-map_chapters", str(at)]
    arguments += [
        *video_arguments(setting, source, threads),
        *audio_arguments(setting, source),
        *container_arguments(setting),
    ]
    return (*arguments, str(paths.output))


def uses_network(setting: VideoEnhance, source: MediaInfo) -> bool:
    """Say whether the pictures go through the network between two FFmpegs."""
    return video_codec(setting) is not None and by_network(setting, source)


def leads(setting: VideoEnhance, source: MediaInfo) -> bool:
    """Say whether motion is searched or the network works: dear stages, which stand before all others.

    They have an FFmpeg of their own, so that what they make can be kept. Not so the motion of HDR
    alone: its light levels would not come through the pipe.
    """
    if video_codec(setting) is None:
        return False
    here, doubled, _ = rates(setting, source)
    return by_network(setting, source) or (doubled != here and not is_hdr(source))


def decoding(setting: VideoEnhance, source: MediaInfo, path: Path, analysis: Analysis) -> tuple[tuple[str, ...], Pipe]:
    """Return the arguments of the FFmpeg that leads, up to its output, and what comes out of it.

    The network takes 4:2:0; without it the colours keep their size.
    """
    made = stages(setting, source, analysis)
    here, doubled, out = rates(setting, source)
    rate = rate_text(out if made["slower"] else doubled if made["motion"] else here)
    size = plan(setting, source).cut
    network = by_network(setting, source)
    full = re.match("yuv(4[24][24])p", first_video(source).pix_format or "")
    pipe = Pipe(
        size.width, size.height, rate, deep=bool(depth(source)), times=2 if network else 1,
        chroma=full[1] if full and not network and not flattens(setting, source) else "420",
    )  # fmt: skip
    filters = [*cut_out(setting, source), *(one for stage in BEFORE_NETWORK for one in made[stage])]
    # Bare pictures have no times: the first is shown at 0, as the sound is.
    filters += [f"fps={rate}:start_time=0", f"format={pipe.pixel_format}"]
    graph = f"[{_stream(setting, source)}]{','.join(filters)}[out]"
    return (*_input(setting, source, path), "-filter_complex", graph, "-map", "[out]"), pipe


def share(threads: int | None) -> tuple[str, ...]:
    """Return FFmpeg's arguments, to stand before all others, for decoding and filtering on so many cores."""
    return () if threads is None else ("-filter_complex_threads", str(threads), "-threads", str(threads))


def refuse_missing(setting: VideoEnhance, source: MediaInfo, can: Capabilities) -> None:
    """Raise `EngineError` naming the leaf whose encoder, filter or network this machine lacks."""
    for leaf, codec, encoders in (
        ("Video.Codec", video_codec(setting), VIDEO_ENCODERS),
        ("Audio.Codec", audio_codec(setting, source), AUDIO_ENCODERS),
    ):
        if codec is not None and encoders[codec] not in can.encoders:
            raise EngineError(
                f"VideoEnhance.Transcode.{leaf} {codec}: the FFmpeg here ({can.version}) has no {encoders[codec]}. "
                "Choose another codec, or use the FFmpeg of imageio-ffmpeg.",
                code="InvalidArgument",
            )
    if uses_network(setting, source):
        network.require()
    if setting.sdr_to_hdr is not None and "zscale" not in can.filters:
        raise EngineError(
            f"VideoEnhance.SDRtoHDR: the FFmpeg here ({can.version}) has no zscale.", code="InvalidArgument"
        )


def _graph(setting: VideoEnhance, source: MediaInfo, paths: Paths, analysis: Analysis) -> str:
    made = stages(setting, source, analysis)
    led = leads(setting, source)
    done = BEFORE_NETWORK if led else ()
    first = [one for stage in STAGES if stage not in (*done, *AFTER_MARKS) for one in made[stage]]
    if led:
        first[:0] = [_said_again(setting, source, analysis), "setsar=1"]
    else:
        first[:0] = cut_out(setting, source)
    if paths.room:
        first.append(paths.room)
    last = [one for stage in STAGES if stage in AFTER_MARKS for one in made[stage]]
    matrix = color_tags.scale_matrix(analysis.matrix)
    video = transcode_of(setting).video
    if video is not None and (video.pixfmt or "").startswith("yuvj"):
        last.append(f"scale=in_range=tv:out_range=pc:in_color_matrix={matrix}:out_color_matrix={matrix}")
    last.append(f"format={pixel_format(setting, source)}")
    stream = "0:v" if led else _stream(setting, source)
    marks, end = paths.marks, "shown" if paths.hidden else "out"
    lines = [f"[{stream}]{','.join(first or ['null'])}[v0]"]
    for number, mark in enumerate(marks, 1):
        lines += mark.lines(
            f"v{number - 1}", f"{number + led}:v", f"v{number}", matrix=matrix, deep=bool(depth(source))
        )
    lines.append(f"[v{len(marks)}]{','.join(last)}[{end}]")
    if paths.hidden:
        full = bool(video and (video.pixfmt or "").startswith("yuvj"))
        space = color_tags.HDR_MATRIX if setting.sdr_to_hdr is not None else color_tags.filter_matrix(analysis.matrix)
        # What is coded otherwise, or does not say, would be converted, and every picture be a level darker.
        said = f"setparams=range={'pc' if full else 'tv'}:colorspace={space}"
        lines.append(f"[{len(marks) + 1 + led}:v]{said}[pattern]")
        lines.append(blend_filter(end, "pattern", "out", pixel_format=pixel_format(setting, source)))
    return ";".join(lines)


def _stream(setting: VideoEnhance, source: MediaInfo) -> str:
    config = transcode_of(setting).trans_config
    if config is None or config.transcode_index is None:
        return f"0:{MAIN_VIDEO}"
    taken = [one.index for one in (source.stream.video if source.stream else ()) if one.index is not None]
    if config.transcode_index not in taken:
        raise EngineError(
            "VideoEnhance.Transcode.TransConfig.TranscodeIndex takes the number of one of the source's streams of "
            f"pictures, {', '.join(map(str, taken))}; got {config.transcode_index}. Leave it out to take the first.",
            code="InvalidArgument",
        )
    return f"0:{config.transcode_index}"


def _input(setting: VideoEnhance, source: MediaInfo, path: Path) -> list[str]:
    return [*sought(setting, source), "-format_whitelist", ",".join(DEMUXERS), "-i", str(path)]


def _said_again(setting: VideoEnhance, source: MediaInfo, analysis: Analysis) -> str:
    """Return the filter that says of bare pictures how their light and colour are coded."""
    video = first_video(source)
    light = (
        (color_tags.SDR, color_tags.SDR) if flattens(setting, source) else (video.color_primaries, video.color_transfer)
    )
    said = {
        "range": "tv",
        "colorspace": color_tags.filter_matrix(analysis.matrix),
        "color_primaries": light[0],
        "color_trc": light[1],
    }
    return "setparams=" + ":".join(f"{name}={value}" for name, value in said.items() if value not in (None, "unknown"))


def refuse_nothing_to_show(setting: VideoEnhance, *, hides: bool = False) -> None:
    """Raise `EngineError` when the setting drops the pictures it is to enhance, or asks what its codec cannot hold."""
    codec, kind = video_codec(setting), container_of(setting)
    staged = [
        part for part in ("super_resolution", "sdr_to_hdr", "color_enhance", "ms_sharpen", "frame_enhance")
        if getattr(setting, part) is not None
    ]  # fmt: skip
    if codec is None and (staged or hides):
        raise EngineError(
            "VideoEnhance.Transcode.Video is absent or removed, so the pictures would be dropped: nothing is left "
            "to enhance or mark. Add Video to Transcode (Codec is enough), and choose a container for pictures, "
            f"not {kind}.",
            code="InvalidArgument",
        )
    if codec is not None:
        hdr.refuse_eight_bits(setting, codec)
