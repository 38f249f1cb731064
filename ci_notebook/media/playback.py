"""Which videos browsers can play, and a proxy for the others: a small 8-bit copy in H.264 or VP9.

Invariant: HDR is shown as SDR by the rule of `color_tags`, which frames, previews and scores use too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ci_notebook.media import color_tags
from ci_notebook.media.ffmpeg import capabilities, media_input, run
from ci_notebook.media.probe import clip_matrix, first_video, media_info, shown_size, video_specifier
from ci_notebook.media.streams.damage import explains_damage
from ci_notebook.model.api.media_info import MediaInfo, VideoStream
from ci_notebook.model.errors import EngineError

__all__ = ["PROXY_SECONDS", "PROXY_SIDE", "Playback", "ProxyFormat", "playback_of", "proxy_note", "write_proxy"]

ProxyFormat = Literal["h264", "vp9"]

PROXY_SIDE: Final = 1920  # px of the longer side, at most
PROXY_SECONDS: Final = 600
_VIDEO: Final = {"h264": "H.264", "hevc": "H.265 (HEVC)", "vp8": "VP8", "vp9": "VP9", "av1": "AV1"}
_MP4_VIDEO: Final = ("h264", "hevc", "vp9", "av1")
_WEBM_VIDEO: Final = ("vp8", "vp9", "av1")
_MP4_SOUND: Final = ("aac", "mp3", "opus", "flac")
_WEBM_SOUND: Final = ("opus", "vorbis")
_EIGHT_BITS: Final = ("yuv420p", "yuvj420p")
_CODECS: Final = {"h264": ("libx264", ".mp4"), "vp9": ("libvpx-vp9", ".webm")}


@dataclass(frozen=True, slots=True)
class Playback:
    """How browsers play a file. `format` is one of h264, hevc, vp8, vp9, av1; `obstacle` says why none plays it."""

    format: str
    mime: str
    obstacle: str = ""


def playback_of(path: Path) -> Playback:
    """Return how browsers play a file. Raises `EngineError` for a file that is no video."""
    info = media_info(path)
    video = first_video(info)
    names = set((info.format.format_name or "").split(",")) if info.format else set()
    is_webm = "webm" in names and path.suffix.lower() == ".webm"
    is_mp4 = "mp4" in names
    codec = video.codec_name or ""
    mime = "video/webm" if is_webm else "video/mp4"
    return Playback(codec, mime, _obstacle(info, video, is_mp4=is_mp4, is_webm=is_webm, suffix=path.suffix))


def proxy_note(format: str) -> str:
    """Return the label of a proxy."""
    return f"Proxy: 8-bit {_VIDEO.get(format, format)} copy for playing; Download gives the original."


def write_proxy(
    path: Path, target: Path, format: ProxyFormat, *, cancel: threading.Event | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> None:  # fmt: skip
    """Write a copy of a file that browsers play: 8 bits, at most `PROXY_SIDE` px and `PROXY_SECONDS` seconds.

    HDR becomes SDR, pixels become square. Raises `EngineError`, and its subclass `Cancelled`.
    """
    with explains_damage(path, cancel=cancel):
        _write_proxy(path, target, format, cancel, on_progress)


def _write_proxy(
    path: Path, target: Path, format: ProxyFormat, cancel: threading.Event | None,
    on_progress: Callable[[float], None] | None,
) -> None:  # fmt: skip
    encoder, ending = _CODECS[format]
    if encoder not in capabilities().encoders:
        raise EngineError(f"The FFmpeg of this machine has no {encoder}, which a copy for playing needs.")
    info = media_info(path)
    seconds = min(PROXY_SECONDS, (info.format.duration if info.format else None) or PROXY_SECONDS)
    coding = (
        ("-c:v", encoder, "-preset", "veryfast", "-crf", "18", "-movflags", "+faststart")
        if format == "h264"
        else ("-c:v", encoder, "-deadline", "realtime", "-cpu-used", "6", "-row-mt", "1", "-crf", "30", "-b:v", "0")
    )
    sound = ("-c:a", "aac", "-b:a", "160k") if format == "h264" else ("-c:a", "libopus", "-b:a", "128k")
    kind = ("-f", "mp4") if ending == ".mp4" else ("-f", "webm")
    run(
        [
            *media_input(path), "-map", video_specifier(info), "-map", "0:a:0?", "-t", f"{seconds:g}",
            "-vf", _filters(path, info), *coding, *sound, "-ac", "2", "-sn", "-dn", "-map_chapters", "-1",
            *kind, target,
        ],
        total_s=seconds, on_progress=on_progress, cancel=cancel,
    )  # fmt: skip


def _obstacle(info: MediaInfo, video: VideoStream, *, is_mp4: bool, is_webm: bool, suffix: str) -> str:
    """Return why browsers cannot play a file as it is, in a sentence; empty if most can."""
    codec = video.codec_name or ""
    sounds = [one.codec_name or "" for one in (info.stream.audio if info.stream else ())]
    hdr = color_tags.HDR_TRANSFERS.get(video.color_transfer or "")
    if hdr:
        return f"{hdr} is shown as SDR here."
    if not is_mp4 and not is_webm:
        return f"Browsers do not play {suffix.lstrip('.').upper() or 'this kind of'} files."
    if codec not in (_MP4_VIDEO if is_mp4 else _WEBM_VIDEO):
        return f"Browsers do not play the codec {_VIDEO.get(codec, codec)} in {suffix.lstrip('.').upper()} files."
    if video.pix_format not in _EIGHT_BITS:
        return f"Not every browser plays the pixel format {video.pix_format}."
    if sounds and sounds[0] not in (_MP4_SOUND if is_mp4 else _WEBM_SOUND):
        return f"Browsers do not play the sound {sounds[0]}."
    return ""


def _filters(path: Path, info: MediaInfo) -> str:
    """Return FFmpeg's filters from the decoded frames, which FFmpeg has turned upright, to those of a proxy."""
    matrix, transfer = clip_matrix(path), first_video(info).color_transfer or ""
    shown = shown_size(info)
    shrink = min(1.0, PROXY_SIDE / max(shown.width, shown.height))
    size = ":".join(str(max(2, round(side * shrink / 2) * 2)) for side in (shown.width, shown.height))
    retag = color_tags.retagged(matrix)
    if color_tags.is_hdr(transfer):
        convert = [color_tags.hdr_to_sdr(color_tags.HdrCoding.of(transfer, matrix, first_video(info).color_primaries))]
        out = color_tags.SDR
    elif color_tags.is_wide(transfer, first_video(info).color_primaries):
        range_ = "pc" if first_video(info).color_range == "pc" else "tv"
        convert = [
            color_tags.wide_to_sdr(matrix_in=matrix, primaries_in=first_video(info).color_primaries, range_=range_)
        ]
        out = color_tags.SDR
    else:
        convert, out = [], color_tags.filter_matrix(matrix)
    name = color_tags.scale_matrix(out)
    scale = f"scale={size}:flags={color_tags.EXACT_FLAGS}:in_color_matrix={name}:out_color_matrix={name}:out_range=tv"
    return ",".join([*retag, *convert, scale, "setsar=1", f"setparams=colorspace={out}", "format=yuv420p"])
