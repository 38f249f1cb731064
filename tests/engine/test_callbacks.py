"""Whoever asked is told that a job has ended: by POST to an address, or in a message queue of the engine's own."""

import http.client
import http.server
import json
import queue
import socket
import threading
import time

import pytest
from lxml import etree

from ci_notebook.client.transport import WSGITransport
from ci_notebook.engine import callbacks
from ci_notebook.engine.app import Engine
from ci_notebook.engine.callbacks import Notices, post
from ci_notebook.engine.catalogue import Catalogue
from ci_notebook.engine.database import Database
from ci_notebook.engine.notice import Address, Topic, may_reach, notice, target_of
from ci_notebook.model.jobs import CallBackMqConfig, JobsDetail, Operation, Request, Response
from ci_notebook.model.queues import NotifyConfig, QueueResponse
from ci_notebook.wire.xml import loads
from tests.fixtures_engine import BUCKET, KEYS, REGION, Caller

MQ = (
    "<CallBackType>TDMQ</CallBackType><CallBackMqConfig><MqRegion>cd</MqRegion><MqMode>{mode}</MqMode>"
    "<MqName>ends</MqName></CallBackMqConfig>"
)


class Receiver:
    """Somebody on loopback who keeps what comes, and answers with one status after the other, 200 at last."""

    def __init__(self, *statuses):
        self.got = queue.Queue()
        answers = list(statuses)
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(answers.pop(0) if answers else 200)
                self.end_headers()
                receiver.got.put((self.path, self.headers["Content-Type"], body))

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def next(self, timeout_s=20):
        return self.got.get(timeout=timeout_s)

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver():
    made = []

    def start(*statuses):
        made.append(Receiver(*statuses))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.fixture
def caller(call_in_process, clip):
    call_in_process.put("in.mp4", clip.read_bytes())
    call_in_process.put("text.mp4", b"no video")
    return call_in_process


def set_queue(call, notify):
    queue_id = loads(QueueResponse, call("GET", "/queue").content).queue_list[0].queue_id
    body = (
        f"<Request><Name>queue-1</Name><State>Active</State><NotifyConfig>{notify}</NotifyConfig></Request>"
    ).encode()
    return call("PUT", f"/queue/{queue_id}", body=body)


def notify_to(address, more=""):
    return f"<State>On</State><Event>TaskFinish</Event><Type>Url</Type><Url>{address}</Url>{more}"


def until(true, timeout_s=10):
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def order_of(element):
    tags = [child.tag for child in element]
    return [tags == sorted(tags), *(one for child in element for one in order_of(child))]


def test_the_notice_of_a_good_end_has_the_shape_of_the_page(caller, receiver):
    to = receiver()
    job = caller.submit(operation="<UserData>run 7</UserData>", after=f"<CallBack>{to.address}/cb?a=1</CallBack>")
    path, content_type, body = to.next()
    root = etree.fromstring(body)
    assert (path, content_type, root.tag) == ("/cb?a=1", "application/xml", "Response")
    assert [child.tag for child in root] == ["EventName", "JobsDetail"]
    assert [child.tag for child in root[1]] == [
        "Code", "CreationTime", "EndTime", "Input", "JobId", "Message", "Operation", "QueueId", "StartTime", "State",
        "Tag",
    ]  # fmt: skip
    assert all(order_of(root))
    told = loads(Response, body)
    assert told.event_name == "TaskFinish"
    detail, known = told.jobs_detail[0], caller.ended(job.job_id)
    assert (detail.job_id, detail.state, detail.operation.user_data) == (job.job_id, "Success", "run 7")
    assert detail.operation.media_result == known.operation.media_result
    assert detail.operation.media_info == known.operation.media_info


def test_the_notice_of_a_bad_end_says_why(caller, receiver):
    to = receiver()
    caller.submit(key="text.mp4", after=f"<CallBack>{to.address}</CallBack>")
    path, _, body = to.next()
    detail = loads(Response, body).jobs_detail[0]
    assert (path, detail.state, detail.code) == ("/", "Failed", "ResourceNotSupported")
    assert "text.mp4" in detail.message


def test_a_notice_in_json_has_text_all_through_and_lists_only_for_what_is_repeated(caller, receiver):
    to = receiver()
    after = f"<CallBack>{to.address}</CallBack><CallBackFormat>JSON</CallBackFormat>"
    job = caller.submit(after=after)
    _, content_type, body = to.next()
    told = json.loads(body)
    assert (content_type, list(told)) == ("application/json", ["EventName", "JobsDetail"])
    assert isinstance(told["JobsDetail"], list)
    detail = told["JobsDetail"][0]
    assert (detail["JobId"], detail["State"]) == (job.job_id, "Success")
    assert "Message" not in detail
    assert "Progress" not in detail
    output = detail["Operation"]["MediaResult"]["OutputFile"]
    assert isinstance(output["Md5Info"], dict)
    assert output["ObjectName"] == f"out/{job.job_id}.mp4"
    assert "ObjectPrefix" not in output
    assert detail["Operation"]["MediaInfo"]["Stream"]["Video"]["Width"] == "320"

    def leaves(value):
        if isinstance(value, dict):
            return [leaf for one in value.values() for leaf in leaves(one)]
        return [leaf for one in value for leaf in leaves(one)] if isinstance(value, list) else [value]

    assert all(isinstance(leaf, str) and leaf for leaf in leaves(told))


def test_what_is_repeated_becomes_a_list_in_json():
    detail = JobsDetail(operation=Operation(watermark_template_id=("t1", "t2")))
    told = json.loads(notice(detail, "JSON"))
    assert told["JobsDetail"][0]["Operation"]["WatermarkTemplateId"] == ["t1", "t2"]


def test_a_queue_tells_of_jobs_that_say_nothing_and_no_silences_it(caller, receiver):
    of_queue, of_job = receiver(), receiver()
    assert set_queue(caller, notify_to(of_queue.address, "<ResultFormat>JSON</ResultFormat>")).status_code == 200
    silent = caller.submit(key="text.mp4", after="<CallBack>no</CallBack>")
    own = caller.submit(key="text.mp4", after=f"<CallBack>{of_job.address}</CallBack>")
    plain = caller.submit(key="text.mp4")
    as_xml = caller.submit(key="text.mp4", after="<CallBackFormat>XML</CallBackFormat>")
    for job in (silent, own, plain, as_xml):
        caller.ended(job.job_id)
    got = dict(of_queue.next()[1:] for _ in range(2))
    assert json.loads(got["application/json"])["JobsDetail"][0]["JobId"] == plain.job_id
    assert loads(Response, got["application/xml"]).jobs_detail[0].job_id == as_xml.job_id
    assert loads(Response, of_job.next()[2]).jobs_detail[0].job_id == own.job_id
    assert of_queue.got.empty()
    assert of_job.got.empty()


def test_a_job_without_any_address_leaves_nothing_to_tell(caller, engine):
    caller.ended(caller.submit(key="text.mp4").job_id)
    until(lambda: engine.untold() == [])


def test_a_cancelled_job_is_not_told(caller, engine, receiver):
    to = receiver()
    queue_id = caller.submit(key="text.mp4").queue_id
    pause = "<Request><Name>q</Name><State>{}</State><NotifyConfig><State>Off</State></NotifyConfig></Request>"
    caller("PUT", f"/queue/{queue_id}", body=pause.format("Paused").encode())
    job = caller.submit(after=f"<CallBack>{to.address}</CallBack>")
    assert caller("PUT", f"/jobs/{job.job_id}", {"cancel": ""}).status_code == 200
    until(lambda: engine.untold() == [])
    assert to.got.empty()


def test_a_receiver_that_fails_is_tried_again(caller, receiver, engine):
    to = receiver(500, 302)
    caller.submit(key="text.mp4", after=f"<CallBack>{to.address}</CallBack>")
    first = to.next()
    until(lambda: [one.trouble for one in engine.untold()] == ["127.0.0.1 answered 500"])
    assert to.next() == first
    # A try is counted when it begins, its trouble is known when the answer is there.
    until(lambda: [(one.tries, one.trouble) for one in engine.untold()] == [(2, "127.0.0.1 answered 302")])


def test_any_2xx_is_taken(caller, receiver, engine):
    to = receiver(204)
    caller.submit(key="text.mp4", after=f"<CallBack>{to.address}</CallBack>")
    to.next()
    until(lambda: engine.untold() == [])


def test_after_the_last_try_a_notice_is_given_up_and_kept_with_its_reason(tmp_path):
    database, now = Database(tmp_path / "ledger.sqlite"), 1000.0
    notices = Notices(database, clock=lambda: now, back_off_s=(1, 5))
    with database.change() as change:
        change.execute("INSERT INTO notices (job_id, due) VALUES ('j1', 1000)")
    tried = []
    while now < 2000:
        claimed = notices.claim()
        if claimed:
            assert notices.claim() is None
            tried.append(now)
            notices.failed(claimed, "answered 500")
        now += 1
    assert tried == [1000, 1001, 1006]
    assert [(one.due, one.tries, one.trouble) for one in notices.all()] == [(None, 3, "answered 500")]
    database.close()


def test_a_notice_whose_sender_died_is_taken_up(tmp_path):
    database, now = Database(tmp_path / "ledger.sqlite"), 1000.0
    notices = Notices(database, clock=lambda: now)
    with database.change() as change:
        change.execute("INSERT INTO notices (job_id, due) VALUES ('j1', 1000)")
    assert notices.claim()
    now += callbacks.CLAIM_S + 1
    assert notices.claim().tries == 2
    database.close()


def test_what_was_not_told_before_the_end_of_an_engine_is_told_by_the_next(tmp_path, receiver):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    options = {"bucket": BUCKET, "region": REGION, "keys": KEYS}
    with Engine(tmp_path, **options) as engine:
        call = Caller(WSGITransport(engine.app))
        call.put("text.mp4", b"no video")
        job = call.ended(call.submit(key="text.mp4", after=f"<CallBack>http://127.0.0.1:{port}</CallBack>").job_id)
        until(lambda: [one.tries for one in engine.untold()] == [1])
        until(lambda: "ConnectionRefusedError" in engine.untold()[0].trouble)
        call.close()

    class Late(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.server.got = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", port), Late) as server, Engine(tmp_path, **options) as engine:
        server.timeout = 20
        server.handle_request()
        assert loads(Response, server.got).jobs_detail[0].job_id == job.job_id
        until(lambda: engine.untold() == [])


def test_a_receiver_that_hangs_holds_up_neither_jobs_nor_the_end_of_the_engine(tmp_path):
    with socket.create_server(("127.0.0.1", 0), backlog=20) as hangs:
        address = f"http://127.0.0.1:{hangs.getsockname()[1]}"
        began = time.monotonic()
        with Engine(tmp_path, bucket=BUCKET, region=REGION, keys=KEYS) as engine:
            call = Caller(WSGITransport(engine.app))
            call.put("text.mp4", b"no video")
            for _ in range(6):
                call.ended(call.submit(key="text.mp4", after=f"<CallBack>{address}</CallBack>").job_id)
            assert len(engine.untold()) == 6
            call.close()
        assert time.monotonic() - began < callbacks.TIMEOUT_S


def test_a_receiver_that_trickles_is_left_after_the_time_out():
    def trickle(server):
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            for _ in range(100):
                time.sleep(0.05)
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=trickle, args=(server,))
        thread.start()
        began = time.monotonic()
        with pytest.raises((OSError, http.client.HTTPException)):
            post(f"http://127.0.0.1:{server.getsockname()[1]}", b"body", "text/plain", timeout_s=0.4)
        assert time.monotonic() - began < 10
        thread.join()


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
    assert "CallBack takes" in answer.text
    refused = set_queue(caller, notify_to(url))
    assert refused.status_code == 400
    assert "NotifyConfig.Url" in refused.text


def job(after):
    from tests.fixtures_engine import job_body

    return job_body(key="text.mp4", after=after)


def test_a_name_that_leads_into_an_intranet_gets_nothing(monkeypatch):
    monkeypatch.setattr(callbacks, "may_reach", lambda host: False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        with pytest.raises(ConnectionRefusedError, match="intranet"):
            post(f"http://localhost:{server.getsockname()[1]}", b"body", "text/plain", timeout_s=1)
        connection, _ = server.accept()
        with connection:
            assert connection.recv(1) == b""


def test_loopback_and_public_addresses_are_reached_and_others_are_not():
    assert [host for host in ("127.0.0.1", "::1", "1.1.1.1", "example.com") if not may_reach(host)] == []
    assert [host for host in ("10.1.2.3", "172.16.0.1", "fe80::1", "224.0.0.1", "::") if may_reach(host)] == []


def test_kafka_is_refused_by_its_name(caller):
    for after in (
        "<CallBackType>Kafka</CallBackType>",
        "<CallBackKafkaConfig><Topic>a</Topic></CallBackKafkaConfig>",
    ):
        answer = caller("POST", "/jobs", body=job(after))
        assert (answer.status_code, "Kafka" in answer.text) == (400, True)
    answer = set_queue(caller, notify_to("http://example.com", "<KafkaConfig><Topic>a</Topic></KafkaConfig>"))
    assert (answer.status_code, "KafkaConfig" in answer.text) == (400, True)


def test_a_message_of_mode_queue_is_read_once_by_whoever_is_first(caller, engine):
    jobs = [caller.submit(key="text.mp4", after=MQ.format(mode="Queue")) for _ in range(2)]
    until(lambda: len(engine.messages("ends", keep=True)) == 2)
    found = engine.messages("ends", region="cd", reader="one", at_most=1)
    found += engine.messages("ends", reader="other")
    assert {one.job_id for one in found} == {one.job_id for one in jobs}
    assert [one.mode for one in found] == ["Queue", "Queue"]
    told = loads(Response, found[0].body)
    assert (told.event_name, told.jobs_detail[0].job_id) == ("TaskFinish", found[0].job_id)
    assert engine.messages("ends") == engine.messages("nobody") == engine.messages("ends", region="bj") == []


def test_each_reader_of_a_topic_has_a_place_of_its_own(caller, engine):
    job = caller.submit(key="text.mp4", after=MQ.format(mode="Topic") + "<CallBackFormat>JSON</CallBackFormat>")
    until(lambda: engine.messages("ends", keep=True))
    for reader in ("one", "other"):
        assert [one.job_id for one in engine.messages("ends", reader=reader)] == [job.job_id]
        assert engine.messages("ends", reader=reader) == []
    caller.ended(caller.submit(key="text.mp4", after=MQ.format(mode="Topic")).job_id)
    until(lambda: engine.messages("ends", reader="one", keep=True))
    assert len(engine.messages("ends", reader="late")) == 2
    assert json.loads(engine.messages("ends", reader="later")[0].body)["EventName"] == "TaskFinish"


def test_messages_outlive_the_engine_that_made_them_and_are_dropped_after_a_week(tmp_path):
    now = 1_700_000_000.0
    options = {"bucket": BUCKET, "region": REGION, "keys": KEYS, "clock": lambda: now}
    with Engine(tmp_path, **options) as engine, engine._told[0]._database.change() as change:
        for job_id in ("j1", "j2"):
            engine._told[1].put(change, Topic("cd", "ends", "Queue", "XML"), job_id, b"<Response/>")
    with Engine(tmp_path, **options) as engine:
        assert [one.job_id for one in engine.messages("ends", at_most=1)] == ["j1"]
        now += 8 * 86400
        with engine._told[0]._database.change() as change:
            engine._told[1].put(change, Topic("cd", "ends", "Queue", "XML"), "j3", b"<Response/>")
        assert [one.job_id for one in engine.messages("ends")] == ["j3"]


def test_a_queue_may_tell_in_a_message_queue(caller, engine):
    mq = "<Type>TDMQ</Type><MqRegion>sh</MqRegion><MqName>all</MqName><MqMode>Topic</MqMode>"
    assert set_queue(caller, f"<State>On</State><Event>TaskFinish</Event>{mq}").status_code == 200
    job = caller.submit(key="text.mp4")
    until(lambda: engine.messages("all", keep=True))
    assert job.job_id in [one.job_id for one in engine.messages("all", region="sh")]


ON = NotifyConfig(
    state="On", event="WorkflowFinish,TaskFinish", type="Url", url="http://q.example", result_format="JSON"
)
TO_MQ = CallBackMqConfig(mq_region="bj", mq_mode="Topic", mq_name="ends")
WHO = {
    "nobody asked": (Request(), NotifyConfig(), None),
    "the queue": (Request(), ON, Address("http://q.example", "JSON")),
    "the queue, in the job's format": (Request(call_back_format="XML"), ON, Address("http://q.example", "XML")),
    "the job": (Request(call_back="http://j.example"), ON, Address("http://j.example", "XML")),
    "silence": (Request(call_back="no"), ON, None),
    "silence beats a message queue": (
        Request(call_back="no", call_back_type="TDMQ", call_back_mq_config=TO_MQ), ON, None,
    ),
    "the job's message queue": (
        Request(call_back_type="TDMQ", call_back_mq_config=TO_MQ), ON, Topic("bj", "ends", "Topic", "XML"),
    ),
    "a message queue without a word on type": (
        Request(call_back_mq_config=TO_MQ), ON, Topic("bj", "ends", "Topic", "XML"),
    ),
    "an address beside a message queue that type does not name": (
        Request(call_back="http://j.example", call_back_mq_config=TO_MQ), ON, Address("http://j.example", "XML"),
    ),
    "a queue that tells of workflows only": (
        Request(), NotifyConfig(state="On", event="WorkflowFinish", type="Url", url="http://q.example"), None,
    ),
    "a queue that is off": (Request(), NotifyConfig(state="Off", event="TaskFinish", type="Url", url="http://q"), None),
    "the queue's message queue": (
        Request(), NotifyConfig(state="On", event="TaskFinish", type="TDMQ", mq_region="hk", mq_name="all"),
        Topic("hk", "all", "Queue", "XML"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("who", WHO)
def test_who_is_told(who):
    request, notify, told = WHO[who]
    assert target_of(request, notify) == told


def test_the_path_of_an_address_is_not_shown():
    assert "secret" not in repr(Address("https://example.com/secret", "XML"))


def test_a_ledger_of_the_version_before_is_brought_up_to_date(tmp_path):
    import sqlite3

    from ci_notebook.engine.database import STEPS

    with sqlite3.connect(tmp_path / "ledger.sqlite") as old:
        for statement in STEPS[0].split(";"):
            old.execute(statement)
        old.execute("PRAGMA user_version = 1")
    old.close()
    database = Database(tmp_path / "ledger.sqlite")
    Catalogue(database, clock=time.time, new_id=lambda: "0" * 32).make_bucket(BUCKET, REGION)
    assert database.rows("SELECT * FROM notices") == []
    database.close()
