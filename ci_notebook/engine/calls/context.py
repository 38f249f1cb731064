"""Shared by all calls: the parts of an engine, and helpers that read a call and make its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from ci_notebook.engine.calls.exchange import Answer, Exchange
from ci_notebook.engine.faults import Faults
from ci_notebook.engine.jobs.ledger import Ledger
from ci_notebook.engine.notify.message_queues import MessageQueues
from ci_notebook.engine.notify.outbox import Outbox
from ci_notebook.engine.read_slots import ReadSlots
from ci_notebook.engine.storage.bucket_settings import Bucket, Catalogue
from ci_notebook.engine.storage.database import Database
from ci_notebook.engine.storage.object_store import ObjectStore
from ci_notebook.engine.storage.uploads import Uploads
from ci_notebook.model.declaration.node import Node
from ci_notebook.model.errors import ParameterError, ServiceError
from ci_notebook.model.setting.rules import problems
from ci_notebook.wire.secret import Secret
from ci_notebook.wire.service_errors import service_error
from ci_notebook.wire.xml import MalformedXML, dumps, loads, text_for_xml

N = TypeVar("N", bound=Node)

# The longest documented body has about two hundred nodes.
MAX_NODES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CallContext:
    """The parts of a running engine. `wake` makes the workers look for a waiting job.

    `notifies_loopback` says whether a notification may go to this machine.
    """

    ledger: Ledger
    catalogue: Catalogue
    store: ObjectStore
    uploads: Uploads
    keys: Mapping[str, Secret]
    tokens: Mapping[str, Secret]
    clock: Callable[[], float]
    new_id: Callable[[], str]
    wake: Callable[[], None]
    faults: Faults
    database: Database
    outbox: Outbox
    messages: MessageQueues
    read_slots: ReadSlots
    notifies_loopback: bool = True


Handler = Callable[[CallContext, Exchange], Answer]


def bucket_of(service: CallContext, exchange: Exchange, *, is_activated: bool = False) -> Bucket:
    """Return the bucket that a call addresses.

    Raises `ServiceError`: NoSuchBucket (CI's own tables have no such code, so COS's is used), or
    MediaBucketUnBinded when the call needs media processing and it is off.
    """
    bucket = service.catalogue.bucket(exchange.bucket)
    if bucket is None:
        raise service_error("NoSuchBucket", f"There is no bucket {exchange.bucket}.")
    if bucket.region != exchange.region:
        text = f"Bucket {bucket.name} is in region {bucket.region}; the call was sent to {exchange.region}."
        raise service_error("NoSuchBucket", text)
    if is_activated and bucket.activated is None:
        raise service_error(
            "MediaBucketUnBinded", f"Media processing is off for bucket {bucket.name}.", bucket=bucket.name
        )
    return bucket


def body_of(cls: type[N], exchange: Exchange) -> tuple[N, bytes]:
    """Return the checked node of a call's body, and the bytes as received.

    Raises `ServiceError`: MissingContent, InvalidContent, or InvalidArgument with node, value, allowed
    values and remedy.
    """
    data = exchange.body.whole(exchange.headers.get("content-md5", ""))
    if not data.strip():
        raise service_error("MissingContent", "The call needs a body: XML whose outermost element is <Request>.")
    if data.count(b"<") > 2 * MAX_NODES:
        raise service_error("InvalidContent", f"The body holds more than {MAX_NODES} nodes.")
    try:
        node = loads(cls, data, root="Request")
    except MalformedXML as error:
        raise service_error("InvalidContent", f"{error}.") from error
    refuse_problems(problems(node))
    return node, data


def refuse_problems(errors: list[ParameterError]) -> None:
    """Raise `ServiceError` (InvalidArgument) for the first problem, and say how many others there are."""
    if errors:
        more = f" There are {len(errors) - 1} more problems." if len(errors) > 1 else ""
        raise service_error("InvalidArgument", f"{errors[0]}{more}") from errors[0]


def xml_answer(node: Node) -> Answer:
    """Return an answer whose body is a node, with the root `Response`."""
    return Answer(200, dumps(node, "Response"), {"Content-Type": "application/xml"})


def number_in_query(exchange: Exchange, name: str, default: int, *, low: int = 1, high: int = 1000) -> int:
    """Return a whole number from the query; the default when it is absent or empty. Raises `ServiceError`."""
    text = exchange.query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and low <= int(text) <= high):
        raise argument_error(name, f"a whole number, {low} to {high}", text)
    return int(text)


def word_in_query(exchange: Exchange, name: str, default: str, words: tuple[str, ...]) -> str:
    """Return one of the allowed words from the query; the default when it is absent or empty. Raises `ServiceError`."""
    text = exchange.query.get(name, "") or default
    if text not in words:
        raise argument_error(name, f"one of {', '.join(words)}", text)
    return text


def ids_in_query(exchange: Exchange, name: str) -> tuple[str, ...]:
    """Return the parts of a comma-separated parameter. An answer may quote them, so they are text for XML."""
    return tuple(text_for_xml(part.strip()) for part in exchange.query.get(name, "").split(",") if part.strip())


def argument_error(name: str, allowed: str, value: object, remedy: str = "") -> ServiceError:
    """Return the error for a parameter of the query, worded like `ParameterError`."""
    return service_error("InvalidArgument", str(ParameterError(name, value, allowed, remedy)))
