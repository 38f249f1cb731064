"""Content and target of a notification: pure functions of the job, its request and its queue.

Notifications are documented for Success and Failed. Cancel sends none, because its caller knows the result.
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from lxml import etree

from ci_notebook.engine.notify.addresses import is_allowed_host
from ci_notebook.model.api.jobs import JobsDetail, Request, Response
from ci_notebook.model.api.queues import NotifyConfig
from ci_notebook.model.errors import ParameterError, ServiceError
from ci_notebook.wire.service_errors import service_error
from ci_notebook.wire.xml import element_of

BodyFormat = Literal["XML", "JSON"]
# The Content-Type of a JSON notification is not documented.
CONTENT_TYPES: Final[dict[BodyFormat, str]] = {"XML": "application/xml", "JSON": "application/json"}
NO_CALLBACK: Final = "no"


@dataclass(frozen=True, slots=True)
class CallbackTarget:
    """Notify by POST to a URL. The URL may contain a secret, so the repr shows only the host."""

    url: str = dataclasses.field(repr=False)
    body_format: BodyFormat

    @property
    def host(self) -> str:
        """The host of the URL."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, slots=True)
class QueueTarget:
    """Notify through a message queue."""

    region: str
    name: str
    mode: str
    body_format: BodyFormat


def target_of(request: Request, notify: NotifyConfig) -> CallbackTarget | QueueTarget | None:
    """Return where the notification goes; None for nowhere.

    The job's settings win over its queue's. A format that the job sets also applies to the queue's URL; a
    job's own URL without a format gets XML.
    """
    if request.call_back == NO_CALLBACK:
        return None
    body_format, kind, mq = request.call_back_format, request.call_back_type, request.call_back_mq_config
    if mq is not None and (kind == "TDMQ" or (kind is None and not request.call_back)):
        return QueueTarget(mq.mq_region or "", mq.mq_name or "", mq.mq_mode or "Queue", body_format or "XML")
    if request.call_back:
        return CallbackTarget(request.call_back, body_format or "XML")
    if notify.state != "On" or "TaskFinish" not in (notify.event or "").split(","):
        return None
    body_format = body_format or notify.result_format or "XML"
    if notify.type == "TDMQ":
        return QueueTarget(notify.mq_region or "", notify.mq_name or "", notify.mq_mode or "Queue", body_format)
    return CallbackTarget(notify.url, body_format) if notify.url else None


def notification_body(detail: JobsDetail, body_format: BodyFormat) -> bytes:
    """Return the body of the notification for a job that ended.

    >>> print(notification_body(JobsDetail(tag="VideoEnhance", message="", code="Success"), "JSON").decode())
    {"EventName": "TaskFinish", "JobsDetail": [{"Code": "Success", "Tag": "VideoEnhance"}]}
    """
    response = Response(event_name="TaskFinish", jobs_detail=(dataclasses.replace(detail, progress=None),))
    root = element_of(response)
    _sort(root)
    if body_format == "XML":
        return etree.tostring(root, xml_declaration=True, encoding="utf-8")
    plain = _plain(root)
    return json.dumps({**plain, "JobsDetail": [plain["JobsDetail"]]}, ensure_ascii=False).encode()


def check_url(path: str, url: str, *, loopback: bool = True) -> None:
    """Raise `ServiceError` (InvalidArgument) for a URL that no notification is sent to.

    Private networks are refused, as on the cloud. With `loopback` this machine is accepted: the cloud could not
    reach it, but an engine on the same machine can.
    """
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or not re.fullmatch("[!-~]{1,2048}", url) or re.search(r"[@\\]", parts.netloc):
        raise _refused(path, url, "a URL such as https://example.com/path", "Encode characters outside ASCII.")
    if not is_allowed_host(parts.hostname or "", loopback=loopback):
        remedy = "Use a public address, or 127.0.0.1." if loopback else "Use a public address."
        raise _refused(path, url, "an address outside private networks, in its usual spelling", remedy)


def check_callback(request: Request, *, loopback: bool = True) -> None:
    """Raise `ServiceError` (InvalidArgument) when a request asks for a notification that cannot be sent."""
    if request.call_back_type == "Kafka" or request.call_back_kafka_config is not None:
        raise _refused("CallBackType", "Kafka", "Url or TDMQ", "The embedded engine does not support Kafka.")
    if request.call_back not in (None, "", NO_CALLBACK):
        check_url("CallBack", request.call_back or "", loopback=loopback)


def check_notify(notify: NotifyConfig, *, loopback: bool = True) -> None:
    """Raise `ServiceError` (InvalidArgument) when a queue asks for notifications that cannot be sent."""
    if notify.kafka_config is not None:
        text = "The embedded engine does not support Kafka. Use Type Url or TDMQ."
        raise _refused("NotifyConfig.KafkaConfig", notify.kafka_config, "absent", text)
    if notify.url:
        check_url("NotifyConfig.Url", notify.url, loopback=loopback)


def _refused(path: str, value: object, allowed: str, remedy: str) -> ServiceError:
    return service_error("InvalidArgument", str(ParameterError(path, value, allowed, remedy)))


def _sort(element: etree._Element) -> None:
    """Sort children by tag at every depth, as in the samples. Repeated children keep their order."""
    for child in element:
        _sort(child)
    element[:] = sorted(element, key=lambda child: str(child.tag))


def _plain(element: etree._Element) -> dict[str, Any]:
    """Return an element as JSON: text values, lists for repeated children, no empty leaves."""
    values: dict[str, list[Any]] = {}
    for child in element:
        value = _plain(child) if len(child) else child.text or ""
        if value != "":
            values.setdefault(str(child.tag), []).append(value)
    return {tag: values if len(values) > 1 else values[0] for tag, values in values.items()}
