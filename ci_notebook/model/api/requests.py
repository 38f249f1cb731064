"""From a setting to a whole request: what `submit` and `run` send, as a function of its arguments."""

from __future__ import annotations

import dataclasses
from pathlib import PurePosixPath
from typing import Any, TypeVar, cast

from ci_notebook.model.api.jobs import Input, JobsDetail, Operation, Output, Request
from ci_notebook.model.declaration.node import Node, parts
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.watermark import ExtractDigitalWatermark

N = TypeVar("N", bound=Node)


def enhance_request(
    key: str,
    setting: VideoEnhance | None = None,
    *,
    bucket: str,
    region: str,
    output_key: str = "",
    **more: Any,
) -> Request:
    """Return the request that enhances the object `key` of `bucket` with `setting`.

    The result goes to `output_key` of the same bucket, by default `output/<name>-${jobid}.${ext}`,
    so that no two jobs write to one key. `more` are the other parts of `Operation` and of `Request` by
    name: `template_id`, `watermark`, `digital_watermark`, `user_data`, `job_level`, `queue_id`, `call_back` …

    >>> request = enhance_request("input/a.mp4", bucket="b-1250000000", region="ap-chongqing", template_id="t1")
    >>> request.operation.output.object
    'output/a-${jobid}.${ext}'

    Raises `ParameterError` for a value that a leaf does not take.
    """
    where = output_key or f"output/{PurePosixPath(key).stem}-${{jobid}}.${{ext}}"
    output = Output(region=region, bucket=bucket, object=where)
    around = {part.name for part in parts(Request)} & more.keys()
    inside = {name: value for name, value in more.items() if name not in around}
    operation = dataclasses.replace(Operation(video_enhance=setting, output=output), **inside)
    request = Request(tag="VideoEnhance", input=Input(object=key), operation=operation)
    return dataclasses.replace(request, **{name: more[name] for name in around})


def repeat_request(job: JobsDetail, *, user_data: str) -> Request:
    """Return the request that asks once more for what a job was asked for, marked with a `user_data` of its own.

    What only replies hold is left out, and where a job's id stands in its result's key, the new job's will.
    A callback of its own is not known from a reply, so the queue's is taken.
    """
    asked = _as_asked(job.operation or Operation())
    output = asked.output
    if output is not None and output.object and job.job_id:
        output = dataclasses.replace(output, object=output.object.replace(job.job_id, "${jobid}"))
    # A template beats a setting beside it, which a reply may show all the same.
    setting = None if asked.template_id else asked.video_enhance
    changes: dict[str, Any] = {"output": output, "video_enhance": setting, "user_data": user_data, "unknown": ()}
    operation = dataclasses.replace(asked, **changes)
    source = Input(object=job.input.object if job.input else None)
    return Request(tag=cast(Any, job.tag), input=source, operation=operation, queue_id=job.queue_id)


def _as_asked(node: N) -> N:
    """Return a node without the parts that only the service sends."""
    changes: dict[str, Any] = {}
    for part in parts(type(node)):
        value = getattr(node, part.name)
        if part.param.reply:
            changes[part.name] = () if part.many else None
        elif part.node is not None and value:
            changes[part.name] = tuple(map(_as_asked, value)) if part.many else _as_asked(value)
    return dataclasses.replace(node, **changes) if changes else node  # type: ignore[type-var]


def extract_request(key: str) -> Request:
    """Return the request that reads a hidden text back from the object `key` (§5.6); it makes no object.

    >>> extract_request("output/a.mp4").tag
    'ExtractDigitalWatermark'
    """
    wanted = ExtractDigitalWatermark(type="Text", version="V1")
    return Request(
        tag="ExtractDigitalWatermark",
        input=Input(object=key),
        operation=Operation(extract_digital_watermark=wanted),
    )
