"""Clips that were damaged on purpose: flipped bits, cuts, swapped and zeroed blocks, impossible sizes in headers."""

from __future__ import annotations

import functools
import random
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from ci_notebook.media.ffmpeg import find_ffmpeg
from ci_notebook.media.samples import sample

KINDS: Final = ("mp4", "mkv", "ts")
_SIZES: Final = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\x80\0\0\0")


@functools.cache
def whole_clip(kind: str) -> bytes:
    """Return a clip of ten frames of 96x54 px in a container."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"clip.{kind}"
        command = [find_ffmpeg(), "-v", "error", "-i", sample("city"), "-t", "0.4", "-vf", "scale=96:54"]
        subprocess.run([*command, "-c:v", "libx264", "-preset", "ultrafast", path], check=True)
        return path.read_bytes()


def damaged_clip(number: int) -> tuple[str, bytes]:
    """Return a name and the bytes of damaged clip `number`, the same each time."""
    kind, how = KINDS[number // 7 % len(KINDS)], number % 7
    data, rng = bytearray(whole_clip(kind)), random.Random(number)
    head = max(data.find(b"moov"), 0)
    at, other, length = rng.randrange(len(data)), rng.randrange(len(data)), rng.randrange(16, 2000)
    if how == 0:
        for _ in range(rng.choice([1, 4, 40])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif how == 1:
        for _ in range(rng.choice([1, 3, 12])):
            data[rng.randrange(head, len(data))] = rng.choice([0, 255, 127, rng.randrange(256)])
    elif how == 2:
        data = data[: rng.randrange(8, len(data))]
    elif how == 3:
        data[at : at + 400], data[other : other + 400] = data[other : other + 400], data[at : at + 400]
    elif how == 4:
        size = rng.randrange(head, len(data) - 4)
        data[size : size + 4] = rng.choice(_SIZES)
    elif how == 5:
        data[at : at + length] = bytes(len(data[at : at + length]))
    else:
        begin = rng.randrange(600)
        data[begin : begin + 2] = rng.randbytes(2)
    return f"damaged-{number}.{kind}", bytes(data)
