"""The client: one bucket with its credentials. Jobs and media info here; objects, templates, queues as attributes."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from ci_notebook._machine_errors import translates_errors
from ci_notebook.client import multipart, objects
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.http import Sender
from ci_notebook.client.connection.replies import PICTURE_BYTES
from ci_notebook.client.connection.transport import Transport
from ci_notebook.client.multipart import Progress
from ci_notebook.client.objects import Clip, StoredObject
from ci_notebook.client.outputs.download import Downloads
from ci_notebook.client.paging import follow
from ci_notebook.client.polling import Pace
from ci_notebook.client.queues import Buckets, Queues
from ci_notebook.client.submit import Submitter
from ci_notebook.client.templates import Templates
from ci_notebook.model.api.jobs import Input, JobsDetail, Operation, Output, Request, Response, time_text
from ci_notebook.model.api.media_info import MediaInfo, MediaInfoReply
from ci_notebook.model.api.queues import MediaBucket
from ci_notebook.model.api.snapshot_calls import (
    MediaInfoRequest,
    SnapshotFormat,
    SnapshotMode,
    SnapshotRequest,
    SnapshotResponse,
)
from ci_notebook.model.errors import NotFound
from ci_notebook.model.keywords import checks_keywords
from ci_notebook.model.setting.rules import check
from ci_notebook.wire.operations import CALL
from ci_notebook.wire.xml import MalformedXML, NodeCache

# How many jobs' operations stay read: more than a monitor reads at once, about 10 kB each.
KNOWN_OPERATIONS: Final = 512


@translates_errors
class Client:
    """Calls of one bucket. Safe to use from several threads.

    `transport` replaces the network (`WSGITransport(engine.app)`). `clock` returns Unix seconds and
    `sleep` waits; tests replace them. `new_pause` returns the function with which one wait for jobs pauses between
    polls, for a service that can end a pause early (`engine.end_signal.new_pause`). Raises `ServiceError` and its
    subclasses, and `ConnectionFailed`.
    """

    def __init__(
        self,
        bucket: str,
        *,
        region: str,
        credentials: Credentials,
        transport: Transport | None = None,
        scheme: str = "https",
        timeout_s: float = 30.0,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        new_pause: Callable[[], Callable[[float], None]] | None = None,
    ) -> None:
        self.sleep, self._new_pause = sleep, new_pause
        self._sender = Sender(
            bucket, region=region, credentials=credentials, transport=transport, scheme=scheme,
            timeout_s=timeout_s, clock=clock, sleep=sleep,
        )  # fmt: skip
        # A lab sets its cache and progress bar for the downloads of jobs.
        self.downloads = Downloads()
        self.templates, self.queues, self.buckets = Templates(self._sender), Queues(self._sender), Buckets(self._sender)
        self._submitter = Submitter(self, clock)
        # What a job was asked for is the same at every poll: it is read once.
        self._operations = NodeCache(Operation, limit=KNOWN_OPERATIONS)

    @property
    def bucket(self) -> str:
        """The bucket's name with the account's number."""
        return self._sender.bucket

    @property
    def region(self) -> str:
        """The bucket's region."""
        return self._sender.region

    @property
    def sender(self) -> Sender:
        """The signed calls underneath, for calls that have no method here."""
        return self._sender

    def __repr__(self) -> str:
        return f"Client({self.bucket!r}, region={self.region!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def pace(self) -> Pace:
        """Return how one wait for jobs pauses between two polls."""
        return Pace(self._new_pause() if self._new_pause else self.sleep)

    def close(self) -> None:
        """Close the connections."""
        self._sender.close()

    # Jobs

    def submit(self, request: Request) -> JobsDetail:
        """Post a request, and return its job. The request is never submitted twice.

        If the connection breaks, or the service fails with 5xx, the job may exist already. Then the
        jobs are searched for the request's `UserData`. A matching job is returned; only without one
        the request is posted again. So give each request a unique UserData; without it
        `SubmissionUnclear` is raised, and nothing is sent again. If a submission failed with an unclear
        result, the same request is searched for first the next time. Raises `ParameterError` before
        anything is sent, for an invalid request.
        """
        return self._submitter.submit(request)

    def post(self, request: Request) -> JobsDetail:
        """Post a request once, and return the job. Prefer `submit`, which is safe after a broken connection."""
        # With UserData, `submit` searches for the job even after 429. Without, 429 means "not accepted": retry.
        has_key = bool(request.operation and request.operation.user_data)
        call = CALL["create_job"]
        answer = self._sender.ask(call, Response, body=request, once=has_key, cache=self._operations)
        if not answer.jobs_detail:
            raise MalformedXML("The reply to a submission contains no job.")
        return answer.jobs_detail[0]

    def job(self, *ids: str) -> list[JobsDetail]:
        """Return jobs by their ids, in that order, in one call. Raises `NotFound` with the ids that do not exist."""
        if not ids:
            return []
        call = CALL["get_jobs"]
        answer = self._sender.ask(call, Response, names={"ids": ",".join(ids)}, cache=self._operations)
        jobs = {job.job_id: job for job in answer.jobs_detail}
        missing = [one for one in ids if one not in jobs]
        if missing:
            raise NotFound(
                "NonExistJobIds",
                f"There is no job with the id {', '.join(missing)}.",
                status=404,
                request_id=answer.request_id or "",
                hint="A job belongs to one bucket, and the service deletes old jobs.",
            )
        return [jobs[one] for one in ids]

    @checks_keywords
    def jobs(
        self,
        *,
        tag: str = "VideoEnhance",
        states: str | Iterable[str] = "All",
        queue_id: str | None = None,
        newest_first: bool = True,
        created_after: dt.datetime | None = None,
        created_before: dt.datetime | None = None,
        input_object: str | None = None,
        workflow_id: str | None = None,
        page_size: int = 100,
    ) -> Iterator[JobsDetail]:
        """Yield the matching jobs; pages are fetched as needed. Times must be timezone-aware."""
        filters = {
            "tag": tag,
            "states": states if isinstance(states, str) else ",".join(states),
            "orderByTime": "Desc" if newest_first else "Asc",
            "size": str(page_size),
            "queueId": queue_id,
            "startCreationTime": time_text(created_after) if created_after else None,
            "endCreationTime": time_text(created_before) if created_before else None,
            "inputObject": input_object,
            "workflowId": workflow_id,
        }
        query = {name: value for name, value in filters.items() if value is not None}

        def page(token: str) -> tuple[Iterable[JobsDetail], str]:
            after = {"nextToken": token} if token else {}
            reply = self._sender.ask(CALL["list_jobs"], Response, query={**query, **after}, cache=self._operations)
            return reply.jobs_detail, reply.next_token or ""

        # The token of the last page is not documented: it may be empty, absent, or repeated.
        return follow(page, lambda job: job.job_id)

    def find_by_user_data(
        self, user_data: str, *, tag: str = "VideoEnhance", created_after: dt.datetime | None = None,
        input_object: str | None = None,
    ) -> JobsDetail | None:  # fmt: skip
        """Return the newest job with this `UserData`; None when there is none."""
        for job in self.jobs(tag=tag, created_after=created_after, input_object=input_object):
            if job.operation is not None and job.operation.user_data == user_data:
                return job
        return None

    def cancel(self, job_id: str) -> None:
        """Cancel a job that has not started. Raises `ServiceError` if it has started."""
        self._sender.send(CALL["cancel_job"], names={"id": job_id})

    # Media info and snapshots

    def video_info(self, key: str) -> MediaInfo:
        """Return the properties of a stored video (`GET ?ci-process=videoinfo`)."""
        objects.check_key(key)
        answer = self._sender.ask(CALL["video_info"], MediaInfoReply, names={"key": key})
        return answer.media_info or MediaInfo()

    def media_info(self, key: str) -> MediaInfo:
        """Return the same properties by `POST /mediainfo`."""
        body = check(MediaInfoRequest(input=Input(object=key)))
        return self._sender.ask(CALL["media_info"], MediaInfoReply, body=body).media_info or MediaInfo()

    def snapshot(
        self,
        key: str,
        at_s: float = 0.0,
        *,
        width: int = 0,
        height: int = 0,
        format: SnapshotFormat = "jpg",
        mode: SnapshotMode = "exactframe",
        rotate: Literal["auto", "off"] = "auto",
    ) -> bytes:
        """Return one frame of a stored video, as the bytes of a `jpg` or `png`.

        A width or height of 0 px keeps the aspect ratio; both 0 is the size of the video. `mode` selects
        the exact frame or the key frame before it. `rotate` applies the rotation metadata or ignores it.
        """
        objects.check_key(key)
        query = {"time": f"{at_s:.3f}".rstrip("0").rstrip("."), "format": format}
        query |= {name: str(size) for name, size in (("width", width), ("height", height)) if size}
        query |= {"mode": mode} if mode != "exactframe" else {}
        query |= {"rotate": rotate} if rotate != "auto" else {}
        limit_bytes = PICTURE_BYTES
        return self._sender.send(CALL["snapshot"], names={"key": key}, query=query, limit_bytes=limit_bytes).content

    def store_snapshot(
        self, key: str, to: str, at_s: float = 0.0, *, width: int = 0, height: int = 0, format: SnapshotFormat = "jpg"
    ) -> Output:
        """Store one frame of a stored video at the key `to` of the same bucket, and return its place."""
        body = SnapshotRequest(
            input=Input(object=key), time=at_s, width=width or None, height=height or None, format=format,
            output=Output(region=self.region, bucket=self.bucket, object=to),
        )  # fmt: skip
        answer = self._sender.ask(CALL["store_snapshot"], SnapshotResponse, body=check(body))
        return answer.output or Output()

    # Objects

    def upload(
        self,
        source: str | Path | bytes,
        key: str,
        *,
        on_progress: Progress | None = None,
        part_bytes: int | None = None,
        keep_parts: bool = True,
    ) -> StoredObject:
        """Upload a file or bytes to a key; a large upload can be resumed (see `objects.upload`)."""
        return objects.upload(
            self._sender, source, key, on_progress=on_progress, part_bytes=part_bytes, keep_parts=keep_parts
        )

    def abort_uploads(self, key: str) -> int:
        """Abort all unfinished multipart uploads of a key, and return their number."""
        objects.check_key(key)
        return multipart.abort_uploads(self._sender, key)

    def upload_clip(
        self,
        path: str | Path,
        key: str,
        *,
        apart: bool = False,
        on_progress: Progress | None = None,
        on_replace: Callable[[StoredObject], None] | None = None,
        crc64_of: Callable[[Path], str] | None = None,
    ) -> Clip:
        """Upload a video file to a key and return it as a clip. Equal content is not sent again.

        With `apart`, it gets another key if the key has other content; otherwise `on_replace` is called before it
        replaces that (see `objects.upload_clip`).
        """
        return objects.upload_clip(
            self._sender, path, key, apart=apart, on_progress=on_progress, on_replace=on_replace, crc64_of=crc64_of
        )

    def download(self, key: str, path: str | Path, *, on_progress: Progress | None = None) -> Path:
        """Download an object into a file (see `objects.download`)."""
        return objects.download(self._sender, key, path, on_progress=on_progress)

    def head(self, key: str) -> StoredObject:
        """Return the properties of an object. Raises `NotFound`."""
        return objects.head(self._sender, key)

    def read(self, key: str) -> bytes:
        """Return the bytes of an object, all in memory: for images and small files, 256 MiB at most."""
        return objects.read(self._sender, key)

    def copy(self, key: str, to: str) -> StoredObject:
        """Copy the object `key` to the key `to`, inside the service. Raises `NotFound`."""
        return objects.copy(self._sender, key, to)

    def delete(self, key: str) -> None:
        """Delete an object. A missing object is no error."""
        objects.delete(self._sender, key)

    def list_objects(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield the objects whose keys begin with `prefix`."""
        return objects.listing(self._sender, prefix)

    def presigned_url(self, key: str, *, method: str = "GET", valid_s: float = 3600) -> str:
        """Return a URL that reads (or with PUT writes) an object without credentials, until it expires.

        Anyone with the URL can use it: treat it as a secret.
        """
        objects.check_key(key)
        call = CALL[{"GET": "get_object", "PUT": "put_object", "HEAD": "head_object"}[method]]
        return self._sender.presigned_url(call, names={"key": key}, query={}, valid_s=valid_s)

    def activate(self) -> MediaBucket:
        """Activate media processing for the bucket. An active bucket is no error."""
        return self.buckets.activate()
