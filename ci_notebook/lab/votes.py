"""What a `VoteView` asks of a lab: ballots, their pictures, and what the votes came to."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Final

from ci_notebook.experiment.journal import Journal
from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.voting.ballot import Ballot, Question
from ci_notebook.results.voting.ranking import Ranking, ranking

_OPEN: Final = 6  # videos that are kept open: a pair, the next one, and some that come again
_QUALITY: Final = 95  # what is to be told apart must not drown in the coding of the pictures


class VoteDesk:
    """The runs to be compared, and the journal that the answers go to. Safe to use from several threads.

    `frames` opens a run as `lab.frames` does; `how` is that of `experiment.ballot.Ballot`.
    """

    def __init__(self, runs: Iterable[Run], journal: Journal, frames: Callable[[Run], Any], **how: Any) -> None:
        self._runs, self._journal, self._frames, self._how = list(runs), journal, frames, how
        self._open: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()

    def ballot(self, voter: str) -> Ballot:
        """Return a voter's questions and answers."""
        return Ballot(self._runs, self._journal, voter=voter, **self._how)

    def pictures(self, question: Question, width: int) -> tuple[bytes, bytes]:
        """Return the two pictures of a question as JPEGs, left and right, at most `width` px wide."""
        with self._lock:
            left, right = (self._opened(run) for run in (question.left, question.right))
            shape = max(left.size, right.size)
            made = [
                one.coded(one.number_at(question.share * one.duration_s), quality=_QUALITY, width=width, shape=shape)
                for one in (left, right)
            ]
        return made[0], made[1]

    def ranking(self, ballot: Ballot) -> Ranking:
        """Return what all voters of a ballot said. Raises `ParameterError` where that ranks nothing."""
        return ranking(self._runs, ballot.votes)

    def close(self) -> None:
        """Close the videos."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def _opened(self, run: Run) -> Any:
        if run.key not in self._open:
            self._open[run.key] = self._frames(run)
        self._open.move_to_end(run.key)
        while len(self._open) > _OPEN:
            self._open.popitem(last=False)[1].close()
        return self._open[run.key]
