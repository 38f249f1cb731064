"""Queues of a bucket, and the activation of buckets for media processing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ci_notebook.client.connection.http import Sender
from ci_notebook.client.paging import PAGE_SIZE, pages, required
from ci_notebook.model.api.queues import (
    MediaBucket,
    MediaBucketResponse,
    NotifyConfig,
    Queue,
    QueueRequest,
    QueueResponse,
    QueueState,
)
from ci_notebook.model.errors import NotFound, ServiceError
from ci_notebook.model.setting.rules import check
from ci_notebook.wire.operations import CALL


class Queues:
    """The queues of a bucket: one of each type, unless the vendor added more."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def list(self, *, category: str = "CateAll", state: str = "") -> Iterator[Queue]:
        """Yield the queues. `category` is CateAll, Transcoding or SpeedTranscoding; `state` is Active or Paused."""
        filters = {"category": category, **({"state": state} if state else {})}

        def page(number: int) -> tuple[Iterable[Queue], int | None]:
            query = {**filters, "pageNumber": str(number), "pageSize": str(PAGE_SIZE)}
            answer = self._sender.ask(CALL["list_queues"], QueueResponse, query=query)
            return answer.queue_list, answer.total_count

        return pages(page, lambda queue: queue.queue_id)

    def get(self, queue_id: str) -> Queue:
        """Return one queue. Raises `NotFound`."""
        answer = self._sender.ask(CALL["list_queues"], QueueResponse, query={"queueIds": queue_id})
        for one in answer.queue_list:
            if one.queue_id == queue_id:
                return one
        raise NotFound("QueueNotFound", f"There is no queue with the id {queue_id}.", status=404)

    def update(
        self,
        queue: Queue,
        *,
        name: str | None = None,
        state: QueueState | None = None,
        notify_config: NotifyConfig | None = None,
    ) -> Queue:
        """Change properties of a queue, and return it. The service replaces all of them, so the others are sent too."""
        body = QueueRequest(
            name=name or queue.name,
            queue_id=queue.queue_id,
            state=state or queue.state,
            notify_config=notify_config or queue.notify_config or NotifyConfig(state="Off"),
        )
        names = {"id": queue.queue_id or ""}
        return required(self._sender.ask(CALL["update_queue"], QueueResponse, body=check(body), names=names).queue)

    def pause(self, queue: Queue) -> Queue:
        """Pause the queue: waiting jobs stay, running jobs continue."""
        return self.update(queue, state="Paused")

    def resume(self, queue: Queue) -> Queue:
        """Resume the queue: waiting jobs can run again."""
        return self.update(queue, state="Active")


class Buckets:
    """The activation of media processing, per bucket."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def activate(self) -> MediaBucket:
        """Activate media processing for this bucket. An active bucket is no error."""
        try:
            answer = self._sender.ask(CALL["activate_bucket"], MediaBucketResponse)
        except ServiceError as error:
            if error.code not in ("MediaBucketAlreadyBinded", "BucketAlreadyBinded"):
                raise
            return MediaBucket(bucket_id=self._sender.bucket, region=self._sender.region)
        return required(answer.media_bucket)

    def deactivate(self) -> None:
        """Deactivate media processing for this bucket; this removes its queues and templates."""
        self._sender.send(CALL["deactivate_bucket"])

    def list(self, *, prefix: str = "") -> Iterator[MediaBucket]:
        """Yield the active buckets of this region."""
        filters = {"regions": self._sender.region, **({"bucketName": prefix} if prefix else {})}

        def page(number: int) -> tuple[Iterable[MediaBucket], int | None]:
            query = {**filters, "pageNumber": str(number), "pageSize": str(PAGE_SIZE)}
            answer = self._sender.ask(CALL["list_buckets"], MediaBucketResponse, query=query)
            return answer.media_bucket_list, answer.total_count

        return pages(page, lambda bucket: bucket.bucket_id)
