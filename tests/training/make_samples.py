"""Make the sample clips that are photographs under a moving camera.

    python tests/training/make_samples.py FOLDER_WITH_THE_PHOTOGRAPHS --out ci_notebook/samples

`ci_notebook/samples/PROVENANCE.md` says where the photographs come from. The camera's path is smooth and
known to a fraction of a pixel, and every picture is one antialiased cut of the photograph, so that the
clips are as sharp as real footage gets.
"""

from __future__ import annotations

import argparse
import bz2
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ci_notebook.media.ffmpeg import find_ffmpeg

PICTURES, PER_SECOND = 50, 25


@dataclass(frozen=True)
class Move:
    """A path of the camera: the window's middle (x, y) and width at the begin and at the end, in px."""

    file: str
    width: int
    height: int
    begin: tuple[float, float, float]
    end: tuple[float, float, float]
    crf: int


MOVES = {
    "raccoon": Move("face.dat", 640, 360, (480.0, 260.0, 900.0), (640.0, 300.0, 700.0), 20),
    "meadow": Move(
        "seeding_by_Clements_Engelhardt.jpg", 640, 360, (1900.0, 1250.0, 3000.0), (2700.0, 1400.0, 3600.0), 20
    ),
    "portrait": Move("grace_hopper.jpg", 480, 272, (256.0, 160.0, 508.0), (250.0, 300.0, 484.0), 19),
    "coffee": Move("coffee.png", 480, 272, (302.0, 190.0, 590.0), (270.0, 215.0, 490.0), 19),
}


def photograph(path: Path) -> Image.Image:
    """Return a photograph as RGB; `face.dat` is a compressed plane of 768 x 1024 x 3 bytes."""
    if path.suffix == ".dat":
        return Image.fromarray(np.frombuffer(bz2.decompress(path.read_bytes()), np.uint8).reshape(768, 1024, 3))
    return Image.open(path).convert("RGB")


def pictures(photo: Image.Image, move: Move) -> bytes:
    """Return the pictures of a move, one after the other, as RGB bytes."""
    made = []
    for share in np.linspace(0, 1, PICTURES):
        eased = share * share * (3 - 2 * share)  # the camera starts and stops gently
        x, y, wide = (a + (b - a) * eased for a, b in zip(move.begin, move.end, strict=True))
        high = wide * move.height / move.width
        box = (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)
        made.append(photo.resize((move.width, move.height), Image.Resampling.LANCZOS, box=box).tobytes())
    return b"".join(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    for name, move in MOVES.items():
        subprocess.run(
            [
                str(find_ffmpeg()), "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24",
                "-s", f"{move.width}x{move.height}", "-r", str(PER_SECOND), "-i", "pipe:0",
                "-vf", "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int,"
                "format=yuv420p,"
                "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv",
                "-c:v", "libx264", "-preset", "veryslow", "-crf", str(move.crf), "-g", "50", "-threads", "1",
                "-fflags", "+bitexact", "-flags:v", "+bitexact", "-movflags", "+faststart",
                str(args.out / f"{name}.mp4"),
            ],
            input=pictures(photograph(args.folder / move.file), move), check=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
