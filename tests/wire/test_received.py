"""`job.xml` is the XML as it came, whatever is in it."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

import ci_notebook as ci
from ci_notebook.model.api.jobs import JobsDetail, Response
from ci_notebook.wire.notifications import read_notification
from ci_notebook.wire.received import job_text, keep_received
from ci_notebook.wire.xml import loads

ODD = (
    "<JobsDetail\tx='a > b'><!-- </JobsDetail> --><JobId>j1</JobId>\r\n<Grade by=\"me 'n' you\">good "
    "<JobsDetail>inner</JobsDetail><![CDATA[</JobsDetail>]]>!</Grade><Message>水 &#x26; &lt;</Message></JobsDetail >"
)
EMPTY = "<JobsDetail/>"
PLAIN = "<JobsDetail><State>Success</State><JobId>j2</JobId></JobsDetail>"
ANSWER = (
    f"<?xml version='1.0' encoding='ENC'?><!-- <JobsDetail> --><Response a='>'>{ODD}<?note <JobsDetail>?>"
    f"<Other><JobsDetail><JobId>no job</JobId></JobsDetail></Other>{EMPTY}\n{PLAIN}</Response>"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16"])
def test_every_job_of_an_answer_has_its_own_text_character_by_character(encoding: str) -> None:
    body = ANSWER.replace("ENC", encoding.replace("-sig", "")).encode(encoding)
    jobs = read_notification(body)
    assert [job.xml for job in jobs] == [ODD, EMPTY, PLAIN]
    assert [job.job_id for job in jobs] == ["j1", None, "j2"]


def test_an_answer_of_one_job_alone_is_its_text() -> None:
    (job,) = read_notification(f"\ufeff  {ODD} <!-- end -->".encode())
    assert job.xml == ODD


def test_copies_have_the_text_and_changed_jobs_do_not() -> None:
    job = read_notification(ANSWER.replace("ENC", "utf-8").encode())[0]
    for other in (pickle.loads(pickle.dumps(job)), copy.deepcopy(job), copy.copy(job)):  # noqa: S301
        assert (other, other.xml) == (job, ODD)
    assert PLAIN.encode() not in pickle.dumps(job), "a job in another process does not carry its whole answer"
    changed = dataclasses.replace(job, state="Failed")
    assert changed.xml == ""
    assert job_text(changed).startswith("<JobsDetail>")


def test_a_job_that_did_not_come_as_xml_has_the_xml_that_stands_for_it() -> None:
    (job,) = read_notification(b'{"JobsDetail": {"JobId": "j1"}}')
    assert job.xml == ""
    assert job_text(job) == "<JobsDetail><JobId>j1</JobId></JobsDetail>"


def test_text_that_is_incomplete_in_itself_is_not_passed_on() -> None:
    body = b"<Response xmlns:q='urn:q'><JobsDetail><JobId>j1</JobId><q:Grade/></JobsDetail></Response>"
    (job,) = read_notification(body)
    assert job.xml == "<JobsDetail><JobId>j1</JobId><q:Grade/></JobsDetail>"
    assert loads(JobsDetail, job_text(job).encode()) == job


def test_the_number_of_texts_is_that_of_the_jobs_in_a_long_answer() -> None:
    body = f"<Response>{PLAIN * 3000}</Response>".encode()
    answer = loads(Response, body)
    keep_received(answer, body)
    assert {job.xml for job in answer.jobs_detail} == {PLAIN}
    assert len(answer.jobs_detail) == 3000


def test_a_job_of_the_lab_shows_what_the_service_sent(tmp_path) -> None:
    with ci.connect(home=tmp_path) as lab:
        lab.queues.pause(next(iter(lab.queues.list())))
        job = lab.submit(lab.upload(ci.sample("city")), {"SharpenLevel": 5})
        assert job.xml.startswith("<JobsDetail><Code>Success</Code>") and job.id in job.xml
        assert "<SharpenLevel>5</SharpenLevel>" in lab.job(job.id).xml
        assert [one.xml for one in lab.jobs()] == [lab.job(job.id).xml]
        job.cancel()
