"""The engine's answers, in process and on a port."""

import logging
import time
from urllib.parse import unquote

import pytest
from lxml import etree

from ci_notebook.engine.engine import Engine
from ci_notebook.engine.server.wsgi import HANDLERS
from ci_notebook.model.api.jobs import Response
from ci_notebook.model.errors import ParameterError
from ci_notebook.wire.operations import CALLS
from ci_notebook.wire.xml import loads
from tests.engine_fixtures import BUCKET, CI_HOST, COS_HOST, KEYS, MP4, REGION, SECRET_KEY, job_body

OTHER_CI_HOST = CI_HOST.replace("test-", "nobody-")


def refused(answer, status, code):
    """Check that an answer is an error as every error must be, and return its message."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/xml"
    error = etree.fromstring(answer.content)
    reply = {child.tag: child.text for child in error}
    assert error.tag == "Error"
    assert reply["Code"] == code, reply
    assert all(reply[name] for name in ("Message", "Resource", "RequestId", "TraceId"))
    assert reply["RequestId"] == (answer.headers.get("x-ci-request-id") or answer.headers.get("x-cos-request-id"))
    assert SECRET_KEY not in answer.text
    return reply["Message"]


def jobs_of(call):
    return loads(Response, call("GET", "/jobs", {"tag": "VideoEnhance"}).content).jobs_detail


def test_every_call_of_the_table_has_a_handler():
    assert set(HANDLERS) == {call.name for call in CALLS}


@pytest.mark.slow
def test_a_job_runs_from_its_post_to_its_object(call, clip):
    call.put("in.mp4", clip.read_bytes())
    request = "<MsSharpen><SharpenLevel>5</SharpenLevel></MsSharpen>"
    job = call.submit(MP4 + request, operation="<UserData>run 7</UserData>")
    assert (job.state, job.code, job.message, job.start_time, job.end_time) == ("Submitted", "Success", "", "-", "-")
    assert job.operation.media_info is None
    finished_job = call.ended(job.job_id)
    assert (finished_job.state, finished_job.progress, finished_job.operation.user_data) == ("Success", 100, "run 7")
    assert finished_job.operation.output.object == "out/${jobid}.${ext}"
    assert finished_job.output_keys == (f"out/{job.job_id}.mp4",)
    assert finished_job.operation.media_info.stream.video[0].width == 320
    answer = call("GET", f"/{finished_job.output_keys[0]}", host=COS_HOST)
    assert answer.headers["etag"].strip('"') == finished_job.operation.media_result.output_file.md5_info[0].md5
    assert len(answer.content) == finished_job.operation.media_info.format.size


def test_the_answer_to_a_job_has_the_nodes_of_the_page_in_their_order(call_in_process, clip):
    call_in_process.put("in.mp4", clip.read_bytes())
    answer = call_in_process("POST", "/jobs", body=job_body())
    assert (answer.headers["server"], answer.headers["content-type"]) == ("tencent-ci", "application/xml")
    detail = etree.fromstring(answer.content)[0]
    assert [child.tag for child in detail] == [
        "Code", "Message", "JobId", "State", "Progress", "CreationTime", "StartTime", "EndTime", "QueueId", "Tag",
        "Input", "Operation",
    ]  # fmt: skip
    assert [child.tag for child in detail.find("Input")] == ["BucketId", "Object", "Region"]
    assert [child.tag for child in detail.find("Operation")] == ["VideoEnhance", "Output", "JobLevel"]


NOT_XML = {
    "broken": (b"<Request><Tag>", "InvalidContent"),
    "cut": (job_body()[:-9], "InvalidContent"),
    "document type": (b"<!DOCTYPE Request><Request/>", "InvalidContent"),
    "entity bomb": (
        b'<!DOCTYPE Request [<!ENTITY a "aaaaaaaaaa">'
        + b"".join(b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9))
        + b"]><Request><Tag>&j;</Tag></Request>",
        "InvalidContent",
    ),
    "a file of the machine": (
        b'<!DOCTYPE Request [<!ENTITY a SYSTEM "file:///etc/passwd">]><Request><Tag>&a;</Tag></Request>',
        "InvalidContent",
    ),
    "deep": (b"<Request>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</Request>", "InvalidContent"),
    "deep within bounds of the parser": (
        b"<Request>" + b"<a>" * 200 + b"</a>" * 200 + b"</Request>",
        "InvalidContent",
    ),
    "other root": (b"<Wish/>", "InvalidContent"),
    "Latin-1 that says UTF-8": ("<Request><Tag>é</Tag></Request>".encode("latin-1"), "InvalidContent"),
    "zeros": (bytes(100), "InvalidContent"),
    "JSON": (b'{"Tag": "VideoEnhance"}', "InvalidContent"),
    "nothing": (b"", "MissingContent"),
    "blanks": (b" \n", "MissingContent"),
    "an empty request": (b"<Request/>", "InvalidArgument"),
}


@pytest.mark.parametrize("body", NOT_XML)
def test_a_body_that_is_no_request_is_refused_and_leaves_nothing(call, body):
    data, code = NOT_XML[body]
    message = refused(call("POST", "/jobs", body=data), 400, code)
    assert "root:" not in message
    assert jobs_of(call) == ()


def test_a_body_over_a_mebibyte_is_refused(call):
    padding = b"<!--" + b"x" * (1 << 20) + b"-->"
    assert "1048576" in refused(call("POST", "/jobs", body=padding + job_body()), 413, "InvalidContent")


WRONG = {
    "a level over 10": (
        {"setting": MP4 + "<MsSharpen><SharpenLevel>11</SharpenLevel></MsSharpen>"},
        ["Operation.VideoEnhance.MsSharpen.SharpenLevel", "0 to 10", "11"],
    ),
    "a level that is no number": (
        {"setting": MP4 + "<MsSharpen><SharpenLevel>much</SharpenLevel></MsSharpen>"},
        ["Operation.VideoEnhance.MsSharpen.SharpenLevel", "0 to 10", "much"],
    ),
    "a level twice": (
        {"setting": MP4 + "<MsSharpen><SharpenLevel>1</SharpenLevel><SharpenLevel>2</SharpenLevel></MsSharpen>"},
        ["Operation.VideoEnhance.MsSharpen.SharpenLevel", "single"],
    ),
    "four watermark ids": (
        {"operation": "<WatermarkTemplateId>t1</WatermarkTemplateId>" * 4},
        ["Operation.WatermarkTemplateId", "at most 3"],
    ),
    "a line break in UserData": (
        {"operation": "<UserData>one\ntwo</UserData>"},
        ["Operation.UserData", "one\\ntwo", "printable ASCII", "Line breaks"],
    ),
    "a level of JobLevel": ({"operation": "<JobLevel>3</JobLevel>"}, ["Operation.JobLevel", "0, 1, 2", "3"]),
    "TDMQ without its queue": ({"after": "<CallBackType>TDMQ</CallBackType>"}, ["CallBackMqConfig", "MqName"]),
    "the input as output": ({"output": "in.mp4"}, ["Operation.Output.Object", "in.mp4", "another key"]),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_refusal_names_the_node_the_value_and_the_allowed_values(call_in_process, clip, wrong):
    call_in_process.put("in.mp4", clip.read_bytes())
    nodes, words = WRONG[wrong]
    message = refused(call_in_process("POST", "/jobs", body=job_body(**nodes)), 400, "InvalidArgument")
    assert [word for word in words if word not in message] == [], message
    assert jobs_of(call_in_process) == ()


def test_an_input_that_is_not_there_is_refused_by_its_key(call):
    message = refused(call("POST", "/jobs", body=job_body(key="nix.mp4")), 400, "ResourceNotFound")
    assert "nix.mp4" in message
    assert jobs_of(call) == ()


@pytest.mark.parametrize("key", ["../in.mp4", "/a", "x" * 900], ids=["up", "slash", "long"])
def test_an_output_key_that_no_object_has_is_refused(call_in_process, clip, key):
    call_in_process.put("in.mp4", clip.read_bytes())
    assert call_in_process("POST", "/jobs", body=job_body(output=key)).status_code == 400


def test_an_output_bucket_that_is_not_ours_is_refused(call_in_process, clip):
    call_in_process.put("in.mp4", clip.read_bytes())
    body = job_body().replace(BUCKET.encode(), b"other-1250000000")
    refused(call_in_process("POST", "/jobs", body=body), 403, "WriteTargetBucketDenied")


def test_an_input_that_is_no_video_fails_the_job_and_leaves_no_output(call):
    call.put("in.mp4", b"no video at all")
    job = call.ended(call.submit().job_id)
    assert (job.state, job.code) == ("Failed", "ResourceNotSupported")
    assert "in.mp4" in job.message
    assert job.output_keys == ()
    assert job.operation.media_info is None
    assert call("GET", f"/out/{job.job_id}.mp4", host=COS_HOST).status_code == 404


@pytest.mark.parametrize(
    ("nodes", "name"),
    [
        ({"setting": MP4 + "<MsSharpen><SharpenLevel>1</SharpenLevel><Glow>3</Glow></MsSharpen>"}, "MsSharpen.Glow"),
        ({"operation": "<FreeTranscode>true</FreeTranscode>"}, "Operation.FreeTranscode"),
        ({"after": "<Colour>blue</Colour>"}, "Colour"),
    ],
)
def test_a_node_that_is_not_acted_on_fails_the_job_and_is_named(call_in_process, clip, nodes, name):
    call_in_process.put("in.mp4", clip.read_bytes())
    job = call_in_process.ended(call_in_process.submit(**nodes).job_id)
    assert (job.state, job.code) == ("Failed", "InvalidArgument")
    assert name in job.message


@pytest.mark.slow
def test_unknown_ids_are_listed_next_to_the_known_jobs(call, clip):
    call.put("in.mp4", clip.read_bytes())
    job = call.submit()
    answer = call("GET", f"/jobs/j0,{job.job_id},j1,j0")
    reply = loads(Response, answer.content)
    assert (answer.status_code, reply.non_exist_job_ids) == (200, ("j0", "j1"))
    assert [one.job_id for one in reply.jobs_detail] == [job.job_id]
    call.ended(job.job_id)


@pytest.mark.slow
def test_jobs_are_found_by_state_key_and_time(call_in_process, clip):
    call = call_in_process
    for key in ("in.mp4", "other.mp4"):
        call.put(key, clip.read_bytes())
    one = call.ended(call.submit().job_id)
    other = call.ended(call.submit(key="other.mp4").job_id)

    def ids(**query):
        answer = call("GET", "/jobs", {"tag": "VideoEnhance", **query})
        return [job.job_id for job in loads(Response, answer.content).jobs_detail]

    assert ids() == [other.job_id, one.job_id]
    assert ids(orderByTime="Asc", states="Success,Failed") == [one.job_id, other.job_id]
    assert ids(inputObject="other.mp4") == [other.job_id]
    assert ids(states="Running") == ids(queueId="p0") == ids(workflowId="w0") == ids(tag="Transcode") == []
    assert ids(startCreationTime=one.creation_time) == [other.job_id, one.job_id]
    assert ids(endCreationTime="2001-01-01T00:00:00+0800") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", "101"), ("size", "x"), ("states", "Done"), ("orderByTime", "Up"), ("startCreationTime", "soon"),
        ("nextToken", "-1"), ("tag", ""),
    ],
)  # fmt: skip
def test_a_parameter_that_is_not_admitted_is_named(call_in_process, name, value):
    query = {"tag": "VideoEnhance", name: value}
    assert name in refused(call_in_process("GET", "/jobs", query), 400, "InvalidArgument")


def test_signatures_are_verified(call):
    ask = ("GET", "/jobs/j1")
    assert refused(call(*ask, secret_key="wrong"), 401, "InvalidAuthorization")
    assert refused(call(*ask, secret_id="AKIDnobody"), 401, "SecretidNotExist")
    assert refused(call(*ask, now=time.time() - 1e6), 401, "SignatureExpired")
    assert refused(call("GET", "/a", host=COS_HOST, secret_key="wrong"), 403, "SignatureDoesNotMatch")
    assert refused(call("GET", "/a", host=COS_HOST, secret_id="AKIDnobody"), 403, "InvalidAccessKeyId")
    assert call("HEAD", "/a", host=COS_HOST, secret_key="wrong").status_code == 403


def test_nothing_is_done_for_a_wrong_signature(call, clip):
    call.put("in.mp4", clip.read_bytes())
    assert call("DELETE", "/in.mp4", host=COS_HOST, secret_key="wrong").status_code == 403
    assert call("PUT", "/in.mp4", body=b"other", host=COS_HOST, secret_key="wrong").status_code == 403
    assert call("GET", "/in.mp4", host=COS_HOST).content == clip.read_bytes()


def test_unknown_buckets_hosts_and_calls_are_named(call):
    assert "nobody-1250000000" in refused(call("GET", "/jobs/j1", host=OTHER_CI_HOST), 404, "NoSuchBucket")
    other = COS_HOST.replace(REGION, "ap-beijing")
    assert REGION in refused(call("GET", "/a", host=other), 404, "NoSuchBucket")
    refused(call("GET", "/jobs/j1", host="example.com"), 400, "InvalidHost")
    refused(call("GET", "/nix"), 404, "InvalidUrl")
    refused(call("DELETE", "/jobs/j1"), 405, "MethodNotAllowed")


@pytest.mark.slow
def test_a_bucket_is_switched_on_before_media_calls_work(tmp_path, clip):
    from ci_notebook.client.connection.transport import WSGITransport
    from tests.engine_fixtures import Caller

    with Engine(tmp_path / "engine", bucket=BUCKET, region=REGION, keys=KEYS, is_activated=False) as engine:
        call = Caller(WSGITransport(engine.app))
        call.put("in.mp4", clip.read_bytes())
        refused(call("POST", "/jobs", body=job_body()), 400, "MediaBucketUnBinded")
        refused(call("GET", "/in.mp4", {"ci-process": "videoinfo"}, host=COS_HOST), 400, "MediaBucketUnBinded")
        assert call("POST", "/mediabucket").status_code == 200
        refused(call("POST", "/mediabucket"), 403, "MediaBucketAlreadyBinded")
        call.ended(call.submit().job_id)
        assert call("DELETE", "/mediabucket").status_code == 200
        refused(call("GET", "/queue"), 400, "MediaBucketUnBinded")
        call.close()


KEYS_THAT_SURVIVE = [
    "a", "视频/a b+(1).mp4", "a%2Fb", "a//b", "a?b#c", "é", "e\u0301", "a;b&c=d", "'\"<>|*:\\", "x" * 850, "😀", "+",
    " a ", "a\tb", "a\nb",
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS_THAT_SURVIVE, ids=ascii)
def test_awkward_keys_survive_both_faces(call, key):
    call.put(key, key.encode())
    assert call("GET", f"/{key}", host=COS_HOST).content == key.encode()
    listed = call("GET", "/", {"prefix": key[:3]}, host=COS_HOST)
    assert [one.text for one in etree.fromstring(listed.content).iterfind("Contents/Key")] == [key]


@pytest.mark.parametrize("key", ["a\x02b", "\x01/a", "a\r\nb", "\x7f", "\x1f"], ids=ascii)
def test_keys_that_xml_cannot_carry_survive_too_and_are_listed_encoded(call, key):
    call.put(key, key.encode())
    assert call("GET", f"/{key}", host=COS_HOST).content == key.encode()
    for query in ({}, {"encoding-type": "url"}, {"versions": ""}, {"delimiter": "/"}):
        root = etree.fromstring(call("GET", "/", query, host=COS_HOST).content)
        listed = [one.text for one in root.iter("Key")] or [root.findtext("CommonPrefixes/Prefix")]
        expected = [key, key.partition("/")[0] + "/"]
        assert (unquote(listed[0]) if root.findtext("EncodingType") == "url" else listed[0]) in expected
    assert call("DELETE", f"/{key}", host=COS_HOST).status_code == 204
    assert call("GET", f"/{key}", host=COS_HOST).status_code == 404


@pytest.mark.parametrize("path", ["//a", "/a\x18b", "/a\x1bb", "/" + "x" * 851], ids=["slash", "can", "esc", "long"])
def test_keys_that_no_object_has_are_refused_on_both_faces(call, path):
    assert 400 <= call("PUT", path, body=b"data", host=COS_HOST).status_code < 500
    assert etree.fromstring(call("GET", "/", host=COS_HOST).content).find("Contents") is None


def test_ranges_and_conditions(call):
    call.put("a", b"0123456789")
    get = lambda **headers: call("GET", "/a", host=COS_HOST, **headers)  # noqa: E731
    assert (get(range="bytes=2-4").content, get(range="bytes=2-4").headers["content-range"]) == (b"234", "bytes 2-4/10")
    assert [get(range=f"bytes={span}").content for span in ("7-", "-3", "8-99")] == [b"789", b"789", b"89"]
    assert get(range="bytes=4-2").content == get(range="lines=1-2").content == b"0123456789"
    refused(get(range="bytes=10-"), 416, "InvalidRange")
    head = call("HEAD", "/a", host=COS_HOST)
    assert (head.headers["content-length"], head.content) == ("10", b"")
    tag, modified = head.headers["etag"], head.headers["last-modified"]
    assert get(if_none_match=tag).status_code == get(if_modified_since=modified).status_code == 304
    assert get(if_match=tag).status_code == 200
    refused(get(if_match='"other"'), 412, "PreconditionFailed")


def test_get_repeats_the_headers_of_put(call):
    headers = {"content_type": "text/x-plain", "cache_control": "no-store", "x_cos_meta_note": "mine"}
    assert call("PUT", "/a", body=b"data", host=COS_HOST, **headers).status_code == 200
    answer = call("GET", "/a", {"response-content-type": "text/other"}, host=COS_HOST)
    assert answer.headers["content-type"] == "text/other"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-cos-meta-note"] == "mine"
    refused(call("GET", "/a", {"response-expires": "a\r\nx-evil: b"}, host=COS_HOST), 400, "InvalidArgument")


def test_a_missing_object_is_missing_in_every_way(call):
    refused(call("GET", "/nix", host=COS_HOST), 404, "NoSuchKey")
    assert (call("HEAD", "/nix", host=COS_HOST).status_code, call("HEAD", "/nix", host=COS_HOST).content) == (404, b"")
    assert call("DELETE", "/nix", host=COS_HOST).status_code == 204
    refused(call("GET", "/nix", {"ci-process": "videoinfo"}, host=COS_HOST), 404, "NoSuchKey")


def test_pictures_are_sent_and_stored(call, clip):
    call.put("in.mp4", clip.read_bytes())
    answer = call("GET", "/in.mp4", {"ci-process": "snapshot", "time": "0.5", "height": "90"}, host=COS_HOST)
    assert (answer.headers["content-type"], answer.content[:2]) == ("image/jpeg", b"\xff\xd8")
    refused(call("GET", "/in.mp4", {"ci-process": "snapshot"}, host=COS_HOST), 400, "InvalidArgument")
    body = (
        f"<Request><Input><Object>in.mp4</Object></Input><Time>0</Time><Format>png</Format><Output><Region>{REGION}</Region>"
        f"<Bucket>{BUCKET}</Bucket><Object>p/1.png</Object></Output></Request>"
    )
    assert call("POST", "/snapshot", body=body.encode()).status_code == 200
    assert call("GET", "/p/1.png", host=COS_HOST).headers["content-type"] == "image/png"


def test_an_error_of_ours_is_a_500_with_an_id_and_the_log_has_it_without_keys(call, monkeypatch, caplog):
    def broken(service, exchange):
        raise KeyError("broken")

    monkeypatch.setitem(HANDLERS, "get_jobs", broken)
    with caplog.at_level(logging.DEBUG, logger="ci_notebook"):
        answer = call("GET", "/jobs/j1")
    refused(answer, 500, "InternalError")
    assert answer.headers["x-ci-request-id"] in caplog.text
    assert "q-signature" not in caplog.text
    assert SECRET_KEY not in caplog.text


def test_a_closed_engine_says_so(tmp_path):
    engine = Engine(tmp_path, bucket=BUCKET, region=REGION, keys=KEYS)
    engine.start()
    engine.close()
    engine.close()
    with pytest.raises(ParameterError, match="closed"):
        engine.start()


@pytest.mark.parametrize(("bucket", "region"), [("nobody", REGION), ("../up-1", REGION), (BUCKET, "../up")])
def test_a_bucket_or_region_that_cannot_be_is_refused(tmp_path, bucket, region):
    with pytest.raises(ParameterError):
        Engine(tmp_path, bucket=bucket, region=region, keys=KEYS)


def test_the_engine_shows_no_key(engine):
    assert SECRET_KEY not in repr(engine) + repr(engine.start())
