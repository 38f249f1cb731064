"""Queues, and the activation of buckets for media processing."""

from __future__ import annotations

from typing import Annotated, Literal

from ci_notebook.model.api.jobs import CallBackKafkaConfig
from ci_notebook.model.declaration.node import Node, Param

QueueState = Literal["Active", "Paused"]


class NotifyConfig(Node):
    """Where to send a notification when a job of the queue ends."""

    url: Annotated[str | None, Param("URL to notify.")] = None
    event: Annotated[
        str | None,
        Param(
            "Events to notify, separated by commas.",
            pattern="(TaskFinish|WorkflowFinish)(,(TaskFinish|WorkflowFinish))*",
            allowed="TaskFinish, WorkflowFinish or both",
        ),
    ] = None
    type: Annotated[Literal["Url", "TDMQ"] | None, Param("Channel of the notification.")] = None
    state: Annotated[Literal["On", "Off"] | None, Param("Notifications on or off.", default="Off")] = None
    result_format: Annotated[Literal["XML", "JSON"] | None, Param("Format of the notification.", default="XML")] = None
    mq_mode: Annotated[Literal["Topic", "Queue"] | None, Param("Mode, for TDMQ.", default="Queue")] = None
    mq_region: Annotated[Literal["sh", "bj", "gz", "cd", "hk"] | None, Param("Region, for TDMQ.")] = None
    mq_name: Annotated[str | None, Param("Name of the topic, for TDMQ.")] = None
    kafka_config: Annotated[CallBackKafkaConfig | None, Param("The topic, for Kafka; documented only by the SDKs.")] = (
        None
    )


class QueueRequest(Node):
    """The body that changes a queue; in XML `Request`. It replaces all properties of the queue."""

    name: Annotated[str | None, Param("Name, at most 128 bytes.", required=True, max_chars=128)] = None
    queue_id: Annotated[str | None, Param("Id, as the SDKs send it.", tag="QueueID")] = None
    state: Annotated[QueueState | None, Param("State.", required=True)] = None
    notify_config: Annotated[NotifyConfig | None, Param("Notifications.", required=True)] = None


class Queue(Node):
    """One queue as the service describes it. When paused, waiting jobs stay and running jobs continue."""

    queue_id: Annotated[str | None, Param("Id.", reply=True)] = None
    name: Annotated[str | None, Param("Name.", reply=True)] = None
    state: Annotated[QueueState | None, Param("State.", reply=True)] = None
    notify_config: Annotated[NotifyConfig | None, Param("Notifications.", reply=True)] = None
    max_size: Annotated[int | None, Param("Maximum number of waiting jobs.", reply=True)] = None
    max_concurrent: Annotated[int | None, Param("Maximum number of jobs at the same time.", reply=True)] = None
    category: Annotated[str | None, Param("Type.", reply=True)] = None
    update_time: Annotated[str | None, Param("Time of the last change.", reply=True)] = None
    create_time: Annotated[str | None, Param("Time of creation.", reply=True)] = None


class MediaBucket(Node):
    """A bucket that is activated for media processing."""

    bucket_id: Annotated[str | None, Param("Bucket.", reply=True)] = None
    name: Annotated[str | None, Param("Name of the bucket.", reply=True)] = None
    region: Annotated[str | None, Param("Region.", reply=True)] = None
    create_time: Annotated[str | None, Param("Time of activation.", reply=True)] = None


class QueueResponse(Node):
    """The answer to queue calls."""

    request_id: Annotated[str | None, Param("Id of the call.", reply=True)] = None
    total_count: Annotated[int | None, Param("Total number.", reply=True)] = None
    page_number: Annotated[int | None, Param("Number of this page.", reply=True)] = None
    page_size: Annotated[int | None, Param("Entries per page.", reply=True)] = None
    queue: Annotated[Queue | None, Param("The queue.", reply=True)] = None
    queue_list: Annotated[tuple[Queue, ...], Param("Queues.", reply=True)] = ()
    non_exist_pids: Annotated[tuple[str, ...], Param("Ids that do not exist.", reply=True, tag="NonExistPIDs")] = ()


class MediaBucketResponse(Node):
    """The answer to activation calls."""

    request_id: Annotated[str | None, Param("Id of the call.", reply=True)] = None
    total_count: Annotated[int | None, Param("Total number.", reply=True)] = None
    page_number: Annotated[int | None, Param("Number of this page.", reply=True)] = None
    page_size: Annotated[int | None, Param("Entries per page.", reply=True)] = None
    media_bucket: Annotated[MediaBucket | None, Param("The bucket.", reply=True)] = None
    media_bucket_list: Annotated[tuple[MediaBucket, ...], Param("Buckets.", reply=True)] = ()
