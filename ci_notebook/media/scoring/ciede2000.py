"""CIEDE2000 color differences, as people see them: numpy only, plain formulas.

Source: Sharma, Wu and Dalal, "The CIEDE2000 color-difference formula: implementation notes, supplementary
test data, and mathematical observations" (2005). The tests use their data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Lab", "delta_e", "lab_of"]

Lab = NDArray[np.float32]
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]],
    np.float32,
)
_WHITE = _TO_XYZ.sum(axis=1)  # D65, for R = G = B = 1
_CODES = np.arange(256, dtype=np.float32) / 255
_LINEAR = np.where(_CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4).astype(np.float32)


def lab_of(rgb: NDArray[np.uint8]) -> Lab:
    """Return CIE L*a*b* (D65) of sRGB frames, ...x3 uint8."""
    ratio = _LINEAR[rgb] @ (_TO_XYZ / _WHITE[:, None]).T
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def delta_e(one: Lab, other: Lab) -> NDArray[np.float32]:
    """Return CIEDE2000 of each pixel: 1 is just visible, 2 to 10 is visible at a glance."""
    light1, a1, b1 = (np.asarray(one[..., i], np.float64) for i in range(3))
    light2, a2, b2 = (np.asarray(other[..., i], np.float64) for i in range(3))
    mean7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * np.sqrt(mean7 / (mean7 + 25.0**7))
    a1, a2 = a1 * stretch, a2 * stretch
    chroma1, chroma2 = np.hypot(a1, b1), np.hypot(a2, b2)
    hue1, hue2 = (np.degrees(np.arctan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    is_grey = chroma1 * chroma2 == 0
    turn = np.where(is_grey, 0, (hue2 - hue1 + 180) % 360 - 180)
    turn = np.where((turn == -180) & (hue2 > hue1), 180, turn)
    d_light, d_chroma = light2 - light1, chroma2 - chroma1
    d_hue = 2 * np.sqrt(chroma1 * chroma2) * np.sin(np.radians(turn / 2))
    light, chroma = (light1 + light2) / 2, (chroma1 + chroma2) / 2
    far = np.abs(hue1 - hue2) > 180
    total = hue1 + hue2
    hue = np.where(is_grey, total, np.where(far, np.where(total < 360, total + 360, total - 360), total) / 2)
    return _weighted((d_light, d_chroma, d_hue), (light, chroma, hue))


def _weighted(differences: tuple[Any, Any, Any], means: tuple[Any, Any, Any]) -> NDArray[np.float32]:
    """Weight the differences of lightness, chroma and hue by their place in the color space."""
    d_light, d_chroma, d_hue = differences
    light, chroma, hue = means

    def cosine(times: int, off: float) -> Any:
        return np.cos(np.radians(times * hue + off))

    t = 1 - 0.17 * cosine(1, -30) + 0.24 * cosine(2, 0) + 0.32 * cosine(3, 6) - 0.20 * cosine(4, -63)
    by_light = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    by_chroma, by_hue = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    bend = 30 * np.exp(-(((hue - 275) / 25) ** 2))
    twist = -2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7)) * np.sin(np.radians(2 * bend))
    c, h = d_chroma / by_chroma, d_hue / by_hue
    distance: NDArray[np.float32] = np.sqrt((d_light / by_light) ** 2 + c**2 + h**2 + twist * c * h).astype(np.float32)
    return distance
