"""The client: a bucket and the keys to it. Jobs here; objects, templates and queues behind it."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from ci_notebook.client import multipart, objects
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.http import Sender
from ci_notebook.client.connection.transport import Transport
from ci_notebook.client.multipart import Progress
from ci_notebook.client.objects import Clip, StoredObject
from ci_notebook.client.submit import Submitter
from ci_notebook.client.templates import Buckets, Queues, Templates
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
from ci_notebook.model.setting.rules import check
from ci_notebook.wire.operations import CALL
from ci_notebook.wire.xml import MalformedXML, NodeCache

# How many jobs' operations stay read: more than a monitor reads at once, about 10 kB each.
KNOWN_OPERATIONS: Final = 512


class Client:
    """Calls of one bucket. Safe to use from several threads.

    `transport` leads somewhere else than the network (`WSGITransport(engine.app)`); `clock` gives
    Unix seconds and `sleep` waits, for tests. Raises `ServiceError` and its kinds, and httpx's own
    errors of the connection.
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
    ) -> None:
        self.sleep = sleep
        self._sender = Sender(
            bucket, region=region, credentials=credentials, transport=transport, scheme=scheme,
            timeout_s=timeout_s, clock=clock, sleep=sleep,
        )  # fmt: skip
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

    def close(self) -> None:
        """Close the connections."""
        self._sender.close()

    # Jobs (§3, §7)

    def submit(self, request: Request) -> JobsDetail:
        """Post a request, and return the one job that came of it.

        If the connection breaks, or the service fails with 5xx, the job may have been made all the
        same. Then jobs are listed and looked through for the request's `UserData`; one that is found
        is returned, and only when there is none the request is posted again. So give each request a
        UserData of its own; without one, `SubmissionUnclear` is raised and nothing is sent again. After
        an error that leaves it open, the same request is looked for before it is sent once more.
        Raises `ParameterError` before anything is sent, for a request that cannot be right.
        """
        return self._submitter.submit(request)

    def post(self, request: Request) -> JobsDetail:
        """Post a request once, and return the job. `submit` is what you want: after a break it looks first."""
        # With a key, even what was told to come later is looked for first; without, 429 must do: it was not taken.
        has_key = bool(request.operation and request.operation.user_data)
        answer = self._sender.ask(CALL["create_job"], Response, body=request, once=has_key)
        if not answer.jobs_detail:
            raise MalformedXML("the answer to a submission holds no job")
        return answer.jobs_detail[0]

    def job(self, *ids: str) -> list[JobsDetail]:
        """Return jobs by their ids, in that order, in one call. Raises `NotFound` naming those that are not there."""
        if not ids:
            return []
        call = CALL["get_jobs"]
        answer = self._sender.ask(call, Response, names={"ids": ",".join(ids)}, cache=self._operations)
        found = {job.job_id: job for job in answer.jobs_detail}
        missing = [one for one in ids if one not in found]
        if missing:
            raise NotFound(
                "NonExistJobIds",
                f"no job has the id {', '.join(missing)}",
                status=404,
                request_id=answer.request_id or "",
                hint="Jobs belong to one bucket; finished ones are kept for a time only.",
            )
        return [found[one] for one in ids]

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
        """Yield the jobs that fit, page by page as they are asked for. Times are timezone-aware."""
        asked = {
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
        query = {name: value for name, value in asked.items() if value is not None}
        seen: set[str] = set()
        while True:
            page = self._sender.ask(CALL["list_jobs"], Response, query=query, cache=self._operations)
            yield from page.jobs_detail
            # What the last page says is not documented: an empty token, none, or the same again.
            if not page.next_token or page.next_token in seen or not page.jobs_detail:
                return
            seen.add(page.next_token)
            query["nextToken"] = page.next_token

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
        """Cancel a job that has not started. Raises `ServiceError` for one that has."""
        self._sender.send(CALL["cancel_job"], names={"id": job_id})

    # Looking (§11)

    def video_info(self, key: str) -> MediaInfo:
        """Return the facts of a stored video."""
        objects.check_key(key)
        answer = self._sender.ask(CALL["video_info"], MediaInfoReply, names={"key": key})
        return answer.media_info or MediaInfo()

    def media_info(self, key: str) -> MediaInfo:
        """Return the same facts by the other call that the API has for them, `POST /mediainfo`."""
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
        """Return one picture of a stored video, as the bytes of a `jpg` or `png`.

        A width or height of 0 px follows the other; both 0 is the video's size. `mode` takes the
        exact picture or the key frame before it, `rotate` follows the rotation metadata or does not.
        """
        objects.check_key(key)
        query = {"time": f"{at_s:.3f}".rstrip("0").rstrip("."), "format": format}
        query |= {name: str(size) for name, size in (("width", width), ("height", height)) if size}
        query |= {"mode": mode} if mode != "exactframe" else {}
        query |= {"rotate": rotate} if rotate != "auto" else {}
        return self._sender.send(CALL["snapshot"], names={"key": key}, query=query).content

    def store_snapshot(
        self, key: str, to: str, at_s: float = 0.0, *, width: int = 0, height: int = 0, format: SnapshotFormat = "jpg"
    ) -> Output:
        """Have one picture of a stored video kept under the key `to` of the same bucket, and return where it is."""
        body = SnapshotRequest(
            input=Input(object=key), time=at_s, width=width or None, height=height or None, format=format,
            output=Output(region=self.region, bucket=self.bucket, object=to),
        )  # fmt: skip
        answer = self._sender.ask(CALL["store_snapshot"], SnapshotResponse, body=check(body))
        return answer.output or Output()

    # Objects (§12)

    def upload(
        self,
        source: str | Path | bytes,
        key: str,
        *,
        on_progress: Progress | None = None,
        part_bytes: int | None = None,
        keep_parts: bool = True,
    ) -> StoredObject:
        """Store a file, or bytes, under a key, a large one in parts that outlive a break (see `objects.upload`)."""
        return objects.upload(
            self._sender, source, key, on_progress=on_progress, part_bytes=part_bytes, keep_parts=keep_parts
        )

    def abort_uploads(self, key: str) -> int:
        """Remove the parts that uploads of a key left when they broke off; return how many uploads there were."""
        objects.check_key(key)
        return multipart.abort_uploads(self._sender, key)

    def upload_clip(self, path: str | Path, key: str, *, on_progress: Progress | None = None) -> Clip:
        """Store a video file under a key and return it as a clip. The same content is not sent again."""
        return objects.upload_clip(self._sender, path, key, on_progress=on_progress)

    def download(self, key: str, path: str | Path, *, on_progress: Progress | None = None) -> Path:
        """Fetch an object into a file (see `objects.download`)."""
        return objects.download(self._sender, key, path, on_progress=on_progress)

    def head(self, key: str) -> StoredObject:
        """Return what the service says of an object. Raises `NotFound`."""
        return objects.head(self._sender, key)

    def read(self, key: str) -> bytes:
        """Return an object's bytes, all in memory: for pictures and small files."""
        return objects.read(self._sender, key)

    def copy(self, key: str, to: str) -> StoredObject:
        """Make the object `to` of the object `key`, within the service. Raises `NotFound`."""
        return objects.copy(self._sender, key, to)

    def delete(self, key: str) -> None:
        """Delete an object. One that is not there is no error."""
        objects.delete(self._sender, key)

    def list_objects(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield the objects whose keys begin with `prefix`."""
        return objects.listing(self._sender, prefix)

    def presigned_url(self, key: str, *, method: str = "GET", valid_s: float = 3600) -> str:
        """Return a URL that reads (or with PUT writes) an object without keys, until it expires.

        Whoever has it can use it: treat it as a secret.
        """
        objects.check_key(key)
        call = CALL[{"GET": "get_object", "PUT": "put_object", "HEAD": "head_object"}[method]]
        return self._sender.presigned_url(call, names={"key": key}, query={}, valid_s=valid_s)

    def activate(self) -> MediaBucket:
        """Switch media processing on for the bucket. One that is on already is no error."""
        return self.buckets.activate()
