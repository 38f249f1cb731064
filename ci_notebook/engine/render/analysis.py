"""The analysis that AUTO is resolved from: one look at the whole clip, never frame by frame.

One analysis per clip keeps a video from flickering, and makes the preview choose the job's values. The
values that AUTO stands for are ours: the service does not document its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ci_notebook.media import color_tags
from ci_notebook.media.frame_sampling import key_frames, sample_frames
from ci_notebook.media.scoring import no_reference
from ci_notebook.media.snapshot import to_sdr_rgb
from ci_notebook.media.streams.frame_times import Timeline
from ci_notebook.media.streams.light import Light, light_of

Needs = Literal["coding", "levels", "all"]
PICTURES = 12
_KEY_FRAMES = 40
_TAIL = 0.3  # percent of pixels outside the levels at either end: a few stray lights must not decide
_DARK_MOST, _LIGHT_LEAST = 72 / 255, 150 / 255  # beyond this, a scene without black or white is not corrected


@dataclass(frozen=True, slots=True)
class Analysis:
    """Facts of a clip's frames that control the filters. Shares are 0 to 1; channels are R, G, B.

    `low` and `high` are the levels that contain a channel except for 0.3 % at either end; `spread` is the
    RMS contrast of luma. `colourfulness`, `sharpness` and `noise` are those of
    `media.scoring.no_reference`. `matrix` is the clip's YUV matrix, `interlaced` whether it has fields, `light` that of
    HDR, None for SDR. HDR is analysed as SDR-referred light.
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
    light: Light | None = None
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
    matrix, interlaced, light = _coding(path)
    if needs == "coding":
        return Analysis(matrix=matrix, interlaced=interlaced, light=light)
    lows, highs, rows = [], [], []
    for frame in sample_frames(path, pictures):
        rgb = to_sdr_rgb(frame, own_primaries=True)
        luma = no_reference.luma_of(rgb)
        low, high = np.percentile(rgb[::2, ::2].reshape(-1, 3), [_TAIL, 100 - _TAIL], axis=0) / 255
        lows.append(low)
        highs.append(high)
        rows.append([luma.mean() / 255, *(_measures(rgb, luma) if needs == "all" else ())])
    # The darkest and the lightest level of the whole clip: a single dim scene must not be stretched.
    low = np.minimum(np.min(lows, axis=0), _DARK_MOST)
    high = np.maximum(np.max(highs, axis=0), _LIGHT_LEAST)
    mean, *measures = (round(float(value), 6) for value in np.mean(rows, axis=0))
    analysis = Analysis(
        low=_three(low), high=_three(high), mean=mean, matrix=matrix, interlaced=interlaced, light=light
    )
    if needs == "levels":
        return analysis
    contrast, colour, sharpness, noise = measures
    return replace(analysis, spread=contrast, colourfulness=colour, sharpness=sharpness, noise=noise)


def _measures(rgb: NDArray[np.uint8], luma: no_reference.Plane) -> tuple[float, float, float, float]:
    return (
        no_reference.contrast(luma),
        no_reference.colourfulness(rgb),
        no_reference.laplacian_variance(luma),
        no_reference.noise(luma),
    )


def _coding(path: Path) -> tuple[str, bool, Light | None]:
    """Return the matrix, whether there are fields anywhere, and the light of HDR, from key frames of the whole clip."""
    matrix, interlaced = "", False

    def noted() -> Iterator[Any]:
        nonlocal matrix, interlaced
        for frame in key_frames(path, most=_KEY_FRAMES):
            matrix = matrix or color_tags.frame_matrix(frame)
            interlaced = interlaced or bool(frame.interlaced_frame)
            yield frame

    light = light_of(frames := noted())
    for _ in frames:  # the rest of SDR, whose light is not looked at
        pass
    return matrix, interlaced, light


def _three(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float, float]:
    r, g, b = (round(float(value), 4) for value in values)
    return r, g, b


def _between(low: int, high: int, value: float) -> int:
    return int(min(high, max(low, round(value))))
