"""How two videos are compared: the facts of both, and the filters that make their frames comparable.

The alignment search and the scores use the same filters, so a result of the search holds for the scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from ci_notebook.media import color_tags
from ci_notebook.media.ffmpeg import media_input
from ci_notebook.media.frame_sampling import sample_frames
from ci_notebook.media.probe import (
    clip_matrix,
    first_video,
    media_info,
    pictures_length_s,
    shown_size,
    upright_size,
)
from ci_notebook.media.streams.fields import DEINTERLACER, may_have_fields
from ci_notebook.media.streams.frame_times import Timeline, timeline_of
from ci_notebook.media.streams.stretch import Stretch, stretch_of
from ci_notebook.model.api.media_info import VideoStream
from ci_notebook.model.errors import EngineError
from ci_notebook.model.score_alignment import Alignment, Box
from ci_notebook.model.score_sampling import default_every

__all__ = ["WHOLE", "AlignedSide", "Pair", "Place"]

_ABOVE_WHITE: Final = 18  # luma codes of 10 bits: clearly brighter than diffuse white
_BRIGHT_SHARE: Final = 0.005
_SAME_S: Final = 1e-3
_SAME_FRAME: Final = 0.5  # of a mean frame: nearer times are those of one frame
_SAME_RATE: Final = 0.9  # lost frames lower the mean rate a little


@dataclass(frozen=True, slots=True)
class Place:
    """Which parts of the frames correspond: the part used of each, and how far the source is turned."""

    source: Box | None = None
    output: Box | None = None
    turn: int = 0  # degrees clockwise, a multiple of 90

    def __str__(self) -> str:
        words = [f"the source turned by {self.turn}°"] if self.turn else []
        for name, box in (("source", self.source), ("output", self.output)):
            if box is not None:
                left, top, width, height = (f"{share:.1%}" for share in box)
                words.append(f"{width} × {height} of the {name} from {left}, {top}")
        return ", ".join(words) or "whole pictures"


WHOLE: Final = Place()


@dataclass(frozen=True, slots=True)
class AlignedSide:
    """One of the two videos. `size` is upright, in stored pixels; `shape` is width over height as people see it."""

    path: Path
    video: VideoStream
    duration_s: float
    matrix: str
    shape: float
    timeline: Timeline

    @classmethod
    def of(cls, path: Path) -> AlignedSide:
        """Read the facts of a file. Raises `EngineError` for no video, or for light that SDR cannot hold."""
        info = media_info(path)
        video = first_video(info, path.name)
        shown = shown_size(info)
        shape = shown.width / max(1, shown.height)
        side = cls(path, video, pictures_length_s(info) or 0.0, clip_matrix(path), shape, timeline_of(path))
        if side.is_hdr and _is_bright(path, video.color_transfer or ""):
            raise EngineError(
                f"{path.name} is HDR ({video.color_transfer}) with light above SDR white. It cannot become SDR "
                "without a change, and the scores are made for SDR. Score an SDR version.",
                code="InvalidArgument",
            )
        return side

    @property
    def is_hdr(self) -> bool:
        """Whether light is coded as HDR10 or HLG."""
        return color_tags.is_hdr(self.video.color_transfer)

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.video.fps or 25.0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height after rotation, in stored pixels."""
        width, height = upright_size(self.video)
        return width or 2, height or 2

    def rest_s(self, start_s: float) -> float:
        """Return how long its frames last from `start_s` on, which is counted from the begin of the file."""
        return self.duration_s - max(0.0, start_s - self.timeline.late_s)

    def read(self, start_s: float = 0.0, length_s: float | None = None) -> Stretch:
        """Return how FFmpeg reads it, or a stretch of its frames."""
        if start_s == 0 and (length_s is None or length_s >= self.duration_s - _SAME_S):
            return stretch_of(self.timeline)
        late = max(0.0, self.timeline.late_s - start_s)
        return stretch_of(self.timeline, start_s, None if length_s is None else late + length_s)


@dataclass(frozen=True, slots=True)
class Pair:
    """An output, the video that it is compared with, and how their frames correspond.

    `offset` counts frames at the common rate: so many of the source (negative: of the output) are left out at
    the beginning. `stretch` is the start and the length in the source where the output is searched, in s.
    """

    output: AlignedSide
    source: AlignedSide
    stretch: tuple[float, float]
    place: Place = WHOLE
    offset: int = 0

    @property
    def rate(self) -> Fraction:
        """The common rate: the slower of the two."""
        rate = Fraction(min(self.output.fps, self.source.fps))
        return rate.limit_denominator(1001) or rate.limit_denominator(10**6)

    @property
    def is_by_number(self) -> bool:
        """Whether frame n of one is frame n of the other: as many frames, at the same times."""
        ours, theirs = self.output.read().times, self.source.read(*self.stretch).times
        if not ours or len(ours) != len(theirs):
            return False
        shift, step = theirs[0] - ours[0], float(1 / self.rate)
        return all(abs(b - a - shift) < _SAME_FRAME * step for a, b in zip(ours, theirs, strict=True))

    @property
    def default_every(self) -> int:
        """The default distance of the scored frames: the same for all outputs of one stretch of a source.

        So it depends on the source's own rate, unless the output has clearly fewer frames.
        """
        rate = float(self.rate) if self.rate < _SAME_RATE * self.source.fps else self.source.fps
        return default_every(round(self.stretch[1] * rate))

    @property
    def length_s(self) -> float:
        """The length of the part that both show."""
        step = float(1 / self.rate)
        return min(self.output.duration_s + min(0, self.offset) * step, self.stretch[1] - max(0, self.offset) * step)

    @property
    def size(self) -> tuple[int, int]:
        """The size of the compared frames: that of the output without its bars."""
        width, height = self.output.size
        if self.place.output is not None:
            width, height = round(width * self.place.output[2]), round(height * self.place.output[3])
        return max(2, width - width % 2), max(2, height - height % 2)

    @property
    def alignment(self) -> Alignment:
        """The record of how the two were aligned, for the run."""
        width, height = self.size
        box = self.place.source or (0.0, 0.0, 1.0, 1.0)
        used = (self.source.size[0] * box[2], self.source.size[1] * box[3])
        across, down = used[::-1] if self.place.turn % 180 else used
        rate = float(self.rate)
        return Alignment(
            offset_frames=self.offset, offset_s=round(self.offset / rate, 6), start_s=round(self.stretch[0], 6),
            fps=round(rate, 6), width=width, height=height, scale_x=round(width / across, 6),
            scale_y=round(height / down, 6), rotation=self.place.turn, source_crop=_rounded(self.place.source),
            output_crop=_rounded(self.place.output),
        )  # fmt: skip

    def inputs(self, length_s: float | None = None) -> list[str | Path]:
        """Return FFmpeg's arguments that read both, or their first seconds."""
        limit = self.stretch[1] if length_s is None else min(length_s, self.stretch[1])
        words: list[str | Path] = []
        for side, part in (
            (self.output, self.output.read(0.0, length_s)),
            (self.source, self.source.read(self.stretch[0], limit)),
        ):
            words += [*part.arguments, *media_input(side.path)]
        return words

    def timed(self) -> tuple[str, str]:
        """Return the begin of both filter chains (output, source): equal frames at equal times, in their own sizes."""
        ours, theirs = self.output.read(), self.source.read(*self.stretch)
        return (
            f"[0:{self.output.video.index}]{self._timing(self.output, ours, -self.offset)}",
            f"[1:{self.source.video.index}]{self._timing(self.source, theirs, self.offset)}",
        )

    def placed(self) -> tuple[str, str]:
        """Return the filters that follow `timed`: both in the output's size and color coding."""
        width, height = self.size
        turned = {90: "transpose=clock,", 180: "hflip,vflip,", 270: "transpose=cclock,"}.get(self.place.turn, "")
        end = f"setsar=1,format={self.pixel_format}"
        matrices = [color_tags.scale_matrix(self._matrix(side)) for side in (self.output, self.source)]
        # Both matrices are explicit: FFmpeg would take BT.601 for a clip without a tag, and for RGB.
        into_output = f"out_range=tv:out_color_matrix={matrices[0]}"
        scale = f"scale={width}:{height}:flags={color_tags.EXACT_FLAGS}:in_color_matrix={matrices[1]}:{into_output}"
        return (
            f"{_cropped(self.place.output)}scale=in_color_matrix={matrices[0]}:{into_output},{end}",
            f"{_cropped(self.place.source)}{turned}{scale},{end}",
        )

    @property
    def pixel_format(self) -> str:
        """4:2:0, in ten bits where the output is SDR in ten bits."""
        is_deep = "10" in (self.output.video.pix_format or "") and not self.output.is_hdr
        return "yuv420p10le" if is_deep else "yuv420p"

    def rgb(self) -> str:
        """Return the options for the `scale` filter that converts the frames of `placed` to RGB."""
        return f"in_color_matrix={color_tags.scale_matrix(self._matrix(self.output))}:in_range=tv"

    def _matrix(self, side: AlignedSide) -> str:
        other = self.source if side is self.output else self.output
        if not side.is_hdr:
            return other.matrix if self._takes_primaries(side) else side.matrix
        return color_tags.SDR if other.is_hdr else other.matrix

    def _takes_primaries(self, side: AlignedSide) -> bool:
        """Return whether a side is converted to the primaries of the other: the source, where one is wide SDR."""
        ours, theirs = (color_tags.sdr_primaries(one.video.color_primaries) for one in (self.output, self.source))
        is_sdr = not (self.output.is_hdr or self.source.is_hdr)
        return side is self.source and is_sdr and ours != theirs and bool({ours, theirs} & color_tags.WIDE_PRIMARIES)

    def _timing(self, side: AlignedSide, part: Stretch, skip: int) -> str:
        # Frames that correspond by number get even times first: by a rounded time the rate could skip one.
        times = f"N/({self.rate}*TB)" if self.is_by_number else "PTS-STARTPTS"
        joined = (DEINTERLACER,) if may_have_fields(side.video) else ()  # as jobs do
        before = (*color_tags.retagged(side.matrix), *part.video, *joined)
        rate = ",".join([*before, f"settb=AVTB,setpts={times},fps={self.rate}"])
        cut = f",trim=start_frame={skip},setpts=PTS-STARTPTS" if skip > 0 else ""
        other = self.source if side is self.output else self.output
        if self._takes_primaries(side):
            moved = color_tags.wide_to_sdr(
                matrix_in=side.matrix, primaries_in=side.video.color_primaries, matrix=other.matrix,
                primaries=other.video.color_primaries, range_=side.video.color_range or "tv",
            )  # fmt: skip
            return f"{rate}{cut},{moved},format={self.pixel_format}"
        if not side.is_hdr:
            return rate + cut
        inverse = color_tags.hdr_to_sdr(
            color_tags.HdrCoding.of(side.video.color_transfer, side.matrix, side.video.color_primaries),
            matrix=self._matrix(side),
            primaries=None if other.is_hdr else other.video.color_primaries,
        )
        return f"{rate}{cut},{inverse},format=yuv420p"


def _rounded(box: Box | None) -> Box | None:
    return None if box is None else (round(box[0], 6), round(box[1], 6), round(box[2], 6), round(box[3], 6))


def _is_bright(path: Path, transfer: str) -> bool:
    limit = color_tags.DIFFUSE_WHITE_CODES[transfer] + _ABOVE_WHITE
    for frame in sample_frames(path, 8):
        luma = frame.reformat(format="yuv420p10le").to_ndarray()[: frame.height]
        if float((luma > limit).mean()) > _BRIGHT_SHARE:
            return True
    return False


def _cropped(box: Box | None) -> str:
    if box is None:
        return ""
    left, top, width, height = box
    return f"crop=round(iw*{width:.9f}):round(ih*{height:.9f}):round(iw*{left:.9f}):round(ih*{top:.9f}):exact=1,"
