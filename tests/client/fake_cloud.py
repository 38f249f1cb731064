"""A small fake of the service: it checks signatures, stores objects and jobs, and fails on request.

It knows nothing of our client. Jobs move when a test moves them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import threading
import time
from urllib.parse import parse_qsl, quote

from ci_notebook.model.api.jobs import Input, JobsDetail, Operation, Request, Response, time_of
from ci_notebook.model.api.media_info import Format, MediaInfo, MediaInfoReply
from ci_notebook.model.api.queues import (
    MediaBucket,
    MediaBucketResponse,
    NotifyConfig,
    Queue,
    QueueRequest,
    QueueResponse,
)
from ci_notebook.model.api.templates import NonExistTID, Template, TemplateRequest, TemplateResponse, TransTpl
from ci_notebook.model.errors import ServiceError
from ci_notebook.wire.operations import match
from ci_notebook.wire.service_errors import error_body, service_error
from ci_notebook.wire.signing import verify
from ci_notebook.wire.xml import dumps, loads

BUCKET, REGION = "test-1250000000", "ap-chongqing"
SECRET_ID, SECRET_KEY = "AKIDlittlecloud", "littlecloudkey"
CREATED = "2022-06-27T15:23:12+0800"


class LittleCloud:
    """One bucket. `faults` are taken one a request: ("before" | "after", an exception or an error's code)."""

    def __init__(self):
        self.objects = {}
        self.jobs = {}
        self.templates = {}
        self.queue = Queue(queue_id="p1", name="queue-1", state="Active", notify_config=NotifyConfig(state="Off"))
        self.is_active = True
        self.faults = []
        self.calls = []
        self.tokens = {}
        self.clock = time.time
        self.headers = {}
        self.answer_headers = []
        self.piece = 1 << 20
        self._count = itertools.count(1)
        self._lock = threading.Lock()

    def __call__(self, environ, start_response):
        method = environ["REQUEST_METHOD"]
        path = environ["PATH_INFO"].encode("latin-1").decode()
        query = dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
        headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name[:5] == "HTTP_"}
        headers |= {
            name.replace("_", "-").lower(): environ[name]
            for name in ("CONTENT_TYPE", "CONTENT_LENGTH")
            if environ.get(name)
        }
        host = "region" if headers["host"].startswith("ci.") else headers["host"].split(".")[1]
        self.headers = headers
        with self._lock:
            when, fault = self.faults.pop(0) if self.faults else ("", None)
        try:
            call, names = match(method, host, path, query) or (None, {})
            self.calls.append(call.name if call else f"{method} {path}")
            if when == "before":
                _break(fault)
            verify(
                method, path, query=query, headers=headers, keys={SECRET_ID: SECRET_KEY}, now=self.clock(), host=host,
                tokens=self.tokens,
            )  # fmt: skip
            body = environ["wsgi.input"].read(int(headers.get("content-length") or 0))
            status, answer_headers, answer = getattr(self, call.name)(names, query, headers, body)
            if when == "after":
                _break(fault)
        except ServiceError as error:
            status, answer_headers = error.status, []
            if error.retry_after_s is not None:
                answer_headers = [("Retry-After", str(error.retry_after_s))]
            answer = b"" if method == "HEAD" else error_body(error.code, error.message, resource=path, request_id="r1")
        answer_headers = [("Date", _http_date(self.clock())), *answer_headers, *self.answer_headers]
        if not any(name == "Content-Length" for name, _ in answer_headers):
            answer_headers.append(("Content-Length", str(len(answer))))
        start_response(f"{status} -", answer_headers)
        return _pieces(answer, self.piece, fault if when == "midway" else None)

    # Jobs

    def create_job(self, names, query, headers, body):
        if not self.is_active:
            raise service_error("MediaBucketUnBinded", "not bound")
        request = loads(Request, body, root="Request")
        job = JobsDetail(
            code="Success", message="", job_id=f"j{next(self._count)}", state="Submitted", progress=0, tag=request.tag,
            creation_time=CREATED, start_time="-", end_time="-", queue_id="p1",
            input=Input(bucket_id=BUCKET, object=request.input.object, region=REGION), operation=request.operation,
        )  # fmt: skip
        self.jobs[job.job_id] = job
        return _xml(Response(jobs_detail=(job,)))

    def get_jobs(self, names, query, headers, body):
        ids = names["ids"].split(",")
        matches = tuple(self.jobs[one] for one in sorted(ids) if one in self.jobs)
        return _xml(Response(jobs_detail=matches, non_exist_job_ids=tuple(one for one in ids if one not in self.jobs)))

    def list_jobs(self, names, query, headers, body):
        states = query.get("states", "All").split(",")
        jobs = [
            job
            for job in self.jobs.values()
            if job.tag == query["tag"]
            and (states == ["All"] or job.state in states)
            and query.get("inputObject") in (None, job.input.object)
        ]
        if query.get("orderByTime") != "Asc":
            jobs.reverse()
        start, size = int(query.get("nextToken") or 0), int(query["size"])
        token = str(start + size) if start + size < len(jobs) else ""
        return _xml(Response(jobs_detail=tuple(jobs[start : start + size]), next_token=token))

    def cancel_job(self, names, query, headers, body):
        self.move(names["id"], state="Cancel")
        return 200, [], b""

    def move(self, job_id, **facts):
        self.jobs[job_id] = dataclasses.replace(self.jobs[job_id], **facts)

    # Templates, queues, activation

    def create_template(self, names, query, headers, body):
        return self._keep(f"t{next(self._count)}", body)

    def update_template(self, names, query, headers, body):
        return self._keep(names["id"], body)

    def _keep(self, template_id, body):
        request = loads(TemplateRequest, body, root="Request")
        encoding = TransTpl(container=request.container, video=request.video) if request.container else None
        self.templates[template_id] = Template(
            tag=request.tag, template_id=template_id, name=request.name, video_enhance=request.video_enhance,
            watermark=request.watermark, trans_tpl=encoding,
        )  # fmt: skip
        return _xml(TemplateResponse(template=self.templates[template_id]))

    def list_templates(self, names, query, headers, body):
        if query.get("ids"):
            ids = query["ids"].split(",")
            missing = tuple(NonExistTID(template_id=one) for one in ids if one not in self.templates)
            matches = tuple(self.templates[one] for one in ids if one in self.templates)
            return _xml(TemplateResponse(template_list=matches, non_exist_tids=missing))
        start = (
            int(query["pageNumber"]) - 1
        ) * 2  # pages of two, for any requested size: the longest page is not documented
        listed = list(self.templates.values())
        return _xml(TemplateResponse(total_count=len(listed), template_list=tuple(listed[start : start + 2])))

    def delete_template(self, names, query, headers, body):
        del self.templates[names["id"]]
        return _xml(TemplateResponse(template_id=names["id"]))

    def list_queues(self, names, query, headers, body):
        if query.get("queueIds", "p1") != "p1":
            return _xml(QueueResponse(non_exist_pids=(query["queueIds"],)))
        return _xml(QueueResponse(total_count=1, queue_list=(self.queue,)))

    def update_queue(self, names, query, headers, body):
        change = loads(QueueRequest, body, root="Request")
        self.queue = Queue(
            queue_id=names["id"], name=change.name, state=change.state, notify_config=change.notify_config
        )
        return _xml(QueueResponse(queue=self.queue))

    def activate_bucket(self, names, query, headers, body):
        if self.is_active:
            raise service_error("MediaBucketAlreadyBinded", "bound already")
        self.is_active = True
        return _xml(MediaBucketResponse(media_bucket=MediaBucket(bucket_id=BUCKET, region=REGION)))

    def deactivate_bucket(self, names, query, headers, body):
        self.is_active = False
        return _xml(MediaBucketResponse(request_id="r1"))

    def list_buckets(self, names, query, headers, body):
        return _xml(MediaBucketResponse(total_count=1, media_bucket_list=(MediaBucket(bucket_id=BUCKET),)))

    # Looking

    def video_info(self, names, query, headers, body):
        self._object(names["key"])
        return _xml(MediaInfoReply(media_info=MediaInfo(format=Format(duration=1.5))))

    def snapshot(self, names, query, headers, body):
        self._object(names["key"])
        return 200, [("Content-Type", "image/jpeg")], f"picture at {query['time']} s, {query.get('width')}".encode()

    # Objects

    def put_object(self, names, query, headers, body):
        self.objects[names["key"]] = body
        return 200, [("ETag", _etag(body))], b""

    def get_object(self, names, query, headers, body):
        data = self._object(names["key"])
        if "range" in headers:
            if headers.get("if-match") != _etag(data):
                raise service_error("PreconditionFailed", "another object by now")
            start = int(headers["range"].removeprefix("bytes=").removesuffix("-"))
            return 206, [("ETag", _etag(data)), ("Content-Range", f"bytes {start}-")], data[start:]
        return 200, [("ETag", _etag(data)), ("Content-Type", "video/mp4")], data

    def head_object(self, names, query, headers, body):
        data = self._object(names["key"])
        return 200, [("ETag", _etag(data)), ("Content-Length", str(len(data))), ("Content-Type", "video/mp4")], b""

    def delete_object(self, names, query, headers, body):
        self.objects.pop(names["key"], None)
        return 204, [], b""

    def list_objects(self, names, query, headers, body):
        keys = sorted(key for key in self.objects if key.startswith(query["prefix"]) and key > query["marker"])
        page = keys[:2]
        more = f"<NextMarker>{quote(page[-1])}</NextMarker>" if keys[2:] else ""
        contents = "".join(
            f"<Contents><Key>{quote(key)}</Key><ETag>{_etag(self.objects[key])}</ETag>"
            f"<Size>{len(self.objects[key])}</Size></Contents>"
            for key in page
        )
        cut = "true" if keys[2:] else "false"
        return (
            200,
            [],
            f"<ListBucketResult><IsTruncated>{cut}</IsTruncated>{more}{contents}</ListBucketResult>".encode(),
        )

    def _object(self, key):
        if key not in self.objects:
            raise service_error("NoSuchKey", f"{key} is not there")
        return self.objects[key]


def finished(job, key):
    """Return a job as it is when it made `key`."""
    from ci_notebook.model.api.jobs import MediaResult, OutputFile

    result = MediaResult(output_file=OutputFile(bucket=BUCKET, region=REGION, object_name=(key,), object_prefix=""))
    operation = dataclasses.replace(job.operation or Operation(), media_result=result)
    return dataclasses.replace(job, state="Success", progress=100, operation=operation)


def _break(fault):
    raise fault if isinstance(fault, Exception) else service_error(fault, "on request")


def _pieces(data, size, fault):
    """Yield the answer in pieces; with a fault only the first half of it."""
    end = len(data) // 2 if fault is not None else len(data)
    for start in range(0, end, size):
        yield data[start : min(end, start + size)]
    if fault is not None:
        raise fault


def _xml(node):
    return 200, [("Content-Type", "application/xml")], dumps(node, "Response")


def _etag(data):
    return f'"{hashlib.md5(data).hexdigest()}"'


def _http_date(now):
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now))


assert time_of(CREATED) is not None
