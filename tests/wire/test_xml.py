"""XML in and out: every documented body unchanged, every node that can be built survives."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from lxml import etree

from ci_notebook.model.api.jobs import JobsDetail, Operation, Request, Response
from ci_notebook.model.api.media_info import MediaInfo, MediaInfoReply
from ci_notebook.model.api.queues import MediaBucketResponse, QueueRequest, QueueResponse
from ci_notebook.model.api.snapshot_calls import SnapshotRequest
from ci_notebook.model.api.templates import TemplateRequest, TemplateResponse
from ci_notebook.model.declaration.node import AUTO, tag_of
from ci_notebook.model.declaration.paths import leaves
from ci_notebook.model.setting.enhance import ColorEnhance, MsSharpen, VideoEnhance
from ci_notebook.model.setting.rules import check, problems
from ci_notebook.model.setting.transcode import Video
from ci_notebook.wire.xml import MalformedXML, dumps, loads
from tests import strategies

BODIES = Path(__file__).parent / "bodies"
# The first word of a file's name says what it holds.
CLASSES = {
    "request": Request, "reply": Response, "mediainfo": MediaInfoReply, "templaterequest": TemplateRequest,
    "templateresponse": TemplateResponse, "queuerequest": QueueRequest, "queueresponse": QueueResponse,
    "mediabucketresponse": MediaBucketResponse, "snapshotrequest": SnapshotRequest,
}  # fmt: skip
FILES = sorted(path.stem for path in BODIES.glob("*.xml") if path.stem.split("-")[0] in CLASSES)


def body(name):
    return (BODIES / f"{name}.xml").read_bytes()


def node(name):
    return loads(CLASSES[name.split("-")[0]], body(name))


def canonical(data):
    """Return the XML without what means nothing: indentation, and how an empty node is written."""
    root = etree.fromstring(data)
    for one in root.iter():
        one.tail = None
        if len(one):
            one.text = None
    return etree.tostring(root, method="c14n").decode()


@pytest.mark.parametrize("name", FILES)
def test_every_documented_body_goes_through_unchanged(name):
    assert canonical(dumps(node(name), etree.fromstring(body(name)).tag)) == canonical(body(name))


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("request")])
def test_every_documented_request_may_be_sent(name):
    request = node(name)
    assert check(request) == request


def test_the_template_example_has_the_documented_values():
    operation = node("request-template").operation
    assert operation.template_id == "t1460606b9752148c4ab182f55163ba7cd"
    assert len(operation.watermark_template_id) == 3
    assert operation.digital_watermark.message == "123456789ab"
    assert operation.output.object == "output/out.${ext}"
    assert operation.job_level == 0


def test_the_inline_example_has_the_documented_values():
    operation = node("request-inline-text-watermark").operation
    setting = operation.video_enhance
    assert (setting.transcode.video.width, setting.transcode.video.height, setting.transcode.video.fps) == (
        1280,
        None,
        30,
    )
    assert setting.color_enhance == ColorEnhance(contrast=50, correction=AUTO, saturation=100)
    assert setting.super_resolution.enable_scale_up is True
    assert operation.watermark[0].text.text == "水印 demo_1"
    assert operation.watermark[0].end_time == 1000.5


def test_the_finished_reply_has_the_documented_values():
    job = node("reply-finished").jobs_detail[0]
    assert job.is_over
    assert job.output_keys == ("output/a-j9c0a4726f6ac11ec96aaa9b64ab18d00.mp4",)
    assert job.operation.media_info.stream.video[0].fps == 25.0
    assert job.operation.media_info.format.size == 1424687


def test_an_odd_reply_is_kept_and_reachable():
    job = node("reply-unknown-nodes").jobs_detail[0]
    assert job.job_id == "j1"
    assert [(one.tag, one.text) for one in job.unknown] == [("Grade", ""), ("JobId", "j1-again")]
    assert job.unknown[0].children[1].text == "13"
    assert job.operation.video_enhance.unknown[0].tag == "Denoise"


def test_the_tables_own_bucket_is_read_as_bucketid():
    assert node("reply-bucket-for-bucketid").jobs_detail[0].input.bucket_id == "test-1250000000"


def test_values_out_of_range_are_read_unchanged():
    job = node("reply-out-of-range").jobs_detail[0]
    assert job.operation.video_enhance.ms_sharpen.sharpen_level == 11
    assert job.operation.video_enhance.color_enhance.saturation == "3.5"
    assert job.operation.video_enhance.frame_enhance.frame_doubling == "maybe"
    unknown = node("reply-unknown-state").jobs_detail[0]
    assert (unknown.state, unknown.is_over, unknown.progress) == ("Reviewing", False, "n/a")


def test_a_part_that_is_replaced_keeps_the_unknown():
    job = node("reply-unknown-nodes").jobs_detail[0]
    changed = dataclasses.replace(job, state="Failed")
    assert changed.unknown == job.unknown
    assert b"<State>Failed</State>" in dumps(changed)


def test_the_empty_node_is_auto_and_the_absent_one_is_not():
    assert loads(MsSharpen, b"<MsSharpen><SharpenLevel/></MsSharpen>").sharpen_level is AUTO
    assert loads(MsSharpen, b"<MsSharpen/>").sharpen_level is None
    assert dumps(MsSharpen(sharpen_level=AUTO)).endswith(b"<MsSharpen><SharpenLevel/></MsSharpen>")
    assert dumps(VideoEnhance(ms_sharpen=MsSharpen())).endswith(b"<VideoEnhance><MsSharpen/></VideoEnhance>")


@pytest.mark.slow
@given(strategies.settings())
def test_a_setting_survives_the_wire(setting):
    assert loads(VideoEnhance, dumps(setting)) == setting


@pytest.mark.slow
@given(strategies.requests())
def test_a_request_survives_the_wire(request):
    assert loads(Request, dumps(request)) == request


@pytest.mark.slow
@settings(max_examples=30)
@pytest.mark.parametrize("cls", [Operation, JobsDetail, MediaInfo, TemplateRequest, TemplateResponse, QueueResponse])
@given(data=strategies.st.data())
def test_any_node_survives_the_wire_twice_with_unknown_parts(cls, data):
    node_value = data.draw(strategies.nodes(cls, unknown=True))
    once = dumps(node_value)
    assert loads(cls, once) == node_value
    assert dumps(loads(cls, once)) == once


BOMB = b"""<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><Request><Tag>&c;</Tag></Request>"""
FETCHES = b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><Request><Tag>&x;</Tag></Request>'


@pytest.mark.parametrize(
    "data",
    [
        b"", b"<Request>", b"<Request><Tag>x</Request>", b"plain", b"\xff\xfe\x00", b"<Request>\xc3\x28</Request>",
        b"<a>" * 40 + b"</a>" * 40, b"<Request>" + b"<X>" * 40 + b"</X>" * 40 + b"</Request>", BOMB, FETCHES,
        b'<?xml version="1.0" encoding="no-such"?><Request/>', b"<Request/><Request/>", b"<Other/>",
    ],
    ids=[
        "empty", "open", "crossed", "text", "utf-16", "no utf-8", "deep", "deep below", "entity bomb",
        "external entity", "encoding", "two roots", "wrong root",
    ],
)  # fmt: skip
def test_an_invalid_request_is_refused_with_a_reason(data):
    with pytest.raises(MalformedXML) as caught:
        loads(Request, data, root="Request")
    assert len(str(caught.value)) > 10
    assert "root:" not in str(caught.value)


@given(strategies.st.binary(max_size=200))
def test_no_bytes_crash_the_reader(data):
    try:
        loads(Request, data)
    except MalformedXML:
        return


def test_text_is_escaped():
    operation = Operation(user_data="a&b<c>\"'")
    assert b"a&amp;b&lt;c&gt;" in dumps(operation)
    assert loads(Operation, dumps(operation)) == operation


def test_comments_and_instructions_are_ignored():
    assert (
        loads(MsSharpen, b"<MsSharpen><!-- x --><?y z?><SharpenLevel>5</SharpenLevel></MsSharpen>").sharpen_level == 5
    )


@pytest.mark.parametrize("empty", ["<{0}></{0}>", "<{0}/>", "<{0}> \n </{0}>", "<{0}><!-- none --></{0}>"])
def test_empty_leaves_count_as_absent(empty):
    """Every leaf that a request may hold, but those for which the empty text is a value."""
    for leaf in leaves(Request):
        part = leaf.part
        if part.param.reply or part.auto or "" in part.choices:
            continue
        owner = leaf.steps[-2].node if len(leaf.steps) > 1 else Request
        xml = f"<{tag_of(owner)}>{empty.format(part.tag)}</{tag_of(owner)}>".encode()
        node = loads(owner, xml)
        if part.param.pattern and node != owner():
            assert part.admits(getattr(node, part.name)), "text of blanks only where its pattern admits that"
            continue
        assert node == owner(), leaf.path
        assert canonical(dumps(node)) == canonical(etree.tostring(etree.fromstring(xml, COMMENTLESS)))


COMMENTLESS = etree.XMLParser(remove_comments=True)


def test_an_empty_leaf_beside_one_with_a_value_is_not_a_second_value():
    video = loads(Video, b"<Video><Width/><Width>640</Width><Width> </Width><Crop/><Crop>1:1:0:0</Crop></Video>")
    assert video == Video(width=640, crop="1:1:0:0")
    assert problems(video) == []
    many = "<WatermarkTemplateId/><WatermarkTemplateId>t1</WatermarkTemplateId><WatermarkTemplateId/>"
    many = f"<Operation>{many}</Operation>"
    assert loads(Operation, many.encode()).watermark_template_id == ("t1",)
    for xml in (b"<Video><Width/><Width>640</Width><Width> </Width></Video>", many.encode()):
        cls = Video if b"Video" in xml else Operation
        assert dumps(loads(cls, xml)).endswith(xml), "written as it was read"


@pytest.mark.parametrize("text", [" 640 ", "\n640\n", "6<!-- and -->40", "<![CDATA[640]]>", "6<?and so on?>40"])
def test_blanks_comments_and_cdata_do_not_change_a_value(text):
    assert loads(Video, f"<Video><Width>{text}</Width></Video>".encode()) == Video(width=640)


def test_capitals_do_not_change_a_truth_value_and_are_written_as_they_came():
    for text, value in (("True", True), ("FALSE", False), (" true ", True)):
        xml = f"<Video><Remove>{text}</Remove></Video>"
        assert loads(Video, xml.encode()).remove is value
        assert dumps(loads(Video, xml.encode())).decode().endswith(xml)
    assert loads(Video, b"<Video><Remove>yes</Remove></Video>").remove == "yes"


def test_attributes_and_mixed_text_of_unknown_nodes_survive():
    grade = '<Grade by="a &amp; b" xml:lang="de">of <B x="1">seven</B> or so<C/></Grade>and more'
    xml = f"<JobsDetail><JobId>j1</JobId>{grade}<State>Success</State></JobsDetail>"
    job = loads(JobsDetail, xml.encode())
    (unknown,) = job.unknown
    assert unknown.attributes[0] == ("by", "a & b")
    assert (unknown.text, unknown.children[0].attributes, unknown.children[0].tail) == ("of ", (("x", "1"),), " or so")
    assert dumps(job).decode().endswith(xml)
    changed = dataclasses.replace(job, state="Failed")
    assert grade in dumps(changed).decode()
    assert loads(JobsDetail, dumps(changed)) == changed


@pytest.mark.slow
@pytest.mark.parametrize("children", [b"<X/>", b"<RequestId>a</RequestId>", b"<NonExistJobIds>a</NonExistJobIds><X/>"])
def test_a_hundred_thousand_hostile_nodes_take_time_that_grows_with_them_only(children):
    """A square of that number would take minutes; no clock is asked."""
    node = loads(Response, b"<Response>" + children * 100_000 + b"</Response>")
    assert dumps(node).endswith(b"<Response>" + children * 100_000 + b"</Response>")
    assert loads(Response, dumps(node)) == node


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_bytes_with_a_mark_or_blanks_before_the_xml_are_read(encoding):
    text = "<?xml version='1.0' encoding='utf-8'?><JobsDetail><JobId>数</JobId></JobsDetail>"
    assert loads(JobsDetail, text.encode(encoding)).job_id == "数"
    assert loads(JobsDetail, f"\r\n {text}".encode()).job_id == "数"
