"""The analysis that AUTO is resolved from: one look at the whole clip, never frame by frame.

One analysis per clip keeps a video from flickering, and makes the preview choose the job's values. The
values that AUTO stands for are ours: the service does not document its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ci_notebook.media import color_tags
from ci_notebook.media.frame_sampling import coding_of, spread_frames
from ci_notebook.media.scoring import no_reference
from ci_notebook.media.snapshot import to_rgb
from ci_notebook.media.streams.frame_times import Timeline

Needs = Literal["coding", "levels", "all"]
PICTURES = 12
_TAIL = 0.3  # percent of pixels outside the levels at either end: a few stray lights must not decide
_DARK_MOST, _LIGHT_LEAST = 72 / 255, 150 / 255  # beyond this, a scene without black or white is not corrected


@dataclass(frozen=True, slots=True)
class Analysis:
    """Facts of a clip's frames that control the filters. Shares are 0 to 1; channels are R, G, B.

    `low` and `high` are the levels that contain a channel except for 0.3 % at either end; `spread` is the
    RMS contrast of luma. `colourfulness`, `sharpness` and `noise` are those of
    `media.scoring.no_reference`. `matrix` is the clip's YUV matrix, `interlaced` whether it has fields.
    `timeline` are the times of its frames, which a job needs and a preview does not.
    """

    low: tuple[float, float, float] = (0.0, 0.0, 0.0)
    high: tuple[float, float, float] = (1.0, 1.0, 1.0)
    mean: float = 0.5
    spread: float = 0.25
    colourfulness: float = 45.0
    sharpness: float = 300.0
    noise: float = 1.0
    matrix: str = color_tags.SDR
    interlaced: bool = False
    timeline: Timeline | None = field(default=None, repr=False)

    @property
    def has_chapters(self) -> bool:
        """Whether the clip has chapters."""
        return self.timeline is not None and self.timeline.has_chapters

    @property
    def auto_contrast(self) -> int:
        """Contrast for AUTO, 0 to 60: moves the spread of luma half way towards 0.26."""
        return _between(0, 60, 50 * (0.26 / max(self.spread, 0.02) - 1) + 10)

    @property
    def auto_correction(self) -> int:
        """Correction for AUTO, 0 to 600: grows with the distance of the channels' levels from black and white."""
        missed = sum(low + 1 - high for low, high in zip(self.low, self.high, strict=True)) / 3
        return _between(0, 600, 1500 * missed)

    @property
    def auto_saturation(self) -> int:
        """Saturation for AUTO, 0 to 120: moves colourfulness half way towards 55."""
        return _between(0, 120, 100 * (55 / max(self.colourfulness, 8) - 1) + 15)

    @property
    def auto_sharpen_level(self) -> int:
        """SharpenLevel for AUTO, 1 to 7: soft clips get more, noisy ones less."""
        level = 9.0 - 2.2 * math.log10(max(self.sharpness, 1.0)) - 0.5 * max(0.0, self.noise - 3.0)
        return _between(1, 7, level)


def analyse(path: Path, *, pictures: int = PICTURES, needs: Needs = "all") -> Analysis:
    """Analyse up to `pictures` frames of a clip, evenly spaced.

    `needs` says how much is needed: `coding` (`matrix` and `interlaced`; 20 ms), `levels` (also `low`,
    `high` and `mean`) or `all`; the rest keeps its default. For the latter two the clip is decoded: 0.2 s
    for a short one of 640x360, 0.5 s at 1280x720.
    """
    matrix, interlaced = coding_of(path)
    if needs == "coding":
        return Analysis(matrix=matrix, interlaced=interlaced)
    lows, highs, rows = [], [], []
    for frame in spread_frames(path, pictures):
        rgb = to_rgb(frame)
        luma = no_reference.luma_of(rgb)
        low, high = np.transpose([_ends(rgb[::2, ::2, channel]) for channel in range(3)]) / 255
        lows.append(low)
        highs.append(high)
        rows.append([luma.mean() / 255, *(_measures(rgb, luma) if needs == "all" else ())])
    # The darkest and the lightest level of the whole clip: a single dim scene must not be stretched.
    low = np.minimum(np.min(lows, axis=0), _DARK_MOST)
    high = np.maximum(np.max(highs, axis=0), _LIGHT_LEAST)
    mean, *measures = (round(float(value), 6) for value in np.mean(rows, axis=0))
    analysis = Analysis(low=_three(low), high=_three(high), mean=mean, matrix=matrix, interlaced=interlaced)
    if needs == "levels":
        return analysis
    contrast, colour, sharpness, noise = measures
    return replace(analysis, spread=contrast, colourfulness=colour, sharpness=sharpness, noise=noise)


def _ends(values: NDArray[np.uint8]) -> tuple[float, float]:
    """Return the percentiles `_TAIL` and 100 - `_TAIL`. Counting the 256 values is ten times as fast as sorting."""
    below = np.cumsum(np.bincount(values.ravel(), minlength=256))
    ends = []
    for share in (_TAIL / 100, 1 - _TAIL / 100):
        place = share * (values.size - 1)
        here, after = np.searchsorted(below, [int(place), min(int(place) + 1, values.size - 1)], side="right")
        ends.append(float(here + (after - here) * (place - int(place))))
    return ends[0], ends[1]


def _measures(rgb: NDArray[np.uint8], luma: no_reference.Plane) -> tuple[float, float, float, float]:
    return (
        no_reference.contrast(luma),
        no_reference.colourfulness(rgb),
        no_reference.laplacian_variance(luma),
        no_reference.noise(luma),
    )


def _three(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float, float]:
    r, g, b = (round(float(value), 4) for value in values)
    return r, g, b


def _between(low: int, high: int, value: float) -> int:
    return int(min(high, max(low, round(value))))
