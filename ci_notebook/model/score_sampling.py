"""Which frames of a clip are scored when nobody says so, and about how long scoring takes. Pure functions."""

from __future__ import annotations

from math import gcd
from typing import Final

__all__ = ["MOST_FRAMES", "default_every", "scoring_s"]

# So many frames take about 32 s at 1080p. A longer clip is scored at every 7th frame, which are 50 at least:
# two more than an interval over the frames of one clip needs.
MOST_FRAMES: Final = 350

# Encoders repeat 2, 3, 4, 5 or 8 frames (B-frames), 12, 15, 24, 25, 30, 48, 50, 60, 120, 240 or 250 (key frames), and
# films shown at another rate repeat every 5th. The products of 2, 3 and 5 hold all of these.
_PERIODS: Final = 2 * 3 * 5

# Measured as CPU time on two cores, at 360p, 720p and 1080p, of every frame and of every fifth.
_S_PER_FRAME, _S_PER_MEGAPIXEL = 0.0005, 0.0163  # of all frames: reading, aligning and scaling
_S_PER_SCORED_FRAME, _S_PER_SCORED_MEGAPIXEL = 0.0097, 0.0235


def default_every(frames: int) -> int:
    """Return the distance of the scored frames of a clip with so many frames: 1 scores all of them.

    Up to `MOST_FRAMES` frames are all scored. Of a longer clip at most so many are scored, spread over the whole
    of it. Their distance is the smallest one that has no factor in common with 2, 3 and 5. So the scored frames
    meet every place in the pattern of key frames and B-frames equally often; every 4th frame, for example, would
    meet B-frames only, or none.

    >>> [default_every(frames) for frames in (75, 350, 351, 3000, 90_000)]
    [1, 1, 7, 11, 259]
    """
    every = max(1, -(-frames // MOST_FRAMES))
    while every > 1 and (every < 7 or gcd(every, _PERIODS) > 1):
        every += 1
    return every


def scoring_s(frames: float, *, width: float, height: float, every: int = 1) -> float:
    """Return about how many seconds it takes to score a video of so many frames, on two cores.

    It is a declared cost: 93 ms per 1080p frame if all are scored, 46 ms at every 5th. More cores are faster.

    >>> round(scoring_s(350, width=1920, height=1080))
    32
    """
    megapixels = width * height / 1e6
    read = _S_PER_FRAME + _S_PER_MEGAPIXEL * megapixels
    return frames * (read + (_S_PER_SCORED_FRAME + _S_PER_SCORED_MEGAPIXEL * megapixels) / every)
