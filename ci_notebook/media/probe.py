"""Facts of a video file, read from the file itself.

All decisions about a file are made here, and every other module asks: which stream is the video, how a frame
is turned and mirrored, the shape of its pixels, how many frames there are and how long they last.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ci_notebook.media import color_tags
from ci_notebook.media.ffmpeg import DEMUXERS, INSTALL
from ci_notebook.model.api.media_info import AudioStream, Format, MediaInfo, Stream, SubtitleStream, VideoStream
from ci_notebook.model.errors import EngineError
from ci_notebook.model.setting.shape import first_video, shown_size

__all__ = [
    "MAIN_VIDEO", "Geometry", "clip_matrix", "find_pyav", "first_time", "first_video", "geometry_of",
    "has_square_pixels", "length_of", "main_video", "media_info", "no_video", "open_media", "pictures_length_s",
    "shown_size", "upright_size",
]  # fmt: skip

MAIN_VIDEO: Final = "V:0"
"""FFmpeg's specifier of the stream that `main_video` returns: the first video that is no attached picture."""

_ATTACHED_PICTURE: Final = 1 << 10  # FFmpeg's AV_DISPOSITION_ATTACHED_PIC
# Codecs whose decoder reports its own long name instead of the codec's.
_LONG_NAMES = {
    "av1": "Alliance for Open Media AV1", "vp8": "On2 VP8", "vp9": "Google VP9",
    "opus": "Opus (Opus Interactive Audio Codec)",
    "vorbis": "Vorbis", "mp3": "MP3 (MPEG audio layer 3)",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a decoded frame becomes the picture that players show.

    `stored` is the decoded size, `upright` the size after turning, `shown` that in square pixels; each is
    width and height. `filters` are the FFmpeg filters that turn and mirror, empty for most files.
    """

    stored: tuple[int, int]
    upright: tuple[int, int]
    shown: tuple[int, int]
    filters: tuple[str, ...] = ()


def find_pyav() -> Any:
    """Return PyAV. Raises `EngineError` saying how to install it."""
    try:
        import av  # lazy: 0.2 s, and the thin client installs without it
    except ImportError as problem:
        raise EngineError(f"Reading videos needs PyAV, which is not installed. Install it: {INSTALL}") from problem
    return av


@contextmanager
def open_media(path: Path) -> Iterator[Any]:
    """Open a file for reading with PyAV. Raises `EngineError` when it is no video or sound."""
    av = find_pyav()
    try:
        container = av.open(str(path), options={"format_whitelist": ",".join(DEMUXERS), "protocol_whitelist": "file"})
    except FileNotFoundError:
        raise
    except (av.FFmpegError, ValueError) as problem:
        raise no_video(path, _reason(problem)) from problem
    with container:
        try:
            yield container
        except av.FFmpegError as problem:
            raise no_video(path, _reason(problem)) from problem


def _reason(problem: Exception) -> str:
    """Return FFmpeg's words without its number and the path."""
    return getattr(problem, "strerror", None) or str(problem)


def no_video(path: Path, why: str) -> EngineError:
    """Return the error for a file that cannot be read as a video."""
    reason = why.replace(str(path), path.name)
    text = f"{path.name} cannot be read as a video: {reason.rstrip('.')}."
    return EngineError(f"{text} Use a file that a video player can play completely.", code="ResourceNotSupported")


def main_video(container: Any, path: Path) -> Any:
    """Return the PyAV stream of the video: the first that is no attached picture (cover art). Raises `EngineError`."""
    streams = _videos(container)
    if not streams:
        raise no_video(path, "it holds no video")
    return streams[0]


def first_time(stream: Any) -> float:
    """Return when a stream begins, in seconds on the clock of its file."""
    return float((stream.start_time or 0) * stream.time_base)


def length_of(path: Path, container: Any, stream: Any) -> tuple[int, float]:
    """Return how many frames a video stream holds, and its length in seconds.

    The count is an estimate where the file only says the length. Where it says neither, all packets are read.
    """
    length = _seconds(stream.duration, stream.time_base) or _seconds(container.duration, 1e-6)
    rate = float(stream.average_rate or stream.guessed_rate or 25)
    if length:
        return stream.frames or round(length * rate), length
    extent = _extents(path).get(stream.index)
    return (extent.packets, extent.length_s(rate)) if extent else (0, 0.0)


def pictures_length_s(info: MediaInfo) -> float | None:
    """Return the length of a clip's video in seconds, which sound may outlast; None where the facts do not say."""
    return first_video(info).duration or (info.format.duration if info.format else None)


def has_square_pixels(video: VideoStream) -> bool:
    """Return whether a pixel is as wide as high; a file that does not say has square ones."""
    return video.sar in (None, "1:1", "0:1")


def upright_size(video: VideoStream) -> tuple[int, int]:
    """Return width and height in stored pixels, after the file's rotation."""
    width, height = video.width or 0, video.height or 0
    return (height, width) if round((video.rotation or 0) / 90) % 2 else (width, height)


def geometry_of(stream: Any, frame: Any) -> Geometry:
    """Return how a decoded frame of a stream is shown."""
    video = VideoStream(
        width=frame.width, height=frame.height, sar=_ratio(stream.sample_aspect_ratio), rotation=_rotation(frame)
    )
    shown = shown_size(MediaInfo(stream=Stream(video=(video,))))
    size = (max(1, shown.width), max(1, shown.height))
    return Geometry((frame.width, frame.height), upright_size(video), size, _orientation(frame))


def clip_matrix(path: Path) -> str:
    """Return the color matrix of a clip, from its first frame; a clip without a tag follows `color_tags`."""
    with open_media(path) as container:
        frame = next(container.decode(main_video(container, path)), None)
    if frame is None:
        raise no_video(path, "no frame could be decoded")
    return color_tags.frame_matrix(frame)


def media_info(path: Path) -> MediaInfo:
    """Return the facts of a video or sound file; bit rates in kbps, times in seconds.

    Costs one decoded frame, and reading all packets of the file where the file does not say how many frames
    it holds or how long it is. Raises `EngineError` with code `ResourceNotSupported` for any other file.

    >>> from ci_notebook.media.samples import sample
    >>> video = media_info(sample("city")).stream.video[0]
    >>> video.codec_name, video.width, video.height, video.fps
    ('h264', 640, 360, 25.0)
    """
    path = Path(path)
    with open_media(path) as container:
        if not container.streams.video and not container.streams.audio:
            raise no_video(path, "it holds neither video nor sound")
        extents = _extents(path) if _is_silent_about_length(container) else {}
        length = _seconds(container.duration, 1e-6) or _longest(container, extents)
        videos = tuple(_video(path, container, stream, length, extents) for stream in _videos(container))
        audios = tuple(_audio(stream) for stream in container.streams.audio)
        subtitles = tuple(
            SubtitleStream(index=stream.index, language=stream.language or "und")
            for stream in container.streams.subtitles
        ) or (SubtitleStream(),)  # the service says so when there is none
        kind = container.format
        whole = Format(
            num_stream=len(container.streams),
            num_program=0,
            format_name=kind.name,
            format_long_name=kind.long_name,
            start_time=_seconds(container.start_time, 1e-6),
            duration=length,
            bitrate=_kbps(container.bit_rate),
            size=path.stat().st_size,
        )
    return MediaInfo(format=whole, stream=Stream(audio=audios, subtitle=subtitles, video=videos))


@dataclass(slots=True)
class _Extent:
    """The packets of one stream: how many, when the first begins, and when the last one begins and ends (s)."""

    packets: int = 0
    begin: float | None = None
    last: float = 0.0
    end: float = 0.0

    def add(self, packet: Any) -> None:
        self.packets += 1
        at = packet.pts if packet.pts is not None else packet.dts
        if at is None:
            return
        time = float(at * packet.time_base)
        self.begin = time if self.begin is None else min(self.begin, time)
        self.last = max(self.last, time)
        self.end = max(self.end, time + float((packet.duration or 0) * packet.time_base))

    def length_s(self, rate: float) -> float:
        """Return the length; where the last packet does not say how long it lasts, it lasts 1 / `rate`."""
        if self.begin is None:
            return round(self.packets / rate, 6)
        return round((self.end if self.end > self.last else self.last + 1 / rate) - self.begin, 6)


def _extents(path: Path) -> dict[int, _Extent]:
    """Read all packets; return the true extent of each stream, which the header may state wrongly."""
    extents: dict[int, _Extent] = {}
    with open_media(path) as container:  # opened again: not every container can seek back to its beginning
        for packet in container.demux():
            if packet.size:
                extents.setdefault(packet.stream.index, _Extent()).add(packet)
    return extents


def _is_silent_about_length(container: Any) -> bool:
    return container.duration is None or any(not stream.frames for stream in _videos(container))


def _longest(container: Any, extents: dict[int, _Extent]) -> float | None:
    """Return the length of the longest stream, for a container that does not say one."""
    lengths = [
        extents[stream.index].length_s(float(getattr(stream, "average_rate", None) or 25))
        for stream in (*_videos(container), *container.streams.audio)
        if stream.index in extents
    ]
    return max(lengths, default=None)


def _videos(container: Any) -> list[Any]:
    return [stream for stream in container.streams.video if not int(stream.disposition) & _ATTACHED_PICTURE]


def _rotation(frame: Any) -> float:
    """Return by how many degrees clockwise a frame is turned before it is shown."""
    return float(-frame.rotation % 360)


def _orientation(frame: Any) -> tuple[str, ...]:
    """Return the filters that turn and mirror a frame, chosen as FFmpeg's own autorotation chooses them."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return ()
    matrix = struct.unpack("=9i", bytes(data)[:36])
    turn = round(_rotation(frame) / 90) % 4
    if turn == 1:
        return ("transpose=cclock_flip" if matrix[3] > 0 else "transpose=clock",)
    if turn == 3:
        return ("transpose=clock_flip" if matrix[3] < 0 else "transpose=cclock",)
    if turn == 2:
        return (*(("hflip",) if matrix[0] < 0 else ()), *(("vflip",) if matrix[4] < 0 else ()))
    return ("vflip",) if matrix[4] < 0 else ()


def _video(path: Path, container: Any, stream: Any, length: float | None, extents: dict[int, _Extent]) -> VideoStream:
    codec = stream.codec_context
    if stream is not _videos(container)[0]:  # FLV without an index cannot seek, and need not for its only video
        container.seek(0)
    frame = next(container.decode(stream), None)
    if frame is None:
        raise no_video(path, "no frame could be decoded")
    name, tag = _codec_name(codec), codec.codec_tag
    fps = stream.average_rate or stream.guessed_rate
    extent = extents.get(stream.index)
    return VideoStream(
        index=stream.index,
        codec_name=name,
        codec_long_name=_LONG_NAMES.get(name, codec.codec.long_name),
        codec_time_base=str(stream.time_base),
        codec_tag_string=_tag_text(tag),
        codec_tag=_tag_number(tag),
        color_primaries=color_tags.PRIMARIES.get(codec.color_primaries, "unknown"),
        color_range=color_tags.RANGES.get(int(frame.color_range), "unknown"),
        color_transfer=color_tags.TRANSFERS.get(codec.color_trc, "unknown"),
        profile=codec.profile,
        width=codec.width,
        height=codec.height,
        has_b_frame=int(codec.has_b_frames),
        sar=_ratio(stream.sample_aspect_ratio),
        dar=_ratio(stream.display_aspect_ratio),
        pix_format=codec.pix_fmt,
        field_order=_field_order(codec),
        level=codec.level if isinstance(codec.level, int) and codec.level > 0 else None,
        fps=float(fps) if fps else None,
        avg_fps=f"{fps.numerator}/{fps.denominator}" if fps else None,
        timebase=str(stream.time_base),
        start_time=_seconds(stream.start_time, stream.time_base),
        duration=_seconds(stream.duration, stream.time_base) or length,
        bitrate=_kbps(stream.bit_rate if hasattr(stream, "bit_rate") else codec.bit_rate),
        num_frames=stream.frames or (extent.packets if extent else 0),
        language=stream.language or "und",
        rotation=_rotation(frame),
    )


def _audio(stream: Any) -> AudioStream:
    codec = stream.codec_context
    name, tag = _codec_name(codec), codec.codec_tag
    return AudioStream(
        index=stream.index,
        codec_name=name,
        codec_long_name=_LONG_NAMES.get(name, codec.codec.long_name),
        codec_time_base=f"1/{codec.sample_rate}",
        codec_tag_string=_tag_text(tag),
        codec_tag=_tag_number(tag),
        sample_fmt=codec.format.name if codec.format else None,
        sample_rate=codec.sample_rate,
        channel=codec.channels,
        channel_layout=codec.layout.name,
        timebase=str(stream.time_base),
        start_time=_seconds(stream.start_time, stream.time_base),
        duration=_seconds(stream.duration, stream.time_base),
        bitrate=_kbps(codec.bit_rate),
        language=stream.language or "und",
    )


def _codec_name(codec: Any) -> str:
    name = str(codec.codec.canonical_name)
    return {"libdav1d": "av1", "mp3float": "mp3"}.get(name, name)


def _field_order(codec: Any) -> str | None:
    order = getattr(codec, "field_order", None)
    names = {0: None, 1: "progressive", 2: "tt", 3: "bb", 4: "tb", 5: "bt"}
    return names.get(order) if isinstance(order, int) else (str(order).lower() if order else None)


def _ratio(value: Any) -> str | None:
    return f"{value.numerator}:{value.denominator}" if value else None


def _seconds(value: int | None, base: Any) -> float | None:
    return None if value is None else round(float(value * base), 6)


def _kbps(bits: int | None) -> float | None:
    return round(bits / 1000, 3) if bits else None


def _tag_text(tag: Any) -> str:
    text = str(tag).strip("\x00")
    return text if text.isprintable() and text else "[0][0][0][0]"


def _tag_number(tag: Any) -> str:
    return f"0x{int.from_bytes(str(tag).encode('latin-1', 'replace')[:4], 'little'):04x}"
