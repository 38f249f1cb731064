"""What the analysis measures on each sampled frame, and the facts of the clip that follow. Numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ci_notebook.media.scoring import no_reference

__all__ = ["ClipMeasures", "FrameMeasures", "clip_measures", "measured"]

# Percent of pixels outside the levels at either end. So few, because a sun, a lamp or a reflection of some
# pixels proves that the clip reaches white, and that its white has no cast.
_TAIL = 0.04
_LONG_TAIL = 0.3
_TINT = 0.06  # of the range; black of a colored scene has channels that differ as much
_HUE = 0.05  # of the lightest level; the lightest parts of a scene without white differ as much
_LINES = 180  # of a frame are looked at, at least
Levels = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class FrameMeasures:
    """Measures of one frame: the levels of R, G and B that contain nearly all pixels, 0 to 1, and means.

    `mean` is that of luma, 0 to 1. The last four are those of `media.scoring.no_reference`.
    """

    low: Levels
    high: Levels
    mean: float
    spread: float = 0.0
    colourfulness: float = 0.0
    sharpness: float = 0.0
    noise: float = 0.0


@dataclass(frozen=True, slots=True)
class ClipMeasures:
    """The facts of a clip that follow from its frames; the fields of `Analysis` with the same names."""

    low: Levels
    high: Levels
    mean: float
    spread: float
    colourfulness: float
    sharpness: float
    noise: float


def measured(rgb: NDArray[np.uint8], *, levels_only: bool) -> FrameMeasures:
    """Measure an H x W x 3 frame; `levels_only` leaves out what only AUTO needs."""
    luma = no_reference.luma_of(rgb)
    low, high = _levels(rgb)
    mean = float(luma.mean() / 255)
    if levels_only:
        return FrameMeasures(_three(low), _three(high), mean)
    return FrameMeasures(
        _three(low), _three(high), mean, no_reference.contrast(luma), no_reference.colourfulness(rgb),
        no_reference.laplacian_variance(luma), no_reference.noise(luma),
    )  # fmt: skip


def clip_measures(frames: Sequence[FrameMeasures]) -> ClipMeasures:
    """Return the facts of a clip from one or more frames.

    The levels are the darkest and the lightest of all frames: a single dim scene must not be stretched. `low` is
    the same for all channels, except for what differs by more than 6 % of the range; so is `high`, except for
    more than 5 % of it.
    """
    low = np.min([frame.low for frame in frames], axis=0)
    high = np.max([frame.high for frame in frames], axis=0)
    low = low.min() + np.maximum(0, low - low.min() - _TINT)
    high = high.max() * np.minimum(1, high / max(high.max(), 1 / 255) + _HUE)
    rows = [(frame.mean, frame.spread, frame.colourfulness, frame.sharpness, frame.noise) for frame in frames]
    means = (round(float(value), 6) for value in np.mean(rows, axis=0))
    return ClipMeasures(_three(low), _three(high), *means)


def _levels(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the levels of each channel, on a grid of pixels: the wider of two estimates at either end.

    One has a short tail, over means of 2x2 pixels, because single ones are wrong beside edges of subsampled
    color. The other has a longer tail, over single pixels: grain reaches further than its mean.
    """
    step = max(2, min(rgb.shape[:2]) // _LINES)
    high, wide = (max(1, (side - 1) // step) for side in rgb.shape[:2])
    grid = rgb[::step, ::step][:high, :wide]
    parts = [rgb[y::step, x::step][:high, :wide].astype(np.float32) for y in (0, 1) for x in (0, 1)]
    whole = [part for part in parts if part.shape == grid.shape]
    tails = [
        np.percentile(of.reshape(-1, 3), [tail, 100 - tail], axis=0) / 255
        for of, tail in ((np.stack(whole).mean(axis=0), _TAIL), (grid, _LONG_TAIL))
    ]
    return np.minimum(tails[0][0], tails[1][0]), np.maximum(tails[0][1], tails[1][1])


def _three(values: NDArray[np.float64]) -> Levels:
    r, g, b = (round(float(value), 4) for value in values)
    return r, g, b
