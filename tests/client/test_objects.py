"""Objects, streamed both ways, over both faces a server can have."""

from __future__ import annotations

import hashlib
import tracemalloc

import httpx
import pytest

from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.failures import ConnectionFailed
from ci_notebook.client.connection.transport import WSGITransport
from ci_notebook.client.objects import CHUNK_BYTES, Clip
from ci_notebook.model.errors import AccessDenied, NotFound, ParameterError, ServiceError
from tests.client.fake_cloud import BUCKET, REGION, SECRET_ID, SECRET_KEY

AWKWARD = ["视频/a b+(1).mp4", "a/../b.mp4", "a//b.mp4", "./a%2F?#&=.mp4", "tab\there", "~!*'();:@&=+$,[]", "é\u0301𝄞"]


@pytest.mark.parametrize("key", AWKWARD)
def test_an_awkward_key_comes_back_as_it_was(client, cloud, key, tmp_path):
    client.upload(b"video", key)
    assert list(cloud.objects) == [key]
    assert client.read(key) == b"video"
    assert client.head(key).key == key
    assert client.download(key, tmp_path / "x").read_bytes() == b"video"
    assert [one.key for one in client.list_objects()] == [key]
    client.delete(key)
    assert cloud.objects == {}


@pytest.mark.parametrize("key", ["", "/a.mp4", "a\0b", "x" * 851, "é" * 426, "\ud800"])
def test_an_invalid_key_is_refused_before_anything_is_sent(client, cloud, key):
    with pytest.raises(ParameterError, match="is not a valid object key"):
        client.read(key)
    assert cloud.calls == []


def test_a_file_is_stored_with_its_length_type_and_progress(client, cloud, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"x" * (2 * CHUNK_BYTES + 7))
    seen = []
    stored = client.upload(path, "input/a.mp4", on_progress=lambda done, size: seen.append((done, size)))
    assert stored.etag == hashlib.md5(path.read_bytes()).hexdigest()
    assert cloud.headers["content-length"] == str(2 * CHUNK_BYTES + 7)
    assert cloud.headers["content-type"] == "video/mp4"
    assert "transfer-encoding" not in cloud.headers
    assert seen == [
        (CHUNK_BYTES, 2 * CHUNK_BYTES + 7),
        (2 * CHUNK_BYTES, 2 * CHUNK_BYTES + 7),
        (2 * CHUNK_BYTES + 7,) * 2,
    ]


def test_the_same_clip_is_not_sent_twice(client, cloud, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"video")
    seen = []
    for _ in range(2):
        clip = client.upload_clip(path, "input/a.mp4", on_progress=lambda done, size: seen.append((done, size)))
    assert (clip.name, clip.size_bytes, clip.path) == ("a.mp4", 5, path)
    assert (clip.md5, clip.bucket) == (hashlib.md5(b"video").hexdigest(), client.bucket)
    assert cloud.calls.count("put_object") == 1
    path.write_bytes(b"other")
    client.upload_clip(path, "input/a.mp4")
    assert cloud.objects["input/a.mp4"] == b"other"
    assert seen == [(5, 5), (5, 5)]


def test_an_empty_file_is_stored(client, cloud, tmp_path):
    path = tmp_path / "empty"
    path.touch()
    client.upload(path, "empty")
    assert cloud.objects == {"empty": b""}
    assert client.download("empty", tmp_path / "back").read_bytes() == b""


def test_an_upload_that_breaks_is_sent_again_from_the_start(client, cloud):
    cloud.faults = [("after", ConnectionResetError()), ("before", "ServiceUnavailable")]
    client.upload(b"x" * (CHUNK_BYTES + 1), "a")
    assert cloud.objects["a"] == b"x" * (CHUNK_BYTES + 1)
    assert cloud.calls == ["put_object"] * 3


def test_an_object_damaged_in_transit_is_reported(client, cloud, monkeypatch):
    monkeypatch.setattr(cloud, "put_object", lambda *_: (200, [("ETag", '"00"')], b""))
    with pytest.raises(ServiceError, match="BadDigest"):
        client.upload(b"x", "a")


def test_a_missing_file_is_reported_before_anything_is_sent(client, cloud, tmp_path):
    with pytest.raises(FileNotFoundError):
        client.upload(tmp_path / "none.mp4", "a")
    assert cloud.calls == []


def test_a_download_appears_whole_or_not_at_all(client, cloud, tmp_path):
    cloud.objects["a"] = b"x" * 10
    cloud.faults = [("midway", ConnectionResetError())] * 4
    target = tmp_path / "deep" / "a.mp4"
    with pytest.raises(ConnectionFailed):
        client.download("a", target)
    assert list(target.parent.iterdir()) == []


def test_a_download_resumes_where_it_broke(client, cloud, tmp_path):
    data = bytes(range(256)) * 4000
    cloud.objects["a"], cloud.piece = data, 1000
    cloud.faults = [("midway", ConnectionResetError()), ("", None)]
    seen = []
    client.download("a", tmp_path / "a", on_progress=lambda done, size: seen.append((done, size)))
    assert (tmp_path / "a").read_bytes() == data
    assert cloud.headers["range"] == f"bytes={CHUNK_BYTES}-"
    assert seen == sorted(seen)
    assert seen[-1] == (len(data), len(data))


def test_a_download_is_not_joined_from_two_objects(client, cloud, tmp_path):
    cloud.objects["a"] = b"old" * 300_000
    cloud.faults = [("midway", ConnectionResetError())]
    client.sleep = client.sender.sleep = lambda _: cloud.objects.update(a=b"new" * 300_000)
    with pytest.raises(ServiceError, match="PreconditionFailed"):
        client.download("a", tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_download_leaves_the_old_file(client, tmp_path):
    target = tmp_path / "a"
    target.write_text("before")
    with pytest.raises(NotFound):
        client.download("none", target)
    assert target.read_text() == "before"


@pytest.mark.slow
def test_a_big_file_is_never_in_memory_as_a_whole(tmp_path):
    size = 48 << 20
    path = tmp_path / "big.mp4"
    with path.open("wb") as file:
        file.truncate(size)

    def swallow(environ, start_response):
        left = size
        digest = hashlib.md5()
        while left:
            chunk = environ["wsgi.input"].read(min(left, 1 << 16))
            digest.update(chunk)
            left -= len(chunk)
        start_response("200 OK", [("ETag", f'"{digest.hexdigest()}"')])
        return []

    keys = Credentials(SECRET_ID, SECRET_KEY)
    with Client(BUCKET, region=REGION, credentials=keys, transport=WSGITransport(swallow)) as client:
        tracemalloc.start()
        client.upload(path, "big.mp4")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 8 << 20


def test_a_missing_object_is_reported_even_without_a_body(client):
    with pytest.raises(NotFound) as caught:
        client.head("none.mp4")
    assert (caught.value.status, caught.value.code) == (404, "NoSuchResource")
    with pytest.raises(NotFound, match="NoSuchKey"):
        client.read("none.mp4")


def test_deleting_a_missing_object_is_no_error(client):
    assert client.delete("none.mp4") is None


def test_objects_are_listed_page_by_page(client, cloud):
    for key in ("a/1", "a/2", "a/3", "b/1"):
        client.upload(b"12", key)
    cloud.calls.clear()
    listed = list(client.list_objects("a/"))
    assert [(one.key, one.size_bytes) for one in listed] == [("a/1", 2), ("a/2", 2), ("a/3", 2)]
    assert cloud.calls == ["list_objects"] * 2


def test_a_presigned_url_reads_without_keys(client, cloud):
    from ci_notebook.client.connection.transport import WSGITransport

    client.upload(b"video", "视频/a b.mp4")
    url = client.presigned_url("视频/a b.mp4", valid_s=60)
    with httpx.Client(transport=WSGITransport(cloud)) as other:
        assert other.get(url).content == b"video"
        assert other.get(url.replace("a%20b", "a%20c")).status_code == 403


def test_a_video_is_looked_at_in_place(client, cloud):
    client.upload(b"video", "a.mp4")
    assert client.video_info("a.mp4").format.duration == 1.5
    assert client.snapshot("a.mp4", 2, width=64) == b"picture at 2 s, 64"
    assert cloud.headers["host"] == "test-1250000000.cos.ap-chongqing.myqcloud.com"


def test_a_refusal_names_the_action_to_grant(client, cloud):
    cloud.faults = [("before", "AccessDenied")]
    with pytest.raises(AccessDenied) as caught:
        client.upload(b"x", "a")
    assert "cos:PutObject" in caught.value.hint
    assert "test-1250000000" in caught.value.hint


def test_a_clip_shows_its_name_and_size():
    clip = Clip(key="input/<a>.mp4", bucket="b-1250000000", region="r", size_bytes=1234)
    assert repr(clip) == "Clip('input/<a>.mp4', 1,234 bytes)"
    assert "<a>" not in clip._repr_html_()
