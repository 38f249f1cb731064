"""Objects made of other objects, without their bytes going over the wire."""

import hashlib

import pytest
from lxml import etree

from tests.engine.test_calls import refused
from tests.engine_fixtures import BUCKET, COS_HOST, REGION

FROM = f"{COS_HOST}/"


def copied(call, source, key, **headers):
    return call("PUT", f"/{key}", host=COS_HOST, x_cos_copy_source=source, **headers)


def test_a_copy_has_the_bytes_and_headers_of_its_source(call):
    headers = {"content_type": "text/x-plain", "x_cos_meta_note": "mine"}
    call("PUT", "/a b/视频.bin", body=b"data", host=COS_HOST, **headers)
    answer = copied(call, FROM + "a%20b/%E8%A7%86%E9%A2%91.bin", "copy.bin")
    root = etree.fromstring(answer.content)
    assert (answer.status_code, root.tag, root.findtext("ETag")) == (
        200, "CopyObjectResult", f'"{hashlib.md5(b"data").hexdigest()}"',
    )  # fmt: skip
    assert root.findtext("LastModified").endswith("Z")
    response = call("GET", "/copy.bin", host=COS_HOST)
    assert (response.content, response.headers["content-type"], response.headers["x-cos-meta-note"]) == (
        b"data", "text/x-plain", "mine",
    )  # fmt: skip


def test_a_copy_stays_when_its_source_is_deleted_or_written_again(call):
    call.put("a", b"old")
    copied(call, FROM + "a", "one")
    copied(call, FROM + "one", "two")
    call.put("a", b"new")
    call("DELETE", "/one", host=COS_HOST)
    assert call("GET", "/two", host=COS_HOST).content == b"old"
    assert call("GET", "/a", host=COS_HOST).content == b"new"


def test_the_headers_of_an_object_may_be_replaced_by_a_copy_onto_itself(call):
    call("PUT", "/a", body=b"data", host=COS_HOST, content_type="text/old", x_cos_meta_note="old")
    refused(copied(call, FROM + "a", "a"), 400, "InvalidRequest")
    headers = {"x_cos_metadata_directive": "Replaced", "content_type": "text/new"}
    assert copied(call, FROM + "a", "a", **headers).status_code == 200
    answer = call("GET", "/a", host=COS_HOST)
    assert (answer.content, answer.headers["content-type"]) == (b"data", "text/new")
    assert "x-cos-meta-note" not in answer.headers
    refused(copied(call, FROM + "a", "b", x_cos_metadata_directive="Both"), 400, "InvalidArgument")


def test_a_source_that_is_not_there_is_named(call):
    refused(copied(call, FROM + "nix", "b"), 404, "NoSuchKey")
    refused(copied(call, f"other-1250000000.cos.{REGION}.myqcloud.com/a", "b"), 404, "NoSuchBucket")
    refused(copied(call, f"{BUCKET}.cos.ap-beijing.myqcloud.com/a", "b"), 404, "NoSuchBucket")
    refused(copied(call, FROM + "a?versionId=7", "b"), 404, "NoSuchVersion")
    refused(copied(call, "file:///etc/passwd", "b"), 400, "InvalidArgument")
    refused(copied(call, FROM + "../../etc/passwd", "b"), 404, "NoSuchKey")
    assert call("HEAD", "/b", host=COS_HOST).status_code == 404


def test_conditions_on_the_source_are_kept(call):
    call.put("a", b"data")
    tag = call("HEAD", "/a", host=COS_HOST).headers["etag"]
    assert copied(call, FROM + "a", "b", x_cos_copy_source_if_match=tag).status_code == 200
    refused(copied(call, FROM + "a", "b", x_cos_copy_source_if_match='"other"'), 412, "PreconditionFailed")
    refused(copied(call, FROM + "a", "b", x_cos_copy_source_if_none_match=tag), 412, "PreconditionFailed")


def test_a_copy_to_a_key_that_no_object_has_is_refused(call):
    call.put("a", b"data")
    assert 400 <= copied(call, FROM + "a", "x" * 851).status_code < 500


@pytest.mark.slow
def test_parts_are_made_of_stretches_of_other_objects(call):
    data = bytes(range(256)) * 8192
    call.put("a", data)
    started = call("POST", "/b", {"uploads": ""}, host=COS_HOST)
    upload_id = etree.fromstring(started.content).findtext("UploadId")
    parts = ""
    for number, span in ((1, "bytes=0-1048575"), (2, "bytes=1048576-2097151"), (3, "")):
        headers = {"x_cos_copy_source": FROM + "a", **({"x_cos_copy_source_range": span} if span else {})}
        answer = call("PUT", "/b", {"partNumber": str(number), "uploadId": upload_id}, host=COS_HOST, **headers)
        root = etree.fromstring(answer.content)
        assert root.tag == "CopyPartResult"
        parts += f"<Part><PartNumber>{number}</PartNumber><ETag>{root.findtext('ETag')}</ETag></Part>"
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    assert call("POST", "/b", {"uploadId": upload_id}, body, host=COS_HOST).status_code == 200
    assert call("GET", "/b", host=COS_HOST).content == data + data


@pytest.mark.parametrize("span", ["bytes=99-", "bytes=4-9"])
def test_a_part_that_begins_behind_the_end_is_refused(call, span):
    call.put("a", b"four")
    started = call("POST", "/b", {"uploads": ""}, host=COS_HOST)
    query = {"partNumber": "1", "uploadId": etree.fromstring(started.content).findtext("UploadId")}
    headers = {"x_cos_copy_source": FROM + "a", "x_cos_copy_source_range": span}
    refused(call("PUT", "/b", query, host=COS_HOST, **headers), 416, "InvalidRange")
