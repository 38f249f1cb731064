"""Who is told of a job, and which addresses nothing is ever sent to."""

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lxml import etree

import ci_notebook.engine
from ci_notebook.client.connection.transport import WSGITransport
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.jobs.render_job import key_in_url
from ci_notebook.engine.notify import addresses
from ci_notebook.engine.notify.addresses import is_allowed_host
from ci_notebook.engine.notify.notification import CallbackTarget, QueueTarget, target_of
from ci_notebook.engine.notify.sender import post
from ci_notebook.model.api.jobs import CallBackMqConfig, Request
from ci_notebook.model.api.queues import NotifyConfig
from tests.engine.notification_receiver import notify_to, set_queue
from tests.engine_fixtures import BUCKET, KEYS, REGION, Caller, job_body

ENGINE = Path(ci_notebook.engine.__file__).parent

BAD = [
    "ftp://example.com/a", "file:///etc/passwd", "example.com", "http://", "http://10.0.0.1/a",
    "http://169.254.169.254/", "http://192.168.1.1", "http://[fd00::1]/", "http://0.0.0.0:80/",
    "http://user:word@example.com/", "http://a b/", "http://0xA9FEA9FE/", "http://2852039166/",
    "http://[::ffff:169.254.169.254]/", "http://[64:ff9b::a9fe:a9fe]/", "http://[fe80::1%25lo]/",
    "http://169.254.169.254./", "http://example.com\\@169.254.169.254/", "http://169.254.169.254\\.example.com/",
    "//169.254.169.254/", "gopher://example.com/", "HTTP://127.1/", "http://%31%36%39.254.169.254/",
    "http:169.254.169.254", "http:/169.254.169.254", "http://example.com:99999/", "http://example.com/é",
    "http://[::1",
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


@pytest.fixture
def resolver(monkeypatch):
    """Names and their addresses, as a resolver would answer, and how often each was asked for."""
    names, asked = {}, []
    real = socket.getaddrinfo

    def resolve(host, port, *args, **options):
        asked.append(host)
        return [one for address in names.get(host, [host]) for one in real(address, port, *args, **options)]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", resolve)
    return names, asked


@pytest.mark.parametrize(
    "found",
    [["169.254.169.254"], ["10.0.0.1"], ["127.0.0.1", "169.254.0.23"], ["fd00:ec2::254"], ["0.0.0.0"]],  # noqa: S104
)
def test_a_name_that_leads_into_an_intranet_gets_nothing(resolver, found):
    names, _ = resolver
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        names["evil.example"] = found
        with pytest.raises(ConnectionRefusedError, match="private network"):
            post(f"http://evil.example:{server.getsockname()[1]}", b"body", "text/plain", timeout_s=1)
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_name_is_resolved_once_and_the_checked_address_is_called(resolver):
    names, asked = resolver
    names["here.example"] = ["127.0.0.1"]
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        sent = pool.submit(
            post, f"http://here.example:{server.getsockname()[1]}/a", b"body", "text/plain", timeout_s=10
        )
        connection, _ = server.accept()
        with connection:
            received = connection.recv(65536)
            connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")
        assert sent.result() == 302, "a redirect is not followed"
    assert b"Host: here.example" in received
    assert asked == ["here.example"]
    with pytest.raises(ConnectionRefusedError):
        post("http://here.example:1/a", b"body", "text/plain", timeout_s=1, loopback=False)


ALLOWED = [
    "127.0.0.1", "::1", "::ffff:127.0.0.1", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101", "example.com",
    "localhost", "a-b.c_d.example", "xn--fiq228c.example", "0xa.example", "1.2.3.4.example",
]  # fmt: skip
UNSPECIFIED = ["0.0.0.0", "0.0.0.0."]  # noqa: S104  refused, not listened on
REFUSED = [
    "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    *UNSPECIFIED, "255.255.255.255", "224.0.0.1", "fe80::1", "fe80::1%eth0", "fe80::1%25eth0", "::1%lo",
    "fd00:ec2::254", "fec0::1", "ff02::1", "::", "0xA9FEA9FE", "2852039166", "0251.0376.0251.0376",
    "0xa9.0xfe.0xa9.0xfe", "169.254.43518", "169.16689662", "025177524776", "0x7f000001", "2130706433", "127.1",
    "127.0.1", "0177.0.0.1", "0", "0x", "0x.0x.0x.0x", "169.254.169.254.", "127.0.0.1.", "010.0.0.1",
    "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "::169.254.169.254", "::ffff:0:169.254.169.254",
    "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::1", "2001:0:a9fe:a9fe::1",
    "2a00::5efe:a9fe:a9fe", "2a00::200:5efe:a9fe:a9fe", "%31%36%39.254.169.254", "169.254.169.254%00.example",
    "a..example", "", "a b", "evil.0x7f", "*", "a,b",
]  # fmt: skip


def test_loopback_and_public_addresses_are_reached_and_others_are_not_in_any_spelling():
    assert [host for host in ALLOWED if not is_allowed_host(host)] == []
    assert [host for host in REFUSED if is_allowed_host(host)] == []
    loopback = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost", "LOCALHOST", "a.localhost"]
    assert [host for host in loopback if is_allowed_host(host, loopback=False)] == []
    assert is_allowed_host("example.com", loopback=False) and is_allowed_host("1.1.1.1", loopback=False)


def test_an_engine_that_others_reach_calls_nothing_on_its_machine(tmp_path):
    options = {"bucket": BUCKET, "region": REGION, "keys": KEYS}
    with Engine(tmp_path, notify_loopback=False, **options) as engine:
        call = Caller(WSGITransport(engine.app))
        answer = call("POST", "/jobs", body=job("<CallBack>http://127.0.0.1:9/</CallBack>"))
        assert (answer.status_code, "Use a public address." in answer.text) == (400, True)
        assert set_queue(call, notify_to("http://[::1]:9/")).status_code == 400
        call.close()


def test_only_the_checked_connection_calls_from_the_engine():
    """The other URLs of a request (watermark images, sounds) name objects of the own bucket by their paths."""
    callers = re.compile(r"create_connection|urlopen|HTTPS?Connection|(?<!ci)\.connect\(|import (?:httpx|requests)")
    found = {path.name for path in ENGINE.rglob("*.py") if callers.search(path.read_text("utf-8"))}
    assert found == {"addresses.py", "sender.py", "database.py"}  # the last one opens SQLite
    assert key_in_url("http://169.254.169.254/latest/meta-data") == "latest/meta-data"


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
