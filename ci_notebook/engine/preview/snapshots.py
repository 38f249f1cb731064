"""Frames of a clip on the cloud, as previews need them: from the service's own snapshots.

A snapshot is upright, SDR and RGB, for any clip. So the graph has less to work on than the job's,
and AUTO is resolved from a few snapshots instead of the clip.
"""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Callable, Hashable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ci_notebook.engine.preview.preview_graph import Still
from ci_notebook.engine.render.analysis import Analysis, Needs, analyse
from ci_notebook.media import color_tags
from ci_notebook.media.ffmpeg import filter_bytes
from ci_notebook.media.images import open_image
from ci_notebook.media.probe import first_video, pictures_length_s
from ci_notebook.media.snapshot import encode_picture
from ci_notebook.model.api.media_info import MediaInfo, Stream, VideoStream
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.shape import Size

SAMPLE_POSITIONS = (0.2, 0.5, 0.8)  # what AUTO is resolved from, as shares of the clip's length


@dataclasses.dataclass(frozen=True)
class SnapshotOrigin:
    """A clip known by its facts and snapshots. `snapshot` returns a picture file for a time in seconds.

    The facts cost two calls, and four where a setting needs the analysis; every new time costs one more.
    """

    name: Hashable
    info: Callable[[], MediaInfo]
    snapshot: Callable[[float], bytes]

    @property
    def key(self) -> Hashable:
        """The name given."""
        return self.name

    def facts(self, needs: Needs) -> tuple[MediaInfo, Analysis]:
        """Request the facts, and analyse three snapshots if the levels are needed."""
        info = self.info()
        length = pictures_length_s(info) or 0.0
        if needs == "coding":
            _, size = _yuv(self.snapshot(round(length * SAMPLE_POSITIONS[1], 3)))
            return _as_snapshots(info, size), Analysis(matrix=_matrix(size))
        pictures = [_yuv(self.snapshot(round(length * share, 3))) for share in SAMPLE_POSITIONS]
        size = pictures[0][1]
        with tempfile.TemporaryDirectory(prefix="ci-notebook-look-") as folder:
            path = Path(folder) / "looks.y4m"
            head = f"YUV4MPEG2 W{size.width} H{size.height} F25:1 Ip C420mpeg2\n".encode()
            path.write_bytes(head + b"".join(b"FRAME\n" + data for data, one in pictures if one == size))
            analysis = analyse(path, needs=needs)
        return _as_snapshots(info, size), dataclasses.replace(analysis, matrix=_matrix(size), interlaced=False)

    def time_at_once(self, at_s: float, info: MediaInfo) -> float:
        """Return `at_s`: the service decodes."""
        return at_s

    def still(self, at_s: float, path: Path, info: MediaInfo, analysis: Analysis) -> Still:
        """Request one snapshot."""
        data, size = _yuv(self.snapshot(at_s))
        path.write_bytes(data)
        return Still(path, at_s, "yuv420p", size, info, analysis)


def picture_origin(picture: NDArray[np.uint8]) -> SnapshotOrigin:
    """Return one decoded frame, HxWx3 uint8 RGB, as a clip. Raises `ParameterError` for anything else."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        got = f"{picture.dtype} array of shape {picture.shape}"
        raise ParameterError("snapshot", got, "an HxWx3 array of uint8")
    name = hashlib.blake2b(picture.tobytes(), digest_size=16).digest(), picture.shape
    alone = MediaInfo(stream=Stream(video=(VideoStream(width=picture.shape[1], height=picture.shape[0], fps=25.0),)))
    return SnapshotOrigin(name, lambda: alone, lambda _: encode_picture(picture, "png"))


def _yuv(data: bytes) -> tuple[bytes, Size]:
    with open_image(data, "The snapshot", formats=("PNG", "JPEG"), remedy="Use a smaller version") as opened:
        picture = opened.convert("RGB")
    size = Size(*picture.size)
    arguments = [
        "-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", f"{size.width}x{size.height}", "-i", "pipe:0", "-vf",
        f"scale=out_color_matrix={color_tags.scale_matrix(_matrix(size))}:in_range=pc:out_range=tv:flags={color_tags.EXACT_FLAGS},format=yuv420p",
        "-f", "rawvideo", "pipe:1",
    ]  # fmt: skip
    return filter_bytes(arguments, picture.tobytes()), size


def _matrix(size: Size) -> str:
    return color_tags.untagged_matrix(size.height)


def _as_snapshots(source: MediaInfo, size: Size) -> MediaInfo:
    """Return the clip's facts with those of its snapshots: upright, square pixels, SDR, eight bits."""
    video = dataclasses.replace(
        first_video(source), width=size.width, height=size.height, sar=None, rotation=0.0, pix_format="yuv420p",
        color_transfer=color_tags.SDR, color_primaries=color_tags.SDR, color_range="tv",
    )  # fmt: skip
    return dataclasses.replace(source, stream=dataclasses.replace(source.stream or Stream(), video=(video,)))
