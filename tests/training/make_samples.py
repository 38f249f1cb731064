"""Make the sample clips: photographs under a moving camera, cuts of footage, and a drawn screen.

    python tests/training/make_samples.py FOLDER_WITH_THE_SOURCES --out ci_notebook/samples [NAME ...]

`ci_notebook/samples/PROVENANCE.md` says where the sources come from. The camera's path is smooth and
known to a fraction of a pixel, and every picture is one antialiased cut of the photograph, so that the
clips are as sharp as real footage gets. `screen` is drawn here, with its sound: nothing of it has a source.
"""

from __future__ import annotations

import argparse
import bz2
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

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


@dataclass(frozen=True)
class Cut:
    """A part of a video file: which of its video streams, from when and how long, in seconds."""

    file: str
    stream: int
    start_s: float
    length_s: float
    crf: int


CUTS = {
    "telescope": Cut("nasa_13013.mp4", 1, 8.1, 4.0, 14),
    "technician": Cut("nasa_13013.mp4", 1, 5.7, 2.2, 14),
}

SCREEN = (640, 360)
SCREEN_PICTURES = 100
RATE = 48_000  # of the sound
LINES = (
    "# What a screen shows", "Letters have edges of one pixel.", "A codec that saves bits makes them soft,",
    "and a filter that sharpens adds a rim.", "", "level  bytes", "0    412 881", "2    431 207", "4    455 930",
    "6    489 114", "8    533 672", "10   590 448", "", "The page scrolls, the window is dragged,",
    "the pointer crosses both,", "and every key makes a click.",
)  # fmt: skip


def screen() -> tuple[bytes, bytes]:
    """Return the pictures of a window in which somebody types, scrolls and drags, as RGB bytes, and its sound.

    The sound is a click for every key, as 16-bit samples of one channel.
    """
    font, small = ImageFont.load_default(16), ImageFont.load_default(11)
    text = "\n".join(LINES)
    made, clicks = [], []
    for number in range(SCREEN_PICTURES):
        typed = min(len(text), 60 + 5 * min(number, 60))
        if number < 60:
            clicks.append(number)
        page = Image.new("RGB", SCREEN, (38, 70, 96))
        pen = ImageDraw.Draw(page)
        for stripe in range(0, 360, 12):
            pen.line((0, stripe, 640, stripe + 80), fill=(44, 80, 108))
        left = 30 + max(0, number - 75) * 4  # the window is dragged at the end
        pen.rectangle((left, 24, left + 460, 336), fill=(250, 250, 246), outline=(20, 20, 20))
        pen.rectangle((left, 24, left + 460, 46), fill=(70, 70, 78))
        pen.text((left + 10, 28), "notes.txt", font=small, fill=(235, 235, 235))
        body = Image.new("RGB", (456, 286), (250, 250, 246))
        write = ImageDraw.Draw(body)
        rows = text[:typed].split("\n")
        scroll = max(0, 22 * len(rows) - 276) + max(0, min(number - 62, 12)) * -7
        for row, words in enumerate(rows):
            color = (120, 120, 120) if words.startswith("#") else (20, 40, 120) if words[:1].isdigit() else (24, 24, 24)
            write.text((10, 6 + 22 * row - max(0, scroll)), words, font=font, fill=color)
        if number % 16 < 8:
            across = 10 + write.textlength(rows[-1], font=font)
            down = 8 + 22 * (len(rows) - 1) - max(0, scroll)
            write.rectangle((across + 1, down, across + 3, down + 16), fill=(200, 60, 40))
        page.paste(body, (left + 2, 48))
        x, y = 560 - 3.2 * number, 330 - 2.9 * number
        pen.polygon([(x, y), (x + 12, y + 13), (x + 5, y + 14), (x, y + 20)], fill=(255, 255, 255), outline=(0, 0, 0))
        made.append(page.tobytes())
    sound = np.zeros(RATE * SCREEN_PICTURES // PER_SECOND)
    noise = np.random.default_rng(1).normal(0, 1, 960) * np.exp(-np.arange(960) / 150)
    for number in clicks:
        at = RATE * number // PER_SECOND
        sound[at : at + 960] += 0.12 * noise
    return b"".join(made), (32767 * np.clip(sound, -1, 1)).astype("<i2").tobytes()


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


BT709 = "format=yuv420p,setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
FROM_RGB = f"scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int,{BT709}"
EXACT = [
    *("-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"),
    *("-map_metadata", "-1", "-movflags", "+faststart"),
]


def encode(
    before: list[str], crf: int, out: Path, *, graph: str, sound: str = "-an", data: bytes | None = None
) -> None:
    """Run FFmpeg from its inputs to the sample."""
    words = ["-vf", graph, "-c:v", "libx264", "-preset", "veryslow", "-crf", str(crf), "-g", "50"]
    command = [str(find_ffmpeg()), "-y", "-v", "error", *before, *words, *sound.split(), *EXACT, str(out)]
    subprocess.run(command, input=data, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=[*MOVES, *CUTS, "screen"])
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-r", str(PER_SECOND)]
    for name in args.names:
        out = args.out / f"{name}.mp4"
        if name in MOVES:
            move = MOVES[name]
            before = [*raw, "-s", f"{move.width}x{move.height}", "-i", "pipe:0"]
            data = pictures(photograph(args.folder / move.file), move)
            encode(before, move.crf, out, graph=FROM_RGB, data=data)
        elif name in CUTS:
            cut = CUTS[name]
            when = ["-ss", str(cut.start_s), "-t", str(cut.length_s), "-i", str(args.folder / cut.file)]
            encode([*when, "-map", f"0:v:{cut.stream}"], cut.crf, out, graph=BT709)
        else:
            shown, heard = screen()
            with tempfile.NamedTemporaryFile(suffix=".s16") as file:
                file.write(heard)
                file.flush()
                audio = ["-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", file.name]
                before = [*raw, "-s", "640x360", "-i", "pipe:0", *audio]
                encode(before, 20, out, graph=FROM_RGB, sound="-c:a aac -b:a 64k", data=shown)


if __name__ == "__main__":
    main()
