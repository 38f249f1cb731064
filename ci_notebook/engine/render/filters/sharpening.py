"""The stage `sharpen`: detail of luma, with limited halos.

Each pixel moves away from the mean of its neighbors. Between the darkest and the lightest neighbor it moves all
the way, which makes edges steeper. Beyond them it moves half as far, so a step of any height overshoots by at
most 15 % of it up to level 5, and 30 % at level 10.
"""

from __future__ import annotations

__all__ = ["sharpening"]

_AMOUNT = 0.22  # a level
_KERNEL = (1, 2, 1, 2, 4, 2, 1, 2, 1)
_SCALE = 100  # the kernel is in whole numbers
_LUMA_ONLY = "threshold2=0:threshold3=0"
_NEIGHBORS = "coordinates=90"  # above, left, right and below: half the cost of all eight


def sharpening(level: int) -> tuple[str, ...]:
    """Return the filters for a SharpenLevel, 1 to 10."""
    weight = round(_SCALE * _AMOUNT * level)
    total = _SCALE * sum(_KERNEL)
    matrix = [-weight * part for part in _KERNEL]
    matrix[4] += total + weight * sum(_KERNEL)
    return (
        "split=3[sharp_all][sharp_low][sharp_high];"
        f"[sharp_all]convolution=0m='{' '.join(map(str, matrix))}':0rdiv={1 / total:.8f},split[sharp_full][sharp_in];"
        f"[sharp_low]erosion={_LUMA_ONLY}:{_NEIGHBORS}[sharp_least];"
        f"[sharp_high]dilation={_LUMA_ONLY}:{_NEIGHBORS}[sharp_most];"
        "[sharp_in][sharp_least][sharp_most]maskedclamp=planes=1[sharp_limited];"
        "[sharp_full][sharp_limited]blend=all_mode=average",
    )
