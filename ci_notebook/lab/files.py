"""What a lab can point at: its key in the bucket, and its local file, fetched once into the cache."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from ci_notebook.client.client import Client
from ci_notebook.client.job import Job
from ci_notebook.client.objects import Clip
from ci_notebook.experiment.run_record import Run
from ci_notebook.model.errors import NotFound

if TYPE_CHECKING:
    from ci_notebook.media.frames import Frames

Video = Clip | Job | Run | str
"""A clip, the key of an object, or what a job or a run made."""


def key_of(video: Video) -> str:
    """Return the key of a video: a clip's own, or that of what a job or a run made.

    Raises `NotFound` for a job or a run that made nothing.
    """
    if isinstance(video, str):
        return video
    if isinstance(video, Clip):
        return video.key
    detail = video.job if isinstance(video, Run) else video.detail
    key = next(iter(detail.output_keys), "") if detail else ""
    if not key:
        raise NotFound("NoSuchKey", f"{video!r} has made nothing")
    return key


def frames_of(client: Client, cache: Path, video: Video | Path) -> Frames:
    """Return the pictures of a video by their numbers; see `local_file` for what it may be."""
    from ci_notebook.media.frames import Frames  # lazy: the thin client installs without numpy and PyAV

    return Frames(local_file(client, cache, video))


def local_file(client: Client, cache: Path, video: Video | Path) -> Path:
    """Return a local file with a clip, with what a job or run made, or with the object of a key; a `Path` as it is.

    What is not here yet is downloaded. Raises `NotFound` for a key that is not there, for a run or
    job that made nothing, and `FileNotFoundError` for a path.
    """
    if isinstance(video, Path):
        return video.resolve(strict=True)
    known = video.path if isinstance(video, Clip) else video.output if isinstance(video, Run) else None
    if known is not None and known.exists():
        return known
    key = key_of(video)
    etag = client.head(key).etag
    name = hashlib.md5(f"{client.bucket}/{key}/{etag}".encode(), usedforsecurity=False).hexdigest()
    return fetched(client, key, cache / f"{name}{Path(key).suffix}")


def fetched(client: Client, key: str, path: Path) -> Path:
    """Return `path`; where it is not there yet, the object of `key` is downloaded to it."""
    if not path.exists():
        # Under a name of its own: another kernel may be fetching the same. Such names are cleared up, if need be.
        half = path.with_name(f"half-{secrets.token_hex(4)}-{path.name}")
        try:
            client.download(key, half).replace(path)
        finally:
            half.unlink(missing_ok=True)
    return path
