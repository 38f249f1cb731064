"""Whoever asked is told by POST that a job has ended: in its shape, again after a failure, once an engine is back."""

import http.client
import http.server
import json
import socket
import threading
import time

import pytest
from lxml import etree

from ci_notebook.client.connection.transport import WSGITransport
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.notify import outbox, sender
from ci_notebook.engine.notify.notification import notification_body
from ci_notebook.engine.notify.outbox import Outbox
from ci_notebook.engine.notify.sender import post
from ci_notebook.engine.storage.database import Database
from ci_notebook.model.api.jobs import JobsDetail, Operation, Response
from ci_notebook.wire.xml import loads
from tests.engine.notification_receiver import notify_to, set_queue
from tests.engine_fixtures import BUCKET, KEYS, REGION, Caller
from tests.support import until


def order_of(element):
    tags = [child.tag for child in element]
    return [tags == sorted(tags), *(one for child in element for one in order_of(child))]


@pytest.mark.slow
def test_the_notification_of_a_success_has_the_documented_shape(caller, receiver):
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
    orders = list(order_of(root))
    assert orders and all(orders)
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


@pytest.mark.slow
def test_a_json_notification_holds_text_and_lists_only_for_repeated_nodes(caller, receiver):
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


def test_a_repeated_node_becomes_a_list_in_json():
    detail = JobsDetail(operation=Operation(watermark_template_id=("t1", "t2")))
    told = json.loads(notification_body(detail, "JSON"))
    assert told["JobsDetail"][0]["Operation"]["WatermarkTemplateId"] == ["t1", "t2"]


def test_a_queue_notifies_for_jobs_without_a_callback_and_no_disables_it(caller, receiver):
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


def test_a_job_without_any_address_leaves_no_notification(caller, engine):
    caller.ended(caller.submit(key="text.mp4").job_id)
    until(lambda: engine.start().outbox.entries() == [])


def test_a_cancelled_job_sends_no_notification(caller, engine, receiver):
    to = receiver()
    queue_id = caller.submit(key="text.mp4").queue_id
    pause = "<Request><Name>q</Name><State>{}</State><NotifyConfig><State>Off</State></NotifyConfig></Request>"
    caller("PUT", f"/queue/{queue_id}", body=pause.format("Paused").encode())
    job = caller.submit(after=f"<CallBack>{to.address}</CallBack>")
    assert caller("PUT", f"/jobs/{job.job_id}", {"cancel": ""}).status_code == 200
    until(lambda: engine.start().outbox.entries() == [])
    assert to.got.empty()


@pytest.mark.slow
def test_a_receiver_that_fails_is_tried_again(caller, receiver, engine):
    to = receiver(500, 302)
    caller.submit(key="text.mp4", after=f"<CallBack>{to.address}</CallBack>")
    first = to.next()
    until(lambda: [one.trouble for one in engine.start().outbox.entries()] == ["127.0.0.1 answered 500"])
    assert to.next() == first
    # A try is counted when it begins, its trouble is known when the answer is there.
    until(
        lambda: [(one.tries, one.trouble) for one in engine.start().outbox.entries()] == [(2, "127.0.0.1 answered 302")]
    )


def test_any_2xx_is_taken(caller, receiver, engine):
    to = receiver(204)
    caller.submit(key="text.mp4", after=f"<CallBack>{to.address}</CallBack>")
    to.next()
    until(lambda: engine.start().outbox.entries() == [])


def test_after_the_last_retry_a_notification_is_given_up_and_stored_with_its_reason(tmp_path):
    database, now = Database(tmp_path / "ledger.sqlite"), 1000.0
    notices = Outbox(database, clock=lambda: now, backoff_s=(1, 5))
    with database.change() as change:
        change.execute("INSERT INTO notices (job_id, due) VALUES ('j1', 1000)")
    tried = []
    while now < 2000:
        claimed = notices.claim()
        if claimed:
            assert notices.claim() is None
            tried.append(now)
            notices.retry_later(claimed, "answered 500")
        now += 1
    assert tried == [1000, 1001, 1006]
    assert [(one.due, one.tries, one.trouble) for one in notices.entries()] == [(None, 3, "answered 500")]
    database.close()


def test_a_notice_whose_sender_died_is_taken_up(tmp_path):
    database, now = Database(tmp_path / "ledger.sqlite"), 1000.0
    notices = Outbox(database, clock=lambda: now)
    with database.change() as change:
        change.execute("INSERT INTO notices (job_id, due) VALUES ('j1', 1000)")
    assert notices.claim()
    now += outbox.LEASE_S + 1
    assert notices.claim().tries == 2
    database.close()


@pytest.mark.slow
def test_pending_notifications_are_sent_by_the_next_engine(tmp_path, receiver):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    options = {"bucket": BUCKET, "region": REGION, "keys": KEYS}
    with Engine(tmp_path, **options) as engine:
        call = Caller(WSGITransport(engine.app))
        call.put("text.mp4", b"no video")
        job = call.ended(call.submit(key="text.mp4", after=f"<CallBack>http://127.0.0.1:{port}</CallBack>").job_id)
        until(lambda: [one.tries for one in engine.start().outbox.entries()] == [1])
        until(lambda: "ConnectionRefusedError" in engine.start().outbox.entries()[0].trouble)
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
        until(lambda: engine.start().outbox.entries() == [])


@pytest.mark.slow
def test_a_receiver_that_hangs_holds_up_neither_jobs_nor_the_end_of_the_engine(tmp_path):
    with socket.create_server(("127.0.0.1", 0), backlog=20) as hangs:
        address = f"http://127.0.0.1:{hangs.getsockname()[1]}"
        began = time.monotonic()
        with Engine(tmp_path, bucket=BUCKET, region=REGION, keys=KEYS) as engine:
            call = Caller(WSGITransport(engine.app))
            call.put("text.mp4", b"no video")
            for _ in range(6):
                call.ended(call.submit(key="text.mp4", after=f"<CallBack>{address}</CallBack>").job_id)
            assert len(engine.start().outbox.entries()) == 6
            call.close()
        assert time.monotonic() - began < sender.TIMEOUT_S


@pytest.mark.slow
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
