"""What is laid beside each other: runs, jobs, clips and files, each with a name that says how it differs.

The rule of this file: it opens nothing. A side says what to open, and where on the clock of its
clip its first picture lies, for a run may show a stretch of its source only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

from ci_notebook.model.declaration.paths import values
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.scores import MAIN
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.words import settings_in_words

MOST: Final = 4  # at once


class Pictures(Protocol):
    """The pictures of one video by their numbers, as `lab.frames` returns them."""

    size: tuple[int, int]

    def __len__(self) -> int: ...
    @property
    def rate(self) -> float: ...  # noqa: D102
    @property
    def duration_s(self) -> float: ...  # noqa: D102
    @property
    def tone(self) -> str: ...  # noqa: D102
    def number_at(self, time_s: float) -> int: ...  # noqa: D102
    def time_of(self, number: int) -> float: ...  # noqa: D102
    def coded(self, number: int, **more: Any) -> bytes: ...  # noqa: D102
    def difference(  # noqa: D102
        self, number: int, other: Any, other_number: int, **more: Any
    ) -> tuple[bytes, float, int]: ...
    def rest(self) -> None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


class Opens(Protocol):
    """What can be compared from: a lab, or the runs of one. Runs may also have `sources`: a clip's name → its file."""

    def frames(self, video: Any) -> Any:
        """Return the pictures of a clip, of what a job or run made, of a key or a file."""


def opener_of(first: Opens) -> Callable[[Any], Any]:
    """Return the function that opens a video: `open_video` of runs, `frames` of a lab."""
    opener: Callable[[Any], Any] = getattr(first, "open_video", None) or first.frames
    return opener


@dataclass(frozen=True)
class Side:
    """One video. `video` is what `frames` takes; `start_s` is when on its clip's clock it begins.

    `pictures` maps a score to one number for every `every`-th picture.
    """

    name: str
    clip: str
    video: Any
    is_source: bool = False
    start_s: float = 0.0
    setting: VideoEnhance | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    pictures: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    every: int = 0


def sides_of(first: Any, videos: Iterable[Any] | None) -> tuple[list[Side], list[int], int]:
    """Return everything that may be looked at, which of it is shown first, and how many runs made nothing.

    The source of each run is among it, before the run. Raises `ParameterError` where there are not two.
    """
    if not callable(getattr(first, "open_video", None) or getattr(first, "frames", None)):
        raise ParameterError(
            "the first argument of CompareView", first, "the runs of a lab, or a lab",
            "Runs that were read from a file know none: CompareView(lab, runs).",
        )  # fmt: skip
    listed = list(first if videos is None else videos)
    found = [_side(video) for video in listed]
    lost = sum(side is None for side in found)
    made = [side for side in found if side is not None]
    named = {_key(video): video for video in listed if _is_clip(video)}
    sides = _named(_with_sources(made, getattr(first, "sources", {}), named))
    if len(sides) < 2:
        raise ParameterError(
            "CompareView", f"{len(sides)} of {len(listed)} videos to show", "two at least",
            "Runs that failed have nothing to show." if lost else "",
        )  # fmt: skip
    asked = [at for at, side in enumerate(sides) if videos is not None and any(side.video is one for one in listed)]
    return sides, asked if 2 <= len(asked) <= MOST else _first_shown(sides), lost


def _side(video: Any) -> Side | None:
    """Return a side for one thing; None for a run or job that made nothing."""
    if hasattr(video, "clip_key") and hasattr(video, "setting"):
        has_output = video.output is not None or bool(video.job and video.job.output_keys)
        if not has_output:
            return None
        return Side(
            "", video.clip, video, start_s=_start(video.setting), setting=video.setting, scores=video.scores,
            pictures=video.pictures, every=max(1, video.every),
        )  # fmt: skip
    if hasattr(video, "detail"):
        source = video.detail.input.object if video.detail.input else ""
        setting = video.setting or VideoEnhance()
        return Side("", Path(source or "").name, video, start_s=_start(setting), setting=setting)
    if _is_clip(video):
        return Side("source", video.name or video.key, video, is_source=True)
    if isinstance(video, (str, Path)):
        return Side(Path(video).name, "", video)
    raise ParameterError("what is to be compared", video, "a clip, a job, a run, a key or a Path")


def _is_clip(video: Any) -> bool:
    return hasattr(video, "key") and hasattr(video, "size_bytes")


def _key(video: Any) -> str:
    return str(video.key)


def _with_sources(made: Sequence[Side], files: Mapping[str, Path], named: Mapping[str, Any]) -> list[Side]:
    """Put the source of each run before the first run of it, once."""
    sides: list[Side] = [side for side in made if side.is_source]
    there = {_key(side.video) for side in sides}
    for side in made:
        key = str(getattr(side.video, "clip_key", ""))
        if key and key not in there:
            there.add(key)
            video = named.get(key) or files.get(side.clip) or key
            sides.append(Side("source", side.clip, video, is_source=True))
        if not side.is_source:
            sides.append(side)
    return sides


def _named(sides: Sequence[Side]) -> list[Side]:
    """Name each run by the leaves in which the runs differ, the clip before it where there are several."""
    runs = [place for place, side in enumerate(sides) if side.setting is not None]
    settings = [values(side.setting) for side in sides if side.setting is not None]
    names = dict(zip(runs, settings_in_words(settings), strict=True))
    several = len({side.clip for side in sides if side.clip}) > 1
    named, seen = list[Side](), dict[str, int]()
    for place, side in enumerate(sides):
        name = names.get(place, side.name)
        name = f"{side.clip}: {name}" if several and side.clip else name
        seen[name] = seen.get(name, 0) + 1
        named.append(replace(side, name=name if seen[name] == 1 else f"{name} ({seen[name]})"))
    return named


def _start(setting: VideoEnhance) -> float:
    interval = setting.transcode.time_interval if setting.transcode else None
    start = interval.start if interval else None
    return float(start) if isinstance(start, int | float) else 0.0


def _first_shown(sides: Sequence[Side]) -> list[int]:
    """Return the first clip's source and run; all of its runs where they are few, else the best by VMAF-NEG."""
    clip = sides[0].clip
    own = [at for at, side in enumerate(sides) if side.clip == clip]
    if 2 <= len(own) <= MOST:
        return own
    if len(own) < 2:
        return [0, 1]
    return [own[0], max(own[1:], key=lambda at: sides[at].scores.get(MAIN, float("-inf")))]
