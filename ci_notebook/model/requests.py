"""From a setting to a whole request: what `submit` and `run` send, as a function of its arguments."""

from __future__ import annotations

import dataclasses
from pathlib import PurePosixPath
from typing import Any

from ci_notebook.model.enhance import VideoEnhance
from ci_notebook.model.jobs import Input, Operation, Output, Request
from ci_notebook.model.node import parts
from ci_notebook.model.watermark import ExtractDigitalWatermark


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
