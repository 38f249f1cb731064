"""Opens a media file, and chooses the stream that is its video.

Invariant: every reader asks here, so that no two of them take different streams of one file for the video.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ci_notebook._folders import readable_file
from ci_notebook.media.ffmpeg import DEMUXERS, INSTALL, file_url, media_input, run
from ci_notebook.media.streams.sample_tables import check_sample_tables
from ci_notebook.model.bounds import CODE, check_file, check_frame, current_bounds
from ci_notebook.model.errors import CIError, EngineError

__all__ = ["find_pyav", "main_video", "no_video", "open_media", "video_index", "videos"]

_LOOKED_AT: Final = 50  # frames
# FFmpeg's dispositions of a stream.
_DEFAULT: Final = 1 << 0
_NO_VIDEO: Final = 1 << 10 | 1 << 11 | 1 << 20  # attached picture, timed thumbnails, still image
_DEPENDENT: Final = 1 << 19  # an enhancement layer, which is no picture without the other stream
# Errors that impossible numbers and words in a header lead to.
_OF_HEADERS: Final = (ArithmeticError, LookupError, ValueError, struct.error)
# Codecs of pictures. With another video in the file, such a stream is a thumbnail or cover art without its flag.
_PICTURES: Final = frozenset({"mjpeg", "png", "bmp", "gif", "tiff", "webp", "jpegxl", "ppm"})


def find_pyav() -> Any:
    """Return PyAV. Raises `EngineError` saying how to install it."""
    try:
        import av  # lazy: 0.2 s, and the thin client installs without it
    except ImportError as problem:
        raise EngineError(f"Reading videos needs PyAV, which is not installed. Install it: {INSTALL}") from problem
    return av


@contextmanager
def open_media(path: Path) -> Iterator[Any]:
    """Open a file for reading with PyAV.

    Raises `EngineError` when it is no video or sound, or over the bounds, and `ParameterError` for a folder, a pipe
    and a file that the system does not let us read. A damaged file may have numbers and words in its header that no
    file should have; such an error of PyAV or of ours is that of a file that cannot be read.
    """
    av = find_pyav()
    readable_file(path)
    options = {
        "format_whitelist": ",".join(DEMUXERS), "protocol_whitelist": "file",
        "max_pixels": str(current_bounds().pixels),  # opening may decode the first frames
    }  # fmt: skip
    check_sample_tables(path)
    try:
        container = av.open(file_url(path), options=options)
    except FileNotFoundError as problem:
        raise FileNotFoundError(problem.errno, problem.strerror, str(path)) from None
    except (av.FFmpegError, ValueError) as problem:
        raise no_video(path, _reason(problem)) from problem
    with container:
        try:
            _check_bounds(container, path)
            yield container
        except CIError:
            raise
        except (av.FFmpegError, *_OF_HEADERS) as problem:
            raise no_video(path, _reason(problem)) from problem


def _reason(problem: Exception) -> str:
    """Return FFmpeg's words without its number and the path."""
    return getattr(problem, "strerror", None) or str(problem)


def _check_bounds(container: Any, path: Path) -> None:
    """Refuse a file by its header, before a frame is decoded, and limit its decoders to the same size."""
    # The clocks of broadcast streams restart and leap, so that their length in the header means nothing.
    has_clock = container.format.name in ("mpegts", "mpeg")
    seconds = 0.0 if has_clock else (container.duration or 0) / 1e6
    check_file(path.name, streams=len(container.streams), seconds=seconds)
    for stream in videos(container):
        context = stream.codec_context
        check_frame(context.width, context.height, path.name)
        context.options = {**context.options, "max_pixels": str(current_bounds().pixels)}


def no_video(path: Path, why: str) -> EngineError:
    """Return the error for a file that cannot be read as a video: broken, of another kind, or with too large frames.

    Costs decoding a few frames once more.
    """
    try:
        words = ("-t", "1", *media_input(path), "-map", "0:v", "-frames:v", str(_LOOKED_AT), "-f", "null", "-")
        run(["-v", "error", *words])
    except EngineError as error:
        if error.code == CODE:
            return EngineError(error.message.replace("The source", path.name), code=CODE)
    reason = why.replace(file_url(path), path.name).replace(str(path), path.name)
    text = f"{path.name} cannot be read as a video: {reason.rstrip('.')}."
    return EngineError(f"{text} Use a file that a video player can play completely.", code="ResourceNotSupported")


def main_video(container: Any, path: Path) -> Any:
    """Return the PyAV stream of the video: the first of `videos`. Raises `EngineError` when there is none."""
    streams = videos(container)
    if not streams:
        is_unknown = any(stream.codec_context is None for stream in container.streams.video)
        raise no_video(path, "its codec is not known" if is_unknown else "it holds no video")
    return streams[0]


def videos(container: Any) -> list[Any]:
    """Return the PyAV streams of video, the main one first, without cover art, thumbnails and layers.

    The main one has the `default` flag, if any has it. Among several, or without the flag, it is the first.
    A stream without a size carries no frame and comes last. One without a known codec has no frames for us.
    """
    streams = [one for one in container.streams.video if one.codec_context is not None]
    streams = [stream for stream in streams if not int(stream.disposition) & _NO_VIDEO]
    streams = [stream for stream in streams if not int(stream.disposition) & _DEPENDENT] or streams
    moving = [stream for stream in streams if not _is_picture(stream)]
    streams = [stream for stream in streams if stream in moving or (not moving or stream.frames > 1)]
    return sorted(streams, key=_rank)  # stable: the file's order decides among equals


def video_index(path: Path) -> int:
    """Return the index of the main video among all streams of a file."""
    with open_media(path) as container:
        return int(main_video(container, path).index)


def _is_picture(stream: Any) -> bool:
    return stream.codec_context.name in _PICTURES


def _rank(stream: Any) -> tuple[bool, bool, bool]:
    has_size = stream.codec_context.width > 0
    return not has_size, _is_picture(stream), not int(stream.disposition) & _DEFAULT
