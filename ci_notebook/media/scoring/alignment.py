"""Aligns an output with its source: finds whether they show the same frames, shifted, cut, padded, turned or scaled.

One search covers time, offset and scale. It correlates the changes of small grey frames over all shifts in time, under
the most likely places, and looks for the place of single frames where none of these fits. Frames in full size then
give the edges to the pixel.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ci_notebook.media.ffmpeg import run
from ci_notebook.media.scoring import refusals, registration
from ci_notebook.media.scoring.frame_pairs import AlignedSide, Pair, Place
from ci_notebook.media.scoring.refusals import ALIKE
from ci_notebook.media.scoring.registration import Fit
from ci_notebook.media.scoring.time_search import Lag, clock_of, continues, frozen_part, lag_of, normalized
from ci_notebook.media.snapshot import pillow
from ci_notebook.model.score_alignment import Box

__all__ = [
    "FRAMES_AS_THEY_COME",
    "LEAST_STEP",
    "align",
    "assume_aligned",
    "explain_drift",
    "likeness_of",
    "looks_aligned",
]

LOOK_S, LONG_LOOK_S = 1.2, 24.0  # the longer one where the first does not decide
REACH_S: Final = 10.5  # the longest offset that is searched
FRAMES_AS_THEY_COME: Final = ("-fps_mode", "passthrough")  # FFmpeg would fill the gaps between selected frames
LEAST_STEP: Final = 0.6  # px of the larger pixels, by which frames must be displaced to count
_WIDE = 320  # px, longer side of the frames that are read
_COMPARED = 64  # px, longer side of the frames that are compared
_SURE = 0.9  # likeness that ends the search
_SAME_SHAPE = 0.02
_SAME_S: Final = 0.15
_SAME_FRAMES: Final = 6
_PROBES: Final = 3
_TRIED: Final = 4  # places that are tried over time
_SPEED: Final = 0.004  # a smaller difference is one of rounding
_RATE_OF_MOMENTS: Final = 5  # per second, of the source's frames that are searched where no place is known
_OTHER_MOTION: Final = 0.3  # agreement below which two motions differ
_PICTURES: Final = 4  # in full size, for the edges

Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Match:
    """A place and a shift that were tried: the likeness of the frames, and how their changes agree."""

    likeness: float
    turn: int
    fit: Fit
    lag: Lag
    frames: int


@dataclass(frozen=True, slots=True)
class _Look:
    """The first seconds of both videos as small grey frames, each in its own shape."""

    output: Grey
    source: Grey
    rate: float
    ratio: float  # shape of the source over that of the output

    def small(self, turn: int, fit: Fit) -> tuple[Grey, Grey]:
        """Return both as they are compared under a place, in one size."""
        boxes = fit.boxes
        if boxes is None:
            return self.output[:0, :4, :4], self.source[:0, :4, :4]
        high, wide = self.output.shape[1:]
        across, down = wide * boxes[0][2], high * boxes[0][3]
        shrink = _COMPARED / max(across, down)
        size = max(4, round(across * shrink)), max(4, round(down * shrink))
        return _resized(self.output, boxes[0], size), _resized(_turned(self.source, turn), boxes[1], size)


def align(
    output: Path,
    source: Path,
    *,
    start_s: float = 0.0,
    length_s: float | None = None,
    crop: Box | None = None,
    rotate: float = 0.0,
    cancel: threading.Event | None = None,
) -> Pair:
    """Return the pair of an output and its source, with the place and the offset that were found.

    Known facts are given: `start_s` and `length_s` for the stretch of the source that the output shows, `crop`
    and `rotate` for the part of its frames and their rotation. Offsets up to 10 s are found. Raises `EngineError`
    with the reason where the frames do not belong together. Costs the decoding of 1.2 s, or of 24 s where these do
    not decide, and of a few frames in full size.
    """
    pair = _pair(Path(output), Path(source), start_s, length_s)
    if rotate % 90:
        raise refusals.refusal(f"The output shows the source turned by {rotate:g}°, which changes every pixel.")
    known = _known_fit(crop) if crop or rotate % 360 else None
    turn = round(rotate) % 360
    look, match = None, None
    if not _has_other_length(pair):
        look = _look(pair, LOOK_S, cancel)
        match = _quick_match(look, pair, known, turn)
    if look is None or match is None:
        look = _look(pair, LONG_LOOK_S, cancel)
        match = _search(look, pair, known, turn, reach=round(REACH_S * look.rate))
        _refuse_wrong_time(pair, look, match)
    pair = replace(pair, offset=match.frames)
    if known is not None:
        return replace(pair, place=Place(source=crop, turn=turn))
    fit, place = _placed(pair, match, cancel)
    # Under the exact place the changes decide more exactly between neighbors in time.
    lag, _ = _tried(look, match.turn, fit, reach=_SAME_FRAMES, likely=(match.frames,), around=match.frames)
    if lag.frames is not None and lag.frames != match.frames:
        pair = replace(pair, offset=lag.frames)
        fit, place = _placed(pair, replace(match, fit=fit), cancel)
    return replace(pair, place=place)


def assume_aligned(output: Path, source: Path) -> Pair | None:
    """Return the most common pair, whole and without a shift, without a search; None where its facts contradict it."""
    pair = _pair(Path(output), Path(source), 0.0, None)
    is_likely = abs(pair.output.shape / pair.source.shape - 1) < _SAME_SHAPE and not _has_other_length(pair)
    return pair if is_likely else None


def looks_aligned(pair: Pair, cancel: threading.Event | None = None) -> bool:
    """Return whether the first seconds of both show the same frames. Costs their decoding."""
    look = _look(pair, LOOK_S, cancel)
    lag, likeness = _tried(look, 0, registration.IDENTITY, reach=_SAME_FRAMES - 1, likely=(0,))
    return likeness >= _SURE and not lag.frames


def explain_drift(pair: Pair, cancel: threading.Event | None = None) -> None:
    """Raise `EngineError` where another speed is the reason for shifts that grow."""
    look = _look(pair, LONG_LOOK_S, cancel)
    _refuse_speed(look, 0, registration.IDENTITY)


def _pair(output: Path, source: Path, start_s: float, length_s: float | None) -> Pair:
    out, ref = AlignedSide.of(output), AlignedSide.of(source)
    rest = ref.rest_s(start_s)
    return Pair(out, ref, (start_s, min(rest, length_s) if length_s is not None else rest))


def _known_fit(crop: Box | None) -> Fit:
    left, top, wide, high = crop or (0.0, 0.0, 1.0, 1.0)
    return Fit(wide=wide, left=left, high=high, top=top)


def _has_other_length(pair: Pair) -> bool:
    return abs(pair.output.duration_s - pair.stretch[1]) > _tolerance(pair)


def _tolerance(pair: Pair) -> float:
    return max(_SAME_S, _SAME_FRAMES / float(pair.rate))


def _quick_match(look: _Look, pair: Pair, known: Fit | None, turn: int) -> _Match | None:
    """Return what the first seconds show; None where they do not decide."""
    match = _search(look, pair, known, turn, reach=_SAME_FRAMES - 1)
    return match if _is_certain(match, look) else None


def _search(look: _Look, pair: Pair, known: Fit | None, turn: int, *, reach: int) -> _Match:
    """Return the best place and shift."""
    rest = round((pair.stretch[1] - pair.output.duration_s) * look.rate)
    likely = (rest, 0) if _has_other_length(pair) else (0,)
    if known is not None:
        lag, likeness = _tried(look, turn, known, reach=reach, likely=likely)
        return _Match(likeness, turn, known, lag, lag.frames or 0)
    best = _Match(-2.0, 0, registration.IDENTITY, Lag(None, 0.0, 0.0), 0)
    for angle, fit in _places(look, pair):
        lag, likeness = _tried(look, angle, fit, reach=reach, likely=likely)
        match = _Match(likeness, angle, fit, lag, lag.frames or 0)
        if match.likeness > best.likeness + 0.01:
            best = match
        if best.likeness > 0.97:
            return best
    if best.likeness >= ALIKE:
        for shift in sorted({0, best.frames}):
            fit = _refined(look, best.turn, best.fit, shift)
            lag, likeness = _tried(look, best.turn, fit, reach=reach, likely=likely)
            if likeness > best.likeness:
                best = _Match(likeness, best.turn, fit, lag, lag.frames or 0)
        if best.likeness > 0.97:
            return best
    for fit in _free_places(look, (0, *likely), reach if reach > look.rate else 0):
        lag, likeness = _tried(look, 0, fit, reach=reach, likely=likely)
        if likeness > best.likeness + 0.01:
            best = _Match(likeness, 0, fit, lag, lag.frames or 0)
        if likeness > 0.97:
            break
    return best


def _refined(look: _Look, turn: int, fit: Fit, shift: int) -> Fit:
    """Return a place that fits a few frames under a shift best."""
    ours, theirs = look.output[max(0, -shift) :], _turned(look.source, turn)[max(0, shift) :]
    count = min(len(ours), len(theirs))
    if not count:
        return fit
    numbers = sorted({int(count * share) for share in (0.2, 0.5, 0.8)})
    return registration.refine([ours[at] for at in numbers], [theirs[at] for at in numbers], fit)


def _tried(
    look: _Look, turn: int, fit: Fit, *, reach: int, likely: tuple[int, ...], around: int = 0
) -> tuple[Lag, float]:
    """Return the shift under a place, up to `reach` frames from `around`, and the likeness of the frames."""
    ours, theirs = look.small(turn, fit)
    if not len(ours) or not len(theirs):
        return Lag(None, 0.0, 0.0), -1.0
    lag = lag_of(ours, theirs, look.rate, reach=reach, likely=likely, around=around)
    return lag, likeness_of(ours, theirs, lag.frames or 0)


def likeness_of(output: Grey, source: Grey, shift: int) -> float:
    """Return the correlation of the frames under a shift, from -1 to 1; 1 where both show nothing."""
    one, other = normalized(output[max(0, -shift) :]), normalized(source[max(0, shift) :])
    count = min(len(one), len(other))
    if not count:
        return -1.0
    a, b = one[:count], other[:count]
    energy = float(np.sqrt(float((a * a).sum()) * float((b * b).sum())))
    if energy < 1e-6:
        return 1.0 if not a.any() and not b.any() else 0.0
    return float((a * b).sum()) / energy


def _is_certain(match: _Match, look: _Look) -> bool:
    """Return whether the first seconds decide: like frames, whose motion agrees or is none."""
    if match.likeness < _SURE:
        return False
    if match.lag.frames is not None:
        return match.lag.agreement > 0.8
    ours, theirs = look.small(match.turn, match.fit)
    has_detail = normalized(ours).any() and normalized(theirs).any()
    return bool(has_detail) and not (continues(ours) or continues(theirs))


def _places(look: _Look, pair: Pair) -> Iterator[tuple[int, Fit]]:
    """Yield the usual places (turn, fit), the most likely first."""
    ratio = look.ratio
    is_same = abs(ratio - 1) < _SAME_SHAPE
    if is_same:
        yield 0, registration.IDENTITY
    inner = inside_bars(look.output)
    if inner is not None:
        yield 0, _inverse(inner)
    if not is_same:
        yield 0, _centre(1 / ratio)
        if abs(ratio / pair.source.shape**2 - 1) < 2 * _SAME_SHAPE:
            yield 90, registration.IDENTITY
            yield 270, registration.IDENTITY
        yield 0, registration.IDENTITY  # stretched
    else:
        yield 180, registration.IDENTITY


def _inverse(box: Box) -> Fit:
    """Return the map of an output that shows the whole source in a part of its frame."""
    left, top, wide, high = box
    return Fit(wide=1 / wide, left=-left / wide, high=1 / high, top=-top / high)


def _centre(ratio: float) -> Fit:
    """Return the largest middle part of a frame whose shape is `ratio` times that of the frame."""
    if ratio < 1:
        return Fit(wide=ratio, left=(1 - ratio) / 2)
    return Fit(high=1 / ratio, top=(1 - 1 / ratio) / 2)


def inside_bars(frames: Grey) -> Box | None:
    """Return the part inside black bars that all frames have; None where there are none."""
    brightest = frames.max(axis=0)
    rows, columns = np.flatnonzero(brightest.max(axis=1) > 40), np.flatnonzero(brightest.max(axis=0) > 40)
    if not rows.size or not columns.size:
        return None
    high, wide = brightest.shape
    left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
    if right - left > 0.97 * wide and bottom - top > 0.97 * high:
        return None
    return float(left / wide), float(top / high), float((right - left) / wide), float((bottom - top) / high)


def _free_places(look: _Look, likely: tuple[int, ...], reach: int) -> Iterator[Fit]:
    """Yield the places that single frames show, by correlation over shift and scale, and over time up to `reach`."""
    inner = inside_bars(look.output)
    details = look.output.reshape(len(look.output), -1)[:, ::7].std(axis=1)
    probes = sorted({int(len(details) * share) for share in (0.5, 0.2, 0.8)}, key=lambda at: -details[at])[:_PROBES]
    fits: list[tuple[Fit, int, int]] = []
    for at in probes:
        for shift in sorted(set(likely), key=abs):
            if 0 <= at + shift < len(look.source):
                one, other = look.output[at], look.source[at + shift]
                fits += [(fit, at, at + shift) for fit in registration.coarse_fits(one, other, look.ratio, inner=inner)]
    if reach and max((fit.likeness for fit, _, _ in fits), default=0.0) < _SURE:
        step = max(1, round(look.rate / _RATE_OF_MOMENTS))
        at = probes[0]
        for moment in range(max(0, at - reach), min(len(look.source), at + reach + 1), step):
            one, other = look.output[at], look.source[moment]
            found = registration.coarse_fits(one, other, look.ratio, inner=inner, most=1)
            fits += [(fit, at, moment) for fit in found]
    for fit, at, moment in sorted(fits, key=lambda one: -one[0].likeness)[:_TRIED]:
        yield registration.refine([look.output[at]], [look.source[moment]], fit)


def _refuse_wrong_time(pair: Pair, look: _Look, match: _Match) -> None:
    """Raise `EngineError` where no single shift makes the frames of an output those of its source."""
    step = 1 / look.rate
    is_alike = match.likeness >= ALIKE
    # Where nothing fits, the most likely place tells most of the time.
    turn, fit = (match.turn, match.fit) if is_alike else next(_places(look, pair))
    ours, theirs = look.small(turn, fit)
    if not _has_other_length(pair):
        # A freeze can make a wrong shift or place look likely.
        first = look.small(*next(_places(look, pair)))  # whole frames, mostly
        shift = match.frames if is_alike else 0
        _refuse_frozen(*first, look.rate, from_start=False)
        _refuse_frozen(ours[max(0, -shift) :], theirs[max(0, shift) :], look.rate, from_start=True)
    if not (is_alike and match.lag.frames is not None and match.lag.agreement > 0.8):
        _refuse_speed(look, turn, fit)
    refusals.refuse_unlike(match.likeness)
    offset = match.frames * step
    if match.lag.frames is not None:
        end = pair.output.duration_s + offset - pair.stretch[1]
        if _has_other_length(pair) and abs(end) > _tolerance(pair):
            raise refusals.other_end(pair, offset)
        return
    if _has_other_length(pair):
        raise refusals.other_length(pair)
    if match.lag.agreement < _OTHER_MOTION and continues(ours) and continues(theirs):
        raise refusals.other_motion(REACH_S)


def _refuse_frozen(ours: Grey, theirs: Grey, rate: float, *, from_start: bool) -> None:
    """Raise `EngineError` for a freeze: after a part that is alike, or also one from the start."""
    frozen = frozen_part(ours, theirs, rate)
    if frozen is None:
        return
    first, last = frozen
    if (from_start and first < 2) or (first >= 2 and likeness_of(ours[:first], theirs[:first], 0) >= ALIKE):
        raise refusals.frozen(first / rate, last / rate)


def _refuse_speed(look: _Look, turn: int, fit: Fit) -> None:
    """Raise `EngineError` where the output plays at another speed, or frames were lost or repeated at one place."""
    ours, theirs = look.small(turn, fit)
    clock = clock_of(ours, theirs)
    if clock is None:
        return
    is_line = 1 - clock.agreement < 0.8 * (1 - clock.at_speed_1)
    if clock.agreement >= 0.5 and abs(clock.speed - 1) >= _SPEED and is_line:
        raise refusals.other_speed(clock.speed)
    if clock.leap is not None and clock.at_speed_1 >= 0.5:
        leap = clock.leap
        raise refusals.drifts(0, {0.0: leap.before, leap.at / look.rate: leap.after})


def _placed(pair: Pair, match: _Match, cancel: threading.Event | None) -> tuple[Fit, Place]:
    """Return the place with its edges exact to the pixel, from a few frames in full size."""
    turned = replace(pair, place=Place(turn=match.turn))
    ours, theirs = _pictures(turned, cancel)
    theirs = [np.ascontiguousarray(np.rot90(one, -match.turn // 90)) for one in theirs]
    fit = registration.refine(ours, theirs, match.fit, fine=True)
    size = ours[0].shape[1], ours[0].shape[0]
    doubt = fit.doubt * max(size)
    if fit.likeness < ALIKE or doubt > 1.0:
        fit = match.fit  # too little detail to do better
    elif fit.largest_step(size) < max(LEAST_STEP * max(1.0, size[0] / theirs[0].shape[1]), 3 * doubt):
        fit = registration.IDENTITY
    bars = registration.bars_under(ours, theirs, fit)
    place = registration.place_of(fit, size, (theirs[0].shape[1], theirs[0].shape[0]), bars)
    return fit, Place(_unturned(place.source, match.turn), place.output, match.turn)


def _unturned(box: Box | None, turn: int) -> Box | None:
    """Return a box of a turned frame as one of the frame itself."""
    if box is None or not turn:
        return box
    left, top, wide, high = box
    if turn == 180:
        return 1 - left - wide, 1 - top - high, wide, high
    return (top, 1 - left - wide, high, wide) if turn == 90 else (1 - top - high, left, high, wide)


def _pictures(pair: Pair, cancel: threading.Event | None) -> tuple[list[Grey], list[Grey]]:
    """Return a few frames of both in full size, as luma codes of limited range."""
    most = max(1, int(min(pair.length_s, LONG_LOOK_S) * pair.rate))
    numbers = sorted({int(most * share) for share in np.linspace(0.1, 0.9, _PICTURES)})
    wanted = "+".join(f"eq(n\\,{n})" for n in numbers)
    pick = f"select={wanted},scale=out_range=tv,format=yuv420p,extractplanes=y"
    chains = ";".join(f"{timed},{pick}[g{i}]" for i, timed in enumerate(pair.timed()))
    ours, theirs = _read_grey(pair, LONG_LOOK_S, chains, (pair.output.size, pair.source.size), cancel)
    count = min(len(ours), len(theirs))
    if not count:
        raise refusals.refusal("One of the two has no frames in this stretch.")
    return list(ours[:count]), list(theirs[:count])


def _look(pair: Pair, seconds: float, cancel: threading.Event | None) -> _Look:
    """Return the first seconds of both as grey frames in their own shapes."""
    pair = replace(pair, offset=0)
    sizes = [_look_size(side) for side in (pair.output, pair.source)]
    chains = ";".join(
        f"{timed},scale={width}:{height}:flags=area:out_range=pc,format=gray[g{i}]"
        for i, (timed, (width, height)) in enumerate(zip(pair.timed(), sizes, strict=True))
    )
    ours, theirs = _read_grey(pair, seconds, chains, (sizes[0], sizes[1]), cancel)
    if not len(ours) or not len(theirs):
        raise refusals.refusal("One of the two has no frames in this stretch.")
    return _Look(ours, theirs, float(pair.rate), pair.source.shape / pair.output.shape)


def _read_grey(
    pair: Pair, seconds: float, chains: str, sizes: tuple[tuple[int, int], tuple[int, int]],
    cancel: threading.Event | None,
) -> tuple[Grey, Grey]:  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="ci-notebook-look-") as name:
        folder, files = Path(name), ("output.gray", "source.gray")
        ends = [
            word
            for i, file in enumerate(files)
            for word in ("-map", f"[g{i}]", *FRAMES_AS_THEY_COME, "-f", "rawvideo", file)
        ]
        run([*pair.inputs(seconds), "-filter_complex", chains, *ends], cwd=folder, cancel=cancel)
        ours, theirs = (
            np.fromfile(folder / file, np.uint8).reshape(-1, size[1], size[0])
            for file, size in zip(files, sizes, strict=True)
        )
    return ours, theirs


def _look_size(side: AlignedSide) -> tuple[int, int]:
    width, height = side.size
    shrink = min(1.0, _WIDE / max(width, height))
    return max(2, round(width * shrink)), max(2, round(height * shrink))


def _turned(frames: Grey, turn: int) -> Grey:
    return frames if not turn else np.ascontiguousarray(np.rot90(frames, -turn // 90, axes=(1, 2)))


def _resized(frames: Grey, box: Box, size: tuple[int, int]) -> Grey:
    image: Any = pillow()
    high, wide = frames.shape[1:]
    left, top = box[0] * wide, box[1] * high
    area = (left, top, min(float(wide), left + box[2] * wide), min(float(high), top + box[3] * high))
    parts = [np.asarray(image.fromarray(one).resize(size, image.Resampling.BOX, box=area)) for one in frames]
    return np.stack(parts) if parts else np.zeros((0, size[1], size[0]), np.uint8)
