"""Color facts of video: the tags, FFmpeg's names for them, and the rule for a clip without tags.

The renderer, the preview, the snapshots and the scores all ask here and hold no table themselves. So one
clip has the same colors everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = [
    "DIFFUSE_WHITE", "DIFFUSE_WHITE_CODES", "EXACT_FLAGS", "HDR_MATRIX", "HDR_PRIMARIES", "HDR_TRANSFERS", "MATRICES",
    "PRIMARIES", "RANGES", "SDR", "TRANSFERS", "frame_matrix", "frame_transfer", "hdr_to_sdr", "is_full_range",
    "is_hdr", "matrix_name", "scale_matrix", "sdr_primaries", "sdr_to_hdr", "untagged_matrix",
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

# swscale's default rounding makes every channel up to one step too dark.
EXACT_FLAGS: Final = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"

_HD_LINES: Final = 720
# Names for swscale, where they differ. It converts constant luminance (10) like 9, so zscale is told to do the same.
_SCALE_MATRICES: Final[Mapping[str, str]] = {
    "bt470bg": "bt601", "smpte170m": "bt601", "bt2020nc": "bt2020", "bt2020c": "bt2020",
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
    return _SCALE_MATRICES.get(matrix, matrix)


def sdr_primaries(name: str | None) -> str:
    """Return the primaries of an SDR clip: its tag, else BT.709."""
    return name if name is not None and name in PRIMARIES.values() else SDR


def sdr_to_hdr(transfer: str, *, matrix: str, primaries: str | None) -> str:
    """Return the FFmpeg filter that codes SDR as HDR, with SDR white at `DIFFUSE_WHITE`.

    `matrix` and `primaries` are those of the SDR frames.
    """
    source = f"tin={SDR}:min={_zscale_matrix(matrix)}:pin={sdr_primaries(primaries)}:rin=tv"
    return f"zscale={source}:t={transfer}:p={HDR_PRIMARIES}:m={HDR_MATRIX}:r=tv:npl={DIFFUSE_WHITE}"


def hdr_to_sdr(transfer: str, *, matrix_in: str = HDR_MATRIX, matrix: str = SDR, primaries: str | None = SDR) -> str:
    """Return the FFmpeg filter that is the exact inverse of `sdr_to_hdr`: a tone map would change every frame.

    `transfer` and `matrix_in` are those of the HDR frames, `matrix` and `primaries` those of the SDR result.
    """
    source = f"tin={transfer}:min={_zscale_matrix(matrix_in)}:pin={HDR_PRIMARIES}:rin=tv"
    return f"zscale={source}:t={SDR}:m={_zscale_matrix(matrix)}:p={sdr_primaries(primaries)}:r=tv:npl={DIFFUSE_WHITE}"


def _zscale_matrix(matrix: str) -> str:
    return "bt2020nc" if matrix == "bt2020c" else matrix
