"""FFmpeg's arguments and filters that read a stretch of a clip: exactly its frames, at exactly their times.

Invariant: the first frame is the first one that appears in the stretch, in every container, and time 0 is
the begin of the stretch. FFmpeg alone seeks by times of decoding in some containers, lands behind the wanted
frame in others, and has no times at all in a few. So it seeks to a key frame at or before the first frame,
and the frames before that are dropped by the times, or the numbers, that `frame_times` knows.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ci_notebook.media.streams.frame_times import Timeline
from ci_notebook.model.errors import EngineError

__all__ = ["KEEP_TIMES", "Stretch", "retimed", "stretch_of"]

_SAME_S = 1e-6
_AT_ONCE_S = 2e-3  # MP4 counts delays in ms, and its readers drop a first frame that is later by less
_MARGIN_S = 1.0
_TICKS = 90000  # per second; holds the times of all usual containers
_FAR_S = 1e6
KEEP_TIMES = ("-fps_mode", "vfr", "-enc_time_base", f"1:{_TICKS}")
"""FFmpeg's arguments for an output whose frames do not follow each other evenly: their times stay as they are."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """How FFmpeg reads a stretch: `arguments` before its input, `video` and `audio` filters before all others.

    `audio` are the filters of each track, or of all tracks if there is one entry.
    `times` are when its frames appear, in seconds from its begin, `rate` is their mean rate, and `is_constant`
    says whether they follow each other evenly. `last_s` is how long the last frame is shown.
    """

    arguments: tuple[str, ...]
    video: tuple[str, ...]
    audio: tuple[tuple[str, ...], ...]
    times: tuple[float, ...]
    rate: Fraction
    is_constant: bool
    last_s: float

    def audio_of(self, track: int) -> tuple[str, ...]:
        """Return the filters of an audio track, counted from 0."""
        return self.audio[min(track, len(self.audio) - 1)]

    @property
    def doubled_times(self) -> tuple[float, ...]:
        """The times of twice as many frames: each new one half way to the next."""
        after = (*self.times[1:], self.times[-1] + self.last_s) if self.times else ()
        return tuple(time for at, end in zip(self.times, after, strict=True) for time in (at, (at + end) / 2))

    def retimed(self, *, doubled: bool = False) -> tuple[str, ...]:
        """Return the filters that give frames their true times back, which come at a constant rate from 0 on."""
        begin = self.times[0] if self.times else 0.0
        if self.is_constant:
            return (f"settb=1/{_TICKS},setpts=PTS+{begin:.6f}/TB",) if begin > _SAME_S else ()
        return retimed(self.doubled_times if doubled else self.times)


@functools.lru_cache(maxsize=8)  # a job asks for the same one for its filters, its sound and its checks
def stretch_of(timeline: Timeline, start_s: float = 0.0, length_s: float | None = None) -> Stretch:
    """Return how a stretch is read; its start is counted from the begin of the file, as players do.

    Raises `EngineError` for a part of a video whose clock starts anew.
    """
    if timeline.is_restarted and (start_s or length_s is not None):
        raise EngineError(
            "No part of the video can be cut out, because its clock starts anew inside it, as in appended recordings. "
            "Use the whole video, or write it again first: ffmpeg -i recording.ts -c copy recording.mkv",
            code="ResourceNotSupported",
        )
    numbers = timeline.within(start_s, length_s)
    late = timeline.late_s
    first = late + timeline.time_of(numbers.start) - start_s if numbers else 0.0
    first = 0.0 if first < _AT_ONCE_S else first
    if timeline.is_constant:  # else rounded times of neighbors could become equal in the output
        first = float(round(first * timeline.rate) / timeline.rate)
    times = tuple(first + timeline.time_of(number) - timeline.time_of(numbers.start) for number in numbers)
    is_part = bool(start_s) or length_s is not None
    seek = 0.0
    if start_s and timeline.can_seek and numbers:
        place = timeline.key_before(numbers.start)
        seek = max(0.0, timeline.ticks[place] * float(timeline.unit) - timeline.start_s)
    # Where the stretch begins on the clock of FFmpeg's filters, for sound and for the video.
    sound = timeline.begin_s + start_s - timeline.start_s - seek
    video = sound + timeline.ahead_s
    arguments = ["-ss", f"{seek:.6f}"] if seek > _SAME_S else []
    if timeline.is_restarted:
        # FFmpeg counts the frames itself. Filters would count anew where the pixel format changes with the clock.
        arguments += ["-r", str(timeline.rate)]
    if length_s is not None:
        arguments += ["-t", f"{max(sound, video) + length_s + _MARGIN_S:.6f}"]  # the filters cut exactly
    filters = (
        _part_filters(timeline, numbers, seek, times) if is_part else _timed(timeline, times, video + late - first)
    )
    tracks: tuple[float | None, ...] = timeline.sounds_late_s or (None,)
    audio = tuple(_audio_filters(late_s, sound, start_s, length_s) for late_s in tracks)
    return Stretch(
        tuple(arguments), filters, audio, times, timeline.rate, timeline.is_constant,
        _last_s(timeline, numbers),
    )  # fmt: skip


def _part_filters(timeline: Timeline, numbers: range, seek: float, times: tuple[float, ...]) -> tuple[str, ...]:
    unit, ticks, clock = float(timeline.unit), timeline.ticks, timeline.start_s + seek
    begin: tuple[str, ...] = ()
    if not numbers:
        return ("trim=end_frame=0",)
    if timeline.is_counted:
        return (f"trim=start_frame={numbers.start}:end_frame={numbers.stop}", *_timed(timeline, times, 0.0))
    if not timeline.can_seek:
        # Where FFmpeg's clock begins in broadcast streams depends on which streams it reads.
        begin, clock = ("setpts=PTS-STARTPTS",), ticks[0] * unit

    def edge(number: int) -> float:
        """Return the time half way between a frame and the one before it, so that no rounding can decide."""
        if number in (0, len(ticks)):
            return _FAR_S if number else -_FAR_S
        return (ticks[number - 1] + ticks[number]) / 2 * unit - clock

    cut = f"trim=start={edge(numbers.start):.6f}:end={edge(numbers.stop):.6f}"
    return (*begin, cut, *_timed(timeline, times, ticks[numbers.start] * unit - clock - times[0]))


def _timed(timeline: Timeline, times: tuple[float, ...], shift: float) -> tuple[str, ...]:
    """Return the filters that give frames their times in the stretch; `shift` is how much later they come."""
    if timeline.is_restarted:
        return (f"setpts=PTS+{times[0] if times else 0.0:.6f}/TB", f"fps={timeline.rate}")
    if timeline.is_counted or timeline.is_regular:
        # `fps` changes no frame here: it tells the encoder the rate.
        return (f"setpts=N/({timeline.rate}*TB)+{times[0] if times else 0.0:.6f}/TB", f"fps={timeline.rate}")
    return (f"setpts=PTS-{shift:.6f}/TB",) if abs(shift) > _SAME_S else ()


def _last_s(timeline: Timeline, numbers: range) -> float:
    if not numbers or numbers.stop == len(timeline):
        return timeline.last_s
    return timeline.time_of(numbers.stop) - timeline.time_of(numbers.stop - 1)


def _audio_filters(late_s: float | None, begin: float, start_s: float, length_s: float | None) -> tuple[str, ...]:
    """Return the filters that cut a track; `begin` is where the stretch begins on the clock of FFmpeg's program."""
    clock: tuple[str, ...] = ()
    if late_s is not None:
        # In broadcast streams that clock depends on which streams are read, so the first sound sets it.
        clock, begin = (f"asetpts=PTS-STARTPTS+{late_s:.6f}/TB",), start_s
    if abs(begin) <= _SAME_S and length_s is None:
        return clock
    end = "" if length_s is None else f":end={begin + length_s:.6f}"
    shift = () if abs(begin) <= _SAME_S else (f"asetpts=PTS-{begin:.6f}/TB",)
    return (*clock, f"atrim=start={max(0.0, begin):.6f}{end}", *shift)


def retimed(times: Sequence[float]) -> tuple[str, ...]:
    """Return the filters that show frame n at `times[n]`, in seconds."""
    return (f"settb=1/{_TICKS},setpts='({_lookup(_runs(times))})/TB'",)


def _runs(times: Sequence[float]) -> list[tuple[int, float, float]]:
    """Return the times as runs of even steps: the number of the first frame, its time, the step."""
    runs: list[tuple[int, float, float]] = []
    number = 0
    while number < len(times):
        step = times[number + 1] - times[number] if number + 1 < len(times) else 0.0
        end = number + 1
        while end < len(times) and abs(times[end] - times[number] - (end - number) * step) < 5e-6:
            end += 1
        runs.append((number, times[number], step))
        number = end
    return runs


def _lookup(runs: list[tuple[int, float, float]]) -> str:
    """Return an expression of N that finds its run by bisection."""
    if not runs:
        return "N"
    if len(runs) == 1:
        number, time, step = runs[0]
        return f"{time:.6f}+(N-{number})*{step:.6f}" if step else f"{time:.6f}"
    middle = len(runs) // 2
    return f"if(lt(N,{runs[middle][0]}),{_lookup(runs[:middle])},{_lookup(runs[middle:])})"
