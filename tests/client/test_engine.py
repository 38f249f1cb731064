"""The client against the embedded engine, in process and over a port: the same words, the same answers."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.transport import AddressTransport, WSGITransport
from ci_notebook.client.job import Job
from ci_notebook.client.receiver import Receiver
from ci_notebook.client.watch import Watch
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.server.listener import Listener
from ci_notebook.model.api.jobs import JobFailed
from ci_notebook.model.api.queues import NotifyConfig
from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.errors import NotFound, ServiceError, SignatureRefused, UnknownKey
from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
from tests.client.test_objects import AWKWARD
from tests.support import write_clip

BUCKET, REGION = "lab-1250000000", "ap-chongqing"
ID, KEY = "AKIDcontract", "contractkeycontractkey"
SETTING = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "tiny.mp4")


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with Engine(tmp_path_factory.mktemp("engine"), bucket=BUCKET, region=REGION, keys={ID: KEY}, workers=1) as engine:
        yield engine


@pytest.fixture(scope="module")
def listener(engine):
    listener = Listener(engine)
    listener.start()
    yield listener
    listener.close()


@pytest.fixture(params=["in process", "over a port"])
def transport(request, engine):
    if request.param == "in process":
        return lambda: WSGITransport(engine.app)
    address = request.getfixturevalue("listener").address
    return lambda: AddressTransport(address)


def connect(transport, **more):
    return Client(
        BUCKET, region=REGION, scheme="http", transport=transport(), **{"credentials": Credentials(ID, KEY), **more}
    )


@pytest.fixture
def client(transport):
    with connect(transport) as client:
        yield client


def request(key="input/tiny.mp4", **more):
    return enhance_request(key, SETTING, bucket=BUCKET, region=REGION, **more)


@pytest.mark.slow
def test_a_job_goes_from_upload_to_download(client, video, tmp_path):
    clip = client.upload_clip(video, "input/tiny.mp4")
    events = []
    job = Job(client, client.submit(request(user_data="the whole way")))
    job.wait(timeout_s=60, on_progress=lambda one: events.append(one.state))
    assert events[-1] == "Success"
    assert job.detail.operation.user_data == "the whole way"
    path = job.download(tmp_path)
    assert path.stat().st_size > 1000
    info = client.video_info(job.output_key)
    assert (info.stream.video[0].width, info.stream.video[0].height) == (128, 128)
    assert info.format.size == path.stat().st_size
    assert job.snapshot(0.2).startswith(b"\xff\xd8")
    assert client.snapshot(clip.key, 0.1, width=64, format="png").startswith(b"\x89PNG")
    assert client.find_by_user_data("the whole way").job_id == job.id
    assert client.job(job.id) == [job.detail]


@pytest.mark.slow
def test_a_job_can_be_awaited_inside_a_running_loop(client, video):
    client.upload_clip(video, "input/tiny.mp4")

    async def run():
        return await Job(client, client.submit(request()))

    assert asyncio.run(run()).state == "Success"


# A store of files takes no key with a part that leads out of it.
REFUSED = [key for key in AWKWARD if "./" in key]


@pytest.mark.parametrize("key", REFUSED)
def test_a_key_that_the_engine_does_not_keep_is_refused_by_name(client, key):
    with pytest.raises(ServiceError, match="InvalidObjectName"):
        client.upload(b"bytes", key)


@pytest.mark.parametrize("key", [key for key in AWKWARD if key not in REFUSED])
def test_an_awkward_key_comes_back_as_it_was(client, transport, key, tmp_path):
    client.upload(b"bytes", key)
    assert client.head(key).size_bytes == 5
    assert client.read(key) == b"bytes"
    assert client.download(key, tmp_path / "x").read_bytes() == b"bytes"
    assert key in [one.key for one in client.list_objects()]
    with httpx.Client(transport=transport()) as anybody:
        assert anybody.get(client.presigned_url(key)).content == b"bytes"
    client.delete(key)
    with pytest.raises(NotFound):
        client.head(key)


@pytest.mark.slow
def test_a_large_object_goes_both_ways(client, tmp_path):
    path = tmp_path / "large"
    path.write_bytes(bytes(range(256)) * 20_000)
    client.upload(path, "large")
    assert client.download("large", tmp_path / "back").read_bytes() == path.read_bytes()


def test_wrong_keys_are_distinguished(transport):
    with (
        pytest.raises(SignatureRefused, match="Check the SecretKey") as wrong,
        connect(transport, credentials=Credentials(ID, "wrongwrong")) as client,
    ):
        client.job("j1")
    assert "wrongwrong" not in str(wrong.value)
    with pytest.raises(UnknownKey), connect(transport, credentials=Credentials("AKIDnobody", KEY)) as client:
        client.read("a")


def test_a_wrong_clock_is_reported_with_its_offset(transport):
    import time

    with connect(transport, clock=lambda: time.time() + 7200) as client, pytest.raises(SignatureRefused) as caught:
        client.job("j1")
    assert "ahead of the service's" in caught.value.hint


def test_a_missing_bucket_is_reported(transport):
    other = Client(
        "other-1250000000", region=REGION, scheme="http", transport=transport(), credentials=Credentials(ID, KEY)
    )
    with other, pytest.raises(ServiceError, match="NoSuchBucket"):
        other.read("a")


def test_a_missing_job_is_reported(client):
    with pytest.raises(NotFound, match="j0000"):
        client.job("j0000")


def test_a_missing_input_is_reported_and_makes_no_job(client):
    before = len(list(client.jobs()))
    with pytest.raises(NotFound, match="ResourceNotFound"):
        client.submit(request("input/none.mp4"))
    assert len(list(client.jobs())) == before


@pytest.mark.slow
def test_an_input_that_is_no_video_fails_the_job(client):
    client.upload(b"no video at all", "input/text.mp4")
    with pytest.raises(JobFailed, match="ResourceNotSupported"):
        Job(client, client.submit(request("input/text.mp4"))).wait(timeout_s=60)


def test_templates_and_queues_are_kept(client):
    template = client.templates.create("soft", SETTING)
    assert client.templates.get(template.template_id)[0].video_enhance == SETTING
    assert template.template_id in [one.template_id for one in client.templates.list(tag="VideoEnhance")]
    client.templates.delete(template.template_id)
    queue = next(client.queues.list())
    assert client.queues.pause(queue).state == "Paused"
    assert client.queues.resume(queue).state == "Active"
    assert client.activate().bucket_id == BUCKET
    assert BUCKET in [one.bucket_id for one in client.buckets.list()]


def test_a_waiting_job_is_cancelled(client, video):
    client.upload_clip(video, "input/tiny.mp4")
    queue = client.queues.pause(next(client.queues.list()))
    try:
        job = Job(client, client.submit(request()))
        assert job.cancel().state == "Cancel"
    finally:
        client.queues.resume(queue)


@pytest.mark.slow
def test_eight_threads_share_one_client(client):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: client.upload(b"%d" % number, f"many/{number}"), range(40)))
        assert list(pool.map(lambda number: client.read(f"many/{number}"), range(40))) == [b"%d" % n for n in range(40)]


def test_no_log_record_holds_a_key_or_a_signature(transport, caplog):
    with caplog.at_level(logging.DEBUG), connect(transport, credentials=Credentials(ID, KEY, "tokentoken")) as client:
        client.upload(b"x", "a")
        list(client.jobs())
    for secret in (KEY, "tokentoken", "q-signature", "q-ak="):
        assert secret not in caplog.text


class DropsTheAnswer(httpx.BaseTransport):
    """Lets the first POST through and loses the answer to it."""

    def __init__(self, inner):
        self.inner, self.posts = inner, 0

    def handle_request(self, request):
        response = self.inner.handle_request(request)
        if request.method == "POST":
            self.posts += 1
            if self.posts == 1:
                response.close()
                raise httpx.ReadTimeout("the answer never came", request=request)
        return response

    def close(self):
        self.inner.close()


def test_a_lost_answer_leaves_exactly_one_job(transport, video):
    dropping = DropsTheAnswer(transport())
    with connect(lambda: dropping, sleep=lambda _: None) as client:
        client.upload_clip(video, "input/tiny.mp4")
        key = f"run {id(client)}"
        job = client.submit(dataclasses.replace(request(user_data=key)))
        assert [one.job_id for one in client.jobs() if one.operation.user_data == key] == [job.job_id]
        assert dropping.posts == 1


@pytest.mark.slow
@pytest.mark.parametrize("form", ["XML", "JSON"])
def test_a_receiver_is_notified_of_the_end_of_a_job(client, video, form):
    client.upload_clip(video, "input/tiny.mp4")
    with Receiver(client) as receiver:
        options = dataclasses.replace(request(call_back=receiver.url), call_back_format=form)
        job = Job(client, client.submit(options))
        notification = receiver.get(timeout_s=30)
        assert (notification.id, notification.state) == (job.id, "Success")
        finished_job = receiver.wait(job, timeout_s=30)
        assert notification.output_key == finished_job.output_key
        # Not all of it: JSON leaves empty nodes out.
        assert notification.detail.operation.media_info.format == finished_job.detail.operation.media_info.format


@pytest.mark.slow
def test_a_queue_notifies_a_receiver_of_all_its_jobs(client, video):
    client.upload_clip(video, "input/tiny.mp4")
    client.upload(b"no video at all", "input/text.mp4")
    queue = next(client.queues.list())
    with Receiver(client) as receiver:
        client.queues.update(queue, notify_config=receiver.notify_config("JSON"))
        try:
            ids = [client.submit(request(key)).job_id for key in ("input/tiny.mp4", "input/text.mp4")]
            silent = client.submit(request(call_back="no")).job_id
            notifications = [receiver.get(timeout_s=30) for _ in ids]
            assert {job.id: job.state for job in notifications} == dict(zip(ids, ["Success", "Failed"], strict=True))
            assert [job.id for job in receiver.watch([silent], timeout_s=30) if job.is_over] == [silent]
            with pytest.raises(TimeoutError):
                receiver.get(timeout_s=0.2)
        finally:
            client.queues.update(queue, notify_config=NotifyConfig(state="Off"))


@pytest.mark.slow
def test_jobs_are_watched_while_an_event_loop_runs(client, video):
    client.upload_clip(video, "input/tiny.mp4")
    ids = [client.submit(request()).job_id for _ in range(3)]

    async def watch():
        return {job.id: job.state async for job in Watch(client, ids, timeout_s=60)}

    assert asyncio.run(watch()) == dict.fromkeys(ids, "Success")


def test_a_refusal_of_a_head_does_not_claim_to_know_why(transport):
    with connect(transport, credentials=Credentials(ID, "wrongwrong")) as client:
        with pytest.raises(ServiceError, match="has no body"):
            client.head("a")
        with pytest.raises(SignatureRefused, match="Check the SecretKey"):
            client.read("a")
