"""Saves the output of a job under a readable name.

Invariants: a file appears whole or not at all, and its content is that of the job. A file with other content is never
replaced unless the caller says so. No name from the service is used as a path unchecked.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from ci_notebook._folders import absolute
from ci_notebook._machine_errors import FULL, own_error
from ci_notebook.client.file_cache import ContentChanged, FileCache, Storage, md5_of, whole_file
from ci_notebook.client.multipart import Progress
from ci_notebook.model.api.jobs import JobsDetail, output_md5
from ci_notebook.model.declaration.paths import values
from ci_notebook.model.errors import NotFound, ParameterError
from ci_notebook.model.file_names import NamedOutput, file_names, safe_name

__all__ = ["ByteBar", "Downloads", "OutputStorage", "name_of_output", "named_output", "no_output", "save_output"]

ByteBar = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
"""Makes a progress bar with a label; it yields the function to call with the bytes so far and the size."""

PLAYLISTS: Final = {".m3u8": "HLS", ".mpd": "DASH"}


class OutputStorage(Storage, Protocol):
    """The part of a client that a download needs."""

    def download(self, key: str, path: str | Path, *, on_progress: Progress | None = None) -> Path: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class Downloads:
    """How the jobs of a client are downloaded: from which cache, and with which progress bar; None for neither."""

    cache: FileCache | None = None
    bar: ByteBar | None = None


def named_output(job: JobsDetail, *, clip: str = "") -> NamedOutput:
    """Return what names the output of a job. `clip` is the name of its clip, if it is known better than by its key."""
    operation = job.operation
    setting = operation.setting if operation else None
    source = (job.input.object if job.input else "") or ""
    return NamedOutput(
        clip=clip or PurePosixPath(source).name or "video",
        setting=values(setting) if setting is not None else {},
        job_id=job.job_id or "",
        key=next(iter(job.output_keys), ""),
    )


def name_of_output(job: JobsDetail) -> str:
    """Return a readable file name for the output of a job, such as `holiday-SharpenLevel-5.mp4`."""
    return file_names([named_output(job)])[0]


def no_output(job: JobsDetail) -> NotFound:
    """Return the error for a job without an output, with what to do."""
    state = job.state or "unknown"
    if job.state == "Failed":
        reason = f"{job.code}: {job.message}".strip(": ")
        return NotFound(
            "NoSuchKey",
            f"The job has no output, because it failed ({reason.rstrip('.')}). Correct this and submit again.",
        )
    if job.is_over:
        return NotFound("NoSuchKey", f"The job has no output; its state is {state}. Submit it again.")
    return NotFound("NoSuchKey", f"The job has no output yet; its state is {state}.", hint="Call job.wait() first.")


def save_output(
    client: OutputStorage, job: JobsDetail, path: str | Path | None, *, name: str = "", downloads: Downloads,
    overwrite: bool = False, only_check: bool = False, on_progress: Progress | None = None,
) -> Path:  # fmt: skip
    """Save the output of a finished job and return its path; see `Job.download`.

    With `only_check` nothing is written; the errors that are known before are raised all the same.

    `name` is the name in a folder; by default that of `name_of_output`. An output of several files (HLS, DASH) is
    saved into a folder of that name, and the path of its playlist is returned.
    """
    keys = job.output_keys
    if not keys:
        raise no_output(job)
    name = name or name_of_output(job)
    target = Path.cwd() if path is None else Path(path).expanduser()
    absolute(target)  # refuses NUL and a deleted folder; a relative path stays relative, as the table shows it
    is_folder = path is None or target.is_dir() or str(path).endswith(("/", os.sep))
    if len(keys) == 1:
        wanted = [(keys[0], target / name if is_folder else target)]
    else:
        if not is_folder and target.suffix:
            kind = PLAYLISTS.get(PurePosixPath(keys[0]).suffix.lower(), "an output")
            raise ParameterError.plain(
                f"The output is {kind} in {len(keys)} files, so it cannot be saved as {target.name}. "
                "Give a folder: job.download('results/')."
            )
        folder = target / PurePosixPath(name).stem if is_folder else target
        wanted = [(key, folder / relative) for key, relative in zip(keys, _relative_names(keys), strict=True)]
    with _our_errors(wanted[0][1]):
        missing = [(key, file) for key, file in wanted if not _is_there(client, job, key, file, overwrite)]
        for key, file in missing if not only_check else ():
            md5 = output_md5(job, key).lower()
            _save(client, key, file, md5=md5, downloads=downloads, on_progress=on_progress)
    return wanted[0][1]


def _relative_names(keys: Sequence[str]) -> list[str]:
    """Return the paths of several outputs below the folder of the first; a playlist names the others by them.

    Raises `ParameterError` for a name that does not stay in that folder or that not every file system allows.
    """
    folder = PurePosixPath(keys[0]).parent
    names = []
    for key in keys:
        path = PurePosixPath(key)
        name = path.relative_to(folder) if path.is_relative_to(folder) else None
        if name is None or any(safe_name(part, max_bytes=255) != part for part in name.parts):
            raise ParameterError.plain(
                f"The output {key!r} cannot be saved under its own name, which the playlist needs. "
                "Use lab.client.download(key, path) for each of job.detail.output_keys."
            )
        names.append(str(name))
    return names


def _is_there(client: OutputStorage, job: JobsDetail, key: str, file: Path, overwrite: bool) -> bool:
    """Return whether a file has the content of an output already. Raises `ParameterError` if it has another."""
    if file.is_dir():
        raise ParameterError.plain(f"{str(file)!r} is a folder. Choose another name.")
    if not file.exists():
        return False
    if not file.is_file():
        raise ParameterError.plain(f"{str(file)!r} is a pipe, a socket or a device. Choose another name.")
    if _is_same(client, job, key, file):
        return True
    if not overwrite:
        raise ParameterError.plain(
            f"{str(file)!r} exists and has other content. Pass overwrite=True to replace it, or choose another name."
        )
    return False


def _is_same(client: OutputStorage, job: JobsDetail, key: str, file: Path) -> bool:
    md5 = output_md5(job, key)
    if not md5:
        facts = client.head(key)
        if facts.size_bytes != file.stat().st_size:
            return False
        md5 = facts.md5
    return bool(md5) and md5_of(file) == md5.lower()


def _save(
    client: OutputStorage, key: str, file: Path, *, md5: str, downloads: Downloads, on_progress: Progress | None
) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as part:
        if _copied(client, key, md5, part, downloads.cache):
            return
        if on_progress is None and downloads.bar is not None:
            with downloads.bar(f"Downloading {file.name}") as report:
                client.download(key, part, on_progress=report)
        else:
            client.download(key, part, on_progress=on_progress)
        if md5 and md5_of(part) != md5:
            raise ContentChanged(
                f"The object {key} has changed since the job ended. "
                "lab.client.download(key, path) saves what is stored now."
            )


def _copied(client: OutputStorage, key: str, md5: str, part: Path, cache: FileCache | None) -> bool:
    """Copy an output from the cache, if it is there and whole."""
    if cache is None or not md5:
        return False
    cached = cache.path_of(client.bucket, key, md5)
    if not cache.note_use(cached):
        return False
    try:
        shutil.copyfile(cached, part)
    except FileNotFoundError:  # evicted meanwhile
        return False
    return md5_of(part) == md5


@contextlib.contextmanager
def _our_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise own_error(error, file) from error
        raise ParameterError.plain(
            f"Cannot write {str(file)!r}: {error.strerror or error}. Choose another place."
        ) from error
