"""What the engine sees when it is told AUTO: one look at a whole clip, never picture by picture.

Looking once keeps a video from flickering, and makes the preview choose what the job chooses.
The values that AUTO stands for are ours: the service does not document its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ci_notebook.media import color_tags
from ci_notebook.media.frame_sampling import key_frames, sample_frames
from ci_notebook.media.scoring import no_reference
from ci_notebook.media.snapshot import to_rgb

Needs = Literal["coding", "levels", "all"]
PICTURES = 12
_TAIL = 0.3  # percent of pixels that may lie outside the levels: stray lights must not decide
_DARK_MOST, _LIGHT_LEAST = 72 / 255, 150 / 255  # a scene without black or white is no fault beyond this


@dataclass(frozen=True, slots=True)
class Analysis:
    """Facts of a clip's pictures that steer the filters. Shares are 0 to 1; channels are R, G, B.

    `low` and `high` are the levels between which a channel lies but for 0.3 % at either end;
    `spread` is the RMS contrast of luma; `colourfulness`, `sharpness` and `noise` are those of
    `media.look`. `matrix` is how the clip's YUV is made of RGB, `interlaced` whether it has fields.
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

    @property
    def auto_contrast(self) -> int:
        """Contrast for AUTO, 0 to 60: what brings the spread of luma towards 0.26, half way."""
        return _between(0, 60, 50 * (0.26 / max(self.spread, 0.02) - 1) + 10)

    @property
    def auto_correction(self) -> int:
        """Correction for AUTO, 0 to 600: the more the channels' levels miss black and white, the more."""
        missed = sum(low + 1 - high for low, high in zip(self.low, self.high, strict=True)) / 3
        return _between(0, 600, 1500 * missed)

    @property
    def auto_saturation(self) -> int:
        """Saturation for AUTO, 0 to 120: what brings colourfulness towards 55, half way."""
        return _between(0, 120, 100 * (55 / max(self.colourfulness, 8) - 1) + 15)

    @property
    def auto_sharpen_level(self) -> int:
        """SharpenLevel for AUTO, 1 to 7: soft clips get more, noisy ones less."""
        level = 9.0 - 2.2 * math.log10(max(self.sharpness, 1.0)) - 0.5 * max(0.0, self.noise - 3.0)
        return _between(1, 7, level)


def analyse(path: Path, *, pictures: int = PICTURES, needs: Needs = "all") -> Analysis:
    """Look at up to `pictures` pictures of a clip, evenly spread.

    `needs` is how much has to be known: `coding` (`matrix` and `interlaced`; 20 ms), `levels` (`low`,
    `high` and `mean` too) or `all`; what is not needed keeps its default. The clip has to be decoded
    for the latter two: 0.2 s for a short one of 640x360, 0.5 s at 1280x720.
    """
    matrix, interlaced = _coding(path)
    if needs == "coding":
        return Analysis(matrix=matrix, interlaced=interlaced)
    lows, highs, rows = [], [], []
    for frame in sample_frames(path, pictures):
        rgb = to_rgb(frame)
        luma = no_reference.luma_of(rgb)
        low, high = np.percentile(rgb[::2, ::2].reshape(-1, 3), [_TAIL, 100 - _TAIL], axis=0) / 255
        lows.append(low)
        highs.append(high)
        rows.append([luma.mean() / 255, *(_measures(rgb, luma) if needs == "all" else ())])
    # The darkest dark and the lightest light of the whole clip: one dim scene must not be blown up.
    low = np.minimum(np.min(lows, axis=0), _DARK_MOST)
    high = np.maximum(np.max(highs, axis=0), _LIGHT_LEAST)
    mean, *measures = (round(float(value), 6) for value in np.mean(rows, axis=0))
    seen = Analysis(low=_three(low), high=_three(high), mean=mean, matrix=matrix, interlaced=interlaced)
    if needs == "levels":
        return seen
    contrast, colour, sharpness, noise = measures
    return replace(seen, spread=contrast, colourfulness=colour, sharpness=sharpness, noise=noise)


def _measures(rgb: NDArray[np.uint8], luma: no_reference.Plane) -> tuple[float, float, float, float]:
    return (
        no_reference.contrast(luma),
        no_reference.colourfulness(rgb),
        no_reference.laplacian_variance(luma),
        no_reference.noise(luma),
    )


def _coding(path: Path) -> tuple[str, bool]:
    """Return the matrix and whether there are fields, from the first key pictures: they need no others."""
    matrix, interlaced = "", False
    for frame in islice(key_frames(path), PICTURES):
        matrix = matrix or color_tags.frame_matrix(frame)
        interlaced = interlaced or bool(frame.interlaced_frame)
    return matrix, interlaced


def _three(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float, float]:
    r, g, b = (round(float(value), 4) for value in values)
    return r, g, b


def _between(low: int, high: int, value: float) -> int:
    return int(min(high, max(low, round(value))))
