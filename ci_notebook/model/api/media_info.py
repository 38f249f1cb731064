"""`MediaInfo`: the properties of a media file, the same in job replies and in `videoinfo`."""

from __future__ import annotations

from typing import Annotated

from ci_notebook.model.declaration.node import Node, Param


class Format(Node):
    """The file as a whole."""

    num_stream: Annotated[int | None, Param("Streams.")] = None
    num_program: Annotated[int | None, Param("Programs.")] = None
    format_name: Annotated[str | None, Param("Container, short name.")] = None
    format_long_name: Annotated[str | None, Param("Container, long name.")] = None
    start_time: Annotated[float | None, Param("First timestamp.", unit="s", decimals=6)] = None
    duration: Annotated[float | None, Param("Length.", unit="s", decimals=6)] = None
    bitrate: Annotated[float | None, Param("Bit rate.", unit="kbps", decimals=6)] = None
    size: Annotated[int | None, Param("Size.", unit="bytes")] = None


class VideoStream(Node):
    """One video stream."""

    index: Annotated[int | None, Param("Stream number.")] = None
    codec_name: Annotated[str | None, Param("Codec, short name.")] = None
    codec_long_name: Annotated[str | None, Param("Codec, long name.")] = None
    codec_time_base: Annotated[str | None, Param("Codec's time base.")] = None
    codec_tag_string: Annotated[str | None, Param("Codec's tag.")] = None
    codec_tag: Annotated[str | None, Param("Codec's tag, hexadecimal.")] = None
    color_primaries: Annotated[str | None, Param("Colour primaries.")] = None
    color_range: Annotated[str | None, Param("Colour range.")] = None
    color_transfer: Annotated[str | None, Param("Transfer characteristics.")] = None
    profile: Annotated[str | None, Param("Profile.")] = None
    width: Annotated[int | None, Param("Width.", unit="px")] = None
    height: Annotated[int | None, Param("Height.", unit="px")] = None
    has_b_frame: Annotated[int | None, Param("B-frames.", tag="HasBFrame")] = None
    ref_frames: Annotated[int | None, Param("Reference frames.")] = None
    sar: Annotated[str | None, Param("Sample aspect ratio.")] = None
    dar: Annotated[str | None, Param("Display aspect ratio.")] = None
    pix_format: Annotated[str | None, Param("Pixel format.")] = None
    field_order: Annotated[str | None, Param("Field order.")] = None
    level: Annotated[int | None, Param("Level.")] = None
    fps: Annotated[float | None, Param("Frame rate.", unit="1/s", decimals=6)] = None
    avg_fps: Annotated[str | None, Param("Average frame rate; a fraction in videoinfo, decimal in jobs.")] = None
    timebase: Annotated[str | None, Param("Time base.")] = None
    start_time: Annotated[float | None, Param("First timestamp.", unit="s", decimals=6)] = None
    duration: Annotated[float | None, Param("Length.", unit="s", decimals=6)] = None
    bitrate: Annotated[float | None, Param("Bit rate.", unit="kbps", decimals=6)] = None
    num_frames: Annotated[int | None, Param("Number of frames.")] = None
    language: Annotated[str | None, Param("Language.")] = None
    rotation: Annotated[float | None, Param("Rotation.", unit="°", decimals=6)] = None


class AudioStream(Node):
    """One audio stream."""

    index: Annotated[int | None, Param("Stream number.")] = None
    codec_name: Annotated[str | None, Param("Codec, short name.")] = None
    codec_long_name: Annotated[str | None, Param("Codec, long name.")] = None
    codec_time_base: Annotated[str | None, Param("Codec's time base.")] = None
    codec_tag_string: Annotated[str | None, Param("Codec's tag.")] = None
    codec_tag: Annotated[str | None, Param("Codec's tag, hexadecimal.")] = None
    sample_fmt: Annotated[str | None, Param("Sample format.")] = None
    sample_rate: Annotated[int | None, Param("Sample rate.", unit="Hz")] = None
    channel: Annotated[int | None, Param("Channels.")] = None
    channel_layout: Annotated[str | None, Param("Channel layout.")] = None
    timebase: Annotated[str | None, Param("Time base.")] = None
    start_time: Annotated[float | None, Param("First timestamp.", unit="s", decimals=6)] = None
    duration: Annotated[float | None, Param("Length.", unit="s", decimals=6)] = None
    bitrate: Annotated[float | None, Param("Bit rate.", unit="kbps", decimals=6)] = None
    language: Annotated[str | None, Param("Language.")] = None


class SubtitleStream(Node):
    """One stream of subtitles; empty when there is none."""

    index: Annotated[int | None, Param("Stream number.")] = None
    language: Annotated[str | None, Param("Language.")] = None


class Stream(Node):
    """The streams of a file. The tags have the order of the samples on the API page."""

    audio: Annotated[tuple[AudioStream, ...], Param("Audio streams.")] = ()
    subtitle: Annotated[tuple[SubtitleStream, ...], Param("Subtitle streams.")] = ()
    video: Annotated[tuple[VideoStream, ...], Param("Video streams.")] = ()


class MediaInfo(Node):
    """Properties of a file. Any of them may be missing."""

    format: Annotated[Format | None, Param("The file.")] = None
    stream: Annotated[Stream | None, Param("Its streams.")] = None


class MediaInfoReply(Node):
    """The answer to `videoinfo` and `mediainfo`; in XML `Response`."""

    media_info: Annotated[MediaInfo | None, Param("Properties of the file.")] = None
