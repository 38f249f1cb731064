"""The calls that switch media processing on and off for a bucket."""

from __future__ import annotations

import datetime as dt
from typing import Final

from ci_notebook.engine.calls.context import CallContext, Handler, bucket_of, ids_in_query, number_in_query, xml_answer
from ci_notebook.engine.calls.exchange import Answer, Exchange
from ci_notebook.engine.storage.bucket_settings import Bucket
from ci_notebook.model.api.jobs import time_text
from ci_notebook.model.api.queues import MediaBucket, MediaBucketResponse


def activate_bucket(service: CallContext, exchange: Exchange) -> Answer:
    """Switch media processing on."""
    bucket = service.catalogue.activate(bucket_of(service, exchange).name)
    return xml_answer(MediaBucketResponse(request_id=service.new_id(), media_bucket=_media_bucket(bucket)))


def deactivate_bucket(service: CallContext, exchange: Exchange) -> Answer:
    """Switch media processing off."""
    service.catalogue.deactivate(bucket_of(service, exchange, is_activated=True).name)
    return xml_answer(MediaBucketResponse(request_id=service.new_id()))


def list_buckets(service: CallContext, exchange: Exchange) -> Answer:
    """List the activated buckets of a region, or of the regions in `regions`."""
    regions = ids_in_query(exchange, "regions") or (exchange.region,)
    names, prefix = ids_in_query(exchange, "bucketNames"), exchange.query.get("bucketName", "")
    page = number_in_query(exchange, "pageNumber", 1, high=10**6)
    size = number_in_query(exchange, "pageSize", 10, high=100)  # the maximum is not documented
    matches = [bucket for region in dict.fromkeys(regions) for bucket in service.catalogue.activated_buckets(region)]
    matches = [bucket for bucket in matches if bucket.name.startswith(prefix) and (not names or bucket.name in names)]
    page_of_buckets = tuple(_media_bucket(bucket) for bucket in matches[(page - 1) * size : page * size])
    return xml_answer(
        MediaBucketResponse(
            request_id=service.new_id(),
            total_count=len(matches),
            page_number=page,
            page_size=size,
            media_bucket_list=page_of_buckets,
        )
    )


def _media_bucket(bucket: Bucket) -> MediaBucket:
    moment = dt.datetime.fromtimestamp(bucket.activated or bucket.created, dt.UTC)
    return MediaBucket(bucket_id=bucket.name, name=bucket.name, region=bucket.region, create_time=time_text(moment))


HANDLERS: Final[dict[str, Handler]] = {
    "activate_bucket": activate_bucket, "deactivate_bucket": deactivate_bucket, "list_buckets": list_buckets,
}  # fmt: skip
