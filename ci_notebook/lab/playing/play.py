"""`ci.play`: videos side by side in the browser's own player, with or without a lab."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ci_notebook._folders import readable_file, refuse_nul
from ci_notebook._machine_errors import with_own_errors
from ci_notebook.client.job import Job
from ci_notebook.client.objects import Clip
from ci_notebook.experiment.run_record import Run
from ci_notebook.lab.lab import Lab
from ci_notebook.lab.playing.video_files import LabVideoFiles
from ci_notebook.model.declaration.paths import values
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.keywords import checks_keywords
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.words import settings_in_words
from ci_notebook.results.runs import Runs
from ci_notebook.widgets.play.play_view import PlayView

__all__ = ["MOST_VIDEOS", "play"]

MOST_VIDEOS = 12


@checks_keywords
def play(*videos: Any, height: int = 480) -> PlayView:
    """Return a view that plays videos side by side in the browser's own player.

    A video is a local file (`Path` or text), a clip, a job, a run, or several runs. A video that is not on this machine
    needs the lab that knows it: `ci.play(lab, clip, "output/a.mp4")`; then a text may also be an object key. `height`
    is the largest height of a player, 80 to 4096 px. One button plays and pauses all; each video can be saved.

    The videos travel over the notebook's own connection. A video that the browser cannot play (HDR, H.265, AVI) is
    shown as an 8-bit copy of at most 1920 px and ten minutes, which its caption says. A saved notebook keeps a frame
    of each. Raises `ParameterError` for anything else, for no video, and for more than 12; and `NotFound` for a job or
    run without an output.

    >>> import ci_notebook as ci
    >>> ci.play(ci.sample("city"), ci.sample("portrait"))
    PlayView('city.mp4', 'portrait.mp4')
    """
    if isinstance(height, bool) or not isinstance(height, int) or not 80 <= height <= 4096:
        raise ParameterError("height", height, "a whole number from 80 to 4096")
    lab = videos[0] if videos and isinstance(videos[0], Lab) else None
    listed = [_video(one, lab) for one in _flat(videos[1:] if lab is not None else videos)]
    if not 1 <= len(listed) <= MOST_VIDEOS:
        raise ParameterError.plain(f"ci.play() takes 1 to {MOST_VIDEOS} videos (got {len(listed)}).")
    files = lab.video_files if lab is not None else _files_without_lab(videos, listed)
    for one in listed:
        files.check(one)
    return PlayView(files, listed, _titles(listed), height=height)


def _flat(given: Iterable[Any]) -> list[Any]:
    listed: list[Any] = []
    for one in given:
        listed += _flat(one) if isinstance(one, Runs | list | tuple) else [one]
    return listed


def _video(value: Any, lab: Lab | None) -> Any:
    if isinstance(value, Clip | Job | Run):
        return value
    if isinstance(value, str | Path):
        refuse_nul(value)
        path = Path(value).expanduser()
        with with_own_errors(path):
            if path.is_file():
                return readable_file(path).resolve()
        if lab is not None and isinstance(value, str):
            return value
        key = " For an object key write ci.play(lab, key)." if isinstance(value, str) else ""
        raise ParameterError.plain(f"There is no file {str(value)!r}.{key}")
    if isinstance(value, Lab):
        raise ParameterError.plain("The lab comes first: ci.play(lab, video, …).")
    raise ParameterError.plain(f"ci.play() plays local files, clips, jobs and runs (got {type(value).__name__}).")


def _files_without_lab(given: Iterable[Any], videos: list[Any]) -> LabVideoFiles:
    """Return the files of the lab that some of the videos know; else those of this machine only."""
    for one in given:
        if isinstance(one, Runs) and isinstance(one.video_files, LabVideoFiles):
            return one.video_files
    for video in videos:
        if isinstance(video, Job) and video.client.downloads.cache is not None:
            return LabVideoFiles(video.client, video.client.downloads.cache.folder)
    return LabVideoFiles(None, Path(tempfile.gettempdir()) / "ci-notebook-play")


def _titles(videos: list[Any]) -> list[str]:
    """Name each video by what differs: outputs by their settings, with the clip first if there are several."""
    settings = {
        at: values(one.setting or VideoEnhance()) for at, one in enumerate(videos) if isinstance(one, Job | Run)
    }
    words = dict(zip(settings, settings_in_words(list(settings.values())), strict=True))
    clips = {at: _clip_of(one) for at, one in enumerate(videos)}
    has_several = len({clips[at] for at in settings}) > 1
    titles = []
    for at in range(len(videos)):
        title = words.get(at, clips[at])
        titles.append(f"{clips[at]}: {title}" if at in words and (has_several or len(videos) == 1) else title)
    if len(set(titles)) < len(titles):
        titles = [f"{title} ({at + 1})" if titles.count(title) > 1 else title for at, title in enumerate(titles)]
    return titles


def _clip_of(video: Any) -> str:
    if isinstance(video, Run):
        return video.clip
    if isinstance(video, Job):
        source = video.detail.input.object if video.detail.input else ""
        return Path(source or video.output_key).name
    return video.name or Path(video.key).name if isinstance(video, Clip) else Path(video).name
