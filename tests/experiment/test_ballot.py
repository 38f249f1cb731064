"""A ballot is blind, balanced, checks the voter, and goes on where it stopped."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from ci_notebook.experiment.journal import Journal
from ci_notebook.experiment.sweep import grid
from ci_notebook.experiment.voting.ballot import Ballot
from ci_notebook.model.api.jobs import MediaResult, OutputFile
from ci_notebook.model.errors import ParameterError
from tests.results.sample_runs import made

FOUR = grid(None, SharpenLevel=[None, 0, 3, 6])


def runs(sweep=FOUR, clips=("city", "sea")):
    """Return made-up runs that have made something."""
    found = []
    for run in made(sweep, clips, pictures=4):
        result = MediaResult(output_file=OutputFile(object_name=(f"out/{run.key}.mp4",)))
        operation = replace(run.job.operation, media_result=result)
        found.append(replace(run, job=replace(run.job, operation=operation)))
    return found


def answered(ballot, answer="left"):
    while (asked := ballot.next) is not None:
        ballot.answer(asked.number, answer, took_s=1.0)
    return ballot


def test_every_pair_of_a_clip_is_asked_once_on_drawn_sides_and_some_again_the_other_way_round(journal):
    ballot = Ballot(runs(), journal, voter="Ann", repeats=0.25)
    asked = ballot.questions
    assert [one.number for one in asked] == list(range(15)), "two clips of six pairs, and three repeats"
    first = [one for one in asked if one.repeats is None]
    assert len({frozenset((one.left.key, one.right.key)) for one in first}) == 12
    assert all(one.left.clip == one.right.clip for one in asked)
    again = [one for one in asked if one.repeats is not None]
    assert len(again) == 3
    for one in again:
        before = asked[one.repeats]
        assert (one.left, one.right, one.share) == (before.right, before.left, before.share)
        assert one.number > one.repeats
    assert len({one.share for one in asked}) == 2, "one moment a clip, the same for all pairs"


def test_each_voter_has_a_fixed_order_of_questions(journal):
    ann, bob = (Ballot(runs(), journal, voter=name) for name in ("Ann", "Bob"))
    assert ann.name == bob.name
    order = [(one.left.key, one.right.key) for one in ann.questions]
    assert order != [(one.left.key, one.right.key) for one in bob.questions]
    assert order == [(one.left.key, one.right.key) for one in Ballot(runs()[::-1], journal, voter=" Ann ").questions]


def test_sides_are_drawn_evenly(journal):
    many = [Ballot(runs(), journal, voter=f"v{n}") for n in range(60)]
    sides = Counter(one.left.key for ballot in many for one in ballot.questions)
    total = sum(sides.values())
    assert all(abs(count / total - 1 / 8) < 0.03 for count in sides.values())


def test_answers_are_in_the_journal_at_once_and_a_new_kernel_resumes(tmp_path: Path):
    with Journal(tmp_path / "j.sqlite") as journal:
        ballot = Ballot(runs(), journal, voter="Ann")
        for answer in ("left", "right", "same"):
            ballot.answer(ballot.next.number, answer, took_s=2.5)
    with Journal(tmp_path / "j.sqlite") as journal:
        again = Ballot(runs(), journal, voter="Ann")
        assert (again.done, again.next.number) == (3, 3)
        assert [vote.answer for vote in again.votes] == ["left", "right", "same"]
        assert again.votes[0].better == again.questions[0].left.key
        assert again.votes[2].better == ""
        assert Ballot(runs(), journal, voter="Bob").done == 0


def test_a_press_too_many_is_ignored_and_one_can_be_taken_back(journal):
    ballot = Ballot(runs(), journal)
    ballot.answer(0, "left")
    ballot.answer(0, "right")
    assert [vote.answer for vote in ballot.votes] == ["left"]
    assert ballot.take_back() and not ballot.take_back()
    assert (ballot.done, ballot.votes, ballot.next.number) == (0, [], 0)
    with pytest.raises(ParameterError, match="left, right, same"):
        ballot.answer(0, "up")


def test_a_long_ballot_is_cut_so_that_every_run_still_meets_others(journal):
    many = runs(grid(None, SharpenLevel=list(range(11))), ("city",))
    ballot = Ballot(many, journal, most=11, repeats=0)
    met = Counter(run.key for one in ballot.questions for run in (one.left, one.right))
    assert len(ballot.questions) == 11
    assert set(met.values()) == {2}, "a ring"


def test_incomparable_inputs_are_refused(journal):
    with pytest.raises(ParameterError, match="two successful runs of one clip"):
        Ballot(runs(FOUR[:1]), journal)
    with pytest.raises(ParameterError, match="two successful runs of one clip"):
        Ballot(made(FOUR, ("city",)), journal)
    with pytest.raises(ParameterError, match="a share from 0 to 1"):
        Ballot(runs(), journal, repeats=2)
    with pytest.raises(ParameterError, match="at least 1"):
        Ballot(runs(), journal, most=0)


def test_a_journal_of_the_second_version_gets_room_for_votes(tmp_path: Path):
    path = tmp_path / "j.sqlite"
    Journal(path).close()
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE votes")
        db.execute("ALTER TABLE runs DROP COLUMN alignment")
        db.execute("ALTER TABLE runs DROP COLUMN scored_with")
        db.execute("PRAGMA user_version = 2")
    db.close()
    with Journal(path) as journal:
        assert answered(Ballot(runs(), journal)).next is None
        assert journal.votes()
