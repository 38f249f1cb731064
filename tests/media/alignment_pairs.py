"""Pairs of videos whose alignment is known, because they are made here: the table of the tests and of the benchmark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ci_notebook.media.ffmpeg import run
from ci_notebook.media.samples import sample

Box = tuple[int, int, int, int]
"""Left, top, width and height in px."""

FAST = ("-c:v", "libx264", "-preset", "veryfast", "-an")
SIZE = (320, 180)
RATE = 25


@dataclass(frozen=True, slots=True)
class MadePair:
    """How an output is made from a base clip, and what scoring must say of it.

    Either `refused` is a regular expression for the reason, or the pair is scored: with this offset in frames, these
    parts of the frames, this note, and a PSNR above `psnr` dB if that is not None.
    """

    name: str
    base: str = "tour"
    filters: str = "null"
    options: tuple[str, ...] = ()
    crf: int = 16
    offset: int = 0
    source: Box | None = None
    output: Box | None = None
    psnr: float | None = 30.0
    note: str = ""
    refused: str = ""
    source_filters: str = ""
    other: str = ""  # the base of the source, if that is another film

    @property
    def id(self) -> str:
        """A name for pytest."""
        return f"{self.base}: {self.name}"


def make_base(name: str, folder: Path) -> Path:
    """Make a base clip, once a folder."""
    path = folder / f"{name}.mp4"
    if not path.exists():
        _BASES[name](path)
    return path


def make_pair(pair: MadePair, folder: Path) -> tuple[Path, Path]:
    """Return the output and the source of a pair."""
    base = make_base(pair.base, folder)
    number = [one.id for one in PAIRS].index(pair.id) if pair in PAIRS else len(PAIRS)
    source, output = base, folder / f"output{number}.mp4"
    if pair.other:
        source = make_base(pair.other, folder)
    elif pair.source_filters:
        source = folder / f"source{number}.mp4"
        run(["-i", base, "-vf", pair.source_filters, *FAST, "-crf", "14", source])
    run(["-i", base, *pair.options, "-vf", pair.filters, *FAST, "-crf", str(pair.crf), output])
    return output, source


def _tour(path: Path, *, seconds: float = 14, period: float = 0.0, size: tuple[int, int] = SIZE) -> None:
    """A camera that moves over a still: one long shot, every moment of which is another (or which repeats)."""
    if period:
        place = f"x='300+200*sin(2*PI*t/{period})':y='200+100*cos(2*PI*t/{period})'"
    else:
        place = "x='430+400*sin(0.37*t+0.05*t*t)':y='260+240*cos(0.53*t+0.03*t*t)'"
    wide, high = size
    scale = f"scale={4 * 320}:{4 * 180}"
    run(
        [
            "-ss",
            "1",
            "-i",
            sample("city"),
            "-vf",
            f"select=eq(n\\,0),{scale},loop=-1:1,setpts=N/{RATE}/TB,crop={wide}:{high}:{place},format=yuv420p",
            "-r",
            str(RATE),
            "-t",
            str(seconds),
            *FAST,
            "-crf",
            "10",
            path,
        ]
    )


def _joined(path: Path) -> None:
    """All samples after each other: cuts, real motion, and still stretches."""
    names = ("raccoon", "meadow", "city", "portrait", "coffee")
    inputs = [word for name in names for word in ("-i", sample(name))]
    scaled = ";".join(f"[{i}:v]scale=320:180,setsar=1,fps=25[v{i}]" for i in range(len(names)))
    joined = "".join(f"[v{i}]" for i in range(len(names)))
    graph = f"{scaled};{joined}concat=n={len(names)}[v]"
    run([*inputs, "-filter_complex", graph, "-map", "[v]", *FAST, "-crf", "10", path])


def _small(path: Path, name: str) -> None:
    run(["-i", sample(name), "-vf", "scale=320:180,setsar=1", *FAST, "-crf", "10", path])


def _still(path: Path) -> None:
    run(
        [
            "-i",
            sample("coffee"),
            "-vf",
            "select=eq(n\\,0),scale=320:180,setsar=1,loop=-1:1,setpts=N/25/TB",
            "-r",
            "25",
            "-t",
            "3",
            *FAST,
            "-crf",
            "10",
            path,
        ]
    )


_BASES: dict[str, Callable[[Path], None]] = {
    "tour": _tour,
    "loop": partial(_tour, seconds=6, period=1.2),
    "joined": _joined,
    "city": partial(_small, name="city"),
    "raccoon": partial(_small, name="raccoon"),
    "meadow": partial(_small, name="meadow"),
    "portrait": partial(_small, name="portrait"),
    "coffee": partial(_small, name="coffee"),
    "still": _still,
}


def _cut(seconds: float) -> str:
    return f"trim=start={seconds},setpts=PTS-STARTPTS"


def _shown(left: int, top: int, *, width: int = 320, height: int = 180) -> str:
    """Move the content right and down, with black where nothing is."""
    shown = f"crop={width - left}:{height - top}:0:0:exact=1,pad={width}:{height}:{left}:{top}"
    return f"format=yuv444p,{shown},format=yuv420p"


TIME = (
    *(
        MadePair(f"lead cut {s:g} s", base, _cut(s), offset=round(s * RATE))
        for base in ("tour", "joined")
        for s in (0.2, 1, 5, 10)
    ),
    *(
        MadePair(f"lead added {s:g} s", base, f"tpad=start_duration={s}:start_mode={mode}", offset=-round(s * RATE))
        for base, mode in (("tour", "clone"), ("joined", "add"))
        for s in (0.2, 1, 5, 10)
    ),
    MadePair("lead cut 5 s, 2.25 times larger", "tour", f"{_cut(5)},scale=720:404:flags=lanczos", offset=125),
    MadePair("late by 3 s, same length", "tour", "tpad=start_duration=3:start_mode=clone,trim=end=14", offset=-75),
    MadePair(
        "end cut 4 s", "tour", "trim=end=10", refused=r"shows it from 0\.00 s on, and ends 4\.00 s before .*length_s=10"
    ),
    MadePair("3 s to 9 s", "tour", "trim=3:9,setpts=PTS-STARTPTS", refused=r"start_s=3\.00 and length_s=6\.00"),
    MadePair(
        "end added 4 s",
        "joined",
        "tpad=stop_duration=4:stop_mode=clone",
        refused=r"continues 4\.00 s after the source ends",
    ),
    *(
        MadePair(f"speed {r:g}", base, f"setpts=PTS/{r}", refused=rf"at {r:g}\d* times the speed")
        for base in ("tour", "joined")
        for r in (1.02, 0.5, 2.0)
    ),
    MadePair(
        "frozen from the middle",
        "tour",
        "trim=end=7,tpad=stop_duration=7:stop_mode=clone",
        refused="is frozen from (6.9|7.0)",
    ),
    MadePair(
        "frozen from the middle", "raccoon", "trim=end=1,tpad=stop_duration=1:stop_mode=clone", refused="is frozen"
    ),
    MadePair(
        "frozen throughout", "tour", "select=eq(n\\,0),loop=-1:1,setpts=N/25/TB,trim=end=14", refused="cannot be scored"
    ),
    MadePair(
        "2 frames dropped",
        "tour",
        "select=not(between(n\\,126\\,127)),setpts=N/25/TB",
        refused="frames were lost or repeated",
    ),
    MadePair("12 frames repeated", "tour", "loop=12:1:150,setpts=N/25/TB", refused="(lost or repeated|is frozen)"),
    MadePair("half of the rate", "tour", "fps=12.5"),
    MadePair("every second frame repeated", "raccoon", "fps=12.5,fps=25", psnr=None),
)
PLACE = (
    MadePair("8 px cut at the left", "raccoon", "crop=312:180:8:0", source=(8, 0, 312, 180)),
    MadePair(
        "8 px cut at the right, scaled back",
        "city",
        "crop=312:180:0:0,scale=320:180:flags=bicubic",
        source=(0, 0, 312, 180),
    ),
    MadePair(
        "3 px cut at the top",
        "raccoon",
        "format=yuv444p,crop=320:176:0:3:exact=1,format=yuv420p",
        source=(0, 3, 320, 176),
    ),
    MadePair("2 px cut at the left", "meadow", "crop=318:180:2:0", source=(2, 0, 318, 180)),
    MadePair("200 × 120 px", "city", "crop=200:120:38:22", source=(38, 22, 200, 120)),
    MadePair("zoom to a quarter", "raccoon", "crop=160:90:80:40,scale=320:180:flags=bicubic", source=(80, 40, 160, 90)),
    MadePair(
        "letterbox 4 px",
        "raccoon",
        "drawbox=0:0:iw:4:black:fill,drawbox=0:ih-4:iw:4:black:fill",
        source=(0, 4, 320, 172),
        output=(0, 4, 320, 172),
    ),
    MadePair("letterbox 4 px, scaled", "city", "scale=320:172,pad=320:180:0:4", output=(0, 4, 320, 172)),
    MadePair("letterbox 60 px", "coffee", "pad=320:300:0:60", output=(0, 60, 320, 180)),
    MadePair("letterbox 60 px, scaled", "raccoon", "scale=320:60,pad=320:180:0:60", output=(0, 60, 320, 60), psnr=28),
    MadePair("pillarbox 40 px", "meadow", "scale=240:180,pad=320:180:40:0", output=(40, 0, 240, 180)),
    *(
        MadePair(
            f"moved by {px} px",
            base,
            _shown(px, 0),
            source=(0, 0, 320 - px - px % 2, 180),
            output=(px, 0, 320 - px - px % 2, 180),
        )
        for base in ("raccoon", "portrait")
        for px in (1, 8, 100)
    ),
    MadePair("moved down by 30 px", "city", _shown(0, 30), source=(0, 0, 320, 150), output=(0, 30, 320, 150)),
    MadePair("scale 0.9", "city", "scale=288:162,pad=320:180:-1:-1", output=(16, 8, 288, 162)),
    MadePair("half of the size", "city", "scale=160:-2"),
    MadePair("3 times the size", "portrait", "scale=960:540:flags=lanczos"),
    MadePair("turned, 8 px cut", "raccoon", "crop=312:180:0:0,transpose=clock", source=(0, 0, 312, 180)),
    MadePair(
        "lead cut 1 s, 200 × 120 px", "tour", f"{_cut(1)},crop=200:120:38:22", offset=25, source=(38, 22, 200, 120)
    ),
    MadePair(
        "lead cut 5 s, moved by 8 px",
        "tour",
        f"{_cut(5)},{_shown(8, 8)}",
        offset=125,
        source=(0, 0, 312, 172),
        output=(8, 8, 312, 172),
    ),
    MadePair("mirrored", "raccoon", "hflip", refused="do not match the source"),
)
LOOKS = (
    *(MadePair("the same", base) for base in ("tour", "loop", "joined", "portrait", "still")),
    MadePair("loop, lead cut 2.4 s", "loop", _cut(2.4), offset=60),
    MadePair("fade in and out", "raccoon", "fade=in:0:25,fade=out:25:25", psnr=None),
    MadePair("fades on both", "raccoon", "fade=in:0:25,fade=out:25:25", source_filters="fade=in:0:25,fade=out:25:25"),
    MadePair(
        "black, then the clip",
        "city",
        "tpad=start=60:color=black,trim=start_frame=2,setpts=PTS-STARTPTS",
        offset=2,
        source_filters="tpad=start=60:color=black",
    ),
    *(
        MadePair(f"noise {level}", base, f"noise=alls={level}:allf=t", psnr=None)
        for base, level in (("raccoon", 20), ("portrait", 50), ("still", 50))
    ),
    MadePair("denoised", "portrait", "hqdn3d=8", source_filters="noise=alls=30:allf=t", psnr=None),
    *(
        MadePair(f"look: {filters}", base, filters, psnr=None)
        for base, filters in (
            ("raccoon", "eq=contrast=1.5:brightness=0.1"),
            ("meadow", "eq=gamma=0.5"),
            ("city", "hue=s=3"),
            ("portrait", "eq=saturation=0"),
            ("city", "unsharp=7:7:3"),
            ("raccoon", "gblur=5"),
            ("tour", "unsharp=5:5:1.5,eq=contrast=1.3:gamma=1.2"),
            ("coffee", "negate=components=u"),
        )
    ),
    MadePair("crf 45", "raccoon", crf=45, psnr=None),
    MadePair("watermark", "portrait", "drawbox=200:20:100:40:white:fill", psnr=None),
    MadePair(
        "untagged full range",
        "raccoon",
        "scale=out_range=pc,format=yuv420p,setparams=range=unspecified",
        psnr=None,
        options=("-color_range", "unspecified"),
        note="0 to 255",
    ),
    MadePair(
        "the source in untagged full range",
        "city",
        psnr=None,
        note="0 to 255",
        source_filters="scale=out_range=pc,format=yuv420p,setparams=range=unspecified",
    ),
    MadePair("tagged full range", "raccoon", "scale=out_range=pc,format=yuvj420p", options=("-color_range", "pc")),
    MadePair("another film", "meadow", refused="do not match the source", other="coffee"),
    MadePair("another film", "raccoon", refused="do not match the source", other="meadow"),
    MadePair("another film", "tour", refused="cannot be scored", other="joined"),
)
PAIRS = (*TIME, *PLACE, *LOOKS)
