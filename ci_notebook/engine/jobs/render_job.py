"""The work of one job: find the source, render aside, say what was made and under which keys it is to be found.

The rule of this file: nothing of it is seen until the engine that owns the job has written its end
(see `worker`). So it runs as well on another machine, and twice does no harm.
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

from ci_notebook.engine.faults import JobFails
from ci_notebook.engine.jobs.ledger import JobRow
from ci_notebook.engine.jobs.outcome import FinishedFile, JobOutcome, finished_file
from ci_notebook.engine.render.cache_lookup import lookup_for
from ci_notebook.engine.render.digital_watermark.pattern import extract
from ci_notebook.engine.render.render import Rendered, render
from ci_notebook.engine.storage.cache import CacheOptions
from ci_notebook.engine.storage.object_keys import check_key, plain_name
from ci_notebook.model.api.jobs import Md5Info, MediaResult, Operation, Output, OutputFile, Request
from ci_notebook.model.declaration.node import Node, parts
from ci_notebook.model.errors import EngineError
from ci_notebook.model.setting.watermark import DigitalWatermark, ExtractDigitalWatermark
from ci_notebook.wire.xml import dumps, loads

# Progress is written this often at most; a reader asks about once a second.
PROGRESS_S: Final = 0.25


class JobSite(Protocol):
    """Where a job is worked on, finds its objects and says how far it is: beside the ledger, or in a shared folder."""

    def open(self, bucket: str, key: str) -> tuple[Path, BinaryIO]:
        """Return where an object's bytes lie, which may go, and its open file. Raises `ServiceError` (NoSuchKey)."""

    def report(self, percent: int) -> None:
        """Say how far the job is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResources:
    """What a job is run with. `folder` is its own, on the store's own disk; `fault` a fault that was asked for.

    `cache_options` says what may be taken over from former jobs, `threads` is the job's share of the cores.
    """

    site: JobSite
    folder: Path
    cancel: threading.Event
    fault: JobFails | None = None
    cache_options: CacheOptions | None = None
    threads: int | None = None


def render_job(resources: JobResources, job: JobRow) -> JobOutcome:
    """Do the work of a claimed job. Raises `EngineError`, `ServiceError` or `Cancelled` when it cannot."""
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
        report(1.0)  # a short job may end before it has told how far it is
    made = _finished_files(job, work.output or Output(), rendered)
    result = Operation(media_info=rendered.media_info, media_result=_media_result(work.output or Output(), made))
    message = ""
    if rendered.hidden:
        state: Literal["Success", "Failed"] = "Failed" if rendered.hidden.margin_db is None else "Success"
        result, message = replace(result, digital_watermark=DigitalWatermark(state=state)), str(rendered.hidden)
    return JobOutcome(state="Success", files=made, result=dumps(result), message=message)


def _extract_watermark(resources: JobResources, source: Path) -> JobOutcome:
    """Read a hidden text; that there is none is an answer too.

    The service documents the message `done` for one that was found, and nothing for the other case.
    """
    found = extract(source, cancel=resources.cancel)
    result = Operation(extract_digital_watermark=ExtractDigitalWatermark(message=found.message or ""))
    message = "done" if found.message else "no hidden text was found"
    return JobOutcome(state="Success", result=dumps(result), message=message)


def _local_copy(resources: JobResources, bucket: str, key: str) -> Path:
    """Return a file with an object's bytes that stays while the job runs, whatever happens to the key."""
    path, opened = resources.site.open(bucket, key)
    with opened:
        return link_or_copy(path, opened, key, Path(tempfile.mkdtemp(dir=resources.folder)))


def link_or_copy(path: Path, opened: BinaryIO, key: str, folder: Path) -> Path:
    """Give an object's bytes a second name in `folder`, one that ends like its key, or copy them there."""
    place = folder / plain_name(key.rpartition("/")[2])
    try:
        os.link(path, place)
    except OSError:  # no links on this disk, or the key was written again this very moment
        with place.open("xb") as copy:
            shutil.copyfileobj(opened, copy)
    return place


def key_in_url(url: str) -> str:
    """Return the key that a watermark's address means: plain or URL-encoded, both are seen (§6.1)."""
    return unquote(urlsplit(unquote(url) if "%3A" in url.upper()[:12] else url).path).lstrip("/")


def _stem(output: Output, job: JobRow) -> str:
    """Return how the names of segments begin: like the playlist's, and no other job's, whose playlist may be in use."""
    name = (output.object or "").rpartition("/")[2].partition(".${ext}")[0].replace("${jobid}", "")
    plain = plain_name(name)
    return f"{(plain.rpartition('.')[0] or plain).strip('-_') or 'part'}-{job.job_id}"


def _finished_files(job: JobRow, output: Output, rendered: Rendered) -> tuple[FinishedFile, ...]:
    """Return the files made with the keys they are to have. The first, a playlist, names the others: it comes last."""
    bucket, first = output.bucket or job.bucket, rendered.files[0]
    key = (output.object or "").replace("${ext}", first.suffix[1:]).replace("${jobid}", job.job_id)
    folder = key[: key.rfind("/") + 1]
    keys = [key, *(folder + file.name for file in rendered.files[1:])]
    for one in keys:
        check_key(one)
    return tuple(
        finished_file(bucket, one, file) for one, file in reversed(list(zip(keys, rendered.files, strict=True)))
    )


def _media_result(output: Output, made: tuple[FinishedFile, ...]) -> MediaResult:
    """Return what replies say of the files made."""
    digests = tuple(Md5Info(object_name=one.key, md5=one.etag) for one in reversed(made))
    return MediaResult(
        output_file=OutputFile(
            bucket=made[0].bucket,
            region=output.region,
            object_name=tuple(one.key for one in reversed(made)),
            object_prefix="",
            md5_info=digests,
        )
    )


def _progress_reporter(resources: JobResources) -> Callable[[float], None]:
    """Return what takes the share done, 0 to 1, and tells whole percents now and then."""
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
    """Raise `EngineError` for a node that no declaration knows: silently ignoring one is the worst answer."""
    for unknown in node.unknown:
        text = f"{path}{unknown.tag} is not acted on by the embedded engine. Check its spelling, or leave it out."
        raise EngineError(text, code="InvalidArgument")
    for part in parts(type(node)):
        value = getattr(node, part.name)
        for one in value if part.many else (value,):
            if isinstance(one, Node):
                _refuse_unknown(one, f"{path}{part.tag}.")
