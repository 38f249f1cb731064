"""Replaces template ids by the templates' nodes when a job is accepted: a template may be deleted before its job runs.

Which of an id and the inline node wins is `model.rules.in_force`. For TranscodeTemplateId together with
an inline Transcode it is not documented; ids win everywhere else, so they win here too.
"""

from __future__ import annotations

import dataclasses

from ci_notebook.engine.calls.context import refuse_problems
from ci_notebook.engine.storage.bucket_settings import Catalogue, TemplateRow, template_not_found
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.api.templates import TemplateRequest
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.rules import in_force, problems
from ci_notebook.model.setting.transcode import Transcode
from ci_notebook.wire.xml import loads


def expand_templates(catalogue: Catalogue, bucket: str, operation: Operation) -> tuple[Operation, str | None]:
    """Return the operation with every template id replaced by the template's nodes, and TemplateId's name.

    Raises `ServiceError`: TemplateNotFound, or InvalidArgument when the combined nodes contradict each other.
    """
    work, name = in_force(operation), None
    if work.template_id:
        row = _template(catalogue, bucket, work.template_id, "VideoEnhance")
        work, name = dataclasses.replace(work, video_enhance=_body(row).video_enhance, template_id=None), row.name
    if work.transcode_template_id:
        row = _template(catalogue, bucket, work.transcode_template_id, "Transcode")
        setting = dataclasses.replace(work.video_enhance or VideoEnhance(), transcode=transcode_of(_body(row)))
        work = dataclasses.replace(work, video_enhance=setting, transcode_template_id=None)
    if work.watermark_template_id:
        rows = [_template(catalogue, bucket, one, "Watermark") for one in work.watermark_template_id]
        watermarks = tuple(watermark for row in rows if (watermark := _body(row).watermark) is not None)
        work = dataclasses.replace(work, watermark=watermarks, watermark_template_id=())
    if work is not operation:
        refuse_problems(problems(work, "Operation"))
    return work, name


def transcode_of(body: TemplateRequest) -> Transcode:
    """Return the encoding of a Transcode template in the form that VideoEnhance contains."""
    return Transcode(
        container=body.container, video=body.video, audio=body.audio, trans_config=body.trans_config,
        time_interval=body.time_interval, audio_mix=body.audio_mix, audio_mix_array=body.audio_mix_array,
    )  # fmt: skip


def _template(catalogue: Catalogue, bucket: str, template_id: str, tag: str) -> TemplateRow:
    rows = catalogue.templates(bucket, ids=(template_id,), tag=tag)
    if not rows:
        raise template_not_found(bucket, template_id, tag)
    return rows[0]


def _body(row: TemplateRow) -> TemplateRequest:
    return loads(TemplateRequest, row.body)
