"""Pairs of clips that are identical on every machine: frames of a sample, changed by integer arithmetic.

No encoder is between them and a score, so that numbers of other implementations can be written down.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import av
import numpy as np

from ci_notebook.media.ffmpeg import run
from ci_notebook.media.samples import sample

WIDE, HIGH, COUNT = 640, 360, 10
Luma = np.ndarray


def source() -> Luma:
    """Return the luma of the first pictures of the city: pictures, rows, columns."""
    with av.open(str(sample("city"))) as container:
        planes = []
        for picture in container.decode(video=0):
            planes.append(picture.to_ndarray()[:HIGH])  # the first rows are luma
            if len(planes) == COUNT:
                return np.stack(planes)
    raise AssertionError("the sample is shorter than it was")


def _soft(luma: Luma) -> Luma:
    wide = np.pad(luma.astype(np.int32), ((0, 0), (1, 1), (1, 1)), mode="edge")
    return sum(wide[:, y : y + HIGH, x : x + WIDE] for y in range(3) for x in range(3)) // 9


def _noisy(luma: Luma) -> Luma:
    n, y, x = np.indices(luma.shape)
    return luma.astype(np.int32) + ((x * 73 + y * 151 + n * 199 + x * y) % 25) - 12


CHANGES: Final[dict[str, Callable[[Luma], Luma]]] = {
    "soft": _soft,
    "sharp": lambda luma: 2 * luma.astype(np.int32) - _soft(luma),
    "noisy": _noisy,
    "coarse": lambda luma: luma.astype(np.int32) // 12 * 12 + 6,
    "strong": lambda luma: 128 + (luma.astype(np.int32) - 128) * 5 // 4,
}


def changed(luma: Luma, how: str) -> Luma:
    return np.clip(CHANGES[how](luma), 16, 235).astype(np.uint8)


def stored(luma: Luma, path: Path) -> Path:
    """Write pictures without loss, with colour that says nothing."""
    raw = path.with_suffix(".yuv")
    grey = bytes([128]) * (WIDE * HIGH // 2)
    raw.write_bytes(b"".join(picture.tobytes() + grey for picture in luma))
    size = f"{WIDE}x{HIGH}"
    run(["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", "25", "-i", raw, "-c:v", "ffv1", path], total_s=0.5)
    return path
