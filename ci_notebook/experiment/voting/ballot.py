"""Blind comparisons: which two runs are compared next, on which sides and at which moment, and the answers.

Invariant: the seed and the voter's name determine the order, and every answer is written to the journal
at once. So a vote can be resumed, also in another kernel. The voter does not see the settings. Some
questions are repeated with the sides swapped, to check the voter.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, get_args

from ci_notebook.experiment.journal import Journal
from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.voting.vote import Answer, Vote
from ci_notebook.model.clip_labels import clip_id
from ci_notebook.model.errors import ParameterError

ANSWERS: Final = get_args(Answer)
_APART: Final = 3  # questions between a question and its repetition, if there are enough


@dataclass(frozen=True, slots=True)
class Question:
    """Two runs of one clip, compared at the moment `share` (0 to 1) of the clip.

    `repeats` is the number of the question that this one repeats, with the sides swapped.
    """

    number: int
    left: Run
    right: Run
    share: float
    repeats: int | None = None


class Ballot:
    """The questions of one voter, in order, and the answers from the journal.

    `repeats` is the share of questions that are repeated; `moments` is the number of moments per pair;
    `most` is the maximum number of questions without repetitions. Above it some pairs are left out, but
    every run is still compared with others. Raises `ParameterError` if no clip has two runs to compare.
    """

    def __init__(
        self, runs: Iterable[Run], journal: Journal, *, voter: str = "", seed: int = 0, repeats: float = 0.15,
        moments: int = 1, most: int = 60,
    ) -> None:  # fmt: skip
        if not 0 <= repeats <= 1:
            raise ParameterError.plain(f"repeats is {repeats}; use a share from 0 to 1.")
        if moments < 1 or most < 1:
            raise ParameterError.plain(f"moments is {moments} and most is {most}; both must be at least 1.")
        self._journal, self.voter = journal, " ".join(voter.split())
        usable = sorted({run.key: run for run in _successful(runs)}.values(), key=lambda run: run.key)
        identity = repr(([run.key for run in usable], seed, repeats, moments, most))
        self.name = hashlib.sha256(identity.encode()).hexdigest()[:16]
        pairs = _pairs(usable, random.Random(f"{seed}"), moments, most)  # noqa: S311 - an order, not a secret
        if not pairs:
            raise ParameterError.plain(
                "There is nothing to compare. A vote needs two successful runs of one clip with different settings."
            )
        voter_random = random.Random(f"{seed} {self.voter} {self.name}")  # noqa: S311 - as above
        self.questions = _ordered(pairs, voter_random, repeats)
        self._answers = {vote.number: vote for vote in journal.votes(self.name) if vote.voter == self.voter}

    @property
    def next(self) -> Question | None:
        """The first question without an answer; None when all are answered."""
        return next((one for one in self.questions if one.number not in self._answers), None)

    @property
    def done(self) -> int:
        """The number of questions that this voter has answered."""
        return len(self._answers)

    @property
    def votes(self) -> list[Vote]:
        """The answers of every voter to this ballot, oldest first."""
        return self._journal.votes(self.name)

    def answer(self, number: int, answer: Answer, *, took_s: float = 0.0) -> None:
        """Record the answer to the next question: the better side, or `same`.

        An answer to any other question is ignored, because a key may be pressed twice. Raises
        `ParameterError` for any other word.
        """
        if answer not in ANSWERS:
            raise ParameterError.plain(f"{answer!r} is not an answer. Use one of {', '.join(ANSWERS)}.")
        question = self.next
        if question is None or question.number != number:
            return
        vote = Vote(
            ballot=self.name, voter=self.voter, number=number, left=question.left.key, right=question.right.key,
            share=question.share, answer=answer, took_s=took_s, repeats=question.repeats,
        )  # fmt: skip
        self._journal.add_vote(vote)
        self._answers[number] = vote

    def take_back(self) -> bool:
        """Delete the last answer of this voter; False when there is none."""
        if not self._answers:
            return False
        last = max(self._answers)
        self._journal.drop_vote(self._answers.pop(last))
        return True

    def __repr__(self) -> str:
        who = f" of {self.voter}" if self.voter else ""
        return f"<Ballot{who}: {self.done} of {len(self.questions)} answered>"


def _successful(runs: Iterable[Run]) -> Iterable[Run]:
    return (run for run in runs if run.state == "Success" and run.job and run.job.output_keys)


def _pairs(runs: Sequence[Run], draw: random.Random, moments: int, most: int) -> list[Question]:
    """Return at most `most` pairs of runs of one clip: first those that connect all runs of a clip in a ring."""
    rings = list[tuple[int, float, Question]]()
    clips: dict[str, dict[object, Run]] = {}
    for run in runs:
        clips.setdefault(clip_id(run), {})[run.setting] = run
    for _, by_setting in sorted(clips.items()):
        ring = list(by_setting.values())
        draw.shuffle(ring)
        shares = [round(draw.uniform(0.1, 0.9), 3) for _ in range(moments)]
        for (i, one), (j, other) in itertools.combinations(enumerate(ring), 2):
            distance = min(j - i, len(ring) - j + i)
            rings += [(distance, draw.random(), Question(0, one, other, share)) for share in shares]
    rings.sort(key=lambda entry: entry[:2])
    return [question for _, _, question in rings[:most]]


def _ordered(pairs: Sequence[Question], draw: random.Random, repeats: float) -> list[Question]:
    """Return the pairs in random order, on random sides, and some of them again later with the sides swapped."""
    sided = [replace(p, left=p.right, right=p.left) if draw.random() < 0.5 else p for p in pairs]
    draw.shuffle(sided)
    again = draw.sample(range(len(sided)), round(repeats * len(sided)))
    order: list[tuple[int, bool]] = [(at, False) for at in range(len(sided))]
    for at in again:
        first = min(order.index((at, False)) + 1 + _APART, len(order))
        order.insert(draw.randint(first, len(order)), (at, True))
    number_of = {at: number for number, (at, is_again) in enumerate(order) if not is_again}
    return [
        replace(sided[at], number=number, left=sided[at].right, right=sided[at].left, repeats=number_of[at])
        if is_again
        else replace(sided[at], number=number)
        for number, (at, is_again) in enumerate(order)
    ]
