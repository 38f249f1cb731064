"""The calls on jobs: create, get, list, cancel."""

from __future__ import annotations

import datetime as dt
from typing import Final

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
from ci_notebook.engine.calls.job_details import job_details
from ci_notebook.engine.calls.job_xml import jobs_answer
from ci_notebook.engine.calls.template_expansion import expand_templates
from ci_notebook.engine.jobs.ledger import JobQuery, JobRow
from ci_notebook.engine.notify.notification import check_callback
from ci_notebook.engine.storage.bucket_settings import Bucket
from ci_notebook.engine.storage.object_keys import check_key
from ci_notebook.model.api.jobs import FOLLOWS, Operation, Output, Request, Response, time_of
from ci_notebook.wire.service_errors import service_error
from ci_notebook.wire.xml import dumps

# Not documented: a URL with this many ids is as long as servers accept.
MAX_IDS: Final = 200


def create_job(service: CallContext, exchange: Exchange) -> Answer:
    """Accept a job. A request that cannot work is refused here; an accepted job is in the ledger."""
    bucket = bucket_of(service, exchange, is_activated=True)
    request, body = body_of(Request, exchange)
    check_callback(request, loopback=service.notifies_loopback)
    with service.database.held():
        job = _accepted(service, bucket, request, body)
    if job.state == "Submitted":
        service.wake()
    return xml_answer(Response(jobs_detail=(job_details(job, bucket.region, request),)))


def _accepted(service: CallContext, bucket: Bucket, request: Request, body: bytes) -> JobRow:
    """Check a request against what is stored, and return the job, which the ledger has then."""
    operation = request.operation or Operation()
    key = request.input.object if request.input and request.input.object else ""
    if service.store.head(bucket.name, key) is None:
        text = f"Bucket {bucket.name} has no object {key!r} (Input.Object). Upload it first."
        raise service_error("ResourceNotFound", text)
    if operation.output is not None:
        _check_output(service, operation.output, bucket, key)
    work, template_name = expand_templates(service.catalogue, bucket.name, operation, str(request.tag))
    return service.ledger.add(
        JobRow(
            job_id=f"j{service.new_id()}",
            bucket=bucket.name,
            queue_id=request.queue_id or "",
            tag=str(request.tag),
            level=operation.job_level or 0,
            input_object=key,
            created=service.clock(),
            request=body,
            template_name=template_name,
            work=dumps(work),
        )
    )


def _check_output(service: CallContext, output: Output, bucket: Bucket, source: str) -> None:
    target = bucket if output.bucket == bucket.name else service.catalogue.bucket(output.bucket or "")
    if target is None or target.region != output.region:
        text = f"Operation.Output must name a bucket and its region, such as {bucket.name} in {bucket.region} (got {output.bucket} in {output.region})."  # noqa: E501
        raise service_error("WriteTargetBucketDenied", text)
    check_key(output.object or "")
    if (output.bucket, output.object) == (bucket.name, source):
        raise argument_error("Operation.Output.Object", "different from Input.Object", source, "Choose another key.")


def get_jobs(service: CallContext, exchange: Exchange) -> Answer:
    """Return jobs by id, and the ids that no job has."""
    bucket = bucket_of(service, exchange, is_activated=True)
    ids = [part.strip() for part in exchange.names["ids"].split(",") if part.strip()]
    if len(ids) > MAX_IDS:
        raise argument_error("the ids in the path", f"at most {MAX_IDS}", len(ids))
    jobs = service.ledger.get(bucket.name, ids)
    known = {job.job_id for job in jobs}
    missing = tuple(one for one in dict.fromkeys(ids) if one not in known)
    return jobs_answer(jobs, bucket.region, missing=missing)


def list_jobs(service: CallContext, exchange: Exchange) -> Answer:
    """Return a page of jobs."""
    bucket = bucket_of(service, exchange, is_activated=True)
    query = exchange.query
    if not query.get("tag"):
        raise argument_error("tag", "a kind of job, such as VideoEnhance", query.get("tag"), "It is required.")
    if query.get("workflowId") or query.get("inventoryTriggerJobId"):
        return xml_answer(Response(next_token=""))  # workflows and batches start no jobs here
    jobs, cursor = service.ledger.page(
        JobQuery(
            bucket=bucket.name,
            tag=query["tag"],
            states=_states(exchange),
            queue_id=query.get("queueId", ""),
            input_object=query.get("inputObject", ""),
            after=_time(exchange, "startCreationTime"),
            before=_time(exchange, "endCreationTime"),
            oldest_first=word_in_query(exchange, "orderByTime", "Desc", ("Desc", "Asc")) == "Asc",
            cursor=_token(exchange),
            size=number_in_query(exchange, "size", 10, high=100),
        )
    )
    return jobs_answer(jobs, bucket.region, next_token="" if cursor is None else str(cursor))


def cancel_job(service: CallContext, exchange: Exchange) -> Answer:
    """Cancel a job that has not started; the answer has no body."""
    bucket = bucket_of(service, exchange, is_activated=True)
    service.ledger.cancel(bucket.name, exchange.names["id"])
    return Answer()


def _states(exchange: Exchange) -> tuple[str, ...]:
    states = ids_in_query(exchange, "states") or ("All",)
    for state in states:
        if state not in ("All", *FOLLOWS):
            raise argument_error("states", f"All, or a comma-separated list of {', '.join(FOLLOWS)}", state)
    return () if "All" in states else states


def _time(exchange: Exchange, name: str) -> float | None:
    text = exchange.query.get(name, "").replace(" ", "+")  # a plus sign that was not encoded arrives as a space
    if not text:
        return None
    moment: dt.datetime | None = time_of(text)
    if moment is None:
        raise argument_error(name, "a time such as 2022-06-27T14:44:10+0800", text)
    return moment.timestamp()


def _token(exchange: Exchange) -> int | None:
    text = exchange.query.get("nextToken", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise argument_error("nextToken", "the NextToken of the previous page", text)
    return int(text)


HANDLERS: Final[dict[str, Handler]] = {
    "create_job": create_job, "get_jobs": get_jobs, "list_jobs": list_jobs, "cancel_job": cancel_job,
}  # fmt: skip
