"""Small generated clips with one odd property each, and the frames that a player shows of them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ci_notebook.media.ffmpeg import find_ffmpeg, run
from ci_notebook.media.samples import sample

FRAMES, RATE = 25, 25.0
WIDE, HIGH = 320, 180
LENGTH_S = FRAMES / RATE
_EXACT = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"


@dataclass(frozen=True, slots=True)
class OddFile:
    """How a file is odd. `rotation` and `flips` go into its display matrix, `aspect` is the shape of a pixel."""

    suffix: str = ".mp4"
    rotation: int = 0
    flips: tuple[str, ...] = ()
    aspect: str = "1"
    has_cover_first: bool = False
    has_no_duration: bool = False

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height in square pixels, as a player shows them."""
        across, _, down = self.aspect.partition("/")
        wide = round(WIDE * int(across) / int(down or 1))
        return (HIGH, wide) if self.rotation % 180 else (wide, HIGH)

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height in stored pixels, as a player turns them."""
        return (HIGH, WIDE) if self.rotation % 180 else (WIDE, HIGH)


ODD_FILES = {
    "cover first": OddFile(has_cover_first=True),
    "mirrored": OddFile(flips=("-display_hflip",)),
    "upside down": OddFile(flips=("-display_vflip",)),
    "rotated": OddFile(rotation=90),
    "rotated back": OddFile(rotation=270),
    "turned over": OddFile(rotation=180),
    "rotated and mirrored": OddFile(rotation=90, flips=("-display_hflip",)),
    "rotated and upside down": OddFile(rotation=90, flips=("-display_vflip",)),
    "anamorphic": OddFile(aspect="3/2"),
    "rotated anamorphic": OddFile(rotation=90, aspect="5/4"),
    "no duration": OddFile(suffix=".webm", has_no_duration=True),
}


def make(name: str, folder: Path) -> Path:
    """Write one odd file into `folder`."""
    odd = ODD_FILES[name]
    plain, path = folder / f"plain{odd.suffix}", folder / f"odd{odd.suffix}"
    codec = ["-c:v", "libx264", "-crf", "6", "-preset", "veryfast"]
    if odd.suffix == ".webm":
        codec = ["-c:v", "libvpx", "-b:v", "6M", "-deadline", "realtime"]
    shape = f"scale={WIDE}:{HIGH}:out_color_matrix=bt709,setsar={odd.aspect},setparams=colorspace=bt709"
    run(["-i", sample(), "-frames:v", FRAMES, "-vf", shape, "-an", *codec, plain])
    if odd.has_no_duration:
        path.write_bytes(_streamed(plain))
    elif odd.has_cover_first:
        _with_cover_first(plain, path)
    else:
        turn = ["-display_rotation", odd.rotation] if odd.rotation else []
        run([*turn, *odd.flips, "-i", plain, "-c", "copy", path])
    return path


def as_players_show(path: Path, name: str) -> NDArray[np.uint8]:
    """Return all frames in RGB and square pixels, turned and mirrored by FFmpeg itself."""
    wide, high = ODD_FILES[name].shown
    filters = f"scale={wide}:{high}:flags={_EXACT}"
    command = [
        str(find_ffmpeg()), "-v", "error", "-i", str(path), "-map", "0:V:0", "-vf", filters,
        "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-",
    ]  # fmt: skip
    data = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(data, np.uint8).reshape(-1, high, wide, 3)


def _streamed(path: Path) -> bytes:
    """Return a WebM as a browser records it: without duration and index, because the output cannot seek."""
    command = [str(find_ffmpeg()), "-v", "error", "-i", str(path), "-c", "copy", "-f", "webm", "-live", "1", "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def _with_cover_first(video: Path, path: Path) -> None:
    """Add cover art larger than the video, and store it before the video's track, as taggers of music do."""
    art, cover_last = path.with_name("art.jpg"), path.with_name("cover-last.mp4")
    run(["-f", "lavfi", "-i", "color=red:s=600x600:d=0.1", "-frames:v", "1", "-update", "1", art])
    run(
        ["-i", video, "-i", art, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:1", "attached_pic", cover_last]
    )
    data = cover_last.read_bytes()
    begin, end = next((begin, end) for kind, begin, end in _boxes(data, 0, len(data)) if kind == b"moov")
    boxes = list(_boxes(data, begin + 8, end))
    cover = b"".join(data[one:two] for kind, one, two in boxes if kind == b"udta")
    tracks = [data[one:two] for kind, one, two in boxes if kind != b"udta"]
    path.write_bytes(data[: begin + 8] + tracks[0] + cover + b"".join(tracks[1:]) + data[end:])


def _boxes(data: bytes, at: int, end: int) -> list[tuple[bytes, int, int]]:
    boxes = []
    while at + 8 <= end:
        size = int.from_bytes(data[at : at + 4], "big")
        boxes.append((data[at + 4 : at + 8], at, at + size))
        at += max(8, size)
    return boxes
