"""From a row of the ledger to the `JobsDetail` that replies and notifications show."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any, Final, cast

from ci_notebook.engine.jobs.ledger import JobRow
from ci_notebook.model.api.jobs import Input, JobsDetail, Operation, Request, State, time_text
from ci_notebook.wire.xml import loads

# State of a digital watermark, by the state of its job; any other state is Running.
_WATERMARK_STATES: Final[dict[str, Any]] = {"Success": "Success", "Failed": "Failed"}


def job_details(job: JobRow, region: str, request: Request | None = None) -> JobsDetail:
    """Return a job as replies show it: the request as sent, with its wildcards, and the results once they exist.

    `request` is the parsed request when the caller already has it.
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


def job_facts(job: JobRow) -> dict[str, str]:
    """Return tag → text of the facts in a row, in the order of `JobsDetail`."""
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


def _operation(requested: Operation, job: JobRow) -> Operation:
    result = loads(Operation, job.result) if job.result else Operation()
    watermark, extract = requested.digital_watermark, requested.extract_digital_watermark
    if watermark is not None:
        state = (
            result.digital_watermark.state if result.digital_watermark else _WATERMARK_STATES.get(job.state, "Running")
        )
        watermark = dataclasses.replace(watermark, state=state)
    if extract is not None and result.extract_digital_watermark is not None:
        extract = dataclasses.replace(extract, message=result.extract_digital_watermark.message)
    return dataclasses.replace(
        requested,
        template_name=job.template_name,
        digital_watermark=watermark,
        extract_digital_watermark=extract,
        media_info=result.media_info,
        media_result=result.media_result,
        job_level=cast(Any, job.level),
    )


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else time_text(dt.datetime.fromtimestamp(seconds, dt.UTC))
