"""How two videos are laid over each other: what is known of both, and the filters that make them comparable.

The rule of this file: the pictures that are searched and the pictures that are scored come out of
the same filters, so that what was found for the ones holds for the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from ci_notebook.media.ffmpeg import DEMUXERS
from ci_notebook.media.frame_sampling import spread
from ci_notebook.media.probe import first_video, media_info, opened
from ci_notebook.media.snapshot import HDR_WHITE
from ci_notebook.model.api.media_info import MediaInfo, VideoStream
from ci_notebook.model.errors import EngineError
from ci_notebook.model.score_alignment import Alignment, Box

# Luma codes of ten bits that BT.2408 gives to diffuse white, and what is clearly above it.
_TOO_BRIGHT = {"smpte2084": 573 + 18, "arib-std-b67": 721 + 18}
_BRIGHT_SHARE = 0.005
_MATRICES = {1: "bt709", 5: "bt470bg", 6: "smpte170m", 9: "bt2020nc"}
_SWSCALE = {"bt470bg": "bt601", "smpte170m": "bt601", "bt2020nc": "bt2020"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pictures of both lie on each other: what of each is used, and how far the source is turned."""

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
class Side:
    """One of the two videos. `width` and `height` are as shown: turned by its rotation, pixels as stored."""

    path: Path
    video: VideoStream
    duration_s: float
    matrix: str

    @classmethod
    def of(cls, path: Path) -> Side:
        """Read what has to be known. Raises `EngineError` for what is no video, or light that SDR cannot hold."""
        info = media_info(path)
        video = first_video(info, path.name)
        side = cls(path, video, _duration(info), _matrix(path, video))
        if side.is_hdr and _is_bright(path, video.color_transfer or ""):
            raise EngineError(
                f"{path.name} is HDR ({video.color_transfer}) with light above the white of SDR, so it cannot be "
                "brought to SDR without bending it, and the scores are made for SDR. Score an SDR version.",
                code="InvalidArgument",
            )
        return side

    @property
    def is_hdr(self) -> bool:
        """Say whether light is coded as HDR10 or HLG."""
        return self.video.color_transfer in _TOO_BRIGHT

    @property
    def fps(self) -> float:
        """Pictures a second."""
        return self.video.fps or 25.0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as shown, in pixels as they are stored."""
        width, height = self.video.width or 2, self.video.height or 2
        return (height, width) if round((self.video.rotation or 0) / 90) % 2 else (width, height)

    @property
    def shape(self) -> float:
        """Width over height as people see it."""
        across, _, down = (self.video.sar or "1:1").partition(":")
        sar = int(across) / int(down) if across.isdigit() and down.isdigit() and int(across) and int(down) else 1.0
        stored = (self.video.width or 2) * sar / (self.video.height or 2)
        return 1 / stored if round((self.video.rotation or 0) / 90) % 2 else stored

    def arguments(self, *, start_s: float = 0.0, length_s: float | None = None) -> list[str | Path]:
        """Return FFmpeg's arguments that read it."""
        begin = ["-ss", f"{start_s:.6f}"] if start_s else []
        end = ["-t", f"{length_s:.6f}"] if length_s is not None else []
        return [*begin, *end, "-format_whitelist", ",".join(DEMUXERS), "-i", self.path.resolve()]


@dataclass(frozen=True, slots=True)
class Pair:
    """An output and what it is compared with, with all that was found out about how they lie.

    `offset` counts pictures at the common rate: so many of the source (negative: of the output) are
    left out at the beginning. `stretch` is where in the source the output is to be looked for, in s.
    """

    output: Side
    source: Side
    stretch: tuple[float, float]
    place: Place = WHOLE
    offset: int = 0

    @property
    def rate(self) -> Fraction:
        """The common rate: the slower of the two."""
        return Fraction(min(self.output.fps, self.source.fps)).limit_denominator(1001)

    @property
    def length_s(self) -> float:
        """The length of what both show."""
        step = float(1 / self.rate)
        return min(self.output.duration_s + min(0, self.offset) * step, self.stretch[1] - max(0, self.offset) * step)

    @property
    def size(self) -> tuple[int, int]:
        """The size of the pictures that are compared: that of the output, without what it pads."""
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
        most = self.stretch[1] if length_s is None else min(length_s, self.stretch[1])
        return [
            *self.output.arguments(length_s=length_s),
            *self.source.arguments(start_s=self.stretch[0], length_s=most),
        ]

    def filters(self) -> tuple[str, str]:
        """Return the filters of output and source that give equal pictures at equal times, in their own sizes."""
        return self._filters(self.output, -self.offset), self._filters(self.source, self.offset)

    def laid(self) -> tuple[str, str]:
        """Return the filters that go on from `filters`: both in the output's size and its way to code colour."""
        width, height = self.size
        turned = {90: "transpose=clock,", 180: "hflip,vflip,", 270: "transpose=cclock,"}.get(self.place.turn, "")
        ends = f"setsar=1,format={self.pixel_format}"
        given, wanted = self._matrix(self.source), self._matrix(self.output)
        recode = f":in_color_matrix={_sws(given)}:out_color_matrix={_sws(wanted)}" if given != wanted else ""
        scale = f"scale={width}:{height}:flags=bicubic+accurate_rnd:out_range=tv{recode}"
        return (
            f"{_cropped(self.place.output)}scale=out_range=tv,{ends}",
            f"{_cropped(self.place.source)}{turned}{scale},{ends}",
        )

    @property
    def pixel_format(self) -> str:
        """4:2:0, in ten bits where the output has them and they are SDR's."""
        deep = "10" in (self.output.video.pix_format or "") and not self.output.is_hdr
        return "yuv420p10le" if deep else "yuv420p"

    def rgb(self) -> str:
        """Return the end of a filter chain that reads the compared pictures' colours, after `laid`."""
        return f"in_color_matrix={_sws(self._matrix(self.output))}:in_range=tv"

    def _matrix(self, side: Side) -> str:
        other = self.source if side is self.output else self.output
        if not side.is_hdr:
            return side.matrix
        return "bt709" if other.is_hdr else other.matrix

    def _filters(self, side: Side, skip: int) -> str:
        rate = f"settb=AVTB,setpts=PTS-STARTPTS,fps={self.rate}"
        cut = f",trim=start_frame={skip},setpts=PTS-STARTPTS" if skip > 0 else ""
        if not side.is_hdr:
            return rate + cut
        other = self.source if side is self.output else self.output
        known = other.video.color_primaries
        primaries = known if known in ("bt709", "bt470bg", "smpte170m") else "bt709"
        # The exact inverse of what the engine's SDRtoHDR does; a tone map would change every picture.
        return (
            f"{rate}{cut},zscale=tin={side.video.color_transfer}:min=bt2020nc:pin=bt2020:rin=tv:"
            f"t=bt709:m={self._matrix(side)}:p={primaries}:r=tv:npl={HDR_WHITE},format=yuv420p"
        )


def _rounded(box: Box | None) -> Box | None:
    return None if box is None else (round(box[0], 6), round(box[1], 6), round(box[2], 6), round(box[3], 6))


def _duration(info: MediaInfo) -> float:
    return first_video(info).duration or (info.format.duration if info.format else None) or 0.0


def _matrix(path: Path, video: VideoStream) -> str:
    """Return how colour is coded; untagged pictures are read as players read them, by their height."""
    with opened(path) as container:
        found = _MATRICES.get(int(next(container.decode(video=0)).colorspace))
    return found or ("bt709" if (video.height or 0) >= 720 else "smpte170m")


def _sws(matrix: str) -> str:
    return _SWSCALE.get(matrix, matrix)


def _is_bright(path: Path, transfer: str) -> bool:
    for frame in spread(path, 8):
        luma = frame.reformat(format="yuv420p10le").to_ndarray()[: frame.height]
        if float((luma > _TOO_BRIGHT[transfer]).mean()) > _BRIGHT_SHARE:
            return True
    return False


def _cropped(box: Box | None) -> str:
    if box is None:
        return ""
    left, top, width, height = box
    return f"crop=round(iw*{width:.9f}):round(ih*{height:.9f}):round(iw*{left:.9f}):round(ih*{top:.9f}):exact=1,"
