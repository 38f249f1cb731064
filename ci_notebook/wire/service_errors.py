"""Service errors in both directions: from a code to our class, to the body of a reply, and back.

Client and engine use one table (`wire.error_codes`). The engine raises `service_error(code, …)` and
writes `error_body`; the client reads it with `error_from`. Both get the same class, status and hint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from lxml import etree

from ci_notebook.model.errors import NotFound, ServiceError, ServiceUnavailable, Throttled
from ci_notebook.wire.error_codes import CODE_OF_STATUS, CODES, Code
from ci_notebook.wire.headers import http_time_s
from ci_notebook.wire.operations import Call
from ci_notebook.wire.xml import MalformedXML, parse, text_for_xml

__all__ = ["CODES", "actions_of", "error_body", "error_from", "error_in", "retry_after_s", "service_error"]

# Of an error that another program wrote. A message may quote the request.
MAX_MESSAGE_CHARS: Final = 2000
MAX_NODE_CHARS: Final = 300

_NAME_OF_NUMBER: Final = {str(code.number): name for name, code in CODES.items() if code.number}

# CAM actions of the object calls, which have no `action` in the table of calls.
_COS_ACTIONS: Final = {
    "put_object": "PutObject", "get_object": "GetObject", "head_object": "HeadObject", "delete_object": "DeleteObject",
    "list_objects": "GetBucket", "head_bucket": "HeadBucket", "start_multipart": "InitiateMultipartUpload",
    "put_part": "UploadPart", "complete_multipart": "CompleteMultipartUpload", "list_parts": "ListParts",
    "list_multiparts": "ListMultipartUploads",
    "abort_multipart": "AbortMultipartUpload", "delete_objects": "DeleteMultipleObjects",
    "list_versions": "GetBucketObjectVersions", "get_object_acl": "GetObjectACL", "put_object_acl": "PutObjectACL",
    "get_object_tags": "GetObjectTagging", "put_object_tags": "PutObjectTagging",
    "delete_object_tags": "DeleteObjectTagging", "get_bucket_acl": "GetBucketACL",
    "get_bucket_location": "GetBucketLocation", "get_bucket_versioning": "GetBucketVersioning",
    "get_bucket_logging": "GetBucketLogging", "put_bucket": "PutBucket", "list_all_buckets": "GetService",
}  # fmt: skip


# The service answers every failed HEAD without a body.
_MUTE: Final = (
    "The reply has no body. The cause is a wrong SecretKey, an unknown SecretId, a wrong clock or a missing "
    "permission. Read an object (`client.read`) to see which. If it is the permission: grant {actions} on {bucket}."
)


def actions_of(call: Call | None) -> tuple[str, ...]:
    """Return the permissions that CAM must grant for a call: `ci:CreateMediaJobs`, `cam:PassRole`."""
    if call is None:
        return ()
    if not call.action:
        return (f"cos:{_COS_ACTIONS[call.name]}",) if call.name in _COS_ACTIONS else ()
    # The service accesses the bucket through a role that the caller passes on.
    return (f"ci:{call.action}", *(["cam:passrole"] if call.name in ("create_job", "store_snapshot") else []))


def service_error(
    code: str,
    message: str = "",
    *,
    status: int = 0,
    call: Call | None = None,
    bucket: str = "",
    skew_s: float | None = None,
    **details: str | float | None,
) -> ServiceError:
    """Return the error of a code: with its class, a hint, and the status from the table unless one is given.

    `skew_s` is how far this machine's clock is ahead of the service's. `details` are fields of
    `ServiceError`: `request_id`, `trace_id`, `resource`, `retry_after_s`.
    """
    code = _NAME_OF_NUMBER.get(code, code)
    entry = CODES.get(code) or Code(status, _kind_of_status(status))
    hint = entry.hint.format_map(
        {
            "actions": " and ".join(actions_of(call)) or "the action",
            "bucket": bucket or "the bucket",
            "skew": _skew_text(skew_s),
        }
    )
    return entry.kind(code, message, status=status or entry.status, hint=hint, **details)  # type: ignore[arg-type]


def error_body(code: str, message: str = "", *, resource: str = "", request_id: str = "", trace_id: str = "") -> bytes:
    """Return the body of an error.

    No node is empty or blank: if Message or Resource is missing or empty, the official SDK reports the code
    `Unknown`.
    """
    root = etree.Element("Error")
    nodes = (
        ("Code", code),
        ("Message", message if message.strip() else code),
        ("Resource", resource if resource.strip() else "/"),
        ("RequestId", request_id if request_id.strip() else "-"),
    )
    for tag, text in (*nodes, ("TraceId", trace_id or request_id or "-")):
        etree.SubElement(root, tag).text = text_for_xml(text)  # a message may quote the request
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def error_from(
    status: int,
    body: bytes,
    headers: Mapping[str, str],
    *,
    call: Call | None = None,
    bucket: str = "",
    now: float | None = None,
) -> ServiceError:
    """Return the error of a reply; without a readable body, the status decides.

    `headers` has lower-case names or ignores case. `now` is this machine's clock in Unix seconds; compared
    with the reply's `Date`, it shows how wrong the clock is.
    """
    fields = _read(body)
    served_at = http_time_s(headers.get("date"))
    has_no_code = not fields.get("Code")
    code = fields.get("Code") or CODE_OF_STATUS.get(status, "ServiceUnavailable" if status >= 500 else str(status))
    error = service_error(
        code,
        fields.get("Message", ""),
        status=status,
        call=call,
        bucket=bucket,
        skew_s=now - served_at if now is not None and served_at is not None else None,
        request_id=fields.get("RequestId") or headers.get("x-ci-request-id") or headers.get("x-cos-request-id") or "",
        trace_id=fields.get("TraceId") or headers.get("x-ci-trace-id") or headers.get("x-cos-trace-id") or "",
        resource=fields.get("Resource", ""),
        retry_after_s=retry_after_s(headers, now=now),
    )
    if has_no_code and status in (401, 403):
        error.hint = _MUTE.format(actions=" and ".join(actions_of(call)) or "the action", bucket=bucket or "the bucket")
    return error


def error_in(root: etree._Element, *, status: int = 0) -> ServiceError | None:
    """Return the error that the body of a reply with status 200 states; None where it states none.

    Calls that take long may fail after their status was sent. `status` is 0 for the usual one of the code.
    """
    if etree.QName(root).localname != "Error":
        return None
    fields = _texts(root)
    message = fields.get("Message") or "The reply is an error without a message."
    request_id = fields.get("RequestId", "")
    return service_error(fields.get("Code") or "InternalError", message, status=status, request_id=request_id)


def retry_after_s(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Return the seconds that `Retry-After` asks to wait; None without that header.

    A date is compared with the reply's `Date`, or with our clock if the reply has none.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", text):
        return float(text)
    until, since = http_time_s(text), http_time_s(headers.get("date"))
    since = now if since is None else since
    return None if until is None or since is None else max(0.0, until - since)


def _kind_of_status(status: int) -> type[ServiceError]:
    if status == 429:
        return Throttled
    if status == 404:
        return NotFound
    return ServiceUnavailable if status >= 500 and status != 501 else ServiceError


def _skew_text(skew_s: float | None) -> str:
    if skew_s is None or abs(skew_s) < 2:
        return ""
    return f" It is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} the service's."


def _read(body: bytes) -> dict[str, str]:
    try:
        root = parse(body) if body else None
    except MalformedXML:
        return {}  # for example a proxy's HTML page; the status decides
    if root is None or etree.QName(root).localname != "Error":
        return {}
    return _texts(root)


def _texts(error: etree._Element) -> dict[str, str]:
    leaves = {etree.QName(child).localname: child.text or "" for child in error if len(child) == 0}
    limits = {"Message": MAX_MESSAGE_CHARS}
    return {tag: " ".join(text.split())[: limits.get(tag, MAX_NODE_CHARS)] for tag, text in leaves.items()}
