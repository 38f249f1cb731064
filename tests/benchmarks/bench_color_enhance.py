"""Print what AUTO of ColorEnhance does to clips that need nothing, to night scenes, and to spoiled clips.

    python tests/benchmarks/bench_color_enhance.py [--frames 12] [--with-sharpening] [--knobs 10] [CLIP ...]

Each clip is decoded, analysed and filtered as in a job, without an encoder. Columns:

    dE        mean CIEDE2000 of the result to the source
    back      spoiled clips: share of the way back to the clip before it was spoiled, by CIEDE2000
    clipped   % of pixels with a channel at 0 or 255 (two levels of tolerance) that was inside before
    black     % of pixels with all channels at 0 (two levels of tolerance)
    unsteady  % of the mean luma; the largest change between two frames that the source does not have
    values    Contrast, Correction, Saturation that AUTO chose

`--knobs N` prints instead, for N places in the range of each knob, whether two neighbouring values make the same
frame, and at each tenth of the range whether the knob's measure rises.

The clips are the samples, surfaces and lamps that FFmpeg draws, and the files that are named. A named file
counts as one that needs nothing, and is spoiled too. The last rows are the means of each kind.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ci_notebook.engine.render.analysis import Analysis, analyse
from ci_notebook.engine.render.graph import chain, resolved_levels
from ci_notebook.media import color_tags
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.probe import media_info
from ci_notebook.media.samples import sample, samples
from ci_notebook.media.scoring import no_reference
from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.setting.enhance import ColorEnhance, MsSharpen, VideoEnhance

Rgb = NDArray[np.uint8]
NIGHT = ("city",)
COLOR = ColorEnhance(contrast=AUTO, correction=AUTO, saturation=AUTO)
LINEAR = "zscale=tin=bt709:pin=bt709:min=bt709:t=linear:npl=100,format=gbrpf32le"
SPOILS = {
    "light x 0.35": "lutrgb=r=val*0.6209:g=val*0.6209:b=val*0.6209",  # 0.35 of linear light at gamma 2.2
    "level x 0.35": "lutrgb=r=val*0.35:g=val*0.35:b=val*0.35",
    "warm": "lutrgb=r=clip(val*1.12\\,0\\,255):g=val:b=val*0.8",
    "cool": "lutrgb=r=val*0.82:g=val*0.98:b=clip(val*1.1\\,0\\,255)",
    "green": "lutrgb=r=val*0.85:g=val:b=val*0.8",
    "flat": "lutrgb=r=val*0.55+58:g=val*0.55+58:b=val*0.55+58",
    "flat and grey": "lutrgb=r=val*0.6+40:g=val*0.6+40:b=val*0.6+40,hue=s=0.5",
}
SURFACES = {
    "grey wall": "color=0x8c8880,vignette=PI/7",
    "white wall": "color=0xd8d4cc,vignette=PI/8",
    "blue sky": "gradients=c0=0x6aa0d8:c1=0xb8d4ec:x0=0:y0=0:x1=0:y1=270:nb_colors=2:speed=0.00001",
    "red curtain": "color=0x902020,vignette=PI/6",
    "dark cloth": "color=0x202428,vignette=PI/6",
    "grass": "color=0x4c7030,noise=alls=30",
}
LAMPS = "color=0x06060a,drawbox=60:60:20:20:0xfff0c0:fill,drawbox=300:120:30:12:0xff8040:fill,gblur=5,vignette=PI/8"


@dataclass(frozen=True, slots=True)
class Row:
    """One measured clip; `back` is None where there is no better clip."""

    kind: str
    name: str
    change: float
    back: float | None
    clipped: float
    black: float
    unsteady: float
    values: tuple[int, ...]

    def text(self) -> str:
        back = "     -" if self.back is None else f"{100 * self.back:5.0f}%"
        return (
            f"{self.kind:<14} {self.name:<24} {self.change:6.2f} {back} {self.clipped:8.2f} {self.black:6.2f}"
            f" {self.unsteady:9.2f}  {' '.join(map(str, self.values))}"
        )


def frames_of(path: Path, filters: str, *, count: int) -> Rgb:
    """Return up to `count` frames of a BT.709 clip after some filters, count x H x W x 3."""
    video = media_info(path).stream.video[0]  # type: ignore[union-attr]
    shown = f"{filters},scale=flags={color_tags.EXACT_FLAGS}:in_color_matrix=bt709:in_range=tv,format=rgb24"
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "raw"
        run(["-i", path, "-frames:v", count, "-vf", shown, "-f", "rawvideo", target])
        return np.fromfile(target, np.uint8).reshape(-1, video.height or 0, video.width or 0, 3)


def enhanced(path: Path, setting: VideoEnhance, *, count: int, analysis: Analysis | None = None) -> Rgb:
    """Return the frames that a job gets from a clip before it encodes them."""
    return frames_of(path, ",".join(chain(setting, media_info(path), analysis or analyse(path))), count=count)


def lab_of(rgb: Rgb) -> NDArray[np.float64]:
    """Return CIELAB of sRGB pixels, under D65."""
    code = rgb.astype(float) / 255
    light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    xyz = light @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    xyz /= [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def ciede2000(one: Rgb, other: Rgb) -> NDArray[np.float64]:
    """Return CIEDE2000 of each pixel, by Sharma, Wu and Dalal (2005)."""
    (l1, a1, b1), (l2, a2, b2) = (np.moveaxis(lab_of(rgb), -1, 0) for rgb in (one, other))
    c = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(c**7 / (c**7 + 25.0**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    dh = (h2 - h1 + 180) % 360 - 180
    dh = np.where(c1 * c2 == 0, 0, dh)
    dl, dc, big = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(dh) / 2)
    light, c = (l1 + l2) / 2, (c1 + c2) / 2
    h = np.where(c1 * c2 == 0, h1 + h2, (h1 + dh / 2) % 360)
    t = (
        1 - 0.17 * np.cos(np.radians(h - 30)) + 0.24 * np.cos(np.radians(2 * h))
        + 0.32 * np.cos(np.radians(3 * h + 6)) - 0.2 * np.cos(np.radians(4 * h - 63))
    )  # fmt: skip
    sl = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    sc, sh = 1 + 0.045 * c, 1 + 0.015 * c * t
    rt = -2 * np.sqrt(c**7 / (c**7 + 25.0**7)) * np.sin(np.radians(60 * np.exp(-(((h - 275) / 25) ** 2))))
    total: NDArray[np.float64] = np.sqrt(
        (dl / sl) ** 2 + (dc / sc) ** 2 + (big / sh) ** 2 + rt * (dc / sc) * (big / sh)
    )
    return total


def clipped(rgb: Rgb) -> NDArray[np.bool_]:
    """Return which pixels have a channel at black or white, within two levels."""
    return ((rgb <= 2) | (rgb >= 253)).any(axis=-1)


def measure(kind: str, name: str, clip: Path, setting: VideoEnhance, *, count: int, good: Rgb | None = None) -> Row:
    """Measure one clip; `good` are the frames before the clip was spoiled."""
    analysis = analyse(clip)
    before = frames_of(clip, "null", count=count)
    after = enhanced(clip, setting, count=count, analysis=analysis)
    back = None
    if good is not None:
        back = 1 - float(ciede2000(after, good).mean() / ciede2000(before, good).mean())
    steps = [np.diff(np.log((rgb @ [0.2126, 0.7152, 0.0722]).mean(axis=(1, 2)) + 0.01)) for rgb in (before, after)]
    return Row(
        kind, name, float(ciede2000(before, after).mean()), back,
        100 * float((clipped(after) & ~clipped(before)).mean()), 100 * float((after <= 2).all(axis=-1).mean()),
        100 * float(np.abs(steps[1] - steps[0]).max()) if len(before) > 1 else 0.0,
        tuple(resolved_levels(setting, analysis).values()),
    )  # fmt: skip


def write(target: Path, source: Path | str, filters: str, *, count: int) -> Path:
    """Write a clip of BT.709 frames, from a file or from a source of FFmpeg."""
    given = ["-i", source] if isinstance(source, Path) else ["-f", "lavfi", "-i", source]
    back = "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int,format=yuv420p"
    tags = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
    run([*given, "-frames:v", count, "-vf", f"{filters},{back},{tags}", "-c:v", "libx264", "-crf", "10", target])
    return target


def rows(clips: list[Path], folder: Path, setting: VideoEnhance, *, count: int) -> Iterator[Row]:
    """Yield the rows of all clips: those that need nothing, night, surfaces, and the spoiled ones."""
    rgb = "scale=in_color_matrix=bt709:in_range=tv:flags=accurate_rnd+full_chroma_int+full_chroma_inp,format=gbrp"
    for clip in clips:
        name = clip.stem
        fit = "crop=trunc(iw/2)*2:trunc(ih/2)*2,scale='min(640,iw)':-2:in_color_matrix=bt709:out_color_matrix=bt709"
        plain = write(folder / f"{name}.mp4", clip, fit, count=count)
        yield measure("night" if name in NIGHT else "ordinary", name, plain, setting, count=count)
        good = frames_of(plain, "null", count=count)
        for spoil, filters in SPOILS.items():
            if name not in NIGHT:
                bad = write(folder / f"{name} {spoil}.mp4".replace(" ", "_"), plain, f"{rgb},{filters}", count=count)
                yield measure(spoil, name, bad, setting, count=count, good=good)
    for name, lamps in (("lamps", LAMPS), ("dim city", ""), ("centre of city", "")):
        filters = {"lamps": "null", "dim city": f"{rgb},lutrgb=r=val*0.6:g=val*0.6:b=val*0.6"}.get(name, "crop=320:180")
        source: Path | str = f"{lamps},trim=end_frame={count}" if lamps else sample("city")
        clip = write(folder / f"{name}.mp4".replace(" ", "_"), source, filters, count=count)
        yield measure("night", name, clip, setting, count=count)
    for name, drawn in SURFACES.items():
        head, _, tail = drawn.partition(",")
        source = f"{head}:s=480x270,format=gbrp,noise=alls=4:allf=t:all_seed=3"
        source += f"{',' + tail if tail else ''},trim=end_frame={count}"
        clip = write(folder / f"{name}.mp4".replace(" ", "_"), source, "null", count=count)
        yield measure("surface", name, clip, setting, count=count)


KNOBS: dict[str, tuple[int, Callable[[int], VideoEnhance], Callable[[Rgb], float]]] = {
    "Contrast": (
        100, lambda value: _color(contrast=value), lambda rgb: no_reference.contrast(no_reference.luma_of(rgb)),
    ),
    "Correction": (1000, lambda value: _color(correction=value), lambda rgb: -_ends_missed(rgb)),
    "Saturation": (300, lambda value: _color(saturation=value), no_reference.colourfulness),
    "SharpenLevel": (
        10, lambda value: VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=value)),
        lambda rgb: no_reference.laplacian_variance(no_reference.luma_of(rgb)),
    ),
}  # fmt: skip


def _color(**values: int) -> VideoEnhance:
    return VideoEnhance(color_enhance=ColorEnhance(**{"contrast": 0, "correction": 0, "saturation": 0, **values}))


def _ends_missed(rgb: Rgb) -> float:
    """Return how far the darkest and the lightest 2 % of each channel are from black and white, in levels."""
    ordered = np.sort(rgb.reshape(-1, 3), axis=0).astype(float)
    tail = len(ordered) // 50
    return float(ordered[:tail].mean() + 255 - ordered[-tail:].mean())


def print_knobs(clips: list[Path], *, pairs: int) -> None:
    """Print for each knob how many neighbouring values make the same frame, and how many steps go the wrong way."""
    print(f"{'knob':<14} {'clip':<12} {'pairs':>6} {'same':>6}   {'tenths':>6} {'wrong':>6}  measure at each tenth")
    for knob, (most, setting, measured_by) in KNOBS.items():
        for clip in clips:
            analysis = analyse(clip)

            def shown(
                value: int, clip: Path = clip, setting: Callable[[int], VideoEnhance] = setting,
                analysis: Analysis = analysis,
            ) -> Rgb:  # fmt: skip
                frame: Rgb = enhanced(clip, setting(value), count=1, analysis=analysis)[0]
                return frame

            starts = sorted({round(place) for place in np.linspace(0, most - 1, pairs)})
            same = sum(np.array_equal(shown(value), shown(value + 1)) for value in starts)
            values = [measured_by(shown(round(most * tenth / 10))) for tenth in range(11)]
            wrong = sum(after <= before for before, after in itertools.pairwise(values))
            row = " ".join(f"{value:.4g}" for value in values)
            print(f"{knob:<14} {clip.stem:<12} {len(starts):>6} {same:>6}   {10:>6} {wrong:>6}  {row}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--frames", type=int, default=12, help="frames of each clip")
    parser.add_argument("--with-sharpening", action="store_true", help="AUTO of MsSharpen too")
    parser.add_argument(
        "--knobs", type=int, default=0, metavar="N", help="try N pairs of neighbours of each knob instead"
    )
    asked = parser.parse_args()
    if asked.knobs:
        print_knobs([sample(one) for one in samples()] + asked.clips, pairs=asked.knobs)
        return
    setting = VideoEnhance(
        color_enhance=COLOR, ms_sharpen=MsSharpen(sharpen_level=AUTO) if asked.with_sharpening else None
    )
    head = f"{'kind':<14} {'clip':<24} {'dE':>6} {'back':>6} {'clipped':>8} {'black':>6} {'unsteady':>9}  values"
    print(head)
    found: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as name:
        clips = [sample(one) for one in samples()] + asked.clips
        for row in rows(clips, Path(name), setting, count=asked.frames):
            print(row.text(), flush=True)
            found.setdefault(row.kind, []).append(row)
    print("\nmeans, and the worst of clipped and black\n" + head)
    for kind, group in found.items():
        backs = [row.back for row in group if row.back is not None]
        mean = Row(
            kind, f"{len(group)} clips", float(np.mean([row.change for row in group])),
            float(np.mean(backs)) if backs else None, max(row.clipped for row in group),
            max(row.black for row in group), max(row.unsteady for row in group), (),
        )  # fmt: skip
        print(mean.text())


if __name__ == "__main__":
    main()
