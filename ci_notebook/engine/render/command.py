"""From an operation to FFmpeg's command line. Pure: paths, facts and values in, arguments out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ci_notebook.engine.render import hdr
from ci_notebook.engine.render.analysis import Analysis
from ci_notebook.engine.render.digital_watermark.pattern import blend_filter
from ci_notebook.engine.render.graph import (
    AFTER_WATERMARKS,
    BEFORE_NETWORK,
    STAGES,
    depth_suffix,
    doubles_by_flow,
    needs_network,
    pixel_format,
    rate_text,
    stages,
)
from ci_notebook.engine.render.interval import job_stretch, seek_arguments, trim_filters
from ci_notebook.engine.render.output.audio import AudioInput, audio_mapping
from ci_notebook.engine.render.output.encoders import (
    AUDIO_ENCODERS,
    VIDEO_ENCODERS,
    audio_arguments,
    audio_codec,
    container_arguments,
    container_of,
    keeps_chapters,
    keeps_times,
    transcode_of,
    video_arguments,
    video_codec,
)
from ci_notebook.engine.render.refusal import RequestRefused
from ci_notebook.engine.render.super_resolution import network
from ci_notebook.engine.render.super_resolution.frame_pipe import Pipe
from ci_notebook.engine.render.watermark.watermark_overlay import Overlay
from ci_notebook.media import color_tags
from ci_notebook.media.ffmpeg import Capabilities, file_url, media_input, own_input
from ci_notebook.media.probe import first_video, video_specifier
from ci_notebook.media.streams.light import Light
from ci_notebook.media.streams.stretch import KEEP_TIMES
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.errors import EngineError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.shape import plan, rates


@dataclass(frozen=True, slots=True)
class Paths:
    """Paths that the command reads and writes. `overlays` are visible watermarks, `pattern` is a digital watermark's.

    `audio_inputs` are mixed in; `padding` is the filter that makes room around the video for a background image.
    """

    source: Path
    output: Path
    overlays: tuple[Overlay, ...] = ()
    pattern: Path | None = None
    audio_inputs: tuple[AudioInput, ...] = ()
    padding: str = ""


def command(
    setting: VideoEnhance, source: MediaInfo, paths: Paths, analysis: Analysis, *, threads: int | None = None
) -> tuple[str, ...]:
    """Return FFmpeg's arguments, without the program's name, for one setting.

    Where leading stages run, the frames come through a pipe as the first input, and `decoding` returns the
    arguments of the FFmpeg that fills it. Raises `RequestRefused` naming the leaf where setting and source
    do not go together.
    """
    at = 1 if has_leading_stages(setting, source) else 0  # index of the source among the inputs
    arguments = _input(setting, source, paths.source, analysis)
    pictures = [own_input(overlay.path, "png_pipe") for overlay in paths.overlays]
    pictures += [own_input(paths.pattern, "yuv4mpegpipe")] if paths.pattern else []
    for words in pictures:
        arguments += words
    for one in paths.audio_inputs:
        arguments += one.as_input()
    if video_codec(setting) is not None:
        graph = _graph(setting, source, paths, analysis)
        arguments += ["-filter_complex", graph, "-map", "[out]"]
    tracks, graph = audio_mapping(setting, source, analysis, paths.audio_inputs, at=at, first=at + 1 + len(pictures))
    arguments += [*(("-filter_complex", graph) if graph else ()), *tracks]
    if at:
        arguments += ["-map_metadata", str(at)]
    arguments += [
        "-map_chapters",
        str(at) if keeps_chapters(setting) else "-1",
        *video_arguments(setting, source, threads, _light(setting, source, paths, analysis)),
        *_timing_arguments(setting, analysis),
        *audio_arguments(setting, source),
        *container_arguments(setting),
    ]
    return (*arguments, file_url(paths.output))


def uses_network(setting: VideoEnhance, source: MediaInfo) -> bool:
    """Return whether the frames go through the super-resolution network between two FFmpegs."""
    return video_codec(setting) is not None and needs_network(setting, source)


def has_leading_stages(setting: VideoEnhance, source: MediaInfo) -> bool:
    """Return whether expensive stages run first: motion search or the super-resolution network.

    They get their own FFmpeg, so that their frames can be cached.
    """
    if video_codec(setting) is None:
        return False
    here, doubled, _ = rates(setting, source)
    return doubled != here or needs_network(setting, source)


def decoding(setting: VideoEnhance, source: MediaInfo, path: Path, analysis: Analysis) -> tuple[tuple[str, ...], Pipe]:
    """Return the arguments of the first FFmpeg, up to its output, and the format of its output.

    The network takes 4:2:0. Without it the chroma planes keep their size.
    """
    filters_by_stage = stages(setting, source, analysis)
    here, doubled, out = rates(setting, source)
    rate = rate_text(out if filters_by_stage["slower"] else doubled if doubled != here else here)
    size = plan(setting, source).cut
    network, light = needs_network(setting, source), hdr.coding_of(setting, source, analysis)
    full = re.match("yuv(4[24][24])p", first_video(source).pix_format or "")
    pipe = Pipe(
        size.width, size.height, rate, deep=bool(depth_suffix(source)), times=2 if network else 1,
        chroma=full[1] if full and not network and not hdr.converts_to_sdr(setting, source) else "420",
        doubles=doubles_by_flow(setting, source), transfer=light.transfer if light else "",
    )  # fmt: skip
    filters = [
        *trim_filters(setting, source, analysis),
        *(one for stage in BEFORE_NETWORK for one in filters_by_stage[stage]),
    ]
    # Raw frames have no times. Those of a given rate begin at 0, like the audio; others get theirs back later.
    filters += [f"fps={rate}:start_time=0"] if filters_by_stage["slower"] else []
    filters += [f"format={pipe.pixel_format}"]
    graph = f"[{_stream(setting, source)}]{','.join(filters)}[out]"
    words = (*_input(setting, source, path, analysis), "-filter_complex", graph, "-map", "[out]")
    return (*words, "-fps_mode", "passthrough"), pipe


def thread_arguments(threads: int | None) -> tuple[str, ...]:
    """Return FFmpeg's arguments, placed before all others, that limit decoding and filtering to so many cores."""
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
            f"VideoEnhance.SDRtoHDR: the FFmpeg here ({can.version}) has no zscale. Use imageio-ffmpeg's.",
            code="InvalidArgument",
        )


def _graph(setting: VideoEnhance, source: MediaInfo, paths: Paths, analysis: Analysis) -> str:
    filters_by_stage = stages(setting, source, analysis)
    is_led = has_leading_stages(setting, source)
    earlier = BEFORE_NETWORK if is_led else ()
    first = [one for stage in STAGES if stage not in (*earlier, *AFTER_WATERMARKS) for one in filters_by_stage[stage]]
    if is_led:
        first[:0] = [
            *_piped_times(setting, source, analysis),
            _color_tags_filter(setting, source, analysis),
            "setsar=1",
        ]
    else:
        first[:0] = trim_filters(setting, source, analysis)
    if paths.padding:
        first.append(paths.padding)
    last = [one for stage in STAGES if stage in AFTER_WATERMARKS for one in filters_by_stage[stage]]
    matrix = color_tags.scale_matrix(analysis.matrix)
    video = transcode_of(setting).video
    if video is not None and (video.pixfmt or "").startswith("yuvj"):
        last.append(f"scale=in_range=tv:out_range=pc:in_color_matrix={matrix}:out_color_matrix={matrix}")
    last.append(f"format={pixel_format(setting, source)}")
    last += hdr.without_metadata(setting, source, video_codec(setting) or "")
    stream = "0:v" if is_led else _stream(setting, source)
    overlays, end = paths.overlays, "shown" if paths.pattern else "out"
    lines = [f"[{stream}]{','.join(first or ['null'])}[v0]"]
    for number, overlay in enumerate(overlays, 1):
        lines += overlay.lines(
            f"v{number - 1}",
            f"{number + is_led}:v",
            f"v{number}",
            matrix=matrix,
            deep=bool(depth_suffix(source)),
            coding=hdr.picture_filter(setting, source, analysis),
        )
    lines.append(f"[v{len(overlays)}]{','.join(last)}[{end}]")
    if paths.pattern:
        full = bool(video and (video.pixfmt or "").startswith("yuvj"))
        space = color_tags.HDR_MATRIX if setting.sdr_to_hdr is not None else color_tags.filter_matrix(analysis.matrix)
        # Without these tags FFmpeg would convert the pattern, and every frame would be one level darker.
        tags = f"setparams=range={'pc' if full else 'tv'}:colorspace={space}"
        lines.append(f"[{len(overlays) + 1 + is_led}:v]{tags}[pattern]")
        lines.append(blend_filter(end, "pattern", "out", pixel_format=pixel_format(setting, source)))
    return ";".join(lines)


def _light(setting: VideoEnhance, source: MediaInfo, paths: Paths, analysis: Analysis) -> Light | None:
    if video_codec(setting) is None:
        return None
    filters_by_stage = stages(setting, source, analysis)
    is_changed = bool(paths.overlays or paths.padding or filters_by_stage["to_hdr"] or needs_network(setting, source))
    return hdr.output_light(setting, source, analysis, is_changed=is_changed)


def _stream(setting: VideoEnhance, source: MediaInfo) -> str:
    config = transcode_of(setting).trans_config
    if config is None or config.transcode_index is None:
        return video_specifier(source)
    indexes = [one.index for one in (source.stream.video if source.stream else ()) if one.index is not None]
    if config.transcode_index not in indexes:
        raise RequestRefused(
            "VideoEnhance.Transcode.TransConfig.TranscodeIndex must be one of the source's video streams, "
            f"{', '.join(map(str, indexes))} (got {config.transcode_index}). Leave it out to take the first."
        )
    return f"0:{config.transcode_index}"


def _piped_times(setting: VideoEnhance, source: MediaInfo, analysis: Analysis) -> tuple[str, ...]:
    """Return the filters that give frames from the pipe, which come at a constant rate, their times back."""
    stretch = job_stretch(setting, source, analysis)
    if stretch is None or stages(setting, source, analysis)["slower"]:
        return ()
    here, doubled, _ = rates(setting, source)
    return stretch.retimed(doubled=doubled != here)


def _timing_arguments(setting: VideoEnhance, analysis: Analysis) -> list[str]:
    """Return FFmpeg's arguments that keep the times of frames which do not follow each other evenly."""
    return [*KEEP_TIMES] if keeps_times(setting, analysis.timeline) else []


def _input(setting: VideoEnhance, source: MediaInfo, path: Path, analysis: Analysis) -> list[str]:
    return [*seek_arguments(setting, source, analysis), *media_input(path)]


def _color_tags_filter(setting: VideoEnhance, source: MediaInfo, analysis: Analysis) -> str:
    """Return the filter that tags raw frames with the coding of their light and color."""
    video = first_video(source)
    light = (
        (color_tags.SDR,) * 2 if hdr.converts_to_sdr(setting, source) else (video.color_primaries, video.color_transfer)
    )
    matrix = color_tags.filter_matrix(analysis.matrix)
    tags = {"range": "tv", "colorspace": matrix, "color_primaries": light[0], "color_trc": light[1]}
    return "setparams=" + ":".join(f"{name}={value}" for name, value in tags.items() if value not in (None, "unknown"))


def refuse_nothing_to_show(setting: VideoEnhance, *, hides: bool = False) -> None:
    """Raise `RequestRefused` when the setting drops the video that it enhances, or its codec cannot hold it."""
    codec, kind = video_codec(setting), container_of(setting)
    staged = [
        part for part in ("super_resolution", "sdr_to_hdr", "color_enhance", "ms_sharpen", "frame_enhance")
        if getattr(setting, part) is not None
    ]  # fmt: skip
    if codec is None and (staged or hides):
        raise RequestRefused(
            "VideoEnhance.Transcode.Video is absent or removed, so the output has no video: nothing is left "
            "to enhance or mark.  Add Video to Transcode (Codec is enough), and choose a container for video, "
            f"not {kind}."
        )
    if codec is not None:
        hdr.refuse_eight_bits(setting, codec)
