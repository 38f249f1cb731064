"""Answers that show jobs are written from the stored bodies, and say what the nodes would say."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ci_notebook as ci
from ci_notebook.engine.calls import job_xml
from ci_notebook.engine.calls.job_details import job_details
from ci_notebook.engine.jobs.ledger import JobRow
from ci_notebook.engine.storage.database import Database
from ci_notebook.model.api.jobs import MediaResult, Operation, Request, Response
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.wire import xml
from ci_notebook.wire.xml import dumps, loads
from tests import strategies
from tests.ledger_jobs import fill

JOB = JobRow(
    job_id="j1", bucket="b-1250000000", queue_id="p1", tag="VideoEnhance", input_object="in/a&b.mp4", created=1e9,
    request=b"<Request/>", work=b"<Operation/>",
)  # fmt: skip
RESULTS = st.builds(
    lambda info, result: Operation(media_info=info, media_result=result),
    st.none() | strategies.nodes(MediaInfo), st.none() | strategies.nodes(MediaResult, unknown=True),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    strategies.nodes(Operation, unknown=True), st.none() | RESULTS, st.none() | st.sampled_from(["a <name>", ""]),
    st.sampled_from(["Submitted", "Running", "Success"]), st.integers(0, 2),
)  # fmt: skip
def test_an_answer_says_what_the_nodes_say(operation, result, template_name, state, level):
    job = replace(
        JOB, request=dumps(Request(operation=operation)), result=result and dumps(result, "Operation"),
        template_name=template_name, state=state, level=level, message="it says: <no>\r\n",
    )  # fmt: skip
    answer = job_xml.jobs_answer([job], "ap-chongqing", missing=["j2", "j3"], next_token="7")
    shown = Response(
        jobs_detail=(job_details(job, "ap-chongqing"),), non_exist_job_ids=("j2", "j3"), next_token="7"
    )  # fmt: skip
    assert loads(Response, answer.body, root="Response") == loads(Response, dumps(shown))


def test_a_request_that_is_out_of_order_or_spelled_otherwise_is_echoed_as_it_was_sent():
    operation = (
        "<JobLevel>2</JobLevel><UserData>a</UserData><Novel>b</Novel><VideoEnhance><MsSharpen/>\n"
        "<ColorEnhance><Contrast>050</Contrast></ColorEnhance></VideoEnhance><UserData>twice</UserData><TemplateId/>"
    )
    job = replace(JOB, request=f"<Request><Operation>{operation}</Operation></Request>".encode())
    answer = job_xml.jobs_answer([job], "ap-chongqing").body
    assert loads(Response, answer) == loads(Response, dumps(Response(jobs_detail=(job_details(job, "ap-chongqing"),))))
    assert b"<Contrast>050</Contrast>" in answer


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count queries, parses of stored bodies, and nodes of operations that are read."""
    counted: Counter[str] = Counter()

    def count(owner: Any, name: str, what: Any) -> None:
        real = getattr(owner, name)

        def counting(*args: Any, **more: Any) -> Any:
            counted[what(*args)] += 1
            return real(*args, **more)

        monkeypatch.setattr(owner, name, counting)

    count(Database, "rows", lambda self, sql, *values: "query" if " FROM jobs " in sql else "other query")
    count(job_xml, "parse", lambda data: "stored body")
    count(xml, "read", lambda cls, *more: cls.__name__)
    return counted


def test_a_list_costs_one_query_a_page_and_each_body_is_read_once(tmp_path, work):
    with ci.connect(home=tmp_path) as lab:
        fill(lab, lab.upload(ci.sample(), f"{uuid.uuid4().hex}.mp4"), 60)  # no other test wrote these operations
        work.clear()
        first = [job.id for job in lab.jobs(page_size=20)]
        assert len(first) == 60
        assert (work["query"], work["stored body"], work["Request"]) == (3, 60, 0)
        assert [job.id for job in lab.jobs(page_size=20)] == first
        assert (work["query"], work["stored body"]) == (6, 60), "the second list found all of them written"


def test_a_poll_reads_no_request_again_and_goes_through_no_other_job(tmp_path, work, monkeypatch):
    with ci.connect(home=tmp_path) as lab:
        ids = fill(lab, lab.upload(ci.sample()), 30)[:10]
        lab.client.job(*ids)
        work.clear()
        for _ in range(5):
            assert [job.job_id for job in lab.client.job(*ids)] == ids
        assert (work["query"], work["stored body"], work["Request"]) == (5, 0, 0)
        assert (work["JobsDetail"], work["Operation"], work["VideoEnhance"]) == (50, 0, 0)


def test_the_query_for_ids_goes_by_the_ids(tmp_path, monkeypatch):
    asked = []
    with ci.connect(home=tmp_path) as lab:
        ids = fill(lab, lab.upload(ci.sample()), 3)
        real = Database.rows
        monkeypatch.setattr(Database, "rows", lambda self, *query: asked.append((self, *query)) or real(self, *query))
        lab.client.job(*ids)
        database, sql, values = next(one for one in asked if "job_id IN" in one[1])
        plan = [row["detail"] for row in real(database, f"EXPLAIN QUERY PLAN {sql}", values)]
    assert len(plan) == 1
    assert "(job_id=?)" in plan[0], plan
