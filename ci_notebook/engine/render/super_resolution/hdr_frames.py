"""The super-resolution network on frames of HDR: it sees SDR-referred luma, in which it was trained.

Luma up to diffuse white goes through the network with the codes that SDR has for the same grey. Brighter
light is enlarged by itself, without overshoot, and added: so it is kept, and nothing becomes brighter.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ci_notebook.engine.render.super_resolution.network import Enlarger, enlarge
from ci_notebook.media.color_tags import DIFFUSE_WHITE
from ci_notebook.media.streams.light import light_of_code

_BLACK, _RANGE = 64, 876  # luma codes of ten bits in limited range
_GAMMA = 2.4  # of SDR, by ITU-R BT.1886

Codes = NDArray[Any]


def enlarge_hdr(picture: bytes, width: int, height: int, *, enlarger: Enlarger, transfer: str) -> bytes:
    """Return a frame of yuv420p10le, `width` x `height`, as one of twice the size; `transfer` is that of the HDR."""
    to_sdr, to_hdr = _tables(transfer)
    pixels = width * height
    luma = np.minimum(np.frombuffer(picture, "<u2", pixels), 1023).reshape(height, width)
    seen = to_sdr[luma]
    data = np.frombuffer(
        enlarge(seen.astype("<u2").tobytes() + picture[2 * pixels :], width, height, enlarger=enlarger, deep=True),
        "<u2",
    )
    left = Image.fromarray(luma - to_hdr[seen]).resize((2 * width, 2 * height), Image.Resampling.BILINEAR)
    made = to_hdr[np.minimum(data[: 4 * pixels], _BLACK + _RANGE)].reshape(2 * height, 2 * width) + np.asarray(left)
    enlarged: bytes = np.clip(np.rint(made), 0, 1023).astype("<u2").tobytes()
    return enlarged + data[4 * pixels :].tobytes()


@functools.cache
def _tables(transfer: str) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """Return the luma codes of SDR for those of HDR, cut at white, and the way back."""
    codes = np.arange(1024)
    light = np.array([light_of_code(max(0.0, (code - _BLACK) / _RANGE), transfer) for code in codes])
    exact = _BLACK + _RANGE * np.minimum(light / DIFFUSE_WHITE, 1.0) ** (1 / _GAMMA)
    rising = np.concatenate([[0], np.flatnonzero(np.diff(exact) > 0) + 1])
    back = np.interp(codes, exact[rising], codes[rising]).astype(np.float32)
    return np.rint(exact).astype(np.uint16), back
