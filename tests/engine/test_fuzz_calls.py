"""Odd values of everything that a signed call may carry: no 5xx, no slow answer, and the service works afterwards."""

from __future__ import annotations

import logging
import re
import time
import zlib
from pathlib import Path

import pytest
from lxml import etree

from ci_notebook.client.connection.transport import WSGITransport
from ci_notebook.engine.engine import Engine
from ci_notebook.wire import signing
from ci_notebook.wire.operations import CALL, CALLS, Call, url_path, url_query
from tests.engine_fixtures import (
    BUCKET,
    CI_HOST,
    COS_HOST,
    KEYS,
    REGION,
    SECRET_ID,
    SECRET_KEY,
    Caller,
    job_body,
)
from tests.odd_input import BODIES, ODD_QUERY, ODD_TEXTS, ODD_XML, assert_fair, paths_of, whole_element, with_text
from tests.support import write_clip

SLOW_S = 5.0
# The suite tries one of so many combinations, a sweep all of them.
SHARE = 40
HOSTS = {
    "ci": CI_HOST,
    "cos": COS_HOST,
    "region": f"ci.{REGION}.myqcloud.com",
    "service": f"cos.{REGION}.myqcloud.com",
}
OUTPUT = f"<Output><Region>{REGION}</Region><Bucket>{BUCKET}</Bucket><Object>o.jpg</Object></Output>"
OFF = "<NotifyConfig><State>Off</State></NotifyConfig>"
TEMPLATE = "<Request><Tag>VideoEnhance</Tag><Name>n</Name><VideoEnhance><ColorEnhance/></VideoEnhance></Request>"
MINIMAL = {
    "create_job": job_body().decode(),
    "create_template": TEMPLATE,
    "update_template": TEMPLATE,
    "update_queue": f"<Request><Name>q</Name><State>Paused</State>{OFF}</Request>",
    "media_info": "<Request><Input><Object>in.mp4</Object></Input></Request>",
    "store_snapshot": f"<Request><Input><Object>in.mp4</Object></Input><Time>0</Time>{OUTPUT}</Request>",
    "complete_multipart": "<CompleteMultipartUpload/>",
    "delete_objects": "<Delete><Object><Key>new.mp4</Key></Object></Delete>",
    "put_object_acl": "<AccessControlPolicy/>",
    "put_object_tags": "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
}


class Service:
    """An engine with one clip, one template and one paused queue, and calls of which any part may be odd."""

    def __init__(self, root: Path) -> None:
        self.engine = Engine(root / "engine", bucket=BUCKET, region=REGION, keys=KEYS)
        self.caller = Caller(WSGITransport(self.engine.app))
        self.clip = write_clip(root / "in.mp4").read_bytes()
        self.restore()

    def restore(self) -> None:
        """Bring back what a call may have changed."""
        self.caller("POST", "/mediabucket")
        self.caller.put("in.mp4", self.clip)
        listed = self.caller("GET", "/queue").content
        self.queue_id = str(etree.fromstring(listed).findtext(".//QueueId"))
        self.set_queue("Paused")
        name = f"n{time.monotonic_ns()}"
        made = self.caller("POST", "/template", body=TEMPLATE.replace(">n<", f">{name}<").encode())
        self.template_id = str(etree.fromstring(made.content).findtext(".//TemplateId"))
        started = self.caller("POST", "/up.bin", {"uploads": ""}, host=COS_HOST).content
        self.upload_id = str(etree.fromstring(started).findtext("UploadId"))

    def set_queue(self, state: str) -> None:
        """Let jobs run, or let them wait."""
        body = MINIMAL["update_queue"].replace("Paused", state).encode()
        assert self.caller("PUT", f"/queue/{self.queue_id}", body=body).status_code == 200

    def path(self, call: Call) -> str:
        """Return the path of something that exists."""
        key = "up.bin" if "uploadId" in dict(call.flags) else "new.mp4" if call.method == "DELETE" else "in.mp4"
        return call.path_for(key=key, id=self.queue_id if "queue" in call.path else self.template_id, ids="j1")

    def query(self, call: Call) -> dict[str, str]:
        """Return the parameters that a call needs."""
        known = {"uploadId": self.upload_id, "partNumber": "1", "time": "0", "tag": "VideoEnhance"}
        needed = {name: value or known.get(name, "") for name, value in call.flags}
        return needed | {
            name: known[name] for name in call.query if name in ("time", "tag") and call.name != "list_templates"
        }

    def send(
        self, method: str, path: str, *, query: dict[str, str] | None = None, host: str = CI_HOST, body: bytes = b"",
        headers: dict[str, str] | None = None, what: object = None,
    ) -> int:  # fmt: skip
        """Send a call of which only Host and query are signed; hold the rule, and return the status."""
        signed = signing.authorization(
            method, path, query=query or {}, headers={"host": host}, secret_id=SECRET_ID, secret_key=SECRET_KEY,
            key_time=signing.key_time(time.time()),
        )  # fmt: skip
        pairs = {"host": host, "authorization": signed, **(headers or {})}
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs.items()]
        url = f"http://{COS_HOST}{url_path(path)}" + (f"?{url_query(query)}" if query else "")
        began = time.monotonic()
        answer = self.caller.http.request(method, url, content=body, headers=raw)
        assert time.monotonic() - began < SLOW_S, what
        assert_fair(answer, what or (method, path, query, headers))
        return answer.status_code

    def works(self) -> None:
        """Hold that an ordinary call is answered as ever."""
        self.restore()
        assert self.send("GET", self.path(CALL["video_info"]), query={"ci-process": "videoinfo"}, host=COS_HOST) == 200


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    made = Service(tmp_path_factory.mktemp("service"))
    with made.engine:
        yield made
    made.caller.close()


@pytest.fixture(autouse=True)
def no_error_in_the_log(caplog):
    """The engine logs each exception that is no answer."""
    with caplog.at_level(logging.ERROR, logger="ci_notebook"):
        yield
    assert [record.getMessage() for record in caplog.records if record.name.startswith("ci_notebook")] == []


def chosen(*what: object, is_sweep: bool) -> bool:
    """Return whether a combination is tried now: all in a sweep, else the same share of them every time."""
    return is_sweep or zlib.crc32(repr(what).encode()) % SHARE == 0


BOTH = pytest.mark.parametrize(
    "is_sweep", [pytest.param(False, marks=pytest.mark.slow), pytest.param(True, marks=pytest.mark.sweep)],
    ids=["share", "all"],
)  # fmt: skip


OF_KIND = {
    "VideoEnhance": ("VideoEnhance",),
    "Watermark": ("Watermark",),
    "Transcode": ("Container", "Video", "Audio", "TransConfig", "TimeInterval", "AudioMix", "AudioMixArray"),
}


def ways(name: str) -> list[tuple[bool, etree._Element, list[tuple[str, ...]]]]:
    """Return bodies of a call, and the paths to put odd text into: the smallest one, and those with everything set."""
    paths = list(paths_of(BODIES[name]))
    smallest = (False, etree.fromstring(MINIMAL[name]), paths)
    if not name.endswith("_template"):
        return [(True, whole_element(BODIES[name]), paths), smallest]
    kinds = []
    for kind, tags in OF_KIND.items():  # a template holds what its Tag says
        root = whole_element(BODIES[name])
        root.find("Tag").text = kind
        for child in root:
            if child.tag not in ("Tag", "Name", *tags):
                root.remove(child)
        kinds.append((True, root, [path for path in paths if path[0] in ("Tag", "Name", *tags)]))
    return [*kinds, smallest]


@BOTH
@pytest.mark.parametrize("name", BODIES)
def test_no_text_of_any_leaf_is_met_by_a_5xx(service, name, is_sweep):
    call = CALL[name]
    for number, (is_whole, root, paths) in enumerate(ways(name)):
        for path in paths:
            for kind, text in {**ODD_TEXTS, **ODD_XML}.items():
                # Of each leaf at least the text that is no number, beside every other leaf.
                must = is_whole and kind == "no number" and name != "update_template"
                if must or chosen(number, path, kind, is_sweep=is_sweep):
                    body = with_text(root, path, text)
                    service.send(call.method, service.path(call), body=body, what=(name, number, path, kind))
    service.works()


@BOTH
@pytest.mark.parametrize("name", [call.name for call in CALLS])
def test_no_parameter_is_met_by_a_5xx(service, name, is_sweep):
    call = CALL[name]
    others = (
        "response-content-type",
        "response-expires",
        "versionId",
        "q-key-time",
        "x-cos-security-token",
        "\u6c34",
        "",
    )
    for parameter in (*call.query, *dict(call.flags), *others):
        for kind, value in ODD_QUERY.items():
            if chosen(name, parameter, kind, is_sweep=is_sweep):
                query = {**service.query(call), parameter: value[:3000]}
                body = MINIMAL.get(name, "").encode()
                service.send(
                    call.method, service.path(call), query=query, host=HOSTS[call.host], body=body,
                    what=(name, parameter, kind),
                )  # fmt: skip
    service.works()


METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "PROPFIND", "M-SEARCH")


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_no_method_is_met_by_a_5xx(service, method):
    for call in CALLS:
        for host in HOSTS.values():
            service.send(method, service.path(call), query=service.query(call), host=host, what=(method, call.name))
    service.works()


ODD_PATHS = (
    *ODD_QUERY.values(), ".", "..", "./a", "a/.", "a/../b", "/a", "//", "a//b", "a/", "\x7f", "a?b", "a#b", "%2e%2e",
    "a\\b", "x" * 850, "x" * 851, "x" * 4096, "\u6c34" * 300, "CON", "a:b", "\ud7ff", ("j" + "1" * 32 + ",") * 300,
)  # fmt: skip


@BOTH
@pytest.mark.parametrize("name", [call.name for call in CALLS if "{" in call.path])
def test_no_path_is_met_by_a_5xx(service, name, is_sweep):
    call = CALL[name]
    for number, odd in enumerate(ODD_PATHS):
        if chosen(name, number, is_sweep=is_sweep) or "\0" in odd:
            path = re.sub(r"\{\w+\}", "{}", call.path).format(odd)  # our own client would refuse it
            status = service.send(
                call.method, path, query=service.query(call), host=HOSTS[call.host], what=(name, odd[:40])
            )
            assert "\0" not in odd or status == 400
    for one in ("list_objects", "list_multiparts"):  # odd keys that were stored can be listed
        service.send("GET", "/", query=service.query(CALL[one]), host=COS_HOST)
    service.works()


PLACE = f"{BUCKET}.cos.{REGION}.myqcloud.com"
DATES = (
    "soon", "", "0", "Thu, 01 Jan 0000 00:00:00 GMT", "Thu, 99 Jan 99999 00:00:00 GMT", "()" * 2000, "\xff",
    "Mon, 01 Jan 0001 00:00:00 +2359", "Fri, 31 Dec 9999 23:59:59 -2359", f"Thu, 1{'0' * 60} Jan 1970 00:00:00 GMT",
    f"Thu, 01 Jan 1970 00:00:00 +{'9' * 40}", "Thu, 01 Jan 1970 99:99:99 GMT",
)  # fmt: skip
ODD_HEADERS = {
    "range": (
        "bytes=", "bytes=-", "bytes=-0", "bytes=9-1", "bytes=0-0,1-1", f"bytes={'9' * 400}-", f"bytes=0-{'9' * 400}",
        "bytes=999999999999999999-", "bytes=-999999999999999999", "items=0-1", "bytes=a-b", "bytes=0-1," * 1000, "",
    ),
    "if-none-match": ("*", "", '"', 'W/"x"', "\xff", "a," * 2000),
    "if-match": ("*", "", '"', 'W/"x"', "\xff", "a," * 2000),
    "if-modified-since": DATES,
    "if-unmodified-since": DATES,
    "date": DATES,
    "x-date": DATES,
    "content-md5": ("x", "", "====", "\xff", "AAAA", "A" * 5000, "1B2M2Y8AsgTpgAmY7PhCfg=="),
    "content-encoding": ("gzip", "\xff", "aws-chunked", "br, gzip"),
    "content-type": ("x", "\xff", "text/xml; charset=utf-16", "multipart/form-data", "a" * 5000),
    "authorization": (
        "x", "\xff", "q-sign-algorithm=sha1", "&" * 5000, "Basic eDp5", "Bearer x",
        f"q-sign-algorithm=sha1&q-ak={SECRET_ID}&q-sign-time=1;9&q-key-time=1;9999999999&q-header-list=\xff"
        "&q-url-param-list=%ff&q-signature=\xff",
    ),
    "x-cos-copy-source": (
        "x", "\xff", "/", "a/b", f"{PLACE}/%00", f"{PLACE}/%ff", f"{PLACE}/%ed%a0%80", f"{PLACE}/{'a' * 5000}",
        f"{PLACE}/in.mp4?versionId=\xff", f"{PLACE}/", "http://127.0.0.1/a",
    ),
    "x-cos-copy-source-range": ("bytes=0-1", "x", "bytes=9-1", "\xff"),
    "x-cos-metadata-directive": ("x", "\xff", ""),
    "x-cos-meta-a": ("\xff", "", "x" * 5000, "\x85"),
    "x-cos-meta-": ("a",),
    "expires": DATES,
    "cache-control": ("\xff", "a" * 5000),
    "content-disposition": ("\xff", "attachment; filename=\x80"),
    "x-ci-security-token": ("\xff",),
    "x-cos-security-token": ("\xff",),
    "content-length": ("x", "-1", "9" * 30, "+1", "1_0", "\xb2", "1e3"),
    "expect": ("x", "100-continue"),
    "connection": ("upgrade", "close, te"),
    "host": (
        "", "x", "\xff", f"{COS_HOST}:", f"{COS_HOST}:99999999", "[::1]", "a@b", f"{COS_HOST}:80:80", "x" * 5000,
        f"{COS_HOST}, {COS_HOST}", f"{CI_HOST}.", "ci.ap-chongqing.myqcloud.com/a",
    ),
}  # fmt: skip


@BOTH
@pytest.mark.parametrize("name", [call.name for call in CALLS])
def test_no_header_is_met_by_a_5xx(service, name, is_sweep):
    call = CALL[name]
    for header, values in ODD_HEADERS.items():
        for number, value in enumerate(values):
            if chosen(name, header, number, is_sweep=is_sweep):
                service.send(
                    call.method, service.path(call), query=service.query(call), host=HOSTS[call.host],
                    body=MINIMAL.get(name, "").encode(), headers={header: value}, what=(name, header, value[:40]),
                )  # fmt: skip
    service.works()


def nested(levels: int) -> bytes:
    return b"<Request>" + b"<a>" * levels + b"</a>" * levels + b"</Request>"


def completion(parts: bytes) -> bytes:
    return b"<CompleteMultipartUpload>" + parts + b"</CompleteMultipartUpload>"


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
WITH_ENTITY = "<!DOCTYPE Request [{}]><Request><Tag>&e;</Tag></Request>"
ODD_DOCUMENTS = {
    "nothing": b"",
    "blanks": b" \n\t ",
    "no XML": b"{}",
    "only a declaration": b'<?xml version="1.0"?>',
    "only a mark": b"\xef\xbb\xbf",
    "cut": MINIMAL["create_job"].encode()[:-20],
    "two roots": b"<Request/><Request/>",
    "another root": b"<Response/>",
    "a namespace": b'<Request xmlns="urn:a"><Tag>VideoEnhance</Tag></Request>',
    "a prefix": b'<a:Request xmlns:a="urn:a"><a:Tag>VideoEnhance</a:Tag></a:Request>',
    "no such prefix": b"<a:Request/>",
    "attributes": b'<Request a="1" xml:lang="en" Tag="VideoEnhance"/>',
    "an attribute twice": b'<Request a="1" a="2"/>',
    "billion laughs": WITH_ENTITY.format(f'<!ENTITY l0 "lol">{LAUGHS}<!ENTITY e "&l9;">').encode(),
    "one entity": WITH_ENTITY.format('<!ENTITY e "VideoEnhance">').encode(),
    "a file": WITH_ENTITY.format('<!ENTITY e SYSTEM "file:///etc/passwd">').encode(),
    "an address": WITH_ENTITY.format('<!ENTITY e SYSTEM "http://127.0.0.1:9/">').encode(),
    "a parameter entity": WITH_ENTITY.format('<!ENTITY % e SYSTEM "http://127.0.0.1:9/"> %e;').encode(),
    "an outer DTD": b'<!DOCTYPE Request SYSTEM "http://127.0.0.1:9/a.dtd"><Request/>',
    "an empty DTD": b"<!DOCTYPE Request><Request/>",
    "no such entity": b"<Request><Tag>&nbsp;</Tag></Request>",
    "an inclusion": b'<Request xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/passwd"/></Request>',
    "levels": nested(200),
    "10,000 levels": nested(10_000),
    "10,000 open levels": b"<a>" * 10_000,
    "100,000 siblings": b"<Request>" + b"<a/>" * 100_000 + b"</Request>",
    "100,000 leaves": b"<Request>" + b"<Tag/>" * 100_000 + b"</Request>",
    "UTF-16": '<?xml version="1.0" encoding="utf-16"?><Request/>'.encode("utf-16"),
    "UTF-16 without a mark": "<Request/>".encode("utf-16-le"),
    "UTF-32": "<Request/>".encode("utf-32"),
    "UTF-7": b'<?xml version="1.0" encoding="utf-7"?><Request>+AGE-</Request>',
    "EBCDIC": "<Request/>".encode("cp037"),
    "no such encoding": b'<?xml version="1.0" encoding="none"?><Request/>',
    "another encoding": '<?xml version="1.0" encoding="gbk"?><Request><Name>\u6c34</Name></Request>'.encode(),
    "Python's encoding": b'<?xml version="1.0" encoding="idna"?><Request/>',
    "XML 1.1": b'<?xml version="1.1"?><Request>&#1;</Request>',
    "a style": b'<?xml-stylesheet href="http://127.0.0.1:9/"?><Request/>',
    "zeros": bytes(2000),
    "gzip": zlib.compress(MINIMAL["create_job"].encode(), wbits=31),
    "too long": b"<Request>" + b" " * (1 << 20) + b"</Request>",
    "a part without a number": completion(b"<Part/>"),
    "a part that is no number": completion(b"<Part><PartNumber>soon</PartNumber></Part>"),
    "a part of 20 digits": completion(b"<Part><PartNumber>" + b"9" * 20 + b"</PartNumber></Part>"),
    "an ETag that is none": completion(b"<Part><PartNumber>1</PartNumber><ETag>\xe6\xb0\xb4</ETag></Part>"),
    "100,000 parts": completion(b"<Part/>" * 100_000),
}


@BOTH
@pytest.mark.parametrize("kind", ODD_DOCUMENTS)
def test_no_document_is_met_by_a_5xx(service, kind, is_sweep):
    for name in [*BODIES, "complete_multipart"]:
        call = CALL[name]
        if name in ("create_job", "complete_multipart") or is_sweep:
            service.send(
                call.method, service.path(call), query=service.query(call), host=HOSTS[call.host],
                body=ODD_DOCUMENTS[kind], what=(name, kind),
            )  # fmt: skip


def test_a_time_that_is_no_number_is_refused_by_its_name(service):
    mark = whole_element(BODIES["create_template"])
    mark.find("Tag").text = "Watermark"
    body = with_text(mark, ("Watermark", "StartTime"), "soon")
    answer = service.caller("POST", "/template", body=body)
    assert answer.status_code == 400
    assert "Watermark.StartTime must be" in answer.text
    assert "(got 'soon')" in answer.text


VIDEO = ("Operation", "VideoEnhance", "Transcode", "Video")
EXTREMES = [
    ((*VIDEO, "Crf"), "1e-320", "Success"),
    ((*VIDEO, "Crf"), "0.5", "Success"),
    ((*VIDEO, "Fps"), "1e-320", "InvalidArgument"),
]


def run_jobs(service: Service, bodies: dict[object, bytes]) -> dict[object, tuple[str, str]]:
    """Run jobs to their end; return code and message of each that was accepted."""
    service.set_queue("Active")
    answers = {what: service.caller("POST", "/jobs", body=body) for what, body in bodies.items()}
    accepted = {what: etree.fromstring(one.content) for what, one in answers.items() if one.status_code == 200}
    ended = {what: service.caller.ended(root.findtext(".//JobId"), timeout_s=300) for what, root in accepted.items()}
    service.set_queue("Paused")
    return {what: (str(job.code), str(job.message)) for what, job in ended.items()}


@pytest.mark.slow
def test_the_extremes_of_a_range_can_be_rendered_or_are_refused_by_name(service):
    root = etree.fromstring(MINIMAL["create_job"])
    codes = run_jobs(service, {(path[-1], text): with_text(root, path, text) for path, text, _ in EXTREMES})
    assert {what: code for what, (code, _) in codes.items()} == {
        (path[-1], text): code for path, text, code in EXTREMES
    }
    assert "Fps" in codes["Fps", "1e-320"][1]


@pytest.mark.sweep
def test_no_accepted_job_with_an_odd_value_ends_in_an_internal_error(service):
    root = etree.fromstring(MINIMAL["create_job"])
    bodies = {
        (path, kind): with_text(root, path, text)
        for path in paths_of(BODIES["create_job"])
        for kind, text in {**ODD_TEXTS, **ODD_XML}.items()
        if path != ("Operation", "Output", "Object")
    }
    codes = run_jobs(service, bodies)
    assert len(codes) > 100
    assert {what: found for what, found in codes.items() if found[0] == "InternalError"} == {}
