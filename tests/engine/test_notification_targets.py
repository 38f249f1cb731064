"""Who is told of a job, and which addresses nothing is ever sent to."""

import socket

import pytest
from lxml import etree

from ci_notebook.engine.notify import sender
from ci_notebook.engine.notify.notification import CallbackTarget, QueueTarget, is_allowed_address, target_of
from ci_notebook.engine.notify.sender import post
from ci_notebook.model.api.jobs import CallBackMqConfig, Request
from ci_notebook.model.api.queues import NotifyConfig
from tests.engine.notification_receiver import notify_to, set_queue
from tests.engine_fixtures import job_body

BAD = [
    "ftp://example.com/a", "file:///etc/passwd", "example.com", "http://", "http://10.0.0.1/a", "http://169.254.169.254/",
    "http://192.168.1.1", "http://[fd00::1]/", "http://0.0.0.0:80/", "http://user:word@example.com/", "http://a b/",
    "http://example.com:99999/", "http://example.com/é", "http://[::1",
]  # fmt: skip


@pytest.mark.parametrize("url", BAD)
def test_an_address_that_notices_do_not_go_to_is_refused_with_the_job(caller, url):
    body = etree.fromstring(b"<Request/>")
    etree.SubElement(body, "CallBack").text = url
    after = etree.tostring(body[0], encoding="unicode")
    answer = caller("POST", "/jobs", body=job(after))
    assert answer.status_code == 400, answer.text
    assert "CallBack must be" in answer.text
    refused = set_queue(caller, notify_to(url))
    assert refused.status_code == 400
    assert "NotifyConfig.Url" in refused.text


def job(after):
    return job_body(key="text.mp4", after=after)


def test_a_name_that_leads_into_an_intranet_gets_nothing(monkeypatch):
    monkeypatch.setattr(sender, "is_allowed_address", lambda host: False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        with pytest.raises(ConnectionRefusedError, match="private network"):
            post(f"http://localhost:{server.getsockname()[1]}", b"body", "text/plain", timeout_s=1)
        connection, _ = server.accept()
        with connection:
            assert connection.recv(1) == b""


def test_loopback_and_public_addresses_are_reached_and_others_are_not():
    assert [host for host in ("127.0.0.1", "::1", "1.1.1.1", "example.com") if not is_allowed_address(host)] == []
    assert [host for host in ("10.1.2.3", "172.16.0.1", "fe80::1", "224.0.0.1", "::") if is_allowed_address(host)] == []


def test_kafka_is_refused_by_its_name(caller):
    for after in (
        "<CallBackType>Kafka</CallBackType>",
        "<CallBackKafkaConfig><Topic>a</Topic></CallBackKafkaConfig>",
    ):
        answer = caller("POST", "/jobs", body=job(after))
        assert (answer.status_code, "Kafka" in answer.text) == (400, True)
    answer = set_queue(caller, notify_to("http://example.com", "<KafkaConfig><Topic>a</Topic></KafkaConfig>"))
    assert (answer.status_code, "KafkaConfig" in answer.text) == (400, True)


ON = NotifyConfig(
    state="On", event="WorkflowFinish,TaskFinish", type="Url", url="http://q.example", result_format="JSON"
)
TO_MQ = CallBackMqConfig(mq_region="bj", mq_mode="Topic", mq_name="ends")
WHO = {
    "nobody asked": (Request(), NotifyConfig(), None),
    "the queue": (Request(), ON, CallbackTarget("http://q.example", "JSON")),
    "the queue, in the job's format": (Request(call_back_format="XML"), ON, CallbackTarget("http://q.example", "XML")),
    "the job": (Request(call_back="http://j.example"), ON, CallbackTarget("http://j.example", "XML")),
    "silence": (Request(call_back="no"), ON, None),
    "silence beats a message queue": (
        Request(call_back="no", call_back_type="TDMQ", call_back_mq_config=TO_MQ), ON, None,
    ),
    "the job's message queue": (
        Request(call_back_type="TDMQ", call_back_mq_config=TO_MQ), ON, QueueTarget("bj", "ends", "Topic", "XML"),
    ),
    "a message queue without a word on type": (
        Request(call_back_mq_config=TO_MQ), ON, QueueTarget("bj", "ends", "Topic", "XML"),
    ),
    "an address beside a message queue that type does not name": (
        Request(call_back="http://j.example", call_back_mq_config=TO_MQ), ON, CallbackTarget("http://j.example", "XML"),
    ),
    "a queue that tells of workflows only": (
        Request(), NotifyConfig(state="On", event="WorkflowFinish", type="Url", url="http://q.example"), None,
    ),
    "a queue that is off": (Request(), NotifyConfig(state="Off", event="TaskFinish", type="Url", url="http://q"), None),
    "the queue's message queue": (
        Request(), NotifyConfig(state="On", event="TaskFinish", type="TDMQ", mq_region="hk", mq_name="all"),
        QueueTarget("hk", "all", "Queue", "XML"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("who", WHO)
def test_the_right_addresses_are_notified(who):
    request, notify, told = WHO[who]
    assert target_of(request, notify) == told


def test_the_path_of_an_address_is_not_shown():
    assert "secret" not in repr(CallbackTarget("https://example.com/secret", "XML"))
