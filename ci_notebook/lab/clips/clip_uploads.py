"""Uploads of clips under separate keys, and checks that a key still has the content of its clip.

Invariant: two files never share a key without a warning. The identity of a clip is bucket, key and content.
"""

from __future__ import annotations

import inspect
import threading
import warnings
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from ci_notebook.client.client import Client
from ci_notebook.client.objects import Clip, StoredObject, key_for, readable, refuse_replaced
from ci_notebook.lab.clips.clip_facts import summary_of_file
from ci_notebook.lab.files import Video
from ci_notebook.model.errors import ServiceError
from ci_notebook.results.progress_bar import Progress

_LOCKS: Final = tuple(threading.Lock() for _ in range(64))
_PACKAGE: Final = str(Path(__file__).parents[2])


def upload_clip(client: Client, path: Path, key: str = "", *, name: str = "") -> Clip:
    """Store a video and return it; see `Lab.upload` for what `key` means. `name` replaces that of the file."""
    named = path.with_name(name) if name else path
    is_chosen = bool(key) and not key.endswith("/")
    wanted = key if is_chosen else key_for(key or "input/", named)
    shown = readable(named.name)
    replaced: list[StoredObject] = []
    # Two threads that upload files of one name look at the key one after the other.
    with _LOCKS[hash(wanted) % len(_LOCKS)], Progress(f"Uploading {shown}", total=path.stat().st_size) as progress:
        clip = client.upload_clip(
            path, wanted, apart=not is_chosen, on_replace=replaced.append, crc64_of=_crc64_of,
            on_progress=lambda sent, total: progress.update(sent),
        )  # fmt: skip
    if replaced:
        warnings.warn(
            f"{wanted} had other content, which {shown} has replaced. Clips that were uploaded to it before are "
            "refused from now on.",
            stacklevel=_level_of_caller(),
        )
    clip = replace(clip, summary=summary_of_file(path))
    if clip.key == wanted:
        return replace(clip, name=shown)
    warnings.warn(
        f"{wanted} has other content, so this {shown} is stored as {clip.key}. To choose another key, pass key=.",
        stacklevel=_level_of_caller(),
    )
    return replace(clip, name=PurePosixPath(clip.key).name)


def _level_of_caller() -> int:
    """Return how far above its caller the first line outside this package is: the line that a warning names."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    return level


def _crc64_of(path: Path) -> str:
    from ci_notebook.engine.storage.crc64 import Crc64  # lazy: hardly any upload needs it

    crc = Crc64()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            crc.update(chunk)
    return str(crc)


def check_stored(client: Client, video: Video) -> None:
    """Raise `ParameterError` if another file was stored under the key of a clip since it was uploaded."""
    if isinstance(video, Clip) and (video.md5 or video.etag):
        try:
            stored = client.head(video.key)
        except ServiceError:  # the call that follows says so
            return
        refuse_replaced(video, stored)
