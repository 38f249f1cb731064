"""One job from its row to its objects: find the source, render aside, put the outputs, say what was made."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from ci_notebook.engine.faults import JobFails
from ci_notebook.engine.ledger import Job, Ledger
from ci_notebook.engine.pictures.blindmark import extract
from ci_notebook.engine.pictures.render import Rendered, render
from ci_notebook.engine.store import Store, check_key, plain_name
from ci_notebook.model.errors import EngineError
from ci_notebook.model.jobs import Md5Info, MediaResult, Operation, Output, OutputFile, Request
from ci_notebook.model.node import Node, parts
from ci_notebook.model.watermark import DigitalWatermark, ExtractDigitalWatermark
from ci_notebook.wire.xml import dumps, loads

# Progress is written this often at most; a reader asks about once a second.
TELL_S: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """What a job is run with. `folder` is the owner's, on the store's own disk; `fails` a fault that was asked for."""

    ledger: Ledger
    store: Store
    owner: str
    folder: Path
    cancel: threading.Event
    lease_s: float
    fails: JobFails | None = None


def perform(with_: Performance, job: Job) -> None:
    """Run a claimed job and end it well. Raises `EngineError`, `ServiceError` or `Cancelled` when it cannot."""
    _refuse_unknown(loads(Request, job.request), "")
    work = loads(Operation, job.work)
    tell = _teller(with_, job)
    folder = Path(tempfile.mkdtemp(prefix=f"{job.job_id[:9]}-", dir=with_.folder))
    try:
        source = _held(with_.store, job.bucket, job.input_object, folder)
        if job.tag == "ExtractDigitalWatermark":
            _tell_hidden(with_, job, source)
            return
        rendered = render(
            work,
            source,
            folder / "made",
            on_progress=tell,
            cancel=with_.cancel,
            fetch=lambda url: _held(with_.store, job.bucket, _key_of(url), folder),
            stem=_stem(work.output or Output(), job),
        )
        if with_.fails:
            tell(1.0)  # a short job may end before it has told how far it is
        if not with_.ledger.renew(with_.owner, lease_s=with_.lease_s, job_id=job.job_id):
            return  # the lease ran out (a machine that slept, say), and another engine has the job
        made = _published(with_.store, job, work.output or Output(), rendered)
        result = Operation(media_info=rendered.media_info, media_result=MediaResult(output_file=made))
        message = ""
        if rendered.hidden:
            state: Literal["Success", "Failed"] = "Failed" if rendered.hidden.margin_db is None else "Success"
            result, message = replace(result, digital_watermark=DigitalWatermark(state=state)), str(rendered.hidden)
        with_.ledger.succeed(job.job_id, with_.owner, dumps(result), message=message)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tell_hidden(with_: Performance, job: Job, source: Path) -> None:
    """Read a hidden text and end the job with it; that there is none is an answer too.

    The service documents the message `done` for one that was found, and nothing for the other case.
    """
    found = extract(source, cancel=with_.cancel)
    result = Operation(extract_digital_watermark=ExtractDigitalWatermark(message=found.message or ""))
    message = "done" if found.message else "no hidden text was found"
    with_.ledger.succeed(job.job_id, with_.owner, dumps(result), message=message)


def _held(store: Store, bucket: str, key: str, folder: Path) -> Path:
    """Return a file with an object's bytes that stays while the job runs, whatever happens to the key."""
    stored, opened = store.open(bucket, key)
    with opened:
        place = Path(tempfile.mkdtemp(dir=folder)) / plain_name(key.rpartition("/")[2])
        try:
            os.link(store.path(stored), place)
        except OSError:  # no links on this disk, or the key was written again this very moment
            with place.open("xb") as copy:
                shutil.copyfileobj(opened, copy)
    return place


def _key_of(url: str) -> str:
    """Return the key that a watermark's address means: plain or URL-encoded, both are seen (§6.1)."""
    return unquote(urlsplit(unquote(url) if "%3A" in url.upper()[:12] else url).path).lstrip("/")


def _stem(output: Output, job: Job) -> str:
    """Return how the names of segments begin: like the playlist's, and no other job's, whose playlist may be in use."""
    name = (output.object or "").rpartition("/")[2].partition(".${ext}")[0].replace("${jobid}", "")
    plain = plain_name(name)
    return f"{(plain.rpartition('.')[0] or plain).strip('-_') or 'part'}-{job.job_id}"


def _published(store: Store, job: Job, output: Output, rendered: Rendered) -> OutputFile:
    """Put the files made under their keys and return what replies say of them."""
    bucket, first = output.bucket or job.bucket, rendered.files[0]
    key = (output.object or "").replace("${ext}", first.suffix[1:]).replace("${jobid}", job.job_id)
    beside = key[: key.rfind("/") + 1]
    keys = [key, *(beside + file.name for file in rendered.files[1:])]
    for one in keys:
        check_key(one)
    # The first, a playlist, names the others: it comes last, so that whoever reads it finds them.
    puts = [
        (one, store.adopt_new(bucket, one, file))
        for one, file in reversed(list(zip(keys, rendered.files, strict=True)))
    ]
    digests = [Md5Info(object_name=one, md5=stored.etag) for one, stored in reversed(puts)]
    return OutputFile(
        bucket=bucket,
        region=output.region,
        object_name=tuple(str(one.object_name) for one in digests),
        object_prefix="",
        md5_info=tuple(digests),
    )


def _teller(with_: Performance, job: Job) -> Callable[[float], None]:
    """Return what takes the share done, 0 to 1, and writes whole percents to the ledger now and then."""
    last, at = 0, 0.0

    def tell(share: float) -> None:
        nonlocal last, at
        if with_.fails and share * 100 >= with_.fails.at_percent:
            with_.ledger.note_progress(job.job_id, with_.owner, int(with_.fails.at_percent))
            with_.fails.strike()
        percent, now = int(share * 100), time.monotonic()
        if percent > last and now - at >= TELL_S:
            last, at = percent, now
            with_.ledger.note_progress(job.job_id, with_.owner, percent)

    return tell


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
