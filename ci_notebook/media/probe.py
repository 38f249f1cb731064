"""What a video file is: the facts of `MediaInfo`, read from the file itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ci_notebook.media.ffmpeg import DEMUXERS, INSTALL
from ci_notebook.model.api.media_info import AudioStream, Format, MediaInfo, Stream, SubtitleStream, VideoStream
from ci_notebook.model.errors import EngineError
from ci_notebook.model.setting.shape import first_video

__all__ = ["PRIMARIES", "RANGES", "TRANSFERS", "first_video", "media_info", "no_video", "opened"]

# ISO/IEC 23091-2 numbers and the names that FFmpeg gives them. 2 is "unspecified".
PRIMARIES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020", 10: "smpte428",
    11: "smpte431", 12: "smpte432",
}  # fmt: skip
TRANSFERS = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "linear", 11: "iec61966-2-4",
    13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084", 17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
RANGES = {1: "tv", 2: "pc"}
# Where the decoder's own name would stand for the codec's.
_LONG_NAMES = {
    "av1": "Alliance for Open Media AV1", "vp8": "On2 VP8", "vp9": "Google VP9",
    "opus": "Opus (Opus Interactive Audio Codec)",
    "vorbis": "Vorbis", "mp3": "MP3 (MPEG audio layer 3)",
}  # fmt: skip


def find_pyav() -> Any:
    """Return PyAV. Raises `EngineError` saying how to install it."""
    try:
        import av  # lazy: 0.2 s, and the thin client installs without it
    except ImportError as problem:
        raise EngineError(f"reading videos needs PyAV, which is not installed. Install it: {INSTALL}") from problem
    return av


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a file for reading with PyAV. Raises `EngineError` when it is no video or sound."""
    av = find_pyav()
    try:
        container = av.open(str(path), options={"format_whitelist": ",".join(DEMUXERS), "protocol_whitelist": "file"})
    except FileNotFoundError:
        raise
    except (av.FFmpegError, ValueError) as problem:
        raise no_video(path, str(problem)) from problem
    with container:
        try:
            yield container
        except av.FFmpegError as problem:
            raise no_video(path, str(problem)) from problem


def no_video(path: Path, why: str) -> EngineError:
    """Return the error for a file that cannot be read as a video."""
    reason = why.replace(str(path), path.name)
    text = f"{path.name} cannot be read as a video: {reason.rstrip('.')}. Take a file that a player shows to its end."
    return EngineError(text, code="ResourceNotSupported")


def media_info(path: Path) -> MediaInfo:
    """Return the facts of a video or sound file; bit rates in kbps, times in seconds.

    Costs one decoded picture, and one walk over the file's packets where the container does
    not say how many pictures it holds. Raises `EngineError` with code `ResourceNotSupported`
    for anything that is no video or sound.

    >>> from ci_notebook.media.samples import sample
    >>> video = media_info(sample("city")).stream.video[0]
    >>> video.codec_name, video.width, video.height, video.fps
    ('h264', 640, 360, 25.0)
    """
    path = Path(path)
    with opened(path) as container:
        if not container.streams.video and not container.streams.audio:
            raise no_video(path, "it holds neither pictures nor sound")
        videos = tuple(_video(path, container, stream) for stream in _moving(container))
        audios = tuple(_audio(stream) for stream in container.streams.audio)
        subtitles = tuple(
            SubtitleStream(index=stream.index, language=stream.language or "und")
            for stream in container.streams.subtitles
        ) or (SubtitleStream(),)  # as the service says that there is none
        kind = container.format
        whole = Format(
            num_stream=len(container.streams),
            num_program=0,
            format_name=kind.name,
            format_long_name=kind.long_name,
            start_time=_seconds(container.start_time, 1e-6),
            duration=_seconds(container.duration, 1e-6),
            bitrate=_kbps(container.bit_rate),
            size=path.stat().st_size,
        )
    return MediaInfo(format=whole, stream=Stream(audio=audios, subtitle=subtitles, video=videos))


def _moving(container: Any) -> list[Any]:
    return [stream for stream in container.streams.video if "attached_pic" not in str(stream.disposition)]


def _video(path: Path, container: Any, stream: Any) -> VideoStream:
    codec = stream.codec_context
    if stream is not _moving(container)[0]:  # FLV without an index cannot be sent back, nor need it be
        container.seek(0)
    picture = next(container.decode(stream), None)
    if picture is None:
        raise no_video(path, "no picture could be decoded")
    name, tag = _codec_name(codec), codec.codec_tag
    fps = stream.average_rate or stream.guessed_rate
    return VideoStream(
        index=stream.index,
        codec_name=name,
        codec_long_name=_LONG_NAMES.get(name, codec.codec.long_name),
        codec_time_base=str(stream.time_base),
        codec_tag_string=_tag_text(tag),
        codec_tag=_tag_number(tag),
        color_primaries=PRIMARIES.get(codec.color_primaries, "unknown"),
        color_range=RANGES.get(int(picture.color_range), "unknown"),
        color_transfer=TRANSFERS.get(codec.color_trc, "unknown"),
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
        duration=_seconds(stream.duration, stream.time_base) or _seconds(container.duration, 1e-6),
        bitrate=_kbps(stream.bit_rate if hasattr(stream, "bit_rate") else codec.bit_rate),
        num_frames=stream.frames or _count(path, stream.index),
        language=stream.language or "und",
        rotation=float(-picture.rotation % 360),
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


def _count(path: Path, index: int) -> int:
    """Return how many packets a stream really has, of all that its file may promise."""
    with opened(path) as anew:  # from the beginning, which not every container can be sent back to
        return sum(1 for packet in anew.demux(anew.streams[index]) if packet.size)


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
