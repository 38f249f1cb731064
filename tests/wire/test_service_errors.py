"""The table of codes, and error bodies both ways."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qcloud_cos.cos_exception import CosServiceError

from ci_notebook.model.errors import (
    AccessDenied,
    BucketNotActivated,
    ClockSkewed,
    NotFound,
    ServiceError,
    ServiceUnavailable,
    SignatureRefused,
    Throttled,
    UnknownKey,
)
from ci_notebook.wire.operations import CALL
from ci_notebook.wire.service_errors import CODES, error_body, error_from, retry_after_s, service_error

BODIES = Path(__file__).parent / "bodies"


@pytest.mark.parametrize("code", CODES)
def test_every_code_comes_back_as_the_class_it_went_as(code):
    sent = service_error(code, "why")
    got = error_from(sent.status, error_body(code, "why", resource="/x", request_id="r1", trace_id="t1"), {})
    assert type(got) is type(sent) is CODES[code].kind
    assert (got.code, got.message, got.status) == (code, "why", CODES[code].status)
    assert (got.resource, got.request_id, got.trace_id) == ("/x", "r1", "t1")


@pytest.mark.parametrize("code", CODES)
def test_the_official_sdk_reads_every_error_body(code):
    error = CosServiceError("GET", error_body(code).decode(), CODES[code].status)
    assert error.get_error_code() == code


def test_a_documented_body_is_read():
    got = error_from(400, (BODIES / "error-ci.xml").read_bytes(), {})
    assert (got.code, got.message) == ("InvalidArgument", "Parameter SharpenLevel is invalid")
    assert str(got) == (
        "InvalidArgument (400): Parameter SharpenLevel is invalid [request NTk0MjdmODlfMjQ4OGY3XzYzYzhfMjc=]"
    )
    assert isinstance(error_from(404, (BODIES / "error-cos.xml").read_bytes(), {}), NotFound)


@pytest.mark.parametrize(
    ("number", "name", "kind"),
    [
        ("1111", "MediaBucketUnBinded", BucketNotActivated),
        ("1107", "TemplateNotFound", NotFound),
        ("1020", "SlowDown", Throttled),
    ],
)
def test_a_numeric_code_is_read_by_its_name(number, name, kind):
    got = error_from(400, error_body(number), {})
    assert (got.code, type(got)) == (name, kind)


@pytest.mark.parametrize(
    ("call", "actions"),
    [
        ("create_job", ["ci:CreateMediaJobs", "cam:passrole"]),
        ("list_jobs", ["ci:DescribeMediaJobs"]),
        ("create_template", ["ci:CreateMediaTemplate"]),
        ("put_object", ["cos:PutObject"]),
        ("list_objects", ["cos:GetBucket"]),
    ],
)
def test_a_refusal_names_the_actions_to_grant(call, actions):
    got = error_from(403, error_body("AccessDenied"), {}, call=CALL[call], bucket="b-1250000000")
    assert isinstance(got, AccessDenied)
    assert " and ".join(actions) in got.hint
    assert "b-1250000000" in got.hint


@pytest.mark.parametrize("name", CALL)
def test_every_call_has_an_action_to_name(name):
    got = service_error("AccessDenied", call=CALL[name])
    assert "the action" not in got.hint


@pytest.mark.parametrize(
    ("now", "says"), [(1700003600, "3600 s ahead of"), (1699996400, "3600 s behind"), (1700000001, "try again.")]
)
def test_a_skewed_clock_is_reported_with_its_offset(now, says):
    headers = {"date": "Tue, 14 Nov 2023 22:13:20 GMT"}  # 1700000000
    got = error_from(403, error_body("RequestTimeTooSkewed"), headers, now=now)
    assert isinstance(got, ClockSkewed)
    assert says in got.hint


def test_a_bucket_that_is_not_active_says_how_to_activate_it():
    got = error_from(400, error_body("MediaBucketUnBinded"), {}, bucket="b-1250000000")
    assert isinstance(got, BucketNotActivated)
    assert "b-1250000000" in got.hint
    assert "activate()" in got.hint


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (404, NotFound, "NoSuchResource"),
        (403, AccessDenied, "AccessDenied"),
        (401, SignatureRefused, "InvalidAuthorization"),
        (429, Throttled, "SlowDown"),
        (502, ServiceUnavailable, "ServiceUnavailable"),
        (418, ServiceError, "418"),
    ],
)
def test_without_a_body_the_status_speaks(status, kind, code):
    got = error_from(status, b"", {"x-cos-request-id": "r9"})
    assert (type(got), got.code, got.status, got.request_id) == (kind, code, status, "r9")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_without_a_body_does_not_claim_to_know_why(status):
    got = error_from(status, b"", {}, call=CALL["head_object"], bucket="b-1250000000")
    assert "has no body" in got.hint
    assert "cos:HeadObject on b-1250000000" in got.hint
    assert "The key is valid" not in got.hint
    assert "has no body" not in error_from(status, error_body("AccessDenied"), {}).hint


@pytest.mark.parametrize(
    "body", [b"<html><body>502</body></html>", b"oops", b"\xff", b"<Error><Code/></Error>", b"<Error/>"]
)
def test_a_body_of_another_kind_is_tolerated(body):
    assert isinstance(error_from(502, body, {}), ServiceUnavailable)


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFound), (503, ServiceUnavailable), (429, Throttled), (400, ServiceError)]
)
def test_an_unknown_code_is_kept_and_classed_by_status(status, kind):
    got = error_from(status, error_body("BrandNew", "m"), {})
    assert (type(got), got.code, got.message) == (kind, "BrandNew", "m")


def test_the_hints_are_sentences_that_end():
    for code, facts in CODES.items():
        text = service_error(code).hint
        assert "{" not in text, code
        assert not facts.hint or text.endswith("."), code


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:30 GMT", "date": "Tue, 14 Nov 2023 22:13:20 GMT"}, 10.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:10 GMT", "date": "Tue, 14 Nov 2023 22:13:20 GMT"}, 0.0),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(headers, seconds):
    assert retry_after_s(headers) == seconds


def test_wrong_keys_are_distinguished():
    assert isinstance(service_error("SecretidNotExist"), UnknownKey)
    assert isinstance(service_error("InvalidAccessKeyId"), SignatureRefused)


@given(st.text(), st.text(), st.text())
def test_any_message_makes_a_body_that_can_be_read(message, resource, request_id):
    got = error_from(400, error_body("InvalidArgument", message, resource=resource, request_id=request_id), {})
    assert got.code == "InvalidArgument"
    assert got.resource
