"""Scores: how an output compares with its source, and how pictures look by themselves.

What the numbers mean depends on what they were taken against. Against a true reference, from which
the source was shrunk or spoilt, they measure fidelity: higher is better. Against the source itself
they measure change: PSNR and SSIM fall when a knob works. VMAF rewards sharpening and contrast,
VMAF-NEG does not: read both, and their difference as the gain by enhancement. All of them look at
luma alone and are blind to colour: read `delta_e` and `colourfulness` beside them.

HDR is never scored as if it were SDR: it is brought to SDR by the exact inverse of the engine's
SDRtoHDR, and refused where light would be lost.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ci_notebook.media.ffmpeg import Progress, capabilities, run
from ci_notebook.media.frame_sampling import spread_pairs
from ci_notebook.media.probe import TRANSFERS
from ci_notebook.media.scoring import no_reference
from ci_notebook.media.scoring.aggregate import pooled
from ci_notebook.media.scoring.alignment import SEARCH, Grey, aligned, likely, refuse_unlike, shift_of
from ci_notebook.media.scoring.ciede2000 import delta_e, lab_of
from ci_notebook.media.scoring.frame_pairs import WHOLE, Pair, Place
from ci_notebook.media.snapshot import from_hdr
from ci_notebook.model.errors import EngineError
from ci_notebook.model.score_alignment import Alignment, Box

EVERY = 5  # 2.7 times as fast as all, and the mean of VMAF moves by tenths
PSNR_MOST = 100.0  # dB, said for equal pictures, whose PSNR has no end
_COLOUR_WIDE, _CHECK_WIDE = 96, 128  # px
_CHECKED, _PLACES = 25, 40  # whether pictures drift is looked at in so many stretches of so many pictures
_PIXELS_4K = 2160
# Up to this length it is cheaper to score a pair as most are, and to look how it lies only where that fails.
_SHORT_S, _SURE = 20.0, 0.97
Size: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Scores:
    """Numbers of a clip, and the values of single pictures that they come from.

    `pictures` maps each score to one value a picture: those of every `every`-th one, from the first
    that both clips show. `psnr` and `xpsnr` are dB of luma, `ssim` is that of luma (0 to 1), `vmaf` and
    `vmaf_neg` go from 0 to 100, `delta_e` is the mean CIEDE2000 of the colours of small areas (0 is
    equal, 1 can just be seen). `pooled` maps them to their means, with `_hmean`, `_p5` and `_worst`
    beside each (`_p95` for `delta_e`, of which less is better), and holds what `by_itself` tells of the output.
    `offset` says how many pictures later the source begins, `place` what of both pictures was compared,
    `precise` that VMAF was taken in floating point. `alignment` is the record of both for the run.
    """

    pooled: dict[str, float]
    pictures: dict[str, tuple[float, ...]]
    every: int
    offset: int = 0
    place: Place = WHOLE
    precise: bool = False
    alignment: Alignment | None = None


def scores(output: Path, source: Path, **more: Any) -> Scores:
    """Return what `compare` tells of an output and its source, with what `by_itself` tells of the output."""
    found = compare(output, source, **more)
    return replace(found, pooled={**found.pooled, **by_itself(output)})


def compare(
    output: Path,
    source: Path,
    *,
    start_s: float = 0.0,
    length_s: float | None = None,
    crop: Box | None = None,
    rotate: float = 0.0,
    every: int = EVERY,
    precise: bool = False,
    on_progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Scores:
    """Compare an output with its source, or with a true reference, picture by picture, in one pass of FFmpeg.

    The source is scaled (bicubic) to the output's size and both are brought to the slower of the two
    rates. `start_s` and `length_s` say which stretch of the source the output shows; what of its
    pictures it shows is found, or said by `crop` (left, top, width and height as shares of 1) and
    `rotate` (degrees clockwise). `every` 1 scores all pictures. `precise` takes libvmaf's features in
    floating point, which other implementations agree with to 0.001; those in fixed point, which everybody
    publishes, lie up to 0.2 beside them. Costs about 20 ms of both cores a 1080p
    picture, 70 if all are scored. Raises `EngineError` with the reason where a comparison would mean
    nothing: other pictures, another length, pictures that drift apart, light that SDR cannot hold.
    """
    can = capabilities()
    if "libvmaf" not in can.filters:
        raise EngineError(f"the FFmpeg here ({can.version}) has no libvmaf. Use the one of imageio-ffmpeg.")
    known = start_s or length_s is not None or crop or rotate % 360
    guess = None if known else likely(output, source)
    if guess is not None and guess.length_s <= _SHORT_S:
        found, drift, alike = _scored(guess, every, precise, on_progress, cancel)
        if drift and alike > _SURE and not any(drift.values()):
            return found
    pair = aligned(output, source, start_s=start_s, length_s=length_s, crop=crop, rotate=rotate, cancel=cancel)
    if pair != guess or guess.length_s > _SHORT_S:
        found, drift, alike = _scored(pair, every, precise, on_progress, cancel)
    refuse_unlike(alike)
    if len(set(drift.values())) == 1 and any(drift.values()):  # what was looked at first did not move
        pair = replace(pair, offset=pair.offset + next(iter(drift.values())))
        found, drift, alike = _scored(pair, every, precise, on_progress, cancel)
        refuse_unlike(alike)
    if any(drift.values()):
        changes = [at for at, before in zip(drift, [None, *drift.values()], strict=False) if drift[at] != before]
        where = ", ".join(f"from {at:.1f} s on by {pair.offset + drift[at]:+d}" for at in changes[:4])
        raise EngineError(
            f"the pair cannot be scored: their pictures drift apart, {where} pictures. Some were lost or doubled "
            "on the way; score the stretches before and after that by themselves.",
            code="InvalidArgument",
        )
    return found


def sharpness(path: Path, *, pictures: int = 8) -> float:
    """Return the mean variance of the Laplacian of luma over `pictures` pictures: fine detail, and noise."""
    return by_itself(path, pictures=pictures)["sharpness"]


def by_itself(path: Path, *, pictures: int = 8) -> dict[str, float]:
    """Return what needs no reference, as means over `pictures` pictures evenly spread.

    `sharpness` (variance of the Laplacian), `contrast` (RMS of luma, 0 to 0.5), `colourfulness`
    (Hasler and Süsstrunk), `noise` (Immerkær's sigma, of 255; fine texture counts too), `blockiness`
    (steps across the 8-pixel grid against other steps, 1 is none), `si` and `ti` (ITU-T P.910's spatial
    and temporal information, as means and not as maxima, for a few pictures hold no sure maximum).
    HDR is looked at as SDR. Compare them only between clips of one size.
    """
    rows = [_row(picture, after) for picture, after in spread_pairs(path, pictures)]
    found = {}
    for name in rows[0]:
        values = [row[name] for row in rows if row[name] is not None]
        found[name] = sum(values) / len(values) if values else 0.0
    return found


def _row(picture: Any, after: Any) -> dict[str, Any]:
    rgb = _rgb(picture)
    luma = no_reference.luma_of(rgb)
    return {
        "sharpness": no_reference.laplacian_variance(luma), "contrast": no_reference.contrast(luma),
        "colourfulness": no_reference.colourfulness(rgb), "noise": no_reference.noise(luma),
        "blockiness": no_reference.blockiness(luma),
        "si": no_reference.spatial_information(luma),
        "ti": no_reference.temporal_information(luma, no_reference.luma_of(_rgb(after))) if after is not None else None,
    }  # fmt: skip


def _rgb(picture: Any) -> NDArray[np.uint8]:
    is_hdr = TRANSFERS.get(int(picture.color_trc)) in ("smpte2084", "arib-std-b67")
    return from_hdr(picture) if is_hdr else no_reference.rgb_of(picture)


def _scored(
    pair: Pair, every: int, precise: bool, on_progress: Progress | None, cancel: threading.Event | None
) -> tuple[Scores, dict[float, int], float]:
    """Return the scores, where the pictures are shifted against each other (time in s → pictures), and how alike."""
    width, height = pair.size
    colour, check = (_small(width, height, wide) for wide in (_COLOUR_WIDE, _CHECK_WIDE))
    period = max(_CHECKED, int(pair.length_s * pair.rate / _PLACES))
    with tempfile.TemporaryDirectory(prefix="ci-notebook-score-") as name:
        folder = Path(name)
        run(
            [
                *pair.inputs(), "-filter_complex", _graph(pair, _models(pair, precise), every, (colour, check), period),
                "-map", "[p]", "-map", "[v]", "-f", "null", "-",
                *(word for one in ("c0", "c1", "g0", "g1") for word in ("-map", f"[{one}]", "-f", "rawvideo", one)),
            ],
            total_s=pair.length_s, on_progress=on_progress, cancel=cancel, cwd=folder,
        )  # fmt: skip
        pictures = _read(folder, every, colour)
        drift, alike = _drift(_planes(folder / "g0", check), _planes(folder / "g1", check), float(pair.rate), period)
    return Scores(pooled(pictures), pictures, every, pair.offset, pair.place, precise, pair.alignment), drift, alike


def _small(width: int, height: int, wide: int) -> tuple[int, int]:
    shrink = min(1.0, wide / max(width, height))
    return max(2, round(width * shrink)), max(2, round(height * shrink))


def _models(pair: Pair, precise: bool) -> str:
    four_k = "_4k" if min(pair.size) >= _PIXELS_4K else ""
    if precise and four_k:
        raise EngineError("libvmaf holds no precise model for 4K and VMAF-NEG. Score without `precise`.")
    features = "_float" if precise else ""
    return "|".join(
        f"version=vmaf{features}{four_k}_v0.6.1{neg}\\:name=vmaf{under}" for neg, under in (("", ""), ("neg", "_neg"))
    )


def _graph(pair: Pair, models: str, every: int, small: tuple[Size, Size], period: int) -> str:
    colour, check = small
    threads = min(8, os.cpu_count() or 1)
    vmaf = f"log_fmt=json:log_path=vmaf.json:n_subsample={every}:n_threads={threads}:shortest=1:model='{models}'"
    pick = f"select=not(mod(n\\,{every}))"
    looked = f"select=lt(mod(n\\,{period})\\,{_CHECKED})"
    area = "flags=area+accurate_rnd+full_chroma_inp"
    made = []
    for i, (timed, laid) in enumerate(zip(pair.filters(), pair.laid(), strict=True)):
        made.append(f"[{i}:V:0]{timed},{laid},split=4[x{i}][s{i}][d{i}][e{i}]")
        made.append(f"[s{i}]{pick},split=2[t{i}][u{i}]")
        made.append(f"[d{i}]{looked},scale={check[0]}:{check[1]}:flags=area:out_range=pc,format=gray[g{i}]")
        made.append(f"[u{i}]scale={colour[0]}:{colour[1]}:{area}:{pair.rgb()},format=rgb24[c{i}]")
    made.append("[x0][x1]xpsnr=stats_file=xpsnr.txt:shortest=1,nullsink")
    made.append("[t0]split=2[t0a][t0b];[t1]split=2[t1a][t1b];[t0a][t1a]psnr=stats_file=psnr.txt:shortest=1,nullsink")
    made.append("[t0b][t1b]ssim=stats_file=ssim.txt:shortest=1[p]")
    made.append(f"[e0][e1]libvmaf={vmaf}[v]")
    return ";".join(made)


def _read(folder: Path, every: int, colour: tuple[int, int]) -> dict[str, tuple[float, ...]]:
    def numbers(name: str, pattern: str) -> list[float]:
        return [min(PSNR_MOST, float(one)) for one in re.findall(pattern, (folder / name).read_text())]

    frames = json.loads((folder / "vmaf.json").read_text())["frames"]
    ours, theirs = (_planes(folder / one, colour, 3) for one in ("c0", "c1"))
    pictures = {
        "psnr": numbers("psnr.txt", r"psnr_y:(\S+)"),
        "ssim": numbers("ssim.txt", r"\bY:(\S+)"),
        "xpsnr": numbers("xpsnr.txt", r"XPSNR y:\s*(\S+)")[::every],  # of all pictures: it looks at those before, too
        "vmaf": [float(frame["metrics"]["vmaf"]) for frame in frames],
        "vmaf_neg": [float(frame["metrics"]["vmaf_neg"]) for frame in frames],
        "delta_e": [float(delta_e(lab_of(a), lab_of(b)).mean()) for a, b in zip(ours, theirs, strict=False)],
    }
    count = min(map(len, pictures.values()))
    if not count:
        raise EngineError("no picture of the output has one of the source beside it")
    return {name: tuple(values[:count]) for name, values in pictures.items()}


def _planes(path: Path, size: tuple[int, int], depth: int = 1) -> NDArray[np.uint8]:
    shape = (-1, size[1], size[0], depth) if depth > 1 else (-1, size[1], size[0])
    return np.fromfile(path, np.uint8).reshape(shape)


def _drift(seen: Grey, had: Grey, rate: float, period: int) -> tuple[dict[float, int], float]:
    """Return how pictures are shifted, where that can be told (time in s → pictures), and how alike they are."""
    found, likenesses = {}, []
    for number, start in enumerate(range(0, min(len(seen), len(had)), _CHECKED)):
        stretch = slice(start, start + _CHECKED)
        if len(seen[stretch]) > 2 * SEARCH:
            shift = shift_of(seen[stretch], had[stretch])
            likenesses.append(shift.alike)
            if shift.pictures is not None:
                found[number * period / rate] = shift.pictures
    return found, statistics.median(likenesses) if likenesses else 1.0
