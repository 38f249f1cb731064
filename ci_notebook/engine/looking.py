"""The calls that look at a stored video (§11): its facts, and single pictures of it."""

from __future__ import annotations

from typing import Final

from ci_notebook.engine.exchange import Answer, Exchange
from ci_notebook.engine.service import Handler, Service, body_of, bucket_of, xml_answer
from ci_notebook.media.probe import media_info as facts_of
from ci_notebook.model.errors import EngineError
from ci_notebook.model.media_info import MediaInfo, MediaInfoReply
from ci_notebook.model.snapshots import MediaInfoRequest
from ci_notebook.wire.errors import service_error


def video_info(service: Service, exchange: Exchange) -> Answer:
    """Tell the facts of a stored video."""
    bucket = bucket_of(service, exchange, is_activated=True)
    return xml_answer(MediaInfoReply(media_info=_facts(service, bucket.name, exchange.key)))


def media_info(service: Service, exchange: Exchange) -> Answer:
    """Tell the facts of a stored video that the body names."""
    bucket = bucket_of(service, exchange, is_activated=True)
    request, _ = body_of(MediaInfoRequest, exchange)
    key = request.input.object if request.input and request.input.object else ""
    if service.store.head(bucket.name, key) is None:
        raise service_error("ResourceNotFound", f"Bucket {bucket.name} has no object {key!r}.")
    return xml_answer(MediaInfoReply(media_info=_facts(service, bucket.name, key)))


def _facts(service: Service, bucket: str, key: str) -> MediaInfo:
    stored, opened = service.store.open(bucket, key)
    with opened:
        try:
            return facts_of(service.store.path(stored))
        except EngineError as error:
            if error.code != "ResourceNotSupported":
                raise
            raise service_error(error.code, f"{key} is no video or sound that can be read.") from error


HANDLERS: Final[dict[str, Handler]] = {"video_info": video_info, "media_info": media_info}
