"""The vote's Python half: blind until the end, written down at once, once a press, and back after a restart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ci_notebook.experiment.journal import Journal
from ci_notebook.experiment.run_record import Run
from ci_notebook.lab.vote_ballots import LabVotes
from ci_notebook.model.errors import CIError, ParameterError
from ci_notebook.widgets.vote.vote_view import VoteView
from tests.experiment.test_ballot import FOUR, runs
from tests.support import send_to_widget

RUNS = runs(FOUR, ("city",))


class HandFrames:
    """A video of ten pictures whose bytes say which run it is of."""

    def __init__(self, run: Run) -> None:
        self.run, self.size, self.duration_s, self.is_closed = run, (64, 36), 0.4, False

    def number_at(self, time_s: float) -> int:
        return int(time_s * 25)

    def coded(self, number: int, **how: object) -> bytes:
        return f"{self.run.key} {number} {how['width']}".encode()

    def close(self) -> None:
        self.is_closed = True


class HandLab:
    def __init__(self, path: Path) -> None:
        self.journal, self.opened = Journal(path), list[HandFrames]()

    def vote_desk(self, given: list[Run], **how: object) -> LabVotes:
        def frames(run: Run) -> HandFrames:
            self.opened.append(HandFrames(run))
            return self.opened[-1]

        return LabVotes(given, self.journal, frames, **how)


@pytest.fixture
def voting(tmp_path: Path) -> Iterator[HandLab]:
    lab = HandLab(tmp_path / "journal.sqlite")
    yield lab
    lab.journal.close()


@pytest.fixture
def view(voting: HandLab) -> VoteView:
    return VoteView(voting, RUNS, voter="Ann", repeats=0.2)


def says(view: VoteView, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[dict[str, object], list[bytes]]]]:
    """Return how the front end speaks; it hears what was sent back."""
    heard: list[tuple[dict[str, object], list[bytes]]] = []
    monkeypatch.setattr(view, "send", lambda content, buffers=None: heard.append((content, buffers or [])))

    def say(**content: object) -> list[tuple[dict[str, object], list[bytes]]]:
        heard.clear()
        send_to_widget(view, {"voter": view.voter, **content})
        return list(heard)

    return say


def test_both_frames_of_a_question_are_sent_and_nothing_identifies_them(view, voting, monkeypatch):
    say = says(view, monkeypatch)
    ((content, (left, right)),) = say(do="frames", number=0, width=640, view="v")
    asked = voting.vote_desk(RUNS, repeats=0.2).ballot("Ann").questions[0]
    at = int(asked.share * 0.4 * 25)
    assert (left, right) == (f"{asked.left.key} {at} 640".encode(), f"{asked.right.key} {at} 640".encode())
    synced = json.dumps([view.get_state(), content], default=str)
    assert not any(run.key in synced or "SharpenLevel" in synced for run in RUNS)
    assert "SharpenLevel" not in repr(view) + view.output._repr_html_() + repr(vars(view)["_trait_values"])
    with pytest.raises(CIError, match="hidden until you have answered all questions"):
        _ = view.ranking


def test_an_answer_is_written_down_at_once_and_once(view, voting, monkeypatch):
    say = says(view, monkeypatch)
    say(do="vote", number=0, answer="left", took_s=2.0)
    say(do="vote", number=0, answer="right", took_s=2.0)
    say(do="vote", number=1, answer="right", took_s=1.0, voter="Somebody else")
    (vote,) = voting.journal.votes()
    assert (vote.voter, vote.number, vote.answer, vote.took_s) == ("Ann", 0, "left", 2.0)
    assert view.state == {"number": 1, "done": 1, "total": 7}
    say(do="take_back")
    assert voting.journal.votes() == []
    assert view.state["number"] == 0


@pytest.mark.slow
def test_the_ranking_appears_after_the_last_answer_and_is_not_taken_back(view):
    while view.state["number"] is not None:
        assert "preferred" not in view.output._repr_html_()
        view.vote("left", took_s=1)
    assert "is preferred to the others in" in view.output._repr_html_()
    assert "SharpenLevel" in repr(view.ranking)
    view.take_back()
    view.vote("left")
    assert view.state == {"number": None, "done": 7, "total": 7}


@pytest.mark.slow
def test_a_new_kernel_resumes_and_shows_the_answers(voting, view):
    for _ in range(3):
        view.vote("same")
    assert repr(view) == "VoteView(3 of 7 answered by Ann)"
    again = VoteView(voting, RUNS[::-1], voter="Ann", repeats=0.2)
    assert again.state == {"number": 3, "done": 3, "total": 7}
    while again.state["number"] is not None:
        again.vote("right")
    assert "preferred" in VoteView(voting, RUNS, voter="Ann", repeats=0.2).output._repr_html_()


@pytest.mark.slow
def test_the_next_voter_starts_over_and_does_not_see_the_first_answers(view):
    while view.state["number"] is not None:
        view.vote("right")
    view.voter = "  Bob "
    assert view.state == {"number": 0, "done": 0, "total": 7}
    assert "preferred" not in view.output._repr_html_()
    while view.state["number"] is not None:
        view.vote("same")
    assert view.ranking.voters == ("Ann", "Bob")
    view.voter = "Ann"
    assert view.state["done"] == 7


def test_an_error_is_shown_in_the_view(view, voting, monkeypatch):
    say = says(view, monkeypatch)
    say(do="vote", number=0, answer="up")
    assert "one of left, right, same" in view.error
    monkeypatch.setattr(voting.journal, "add_vote", lambda vote: 1 / 0)
    say(do="vote", number=0, answer="left")
    assert view.error == "ZeroDivisionError: division by zero"
    assert view.state["number"] == 0
    with pytest.raises(ParameterError, match="two successful runs of one clip"):
        VoteView(voting, RUNS[:1])


def test_videos_are_kept_open_within_bounds_and_closed_with_the_view(voting, monkeypatch):
    view = VoteView(voting, runs(FOUR, ("a", "b", "c")), repeats=0)
    say = says(view, monkeypatch)
    for number in range(18):
        say(do="frames", number=number, width=320)
    assert sum(not one.is_closed for one in voting.opened) <= 6
    view.close()
    assert voting.opened and all(one.is_closed for one in voting.opened)


def test_files_of_the_front_end_are_small():
    assert len(VoteView._esm.encode()) <= 60_000
    assert "http" not in VoteView._esm + VoteView._css
