"""Measures of one frame that need no reference: numpy only, cheap, plain formulas.

Frames with a side under 3 px have no detail: measures that look at neighbours are 0 there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Plane", "blockiness", "colourfulness", "contrast", "laplacian_variance", "luma_of", "noise",
    "spatial_information", "temporal_information",
]  # fmt: skip

Plane = NDArray[np.float32]
_LEAST = 3  # px
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def luma_of(rgb: NDArray[np.uint8]) -> Plane:
    """Return luma, 0 to 255, of an HxWx3 frame."""
    plane: Plane = rgb.astype(np.float32) @ _LUMA
    return plane


def laplacian_variance(luma: Plane) -> float:
    """Return the variance of the 4-neighbour Laplacian: more fine detail, higher; noise counts too."""
    if min(luma.shape) < _LEAST:
        return 0.0
    inner = luma[1:-1, 1:-1]
    edges = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * inner
    return float(edges.var(dtype=np.float64))


def contrast(luma: Plane) -> float:
    """Return the RMS contrast, 0 to 0.5: the standard deviation of luma as a share of its range."""
    return float(luma.std(dtype=np.float64) / 255)


def noise(luma: Plane) -> float:
    """Return the sigma of noise by Immerkær's method, in code values of 255. Fine texture counts as noise."""
    if min(luma.shape) < _LEAST:
        return 0.0
    a = luma[:-2] - 2 * luma[1:-1] + luma[2:]
    b = a[:, :-2] - 2 * a[:, 1:-1] + a[:, 2:]
    return float(np.abs(b).mean(dtype=np.float64) * np.sqrt(np.pi / 2) / 6)


def colourfulness(rgb: NDArray[np.uint8]) -> float:
    """Return Hasler and Süsstrunk's colourfulness: 0 grey, 33 moderate, 82 and more highly colourful."""
    r, g, b = (rgb[..., i].astype(np.int16) for i in range(3))
    (rg, rg_spread), (yb, yb_spread) = _moments(r - g), _moments(r + g - 2 * b)
    return float(np.hypot(rg_spread, yb_spread / 2) + 0.3 * np.hypot(rg, yb / 2))


def _moments(values: NDArray[np.int16]) -> tuple[float, float]:
    """Return mean and standard deviation of small whole numbers, exactly, by counting them."""
    least = int(values.min())
    counts = np.bincount((values - least).ravel())
    numbers = np.arange(least, least + len(counts))
    mean = float(counts @ numbers / values.size)
    return mean, float(np.sqrt(counts @ (numbers - mean) ** 2 / values.size))


def blockiness(luma: Plane) -> float:
    """Return the ratio of steps across the 8-pixel grid of codecs to other steps; 1 is no grid at all.

    It finds the grid only where the frame was not scaled after it was encoded.
    """
    ratios = []
    for plane in (luma, luma.T):
        steps = np.abs(np.diff(plane, axis=1)).mean(axis=0, dtype=np.float64)
        on = np.arange(1, steps.size + 1) % 8 == 0
        if on.any() and steps[~on].any():
            ratios.append(steps[on].mean() / steps[~on].mean())
    return float(np.mean(ratios)) if ratios else 1.0


def spatial_information(luma: Plane) -> float:
    """Return SI of one frame by ITU-T P.910: the standard deviation of its Sobel gradient."""
    if min(luma.shape) < _LEAST:
        return 0.0
    across = luma[:-2] + 2 * luma[1:-1] + luma[2:]
    down = luma[:, :-2] + 2 * luma[:, 1:-1] + luma[:, 2:]
    gradient = np.hypot(across[:, 2:] - across[:, :-2], down[2:] - down[:-2])
    return float(gradient.std(dtype=np.float64))


def temporal_information(luma: Plane, after: Plane) -> float:
    """Return TI of two consecutive frames by ITU-T P.910: the standard deviation of their difference."""
    return float((after - luma).std(dtype=np.float64))
