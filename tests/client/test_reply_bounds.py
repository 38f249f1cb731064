"""No service can fill the memory or hold a call for ever: replies are bounded, and every list ends."""

from __future__ import annotations

import gzip
import itertools
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator

import httpx
import pytest

from ci_notebook.client.client import Client
from ci_notebook.client.connection import replies
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.errors import CIError, ServiceError, SubmissionUnclear
from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
from ci_notebook.wire.xml import MAX_TAGS, MalformedXML, parse
from tests.client.fake_cloud import BUCKET, REGION, SECRET_ID, SECRET_KEY

Answer = Callable[[httpx.Request], httpx.Response]


class Body(httpx.SyncByteStream):
    """A body from any iterable of bytes. `sent` counts what was taken from it."""

    def __init__(self, chunks) -> None:
        self.chunks, self.sent, self.is_closed = chunks, 0, False

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            self.sent += len(chunk)
            yield chunk

    def close(self) -> None:
        self.is_closed = True


def client_of(answer: Answer) -> Client:
    """Return a client of a service that answers as `answer` says."""
    return Client(
        BUCKET, region=REGION, credentials=Credentials(SECRET_ID, SECRET_KEY),
        transport=httpx.MockTransport(answer), sleep=lambda _: None,
    )  # fmt: skip


def endless() -> Iterator[bytes]:
    return itertools.repeat(b"<a>" * 20_000)


@pytest.mark.parametrize("call", ["jobs", "objects", "snapshot", "read", "copy"])
@pytest.mark.parametrize("status", [200, 400])
def test_a_reply_without_an_end_is_an_error_after_a_bounded_number_of_bytes(call, status):
    bodies = []

    def answer(request):
        bodies.append(Body(endless()))
        return httpx.Response(status, stream=bodies[-1])

    calls = {
        "jobs": lambda client: next(iter(client.jobs())),
        "objects": lambda client: next(iter(client.list_objects())),
        "snapshot": lambda client: client.snapshot("a.mp4"),
        "read": lambda client: client.read("a.png"),
        "copy": lambda client: client.copy("a.png", "b.png"),
    }
    with pytest.raises(ServiceError):
        calls[call](client_of(answer))
    limit = replies.OBJECT_BYTES if call == "read" else replies.PICTURE_BYTES if call == "snapshot" else 16 << 20
    assert sum(body.sent for body in bodies) <= (limit if status == 200 else 1 << 20) + (1 << 18)
    assert all(body.is_closed for body in bodies)


def test_a_stated_length_over_the_bound_is_refused_before_a_byte_is_read():
    body = Body(endless())
    answer = httpx.Response(200, headers={"content-length": str(1 << 40)}, stream=body)
    with pytest.raises(ServiceError, match=r"256 MiB, which is the bound\. Download a larger object into a file"):
        client_of(lambda _: answer).read("film.mkv")
    assert body.sent == 0


XML = b"<Response><JobsDetail><JobId>j1</JobId></JobsDetail></Response>"


def deflated(data: bytes, bits: int) -> bytes:
    packer = zlib.compressobj(wbits=bits)
    return packer.compress(data) + packer.flush()


def gzipped(data: bytes) -> bytes:
    """Return data as gzip without a time, so that two processes write the same bytes."""
    return gzip.compress(data, mtime=0)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("", XML), ("identity", XML), ("gzip", gzipped(XML)), ("x-gzip", gzipped(XML)),
        ("deflate", deflated(XML, 15)), ("deflate", deflated(XML, -15)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [2, 7, 1000])
def test_a_small_compressed_reply_is_read(encoding, data, size):
    headers = {"content-encoding": encoding} if encoding else {}
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    client = client_of(lambda _: httpx.Response(200, headers=headers, stream=Body(chunks)))
    assert next(iter(client.jobs())).job_id == "j1"


@pytest.mark.parametrize(
    ("encoding", "data", "words"),
    [
        ("gzip", gzipped(bytes(64 << 20)), "more than 16 MiB"),
        ("deflate", deflated(bytes(64 << 20), 15), "more than 16 MiB"),
        ("gzip", gzipped(XML)[:-9], "ends inside"),
        ("gzip", b"not gzip", "cannot be decompressed"),
        ("br", b"\x8b\x00", "compressed with 'br', which was not asked for"),
        ("zstd", b"\x28\xb5\x2f\xfd", "not asked for"),
        ("gzip, gzip", gzipped(gzipped(XML)), "not asked for"),
    ],
)
def test_a_compressed_reply_that_is_over_the_bound_or_broken_is_one_error(encoding, data, words):
    client = client_of(lambda _: httpx.Response(200, headers={"content-encoding": encoding}, stream=Body([data])))
    with pytest.raises(ServiceError, match=words):
        next(iter(client.jobs()))


def test_an_error_that_is_a_gzip_bomb_is_an_error_of_its_status():
    data = gzipped(bytes(64 << 20))
    client = client_of(lambda _: httpx.Response(404, headers={"content-encoding": "gzip"}, stream=Body([data])))
    with pytest.raises(ServiceError) as no:
        next(iter(client.jobs()))
    assert no.value.status == 404


def test_a_reply_that_drips_for_ever_ends_by_time():
    now = itertools.count(0.0, 50.0)
    body = Body(itertools.repeat(b" " * (1 << 16)))
    response = httpx.Response(200, stream=body)
    response.request = httpx.Request("GET", "http://h.example/")
    with pytest.raises(ServiceError, match="did not end within 300 s"):
        replies.read_reply(response, 16 << 20, clock=lambda: next(now))
    assert body.is_closed


def test_a_lost_reply_to_a_submission_is_unclear_and_nothing_is_sent_twice():
    posts = []

    def answer(request):
        if request.method == "POST":
            posts.append(request)
        return httpx.Response(200, stream=Body(endless()))

    request = enhance_request(
        "a.mp4", VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=3)), bucket=BUCKET, region=REGION, user_data="u"
    )
    with pytest.raises(SubmissionUnclear):
        client_of(answer).submit(request)
    assert len(posts) == 1


def test_a_download_ends_at_the_size_of_the_object(tmp_path):
    def answer(request):
        if request.method == "HEAD":
            return httpx.Response(200, headers={"content-length": "1000"})
        return httpx.Response(200, stream=Body(endless()))

    with pytest.raises(ServiceError, match=r"more bytes of a\.mp4 than the object has: 1000"):
        client_of(answer).download("a.mp4", tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())


def test_xml_with_too_many_tags_or_attributes_is_refused_before_a_tree_is_built():
    for data in (
        b"<a>" + b"<b/>" * MAX_TAGS + b"</a>",
        b"<a " + b" ".join(b'b%d=""' % n for n in range(MAX_TAGS)) + b"/>",
    ):
        with pytest.raises(MalformedXML, match="which is the bound"):
            parse(data)


def _listing(keys, marker):
    items = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in keys)
    return f"<R>{items}<IsTruncated>true</IsTruncated><NextMarker>{marker}</NextMarker></R>"


def _uploads(number, marker):
    item = f"<Upload><Key>k{number}</Key><UploadId>u{number}</UploadId></Upload>" if number else ""
    return f"<R>{item}<IsTruncated>true</IsTruncated><NextKeyMarker>{marker}</NextKeyMarker></R>"


def _numbered(item):
    return f"<Response><TotalCount>999999999</TotalCount>{item}</Response>"


def _queues(number):
    return _numbered(f"<QueueList><QueueId>p{number}</QueueId></QueueList>")


# Services that never say that a list is at its end: the same page and marker for ever, markers that go back and
# forth, a new marker for the same page, no marker, no items.
ENDLESS = {
    "objects, same marker": ("objects", lambda n: _listing(["a"], "a")),
    "objects, back and forth": ("objects", lambda n: _listing(["a"], "ab"[n % 2])),
    "objects, no marker": ("objects", lambda n: _listing(["a"], "")),
    "objects, no items": ("objects", lambda n: _listing([], "b" if n < 2 else "a")),
    "uploads, same marker": ("uploads", lambda n: _uploads(1, "a")),
    "uploads, in a circle": ("uploads", lambda n: _uploads(n, "abc"[n % 3])),
    "uploads, no items": ("uploads", lambda n: _uploads(0, f"k{n}")),
    "jobs, same token": ("jobs", lambda n: f"{XML.decode()[:-11]}<NextToken>t</NextToken></Response>"),
    "jobs, new tokens": ("jobs", lambda n: f"{XML.decode()[:-11]}<NextToken>t{n}</NextToken></Response>"),
    "queues, same page": ("queues", lambda _: _queues(1)),
    "queues, in a circle": ("queues", lambda n: _queues(n % 3)),
    "buckets, same page": ("buckets", lambda _: _numbered("<MediaBucketList><BucketId>b</BucketId></MediaBucketList>")),
    "templates, same page": (
        "templates",
        lambda _: _numbered("<TemplateList><TemplateId>t</TemplateId></TemplateList>"),
    ),
}


@pytest.mark.parametrize("service", ENDLESS)
def test_every_list_of_an_endless_service_ends(service):
    kind, page = ENDLESS[service]
    numbers = itertools.count(1)

    def answer(request):
        number = next(numbers)
        assert number < 20, "the list does not end"
        return httpx.Response(200, text=page(number))

    client = client_of(answer)
    lists = {
        "objects": client.list_objects,
        "jobs": client.jobs,
        "queues": client.queues.list,
        "buckets": client.buckets.list,
        "templates": client.templates.list,
        "uploads": lambda: iter([client.abort_uploads("k1")]),
    }
    try:
        assert len(list(lists[kind]())) < 20
    except CIError as error:
        assert "goes back or repeats itself" in str(error)  # not silently a part of the list
    else:
        assert kind not in ("objects", "uploads")


MEMORY = """
import resource, sys, zlib
import httpx
from tests.client.test_reply_bounds import Body, client_of, endless
from ci_notebook.model.errors import CIError

packer = zlib.compressobj(wbits=31)
bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(512)) + packer.flush()
headers = {"content-encoding": "gzip"} if sys.argv[1] == "gzip" else {}
client = client_of(lambda _: httpx.Response(200, headers=headers, stream=Body([bomb] if headers else endless())))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    list(client.jobs())
except CIError as error:
    print(type(error).__name__, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gzip", "endless"])
@pytest.mark.skipif(sys.platform != "linux", reason="getrusage counts in kB on Linux only")
def test_a_bomb_takes_little_memory(kind):
    result = subprocess.run(
        [sys.executable, "-c", MEMORY, kind], capture_output=True, text=True, timeout=120, check=True
    )
    name, grown_kb = result.stdout.split()
    assert name == "UnreadableReply"
    assert int(grown_kb) < 150_000
