"""Blind comparisons: which two runs are shown next, on which sides, at which moment, and what was answered.

The rule of this file: the order is drawn from a seed and the voter's name, and every answer is in the
journal at once, so that a vote goes on where it stopped, in another kernel too. What is shown says
nothing of the setting. Some questions are asked again with the sides changed: they check the voter.
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
from ci_notebook.model.errors import ParameterError

ANSWERS: Final = get_args(Answer)
_APART: Final = 3  # questions between a question and its repeat, where there are so many


@dataclass(frozen=True, slots=True)
class Question:
    """Two runs of one clip, to be looked at beside each other `share` of the way through it.

    `repeats` is the number of the question that is asked again here, with the sides changed.
    """

    number: int
    left: Run
    right: Run
    share: float
    repeats: int | None = None


class Ballot:
    """The questions of one voter, in their order, and the answers that the journal holds.

    `repeats` is the share of questions that are asked again; `moments` how many moments of a clip each
    pair is shown at; `most` the number of questions before repeats: beyond it some pairs are left out,
    and every run still meets others. Raises `ParameterError` where no clip has two runs to compare.
    """

    def __init__(
        self, runs: Iterable[Run], journal: Journal, *, voter: str = "", seed: int = 0, repeats: float = 0.15,
        moments: int = 1, most: int = 60,
    ) -> None:  # fmt: skip
        if not 0 <= repeats <= 1:
            raise ParameterError("repeats", repeats, "a share from 0 to 1")
        if moments < 1 or most < 1:
            raise ParameterError("moments and most", min(moments, most), "whole numbers of at least 1")
        self._journal, self.voter = journal, " ".join(voter.split())
        usable = sorted({run.key: run for run in _made(runs)}.values(), key=lambda run: run.key)
        told = repr(([run.key for run in usable], seed, repeats, moments, most))
        self.name = hashlib.sha256(told.encode()).hexdigest()[:16]
        pairs = _pairs(usable, random.Random(f"{seed}"), moments, most)  # noqa: S311 - an order, not a secret
        if not pairs:
            raise ParameterError(
                "a vote", "these runs", "two runs of one clip that went well, with different settings", "Run a sweep."
            )
        own = random.Random(f"{seed} {self.voter} {self.name}")  # noqa: S311 - as above
        self.questions = _ordered(pairs, own, repeats)
        self._answers = {vote.number: vote for vote in journal.votes(self.name) if vote.voter == self.voter}

    @property
    def next(self) -> Question | None:
        """The first question without an answer; None when all are answered."""
        return next((one for one in self.questions if one.number not in self._answers), None)

    @property
    def done(self) -> int:
        """How many questions this voter has answered."""
        return len(self._answers)

    @property
    def votes(self) -> list[Vote]:
        """The answers of every voter to this ballot, oldest first."""
        return self._journal.votes(self.name)

    def answer(self, number: int, answer: Answer, *, took_s: float = 0.0) -> None:
        """Write down the answer to the next question: the side that is better, or `same`.

        An answer to another question than the next is ignored: it was pressed twice. Raises
        `ParameterError` for another word.
        """
        if answer not in ANSWERS:
            raise ParameterError("an answer", answer, "one of " + ", ".join(ANSWERS))
        asked = self.next
        if asked is None or asked.number != number:
            return
        vote = Vote(
            ballot=self.name, voter=self.voter, number=number, left=asked.left.key, right=asked.right.key,
            share=asked.share, answer=answer, took_s=took_s, repeats=asked.repeats,
        )  # fmt: skip
        self._journal.add_vote(vote)
        self._answers[number] = vote

    def take_back(self) -> bool:
        """Forget the last answer of this voter; False when there is none."""
        if not self._answers:
            return False
        last = max(self._answers)
        self._journal.drop_vote(self._answers.pop(last))
        return True

    def __repr__(self) -> str:
        who = f" of {self.voter}" if self.voter else ""
        return f"<Ballot{who}: {self.done} of {len(self.questions)} answered>"


def _made(runs: Iterable[Run]) -> Iterable[Run]:
    return (run for run in runs if run.state == "Success" and run.job and run.job.output_keys)


def _pairs(runs: Sequence[Run], draw: random.Random, moments: int, most: int) -> list[Question]:
    """Return at most `most` pairs of runs of one clip: first those that join all runs of a clip in a ring."""
    rings = list[tuple[int, float, Question]]()
    clips: dict[str, dict[object, Run]] = {}
    for run in runs:
        clips.setdefault(run.clip_md5 or run.clip_key, {})[run.setting] = run
    for _, held in sorted(clips.items()):
        laid = list(held.values())
        draw.shuffle(laid)
        shares = [round(draw.uniform(0.1, 0.9), 3) for _ in range(moments)]
        for (i, one), (j, other) in itertools.combinations(enumerate(laid), 2):
            far = min(j - i, len(laid) - j + i)
            rings += [(far, draw.random(), Question(0, one, other, share)) for share in shares]
    rings.sort(key=lambda ring: ring[:2])
    return [question for _, _, question in rings[:most]]


def _ordered(pairs: Sequence[Question], draw: random.Random, repeats: float) -> list[Question]:
    """Return the pairs in a drawn order, on drawn sides, with some again later on the other sides."""
    turned = [replace(p, left=p.right, right=p.left) if draw.random() < 0.5 else p for p in pairs]
    draw.shuffle(turned)
    again = draw.sample(range(len(turned)), round(repeats * len(turned)))
    order: list[tuple[int, bool]] = [(at, False) for at in range(len(turned))]
    for at in again:
        first = min(order.index((at, False)) + 1 + _APART, len(order))
        order.insert(draw.randint(first, len(order)), (at, True))
    number_of = {at: number for number, (at, is_again) in enumerate(order) if not is_again}
    return [
        replace(turned[at], number=number, left=turned[at].right, right=turned[at].left, repeats=number_of[at])
        if is_again
        else replace(turned[at], number=number)
        for number, (at, is_again) in enumerate(order)
    ]
