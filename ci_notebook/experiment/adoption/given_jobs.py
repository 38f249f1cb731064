"""Reads the jobs that a caller names: objects, ids, XML or JSON as text, files, folders and glob patterns.

Invariant: an unreadable file among several is reported by its name and is not fatal.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from ci_notebook._folders import readable_file
from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.errors import ParameterError
from ci_notebook.wire.notifications import read_notification
from ci_notebook.wire.xml import MalformedXML

__all__ = ["GivenJobs", "JobsLike", "read_jobs_given"]

_ENDINGS: Final = (".xml", ".json")
# A reply with 1000 jobs has about 3 MB.
_MAX_BYTES: Final = 256 << 20


@runtime_checkable
class HasDetail(Protocol):
    """A job object with the last reply of the service, such as `client.job.Job`."""

    @property
    def detail(self) -> JobsDetail:
        """The last reply of the service."""


JobLike: TypeAlias = "JobsDetail | HasDetail | str | bytes | Path | Mapping[str, Any]"
JobsLike: TypeAlias = "JobLike | Iterable[JobLike]"
"""One job or several: a `JobsDetail`, a `Job`, an id, XML or JSON, a file, a folder, or a glob pattern of files."""


@dataclass(slots=True)
class GivenJobs:
    """Jobs that were read, ids of jobs that are still to be read, and name → reason of everything unreadable."""

    jobs: list[JobsDetail | str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)


def read_jobs_given(jobs: object) -> GivenJobs:
    """Return the jobs that a caller names.

    >>> read_jobs_given("<JobsDetail><JobId>j1</JobId><State>Failed</State></JobsDetail>").jobs
    [JobsDetail(job_id='j1', state='Failed')]
    >>> read_jobs_given(["j1", "j2"]).jobs
    ['j1', 'j2']

    Raises `ParameterError` for another type, for a file that does not exist, and for one unreadable file or text.
    """
    given = GivenJobs()
    is_one = isinstance(jobs, JobsDetail | HasDetail | str | bytes | bytearray | Path | Mapping)
    for number, one in enumerate([jobs] if is_one else _listed(jobs), 1):
        _read(given, one, "" if is_one else f"item {number}")
    if not given.jobs and len(given.unreadable) == 1:
        ((name, reason),) = given.unreadable.items()
        raise ParameterError.plain(f"No job can be read from {name}: {reason}")
    return given


def _listed(jobs: object) -> Iterable[object]:
    if not isinstance(jobs, Iterable):
        raise _wrong_type(jobs)
    return jobs


def _read(given: GivenJobs, one: object, place: str) -> None:
    if isinstance(one, JobsDetail):
        given.jobs.append(one)
    elif isinstance(one, HasDetail) and isinstance(one.detail, JobsDetail):
        given.jobs.append(one.detail)
    elif isinstance(one, Mapping):
        _read_body(given, json.dumps(one, default=str).encode(), place or "the dict")
    elif isinstance(one, bytes | bytearray):
        _read_body(given, bytes(one), place or "the bytes")
    elif isinstance(one, str) and one.lstrip("\ufeff \t\r\n")[:1] in ("<", "{"):
        _read_body(given, _encoded(one), place or "the text")
    elif isinstance(one, str | Path):
        files = list(_files(one))
        for file in files:
            _read_file(given, file)
        if not files:
            given.jobs.append(str(one).strip())
    else:
        raise _wrong_type(one)


def _wrong_type(value: object) -> ParameterError:
    return ParameterError.plain(
        "Jobs are given as JobsDetail or Job objects, ids, XML or JSON, or as the path of a file or a folder "
        f"(got {value!r:.80})."
    )


def _encoded(text: str) -> bytes:
    """Return a text in UTF-8. An XML declaration that names another encoding is left out: the text is decoded."""
    body = text.lstrip("\ufeff \t\r\n")
    return (body.partition("?>")[2] if body.startswith("<?xml") else body).encode()


def _files(name: str | Path) -> Iterator[Path]:
    """Yield the files that a path, a folder or a glob pattern names; none for the id of a job."""
    text = str(name)
    if not text.strip():
        raise _no_job(text)
    path = Path(text)
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
        inside = sorted(one for one in path.iterdir() if _is_job_file(one)) if is_folder else []
    except OSError as error:  # too long for a path, or not permitted
        raise ParameterError.plain(f"{text:.80} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:  # it holds a NUL
        raise _no_job(text) from error
    if is_folder and not inside:
        raise ParameterError.plain(f"The folder {text!r} contains no .xml and no .json file.")
    if is_folder or is_file:
        yield from inside or [path]
        return
    if any(sign in text for sign in "*?["):
        found = sorted(Path(one) for one in glob.glob(text, recursive=True) if Path(one).is_file())  # noqa: PTH207 - absolute, too
        if not found:
            raise ParameterError.plain(f"No file matches {text!r}.")
        yield from found
    elif isinstance(name, Path) or "/" in text or "\\" in text or text.lower().endswith(_ENDINGS):
        raise ParameterError.plain(f"There is no file or folder {text!r}.")
    elif not text.strip().isalnum():
        raise _no_job(text)


def _no_job(text: str) -> ParameterError:
    return ParameterError.plain(f"{text!r:.80} is neither the id of a job nor the path of a file.")


def _is_job_file(path: Path) -> bool:
    return path.suffix.lower() in _ENDINGS and not path.name.startswith(".") and path.is_file()


def _read_file(given: GivenJobs, path: Path) -> None:
    try:
        if readable_file(path).stat().st_size > _MAX_BYTES:
            given.unreadable[path.name] = f"The file is larger than {_MAX_BYTES >> 20} MiB."
            return
        body = path.read_bytes()
    except ParameterError as error:
        given.unreadable[path.name] = str(error)
        return
    except OSError as error:
        given.unreadable[path.name] = f"The file cannot be read: {error.strerror or error}."
        return
    _read_body(given, body, path.name)


def _read_body(given: GivenJobs, body: bytes, name: str) -> None:
    try:
        given.jobs += read_notification(body)
    except MalformedXML as error:
        given.unreadable[name] = str(error)
