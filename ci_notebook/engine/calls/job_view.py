"""From a row of the ledger to the job as the service tells it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any, Final, cast

from ci_notebook.engine.jobs.ledger import Job
from ci_notebook.model.api.jobs import Input, JobsDetail, Operation, Request, State, time_text
from ci_notebook.wire.xml import loads

# What a digital watermark's own state is while, and after, its job runs (§5.5).
_MARK_STATES: Final[dict[str, Any]] = {"Success": "Success", "Failed": "Failed"}


def detail_of(job: Job, region: str, request: Request | None = None) -> JobsDetail:
    """Return a job as replies show it: the request echoed as sent, wildcards unresolved, results when there are any.

    `request` saves reading the row's own again.
    """
    request = request or loads(Request, job.request)
    return JobsDetail(
        code=job.code,
        message=job.message,
        job_id=job.job_id,
        state=cast(State, job.state),
        progress=job.progress,
        creation_time=_time(job.created),
        start_time=_time(job.started),
        end_time=_time(job.ended),
        queue_id=job.queue_id,
        tag=job.tag,
        input=Input(bucket_id=job.bucket, object=job.input_object, region=region),
        operation=_operation(request.operation or Operation(), job),
    )


def facts_of(job: Job) -> dict[str, str]:
    """Return tag → text of what a row says by itself, in the order of `JobsDetail`."""
    return {
        "Code": job.code,
        "Message": job.message,
        "JobId": job.job_id,
        "State": job.state,
        "Progress": str(job.progress),
        "CreationTime": _time(job.created),
        "StartTime": _time(job.started),
        "EndTime": _time(job.ended),
        "QueueId": job.queue_id,
        "Tag": job.tag,
    }


def _operation(asked: Operation, job: Job) -> Operation:
    result = loads(Operation, job.result) if job.result else Operation()
    mark, found = asked.digital_watermark, asked.extract_digital_watermark
    if mark is not None:
        state = result.digital_watermark.state if result.digital_watermark else _MARK_STATES.get(job.state, "Running")
        mark = dataclasses.replace(mark, state=state)
    if found is not None and result.extract_digital_watermark is not None:
        found = dataclasses.replace(found, message=result.extract_digital_watermark.message)
    return dataclasses.replace(
        asked,
        template_name=job.template_name,
        digital_watermark=mark,
        extract_digital_watermark=found,
        media_info=result.media_info,
        media_result=result.media_result,
        job_level=cast(Any, job.level),
    )


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else time_text(dt.datetime.fromtimestamp(seconds, dt.UTC))
