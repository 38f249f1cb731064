"""Multipart uploads in process and over a port: interrupted, resumed, and complete in the end."""

from __future__ import annotations

import hashlib

import httpx
import pytest
from qcloud_cos import CosConfig, CosS3Client

from ci_notebook.client import multipart, objects
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.faults import HangUp, ServerError
from ci_notebook.engine.server.listener import Listener
from ci_notebook.model.errors import NotFound, ParameterError, ServiceError
from tests.client.test_engine import BUCKET, ID, KEY, REGION, connect, transport  # noqa: F401  a fixture

MIB = 1 << 20
DATA = bytes(range(256)) * 4096 * 3 + b"the rest" * 100_000
MD5 = hashlib.md5(DATA).hexdigest()


@pytest.fixture
def engine(tmp_path):
    tokens = {"AKIDtemporary": "tokentoken"}
    keys = {ID: KEY, "AKIDtemporary": "temporarykey"}
    with Engine(tmp_path / "engine", bucket=BUCKET, region=REGION, keys=keys, tokens=tokens, workers=1) as engine:
        yield engine


@pytest.fixture
def listener(engine):
    with Listener(engine) as listener:
        listener.start()
        yield listener


@pytest.fixture
def client(transport):  # noqa: F811
    with connect(transport, sleep=lambda seconds: None) as client:
        yield client


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "large.mp4"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def sent(client, monkeypatch):
    """The calls that went out, by name."""
    names = []
    send = client.sender.send

    def counted(call, **more):
        names.append(call.name)
        return send(call, **more)

    monkeypatch.setattr(client.sender, "send", counted)
    return names


@pytest.mark.slow
def test_a_file_in_parts_comes_back_whole(client, file, sent):
    events = []
    stored = client.upload(file, "a", part_bytes=MIB, on_progress=lambda done, size: events.append((done, size)))
    assert sent == ["list_multiparts", "start_multipart", *["put_part"] * 4, "complete_multipart"]
    assert stored.etag.endswith("-4")
    assert (stored.md5, client.head("a").md5) == (MD5, MD5)
    assert client.head("a").content_type == "video/mp4"
    assert client.read("a") == DATA
    assert events == sorted(events)
    assert events[-1] == (len(DATA), len(DATA))
    assert list(multipart.open_uploads(client.sender)) == []


@pytest.mark.slow
def test_bytes_go_in_parts_too(client):
    client.upload(DATA, "a", part_bytes=MIB)
    assert client.read("a") == DATA


@pytest.mark.slow
def test_large_files_go_in_parts_by_themselves(client, file, sent, monkeypatch):
    monkeypatch.setattr(objects, "MULTIPART_FROM_BYTES", 2 * MIB)
    client.upload(file, "large")
    client.upload(b"x" * MIB, "small")
    assert sent.count("complete_multipart") == 1
    assert sent.count("put_object") == 1


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_an_interrupted_upload_resumes_and_sends_nothing_twice(client, file, sent, at, transport):  # noqa: F811
    def stop(done, size):
        if done > (at - 1) * MIB or done == size:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.upload(file, "a", part_bytes=MIB, on_progress=stop)
    with pytest.raises(NotFound):
        client.head("a")
    sent.clear()
    assert client.upload(file, "a", part_bytes=MIB).md5 == MD5
    assert sent.count("start_multipart") == (1 if at == 1 else 0)
    assert sent.count("put_part") == 4 - (at - 1)
    assert client.read("a") == DATA


@pytest.mark.slow
def test_parts_of_another_file_are_not_taken_for_ours(client, file, tmp_path, engine):
    engine.faults.add("complete_multipart", HangUp(), times=None)
    with pytest.raises(httpx.TransportError):
        client.upload(file, "a", part_bytes=MIB)
    engine.faults.clear()
    other = tmp_path / "other"
    other.write_bytes(DATA[:MIB] + b"other" * (MIB // 2))
    client.upload(other, "a", part_bytes=MIB)
    assert client.read("a") == other.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("call", ["start_multipart", "put_part", "complete_multipart", "list_multiparts"])
@pytest.mark.parametrize("fault", [HangUp(), HangUp(after=True), ServerError(), ServerError(status=500, after=True)])
def test_a_fault_during_an_upload_is_retried(client, engine, file, call, fault):
    engine.faults.add(call, fault)
    assert client.upload(file, "a", part_bytes=MIB).md5 == MD5
    assert client.read("a") == DATA
    left = {"start_multipart": 1}.get(call, 0) if fault.after else 0
    assert len(list(multipart.open_uploads(client.sender, "a"))) == left
    assert client.abort_uploads("a") == left


def test_an_upload_may_leave_nothing_when_it_fails(client, engine, file):
    engine.faults.add("put_part", HangUp(), times=None, skip=2)
    with pytest.raises(httpx.TransportError):
        client.upload(file, "a", part_bytes=MIB, keep_parts=False)
    assert list(multipart.open_uploads(client.sender)) == []


@pytest.mark.slow
def test_interrupted_uploads_can_be_aborted(client, engine, file):
    engine.faults.add("put_part", HangUp(), times=None, skip=2)
    for key in ("a/1", "a/11"):
        with pytest.raises(httpx.TransportError):
            client.upload(file, key, part_bytes=MIB)
    assert client.abort_uploads("a/1") == 1
    assert [key for key, _ in multipart.open_uploads(client.sender)] == ["a/11"]


class Damages(httpx.BaseTransport):
    """Sends zeros in place of every part."""

    def __init__(self, inner):
        self.inner = inner

    def handle_request(self, request):
        if b"partNumber" in request.url.raw_path:
            request.stream = httpx.ByteStream(bytes(int(request.headers["content-length"])))
        return self.inner.handle_request(request)

    def close(self):
        self.inner.close()


def test_a_part_damaged_in_transit_is_reported(transport, file):  # noqa: F811
    damaging = connect(lambda: Damages(transport()), sleep=lambda _: None)
    with damaging as client, pytest.raises(ServiceError, match=r"BadDigest.*Part 1"):
        client.upload(file, "a", part_bytes=MIB)


@pytest.mark.parametrize("part_bytes", [0, MIB - 1, 6 << 30])
def test_parts_that_the_service_does_not_take_are_refused(client, file, part_bytes):
    with pytest.raises(ParameterError, match=r"part_bytes is .*, but an object of"):
        client.upload(file, "a", part_bytes=part_bytes)


@pytest.mark.slow
def test_the_same_clip_in_parts_is_not_sent_twice(client, file, sent, monkeypatch):
    monkeypatch.setattr(objects, "MULTIPART_FROM_BYTES", 2 * MIB)
    for _ in range(2):
        assert client.upload_clip(file, "a").md5 == MD5
    assert sent.count("complete_multipart") == 1


def test_uploads_are_listed_page_by_page(client, engine):
    call = multipart.CALL["start_multipart"]
    keys = ["a b", "a/视频", "a/视频", "b"]
    for key in keys:
        client.sender.send(call, names={"key": key})
    assert [key for key, _ in multipart.open_uploads(client.sender)] == keys
    ids = [upload_id for _, upload_id in multipart.open_uploads(client.sender)]
    query = {"uploads": "", "max-uploads": "2", "key-marker": keys[1], "upload-id-marker": ids[1]}
    page = multipart.parse(client.sender.send(multipart.CALL["list_multiparts"], query=query).content)
    assert [one.findtext("UploadId") for one in page.iterfind("Upload")] == ids[2:]


def test_an_object_is_copied_within_the_service(client):
    client.upload(b"video", "视频/a b+(1).mp4")
    copy = client.copy("视频/a b+(1).mp4", "b.mp4")
    assert (copy.key, copy.size_bytes, copy.content_type) == ("b.mp4", 5, "video/mp4")
    assert client.read("b.mp4") == b"video"
    with pytest.raises(NotFound, match="NoSuchKey"):
        client.copy("none", "b")
    with pytest.raises(ParameterError):
        client.copy("b.mp4", "/b")


def test_a_url_of_temporary_keys_carries_their_token(transport, client):  # noqa: F811
    client.upload(b"video", "a")
    keys = Credentials("AKIDtemporary", "temporarykey", "tokentoken")
    with connect(transport, credentials=keys) as other, httpx.Client(transport=transport()) as anybody:
        assert other.read("a") == b"video"
        url = other.presigned_url("a")
        assert anybody.get(url).content == b"video"
        assert anybody.put(other.presigned_url("b", method="PUT"), content=b"sent").status_code == 200
        assert client.read("b") == b"sent"
        assert anybody.get(url.replace("&x-cos-security-token=tokentoken", "")).status_code == 403
    without = connect(transport, credentials=Credentials("AKIDtemporary", "temporarykey"))
    with without, pytest.raises(ServiceError):
        without.read("a")


@pytest.mark.slow
def test_the_official_sdk_resumes_our_upload(listener, engine, file):
    port = listener.port
    config = CosConfig(
        Region=REGION, SecretId=ID, SecretKey=KEY, Scheme="http", Proxies={"http": f"http://127.0.0.1:{port}"}
    )
    sdk = CosS3Client(config, retry=0)
    from ci_notebook.client.connection.transport import AddressTransport

    with connect(lambda: AddressTransport(listener.address), sleep=lambda _: None) as client:
        engine.faults.add("complete_multipart", HangUp(), times=None)
        with pytest.raises(httpx.TransportError):
            client.upload(file, "a/视频.mp4", part_bytes=MIB)
        engine.faults.clear()
        listed = sdk.list_multipart_uploads(Bucket=BUCKET, Prefix="a/")
        assert [one["Key"] for one in listed["Upload"]] == ["a/视频.mp4"]
        engine.faults.add("start_multipart", HangUp(), times=None)  # it must not start over
        sdk.upload_file(Bucket=BUCKET, Key="a/视频.mp4", LocalFilePath=str(file), PartSize=1, MAXThread=1)
        assert client.read("a/视频.mp4") == DATA
