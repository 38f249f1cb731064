"""Queues, and buckets bound to media processing (§8)."""

from __future__ import annotations

from typing import Annotated, Literal

from ci_notebook.model.api.jobs import CallBackKafkaConfig
from ci_notebook.model.declaration.node import Node, Param

QueueState = Literal["Active", "Paused"]


class NotifyConfig(Node):
    """Whom to tell when a job of the queue ends."""

    url: Annotated[str | None, Param("Address to notify.")] = None
    event: Annotated[
        str | None,
        Param(
            "What is told, comma-separated.",
            pattern="(TaskFinish|WorkflowFinish)(,(TaskFinish|WorkflowFinish))*",
            allowed="TaskFinish, WorkflowFinish or both",
        ),
    ] = None
    type: Annotated[Literal["Url", "TDMQ"] | None, Param("Way of the notice.")] = None
    state: Annotated[Literal["On", "Off"] | None, Param("Switch.", default="Off")] = None
    result_format: Annotated[Literal["XML", "JSON"] | None, Param("Body of the notice.", default="XML")] = None
    mq_mode: Annotated[Literal["Topic", "Queue"] | None, Param("Mode, for TDMQ.", default="Queue")] = None
    mq_region: Annotated[Literal["sh", "bj", "gz", "cd", "hk"] | None, Param("Region, for TDMQ.")] = None
    mq_name: Annotated[str | None, Param("Name of the topic, for TDMQ.")] = None
    kafka_config: Annotated[CallBackKafkaConfig | None, Param("The topic, for Kafka; SDKs only.")] = None


class QueueRequest(Node):
    """What is sent to change a queue; on the wire `Request`. It replaces the whole."""

    name: Annotated[str | None, Param("Name, at most 128 bytes.", required=True, max_chars=128)] = None
    queue_id: Annotated[str | None, Param("Id; the SDKs send it.", tag="QueueID")] = None
    state: Annotated[QueueState | None, Param("State.", required=True)] = None
    notify_config: Annotated[NotifyConfig | None, Param("Notices.", required=True)] = None


class Queue(Node):
    """One queue as the service tells it. Paused: what waits stays, what runs goes on."""

    queue_id: Annotated[str | None, Param("Id.", reply=True)] = None
    name: Annotated[str | None, Param("Name.", reply=True)] = None
    state: Annotated[QueueState | None, Param("State.", reply=True)] = None
    notify_config: Annotated[NotifyConfig | None, Param("Notices.", reply=True)] = None
    max_size: Annotated[int | None, Param("Most jobs waiting.", reply=True)] = None
    max_concurrent: Annotated[int | None, Param("Most jobs at once.", reply=True)] = None
    category: Annotated[str | None, Param("Kind.", reply=True)] = None
    update_time: Annotated[str | None, Param("Changed at.", reply=True)] = None
    create_time: Annotated[str | None, Param("Made at.", reply=True)] = None


class MediaBucket(Node):
    """A bucket bound to media processing."""

    bucket_id: Annotated[str | None, Param("Bucket.", reply=True)] = None
    name: Annotated[str | None, Param("Bucket again.", reply=True)] = None
    region: Annotated[str | None, Param("Region.", reply=True)] = None
    create_time: Annotated[str | None, Param("Bound at.", reply=True)] = None


class QueueResponse(Node):
    """The answer to queue calls."""

    request_id: Annotated[str | None, Param("Id of the call.", reply=True)] = None
    total_count: Annotated[int | None, Param("How many there are.", reply=True)] = None
    page_number: Annotated[int | None, Param("This page.", reply=True)] = None
    page_size: Annotated[int | None, Param("Length of a page.", reply=True)] = None
    queue: Annotated[Queue | None, Param("The queue.", reply=True)] = None
    queue_list: Annotated[tuple[Queue, ...], Param("Queues.", reply=True)] = ()
    non_exist_pids: Annotated[tuple[str, ...], Param("Ids that no queue has.", reply=True, tag="NonExistPIDs")] = ()


class MediaBucketResponse(Node):
    """The answer to activation calls."""

    request_id: Annotated[str | None, Param("Id of the call.", reply=True)] = None
    total_count: Annotated[int | None, Param("How many there are.", reply=True)] = None
    page_number: Annotated[int | None, Param("This page.", reply=True)] = None
    page_size: Annotated[int | None, Param("Length of a page.", reply=True)] = None
    media_bucket: Annotated[MediaBucket | None, Param("The bucket.", reply=True)] = None
    media_bucket_list: Annotated[tuple[MediaBucket, ...], Param("Buckets.", reply=True)] = ()
