"""Headers that ask for something are kept and answered or refused by name; those that change a call are signed."""

import hashlib
import http.client
import threading
import time

import pytest
from lxml import etree

from ci_notebook.wire import signing
from tests.engine.test_calls import refused
from tests.engine_fixtures import COS_HOST, SECRET_ID, SECRET_KEY

DATA = b"bytes to keep" * 50


def cos(call, method, path, query=None, body=b"", **headers):
    return call(method, path, query, body, host=COS_HOST, **headers)


def test_what_a_put_asks_for_is_kept_and_answered(call):
    answer = cos(
        call, "PUT", "/k", body=DATA, x_cos_acl="public-read", x_cos_storage_class="STANDARD_IA",
        x_cos_tagging="a=1&b=%E4%B8%80", x_cos_server_side_encryption="AES256",
    )  # fmt: skip
    assert (answer.status_code, answer.headers["x-cos-server-side-encryption"]) == (200, "AES256")
    for method in ("HEAD", "GET"):
        headers = cos(call, method, "/k").headers
        told = {name: value for name, value in headers.items() if name.startswith("x-cos-") and "request" not in name}
        told.pop("x-cos-hash-crc64ecma")
        assert told == {
            "x-cos-storage-class": "STANDARD_IA", "x-cos-server-side-encryption": "AES256", "x-cos-tagging-count": "2",
        }  # fmt: skip
    assert cos(call, "GET", "/k", {"acl": ""}).headers["x-cos-acl"] == "public-read"
    tags = etree.fromstring(cos(call, "GET", "/k", {"tagging": ""}).content)
    assert [one.text for one in tags.iter("Value")] == ["1", "一"]
    listing = etree.fromstring(cos(call, "GET", "/").content)
    assert listing.findtext("Contents/StorageClass") == "STANDARD_IA"
    # The next PUT asks for nothing
    cos(call, "PUT", "/k", body=DATA, x_cos_storage_class="STANDARD", x_cos_acl="default")
    assert "x-cos-storage-class" not in cos(call, "HEAD", "/k").headers
    refused(cos(call, "GET", "/k", {"tagging": ""}), 404, "NoSuchTagSet")
    assert cos(call, "GET", "/k", {"acl": ""}).headers["x-cos-acl"] == "default"


REFUSED = [
    ({"x_cos_storage_class": "ARCHIVE"}, "NotSupportedStorageClass", "ARCHIVE"),
    ({"x_cos_storage_class": "GLACIER"}, "NotSupportedStorageClass", "GLACIER"),
    ({"x_cos_acl": "public-write"}, "InvalidArgument", "public-write"),
    ({"x_cos_grant_read": "all"}, "InvalidArgument", "x-cos-grant-read"),
    ({"x_cos_tagging": "a=1&a=2"}, "InvalidTag", "differ"),
    ({"x_cos_tagging": "&".join(f"k{number}=1" for number in range(11))}, "InvalidTag", "10"),
    ({"x_cos_server_side_encryption": "cos/kms"}, "InvalidArgument", "AES256"),
    ({"x_cos_server_side_encryption_customer_key": "c2VjcmV0"}, "InvalidArgument", "customer-key"),
    ({"x_cos_server_side_encryption_cos_kms_key_id": "1"}, "InvalidArgument", "kms-key-id"),
    ({"pic_operations": "{}"}, "InvalidArgument", "pic-operations"),
    ({"x_cos_callback": "e30="}, "InvalidArgument", "x-cos-callback"),
    ({"x_cos_object_lock_mode": "COMPLIANCE"}, "InvalidArgument", "x-cos-object-lock-mode"),
    ({"x_cos_website_redirect_location": "/a"}, "InvalidArgument", "redirect"),
    ({"x_cos_brand_new": "1"}, "InvalidArgument", "x-cos-brand-new"),
    ({"x_ci_brand_new": "1"}, "InvalidArgument", "x-ci-brand-new"),
    ({"x_cos_traffic_limit": "1"}, "InvalidArgument", "819200"),
    ({"x_cos_copy_source_range": "bytes=0-1"}, "InvalidArgument", "x-cos-copy-source-range"),
]


@pytest.mark.parametrize(("headers", "code", "named"), REFUSED, ids=[str(one[0]) for one in REFUSED])
@pytest.mark.parametrize("query", [None, {"uploads": ""}])
def test_what_the_engine_does_not_do_is_refused_by_name(call_in_process, headers, code, named, query):
    call_in_process.put("k", DATA)
    method = "POST" if query else "PUT"
    message = refused(cos(call_in_process, method, "/k", query, b"" if query else b"junk", **headers), 400, code)
    assert named in message
    assert "c2VjcmV0" not in message
    assert cos(call_in_process, "GET", "/k").content == DATA
    assert b"<Upload>" not in cos(call_in_process, "GET", "/", {"uploads": ""}).content


@pytest.mark.parametrize("method", ["DELETE", "GET", "HEAD"])
def test_a_header_that_another_call_takes_is_refused_where_it_would_change_something(call_in_process, method):
    call_in_process.put("k", DATA)
    answer = cos(call_in_process, method, "/k", x_cos_acl="private", x_cos_meta_note="mine")
    assert answer.status_code == (400 if method == "DELETE" else 200)
    assert cos(call_in_process, "GET", "/k").content == DATA
    answer = cos(call_in_process, method, "/k", x_cos_server_side_encryption_customer_key="a2V5")
    assert answer.status_code == 400


def test_an_object_that_may_not_be_replaced_stays(call):
    assert cos(call, "PUT", "/k", body=DATA, x_cos_forbid_overwrite="true").status_code == 200
    tag = cos(call, "HEAD", "/k").headers["etag"]
    source = f"{COS_HOST}/k"
    call.put("other", b"other")
    for answer, status, code in (
        (cos(call, "PUT", "/k", body=b"new", x_cos_forbid_overwrite="true"), 409, "FileAlreadyExists"),
        (cos(call, "POST", "/k", {"uploads": ""}, x_cos_forbid_overwrite="true"), 409, "FileAlreadyExists"),
        (
            cos(call, "PUT", "/k", x_cos_copy_source=f"{COS_HOST}/other", x_cos_forbid_overwrite="true"),
            409, "FileAlreadyExists",
        ),
        (cos(call, "PUT", "/k", body=b"new", if_none_match="*"), 412, "PreconditionFailed"),
        (cos(call, "PUT", "/k", body=b"new", if_match='"other"'), 412, "PreconditionFailed"),
        (cos(call, "PUT", "/new", body=b"new", if_match=tag), 412, "PreconditionFailed"),
    ):  # fmt: skip
        refused(answer, status, code)
    assert cos(call, "GET", "/k").content == DATA
    assert cos(call, "PUT", "/k", body=b"new", x_cos_forbid_overwrite="false", if_match=tag).status_code == 200
    assert cos(call, "PUT", "/copy", x_cos_copy_source=source, if_none_match="*").status_code == 200


@pytest.mark.slow
def test_of_many_writers_that_may_not_replace_one_wins(call_in_process):
    answers = []

    def write(number):
        body = f"{number}".encode() * 200_000
        answers.append((cos(call_in_process, "PUT", "/k", body=body, x_cos_forbid_overwrite="true").status_code, body))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [body for status, body in answers if status == 200]
    assert sorted(status for status, _ in answers) == [200] + [409] * 7
    assert cos(call_in_process, "GET", "/k").content == won[0]


def test_a_copy_asks_for_its_own_class_and_keeps_the_tags_of_its_source(call):
    cos(
        call, "PUT", "/k", body=DATA, x_cos_acl="public-read", x_cos_storage_class="STANDARD_IA", x_cos_tagging="a=1",
        x_cos_meta_note="mine",
    )  # fmt: skip
    source = {"x_cos_copy_source": f"{COS_HOST}/k"}
    assert cos(call, "PUT", "/one", **source).status_code == 200
    headers = cos(call, "HEAD", "/one").headers
    assert (headers["x-cos-tagging-count"], headers["x-cos-meta-note"]) == ("1", "mine")
    assert "x-cos-storage-class" not in headers
    assert cos(call, "GET", "/one", {"acl": ""}).headers["x-cos-acl"] == "default"
    asked = {"x_cos_tagging_directive": "Replaced", "x_cos_tagging": "b=2", "x_cos_acl": "private"}
    assert cos(call, "PUT", "/two", **source, **asked, x_cos_storage_class="INTELLIGENT_TIERING").status_code == 200
    assert b"<Key>b</Key>" in cos(call, "GET", "/two", {"tagging": ""}).content
    assert cos(call, "HEAD", "/two").headers["x-cos-storage-class"] == "INTELLIGENT_TIERING"
    refused(cos(call, "PUT", "/three", **source, x_cos_tagging_directive="Both"), 400, "InvalidArgument")
    # An object changes its class by a copy onto itself
    asked = {"x_cos_copy_source": f"{COS_HOST}/one", "x_cos_storage_class": "STANDARD_IA"}
    assert cos(call, "PUT", "/one", **asked).status_code == 200
    assert cos(call, "HEAD", "/one").headers["x-cos-storage-class"] == "STANDARD_IA"


@pytest.mark.slow
def test_an_upload_in_parts_keeps_what_it_asked_for(call):
    asked = {"x_cos_storage_class": "STANDARD_IA", "x_cos_tagging": "a=1", "x_cos_acl": "public-read"}
    started = etree.fromstring(cos(call, "POST", "/k", {"uploads": ""}, **asked).content)
    upload = started.findtext("UploadId")
    assert b"<StorageClass>STANDARD_IA" in cos(call, "GET", "/", {"uploads": ""}).content
    tag = cos(call, "PUT", "/k", {"partNumber": "1", "uploadId": upload}, DATA).headers["etag"]
    part = f"<Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part>"
    body = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
    call.put("k", b"old")
    answer = cos(call, "POST", "/k", {"uploadId": upload}, body, x_cos_forbid_overwrite="true")
    refused(answer, 409, "FileAlreadyExists")
    assert cos(call, "GET", "/k").content == b"old"
    assert cos(call, "POST", "/k", {"uploadId": upload}, body).status_code == 200
    headers = cos(call, "HEAD", "/k").headers
    assert (headers["x-cos-storage-class"], headers["x-cos-tagging-count"]) == ("STANDARD_IA", "1")
    assert cos(call, "GET", "/k", {"acl": ""}).headers["x-cos-acl"] == "public-read"


def test_a_body_with_another_sha1_is_not_stored(call):
    call.put("k", DATA)
    refused(cos(call, "PUT", "/k", body=b"new", x_cos_content_sha1="0" * 40), 400, "InvalidSHA1Digest")
    assert cos(call, "GET", "/k").content == DATA
    assert cos(call, "PUT", "/k", body=b"new", x_cos_content_sha1=hashlib.sha1(b"new").hexdigest()).status_code == 200


# Signatures


def sent(served, method, path, headers, body=None, *, chunks=None, host=COS_HOST):
    """One call written by hand; `headers` are sent as they are."""
    connection = http.client.HTTPConnection("127.0.0.1", int(served.rpartition(":")[2]), timeout=10)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in {"Host": host, **headers}.items():
        connection.putheader(name, value)
    if chunks is None:
        connection.putheader("Content-Length", str(len(body or b"")))
    connection.endheaders()
    for one in [body or b""] if chunks is None else [b"%x\r\n%s\r\n" % (len(one), one) for one in (*chunks, b"")]:
        connection.send(one)
    answer = connection.getresponse()
    status, text = answer.status, answer.read()
    connection.close()
    return status, text


def authorization(method, path, headers, query=None, **change):
    options = {"secret_id": SECRET_ID, "secret_key": SECRET_KEY, "key_time": signing.key_time(time.time()), **change}
    return signing.authorization(method, path, query=query or {}, headers=headers, **options)


@pytest.mark.parametrize(
    "header",
    [
        "x-cos-copy-source", "X-Cos-Copy-Source", "x-cos-acl", "x-cos-storage-class", "x-cos-tagging",
        "x-cos-grant-read", "x-cos-server-side-encryption", "x-cos-metadata-directive", "pic-operations", "x-ci-new",
    ],
)  # fmt: skip
def test_an_unsigned_header_that_changes_the_call_is_refused(served, call_in_process, header):
    call_in_process.put("secret", b"secret")
    value = f"{COS_HOST}/secret" if "source" in header.lower() else "private"
    headers = {"Authorization": authorization("PUT", "/k", {"host": COS_HOST}), header: value}
    status, text = sent(served, "PUT", "/k", headers)
    assert (status, b"SignatureDoesNotMatch" in text, header.lower().encode() in text) == (403, True, True)
    query = signing.presigned_query(
        "PUT", "/k", query={}, headers={"host": COS_HOST}, secret_id=SECRET_ID, secret_key=SECRET_KEY,
        key_time=signing.key_time(time.time()),
    )  # fmt: skip
    url = "/k?" + "&".join(f"{name}={signing.url_encode(text)}" for name, text in query.items())
    assert sent(served, "PUT", url, {header: value})[0] == 403
    assert cos(call_in_process, "HEAD", "/k").status_code == 404
    assert sent(served, "PUT", url, {"x-cos-meta-note": "a", "Content-Type": "text/x"}, DATA)[0] == 200


@pytest.mark.parametrize("chunks", [(), (b"abc",), (b"a" * 300_000, b"b", b"c" * 70_000)], ids=["empty", "one", "many"])
def test_a_chunked_body_is_verified_as_it_was_signed(served, call_in_process, chunks):
    headers = {"host": COS_HOST, "transfer-encoding": "chunked", "content-type": "video/mp4"}
    signed = {"Transfer-Encoding": "chunked", "Content-Type": "video/mp4"}
    signed["Authorization"] = authorization("PUT", "/k", headers)
    assert sent(served, "PUT", "/k", signed, chunks=chunks) == (200, b"")
    answer = cos(call_in_process, "GET", "/k")
    assert (answer.content, answer.headers["content-type"]) == (b"".join(chunks), "video/mp4")
    # A body of known length is no chunked one, and the other way round
    without = {name: value for name, value in signed.items() if name != "Transfer-Encoding"}
    assert sent(served, "PUT", "/k", without, b"other")[0] == 403
    length = {"Transfer-Encoding": "chunked"}
    length["Authorization"] = authorization("PUT", "/k", {"host": COS_HOST, "content-length": "1"})
    assert sent(served, "PUT", "/k", length, chunks=(b"x",))[0] == 403
    assert cos(call_in_process, "GET", "/k").content == b"".join(chunks)


def test_a_put_without_a_body_is_no_empty_object(served, call_in_process):
    call_in_process.put("k", DATA)
    connection = http.client.HTTPConnection("127.0.0.1", int(served.rpartition(":")[2]), timeout=10)
    connection.putrequest("PUT", "/k", skip_host=True)
    connection.putheader("Host", COS_HOST)
    connection.putheader("Authorization", authorization("PUT", "/k", {"host": COS_HOST}))
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, b"MissingContentLength" in answer.read()) == (411, True)
    connection.close()
    assert cos(call_in_process, "GET", "/k").content == DATA


def test_a_chunked_part_is_stored(served, call_in_process):
    started = etree.fromstring(cos(call_in_process, "POST", "/k", {"uploads": ""}).content)
    query = {"partNumber": "1", "uploadId": started.findtext("UploadId")}
    headers = {"host": COS_HOST, "transfer-encoding": "chunked"}
    signed = {"Transfer-Encoding": "chunked", "Authorization": authorization("PUT", "/k", headers, query)}
    path = "/k?" + "&".join(f"{name}={value}" for name, value in query.items())
    assert sent(served, "PUT", path, signed, chunks=(b"abc", b"def"))[0] == 200
    listed = cos(call_in_process, "GET", "/k", {"uploadId": query["uploadId"]})
    assert etree.fromstring(listed.content).findtext("Part/Size") == "6"


def test_the_whole_signature_may_be_one_parameter(served, call_in_process):
    call_in_process.put("k", DATA)
    signature = authorization("GET", "/k", {"host": COS_HOST})
    assert sent(served, "GET", f"/k?sign={signing.url_encode(signature)}", {}) == (200, DATA)
    for wrong in (signature[:-1] + ("0" if signature[-1] != "0" else "1"), "x", ""):
        assert sent(served, "GET", f"/k?sign={signing.url_encode(wrong)}", {})[0] == 403


@pytest.mark.parametrize("secret_id", [f"{SECRET_ID} ", f" {SECRET_ID}", f"{SECRET_ID}\t"])
def test_a_secret_id_with_a_blank_is_unknown(served, secret_id):
    headers = {"Authorization": authorization("GET", "/", {"host": COS_HOST}, secret_id=secret_id)}
    status, text = sent(served, "GET", "/", headers)
    assert (status, b"InvalidAccessKeyId" in text) == (403, True)


def test_a_sign_time_that_differs_from_the_key_time_is_refused(served):
    good = authorization("GET", "/", {"host": COS_HOST})
    assert sent(served, "GET", "/", {"Authorization": good})[0] == 200
    other = signing.key_time(time.time() + 7)
    span = dict(pair.split("=") for pair in good.split("&"))["q-sign-time"]
    for name in ("q-sign-time", "q-key-time"):
        status, text = sent(served, "GET", "/", {"Authorization": good.replace(f"{name}={span}", f"{name}={other}")})
        assert (status, b"q-sign-time" in text) == (403, True)
