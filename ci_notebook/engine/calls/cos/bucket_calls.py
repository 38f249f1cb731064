"""The calls on buckets of COS: list them, and tell location, versioning and logging of one."""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from ci_notebook.engine.calls.context import CallContext, Handler, argument_error, bucket_of, number_in_query
from ci_notebook.engine.calls.exchange import Answer, Exchange
from ci_notebook.engine.calls.objects import add_leaves, add_owner, cos_answer, iso_time
from ci_notebook.engine.storage.bucket_settings import Bucket
from ci_notebook.wire.service_errors import service_error

MAX_BUCKETS: Final = 2000


def list_all_buckets(service: CallContext, exchange: Exchange) -> Answer:
    """List the buckets of all regions, or of the one that the host or the query names."""
    query = exchange.query
    limit = number_in_query(exchange, "max-keys", MAX_BUCKETS, high=MAX_BUCKETS)
    region = exchange.region or query.get("region", "")
    known = service.catalogue.buckets()
    found = [one for one in known if one.region == (region or one.region) and one.name > query.get("marker", "")]
    # No bucket has tags here.
    found = [one for one in found if not query.get("tagkey") and _is_in_range(exchange, one)]
    page = found[:limit]
    root = etree.Element("ListAllMyBucketsResult")
    add_owner(root, known[0].name if known else "-")
    if query.get("marker") or len(found) > limit:
        add_leaves(root, [("Marker", query.get("marker", ""))])
        add_leaves(root, [("NextMarker", page[-1].name)] if len(found) > limit else [])
    add_leaves(root, [("IsTruncated", str(len(found) > limit).lower())])
    buckets = etree.SubElement(root, "Buckets")
    for one in page:
        created = iso_time(one.created).replace(".000Z", "Z")
        facts = [("Name", one.name), ("Location", one.region), ("CreationDate", created), ("BucketType", "cos")]
        add_leaves(etree.SubElement(buckets, "Bucket"), facts)
    return cos_answer(root)


def _is_in_range(exchange: Exchange, bucket: Bucket) -> bool:
    """Return whether a bucket was created before or after the time in the query, as it asks."""
    text, order = exchange.query.get("create-time", ""), exchange.query.get("range", "")
    if not text and not order:
        return True
    if not re.fullmatch("[0-9]{1,12}", text):
        raise argument_error("create-time", "a time in Unix seconds", text or None)
    if order not in ("lt", "gt", "lte", "gte"):
        raise argument_error("range", "lt, gt, lte or gte", order or None)
    created, moment = int(bucket.created), int(text)
    is_far = created < moment if order.startswith("lt") else created > moment
    return is_far or (order.endswith("e") and created == moment)


def put_bucket(service: CallContext, exchange: Exchange) -> Answer:
    """Refuse to create a bucket: the engine has the one that it was started with."""
    if service.catalogue.bucket(exchange.bucket) is None:
        text = f"This engine has only the bucket that it was started with, and cannot create {exchange.bucket}."
        raise service_error("MethodNotAllowed", text)
    raise service_error("BucketAlreadyOwnedByYou", f"Bucket {exchange.bucket} exists already, and it is yours.")


def get_bucket_location(service: CallContext, exchange: Exchange) -> Answer:
    """Return the region of a bucket."""
    root = etree.Element("LocationConstraint")
    root.text = bucket_of(service, exchange).region
    return cos_answer(root)


def get_bucket_versioning(service: CallContext, exchange: Exchange) -> Answer:
    """Return that versioning was never switched on."""
    bucket_of(service, exchange)
    return cos_answer(etree.Element("VersioningConfiguration"))


def get_bucket_logging(service: CallContext, exchange: Exchange) -> Answer:
    """Return that logging was never switched on."""
    bucket_of(service, exchange)
    return cos_answer(etree.Element("BucketLoggingStatus"))


HANDLERS: Final[dict[str, Handler]] = {
    "list_all_buckets": list_all_buckets, "put_bucket": put_bucket, "get_bucket_location": get_bucket_location,
    "get_bucket_versioning": get_bucket_versioning, "get_bucket_logging": get_bucket_logging,
}  # fmt: skip
