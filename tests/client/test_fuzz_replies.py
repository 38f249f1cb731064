"""Replies of an odd or hostile service: every call ends soon, with a value or with one of our errors and its reason."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import zlib

import pytest

from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.transport import AddressTransport
from ci_notebook.client.watch import Watch
from ci_notebook.model.api.jobs import Input, Operation, Output, Request
from ci_notebook.model.api.queues import Queue
from ci_notebook.model.errors import CIError, NotFound
from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
from tests.client.fake_cloud import BUCKET, REGION, SECRET_ID, SECRET_KEY

SLOW_S = 10.0


class OddService:
    """A port that answers every request with the same bytes, and closes the connection."""

    def __init__(self) -> None:
        self.reply, self.requests = b"", 0
        self._door = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.address = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._door.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(line,), daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        with line, contextlib.suppress(OSError):
            line.settimeout(2)
            head = b""
            while b"\r\n\r\n" not in head and (chunk := line.recv(65536)):
                head += chunk
            head, _, body = head.partition(b"\r\n\r\n")
            lengths = [one.split(b":")[1] for one in head.lower().split(b"\r\n") if one.startswith(b"content-length:")]
            while lengths and len(body) < int(lengths[0]) and (chunk := line.recv(65536)):
                body += chunk
            self.requests += 1
            line.sendall(self.reply)

    def close(self) -> None:
        self._door.close()


@pytest.fixture(scope="module")
def service():
    made = OddService()
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(service):
    with Client(
        BUCKET, region=REGION, credentials=Credentials(SECRET_ID, SECRET_KEY), timeout_s=3, scheme="http",
        transport=AddressTransport(service.address), sleep=lambda _: None,
    ) as made:  # fmt: skip
        yield made


def request(user_data: str | None = None) -> Request:
    return Request(
        tag="VideoEnhance", input=Input(object="in.mp4"),
        operation=Operation(
            video_enhance=VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=3)), user_data=user_data,
            output=Output(region=REGION, bucket=BUCKET, object="out.mp4"),
        ),
    )  # fmt: skip


QUEUE = Queue(queue_id="p1", name="queue-1", state="Active")
SETTING = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=3))
CALLS = {
    "submit": lambda client, path: client.submit(request()),
    "submit with a key": lambda client, path: client.submit(request("a")),
    "job": lambda client, path: client.job("j1", "j2"),
    "jobs": lambda client, path: list(client.jobs()),
    "find_by_user_data": lambda client, path: client.find_by_user_data("a"),
    "watch": lambda client, path: list(Watch(client, ["j1"], timeout_s=0)),
    "cancel": lambda client, path: client.cancel("j1"),
    "video_info": lambda client, path: client.video_info("in.mp4"),
    "media_info": lambda client, path: client.media_info("in.mp4"),
    "snapshot": lambda client, path: client.snapshot("in.mp4"),
    "store_snapshot": lambda client, path: client.store_snapshot("in.mp4", "a.jpg"),
    "upload": lambda client, path: client.upload(b"data", "a.mp4"),
    "upload in parts": lambda client, path: client.upload(b"data" * 600_000, "a.mp4", part_bytes=1 << 20),
    "upload_clip": lambda client, path: client.upload_clip(__file__, "a.mp4"),
    "abort_uploads": lambda client, path: client.abort_uploads("a.mp4"),
    "download": lambda client, path: client.download("a.mp4", path / "a.mp4"),
    "head": lambda client, path: client.head("a.mp4"),
    "read": lambda client, path: client.read("a.mp4"),
    "copy": lambda client, path: client.copy("a.mp4", "b.mp4"),
    "delete": lambda client, path: client.delete("a.mp4"),
    "list_objects": lambda client, path: list(client.list_objects()),
    "activate": lambda client, path: client.activate(),
    "deactivate": lambda client, path: client.buckets.deactivate(),
    "buckets": lambda client, path: list(client.buckets.list()),
    "queues": lambda client, path: list(client.queues.list()),
    "queue": lambda client, path: client.queues.get("p1"),
    "pause": lambda client, path: client.queues.pause(QUEUE),
    "templates": lambda client, path: client.templates.list(),
    "template": lambda client, path: client.templates.get("t1"),
    "create template": lambda client, path: client.templates.create("n", SETTING),
    "update template": lambda client, path: client.templates.update("t1", "n", SETTING),
    "delete template": lambda client, path: client.templates.delete("t1"),
}


def reply(body: bytes | str = b"", *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    data = body.encode() if isinstance(body, str) else body
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Length: {len(data) if length is None else length}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + data


def error(code: str = "NoSuchKey", message: str = "none", status: str = "404 Not Found") -> bytes:
    return reply(
        f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>r</RequestId></Error>", status=status
    )


XML = "Content-Type: application/xml"


def nodes(tags: str, text: str = "soon") -> str:
    return "".join(f"<{tag}>{text}</{tag}>" for tag in tags.split())


WRONG_JOB = nodes("JobId State Progress CreationTime StartTime EndTime Code Message Operation Input Tag QueueId")
ASKED_JOBS = "".join(f"<JobsDetail><JobId>{one}</JobId></JobsDetail>" for one in ("j1", "j2"))
LISTS = "<JobsDetail/><QueueList/><TemplateList/><MediaBucketList/>"
WRONG_MEDIA = (
    f"<Format>{nodes('Duration NumStream Size Bitrate')}</Format>"
    f"<Stream><Video>{nodes('Width Height Fps')}</Video><Audio>x</Audio></Stream>"
)
WRONG_OBJECTS = f"<Contents><Key>%zz%ff</Key>{nodes('Size LastModified ETag')}</Contents><Contents/>"
WRONG_PARTS = f"<Part>{nodes('PartNumber Size LastModified')}<ETag/></Part><Part/>"
WRONG_UPLOADS = f"<Upload><Key>a.mp4</Key><UploadId>u</UploadId>{nodes('Initiated')}</Upload><Upload/>"
RESPONSES = {
    "nothing": "",
    "blanks": "  ",
    "no XML": '{"a": 1}',
    "HTML": "<!DOCTYPE html><html><body>Log in to the network of the hotel</body></html>",
    "cut XML": "<Response><JobsDetail><JobId>j1",
    "another root": "<Answer><JobsDetail/></Answer>",
    "an empty root": "<Response/>",
    "a namespace": '<Response xmlns="urn:a"><JobsDetail><JobId>j1</JobId></JobsDetail></Response>',
    "an error": "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>",
    "an error without nodes": "<Error/>",
    "an error in a namespace": '<Error xmlns="urn:a"><Code>SlowDown</Code></Error>',
    "a document type": '<!DOCTYPE Response [<!ENTITY e "x">]><Response>&e;</Response>',
    "text for nodes": f"<Response>{nodes('JobsDetail MediaInfo Queue Template Output MediaBucket')}</Response>",
    "a job of wrong types": f"<Response><JobsDetail>{WRONG_JOB}</JobsDetail></Response>",
    "a job without id": "<Response><JobsDetail/></Response>",
    "the asked jobs, empty": f"<Response>{ASKED_JOBS}</Response>",
    "other jobs": "<Response><JobsDetail><JobId>x</JobId></JobsDetail></Response>",
    "a total that is no number": f"<Response>{nodes('TotalCount PageNumber PageSize')}{LISTS}</Response>",
    "a negative total": f"<Response>{nodes('TotalCount', '-1')}{LISTS}</Response>",
    "facts of wrong types": f"<Response><MediaInfo>{WRONG_MEDIA}</MediaInfo></Response>",
    "a list of wrong types": f"<Result><IsTruncated>soon</IsTruncated>{WRONG_OBJECTS}{WRONG_PARTS}</Result>",
    "a list that is not at its end": "<Result><IsTruncated>true</IsTruncated></Result>",
    "a list that goes back": f"<Result><IsTruncated>true</IsTruncated>{nodes('NextMarker NextKeyMarker', '!')}"
    f"{nodes('NextPartNumberMarker NextUploadIdMarker')}{WRONG_OBJECTS}{WRONG_PARTS}{WRONG_UPLOADS}</Result>",
    "an upload": "<Result><UploadId>../../a?b</UploadId></Result>",
    "uploads and parts of wrong types": f"<Result><IsTruncated>false</IsTruncated><UploadId>u</UploadId>{WRONG_UPLOADS}"
    f"{WRONG_PARTS}</Result>",
    "10,000 levels": "<Response>" + "<a>" * 10_000 + "</a>" * 10_000 + "</Response>",
    "100 levels": "<Response>" + "<a>" * 100 + "</a>" * 100 + "</Response>",
    "1000 nodes": "<Response>" + "<a/>" * 1000 + "</Response>",
    "not UTF-8": b"<Response>\xff\xfe</Response>",
    "another encoding": '<?xml version="1.0" encoding="no-such"?><Response/>',
    "bytes": bytes(range(256)) * 10,
}
GZIP = zlib.compress(b"<Response/>", wbits=31)
REPLIES = {
    **{kind: reply(body, XML) for kind, body in RESPONSES.items()},
    "no reply": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP 0.9": b"<Response/>",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "HTTP 2": b"HTTP/2.0 200 OK\r\n\r\n",
    "frames of HTTP 2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80",
    "no status": b"HTTP/1.1\r\n\r\n",
    "a status that is no number": b"HTTP/1.1 OK 200\r\n\r\n",
    "status 999": reply("<Response/>", status="999 Odd"),
    "status 600": reply("<Response/>", status="600 Odd"),
    "status 99": reply("<Response/>", status="099 Odd"),
    "a shorter body": reply("<Response/>", length=1000),
    "a longer body": reply("<Response/><Response/>", length=11),
    "a length that is no number": b"HTTP/1.1 200 OK\r\nContent-Length: soon\r\n\r\n<Response/>",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 11\r\n\r\n<Response/>",
    "no length": b"HTTP/1.1 200 OK\r\n\r\n<Response/>",
    "cut chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\n<Response/>",
    "chunks that are none": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsoon\r\n",
    "a huge chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 30 + b"\r\n<Response/>",
    "a broken gzip": reply(GZIP[:-9] + b"123456789", "Content-Encoding: gzip"),
    "no gzip": reply("<Response/>", "Content-Encoding: gzip"),
    "gzip": reply(GZIP, "Content-Encoding: gzip"),
    "no such coding": reply("<Response/>", "Content-Encoding: none-such"),
    "another type": reply("<Response/>", "Content-Type: image/png"),
    "no such charset": reply("<Response/>", "Content-Type: text/xml; charset=no-such"),
    "a redirect to itself": reply("", "Location: /", status="302 Found"),
    "a redirect elsewhere": reply("", "Location: http://127.0.0.1:1/", status="307 Temporary Redirect"),
    "a redirect nowhere": reply("", status="301 Moved Permanently"),
    "not modified": b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
    "a part": reply("<Response/>", "Content-Range: bytes 5-9/2", status="206 Partial Content"),
    "only a hint": b"HTTP/1.1 103 Early Hints\r\n\r\n",
    "hints": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 50 + reply("<Response/>"),
    "continue for ever": b"HTTP/1.1 100 Continue\r\n\r\n" * 500,
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nbytes",
    "a head of 10 MB": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 10_000_000 + b"\r\n\r\n",
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 50_000 + b"\r\n",
    "a zero in a header": reply("<Response/>", "X: a\0b"),
    "a folded header": reply("<Response/>", "X: a\r\n b"),
    "a header without a colon": reply("<Response/>", "X"),
    "headers that are not ASCII": reply("<Response/>", "ETag: \xff\xfe", "Last-Modified: \xff", "Date: \xff"),
    "an odd tag": reply("<Response/>", 'ETag: "../../a-3"', "x-cos-hash-crc64ecma: soon", "Last-Modified: soon"),
    "an odd time": reply("<Response/>", "Date: Thu, 1" + "0" * 60 + " Jan 1970 00:00:00 GMT"),
    "an odd pause": reply("", f"Retry-After: {'9' * 400}", status="503 Busy"),
    "a long pause": reply("", "Retry-After: 99999999", status="429 Slow"),
    "a pause that is no number": reply("", "Retry-After: soon", status="429 Slow"),
    "a pause until an odd time": reply("", "Retry-After: Fri, 31 Dec 9999 23:59:59 -2359", status="503 Busy"),
    "an error of a proxy": reply("<html><h1>502 Bad Gateway</h1>", status="502 Bad Gateway"),
    "an empty error": reply("", status="500 Oops"),
    "an odd code": error("&lt;script&gt;\r\n\t" + "x" * 5000, "m" * 50_000),
    "a number as a code": error("1007", status="500 Oops"),
    "an error in braces": error("{actions}", "{0}{bucket}%s", status="403 Forbidden"),
    "an error with nodes in nodes": reply("<Error><Code><a/></Code></Error>", status="404 Not Found"),
    "an error in UTF-16": reply("<Error><Code>NoSuchKey</Code></Error>".encode("utf-16"), status="404 Not Found"),
    "unauthorized": reply("", "WWW-Authenticate: Basic", status="401 Who"),
    "a login of a proxy": reply("", "Proxy-Authenticate: Basic", status="407 Who"),
}  # fmt: skip


def test_an_error_under_status_200_keeps_its_code_and_reason(service, client):
    service.reply = reply("<Error><Code>NoSuchBucket</Code><Message>no such bucket</Message></Error>")
    for call in (lambda: client.job("j1"), client.templates.list, lambda: client.copy("a.mp4", "b.mp4")):
        with pytest.raises(NotFound, match="no such bucket"):
            call()


@pytest.mark.slow
@pytest.mark.parametrize("kind", REPLIES)
def test_no_reply_reaches_the_caller_as_another_error_than_ours(service, client, tmp_path, kind):
    service.reply = REPLIES[kind]
    for name, call in CALLS.items():
        began, service.requests = time.monotonic(), 0
        try:
            repr(call(client, tmp_path))
        except CIError as error:
            assert len(str(error)) > 10, (name, error)
            assert len(str(error)) < 3000, (name, len(str(error)))
        assert time.monotonic() - began < SLOW_S, name
        assert service.requests < 200, name
