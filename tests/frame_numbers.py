"""Clips whose frames show their number as bars, black for 0 and white for 1, so that pixels identify the frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ci_notebook.media.ffmpeg import run

BITS = 8


def counting_clip(
    path: Path, *options: str, pictures: int = 50, rate: int = 25, size: str = "320x180", filters: str = ""
) -> Path:
    """Write a clip whose upper half shows the picture's number, lowest bit on the left; the lower half moves."""
    lum = f"if(lt(Y,H/2),16+219*mod(floor(N/pow(2,floor(X*{BITS}/W))),2),60+mod(X+Y+6*N,120))"
    source = f"color=gray:s={size}:r={rate}:d={pictures / rate},format=yuv420p,geq=lum='{lum}':cb=118:cr=138"
    chain = source + (f",{filters}" if filters else "")
    coding = options or ("-c:v", "libx264", "-crf", "16", "-preset", "veryfast", "-g", "24", "-bf", "3")
    run(["-f", "lavfi", "-i", chain, *coding, path])
    return path


def number_in(rgb: Any) -> int:
    """Return the number that a picture carries."""
    high, wide = np.asarray(rgb).shape[:2]
    row = np.asarray(rgb)[high // 4, :, 1]
    return sum(1 << bit for bit in range(BITS) if row[int((bit + 0.5) * wide / BITS)] > 127)
