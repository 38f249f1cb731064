"""A clip in one line: displayed size, frame rate, length, codec, bit depth, dynamic range, scan type and sound.

Invariant: an unknown fact is left out, so the line never states more than the file or the service said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ci_notebook.model.api.media_info import AudioStream, MediaInfo, VideoStream
from ci_notebook.model.setting.shape import shown_size

__all__ = ["ClipSummary", "bit_depth_of", "summary_of"]

_CODECS: Final[Mapping[str, str]] = {
    "h264": "H.264", "hevc": "H.265", "h266": "H.266", "vvc": "H.266", "av1": "AV1", "vp8": "VP8", "vp9": "VP9",
    "mpeg1video": "MPEG-1", "mpeg2video": "MPEG-2", "mpeg4": "MPEG-4", "msmpeg4v3": "MS MPEG-4", "h263": "H.263",
    "prores": "ProRes", "dnxhd": "DNxHD", "mjpeg": "Motion JPEG", "vc1": "VC-1", "wmv3": "WMV 9", "flv1": "Sorenson",
    "ffv1": "FFV1", "rawvideo": "uncompressed", "gif": "GIF", "theora": "Theora", "cinepak": "Cinepak",
}  # fmt: skip
_SOUNDS: Final[Mapping[str, str]] = {
    "aac": "AAC", "mp3": "MP3", "mp2": "MP2", "opus": "Opus", "vorbis": "Vorbis", "flac": "FLAC", "alac": "ALAC",
    "ac3": "AC-3", "eac3": "E-AC-3", "dts": "DTS", "truehd": "TrueHD", "amr_nb": "AMR", "amr_wb": "AMR-WB",
}  # fmt: skip
_CHANNELS: Final[Mapping[int, str]] = {1: "mono", 2: "stereo"}
_INTERLACED: Final = ("tt", "bb", "tb", "bt")
_DOLBY_TAGS: Final = ("dvh1", "dvhe", "dvav", "dva1", "dav1")
_UNSAID: Final = (None, "", "unknown")
# Pixel formats whose number counts the bits of a pixel instead of those of a sample.
_BITS_OF_PIXEL: Final[Mapping[int, int]] = {48: 16, 64: 16, 20: 10, 30: 10, 36: 12, 96: 32}
_EIGHT_BITS: Final = re.compile(
    r"(yuvj?|yuva)4[0-4][0-4]p|nv(12|21|16|24|42)|gray|ya8|pal8|gbra?p|rgb24|bgr24|rgba|bgra|argb|abgr"
    r"|0rgb|rgb0|0bgr|bgr0|uyvy422|yuyv422|yvyu422|vuy[ax]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSummary:
    """Properties of a clip for people; None and "" where they are unknown. `str` gives the line.

    `size` is that in square pixels after rotation. `is_variable` says whether the frame rate varies; `fps` is then
    the mean. `sound` is the codec and the channels, "" without sound.
    """

    size: tuple[int, int] | None = None
    fps: float | None = None
    is_variable: bool | None = None
    length_s: float | None = None
    codec: str = ""
    bit_depth: int | None = None
    dynamic_range: str = ""
    is_interlaced: bool | None = None
    sound: str | None = None

    def __str__(self) -> str:
        parts = (
            f"{self.size[0]}×{self.size[1]}" if self.size else "",
            f"{_number(self.fps)} fps" if self.fps and not self.is_variable else "",
            f"{_number(self.fps, 1)} fps (variable)" if self.fps and self.is_variable else "",
            "" if self.length_s is None else _length(self.length_s),
            " ".join(filter(None, (self.codec, f"{self.bit_depth} bit" if self.bit_depth else ""))),
            self.dynamic_range,
            {None: "", True: "interlaced", False: "progressive"}[self.is_interlaced],
            "" if self.sound is None else f"sound {self.sound}" if self.sound else "no sound",
        )
        return " · ".join(filter(None, parts))


def summary_of(
    info: MediaInfo, *, is_variable: bool | None = None, mean_fps: float | None = None,
    is_dolby_vision: bool = False, is_interlaced: bool | None = None,
) -> ClipSummary:  # fmt: skip
    """Return the summary of a clip from its media info, the same for a local file and for the service's reply.

    The keywords are facts that the media info does not hold. `mean_fps` replaces a nominal rate if the rate varies;
    `is_interlaced` counts where the media info names no field order.
    PQ with 10 bits and BT.2020 primaries is called HDR10, any other PQ is called PQ. A clip without a transfer tag is
    SDR, as for players.
    """
    streams = info.stream
    video = streams.video[0] if streams and streams.video else None
    sound = _sound(streams.audio) if streams else None
    whole_s = info.format.duration if info.format else None
    if video is None:
        return ClipSummary(length_s=_float(whole_s), sound=sound)
    shown = shown_size(info) if video.width and video.height else None
    depth = bit_depth_of(video.pix_format)
    return ClipSummary(
        size=(shown.width, shown.height) if shown else None,
        fps=(mean_fps if is_variable else None) or _float(video.fps) or None,
        is_variable=is_variable,
        length_s=_float(video.duration) or _float(whole_s),
        codec=_name(video.codec_name, _CODECS),
        bit_depth=depth,
        dynamic_range="Dolby Vision" if is_dolby_vision else _dynamic_range(video, depth),
        is_interlaced=_is_interlaced(video.field_order, is_interlaced),
        sound=sound,
    )


def bit_depth_of(pix_format: str | None) -> int | None:
    """Return the bits per sample of a pixel format by FFmpeg's name; None where the name does not say.

    >>> bit_depth_of("yuv420p"), bit_depth_of("yuv420p10le"), bit_depth_of("p010le"), bit_depth_of("rgb48be")
    (8, 10, 10, 16)
    """
    name = pix_format or ""
    if match := re.search(r"(\d\d)(?:le|be)$", name):
        bits = _BITS_OF_PIXEL.get(int(match[1]), int(match[1]))
        return bits if 9 <= bits <= 16 or bits == 32 else None
    return 8 if _EIGHT_BITS.fullmatch(name) else None


def _dynamic_range(video: VideoStream, depth: int | None) -> str:
    if (video.codec_tag_string or "").lower() in _DOLBY_TAGS:
        return "Dolby Vision"
    transfer = video.color_transfer
    if transfer == "smpte2084":
        return "HDR10" if (depth or 0) >= 10 and video.color_primaries == "bt2020" else "PQ"
    if transfer == "arib-std-b67":
        return "HLG"
    return "" if transfer is None else "SDR"


def _is_interlaced(field_order: str | None, is_marked: bool | None) -> bool | None:
    if field_order in _UNSAID:
        return is_marked
    return field_order in _INTERLACED


def _sound(streams: tuple[AudioStream, ...]) -> str:
    known = [one for one in streams if one.codec_name or one.channel]
    if not known:
        return ""
    first = known[0]
    text = f"{_name(first.codec_name, _SOUNDS)} {_channels(first)}".strip()
    return text if len(known) == 1 else f"{text}, {len(known)} tracks"


def _channels(stream: AudioStream) -> str:
    layout = (stream.channel_layout or "").partition("(")[0]
    if re.fullmatch(r"\d\.\d", layout):
        return layout
    count = stream.channel
    return (_CHANNELS.get(count) or f"{count} channels") if count else ""


def _name(codec: str | None, names: Mapping[str, str]) -> str:
    if codec in _UNSAID:
        return ""
    text = str(codec)
    return names.get(text) or ("PCM" if text.startswith("pcm_") else text.upper() if len(text) <= 5 else text)


def _length(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds:.2f} s"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def _number(value: float, decimals: int = 3) -> str:
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".")


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None  # other texts of the service are kept as text
