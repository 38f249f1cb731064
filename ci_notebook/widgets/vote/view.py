"""`VoteView`: which of two pictures is better, asked of people who do not know what they see.

The rules of this file: nothing that names a setting travels to the page before the last question is
answered; every answer is in the journal before the next question is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

import anywidget
import traitlets
from IPython.display import display

from ci_notebook.model.errors import CIError
from ci_notebook.model.keywords import checks_keywords
from ci_notebook.widgets.shared.assets import joined
from ci_notebook.widgets.shared.error_text import said
from ci_notebook.widgets.shared.output import Trace

_WIDEST: Final = 2048
_LONGEST_S: Final = 3600.0
_WAITING: Final = "<p style='opacity:0.75;margin:4px 0'>The ranking appears here after the last vote.</p>"


class Votes(Protocol):
    """The questions and answers of one voter."""

    voter: str

    @property
    def questions(self) -> Sequence[Any]:
        """The questions, in their order."""

    @property
    def next(self) -> Any:
        """The first question without an answer, or None."""

    @property
    def done(self) -> int:
        """How many are answered."""

    def answer(self, number: int, answer: Any, *, took_s: float = 0.0) -> None:
        """Write an answer down."""

    def take_back(self) -> bool:
        """Forget the last answer."""


class VoteDesk(Protocol):
    """Where one votes: ballots, pictures, results."""

    def ballot(self, voter: str) -> Votes:
        """Return a voter's ballot."""

    def pictures(self, question: Any, width: int) -> tuple[bytes, bytes]:
        """Return both pictures of a question."""

    def ranking(self, ballot: Any) -> Any:
        """Return what all voters said."""

    def close(self) -> None:
        """Let go of the videos."""


class Lab(Protocol):
    """What the view needs of a lab."""

    def vote_desk(self, runs: Any, *, seed: int, repeats: float, moments: int, most: int) -> VoteDesk:
        """Return a place to vote."""


class VoteView(anywidget.AnyWidget):
    """Compare runs blindly, two at a time: the same moment of both, on drawn sides, in a drawn order.

    Answer by the buttons or by keys: 1 or ← for the left, 2 or → for the right, 0 or ↓ for no
    difference, space to flip between both in one place, Backspace to take the last answer back. Every
    answer is in the lab's journal at once, under `voter`; the same cell goes on where it stopped. After
    the last one the ranking appears below, and as `ranking`. `how` are `seed`, `repeats` (the share of
    questions that are asked again), `moments` and `most` of a ballot. Raises `ParameterError` where
    there is nothing to compare.
    """

    _esm = joined("shared/dom.js", "shared/wipe.js", "vote/view.js")
    _css = joined("shared/base.css", "shared/wipe.css", "vote/view.css")

    voter = traitlets.Unicode().tag(sync=True)
    state = traitlets.Dict(help="Number of the question, how many are answered, and of how many.").tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)

    @checks_keywords
    def __init__(
        self, lab: Lab, runs: Iterable[Any], *, voter: str = "", seed: int = 0, repeats: float = 0.15,
        moments: int = 1, most: int = 60,
    ) -> None:  # fmt: skip
        self._desk = lab.vote_desk(list(runs), seed=seed, repeats=repeats, moments=moments, most=most)
        self._ballot = self._desk.ballot(voter)
        self.trace = Trace(nothing=_WAITING)
        self._entry: int | None = None
        super().__init__(voter=self._ballot.voter, state=self._told())
        self._reveal()
        self.on_msg(self._take)
        self.observe(self._change_voter, ["voter"])

    @property
    def ranking(self) -> Any:
        """What came of the vote. Raises `CIError` as long as this voter has questions left."""
        left = len(self._ballot.questions) - self._ballot.done
        if left:
            raise CIError(f"{left} questions are left: what the pictures are is not told before the last answer")
        return self._desk.ranking(self._ballot)

    def vote(self, answer: str, *, took_s: float = 0.0) -> None:
        """Answer the question that is shown: `left`, `right` or `same`. Does nothing after the last one."""
        asked = self._ballot.next
        if asked is not None:
            self._answer(asked.number, answer, took_s)

    def take_back(self) -> None:
        """Forget the last answer and ask again; not after the last one, when all is told."""
        if self._ballot.next is not None:
            self._ballot.take_back()
            self.state = self._told()

    def close(self) -> None:
        """Close the view, its layout and its videos. The answers stay."""
        if self.comm is not None:
            self.layout.close()
        super().close()
        desk: VoteDesk | None = self.__dict__.get("_desk")  # None if the constructor refused its arguments
        if desk is not None:
            desk.close()

    def __repr__(self) -> str:
        who = f" by {self._ballot.voter}" if self._ballot.voter else ""
        return f"VoteView({self._ballot.done} of {len(self._ballot.questions)} answered{who})"

    def _ipython_display_(self) -> None:
        bundle = self._repr_mimebundle_() if self.comm is not None else None
        if bundle is not None:
            display(bundle[0], metadata=bundle[1], raw=True)  # type: ignore[no-untyped-call]
        self.trace.show()

    def _told(self) -> dict[str, Any]:
        asked = self._ballot.next
        return {
            "number": None if asked is None else asked.number,
            "done": self._ballot.done,
            "total": len(self._ballot.questions),
        }

    def _answer(self, number: int, answer: Any, took_s: float) -> None:
        self._ballot.answer(number, answer, took_s=took_s)
        with self.hold_sync():
            self.error = ""
            self.state = self._told()
        self._reveal()

    def _reveal(self) -> None:
        """Show what came of it below when the last question is answered, and only then."""
        if self._ballot.next is not None:
            if self._entry is not None:
                self.trace.put(self._entry, _WAITING)  # the next voter is not to see what the last one said
            return
        try:
            html = self._desk.ranking(self._ballot)._repr_html_()
        except CIError as problem:  # such as settings that no vote joins: the answers are kept all the same
            self.error = said(problem)
            return
        if self._entry is None:
            self._entry = self.trace.add(html)
        else:
            self.trace.put(self._entry, html)

    def _change_voter(self, _change: object) -> None:
        if " ".join(self.voter.split()) == self._ballot.voter:
            return
        self._ballot = self._desk.ballot(self.voter)
        self.state = self._told()
        self._reveal()

    def _take(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        try:
            if content.get("do") == "look":
                self._look(content)
            elif content.get("do") == "vote" and content.get("voter") == self.voter:
                took = float(content.get("took_s") or 0.0)
                self._answer(int(content["number"]), content["answer"], min(max(took, 0.0), _LONGEST_S))
            elif content.get("do") == "back":
                self.take_back()
        except Exception as problem:  # noqa: BLE001  the front end's call ends here, so the view says it
            self.error = said(problem)

    def _look(self, content: dict[str, Any]) -> None:
        number = int(content["number"])
        if 0 <= number < len(self._ballot.questions) and content.get("voter") == self.voter:
            width = min(max(int(content.get("width") or _WIDEST), 64), _WIDEST)
            pictures = self._desk.pictures(self._ballot.questions[number], width)
            self.send(
                {"do": "look", "number": number, "view": content.get("view"), "voter": self.voter}, list(pictures)
            )
