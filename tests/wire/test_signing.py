"""The signature: the documented vectors, and the official SDK as judge."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from qcloud_cos import CosConfig
from qcloud_cos.cos_auth import CosS3Auth

from ci_notebook.model.errors import AccessDenied, ClockSkewed, SignatureRefused, UnknownKey
from ci_notebook.wire import signing
from ci_notebook.wire.operations import url_path, url_query

ID = "AKIDEXAMPLEEXAMPLEEXAMPLEEXAMPLE0001"
KEY = "ExampleSecretKeyForDocsOnly000001"
SPAN = "1700000000;1700010060"
NOW = 1700000060
CI = "test-1250000000.ci.ap-chongqing.myqcloud.com"
COS = "test-1250000000.cos.ap-chongqing.myqcloud.com"
SPAN_G = "1700000000;1700003660"

LIST = {
    "tag": "VideoEnhance", "orderByTime": "Asc", "states": "Success,Failed", "size": "20", "nextToken": "225508",
    "queueId": "p1", "startCreationTime": "2023-01-01T00:00:00+0800", "endCreationTime": "2023-02-01T00:00:00+0800",
}  # fmt: skip
DEFAULTS = {"tag": "VideoEnhance", "orderByTime": "Desc", "states": "All", "size": "10", "nextToken": ""}

# name: method, path, signed parameters, signed headers, span, signature
VECTORS = {
    "A": ("POST", "/jobs", {}, {"Content-Length": "943", "Host": CI}, SPAN, "c3ab1db601d24094a098ab32be1e221d92361502"),
    "B": ("GET", "/jobs", LIST, {"Host": CI}, SPAN, "591a23bec2fbee4df23c5b6c6c8ccbf2d13f1f50"),
    "B2": ("GET", "/jobs", DEFAULTS, {"Host": CI}, SPAN, "8c993c8df494f00200faabc0b9a23f2ed2df4803"),
    "C": ("PUT", "/视频/a b+(1).mp4", {}, {"Content-Type": "video/mp4", "Content-Length": "5", "Host": COS}, SPAN,
          "095c39a8e64cdac5408b008be270d8d17a60cbe8"),
    "D": ("PUT", "/jobs/j1", {}, {"Content-Length": "0", "Host": CI}, SPAN, "f9e44239bd01a20cf5bcf88bdacb4f22e82d7302"),
    "D2": ("PUT", "/jobs/j1", {"cancel": ""}, {"Content-Length": "0", "Host": CI}, SPAN,
           "01fcea3a786ee1a9dfcde893c8288475cdd4b556"),
    "E": ("GET", "/jobs/j1,j2", {}, {"Host": CI}, SPAN, "2e3a8db275a38e3e8deaa236f1dc9642f05c2f1a"),
    "F": ("GET", "/jobs/j1", {}, {"Host": CI, "x-ci-security-token": "STSTOKEN"}, SPAN,
          "12d39b0829cd79350fbf39999d71b2283bee2fb5"),
    "G": ("GET", "/output/out.mp4", {}, {"Host": COS}, SPAN_G, "23c882730a6b3acd297e042569ab8dcd6ccc7f99"),
    "G2": ("GET", "/output/out.mp4", {}, {}, SPAN_G, "a2949acb145d226900fd25608d87f12eee80741d"),
    "H": ("GET", "/output/out.mp4", {"ci-process": "snapshot", "time": "1"}, {"Host": COS}, SPAN_G,
          "0d0830c9e02ec2ff7da0e03533a2cb9a55d0f9b6"),
    "I": ("GET", "/jobs/j1", {}, {"Host": "127.0.0.1"}, SPAN, "bfbd352a3f667e5b4e5fc82b7a813564b49a60d0"),
    "I2": ("GET", "/jobs/j1", {}, {"Host": "test-1250000000.ci.ap-chongqing.emu.test"}, SPAN,
           "630020c6ef2b069457e87ddd481db88696a4c1f6"),
    "J": ("POST", "/template", {}, {"Content-Type": "application/xml", "Content-Length": "193", "Host": CI}, SPAN,
          "2623e1269e20a1f125528a4dae5d24d626b40fab"),
}  # fmt: skip


def sign(method, path, query, headers, *, span=SPAN, key=KEY):
    return signing.authorization(
        method, path, query=query, headers=headers, secret_id=ID, secret_key=key, key_time=span
    )


def verify(method, path, query, headers, *, now=NOW, host="ci", keys=None, tokens=None):
    keys = {ID: KEY} if keys is None else keys
    return signing.verify(method, path, query=query, headers=headers, keys=keys, now=now, host=host, tokens=tokens)


@pytest.mark.parametrize("name", VECTORS)
def test_every_documented_vector_comes_out(name):
    *request, span, signature = VECTORS[name]
    assert sign(*request, span=span).endswith(f"&q-signature={signature}")


@pytest.mark.parametrize("name", VECTORS)
def test_every_documented_vector_is_accepted(name):
    method, path, query, headers, span, _ = VECTORS[name]
    signed = {**headers, "Authorization": sign(method, path, query, headers, span=span)}
    assert verify(method, path, query, signed) == ID


def test_a_whole_header_is_as_documented():
    assert sign("POST", "/jobs", {}, {"Content-Length": "943", "Host": CI}) == (
        "q-sign-algorithm=sha1&q-ak=AKIDEXAMPLEEXAMPLEEXAMPLEEXAMPLE0001&q-sign-time=1700000000;1700010060"
        "&q-key-time=1700000000;1700010060&q-header-list=content-length;host&q-url-param-list="
        "&q-signature=c3ab1db601d24094a098ab32be1e221d92361502"
    )


def test_the_official_page_s_own_digest_comes_out():
    # Vector K: the page masks the secrets, so only the digest of what is signed can be compared, under keys of ours.
    import hashlib

    headers = {
        "Content-Length": "13", "Content-MD5": "mQ/fVh815F3k6TAUm8m0eg==", "Content-Type": "text/plain",
        "Date": "Thu, 16 May 2019 06:45:51 GMT", "Host": "examplebucket-1250000000.cos.ap-beijing.myqcloud.com",
        "x-cos-acl": "private", "x-cos-grant-read": 'uin="100000000011"',
    }  # fmt: skip
    text = signing.canonical_text("PUT", "/exampleobject(腾讯云)", query={}, headers=headers)
    assert hashlib.sha1(text.encode()).hexdigest() == "8b2751e77f43a0995d6e9eb9477f4b685cca4172"


def test_a_presigned_url_is_as_documented():
    query = signing.presigned_query(
        "GET", "/output/out.mp4", query={"ci-process": "snapshot", "time": "1"}, headers={"Host": COS},
        secret_id=ID, secret_key=KEY, key_time=SPAN_G,
    )  # fmt: skip
    assert url_query(query).endswith(
        "&q-header-list=host&q-url-param-list=ci-process%3Btime"
        "&q-signature=0d0830c9e02ec2ff7da0e03533a2cb9a55d0f9b6&ci-process=snapshot&time=1"
    )
    assert verify("GET", "/output/out.mp4", query, {"host": COS}, host="cos") == ID


def test_a_presigned_url_carries_the_token_of_temporary_keys():
    query = signing.presigned_query(
        "GET", "/a.mp4", query={}, headers={"Host": COS}, secret_id=ID, secret_key=KEY, key_time=SPAN_G, token="T",
    )  # fmt: skip
    assert query["x-cos-security-token"] == "T"
    assert verify("GET", "/a.mp4", query, {"host": COS}, host="cos", tokens={ID: "T"}) == ID


@pytest.mark.parametrize("name", ["127.0.0.1:42575", "test-1250000000.ci.ap-chongqing.emu.test:9000"])
def test_a_host_signed_without_its_port_is_accepted(name):
    authorization = sign("GET", "/jobs/j1", {}, {"host": name.rpartition(":")[0]})
    assert verify("GET", "/jobs/j1", {}, {"Host": name, "Authorization": authorization}) == ID


def test_a_host_signed_with_its_port_is_accepted():
    authorization = sign("GET", "/jobs/j1", {}, {"host": "127.0.0.1:9000"})
    assert verify("GET", "/jobs/j1", {}, {"Host": "127.0.0.1:9000", "Authorization": authorization}) == ID


def test_unsigned_headers_and_parameters_are_allowed():
    authorization = sign("GET", "/jobs", {"tag": "VideoEnhance"}, {"Host": CI})
    headers = {"Host": CI, "User-Agent": "x", "Authorization": authorization}
    assert verify("GET", "/jobs", {"tag": "VideoEnhance", "size": "3"}, headers) == ID


@pytest.mark.parametrize(
    ("method", "path", "query", "host"),
    [
        ("GET", "/jobs/j2", {"a": "1"}, CI),
        ("PUT", "/jobs/j1", {"a": "1"}, CI),
        ("GET", "/jobs/j1", {"a": "2"}, CI),
        ("GET", "/jobs/j1", {}, CI),
        ("GET", "/jobs/j1", {"a": "1"}, "other-1250000000.ci.ap-chongqing.myqcloud.com"),
    ],
)
def test_a_request_changed_after_signing_is_refused(method, path, query, host):
    authorization = sign("GET", "/jobs/j1", {"a": "1"}, {"Host": CI})
    with pytest.raises(SignatureRefused, match="does not match"):
        verify(method, path, query, {"Host": host, "Authorization": authorization})


@pytest.mark.parametrize(
    ("host", "code", "status"), [("ci", "InvalidAuthorization", 401), ("cos", "SignatureDoesNotMatch", 403)]
)
def test_a_wrong_secret_key_gets_the_error_of_each_host(host, code, status):
    headers = {"Host": CI, "Authorization": sign("GET", "/", {}, {"Host": CI}, key="wrong")}
    with pytest.raises(SignatureRefused) as caught:
        verify("GET", "/", {}, headers, host=host)
    assert (caught.value.code, caught.value.status) == (code, status)
    assert "Check the SecretKey" in caught.value.hint
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "code", "status"), [("ci", "SecretidNotExist", 401), ("cos", "InvalidAccessKeyId", 403)]
)
def test_an_unknown_key_gets_the_error_of_each_host(host, code, status):
    headers = {"Host": CI, "Authorization": sign("GET", "/", {}, {"Host": CI})}
    with pytest.raises(UnknownKey) as caught:
        verify("GET", "/", {}, headers, host=host, keys={})
    assert (caught.value.code, caught.value.status) == (code, status)


@pytest.mark.parametrize(
    ("now", "host", "code", "status", "says"),
    [
        (1700010160, "ci", "SignatureExpired", 401, "expired 100 s ago"),
        (1700010160, "cos", "Request has expired", 403, "expired 100 s ago"),
        (1699998000, "ci", "SignatureExpired", 401, "begins in 2000 s"),
        (1699998000, "cos", "RequestTimeTooSkewed", 403, "begins in 2000 s"),
    ],
)
def test_a_wrong_clock_is_reported_in_seconds(now, host, code, status, says):
    headers = {"Host": CI, "Authorization": sign("GET", "/", {}, {"Host": CI})}
    with pytest.raises(ClockSkewed, match=says) as caught:
        verify("GET", "/", {}, headers, host=host, now=now)
    assert (caught.value.code, caught.value.status) == (code, status)


def test_a_clock_a_little_ahead_is_accepted():
    headers = {"Host": CI, "Authorization": sign("GET", "/", {}, {"Host": CI})}
    assert verify("GET", "/", {}, headers, now=1700000000 - 600) == ID


def test_an_unsigned_request_is_refused():
    with pytest.raises(SignatureRefused) as at_ci:
        verify("GET", "/", {}, {"Host": CI})
    with pytest.raises(AccessDenied) as at_cos:
        verify("GET", "/", {}, {"Host": COS}, host="cos")
    assert (at_ci.value.code, at_ci.value.status) == ("MissingAuthorization", 401)
    assert (at_cos.value.code, at_cos.value.status) == ("AccessDenied", 403)


GOOD = sign("GET", "/", {}, {"Host": CI})


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic Zm9v",
        "q-signature=1",
        GOOD.replace("sha1", "md5"),
        GOOD.replace(f"q-key-time={SPAN}", "q-key-time=1"),
        GOOD.replace(f"q-key-time={SPAN}", "q-key-time=a;b"),
        GOOD.replace(f"q-key-time={SPAN}", f"q-key-time={'9' * 400};{'9' * 400}"),
        GOOD.replace(f"q-key-time={SPAN}", "q-key-time=²;³"),
    ],
)
def test_a_signature_that_cannot_be_read_is_refused(authorization):
    with pytest.raises(SignatureRefused) as caught:
        verify("GET", "/", {}, {"Host": CI, "Authorization": authorization})
    assert caught.value.code == "InvalidAuthorization"


@pytest.mark.parametrize("name", ["x-ci-security-token", "x-cos-security-token", "X-Ci-Security-Token"])
def test_a_token_is_taken_under_both_names(name):
    headers = {"Host": CI, name: "T"}
    signed = {**headers, "Authorization": sign("GET", "/jobs/j1", {}, headers)}
    assert verify("GET", "/jobs/j1", {}, signed, tokens={ID: "T"}) == ID


@pytest.mark.parametrize("token", [{}, {"x-ci-security-token": "other"}])
def test_a_missing_or_foreign_token_is_refused(token):
    headers = {"Host": CI, **token}
    signed = {**headers, "Authorization": sign("GET", "/jobs/j1", {}, headers)}
    with pytest.raises(AccessDenied, match="token"):
        verify("GET", "/jobs/j1", {}, signed, tokens={ID: "T"})


def test_only_the_headers_that_the_sdk_signs_are_signed():
    headers = {
        "Host": CI,
        "User-Agent": "x",
        "Accept": "*/*",
        "Content-Length": "3",
        "x-cos-acl": "private",
        "Date": "d",
    }
    assert set(signing.headers_to_sign(headers)) == {"Host", "Content-Length", "x-cos-acl"}


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
header_text = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
header_names = st.sampled_from(
    [
        "Content-Type",
        "Content-MD5",
        "Range",
        "x-cos-acl",
        "X-Cos-Meta-A",
        "x-ci-security-token",
        "If-Match",
        "User-Agent",
    ]
)


@pytest.mark.slow
@given(
    method=st.sampled_from(["GET", "PUT", "POST", "HEAD", "DELETE"]),
    key=text.filter(bool),
    query=st.dictionaries(text.filter(bool), text, max_size=6),
    headers=st.dictionaries(header_names, header_text, max_size=6),
    now=st.integers(1_000_000_000, 2_000_000_000),
    valid_s=st.integers(1, 100_000),
)
def test_the_signature_is_that_of_the_official_sdk_byte_for_byte(*, method, key, query, headers, now, valid_s):
    path = key if key.startswith("/") else "/" + key
    conf = CosConfig(Region="ap-chongqing", SecretId=ID, SecretKey=KEY)
    theirs = SimpleNamespace(method=method, url=f"https://{COS}{url_path(path)}", headers=dict(headers))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: now)
        CosS3Auth(conf, key, dict(query), valid_s)(theirs)

    ours = signing.authorization(
        method, path, query=query, headers={**signing.headers_to_sign(headers), "host": COS},
        secret_id=ID, secret_key=KEY, key_time=signing.key_time(now, valid_s=valid_s),
    )  # fmt: skip

    assert ours == theirs.headers["Authorization"]
    assert verify(method, path, query, {**headers, "host": COS, "authorization": ours}, now=now) == ID


@pytest.mark.slow
@given(text, st.dictionaries(text, text), st.dictionaries(text, text))
def test_no_request_crashes_the_check(path, query, headers):
    with pytest.raises((SignatureRefused, AccessDenied)):
        verify("GET", path, {**query, "q-signature": "1"}, headers)


def test_the_sdk_s_own_prepared_request_is_accepted():
    conf = CosConfig(Region="ap-chongqing", SecretId=ID, SecretKey=KEY, Token="T")
    request = requests.Request("GET", f"https://{CI}/jobs/j1", headers={"x-ci-security-token": "T"})
    prepared = request.prepare()
    CosS3Auth(conf, "/jobs/j1")(prepared)
    headers = {**prepared.headers, "Host": CI}
    assert verify("GET", "/jobs/j1", {}, headers, now=time.time(), tokens={ID: "T"}) == ID
