"""Stages on SDR-referred light, for an HDR source that stays HDR.

The stages are made for SDR. So they work on a copy in which diffuse white (203 cd/m²) is SDR white and
brighter light is cut. The change that they make is coded as HDR and added to the original:

    output = original + HDR of (copy after the stages) - HDR of (copy before them)

Both copies are cut to 0 to 203 cd/m² in red, green and blue. So where a stage changes nothing, the output
is the original to the bit. Light above white passes through. In HDR10 no channel becomes brighter than
203 cd/m² or than it was, so the metadata of light stays true.

What is added to an enlarged picture is the difference of two pictures enlarged without overshoot
(bilinear). Below white that difference is zero, and the detail is that of the enlarged copy.
"""

from __future__ import annotations

from ci_notebook.media import color_tags
from ci_notebook.media.color_tags import HdrCoding

_RGB = "gbrp16le"  # full range: numbers outside of it are cut


def to_sdr_referred(coding: HdrCoding, pixel_format: str) -> str:
    """Return the filters that put the copy for the stages in the place of the frames, and keep both for later."""
    whole, seen, before, work = (f"[hdr_{name}]" for name in ("whole", "seen", "before", "work"))
    return (
        f"format={pixel_format},split{whole}{seen};{seen}{color_tags.hdr_to_sdr_rgb(coding)},format={_RGB},"
        f"{color_tags.sdr_rgb_to_yuv(coding)},format={pixel_format},split{before}{work};{work}null"
    )


def add_to_hdr(coding: HdrCoding, pixel_format: str, geometry: tuple[str, ...]) -> str:
    """Return the filters that add to the original what the stages have changed.

    `geometry` are the filters that bring the original to the size that the stages have made.
    """
    whole, before, after, same, kept = (f"[hdr_{name}]" for name in ("whole", "before", "after", "same", "kept"))
    moved = "".join(f"{one}," for one in geometry)
    coded = (
        f"{color_tags.sdr_yuv_to_rgb(coding)},format={_RGB},{color_tags.sdr_rgb_to_hdr(coding)},format={pixel_format}"
    )
    return (
        f"{coded}{after};{before}{moved}{coded}{same};{whole}{moved}format={pixel_format}{kept};"
        f"{kept}{after}{same}mix=inputs=3:weights='1 1 -1':scale=1,{coding.as_tags()}"
    )
