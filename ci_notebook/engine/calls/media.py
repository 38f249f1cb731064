"""The calls that look at a stored video: its facts, and snapshots of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

from ci_notebook.engine.calls.context import (
    CallContext,
    Handler,
    argument_error,
    body_of,
    bucket_of,
    number_in_query,
    word_in_query,
    xml_answer,
)
from ci_notebook.engine.calls.exchange import Answer, Exchange
from ci_notebook.engine.storage.object_keys import check_key
from ci_notebook.media.damage import CODE, explains_damage
from ci_notebook.media.probe import media_info as facts_of
from ci_notebook.media.snapshot import CONTENT_TYPES, encode_picture, picture
from ci_notebook.model.api.jobs import Input, Output
from ci_notebook.model.api.media_info import MediaInfoReply
from ci_notebook.model.api.snapshot_calls import (
    MediaInfoRequest,
    SnapshotFormat,
    SnapshotMode,
    SnapshotRequest,
    SnapshotResponse,
)
from ci_notebook.model.errors import EngineError
from ci_notebook.wire.service_errors import service_error


def video_info(service: CallContext, exchange: Exchange) -> Answer:
    """Return the facts of a stored video."""
    bucket = bucket_of(service, exchange, is_activated=True)
    with _readable(service, bucket.name, exchange.key) as path:
        return xml_answer(MediaInfoReply(media_info=facts_of(path)))


def media_info(service: CallContext, exchange: Exchange) -> Answer:
    """Return the facts of the stored video that the body names."""
    bucket = bucket_of(service, exchange, is_activated=True)
    request, _ = body_of(MediaInfoRequest, exchange)
    with _readable(service, bucket.name, _input_key(service, bucket.name, request.input)) as path:
        return xml_answer(MediaInfoReply(media_info=facts_of(path)))


def snapshot(service: CallContext, exchange: Exchange) -> Answer:
    """Return one frame of a stored video. A time beyond the end gives the last frame (not documented)."""
    bucket = bucket_of(service, exchange, is_activated=True)
    at_s = _seconds(exchange)
    width, height = (number_in_query(exchange, name, 0, low=0, high=4096) for name in ("width", "height"))
    kind = cast(SnapshotFormat, word_in_query(exchange, "format", "jpg", ("jpg", "png")))
    rotate = word_in_query(exchange, "rotate", "auto", ("auto", "off"))
    mode = cast(SnapshotMode, word_in_query(exchange, "mode", "exactframe", ("exactframe", "keyframe")))
    with _readable(service, bucket.name, exchange.key) as path:
        frame = picture(path, at_s, width=width, height=height, mode=mode, rotate="off" if rotate == "off" else "auto")
    return Answer(200, encode_picture(frame, kind), {"Content-Type": CONTENT_TYPES[kind]})


def store_snapshot(service: CallContext, exchange: Exchange) -> Answer:
    """Store one frame of a stored video as an object."""
    bucket = bucket_of(service, exchange, is_activated=True)
    request, _ = body_of(SnapshotRequest, exchange)
    output = request.output or Output()
    if (output.bucket, output.region) != (bucket.name, bucket.region):
        text = f"Output must be {bucket.name} in {bucket.region} (got {output.bucket} in {output.region})."
        raise service_error("WriteTargetBucketDenied", text)
    check_key(output.object or "")
    kind: SnapshotFormat = request.format or "jpg"
    with _readable(service, bucket.name, _input_key(service, bucket.name, request.input)) as path:
        frame = picture(
            path, request.time or 0.0, width=request.width or 0, height=request.height or 0,
            mode=request.mode or "exactframe", rotate=request.rotate or "auto",
        )  # fmt: skip
    headers = {"content-type": CONTENT_TYPES[kind]}
    service.store.put(bucket.name, output.object or "", [encode_picture(frame, kind)], headers=headers)
    return xml_answer(SnapshotResponse(output=output))


def _seconds(exchange: Exchange) -> float:
    text = exchange.query.get("time", "")
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not (math.isfinite(seconds) and 0 <= seconds <= 1e6):
        raise argument_error("time", "seconds from the start, 0 or more", text or None)
    return seconds


def _input_key(service: CallContext, bucket: str, source: Input | None) -> str:
    key = source.object if source and source.object else ""
    if service.store.head(bucket, key) is None:
        raise service_error("ResourceNotFound", f"Bucket {bucket} has no object {key!r}. Upload it first.")
    return key


@contextmanager
def _readable(service: CallContext, bucket: str, key: str) -> Iterator[Path]:
    """Yield the file of a stored video; turn the error of a file that is no video into the service's error."""
    stored, opened = service.store.open(bucket, key)
    opened.close()
    path = service.store.path(stored)
    try:
        with service.read_slots.slot(), explains_damage(path):
            yield path
    except EngineError as error:
        if error.code == "InternalError":
            raise
        name, is_broken = key.rpartition("/")[2], error.code == CODE
        what = f"{key} is not a video that can be read: {error.message}" if is_broken else error.message
        raise service_error(error.code, what.replace(path.name, name)) from error


HANDLERS: Final[dict[str, Handler]] = {
    "video_info": video_info, "media_info": media_info, "snapshot": snapshot, "store_snapshot": store_snapshot,
}  # fmt: skip
