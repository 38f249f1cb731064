"""Find the object key of a video, and its local file, which is downloaded once into the cache."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ci_notebook._folders import readable_file, reading
from ci_notebook.client.client import Client
from ci_notebook.client.file_cache import ContentChanged, FileCache, Storage, holds
from ci_notebook.client.job import Job
from ci_notebook.client.objects import Clip
from ci_notebook.experiment.run_record import Run
from ci_notebook.model.api.jobs import output_md5
from ci_notebook.model.errors import NotFound

if TYPE_CHECKING:
    from ci_notebook.media.frames import Frames

Video: TypeAlias = Clip | Job | Run | str
"""A clip, the output of a job or of a run, or the key of an object."""


def key_of(video: Video) -> str:
    """Return the object key of a video: the clip's own, or that of the output of a job or run.

    Raises `NotFound` for a job or a run without an output.
    """
    if isinstance(video, str):
        return video
    if isinstance(video, Clip):
        return video.key
    detail = video.job if isinstance(video, Run) else video.detail
    key = next(iter(detail.output_keys), "") if detail else ""
    if not key:
        raise NotFound("NoSuchKey", f"{video!r} has no output")
    return key


def frames_of(client: Client, cache: Path, video: Video | Path) -> Frames:
    """Return the frames of a video by their numbers; see `local_file` for what a video may be."""
    from ci_notebook.media.frames import Frames  # lazy: the thin client installs without numpy and PyAV

    return Frames(local_file(client, cache, video))


def local_file(client: Storage, cache: Path, video: Video | Path) -> Path:
    """Return a local file of a clip, of the output of a job or run, or of the object of a key; a `Path` as it is.

    A file that is not in the cache is downloaded. Raises `NotFound` for a key without an object and for a
    run or job without an output, and `MissingFile` for a path.
    """
    if isinstance(video, Path):
        with reading(video):
            return readable_file(video).resolve(strict=True)
    files = FileCache(cache)
    if isinstance(video, Clip):
        return _file_of_clip(client, files, video)
    path = video.output if isinstance(video, Run) else None
    if path is not None and files.note_use(path):
        return path
    key, md5 = key_of(video), _md5_of(video)
    if md5:  # the identity that scoring uses, so that one output is downloaded once
        with contextlib.suppress(ContentChanged):  # the object was replaced: its current content is shown
            return files.fetch(client, key, md5=md5)
    return files.fetch(client, key)


def sources_of(client: Client, cache: Path, clips: Iterable[Clip]) -> dict[str, Any]:
    """Return the keywords of `Runs` about the local files of clips."""
    paths = {clip.key: clip.path for clip in clips if clip.path}

    def source_of(run: Run) -> Path | Clip:
        """Return the file of a run's clip if it is unchanged, else the clip as an object with that content."""
        path = paths.get(run.clip_key)
        if path is not None and holds(path, run.clip_md5):
            return path
        return Clip(key=run.clip_key, bucket="", region="", size_bytes=0, md5=run.clip_md5, name=run.clip)

    return {"sources": paths, "source_of": source_of, "local_file": lambda video: local_file(client, cache, video)}


def _file_of_clip(client: Storage, files: FileCache, clip: Clip) -> Path:
    """Return a file with the content of a clip: the one that was uploaded if it is unchanged, else the object.

    Raises `ContentChanged` if neither has that content any more.
    """
    if clip.path is not None and holds(clip.path, clip.md5):
        return clip.path
    try:
        return files.fetch(client, clip.key, md5=clip.md5)
    except ContentChanged as error:
        local = f" The file {clip.path} has changed since it was uploaded." if clip.path else ""
        raise ContentChanged(f"{error}{local} Upload the clip again with lab.upload(path).") from error


def cached_sources(client: Client, cache: Path, runs: Iterable[Run]) -> list[Clip]:
    """Return the clips of runs whose source is in the cache already, with their local files."""
    files = FileCache(cache)
    clips = []
    for key, md5, name in dict.fromkeys((run.clip_key, run.clip_md5, run.clip) for run in runs if run.clip_md5):
        path = files.path_of(client.bucket, key, md5)
        if path.exists():
            clips.append(Clip(key=key, bucket=client.bucket, region=client.region, size_bytes=path.stat().st_size,
                              md5=md5, path=path, name=name))  # fmt: skip
    return clips


def _md5_of(video: Video) -> str:
    detail = video.job if isinstance(video, Run) else video.detail if isinstance(video, Job) else None
    return output_md5(detail, detail.output_keys[0]) if detail else ""
