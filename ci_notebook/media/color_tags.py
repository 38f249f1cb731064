"""Color facts of video: the tags, FFmpeg's names for them, and the rule for a clip without tags.

The renderer, the preview, the snapshots and the scores all ask here and hold no table themselves. So one
clip has the same colors everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

__all__ = [
    "DIFFUSE_WHITE", "DIFFUSE_WHITE_CODES", "EXACT_FLAGS", "HDR_MATRIX", "HDR_PRIMARIES", "HDR_TRANSFERS",
    "MATRICES", "PRIMARIES", "RANGES", "SDR", "TRANSFERS", "UNCHANGED_SHARE", "WIDE_PRIMARIES", "HdrCoding",
    "filter_matrix", "frame_coding", "frame_matrix", "frame_primaries", "frame_transfer", "hdr_to_sdr",
    "hdr_to_sdr_rgb", "is_full_range", "is_hdr", "is_wide", "limited", "matrix_name", "picture_to_wide",
    "retag", "retagged", "scale_matrix", "sdr_primaries", "sdr_rgb_to_hdr", "sdr_rgb_to_yuv", "sdr_to_hdr",
    "sdr_yuv_to_rgb", "tone_mapped", "untagged_matrix", "wide_to_sdr",
]  # fmt: skip

# ISO/IEC 23091-2 (ITU-T H.273) numbers, and the names that FFmpeg's `setparams` and `zscale` give them.
# 2 is "unspecified" in each table.
MATRICES: Final[Mapping[int, str]] = {
    1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc", 10: "bt2020c",
}  # fmt: skip
PRIMARIES: Final[Mapping[int, str]] = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020", 10: "smpte428",
    11: "smpte431", 12: "smpte432",
}  # fmt: skip
TRANSFERS: Final[Mapping[int, str]] = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "linear", 11: "iec61966-2-4",
    13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084", 17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
RANGES: Final[Mapping[int, str]] = {1: "tv", 2: "pc"}  # limited, full

SDR: Final = "bt709"  # matrix, primaries and transfer of SDR that was made from HDR
HDR_TRANSFERS: Final[Mapping[str, str]] = {"smpte2084": "HDR10 (PQ)", "arib-std-b67": "HLG"}
HDR_MATRIX: Final = "bt2020nc"
HDR_PRIMARIES: Final = "bt2020"
DIFFUSE_WHITE: Final = 203  # cd/m² of SDR white inside HDR, by ITU-R BT.2408
# Luma codes (10 bits, limited range) of that white.
DIFFUSE_WHITE_CODES: Final[Mapping[str, int]] = {"smpte2084": 573, "arib-std-b67": 721}

UNCHANGED_SHARE: Final = 0.7  # of diffuse white: up to here HDR light stays as it is where HDR becomes SDR

_WHITE: Final = f"npl={DIFFUSE_WHITE}"

# swscale's default rounding makes every channel up to one step too dark.
EXACT_FLAGS: Final = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"

# Primaries whose colors look pale where they are taken for BT.709. Those of SD are nearly the same as BT.709.
WIDE_PRIMARIES: Final = frozenset({"bt2020", "smpte428", "smpte431", "smpte432"})

_HD_LINES: Final = 720
# Names for swscale, where they differ.
_SCALE_MATRICES: Final[Mapping[str, str]] = {
    "bt470bg": "bt601", "smpte170m": "bt601", "bt2020nc": "bt2020",
}  # fmt: skip


def untagged_matrix(height: int) -> str:
    """Return the matrix of an SDR clip without a tag: BT.709 from 720 stored lines on, else BT.601, as players do.

    >>> untagged_matrix(720), untagged_matrix(576)
    ('bt709', 'smpte170m')
    """
    return "bt709" if height >= _HD_LINES else "smpte170m"


def matrix_name(tag: int, height: int, transfer: str | None = None) -> str:
    """Return the name of a matrix tag. `height` (stored lines) and `transfer` decide for a clip without one.

    A tag that FFmpeg's scaler cannot convert (RGB, YCgCo, ICtCp) counts as none.

    >>> matrix_name(7, 1080), matrix_name(2, 480), matrix_name(2, 480, "smpte2084")
    ('smpte240m', 'smpte170m', 'bt2020nc')
    """
    return MATRICES.get(tag) or (HDR_MATRIX if is_hdr(transfer) else untagged_matrix(height))


def frame_matrix(frame: Any) -> str:
    """Return the matrix of a PyAV frame."""
    return matrix_name(int(frame.colorspace), frame.height, frame_transfer(frame))


def frame_transfer(frame: Any) -> str | None:
    """Return the transfer characteristic of a PyAV frame; None without a tag."""
    return TRANSFERS.get(int(frame.color_trc))


def frame_primaries(frame: Any) -> str | None:
    """Return the primaries of a PyAV frame; None without a tag."""
    return PRIMARIES.get(int(frame.color_primaries))


def frame_coding(frame: Any) -> HdrCoding:
    """Return how a PyAV frame of HDR is coded."""
    return HdrCoding.of(frame_transfer(frame), frame_matrix(frame), frame_primaries(frame))


def retag(frame: Any) -> None:
    """Tag a PyAV frame of constant luminance as non-constant luminance, which FFmpeg's scaler does not refuse."""
    if MATRICES.get(int(frame.colorspace)) == "bt2020c":
        frame.colorspace = next(number for number, name in MATRICES.items() if name == HDR_MATRIX)


def is_full_range(frame: Any) -> bool:
    """Return whether the codes of a PyAV frame go from 0 to 255: by its tag, always in RGB, never without a tag."""
    is_rgb = frame.format.is_rgb or frame.format.has_palette
    return is_rgb or RANGES.get(int(frame.color_range)) == "pc"


def is_hdr(transfer: str | None) -> bool:
    """Return whether a transfer characteristic is that of HDR10 or HLG."""
    return transfer in HDR_TRANSFERS


def scale_matrix(matrix: str) -> str:
    """Return the name of a matrix for FFmpeg's `scale` filter.

    >>> scale_matrix("bt2020c"), scale_matrix("fcc")
    ('bt2020', 'fcc')
    """
    return _SCALE_MATRICES.get(filter_matrix(matrix), matrix)


def tone_mapped(light: HdrCoding, peak: float) -> list[str]:
    """Return the FFmpeg filters that bring HDR with light up to `peak` (cd/m²) into SDR (10 bits, 4:2:0).

    They work on linear light, and on all three channels by one factor, which keeps the hue. Light up to
    `UNCHANGED_SHARE` of diffuse white stays; Mobius compresses the rest, so that `peak` becomes SDR white.
    """
    curve = f"tonemap=mobius:param={UNCHANGED_SHARE}:peak={max(peak / DIFFUSE_WHITE, 1.01):.4f}:desat=0"
    return [
        f"zscale={light.as_input()}:t=linear:m=gbr:p={SDR}:r=pc:{light.scale}", "format=gbrpf32le", curve,
        f"zscale=tin=linear:pin={SDR}:min=gbr:rin=pc:t={SDR}:m={SDR}:p={SDR}:r=tv", "format=yuv420p10le",
    ]  # fmt: skip


def filter_matrix(matrix: str) -> str:
    """Return the matrix that FFmpeg's filters work with: constant luminance counts as non-constant.

    FFmpeg's scaler refuses frames with the tag `bt2020c`. Most players show them like `bt2020nc`.
    """
    return HDR_MATRIX if matrix == "bt2020c" else matrix


def retagged(matrix: str) -> tuple[str, ...]:
    """Return the filters that must come before all others in a graph: empty, but for `bt2020c`."""
    name = filter_matrix(matrix)
    return () if name == matrix else (f"setparams=colorspace={name}",)


def sdr_primaries(name: str | None) -> str:
    """Return the primaries of an SDR clip: its tag, else BT.709."""
    return name if name is not None and name in PRIMARIES.values() else SDR


@dataclass(frozen=True, slots=True)
class HdrCoding:
    """How HDR frames are coded: transfer, matrix and primaries by FFmpeg's names, in limited range."""

    transfer: str
    matrix: str = HDR_MATRIX
    primaries: str = HDR_PRIMARIES

    @classmethod
    def of(cls, transfer: str | None, matrix: str = HDR_MATRIX, primaries: str | None = None) -> Self:
        """Return the coding that tags say; HDR without a usable tag of primaries is BT.2020."""
        known = primaries is not None and primaries in PRIMARIES.values()
        return cls(transfer or "", filter_matrix(matrix), primaries if known and primaries else HDR_PRIMARIES)

    @property
    def scale(self) -> str:
        """Options of zscale for the light: SDR white at `DIFFUSE_WHITE`, and the OOTF of HLG applied to luminance.

        zscale's approximate gamma applies it to each channel, which shifts hues. In PQ the approximation is
        exact to 0.02 cd/m² at white, and twenty times as fast.
        """
        return f"{_WHITE}:agamma={int(self.transfer != 'arib-std-b67')}"

    def as_input(self, *, range_: str = "tv") -> str:
        """Return zscale's options for frames of this coding that come in."""
        return f"tin={self.transfer}:min={self.matrix}:pin={self.primaries}:rin={range_}"

    def as_tags(self) -> str:
        """Return the filter that tags frames with this coding."""
        return f"setparams=color_trc={self.transfer}:colorspace={self.matrix}:color_primaries={self.primaries}:range=tv"

    def as_output(self) -> str:
        """Return zscale's options for frames of this coding that go out."""
        return f"t={self.transfer}:m={self.matrix}:p={self.primaries}:r=tv"


def sdr_to_hdr(hdr: HdrCoding, *, matrix: str, primaries: str | None) -> str:
    """Return the FFmpeg filter that codes SDR as HDR, with SDR white at `DIFFUSE_WHITE`.

    `matrix` and `primaries` are those of the SDR frames.
    """
    source = f"tin={SDR}:min={filter_matrix(matrix)}:pin={sdr_primaries(primaries)}:rin=tv"
    return f"zscale={source}:{hdr.as_output()}:{hdr.scale}"


def hdr_to_sdr(hdr: HdrCoding, *, matrix: str = SDR, primaries: str | None = SDR, range_: str = "tv") -> str:
    """Return the FFmpeg filter that is the exact inverse of `sdr_to_hdr`: a tone map would change every frame.

    `matrix` and `primaries` are those of the SDR result, `range_` that of the HDR.
    """
    target = f"t={SDR}:m={filter_matrix(matrix)}:p={sdr_primaries(primaries)}:r=tv"
    return f"zscale={hdr.as_input(range_=range_)}:{target}:{hdr.scale}"


def is_wide(transfer: str | None, primaries: str | None) -> bool:
    """Return whether frames are SDR in primaries that have to be converted before they are shown as BT.709."""
    return not is_hdr(transfer) and primaries in WIDE_PRIMARIES


def wide_to_sdr(
    *, matrix_in: str, primaries_in: str | None, range_: str = "tv", matrix: str = SDR, primaries: str | None = SDR
) -> str:
    """Return the FFmpeg filter that converts SDR with `primaries_in` to `primaries`, by default to BT.709."""
    source = f"tin={SDR}:min={filter_matrix(matrix_in)}:pin={sdr_primaries(primaries_in)}:rin={range_}"
    return f"zscale={source}:t={SDR}:m={filter_matrix(matrix)}:p={sdr_primaries(primaries)}:r=tv"


def picture_to_wide(*, matrix: str, primaries: str | None) -> str:
    """Return the FFmpeg filter that codes an R'G'B' picture in BT.709 as SDR in other primaries."""
    target = f"t={SDR}:m={filter_matrix(matrix)}:p={sdr_primaries(primaries)}:r=tv"
    return f"zscale=tin={SDR}:min=gbr:pin={SDR}:rin=pc:{target}"


def limited(hdr: HdrCoding, *, is_rgb: bool) -> str:
    """Return the filter that brings frames of full range, or R'G'B', into the YUV of limited range that `hdr` says."""
    source = replace(hdr, matrix="gbr") if is_rgb else hdr
    return f"zscale={source.as_input(range_='pc')}:{hdr.as_output()}"


def hdr_to_sdr_rgb(hdr: HdrCoding) -> str:
    """Return the filter that makes R'G'B' of SDR from HDR, in the primaries of the HDR, full range."""
    return f"zscale={hdr.as_input()}:t={SDR}:m=gbr:p={hdr.primaries}:r=pc:{hdr.scale}"


def sdr_rgb_to_hdr(hdr: HdrCoding, *, primaries: str | None = None) -> str:
    """Return the filter that codes R'G'B' of SDR as HDR: that of `hdr_to_sdr_rgb`, or one in other `primaries`."""
    return f"zscale=tin={SDR}:min=gbr:pin={primaries or hdr.primaries}:rin=pc:{hdr.as_output()}:{hdr.scale}"


def sdr_rgb_to_yuv(hdr: HdrCoding) -> str:
    """Return the filter that makes YUV of what `hdr_to_sdr_rgb` returns, with the matrix of the HDR."""
    return f"zscale={_sdr_in('gbr', 'pc', hdr)}:t={SDR}:p={hdr.primaries}:m={hdr.matrix}:r=tv"


def sdr_yuv_to_rgb(hdr: HdrCoding) -> str:
    """Return the inverse of `sdr_rgb_to_yuv`."""
    return f"zscale={_sdr_in(hdr.matrix, 'tv', hdr)}:t={SDR}:p={hdr.primaries}:m=gbr:r=pc"


def _sdr_in(matrix: str, range_: str, hdr: HdrCoding) -> str:
    return f"tin={SDR}:min={matrix}:pin={hdr.primaries}:rin={range_}"
