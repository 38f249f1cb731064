"""Replaces template ids by the templates' nodes when a job is accepted: a template may be deleted before its job runs.

Which of an id and the inline node wins is `model.rules.in_force`. For TranscodeTemplateId together with
an inline Transcode it is not documented; ids win everywhere else, so they win here too.
"""

from __future__ import annotations

import dataclasses

from ci_notebook.engine.calls.templates import template_of
from ci_notebook.engine.render.supported import unknown_content
from ci_notebook.engine.storage.bucket_settings import Catalogue, TemplateRow, template_not_found
from ci_notebook.model.api.jobs import STAGE_TAGS, Operation, named_as_sent
from ci_notebook.model.api.templates import TemplateRequest
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.rules import in_force, problems
from ci_notebook.wire.service_errors import service_error
from ci_notebook.wire.xml import loads


def expand_templates(
    catalogue: Catalogue, bucket: str, operation: Operation, tag: str = "VideoEnhance"
) -> tuple[Operation, str | None]:
    """Return the operation that the renderer does, and TemplateId's name.

    Every template id is replaced by the template's nodes, and the stages of the older kinds of jobs (`STAGE_TAGS`)
    are moved into VideoEnhance. Raises `ServiceError`: TemplateNotFound, or InvalidArgument when the combined nodes
    contradict each other.
    """
    if operation.template_id is operation.transcode_template_id is None and not operation.watermark_template_id:
        inline = (operation.super_resolution, operation.sdr_to_hdr, operation.video_process, operation.transcode)
        if not any(part is not None for part in inline):
            return operation, None  # as it was sent: the usual case
    work, name = in_force(operation), None
    setting = work.setting
    if work.template_id:
        row = _template(catalogue, bucket, work.template_id, tag if tag in STAGE_TAGS else "VideoEnhance")
        stored, name = template_of(row).setting, row.name
        stored = stored if isinstance(stored, VideoEnhance) else VideoEnhance()
        setting = dataclasses.replace(stored, transcode=work.transcode) if tag in STAGE_TAGS else stored
    if work.transcode_template_id:
        row = _template(catalogue, bucket, work.transcode_template_id, "Transcode")
        encoding = loads(TemplateRequest, row.body).encoding
        setting = dataclasses.replace(setting or VideoEnhance(), transcode=encoding)
    marks = work.watermark
    if work.watermark_template_id:
        rows = [_template(catalogue, bucket, one, "Watermark") for one in work.watermark_template_id]
        stored_marks = (loads(TemplateRequest, row.body).watermark for row in rows)
        marks = tuple(mark for mark in stored_marks if mark is not None)
    work = dataclasses.replace(
        work, template_id=None, transcode_template_id=None, watermark_template_id=(), watermark=marks,
        video_enhance=setting, super_resolution=None, sdr_to_hdr=None, video_process=None, transcode=None,
    )  # fmt: skip
    if work != operation:
        errors = problems(work, "Operation")
        if errors:
            raise service_error("InvalidArgument", named_as_sent(tag, str(errors[0]))) from errors[0]
    return work, name


def _template(catalogue: Catalogue, bucket: str, template_id: str, tag: str) -> TemplateRow:
    rows = catalogue.templates(bucket, ids=(template_id,), tag=tag)
    if not rows:
        raise template_not_found(bucket, template_id, tag)
    for unknown in unknown_content(loads(TemplateRequest, rows[0].body)):
        text = f"{unknown.tag} of the template {template_id} is not supported by the embedded engine. Leave it out."
        raise service_error("InvalidArgument", text)
    return rows[0]
