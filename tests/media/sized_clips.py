"""Small generated clips of unusual sizes, and the bound on them for a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ci_notebook.media.ffmpeg import run
from ci_notebook.model.bounds import current_bounds, restore_bounds, set_bounds

SIZES = ((1, 1), (2, 2), (16, 16), (17, 33), (8, 1000), (1000, 8), (321, 181), (8192, 16))
FRAMES, RATE = 3, 5


def sized_clip(folder: Path, wide: int, high: int) -> Path:
    """Write a clip of this size, which may be odd, and return its path."""
    path = folder / f"{wide}x{high}.mkv"
    pixels = "yuv444p" if wide % 2 or high % 2 else "yuv420p"
    source = f"testsrc=s={wide}x{high}:r={RATE}"
    run(["-f", "lavfi", "-i", source, "-frames:v", FRAMES, "-c:v", "ffv1", "-pix_fmt", pixels, path])
    return path


def growing_clip(folder: Path, first: tuple[int, int], later: tuple[int, int], *, count: int = 10) -> Path:
    """Write a clip of MJPEG whose header and first `count` frames have the first size, and three more the other."""
    parts = []
    for number, (size, frames) in enumerate(((first, count), (later, 3))):
        part = folder / f"part{number}.mjpeg"
        source = f"testsrc=s={size[0]}x{size[1]}:r=25"
        run(["-f", "lavfi", "-i", source, "-frames:v", frames, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", part])
        parts.append(part.read_bytes())
    joined, path = folder / "joined.mjpeg", folder / "growing.mkv"
    joined.write_bytes(b"".join(parts))
    run(["-f", "mjpeg", "-r", "25", "-i", joined, "-c", "copy", path])
    return path


@contextmanager
def pixels_at_most(count: int) -> Iterator[None]:
    """Lower the bound on a frame's pixels."""
    before = current_bounds()
    set_bounds(pixels=count)
    try:
        yield
    finally:
        restore_bounds(before)
