"""The ballots of a lab for a `VoteView`: questions, the two frames of each, and the ranking of all votes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from ci_notebook.experiment.journal import Journal
from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.voting.ballot import Ballot, Question
from ci_notebook.results.voting.ranking import Ranking, ranking

if TYPE_CHECKING:
    from ci_notebook.media.frames import Frames

_OPEN_VIDEOS: Final = 6  # a pair, the next pair, and two more that come up again
_JPEG_QUALITY: Final = 95  # coding artefacts must not hide the difference that is voted on


class LabVotes:
    """The runs to compare, and the journal for the answers. Safe to use from several threads.

    `frames` opens a run as `lab.frames` does; the rest is as for `experiment.voting.ballot.Ballot`.
    """

    def __init__(
        self, runs: Iterable[Run], journal: Journal, frames: Callable[[Run], Frames], *,
        seed: int = 0, repeats: float = 0.15, moments: int = 1, most: int = 60,
    ) -> None:  # fmt: skip
        self._runs, self._journal, self._frames = list(runs), journal, frames
        self._seed, self._repeats, self._moments, self._most = seed, repeats, moments, most
        self._open_videos: OrderedDict[str, Frames] = OrderedDict()
        self._lock = threading.Lock()

    def ballot(self, voter: str) -> Ballot:
        """Return the questions and answers of a voter."""
        return Ballot(
            self._runs, self._journal, voter=voter,
            seed=self._seed, repeats=self._repeats, moments=self._moments, most=self._most,
        )  # fmt: skip

    def pictures(self, question: Question, width: int) -> tuple[bytes, bytes]:
        """Return the two frames of a question as JPEGs, left and right, at most `width` px wide."""
        with self._lock:
            left, right = (self._opened(run) for run in (question.left, question.right))
            shape = max(left.size, right.size)
            first, second = (
                one.coded(
                    one.number_at(question.share * one.duration_s), quality=_JPEG_QUALITY, width=width, shape=shape
                )
                for one in (left, right)
            )
        return first, second

    def ranking(self, ballot: Ballot) -> Ranking:
        """Return the ranking by all voters of a ballot. Raises `ParameterError` if the votes rank nothing."""
        return ranking(self._runs, ballot.votes)

    def close(self) -> None:
        """Close the videos."""
        with self._lock:
            while self._open_videos:
                self._open_videos.popitem()[1].close()

    def _opened(self, run: Run) -> Frames:
        if run.key not in self._open_videos:
            self._open_videos[run.key] = self._frames(run)
        self._open_videos.move_to_end(run.key)
        while len(self._open_videos) > _OPEN_VIDEOS:
            self._open_videos.popitem(last=False)[1].close()
        return self._open_videos[run.key]
