"""Facts of a video file, read from the file itself.

All decisions about a file are made here, and every other module asks: which stream is the video, how a frame
is turned and mirrored, the shape of its pixels, how many frames there are and how long they last.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_notebook.media import color_tags
from ci_notebook.media.streams.file_identity import Identity, identity_of
from ci_notebook.media.streams.frame_reader import decoded, first_frame
from ci_notebook.media.streams.frame_times import Extent, Scan, scan_open
from ci_notebook.media.streams.selection import find_pyav, main_video, no_video, open_media, video_index, videos
from ci_notebook.model.api.media_info import AudioStream, Format, MediaInfo, Stream, SubtitleStream, VideoStream
from ci_notebook.model.bounds import Bounds, current_bounds
from ci_notebook.model.lru import LRU
from ci_notebook.model.setting.shape import first_video, shown_size

__all__ = [
    "Geometry", "clip_matrix", "find_pyav", "first_video", "geometry_of", "has_square_pixels", "main_video",
    "media_info", "no_video", "open_media", "pictures_length_s", "shown_size", "upright_size", "video_index",
    "video_specifier",
]  # fmt: skip

# Codecs whose decoder reports its own long name instead of the codec's.
_LONG_NAMES = {
    "av1": "Alliance for Open Media AV1", "vp8": "On2 VP8", "vp9": "Google VP9",
    "opus": "Opus (Opus Interactive Audio Codec)",
    "vorbis": "Vorbis", "mp3": "MP3 (MPEG audio layer 3)",
}  # fmt: skip


_CACHED = 64  # clips
_infos = LRU[tuple[Identity, Bounds], MediaInfo](_CACHED)


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


def pictures_length_s(info: MediaInfo) -> float | None:
    """Return the length of a clip's video in seconds, which sound may outlast; None where the facts do not say."""
    return first_video(info).duration or (info.format.duration if info.format else None)


def video_specifier(info: MediaInfo, *, at: int = 0) -> str:
    """Return FFmpeg's specifier of a clip's main video, for the clip as input number `at`."""
    index = first_video(info).index
    return f"{at}:V:0" if index is None else f"{at}:{index}"


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
    return Geometry((frame.width, frame.height), upright_size(video), (shown.width, shown.height), _orientation(frame))


def clip_matrix(path: Path) -> str:
    """Return the color matrix of a clip, from its first frame; a clip without a tag follows `color_tags`."""
    return color_tags.frame_matrix(first_frame(path))


def media_info(path: Path) -> MediaInfo:
    """Return the facts of a video or sound file; bit rates in kbps, times in seconds.

    Costs one decoded frame, and reading all packets once (0.2 s for 250 MB): headers often state the number
    of frames, the length or the rate wrongly. The facts are cached as long as the file is the same. Raises
    `EngineError` with code `ResourceNotSupported` for any other file.

    >>> from ci_notebook.media.samples import sample
    >>> video = media_info(sample("city")).stream.video[0]
    >>> video.codec_name, video.width, video.height, video.fps
    ('h264', 640, 360, 25.0)
    """
    path = Path(path)
    return _infos.get_or_make((identity_of(path), current_bounds()), lambda: _read_info(path))


def _read_info(path: Path) -> MediaInfo:
    with open_media(path) as container:
        if not container.streams.video and not container.streams.audio:
            raise no_video(path, "it holds neither video nor sound")
        pictures = videos(container)
        scan = scan_open(container, path) if pictures else None
        length = _seconds(container.duration, 1e-6) or _longest(container, scan.extents if scan else {})
        facts = (_video(container, stream, length, scan) for stream in pictures) if scan else ()
        found = tuple(one for one in facts if one is not None)
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
    return MediaInfo(format=whole, stream=Stream(audio=audios, subtitle=subtitles, video=found))


def _longest(container: Any, extents: dict[int, Extent]) -> float | None:
    """Return the length of the longest stream, for a container that does not say one."""
    lengths = [
        extents[stream.index].length_s(float(getattr(stream, "average_rate", None) or 25))
        for stream in (*videos(container), *container.streams.audio)
        if stream.index in extents
    ]
    return max(lengths, default=None)


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


def _video(container: Any, stream: Any, length: float | None, scan: Scan) -> VideoStream | None:
    """Return the facts of a video stream; None for a second one that has no frames."""
    codec, timeline = stream.codec_context, scan.timeline
    is_main = stream.index == timeline.index
    frame = scan.first if is_main else None
    if not is_main:  # FLV without an index cannot seek, and need not for its only video
        container.seek(0)
    frame = frame or next(decoded(container.demux(stream)), None)
    if frame is None and is_main:
        raise no_video(Path(container.name), "no frame could be decoded")
    if frame is None:
        return None
    name, tag = _codec_name(codec), codec.codec_tag
    fps = timeline.rate if is_main else stream.average_rate or stream.guessed_rate
    extent = scan.extents.get(stream.index)
    count, seconds = stream.frames or (extent.packets if extent else 0), _seconds(stream.duration, stream.time_base)
    if is_main:
        count, seconds = len(timeline), round(timeline.length_s, 6)
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
        duration=seconds or length,
        bitrate=_kbps(stream.bit_rate if hasattr(stream, "bit_rate") else codec.bit_rate),
        num_frames=count,
        language=stream.language or "und",
        rotation=_rotation(frame),
    )


def _audio(stream: Any) -> AudioStream:
    codec = stream.codec_context
    if codec is None:  # a codec that FFmpeg does not know
        return AudioStream(index=stream.index, codec_name="unknown", language=stream.language or "und")
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
