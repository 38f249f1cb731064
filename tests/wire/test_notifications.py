"""Notices of jobs that ended, in every shape they may arrive in."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ci_notebook.model.api.jobs import Input, JobsDetail, Operation
from ci_notebook.wire.notifications import read_notification
from ci_notebook.wire.xml import MalformedXML, loads
from tests import strategies

BODIES = Path(__file__).parent / "bodies"


def as_json(element):
    """Write an element as §10.3 says: text only, empty nodes left out, one repeated node alone is no list."""
    if not len(element):
        return element.text
    told = {}
    for child in element:
        value = as_json(child)
        if value is not None:
            told[child.tag] = [*told[child.tag], value] if child.tag in told else [value]
    return {tag: values if len(values) > 1 else values[0] for tag, values in told.items()}


def test_the_documented_notification_is_read():
    (job,) = read_notification((BODIES / "reply-callback.xml").read_bytes())
    assert (job.state, job.tag) == ("Success", "VideoEnhance")
    assert job.output_keys


def test_a_notification_in_json_equals_the_one_in_xml():
    body = (BODIES / "reply-callback.xml").read_bytes()
    plain = as_json(etree.fromstring(body, etree.XMLParser(remove_blank_text=True)))
    plain["JobsDetail"] = [plain["JobsDetail"]]
    (from_json,), (from_xml,) = read_notification(json.dumps(plain).encode()), read_notification(body)
    assert from_json.job_id == from_xml.job_id
    assert from_json.output_keys == from_xml.output_keys
    assert from_json.operation.media_info == from_xml.operation.media_info
    assert from_json.operation.video_enhance == from_xml.operation.video_enhance


@pytest.mark.parametrize(
    "body",
    [
        b"<Response><JobsDetail><JobId>j1</JobId><State>Failed</State></JobsDetail></Response>",
        b"<Response><EventName>TaskFinish</EventName><JobsDetail><JobId>j1</JobId><State>Failed</State></JobsDetail>"
        b"<NonExistJobIds/></Response>",
        b"<JobsDetail><JobId>j1</JobId><State>Failed</State></JobsDetail>",
        b'{"JobsDetail": [{"JobId": "j1", "State": "Failed"}]}',
        b'\xef\xbb\xbf \n{"EventName": "x", "JobsDetail": {"JobId": "j1", "State": "Failed", "Message": null}}',
    ],
    ids=["no event", "missing ids beside it", "bare", "json", "json without the list"],
)
def test_optional_nodes_of_a_notification_may_be_missing(body):
    assert [(job.job_id, job.state) for job in read_notification(body)] == [("j1", "Failed")]


def test_values_of_json_that_are_no_text_are_read_as_their_text():
    body = b'{"JobsDetail": [{"JobId": "j1", "Progress": 100, "Operation": {"JobLevel": 2, "New": true}}]}'
    (job,) = read_notification(body)
    assert (job.progress, job.operation.job_level) == (100, 2)
    assert [(one.tag, one.text) for one in job.operation.unknown] == [("New", "true")]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"hello", b"{", b"[]", b"{}", b'{"JobsDetail": []}', b'{"JobsDetail": [[1]]}', b'{"a b": "x"}',
        b'{"JobsDetail": [{"JobId": "a\\u0000"}]}', b"<Response/>", b"<Response><RequestId>r</RequestId></Response>",
        b'{"a":' * 60 + b"1" + b"}" * 60, b'{"a":' * 100_000, b'{"JobsDetail": ' + b"9" * 5000 + b"}",
        b"<!DOCTYPE r [<!ENTITY x 'y'>]><Response>&x;</Response>",
    ],
)  # fmt: skip
def test_an_invalid_notification_is_refused(body):
    with pytest.raises(MalformedXML):
        read_notification(body)


@given(strategies.st.data())
def test_any_job_survives_a_notification_in_json(data):
    texts = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF), min_size=1, max_size=20)
    job = JobsDetail(
        job_id=data.draw(texts),
        state="Success",
        input=Input(object=data.draw(texts)),
        operation=Operation(watermark_template_id=data.draw(st.lists(texts, max_size=3).map(tuple))),
    )
    plain = {"JobId": job.job_id, "State": "Success", "Input": {"Object": job.input.object}, "Operation": {}}
    if job.operation.watermark_template_id:
        plain["Operation"]["WatermarkTemplateId"] = list(job.operation.watermark_template_id)
    (read,) = read_notification(json.dumps({"JobsDetail": [plain]}).encode())
    assert read == dataclasses.replace(job)


@given(st.binary(max_size=100))
def test_no_bytes_crash_the_reader(body):
    for start in (b"", b"{", b"<Response>"):
        try:
            read_notification(start + body)
        except MalformedXML:
            continue


def test_a_reply_of_jobs_is_a_notification_too():
    body = (BODIES / "reply-finished.xml").read_bytes()
    from ci_notebook.model.api.jobs import Response

    assert read_notification(body) == loads(Response, body).jobs_detail
