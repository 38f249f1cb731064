"""From a setting to a whole request: what `submit` and `run` send, as a function of its arguments."""

from __future__ import annotations

import dataclasses
from pathlib import PurePosixPath
from typing import Any

from ci_notebook.model.enhance import VideoEnhance
from ci_notebook.model.jobs import Input, Operation, Output, Request


def enhance_request(
    key: str,
    setting: VideoEnhance | None = None,
    *,
    bucket: str,
    region: str,
    output_key: str = "",
    queue_id: str | None = None,
    call_back: str | None = None,
    **operation: Any,
) -> Request:
    """Return the request that enhances the object `key` of `bucket` with `setting`.

    The result goes to `output_key` of the same bucket, by default `output/<name>-${jobid}.${ext}`,
    so that no two jobs write to one key. `operation` takes the other parts of `Operation` by name:
    `template_id`, `watermark`, `watermark_template_id`, `digital_watermark`, `user_data`, `job_level` …

    >>> request = enhance_request("input/a.mp4", bucket="b-1250000000", region="ap-chongqing", template_id="t1")
    >>> request.operation.output.object
    'output/a-${jobid}.${ext}'

    Raises `ParameterError` for a value that a leaf does not take.
    """
    where = output_key or f"output/{PurePosixPath(key).stem}-${{jobid}}.${{ext}}"
    output = Output(region=region, bucket=bucket, object=where)
    asked = dataclasses.replace(Operation(video_enhance=setting, output=output), **operation)
    return Request(tag="VideoEnhance", input=Input(object=key), operation=asked, queue_id=queue_id, call_back=call_back)
