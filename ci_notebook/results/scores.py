"""How a score is read: which way is better, and which difference is worth having.

VMAF and VMAF-NEG: three viewers of four notice 6 points (RealNetworks' finding, quoted at
streaminglearningcenter.com, "Finding the Just Noticeable Difference with Netflix VMAF"); a third
of that is where we say that nobody will miss it. PSNR and XPSNR: half a decibel, the video coding
groups' old rule of thumb for a visible gain. ΔE2000: 1, the unit that was made to be just visible.
The others are our own decisions; `worth=` replaces any of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Scale:
    """`better` is empty where more is neither better nor worse. `worth` is in the score's own unit.

    `is_share`: differences are counted in per cent, and `worth` is, too.
    """

    better: Literal["higher", "lower", ""]
    worth: float
    is_share: bool = False

    @property
    def sign(self) -> int:
        """1 where higher is better or neither, -1 where lower is."""
        return -1 if self.better == "lower" else 1

    def apart(self, first: float, second: float) -> float:
        """Return how far `second` is from `first`: a difference, or the log of a ratio."""
        if not self.is_share:
            return second - first
        return math.log(second / first) if first > 0 and second > 0 else math.nan

    def shown(self, difference: float) -> float:
        """Return a difference as it is shown: in the score's unit, or in per cent."""
        return 100 * math.expm1(difference) if self.is_share else difference

    @property
    def least(self) -> float:
        """The smallest difference worth having, as `apart` counts."""
        return math.log1p(self.worth / 100) if self.is_share else self.worth


SCALES: Final = {
    "vmaf_minus_neg": Scale("lower", 2.0),
    "vmaf_neg": Scale("higher", 2.0),
    "vmaf": Scale("higher", 2.0),
    "psnr": Scale("higher", 0.5),
    "xpsnr": Scale("higher", 0.5),
    "ssim": Scale("higher", 0.005),
    "delta_e": Scale("lower", 1.0),
    "noise": Scale("lower", 0.5),
    "blockiness": Scale("lower", 5.0, is_share=True),
    "sharpness": Scale("", 10.0, is_share=True),
    "contrast": Scale("", 5.0, is_share=True),
    "colourfulness": Scale("", 5.0, is_share=True),
    "size_bytes": Scale("lower", 5.0, is_share=True),
    "bitrate_kbps": Scale("lower", 5.0, is_share=True),
    "video_bitrate_kbps": Scale("lower", 5.0, is_share=True),
    "cost_cny": Scale("lower", 5.0, is_share=True),
    "took_s": Scale("lower", 10.0, is_share=True),
}
_OTHER: Final = Scale("", 0.0)


def scale_of(name: str) -> Scale:
    """Return how a score is read. `vmaf_p5` is read as `vmaf`; an unknown one has no better and no worth.

    >>> scale_of("vmaf_neg_p5").worth
    2.0
    """
    found = [known for known in SCALES if name == known or name.startswith(known + "_")]
    return SCALES[max(found, key=len)] if found else _OTHER
