"""Jobs: the table of states, times, and what a finished job made."""

from __future__ import annotations

import datetime as dt
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_notebook.model.api.jobs import (
    FOLLOWS,
    TERMINAL,
    JobFailed,
    JobsDetail,
    MediaResult,
    Operation,
    OutputFile,
    State,
    WaitTimedOut,
    time_of,
    time_text,
)
from ci_notebook.model.errors import CIError, EngineError, ServiceError


def test_the_table_of_states_is_closed_and_names_the_api_s_six():
    assert set(FOLLOWS) == set(typing.get_args(State))
    assert {state for following in FOLLOWS.values() for state in following} <= set(FOLLOWS)
    assert frozenset({"Success", "Failed", "Cancel"}) == TERMINAL


@pytest.mark.slow
@given(st.lists(st.integers(0, 5), max_size=20))
def test_every_walk_through_the_states_ends_where_nothing_follows(choices):
    state = "Submitted"
    for choice in choices:
        following = FOLLOWS[state]
        if not following:
            assert state in TERMINAL
            break
        state = following[choice % len(following)]
    assert JobsDetail(state=state).is_over == (state in TERMINAL)


def test_every_state_can_be_reached():
    reached, todo = {"Submitted"}, ["Submitted"]
    while todo:
        new = set(FOLLOWS[todo.pop()]) - reached
        reached |= new
        todo += new
    assert reached == set(FOLLOWS)


@given(st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC)))
def test_a_time_survives_to_the_second(moment):
    assert time_of(time_text(moment)) == moment.replace(microsecond=0)


def test_a_time_is_written_in_beijing_time():
    assert time_text(dt.datetime(2022, 6, 27, 6, 44, 10, tzinfo=dt.UTC)) == "2022-06-27T14:44:10+0800"


@pytest.mark.parametrize("text", [None, "", "-", "soon"])
def test_an_invalid_time_is_none(text):
    assert time_of(text) is None


def test_the_keys_of_a_result_are_prefix_and_name():
    file = OutputFile(object_prefix="out/", object_name=("a.mp4", "b.mp4"))
    job = JobsDetail(operation=Operation(media_result=MediaResult(output_file=file)))
    assert job.output_keys == ("out/a.mp4", "out/b.mp4")
    assert JobsDetail().output_keys == ()
    assert JobsDetail(operation=Operation()).output_keys == ()


def test_the_errors_of_a_wait_carry_the_job_and_say_what_happened():
    job = JobsDetail(job_id="j1", state="Failed", code="InternalError", message="broken", progress=40)
    assert str(JobFailed(job)) == "Job j1 failed with InternalError: broken"
    assert str(JobFailed(JobsDetail(job_id="j1", state="Cancel"))) == "Job j1 was cancelled."
    late = WaitTimedOut(JobsDetail(job_id="j1", state="Running", progress=40), 30)
    assert str(late) == "Job j1 is still Running (40 %) after 30 s. It continues."
    assert isinstance(late, TimeoutError)
    assert isinstance(late, CIError)


def test_an_error_of_the_service_reads_as_a_sentence_with_its_hint():
    error = ServiceError("AccessDenied", "no", status=403, request_id="r1", hint="Grant it.")
    assert str(error) == "AccessDenied (403): no Hint: Grant it. [request r1]"
    assert str(EngineError("it broke", log="last line")) == "it broke\nlast line"
