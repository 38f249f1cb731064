"""Builds complete requests from a setting: the bodies that `submit` and `run` send."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, Literal, TypeVar, cast

from ci_notebook.model.api.jobs import (
    CallBackKafkaConfig,
    CallBackMqConfig,
    Input,
    JobsDetail,
    Operation,
    Output,
    Request,
)
from ci_notebook.model.declaration.node import Node, parts
from ci_notebook.model.keywords import checks_keywords
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.watermark import DigitalWatermark, ExtractDigitalWatermark, Watermark

N = TypeVar("N", bound=Node)


@checks_keywords
def enhance_request(
    key: str,
    setting: VideoEnhance | None = None,
    *,
    bucket: str,
    region: str,
    output_key: str = "",
    template_id: str | None = None,
    transcode_template_id: str | None = None,
    watermark_template_id: Sequence[str] = (),
    watermark: Sequence[Watermark] = (),
    digital_watermark: DigitalWatermark | None = None,
    extract_digital_watermark: ExtractDigitalWatermark | None = None,
    user_data: str | None = None,
    job_level: Literal[0, 1, 2] | None = None,
    queue_id: str | None = None,
    queue_type: str | None = None,
    call_back: str | None = None,
    call_back_format: Literal["JSON", "XML"] | None = None,
    call_back_type: Literal["Url", "TDMQ", "Kafka"] | None = None,
    call_back_mq_config: CallBackMqConfig | None = None,
    call_back_kafka_config: CallBackKafkaConfig | None = None,
) -> Request:
    """Return the request that enhances the object `key` of `bucket` with `setting`.

    The result is stored at `output_key` of the same bucket, by default `output/<name>-${jobid}.${ext}`,
    so that two jobs never write to the same key. The other keywords are the parts of `Operation` and of
    `Request` of the same name; None and an empty sequence leave a part out.

    >>> request = enhance_request("input/a.mp4", bucket="b-1250000000", region="ap-chongqing", template_id="t1")
    >>> request.operation.output.object
    'output/a-${jobid}.${ext}'

    Raises `ParameterError` for a value that a leaf does not allow, and for an unknown keyword.
    """
    result_key = output_key or f"output/{PurePosixPath(key).stem}-${{jobid}}.${{ext}}"
    operation = Operation(
        template_id=template_id,
        video_enhance=setting,
        transcode_template_id=transcode_template_id,
        watermark_template_id=_tuple(watermark_template_id),
        watermark=_tuple(watermark),
        digital_watermark=digital_watermark,
        extract_digital_watermark=extract_digital_watermark,
        output=Output(region=region, bucket=bucket, object=result_key),
        user_data=user_data,
        job_level=job_level,
    )
    return Request(
        tag="VideoEnhance",
        input=Input(object=key),
        operation=operation,
        queue_id=queue_id,
        queue_type=queue_type,
        call_back=call_back,
        call_back_format=call_back_format,
        call_back_type=call_back_type,
        call_back_mq_config=call_back_mq_config,
        call_back_kafka_config=call_back_kafka_config,
    )


def repeat_request(job: JobsDetail, *, user_data: str) -> Request:
    """Return a request that repeats the request of a job, with a new `user_data`.

    Parts that only replies contain are left out. If the job's id is part of its output key, the new job's
    id takes its place. A reply does not contain the callback of a job, so the queue's callback is used.
    """
    original = _without_reply_parts(job.operation or Operation())
    output = original.output
    if output is not None and output.object and job.job_id:
        output = dataclasses.replace(output, object=output.object.replace(job.job_id, "${jobid}"))
    # A template overrides the setting, but a reply may contain both.
    setting = None if original.template_id else original.video_enhance
    changes: dict[str, Any] = {"output": output, "video_enhance": setting, "user_data": user_data, "unknown": ()}
    operation = dataclasses.replace(original, **changes)
    source = Input(object=job.input.object if job.input else None)
    return Request(tag=cast(Any, job.tag), input=source, operation=operation, queue_id=job.queue_id)


def _without_reply_parts(node: N) -> N:
    """Return a node without the parts that only the service sends."""
    changes: dict[str, Any] = {}
    for part in parts(type(node)):
        value = getattr(node, part.name)
        if part.param.reply:
            changes[part.name] = () if part.many else None
        elif part.node is not None and value:
            changes[part.name] = tuple(map(_without_reply_parts, value)) if part.many else _without_reply_parts(value)
    return dataclasses.replace(node, **changes) if changes else node  # type: ignore[type-var]


def extract_request(key: str) -> Request:
    """Return the request that extracts a digital watermark from the object `key`; it stores no output.

    >>> extract_request("output/a.mp4").tag
    'ExtractDigitalWatermark'
    """
    extraction = ExtractDigitalWatermark(type="Text", version="V1")
    return Request(
        tag="ExtractDigitalWatermark",
        input=Input(object=key),
        operation=Operation(extract_digital_watermark=extraction),
    )


def _tuple(values: object) -> Any:
    # Anything else is passed on, so that the leaf refuses it with its own error.
    return tuple(values) if isinstance(values, Sequence) and not isinstance(values, str) else values
