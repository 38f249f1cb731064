"""The calls on queues: list, and update, which also pauses and resumes."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Final, cast

from ci_notebook.engine.calls.context import (
    CallContext,
    Handler,
    argument_error,
    body_of,
    bucket_of,
    ids_in_query,
    number_in_query,
    word_in_query,
    xml_answer,
)
from ci_notebook.engine.calls.exchange import Answer, Exchange
from ci_notebook.engine.notify.notification import check_notify
from ci_notebook.engine.storage.bucket_settings import QueueRow
from ci_notebook.model.api.jobs import time_text
from ci_notebook.model.api.queues import NotifyConfig, Queue, QueueRequest, QueueResponse, QueueState
from ci_notebook.wire.xml import dumps, loads


def list_queues(service: CallContext, exchange: Exchange) -> Answer:
    """List the queues of a bucket."""
    bucket = bucket_of(service, exchange, is_activated=True)
    state = word_in_query(exchange, "state", "All", ("All", "Active", "Paused"))
    category = word_in_query(exchange, "category", "Transcoding", ("CateAll", "Transcoding", "SpeedTranscoding"))
    page = number_in_query(exchange, "pageNumber", 1, high=10**6)
    size = number_in_query(exchange, "pageSize", 10, high=100)  # the maximum is not documented
    ids = ids_in_query(exchange, "queueIds")
    rows = service.catalogue.queues(bucket.name)
    if ids:
        by_id = {row.queue_id: row for row in rows}
        matches = tuple(queue_of(by_id[one]) for one in dict.fromkeys(ids) if one in by_id)
        missing = tuple(one for one in dict.fromkeys(ids) if one not in by_id)
        return xml_answer(QueueResponse(request_id=service.new_id(), queue_list=matches, non_exist_pids=missing))
    rows = [row for row in rows if state in ("All", row.state) and category in ("CateAll", row.category)]
    page_of_queues = tuple(queue_of(row) for row in rows[(page - 1) * size : page * size])
    return xml_answer(
        QueueResponse(
            request_id=service.new_id(),
            total_count=len(rows),
            page_number=page,
            page_size=size,
            queue_list=page_of_queues,
        )
    )


def update_queue(service: CallContext, exchange: Exchange) -> Answer:
    """Replace a queue's name, state and notifications. Paused: waiting jobs go to Pause, running jobs continue."""
    bucket = bucket_of(service, exchange, is_activated=True)
    request, _ = body_of(QueueRequest, exchange)
    name, notify = str(request.name), request.notify_config or NotifyConfig()
    if len(name.encode()) > 128:
        raise argument_error("Name", "at most 128 bytes of UTF-8", name)
    row = service.catalogue.update_queue(
        bucket.name,
        exchange.names["id"],
        name=name,
        state=str(request.state),
        notify=dumps(_with_defaults(service, notify)),
    )
    if row.state == "Active":
        service.wake()
    return xml_answer(QueueResponse(request_id=service.new_id(), queue=queue_of(row)))


def queue_of(row: QueueRow) -> Queue:
    """Return a queue as replies show it."""
    return Queue(
        queue_id=row.queue_id,
        name=row.name,
        state=cast(QueueState, row.state),
        notify_config=loads(NotifyConfig, row.notify),
        max_size=row.max_size,
        max_concurrent=row.max_concurrent,
        category=row.category,
        update_time=_time(row.updated),
        create_time=_time(row.created),
    )


def _with_defaults(service: CallContext, notify: NotifyConfig) -> NotifyConfig:
    """Return the notification settings with their defaults.

    Raises `ServiceError` when State is On and a needed value is missing.
    """
    check_notify(notify, loopback=service.notifies_loopback)
    if notify.state != "On":
        return notify
    needed = {"Event": notify.event, "Type": notify.type}
    if notify.type == "TDMQ":
        needed |= {"MqRegion": notify.mq_region, "MqName": notify.mq_name}
        notify = dataclasses.replace(notify, mq_mode=notify.mq_mode or "Queue")
    else:
        needed["Url"] = notify.url
    for tag, value in needed.items():
        if not value:
            raise argument_error(f"NotifyConfig.{tag}", "set when State is On", value, "Set it, or set State to Off.")
    return dataclasses.replace(notify, result_format=notify.result_format or "XML")


def _time(seconds: float) -> str:
    return time_text(dt.datetime.fromtimestamp(seconds, dt.UTC))


HANDLERS: Final[dict[str, Handler]] = {"list_queues": list_queues, "update_queue": update_queue}
