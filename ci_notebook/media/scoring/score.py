"""Scores: how an output compares with its source, and how a clip looks without a reference.

The meaning of the numbers depends on the reference. Against a true reference, from which the source was
spoiled, they measure fidelity: higher is better. Against the source itself they measure change: PSNR and
SSIM fall when a parameter works. VMAF rewards sharpening and contrast, VMAF-NEG does not: read both, and
their difference as the gain by enhancement. These look at luma alone and are blind to color. VMAF v1 sees chroma
and banding, and limits enhancement gain; it needs frames of a least size (see `model.vmaf_v1`).

HDR is never scored as if it were SDR. It is converted to SDR by the exact inverse of the engine's SDRtoHDR,
and refused where light would be lost.
"""

from __future__ import annotations

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

from ci_notebook.media.ffmpeg import Cancelled, Progress, run
from ci_notebook.media.frame_sampling import sample_frame_pairs
from ci_notebook.media.scoring import no_reference, pair_checks, refusals
from ci_notebook.media.scoring.aggregate import pool
from ci_notebook.media.scoring.alignment import (
    FRAMES_AS_THEY_COME,
    align,
    assume_aligned,
    explain_drift,
    likeness_of,
    looks_aligned,
)
from ci_notebook.media.scoring.ciede2000 import delta_e, lab_of
from ci_notebook.media.scoring.flicker import flicker
from ci_notebook.media.scoring.frame_pairs import WHOLE, Pair, Place
from ci_notebook.media.scoring.libvmaf import (
    color_note,
    models_of,
    read_log,
    refuse_missing_filter,
    refuse_small,
    vmaf_v1_model,
)
from ci_notebook.media.scoring.time_search import continues, frozen_part, lag_of
from ci_notebook.media.snapshot import to_sdr_rgb
from ci_notebook.media.streams.damage import explains_damage
from ci_notebook.model.errors import EngineError
from ci_notebook.model.score_alignment import Alignment, Box
from ci_notebook.model.vmaf_v1 import TV, Screen, check_screen

__all__ = ["PSNR_MOST", "Scores", "by_itself", "compare", "scores", "sharpness"]

PSNR_MOST = 100.0  # dB, reported for equal frames, whose PSNR is infinite
_COLOR_WIDE, _CHECK_WIDE = 96, 128  # px
_CHECKED, _STRETCHES = 25, 40  # drift is searched in so many frames of so many stretches
# Up to this length it is cheaper to score the most common alignment first, and to search only where that fails.
_SHORT_S = 20.0
_SEARCH = 5  # frames before and after, in each stretch
_OTHER_MOTION = 0.3  # agreement below which two motions differ
_SMALL_PX = 2.0  # a displacement that costs little, as scalers leave it
_RAW = ("c0", "c1", "g0", "g1", "f0", "f1")  # frames of both: colors, small grey ones, luma in full size
Size: TypeAlias = tuple[int, int]
Grey: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a clip, and the values of single frames that they come from.

    `pictures` maps each score to the values of every `every`-th frame, from the first that both clips show.
    `psnr` and `xpsnr` are dB of luma, `ssim` is that of luma (0 to 1), `vmaf` and `vmaf_neg` go from 0 to 100.
    `delta_e` is the mean CIEDE2000 of the colors of small areas (0 is equal, 1 is just visible). `pooled` maps
    them to their means, adds `_hmean`, `_p5` and `_worst` for each (`_p95` for `delta_e` and `banding`, where less
    is better), `flicker` unless everything moves, and the measures of `by_itself`. `offset` is by how many
    frames the source begins later, `place` which parts of the frames were compared, `precise` that VMAF was
    computed in floating point.
    `alignment` is the record of both for the run. `vmaf_v1_model` is the model of VMAF v1 for the `screen`; it is
    empty without VMAF v1, and `note` says why.
    """

    pooled: dict[str, float]
    pictures: dict[str, tuple[float, ...]]
    every: int
    offset: int = 0
    place: Place = WHOLE
    precise: bool = False
    alignment: Alignment | None = None
    screen: str = TV
    vmaf_v1_model: str = ""
    note: str = ""


def scores(output: Path, source: Path, **more: Any) -> Scores:
    """Return the result of `compare` for an output and its source, with the measures `by_itself` of the output."""
    result = compare(output, source, **more)
    with explains_damage(output):
        return replace(result, pooled={**result.pooled, **by_itself(output)})


def compare(
    output: Path,
    source: Path,
    *,
    start_s: float = 0.0,
    length_s: float | None = None,
    crop: Box | None = None,
    rotate: float = 0.0,
    every: int | None = None,
    precise: bool = False,
    screen: Screen | None = None,
    on_progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Scores:
    """Compare an output with its source, or with a true reference, frame by frame, in one pass of FFmpeg.

    The source is scaled (bicubic) to the output's size, and both are converted to the slower of the two rates.
    `start_s` and `length_s` are the stretch of the source that the output shows. The part of its frames is
    found, or given by `crop` (left, top, width and height as shares of 1) and `rotate` (degrees clockwise).
    `every` is the distance of the scored frames, 1 for all. By default `score_sampling.default_every` says it from
    the length of the source, so that all outputs of a clip are scored at the same frames. `precise` uses libvmaf's
    features in floating point, which other implementations reproduce to 0.001. The usual ones in fixed point
    differ from them by up to 0.2. VMAF v1 has one implementation, which is used in both cases.

    `screen` is where the output is watched: "tv" (default), "tv_3h" or "phone"; it chooses the model of VMAF v1,
    with the size and the rate of the output. Where no model fits, the scores come without VMAF v1, and `note` says
    why. A pair that has none for a `screen` that was named is refused.

    Costs about 93 ms of two cores per 1080p frame if all are scored, 46 ms at every fifth. Raises `EngineError` with
    the reason where a comparison is meaningless: other frames, another length, drift, light that SDR cannot hold.
    """
    check_screen(screen)
    refuse_missing_filter()
    with explains_damage(output, source, cancel=cancel):
        known = start_s or length_s is not None or crop or rotate % 360
        guess = None if known else assume_aligned(output, source)
        if guess is not None and guess.length_s > _SHORT_S and not looks_aligned(guess, cancel):
            guess = None
        if guess is not None:
            result, found = _score(guess, every, precise, on_progress, cancel, screen=screen)
            if found.is_aligned:
                return result
        pair = align(output, source, start_s=start_s, length_s=length_s, crop=crop, rotate=rotate, cancel=cancel)
        if pair != guess:
            result, found = _score(pair, every, precise, on_progress, cancel, screen=screen)
        if found.frozen is not None:
            raise refusals.frozen(*found.frozen)
        refusals.refuse_unlike(found.likeness)
        drift = found.drift
        if len(set(drift.values())) == 1 and any(drift.values()):  # the first seconds did not move
            pair = replace(pair, offset=pair.offset + next(iter(drift.values())))
            result, found = _score(pair, every, precise, on_progress, cancel, screen=screen)
            refusals.refuse_unlike(found.likeness)
            drift = found.drift
        if any(drift.values()):
            explain_drift(pair, cancel)
            raise refusals.drifts(pair.offset, drift)
        if found.displaced is not None and not known:
            if max(found.displaced) > _SMALL_PX * max(1.0, *_enlargement(pair)):
                raise refusals.displaced(*found.displaced)
            result = replace(result, note=_joined(result.note, refusals.displacement_note(*found.displaced)))
        return result


def _enlargement(pair: Pair) -> tuple[float, float]:
    used = pair.alignment
    return used.scale_x, used.scale_y


def _joined(*notes: str) -> str:
    return " ".join(note for note in notes if note)


def sharpness(path: Path, *, pictures: int = 8) -> float:
    """Return the mean variance of the Laplacian of luma over `pictures` frames: fine detail, and noise."""
    return by_itself(path, pictures=pictures)["sharpness"]


def by_itself(path: Path, *, pictures: int = 8) -> dict[str, float]:
    """Return the measures that need no reference, as means over `pictures` frames, evenly spread.

    `sharpness` (variance of the Laplacian), `contrast` (RMS of luma, 0 to 0.5), `colourfulness`
    (Hasler and Süsstrunk), `noise` (Immerkær's sigma, of 255; fine texture counts too), `blockiness`
    (steps across the 8-pixel grid divided by other steps, 1 is none), `si` and `ti` (spatial and temporal
    information by ITU-T P.910, as means: a few frames give no reliable maximum). HDR is measured as SDR.
    Compare these measures only between clips of one size.
    """
    rows = [_measures(frame, after) for frame, after in sample_frame_pairs(path, pictures)]
    means = {}
    for name in rows[0]:
        values = [row[name] for row in rows if row[name] is not None]
        means[name] = sum(values) / len(values) if values else 0.0
    return means


def _measures(frame: Any, after: Any) -> dict[str, Any]:
    rgb = to_sdr_rgb(frame)
    following = None if after is None else no_reference.luma_of(to_sdr_rgb(after))
    luma = no_reference.luma_of(rgb)
    return {
        "sharpness": no_reference.laplacian_variance(luma), "contrast": no_reference.contrast(luma),
        "colourfulness": no_reference.colourfulness(rgb), "noise": no_reference.noise(luma),
        "blockiness": no_reference.blockiness(luma),
        "si": no_reference.spatial_information(luma),
        "ti": None if following is None else no_reference.temporal_information(luma, following),
    }  # fmt: skip


def _score(
    pair: Pair,
    every: int | None,
    precise: bool,
    on_progress: Progress | None,
    cancel: threading.Event | None,
    *,
    screen: Screen | None,
) -> tuple[Scores, _Measured]:
    """Return the scores, and what the scored frames show of the alignment."""
    refuse_small(pair)
    every_nth = pair.default_every if every is None else every
    model, note = vmaf_v1_model(pair, screen)

    def scored(v1: str, note: str) -> tuple[Scores, _Measured]:
        models = models_of(pair, precise=precise, vmaf_v1=v1)
        found = _measure(pair, models, every_nth, on_progress, cancel)
        pooled = pool(found.pictures) | ({} if found.flicker is None else {"flicker": found.flicker})
        result = Scores(
            pooled, found.pictures, every_nth, pair.offset, pair.place, precise, pair.alignment,
            screen=screen or TV, vmaf_v1_model=v1, note=_joined(note or found.note, found.range_note),
        )  # fmt: skip
        return result, found

    try:
        return scored(model, note)
    except Cancelled:
        raise
    except EngineError as error:
        if not model or screen is not None:
            raise
        # A model of VMAF v1 must not cost the other scores. If it was not the reason, this fails again.
        why = str(error).splitlines()[0].rstrip(".")
        return scored("", f"No VMAF v1 and no banding. Scoring with {model} failed: {why}.")


@dataclass(frozen=True, slots=True)
class _Measured:
    """The scores per frame, the flicker, what VMAF v1 did not see, and what shows whether the frames correspond.

    `drift` maps times in s to shifts in frames, `likeness` is the median correlation of the frames. `has_other_motion`
    says that some stretch moves otherwise, `frozen` from when to when (s) only the source moves, and `displaced` by
    how many pixels edges are apart across and down. `range_note` warns of untagged full range.
    """

    pictures: dict[str, tuple[float, ...]]
    flicker: float | None
    note: str
    drift: dict[float, int]
    likeness: float
    has_other_motion: bool
    frozen: tuple[float, float] | None
    displaced: tuple[float, float] | None
    range_note: str

    @property
    def is_aligned(self) -> bool:
        """Whether nothing contradicts that the frames correspond."""
        return (
            self.likeness >= refusals.ALIKE
            and not (any(self.drift.values()) or self.has_other_motion)
            and self.frozen is None
            and self.displaced is None
        )


def _measure(
    pair: Pair, models: str, every: int, on_progress: Progress | None, cancel: threading.Event | None
) -> _Measured:
    width, height = pair.size
    color, check = (_small(width, height, wide) for wide in (_COLOR_WIDE, _CHECK_WIDE))
    period = max(_CHECKED, int(pair.length_s * pair.rate / _STRETCHES))
    with tempfile.TemporaryDirectory(prefix="ci-notebook-score-") as name:
        folder = Path(name)
        messages = run(
            [
                *pair.inputs(), "-filter_complex", _graph(pair, models, every, (color, check), period),
                "-map", "[p]", "-map", "[v]", "-f", "null", "-",
                *(word for one in _RAW for word in ("-map", f"[{one}]", *FRAMES_AS_THEY_COME, "-f", "rawvideo", one)),
            ],
            total_s=pair.length_s, on_progress=on_progress, cancel=cancel, cwd=folder,
        )  # fmt: skip
        has_v1 = "=vmaf_v1" in models
        pictures = _read(folder, every, color, has_v1=has_v1)
        note = color_note(folder / "vmaf.json", messages) if has_v1 else ""
        ours, theirs = (_planes(folder / one, check) for one in ("g0", "g1"))
        drift, likeness, has_other_motion, frozen = _drift(ours, theirs, float(pair.rate), period)

        large = [_planes(folder / one, (width, height)) for one in ("f0", "f1")]
        count = min(map(len, large))
        whole = list(large[0][:count]), list(large[1][:count])
        displaced = None if any(drift.values()) else pair_checks.displacement(pair, *whole)
        range_note = "" if displaced or any(drift.values()) else pair_checks.full_range_note(*whole)
    return _Measured(
        pictures, flicker(ours, theirs, stretch=_CHECKED), note, drift, likeness, has_other_motion, frozen, displaced,
        range_note,
    )  # fmt: skip


def _small(width: int, height: int, wide: int) -> tuple[int, int]:
    shrink = min(1.0, wide / max(width, height))
    return max(2, round(width * shrink)), max(2, round(height * shrink))


def _graph(pair: Pair, models: str, every: int, small: tuple[Size, Size], period: int) -> str:
    color, check = small
    threads = min(8, os.cpu_count() or 1)
    vmaf = f"log_fmt=json:log_path=vmaf.json:n_subsample={every}:n_threads={threads}:shortest=1:model='{models}'"
    pick = f"select=not(mod(n\\,{every}))"
    checked = f"select=lt(mod(n\\,{period})\\,{_CHECKED})"
    area = "flags=area+accurate_rnd+full_chroma_int+full_chroma_inp"
    numbers = "+".join(f"eq(n\\,{n})" for n in pair_checks.picture_numbers(pair))
    lines = []
    for i, (timed, placed) in enumerate(zip(pair.timed(), pair.placed(), strict=True)):
        lines.append(f"{timed},{placed},split=5[x{i}][s{i}][d{i}][e{i}][k{i}]")
        lines.append(f"[k{i}]select={numbers},format=yuv420p,extractplanes=y[f{i}]")
        lines.append(f"[s{i}]{pick},split=2[t{i}][u{i}]")
        lines.append(f"[d{i}]{checked},scale={check[0]}:{check[1]}:flags=area:out_range=pc,format=gray[g{i}]")
        lines.append(f"[u{i}]scale={color[0]}:{color[1]}:{area}:{pair.rgb()},format=rgb24[c{i}]")
    lines.append("[x0][x1]xpsnr=stats_file=xpsnr.txt:shortest=1,nullsink")
    lines.append("[t0]split=2[t0a][t0b];[t1]split=2[t1a][t1b];[t0a][t1a]psnr=stats_file=psnr.txt:shortest=1,nullsink")
    lines.append("[t0b][t1b]ssim=stats_file=ssim.txt:shortest=1[p]")
    lines.append(f"[e0][e1]libvmaf={vmaf}[v]")
    return ";".join(lines)


def _read(folder: Path, every: int, color: tuple[int, int], *, has_v1: bool) -> dict[str, tuple[float, ...]]:
    def numbers(name: str, pattern: str) -> list[float]:
        return [min(PSNR_MOST, float(one)) for one in re.findall(pattern, (folder / name).read_text())]

    ours, theirs = (_planes(folder / one, color, 3) for one in ("c0", "c1"))
    pictures = {
        "psnr": numbers("psnr.txt", r"psnr_y:(\S+)"),
        "ssim": numbers("ssim.txt", r"\bY:(\S+)"),
        "xpsnr": numbers("xpsnr.txt", r"XPSNR y:\s*(\S+)")[::every],  # of all frames: it uses those before, too
        **read_log(folder / "vmaf.json", vmaf_v1=has_v1),
        "delta_e": [float(delta_e(lab_of(a), lab_of(b)).mean()) for a, b in zip(ours, theirs, strict=False)],
    }
    count = min(map(len, pictures.values()))
    if not count:
        raise EngineError("No pair of frames of the output and the source could be scored.")
    return {name: tuple(values[:count]) for name, values in pictures.items()}


def _planes(path: Path, size: tuple[int, int], depth: int = 1) -> NDArray[np.uint8]:
    shape = (-1, size[1], size[0], depth) if depth > 1 else (-1, size[1], size[0])
    return np.fromfile(path, np.uint8).reshape(shape)


def _drift(
    ours: Grey, theirs: Grey, rate: float, period: int
) -> tuple[dict[float, int], float, bool, tuple[float, float] | None]:
    """Return the shifts of those stretches where motion shows one (time in s → frames), and the median likeness.

    Also whether a stretch moves otherwise than the source, and from when to when only the source moves, in s.
    """
    shifts, likenesses = {}, []
    has_other_motion, frozen = False, None
    for number, start in enumerate(range(0, min(len(ours), len(theirs)), _CHECKED)):
        stretch, at = slice(start, start + _CHECKED), number * period / rate
        if len(ours[stretch]) <= 2 * _SEARCH:
            continue
        lag = lag_of(ours[stretch], theirs[stretch], rate, reach=_SEARCH)
        likenesses.append(likeness_of(ours[stretch], theirs[stretch], lag.frames or 0))
        if lag.frames is not None:
            shifts[at] = lag.frames
        elif lag.agreement < _OTHER_MOTION and continues(ours[stretch]) and continues(theirs[stretch]):
            has_other_motion = True
        part = frozen_part(ours[stretch], theirs[stretch], rate)
        if part is not None:
            begin, end = at + part[0] / rate, at + part[1] / rate
            frozen = (begin if frozen is None else frozen[0], end)
    return shifts, statistics.median(likenesses) if likenesses else 1.0, has_other_motion, frozen
