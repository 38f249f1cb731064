"""A clip whose frames say their own number, in blocks that survive coding, scaling and enhancement.

The upper edge holds the number in eight blocks, the lower edge five patches of known color. So a test can
tell which frame a reader shows, and whether its colors are right, without another decoder as the judge.
"""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ci_notebook.media.ffmpeg import find_ffmpeg, run
from ci_notebook.media.samples import sample
from tests.bt2100 import WHITE, bt1886, in_primaries, inverse_bt1886

FRAMES, RATE = 25, 25.0
WIDE, HIGH = 320, 180
STRIP: Final = 24  # px, height of both edges
PATCHES: Final = ((200, 40, 40), (40, 180, 60), (50, 60, 200), (128, 128, 128), (200, 150, 120))
BLOCKS: Final = 8
Picture = NDArray[np.uint8]


@functools.cache
def _city() -> Picture:
    command = [
        str(find_ffmpeg()), "-v", "error", "-i", str(sample()), "-vf", f"scale={WIDE}:{HIGH}", "-f", "rawvideo",
        "-pix_fmt", "rgb24", "-",
    ]  # fmt: skip
    data = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(data, np.uint8).reshape(-1, HIGH, WIDE, 3)


def coded_frame(number: int) -> Picture:
    """Return frame `number` (0 to 127) as HIGHxWIDEx3 uint8 RGB."""
    city = _city()
    frame = city[number % len(city)].copy()
    bits = [number >> at & 1 for at in range(BLOCKS - 1)]
    for at, bit in enumerate([*bits, 1 - sum(bits) % 2]):  # the last block makes their number odd
        frame[:STRIP, at * WIDE // BLOCKS : (at + 1) * WIDE // BLOCKS] = 220 if bit else 30
    for at, color in enumerate(PATCHES):
        frame[-STRIP:, at * WIDE // len(PATCHES) : (at + 1) * WIDE // len(PATCHES)] = color
    return frame


def number_of(picture: Picture) -> int | None:
    """Return the number that a frame of any size says; None where the blocks cannot be read."""
    small = np.asarray(Image.fromarray(picture).convert("L").resize((WIDE, HIGH)), int)
    width = WIDE // BLOCKS
    levels = [
        small[STRIP // 3 : 2 * STRIP // 3, at * width + width // 3 : at * width + 2 * width // 3].mean()
        for at in range(BLOCKS)
    ]
    bits = [level > 125 for level in levels]
    if any(70 < level < 180 for level in levels) or sum(bits) % 2 == 0:
        return None
    return sum(bit << at for at, bit in enumerate(bits[:-1]))


def patch_error(picture: Picture, primaries: str = "bt709") -> float:
    """Return by how much the patches of a frame of any size differ from their colors: the largest, of 255.

    `primaries` are those in which the clip states the colors. The frame is in BT.709, where colors outside are cut.
    """
    light = in_primaries(bt1886(np.array(PATCHES) / 255), primaries, "bt709")
    colors = 255 * inverse_bt1886(np.clip(light, 0, WHITE))
    high, wide = picture.shape[:2]
    top, bottom = round(high * (1 - 0.6 * STRIP / HIGH)), round(high * (1 - 0.35 * STRIP / HIGH))
    errors = []
    for at, color in enumerate(colors):
        left, right = (round(wide * (at + share) / len(PATCHES)) for share in (0.3, 0.7))
        errors.append(abs(picture[top:bottom, left:right].reshape(-1, 3).mean(axis=0) - color).max())
    return float(max(errors))


def write_coded(
    path: Path, *arguments: str | Path, frames: int = FRAMES, filters: str = "", rate: str = "25", begin: int = 0
) -> Path:
    """Write a clip of coded frames; `arguments` are FFmpeg's for its output, `filters` those before its encoder."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.rgb"
        raw.write_bytes(b"".join(coded_frame(number).tobytes() for number in range(begin, begin + frames)))
        chain = filters or "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,setparams=colorspace=bt709"
        run([
            "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDE}x{HIGH}", "-r", rate, "-i", raw, "-vf", chain,
            *arguments, path,
        ])  # fmt: skip
    return path
