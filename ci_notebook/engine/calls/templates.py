"""The calls on templates: create, update, list, delete."""

from __future__ import annotations

import datetime as dt
from typing import Final

from ci_notebook.engine.calls.context import (
    CallContext,
    Handler,
    body_of,
    bucket_of,
    ids_in_query,
    number_in_query,
    word_in_query,
    xml_answer,
)
from ci_notebook.engine.calls.exchange import Answer, Exchange
from ci_notebook.engine.storage.bucket_settings import TemplateRow
from ci_notebook.model.api.jobs import time_text
from ci_notebook.model.api.templates import NonExistTID, Template, TemplateRequest, TemplateResponse, TransTpl
from ci_notebook.wire.xml import loads

# The older page's list and the SDKs' additions. Only the kinds that can be created ever match a template.
TAGS: Final = (
    "All", "VideoEnhance", "Watermark", "Transcode", "Animation", "Snapshot", "Concat", "VoiceSeparate", "VideoMontage",
    "VideoProcess", "SuperResolution", "Tts", "TranscodePro", "HighSpeedHd", "PicProcess", "SmartCover",
    "SpeechRecognition", "NoiseReduction", "VideoTargetRec",
)  # fmt: skip


def create_template(service: CallContext, exchange: Exchange) -> Answer:
    """Store a template."""
    bucket = bucket_of(service, exchange, is_activated=True)
    request, body = body_of(TemplateRequest, exchange)
    row = service.catalogue.add_template(bucket.name, str(request.tag), str(request.name), body)
    return _one(service, row)


def update_template(service: CallContext, exchange: Exchange) -> Answer:
    """Replace a template."""
    bucket = bucket_of(service, exchange, is_activated=True)
    request, body = body_of(TemplateRequest, exchange)
    row = service.catalogue.replace_template(
        bucket.name, exchange.names["id"], str(request.tag), str(request.name), body
    )
    return _one(service, row)


def list_templates(service: CallContext, exchange: Exchange) -> Answer:
    """Return a page of templates, or the templates with the given ids and the ids that no template has."""
    bucket = bucket_of(service, exchange, is_activated=True)
    tag = word_in_query(exchange, "tag", "All", TAGS)
    category = word_in_query(exchange, "category", "Custom", ("Custom", "Official"))
    page = number_in_query(exchange, "pageNumber", 1, high=10**6)
    size = number_in_query(exchange, "pageSize", 10, high=100)  # the maximum is not documented
    ids = ids_in_query(exchange, "ids")
    rows = service.catalogue.templates(
        bucket.name, ids=ids, tag="" if tag == "All" else tag, prefix=exchange.query.get("name", "")
    )
    if category == "Official":
        rows = []  # the engine has none of the service's own templates
    if ids:
        known = {row.template_id for row in rows}
        missing = tuple(NonExistTID(template_id=one) for one in dict.fromkeys(ids) if one not in known)
        matches = tuple(map(template_of, rows))
        return xml_answer(TemplateResponse(request_id=service.new_id(), template_list=matches, non_exist_tids=missing))
    page_of_templates = tuple(template_of(row) for row in rows[(page - 1) * size : page * size])
    return xml_answer(
        TemplateResponse(
            request_id=service.new_id(),
            total_count=len(rows),
            page_number=page,
            page_size=size,
            template_list=page_of_templates,
        )
    )


def delete_template(service: CallContext, exchange: Exchange) -> Answer:
    """Delete a template. Jobs that were accepted with it keep its nodes."""
    bucket = bucket_of(service, exchange, is_activated=True)
    service.catalogue.delete_template(bucket.name, exchange.names["id"])
    return xml_answer(TemplateResponse(request_id=service.new_id(), template_id=exchange.names["id"]))


def template_of(row: TemplateRow) -> Template:
    """Return a template as replies show it: as sent, with the encoding wrapped in TransTpl."""
    body = loads(TemplateRequest, row.body)
    encoding = TransTpl(
        container=body.container, video=body.video, audio=body.audio, trans_config=body.trans_config,
        time_interval=body.time_interval, audio_mix=body.audio_mix, audio_mix_array=body.audio_mix_array,
    )  # fmt: skip
    tag = row.tag
    return Template(
        tag=tag,
        template_id=row.template_id,
        name=row.name,
        bucket_id=row.bucket,
        category="Custom",
        video_enhance=body.video_enhance,
        super_resolution=body.super_resolution if tag == "SuperResolution" else None,
        video_process=body.video_process if tag == "VideoProcess" else None,
        watermark=body.watermark,
        trans_tpl=encoding if tag == "Transcode" else None,
        create_time=_time(row.created),
        update_time=_time(row.updated),
    )


def _one(service: CallContext, row: TemplateRow) -> Answer:
    return xml_answer(TemplateResponse(request_id=service.new_id(), template=template_of(row)))


def _time(seconds: float) -> str:
    return time_text(dt.datetime.fromtimestamp(seconds, dt.UTC))


HANDLERS: Final[dict[str, Handler]] = {
    "create_template": create_template, "update_template": update_template, "list_templates": list_templates,
    "delete_template": delete_template,
}  # fmt: skip
