"""The WSGI application: one call in, one answer out; errors are always XML with a request id.

Invariant: after any error, the caller gets a status, a code and a request id, and the log gets the
traceback under the same id, without keys or signatures. Only an injected fault (`faults`) leaves the
caller without an answer.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final

from ci_notebook.engine.calls import buckets, jobs, media, multipart, object_copy, objects, queues, templates
from ci_notebook.engine.calls.context import CallContext, Handler, bucket_of
from ci_notebook.engine.calls.cos import acl, bucket_calls, deletion, tags
from ci_notebook.engine.calls.cos.request_headers import check_headers
from ci_notebook.engine.calls.exchange import Answer, Exchange, host_kind, read_exchange, too_large_xml
from ci_notebook.engine.calls.object_copy import SOURCE
from ci_notebook.engine.calls.objects import MAX_PUT_BYTES, FileRange, too_large_body
from ci_notebook.engine.faults import ConnectionDropped, NoReply
from ci_notebook.engine.limits import machine_error
from ci_notebook.engine.server.body_plan import REFUSAL, BodyPlan
from ci_notebook.model.errors import ServiceError
from ci_notebook.wire.service_errors import error_body, service_error
from ci_notebook.wire.signing import verify
from ci_notebook.wire.xml import MAX_REQUEST_BYTES

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())

HANDLERS: Final[Mapping[str, Handler]] = {
    **jobs.HANDLERS, **templates.HANDLERS, **queues.HANDLERS, **buckets.HANDLERS, **media.HANDLERS,
    **objects.HANDLERS, **multipart.HANDLERS, **object_copy.HANDLERS,
    **acl.HANDLERS, **tags.HANDLERS, **deletion.HANDLERS, **bucket_calls.HANDLERS,
}  # fmt: skip

COS_HOSTS: Final = ("cos", "service")
# What the head of a call shows, for calls whose bodies are large.
HEAD_CHECKS: Final[Mapping[str, Callable[[CallContext, Exchange], object]]] = {
    "put_object": objects.check_put, "put_part": multipart.check_part,
}  # fmt: skip

StartResponse = Callable[[str, list[tuple[str, str]]], object]


class App:
    """The engine as a WSGI application. `context` returns the running engine's parts."""

    def __init__(self, service: Callable[[], CallContext]) -> None:
        self._service = service

    def plan_body(self, environ: Mapping[str, Any]) -> BodyPlan:
        """Return what to do with the body of a call whose head is `environ`. Never waits for the ledger.

        A check that cannot be done now is left to the call.
        """
        plan = BodyPlan(limit_bytes=MAX_PUT_BYTES, over_limit=too_large_body())
        try:
            service, exchange = self._service(), read_exchange(environ)
            if exchange.method not in ("PUT", "POST") or SOURCE in exchange.headers:
                plan = BodyPlan()
            elif exchange.call.name not in HEAD_CHECKS:
                plan = BodyPlan(limit_bytes=MAX_REQUEST_BYTES, over_limit=too_large_xml())
            _verify(service, exchange)
            with service.database.without_waiting():
                HEAD_CHECKS.get(exchange.call.name, bucket_of)(service, exchange)
        except ServiceError as error:
            return BodyPlan(refusal=error)
        except Exception:  # the thread that reads all sockets continues; the call itself will report the error
            log.debug("the head of a call could not be checked", exc_info=True)
        return plan

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one call."""
        service = self._service()
        request_id = base64.b64encode(service.new_id()[:24].encode()).decode()
        is_cos, resource = host_kind(environ) in COS_HOSTS, str(environ.get("PATH_INFO", "/"))
        server = "tencent-cos" if is_cos else "tencent-ci"
        try:
            if (refusal := environ.get(REFUSAL)) is not None:
                raise refusal
            exchange = read_exchange(environ)
            is_cos, resource = exchange.host in COS_HOSTS, exchange.path
            # Calls on a video through COS's host are answered by CI, with COS's kind of id.
            server = "tencent-ci" if exchange.call.action else "tencent-cos"
            answer = _answer(service, exchange)
        except ServiceError as error:
            answer = _refusal(error, resource, request_id)
        except (ConnectionDropped, NoReply):
            raise  # the server or transport turns it into a network error
        except Exception as error:  # the top of a call: the caller gets a 500, the log the full error
            log.exception("call %s failed: %s %s", request_id, environ["REQUEST_METHOD"], resource)
            text, known = "The engine failed. Its log has the reason under this request id.", machine_error(error)
            refusal = service_error(known.code, known.message) if known else service_error("InternalError", text)
            answer = _refusal(refusal, resource, request_id)
        headers = {"Server": server, "Date": formatdate(service.clock(), usegmt=True)}
        headers |= _headers(answer, request_id, "cos" if is_cos else "ci")
        status = HTTPStatus(answer.status)
        start_response(f"{status.value} {status.phrase}", list(headers.items()))
        if environ["REQUEST_METHOD"].upper() == "HEAD":
            _close(answer.body)
            return []
        if isinstance(answer.body, FileRange) and "wsgi.file_wrapper" in environ:
            # The server sends the file itself, so a slow reader blocks no thread.
            return answer.body.wrapped(environ["wsgi.file_wrapper"])
        return [answer.body] if isinstance(answer.body, bytes) else answer.body


def _verify(service: CallContext, exchange: Exchange) -> None:
    verify(
        exchange.method, exchange.path, query=exchange.query, headers=exchange.headers, keys=service.keys,
        now=service.clock(), host=exchange.host, tokens=service.tokens,
    )  # fmt: skip
    if exchange.refusal is not None:
        raise exchange.refusal
    if exchange.host in COS_HOSTS:
        check_headers(exchange)


def _answer(service: CallContext, exchange: Exchange) -> Answer:
    _verify(service, exchange)
    fault = service.faults.of_call(exchange.call.name)
    if fault and not fault.after:
        fault.strike()
    answer = HANDLERS[exchange.call.name](service, exchange)
    if fault:
        _close(answer.body)
        fault.strike()
    return answer


def _refusal(error: ServiceError, resource: str, request_id: str) -> Answer:
    headers = {"Content-Type": "application/xml", "x-trace": request_id}
    if error.retry_after_s is not None:
        headers["Retry-After"] = f"{error.retry_after_s:g}"
    body = error_body(error.code, error.message, resource=resource, request_id=request_id)
    return Answer(error.status or 500, body, headers)


def _headers(answer: Answer, request_id: str, kind: str) -> dict[str, str]:
    own_headers = dict(answer.headers)
    headers = {f"x-{kind}-request-id": request_id}
    if own_headers.pop("x-trace", ""):
        headers[f"x-{kind}-trace-id"] = request_id
    length = len(answer.body) if isinstance(answer.body, bytes) else answer.length
    if length is not None and answer.status != HTTPStatus.NO_CONTENT:
        headers["Content-Length"] = str(length)
    return headers | own_headers


def _close(body: object) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()
