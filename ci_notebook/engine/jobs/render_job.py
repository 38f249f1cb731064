"""The work of one job: find the source, render it, and name the finished files and their keys.

Invariant: nothing of it is visible until the engine with the lease has written the job's end (see
`worker`). So the work is idempotent, and another machine can do it as well.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final, Literal, Protocol
from urllib.parse import unquote, urlsplit

from ci_notebook._folders import private_opener
from ci_notebook.engine.faults import JobFails
from ci_notebook.engine.jobs.ledger import JobRow
from ci_notebook.engine.jobs.outcome import FinishedFile, JobOutcome, finished_file
from ci_notebook.engine.render.cache_lookup import lookup_for
from ci_notebook.engine.render.digital_watermark.pattern import extract
from ci_notebook.engine.render.refusal import RequestRefused
from ci_notebook.engine.render.render import Rendered, render
from ci_notebook.engine.render.supported import unknown_content
from ci_notebook.engine.storage.cache import CacheOptions
from ci_notebook.engine.storage.object_keys import check_key, plain_name
from ci_notebook.model.api.jobs import Md5Info, MediaResult, Operation, Output, OutputFile, Request, named_as_sent
from ci_notebook.model.declaration.node import Node, parts
from ci_notebook.model.setting.watermark import DigitalWatermark, ExtractDigitalWatermark
from ci_notebook.wire.xml import dumps, loads

# Progress is written at most this often; readers poll about once a second.
PROGRESS_S: Final = 0.25


class JobSite(Protocol):
    """Where a job finds its objects and reports its progress: at the ledger, or in a shared folder."""

    def open(self, bucket: str, key: str) -> tuple[Path, BinaryIO]:
        """Return the path of an object's bytes, and its open file. Raises `ServiceError` (NoSuchKey).

        The path may be removed at any time; the open file stays readable.
        """

    def report(self, percent: int) -> None:
        """Report the progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResources:
    """Everything a job runs with. `folder` is its own, on the same disk as the object store.

    `fault` is an injected fault. `cache_options` describes the cache of earlier results.
    `threads` is the job's share of the cores.
    """

    site: JobSite
    folder: Path
    cancel: threading.Event
    fault: JobFails | None = None
    cache_options: CacheOptions | None = None
    threads: int | None = None


def render_job(resources: JobResources, job: JobRow) -> JobOutcome:
    """Do the work of a claimed job. Raises `CIError` or `Cancelled` when it cannot."""
    _refuse_unknown(loads(Request, job.request), "")
    work = loads(Operation, job.work)
    report = _progress_reporter(resources)
    source = _local_copy(resources, job.bucket, job.input_object)
    if job.tag == "ExtractDigitalWatermark":
        return _extract_watermark(resources, source)
    rendered = render(
        work,
        source,
        resources.folder / "made",
        on_progress=report,
        cancel=resources.cancel,
        fetch=lambda url: _local_copy(resources, job.bucket, key_in_url(url)),
        stem=_stem(work.output or Output(), job),
        lookup=lookup_for(resources.cache_options, source),
        threads=resources.threads,
    )
    if resources.fault:
        report(1.0)  # a short job may end before it has reported any progress
    files = _finished_files(job, work.output or Output(), rendered)
    result = Operation(media_info=rendered.media_info, media_result=_media_result(work.output or Output(), files))
    message = named_as_sent(job.tag, " ".join(rendered.changes))
    if rendered.digital_watermark:
        state: Literal["Success", "Failed"] = "Failed" if rendered.digital_watermark.margin_db is None else "Success"
        result, message = (
            replace(result, digital_watermark=DigitalWatermark(state=state)),
            " ".join([str(rendered.digital_watermark) + "." * bool(message), message]).strip(),
        )
    return JobOutcome(state="Success", files=files, result=dumps(result), message=message)


def _extract_watermark(resources: JobResources, source: Path) -> JobOutcome:
    """Read a digital watermark. A video without one is a successful job too.

    The service documents the message `done` for a watermark that was found, and nothing for the other case.
    """
    extracted = extract(source, cancel=resources.cancel)
    result = Operation(extract_digital_watermark=ExtractDigitalWatermark(message=extracted.message or ""))
    message = "done" if extracted.message else "no digital watermark was found"
    return JobOutcome(state="Success", result=dumps(result), message=message)


def _local_copy(resources: JobResources, bucket: str, key: str) -> Path:
    """Return a file with an object's bytes that exists while the job runs, also when the object is replaced."""
    path, opened = resources.site.open(bucket, key)
    with opened:
        return link_or_copy(path, opened, key, Path(tempfile.mkdtemp(dir=resources.folder)))


def link_or_copy(path: Path, opened: BinaryIO, key: str, folder: Path) -> Path:
    """Link an object's bytes into `folder` under a name that ends like its key, or copy them there."""
    place = folder / plain_name(key.rpartition("/")[2])
    try:
        os.link(path, place)
    except OSError:  # this disk has no hard links, or the object was just replaced
        with open(place, "xb", opener=private_opener) as copy:
            shutil.copyfileobj(opened, copy)
    return place


def key_in_url(url: str) -> str:
    """Return the object key in a watermark's URL: plain or URL-encoded, both occur."""
    return unquote(urlsplit(unquote(url) if "%3A" in url.upper()[:12] else url).path).lstrip("/")


def _stem(output: Output, job: JobRow) -> str:
    """Return the start of the segments' names: like the playlist's, but unique per job.

    An older playlist with the same name may be in use.
    """
    name = (output.object or "").rpartition("/")[2].partition(".${ext}")[0].replace("${jobid}", "")
    plain = plain_name(name)
    return f"{(plain.rpartition('.')[0] or plain).strip('-_') or 'part'}-{job.job_id}"


def _finished_files(job: JobRow, output: Output, rendered: Rendered) -> tuple[FinishedFile, ...]:
    """Return the finished files with their keys. The first one, a playlist, names the others, so it comes last."""
    bucket, first = output.bucket or job.bucket, rendered.files[0]
    key = (output.object or "").replace("${ext}", first.suffix[1:]).replace("${jobid}", job.job_id)
    folder = key[: key.rfind("/") + 1]
    keys = [key, *(folder + file.name for file in rendered.files[1:])]
    for one in keys:
        check_key(one)
    return tuple(
        finished_file(bucket, one, file) for one, file in reversed(list(zip(keys, rendered.files, strict=True)))
    )


def _media_result(output: Output, files: tuple[FinishedFile, ...]) -> MediaResult:
    """Return the MediaResult that replies show."""
    digests = tuple(Md5Info(object_name=one.key, md5=one.etag) for one in reversed(files))
    return MediaResult(
        output_file=OutputFile(
            bucket=files[0].bucket,
            region=output.region,
            object_name=tuple(one.key for one in reversed(files)),
            object_prefix="",
            md5_info=digests,
        )
    )


def _progress_reporter(resources: JobResources) -> Callable[[float], None]:
    """Return a callback that takes the share done, 0 to 1, and reports whole percents from time to time."""
    last, at = 0, 0.0

    def report(share: float) -> None:
        nonlocal last, at
        if resources.fault and share * 100 >= resources.fault.at_percent:
            resources.site.report(int(resources.fault.at_percent))
            resources.fault.strike()
        percent, now = int(share * 100), time.monotonic()
        if percent > last and now - at >= PROGRESS_S:
            last, at = percent, now
            resources.site.report(percent)

    return report


def _refuse_unknown(node: Node, path: str) -> None:
    """Raise `RequestRefused` for a node that no declaration knows; it must not be ignored silently."""
    for unknown in unknown_content(node):
        text = f"{path}{unknown.tag} is not supported by the embedded engine. Check its spelling, or leave it out."
        raise RequestRefused(text)
    for part in parts(type(node)):
        value = getattr(node, part.name)
        for one in value if part.many else (value,):
            if isinstance(one, Node):
                _refuse_unknown(one, f"{path}{part.tag}.")
