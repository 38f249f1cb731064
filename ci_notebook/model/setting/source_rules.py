"""Rules between a setting and the clip that it is for. Those of the setting alone are in `rules`.

The engine refuses the same. These rules exist so that a mistake is seen before a job is paid for.
"""

from __future__ import annotations

from typing import Final

from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance

__all__ = ["HDR_KINDS", "hdr_in_line", "hdr_problem", "refuse_hdr_source"]

HDR_KINDS: Final = ("HDR10", "HLG", "PQ", "Dolby Vision")
"""The dynamic ranges of `ClipSummary` that are HDR."""
PATH: Final = "SDRtoHDR"


def hdr_in_line(line: str) -> str:
    """Return which HDR the line of a `ClipSummary` names; "" for SDR, and where it is unknown.

    >>> hdr_in_line("3840×2160 · 25 fps · H.265 10 bit · HDR10 · no sound"), hdr_in_line("640×360 · H.264 · SDR")
    ('HDR10', '')
    """
    return next((one for one in line.split(" · ") if one in HDR_KINDS), "")


def hdr_problem(setting: VideoEnhance, hdr: str, clip: str = "The clip") -> str:
    """Return why a setting does not fit a clip with this HDR, in two sentences; "" where it fits.

    >>> from ci_notebook.model.setting.enhance import SDRtoHDR
    >>> hdr_problem(VideoEnhance(sdr_to_hdr=SDRtoHDR(hdr_mode="HDR10")), "HLG")
    'The clip is HDR already (HLG), and SDRtoHDR converts SDR. Leave SDRtoHDR out.'
    """
    if not hdr or setting.sdr_to_hdr is None:
        return ""
    return f"{clip} is HDR already ({hdr}), and SDRtoHDR converts SDR. Leave SDRtoHDR out."


def refuse_hdr_source(setting: VideoEnhance, hdr: str, clip: str = "The clip") -> None:
    """Raise `ParameterError` where SDRtoHDR is set for a clip that is HDR already."""
    if text := hdr_problem(setting, hdr, clip):
        raise ParameterError.plain(text)
