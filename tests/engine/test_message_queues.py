"""Messages about jobs wait in queues and topics of the engine's own until they are read."""

import json

from ci_notebook.engine.engine import Engine
from ci_notebook.engine.notify.message_queues import MessageQueues
from ci_notebook.engine.notify.notification import QueueTarget
from ci_notebook.engine.storage.database import Database
from ci_notebook.model.api.jobs import Response
from ci_notebook.wire.xml import loads
from tests.engine.notification_receiver import set_queue
from tests.engine_fixtures import BUCKET, KEYS, REGION
from tests.support import until

MQ = (
    "<CallBackType>TDMQ</CallBackType><CallBackMqConfig><MqRegion>cd</MqRegion><MqMode>{mode}</MqMode>"
    "<MqName>ends</MqName></CallBackMqConfig>"
)


def test_a_message_of_mode_queue_is_read_once_by_the_first_reader(caller, engine):
    jobs = [caller.submit(key="text.mp4", after=MQ.format(mode="Queue")) for _ in range(2)]
    until(lambda: len(engine.messages("ends", keep=True)) == 2)
    messages = engine.messages("ends", region="cd", reader="one", at_most=1)
    messages += engine.messages("ends", reader="other")
    assert {one.job_id for one in messages} == {one.job_id for one in jobs}
    assert [one.mode for one in messages] == ["Queue", "Queue"]
    reply = loads(Response, messages[0].body)
    assert (reply.event_name, reply.jobs_detail[0].job_id) == ("TaskFinish", messages[0].job_id)
    assert engine.messages("ends") == engine.messages("nobody") == engine.messages("ends", region="bj") == []


def test_each_reader_of_a_topic_has_its_own_position(caller, engine):
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
    database = Database(tmp_path / "ledger.sqlite")
    messages = MessageQueues(database, clock=lambda: now)
    with database.change() as change:
        for job_id in ("j1", "j2"):
            messages.put(change, QueueTarget("cd", "ends", "Queue", "XML"), job_id, b"<Response/>")
    with Engine(tmp_path, **options) as engine:
        assert [one.job_id for one in engine.messages("ends", at_most=1)] == ["j1"]
        now += 8 * 86400
        with database.change() as change:
            messages.put(change, QueueTarget("cd", "ends", "Queue", "XML"), "j3", b"<Response/>")
        assert [one.job_id for one in engine.messages("ends")] == ["j3"]
    database.close()


def test_a_queue_may_notify_by_a_message_queue(caller, engine):
    mq = "<Type>TDMQ</Type><MqRegion>sh</MqRegion><MqName>all</MqName><MqMode>Topic</MqMode>"
    assert set_queue(caller, f"<State>On</State><Event>TaskFinish</Event>{mq}").status_code == 200
    job = caller.submit(key="text.mp4")
    until(lambda: engine.messages("all", keep=True))
    assert job.job_id in [one.job_id for one in engine.messages("all", region="sh")]
