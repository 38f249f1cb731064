"""Check what a caller passes to a lab: clips, settings, times and numbers.

Invariant: a function here returns a value of the type that it declares, or raises a `ParameterError` that says what
to do. Shorthands whose meaning is clear are accepted: one value for a list, a preset's name or a dict for a setting,
an object's key for a clip. A local file is never uploaded implicitly.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, get_args

from ci_notebook.client.client import Client
from ci_notebook.client.job import Job
from ci_notebook.client.objects import Clip, clip_of
from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.settings import Setting
from ci_notebook.experiment.sweep import Sweep
from ci_notebook.lab.files import Video, key_of
from ci_notebook.model.api.jobs import State
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.api.templates import Template
from ci_notebook.model.errors import NotFound, ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.shorthand import SettingLike, setting_from

_STATES: Final = ("All", *get_args(State))
SettingsLike: TypeAlias = Setting | SettingLike | Iterable[Setting | SettingLike]
"""One setting or several, each as a `VideoEnhance`, a stored template, a preset's name or a dict."""
Clips: TypeAlias = Clip | str | Iterable[Clip | str]
"""One clip or several, each as `lab.upload` returned it or as the key of an object."""


def clip_from(client: Client, value: object, call: str) -> Clip:
    """Return a clip as it is, or the clip of a key in the bucket. Raises `ParameterError` for anything else."""
    if isinstance(value, Clip):
        return value
    refuse_local_file(client, value)
    if isinstance(value, str):
        try:
            stored = client.head(value)
        except NotFound as error:
            raise ParameterError.plain(
                f"The bucket has no object {value!r}, and there is no such local file. "
                f"Upload the clip with lab.upload(path) first."
            ) from error
        return clip_of(stored, bucket=client.bucket, region=client.region)
    _refuse_setting_as_clip(value, call)
    if isinstance(value, Job | Run):
        raise ParameterError.plain(
            f"lab.{call}() takes clips, not {_article(value)}. "
            "Download its output and upload that with lab.upload(path) to use it as a clip."
        )
    raise ParameterError.plain(f"lab.{call}() takes the clips that lab.upload() returned (got {value!r:.80}).")


def clips_from(client: Client, value: object, call: str) -> list[Clip]:
    """Return one clip, or several, as a list."""
    _refuse_setting_as_clip(value, call)
    if isinstance(value, Iterable) and not isinstance(value, str):
        clips = [clip_from(client, one, call) for one in value]
        if not clips:
            raise ParameterError.plain(f"lab.{call}() needs at least one clip (got an empty list).")
        return clips
    return [clip_from(client, value, call)]


def references_from(client: Client, value: object, clips: Sequence[Clip]) -> dict[str, Clip]:
    """Return the key of each clip with its reference: one for all clips, or one per clip in their order."""
    if value is None:
        return {}
    if isinstance(value, Iterable) and not isinstance(value, str):
        references = [clip_from(client, one, "run") for one in value]
        if len(references) != len(clips):
            raise ParameterError.plain(
                "reference must be one clip for all, or one per clip "
                f"(clips: {len(clips)}, references: {len(references)})."
            )
        return {clip.key: one for clip, one in zip(clips, references, strict=True)}
    reference = clip_from(client, value, "run")
    return {clip.key: reference for clip in clips}


def originals_from(client: Client, value: object) -> Clip | dict[str, Clip] | None:
    """Return the reference for all adopted jobs, or those of single sources by the key of the source."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {key_of(source): clip_from(client, one, "adopt") for source, one in value.items()}
    if not isinstance(value, Clip | str | Path):
        raise ParameterError("reference", value, "a clip, its key, or a dict from the key of a source to its original")
    return clip_from(client, value, "adopt")


def video_from(client: Client, value: object, call: str) -> Video:
    """Return a clip, a job, a run, or the key of an object, as it is."""
    refuse_local_file(client, value)
    if isinstance(value, Clip | Job | Run | str):
        return value
    _refuse_setting_as_clip(value, call)
    if isinstance(value, Iterable):
        raise ParameterError.plain(f"lab.{call}() takes one clip (got {_article(value)}). Call it once per clip.")
    raise ParameterError.plain(f"lab.{call}() takes a clip, a job, a run, or the key of an object (got {value!r:.80}).")


def videos_from(client: Client, value: object, call: str) -> list[Video]:
    """Return one video, or several, as a list."""
    _refuse_setting_as_clip(value, call)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [video_from(client, one, call) for one in value]
    return [video_from(client, value, call)]


def local_path_or_video(client: Client, value: object, call: str) -> Video | Path:
    """Return a local file as a `Path`, or any other video as it is. For calls that read a file without uploading."""
    if isinstance(value, Path) or (isinstance(value, str) and _is_file(value) and not _is_key(client, value)):
        return Path(value)
    return video_from(client, value, call)


def refuse_local_file(client: Client, value: object) -> None:
    """Raise `ParameterError` for a local file: a clip is uploaded explicitly. The key of an object passes."""
    if isinstance(value, Path):
        if not value.exists():
            raise ParameterError.plain(f"There is no file {str(value)!r}.")
        raise _upload_first(value)
    if isinstance(value, str) and value and _is_file(value) and not _is_key(client, value):
        raise _upload_first(value)


def _upload_first(path: Path | str) -> ParameterError:
    return ParameterError.plain(
        f"{str(path)!r} is a local file. Upload it first: clip = lab.upload({str(path)!r}), then pass clip."
    )


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a path, or it holds a NUL
        return False


def _is_key(client: Client, text: str) -> bool:
    try:
        client.head(text)
    except (NotFound, ParameterError):  # a path such as /home/a.mp4 cannot be a key
        return False
    return True


def setting_argument(value: object, call: str) -> VideoEnhance:
    """Return the one setting that a caller means."""
    if isinstance(value, Clip | Job | Run | Path):
        raise _wrong_order(call)
    if isinstance(value, Sweep | Sequence) and not isinstance(value, str):
        raise ParameterError.plain(
            f"lab.{call}() takes one setting (got {_article(value)}). Use lab.run(clips, settings) for several."
        )
    if isinstance(value, Template):
        raise ParameterError.plain(
            f"lab.{call}() takes a stored template by its id: template_id={value.template_id!r}."
            if call in ("submit", "request")
            else f"lab.{call}() takes a setting, not a template. Use template.video_enhance."
        )
    return setting_from(value)  # type: ignore[arg-type]  # it refuses every other type


def settings_argument(value: object, call: str) -> list[Setting]:
    """Return one setting, or several, as a list; a stored template stays what it is."""
    if isinstance(value, Clip | Job | Path):
        raise _wrong_order(call)
    if isinstance(value, VideoEnhance | Template | str | Mapping) or not isinstance(value, Iterable):
        return [_setting_or_template(value, call)]
    return [_setting_or_template(one, call) for one in value]


def _setting_or_template(value: Any, call: str) -> Setting:
    if isinstance(value, Clip | Job | Path):
        raise _wrong_order(call)
    return value if isinstance(value, Template) else setting_from(value)


def _refuse_setting_as_clip(value: object, call: str) -> None:
    if isinstance(value, VideoEnhance | Template | Sweep | Mapping):
        raise _wrong_order(call)


def _wrong_order(call: str) -> ParameterError:
    names = "setting" if call in ("submit", "request", "preview") else "settings"
    return ParameterError.plain(f"The clip comes first, then the {names}: lab.{call}(clip, {names}).")


def budget_argument(value: object) -> float | None:
    """Return a budget as a number. Raises `ParameterError` for a text and for a negative or undefined number."""
    if value is None:
        return None
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        example = value if isinstance(value, str) and value.strip().replace(".", "", 1).isdigit() else "20"
        raise ParameterError.plain(f"budget must be a number (got {value!r:.80}). Write budget={example.strip()}.")
    budget = float(value)
    if math.isnan(budget) or budget < 0:
        raise ParameterError("budget", value, "a number of at least 0, in the currency of lab.prices")
    return budget


def whole_number(name: str, value: object, *, least: int = 1) -> int:
    """Return a whole number of at least `least`."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < least:
        raise ParameterError(name, value, f"a whole number of at least {least}")
    return int(value.__index__())


def time_argument(value: object) -> float:
    """Return a time in a clip, in seconds from its start."""
    if isinstance(value, bool) or not hasattr(value, "__float__") or not float(value) >= 0:
        raise ParameterError("at_s", value, "a number of seconds from the start of the clip, 0 or more")
    return float(value)


def refuse_after_end(at_s: float, name: str, duration_s: float | None) -> None:
    """Raise `ParameterError` for a time at which the clip has ended. A clip of unknown length passes."""
    if duration_s and at_s >= duration_s:
        raise ParameterError.plain(
            f"{name} is {duration_s:g} s long and has no frame at {at_s:g} s. Choose at_s below {duration_s:g}."
        )


def duration_of(info: MediaInfo) -> float | None:
    """Return the length of a clip in seconds; None if it is not known."""
    duration_s = info.format.duration if info.format else None
    return float(duration_s) if isinstance(duration_s, int | float) else None


def job_states(states: object) -> list[str]:
    """Return the states of jobs to list. Raises `ParameterError` for a state that does not exist."""
    given = states.split(",") if isinstance(states, str) else states
    listed: list[Any] = list(given) if isinstance(given, Iterable) else [given]
    for state in listed:
        if state not in _STATES:
            nearest = difflib.get_close_matches(str(state), _STATES, n=1)
            remedy = f"Did you mean {nearest[0]}?" if nearest else ""
            raise ParameterError("states", state, f"one or several of {', '.join(_STATES)}", remedy)
    return listed


def _article(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
