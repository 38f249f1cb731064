"""What a bucket has besides jobs and objects: templates, queues, and its activation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from ci_notebook.client.connection.http import Sender
from ci_notebook.model.api.queues import (
    MediaBucket,
    MediaBucketResponse,
    NotifyConfig,
    Queue,
    QueueRequest,
    QueueResponse,
    QueueState,
)
from ci_notebook.model.api.templates import Template, TemplateRequest, TemplateResponse
from ci_notebook.model.declaration.node import parts
from ci_notebook.model.errors import NotFound, ParameterError, ServiceError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.rules import check
from ci_notebook.model.setting.transcode import Transcode
from ci_notebook.model.setting.watermark import Watermark
from ci_notebook.wire.operations import CALL

T = TypeVar("T")

Stored = VideoEnhance | Watermark | Transcode

PAGE_SIZE = 100


class Templates:
    """The templates of a bucket: settings, marks and encodings stored under a `TemplateId`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def create(self, name: str, what: Stored) -> Template:
        """Store a setting, a mark or an encoding under a new id, and return the template.

        A name is at most 64 characters of Chinese, letters, digits, `_`, `-` and `*`. A space becomes
        `_`, since the service takes none; the template that comes back says the name it has.
        """
        body = check(_template_request(name, what))
        return _the(self._sender.ask(CALL["create_template"], TemplateResponse, body=body).template)

    def update(self, template_id: str, name: str, what: Stored) -> Template:
        """Replace a template by another of this name and content, and return it."""
        body = check(_template_request(name, what))
        answer = self._sender.ask(CALL["update_template"], TemplateResponse, body=body, names={"id": template_id})
        return _the(answer.template)

    def get(self, *ids: str) -> list[Template]:
        """Return templates by their ids, in that order. Raises `NotFound` naming those that are not there."""
        answer = self._sender.ask(CALL["list_templates"], TemplateResponse, query={"ids": ",".join(ids)})
        found = {one.template_id: one for one in answer.template_list}
        missing = [one for one in ids if one not in found]
        if missing:
            raise NotFound("TemplateNotFound", f"no template has the id {', '.join(missing)}", status=404)
        return [found[one] for one in ids]

    def list(self, *, tag: str = "", name: str = "", category: str = "Custom") -> Iterator[Template]:
        """Yield the templates that fit; `name` is the start of a name, `category` Custom or Official."""
        asked = {name: value for name, value in (("tag", tag), ("name", name), ("category", category)) if value}

        def page(number: int) -> tuple[Iterable[Template], int | None]:
            query = {**asked, "pageNumber": str(number), "pageSize": str(PAGE_SIZE)}
            answer = self._sender.ask(CALL["list_templates"], TemplateResponse, query=query)
            return answer.template_list, answer.total_count

        return _pages(page)

    def delete(self, template_id: str) -> None:
        """Delete a template. Jobs that were made from it keep what they asked for."""
        self._sender.send(CALL["delete_template"], names={"id": template_id})


class Queues:
    """The queues of a bucket; there is one of each kind unless the vendor added some."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def list(self, *, category: str = "CateAll", state: str = "") -> Iterator[Queue]:
        """Yield the queues: `category` CateAll, Transcoding or SpeedTranscoding, `state` Active or Paused."""
        asked = {"category": category, **({"state": state} if state else {})}

        def page(number: int) -> tuple[Iterable[Queue], int | None]:
            query = {**asked, "pageNumber": str(number), "pageSize": str(PAGE_SIZE)}
            answer = self._sender.ask(CALL["list_queues"], QueueResponse, query=query)
            return answer.queue_list, answer.total_count

        return _pages(page)

    def get(self, queue_id: str) -> Queue:
        """Return one queue. Raises `NotFound`."""
        answer = self._sender.ask(CALL["list_queues"], QueueResponse, query={"queueIds": queue_id})
        for one in answer.queue_list:
            if one.queue_id == queue_id:
                return one
        raise NotFound("QueueNotFound", f"no queue has the id {queue_id}", status=404)

    def update(
        self,
        queue: Queue,
        *,
        name: str | None = None,
        state: QueueState | None = None,
        notify_config: NotifyConfig | None = None,
    ) -> Queue:
        """Change what is given of a queue, and return it. The rest is sent too: the service replaces the whole."""
        body = QueueRequest(
            name=name or queue.name,
            queue_id=queue.queue_id,
            state=state or queue.state,
            notify_config=notify_config or queue.notify_config or NotifyConfig(state="Off"),
        )
        names = {"id": queue.queue_id or ""}
        return _the(self._sender.ask(CALL["update_queue"], QueueResponse, body=check(body), names=names).queue)

    def pause(self, queue: Queue) -> Queue:
        """Hold the jobs that wait; those that run go on."""
        return self.update(queue, state="Paused")

    def resume(self, queue: Queue) -> Queue:
        """Let the jobs that wait go on."""
        return self.update(queue, state="Active")


class Buckets:
    """Media processing, switched on bucket by bucket."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def activate(self) -> MediaBucket:
        """Switch media processing on for this bucket. One that is on already is no error."""
        try:
            answer = self._sender.ask(CALL["activate_bucket"], MediaBucketResponse)
        except ServiceError as error:
            if error.code not in ("MediaBucketAlreadyBinded", "BucketAlreadyBinded"):
                raise
            return MediaBucket(bucket_id=self._sender.bucket, region=self._sender.region)
        return _the(answer.media_bucket)

    def deactivate(self) -> None:
        """Switch media processing off for this bucket; its queues and templates go with it."""
        self._sender.send(CALL["deactivate_bucket"])

    def list(self, *, prefix: str = "") -> Iterator[MediaBucket]:
        """Yield the buckets of this region that are switched on."""
        asked = {"regions": self._sender.region, **({"bucketName": prefix} if prefix else {})}

        def page(number: int) -> tuple[Iterable[MediaBucket], int | None]:
            query = {**asked, "pageNumber": str(number), "pageSize": str(PAGE_SIZE)}
            answer = self._sender.ask(CALL["list_buckets"], MediaBucketResponse, query=query)
            return answer.media_bucket_list, answer.total_count

        return _pages(page)


def _template_request(named: str, what: Stored) -> TemplateRequest:
    name = named.replace(" ", "_")
    if isinstance(what, VideoEnhance):
        return TemplateRequest(tag="VideoEnhance", name=name, video_enhance=what)
    if isinstance(what, Watermark):
        return TemplateRequest(tag="Watermark", name=name, watermark=what)
    if not isinstance(what, Transcode):
        raise ParameterError("a template", what, "a VideoEnhance, a Watermark or a Transcode")
    # In a request the children of Transcode stand bare; in the reply they stand in TransTpl.
    children = {part.name: getattr(what, part.name) for part in parts(Transcode)}
    return dataclasses.replace(TemplateRequest(tag="Transcode", name=name), **children)


def _pages(page: Callable[[int], tuple[Iterable[T], int | None]]) -> Iterator[T]:
    """Yield what pages hold, until one is empty or the service's own count is reached."""
    number = seen = 0
    while True:
        number += 1
        listed, total = page(number)
        before = seen
        for one in listed:
            seen += 1
            yield one
        if seen == before or total is None or seen >= total:
            return


def _the(node: T | None) -> T:
    if node is None:
        raise ServiceError("InternalError", "the service answered without saying what it did", status=200)
    return node
