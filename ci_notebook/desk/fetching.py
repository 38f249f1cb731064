"""The local file of whatever a lab can point at, fetched once into its cache."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from ci_notebook.client.client import Client
from ci_notebook.client.job import Job
from ci_notebook.client.objects import Clip
from ci_notebook.experiment.record import Run
from ci_notebook.model.errors import NotFound

if TYPE_CHECKING:
    from ci_notebook.media.frames import Frames

Video = Clip | Job | Run | Path | str


def frames_of(client: Client, cache: Path, video: Video) -> Frames:
    """Return the pictures of a video by their numbers; see `local_file` for what it may be."""
    from ci_notebook.media.frames import Frames  # lazy: the thin client installs without numpy and PyAV

    return Frames(local_file(client, cache, video))


def local_file(client: Client, cache: Path, video: Video) -> Path:
    """Return a local file with a clip, with what a job or run made, or with the object of a key; a `Path` as it is.

    What is not here yet is downloaded. Raises `NotFound` for a key that is not there, for a run or
    job that made nothing, and `FileNotFoundError` for a path.
    """
    if isinstance(video, Path):
        return video.resolve(strict=True)
    known = video.path if isinstance(video, Clip) else video.output if isinstance(video, Run) else None
    if known is not None and known.exists():
        return known
    key = _key_of(video)
    etag = client.head(key).etag
    name = hashlib.md5(f"{client.bucket}/{key}/{etag}".encode(), usedforsecurity=False).hexdigest()
    path = cache / f"{name}{Path(key).suffix}"
    if not path.exists():
        half = path.with_name(f"half-{secrets.token_hex(4)}-{path.name}")  # such names are cleared up, if need be
        try:
            client.download(key, half).replace(path)
        finally:
            half.unlink(missing_ok=True)
    return path


def _key_of(video: Clip | Job | Run | str) -> str:
    if isinstance(video, str):
        return video
    if isinstance(video, Clip):
        return video.key
    detail = video.job if isinstance(video, Run) else video.detail
    key = next(iter(detail.output_keys), "") if detail else ""
    if not key:
        raise NotFound("NoSuchKey", f"{video!r} has made nothing")
    return key
