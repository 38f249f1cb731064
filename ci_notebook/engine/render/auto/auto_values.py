"""From the facts of a clip to the values that AUTO stands for. The service does not document its own.

Contrast and Saturation grow only as far as levels are missing: a clip of fog, a plain wall or a pale face is not
spoiled because it has little contrast or color.
"""

from __future__ import annotations

import math
from typing import Protocol

from ci_notebook.engine.render.filters.correction import share_of

__all__ = ["contrast_for", "correction_for", "saturation_for", "sharpen_level_for"]

Levels = tuple[float, float, float]
_MOST, _MOST_CAST = 700, 400  # of Correction; colored scenes without white look like a cast


class ClipLevels(Protocol):
    """The facts that AUTO needs; `Analysis` has them."""

    @property
    def low(self) -> Levels: ...

    @property
    def high(self) -> Levels: ...

    @property
    def spread(self) -> float: ...

    @property
    def colourfulness(self) -> float: ...

    @property
    def sharpness(self) -> float: ...

    @property
    def noise(self) -> float: ...


def correction_for(clip: ClipLevels) -> int:
    """Return Correction, 0 to 700: for levels that miss black or white, and up to 400 for a cast."""
    cast = 1 - min(clip.high) / max(clip.high)
    return round(_detail(clip) * max(_MOST * _spoiled(clip), _MOST_CAST * _ramp(cast, 0.06, 0.15)))


def contrast_for(clip: ClipLevels) -> int:
    """Return Contrast, 0 to 25: for hazy clips that stay flat when Correction has stretched them."""
    missing = min(25.0, max(0.0, 80 * (0.2 / max(0.02, clip.spread * _gain(clip)) - 1)))
    return round(_detail(clip) * _spoiled(clip) * _ramp(min(clip.low), 0.05, 0.15) * missing)


def saturation_for(clip: ClipLevels) -> int:
    """Return Saturation, 0 to 80: for clips that stay pale when Correction has stretched them."""
    missing = min(80.0, max(0.0, 120 * (52 / max(8.0, clip.colourfulness * _gain(clip)) - 1)))
    return round(_detail(clip) * _spoiled(clip) * missing)


def sharpen_level_for(clip: ClipLevels) -> int:
    """Return SharpenLevel, 1 to 7: soft clips get more, noisy ones less."""
    level = 9.0 - 2.2 * math.log10(max(clip.sharpness, 1.0)) - 0.5 * max(0.0, clip.noise - 3.0)
    return min(7, max(1, round(level)))


def _missed(clip: ClipLevels) -> float:
    """Return the share of the range, 0 to 1, that no channel uses."""
    return min(clip.low) + 1 - max(clip.high)


def _spoiled(clip: ClipLevels) -> float:
    """Return how surely the levels are wrong, 0 to 1: few good clips leave more than a fifth of the range free."""
    return _ramp(_missed(clip), 0.2, 0.34)


def _detail(clip: ClipLevels) -> float:
    """Return 0 for a plain surface to 1 for a scene, by the range between the levels of a channel.

    A hazy scene still has a long range; a wall in even light has none, and is not dark either.
    """
    widest = max(high - low for low, high in zip(clip.low, clip.high, strict=True))
    return _ramp(widest - min(clip.low), 0.1, 0.25)


def _gain(clip: ClipLevels) -> float:
    """Return by how much Correction at AUTO will stretch the clip."""
    return 1 / (1 - share_of(correction_for(clip)) * _missed(clip))


def _ramp(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))
