"""`VoteView`: which of two frames is better, asked of people who do not know the settings.

Invariants: nothing that names a setting travels to the page before the last question is answered; every answer is in
the journal before the next question is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import traitlets

from ci_notebook.model.errors import CIError
from ci_notebook.model.keywords import checks_keywords
from ci_notebook.widgets.ports import VoteLab
from ci_notebook.widgets.shared.base_view import BaseView, error_text, joined
from ci_notebook.widgets.shared.result_output import ResultOutput

__all__ = ["VoteView"]

_MAX_WIDTH: Final = 2048
_MAX_TIME_S: Final = 3600.0
_WAITING: Final = "<p style='opacity:0.75;margin:4px 0'>The ranking appears here after the last vote.</p>"


class VoteView(BaseView):
    """Compare runs blindly, two at a time: the same moment of both, with random sides and random order.

    Answer with the buttons or with keys: 1 or ← for the left, 2 or → for the right, 0 or ↓ for no difference,
    space to flip between both in one place, Backspace to undo the last answer. Every answer is saved in the journal
    of the lab at once, under `voter`; the same cell continues with the next question. After the last question the
    ranking appears below, and as `ranking`.

    `seed` draws the order, `repeats` is the share of questions that are asked twice, `moments` how many moments of
    a clip each pair is shown at, `most` the maximum number of questions before repeats. Raises `ParameterError` if
    there is nothing to compare.
    """

    _esm = joined("shared/dom.js", "shared/mount.js", "shared/wipe.js", "vote/view.js")
    _css = joined("shared/base.css", "shared/mount.css", "shared/wipe.css", "vote/view.css")

    voter = traitlets.Unicode().tag(sync=True)
    state = traitlets.Dict(help="Number of the question, number of answers, number of questions.").tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)

    @checks_keywords
    def __init__(
        self, lab: VoteLab, runs: Iterable[Any], *, voter: str = "", seed: int = 0, repeats: float = 0.15,
        moments: int = 1, most: int = 60,
    ) -> None:  # fmt: skip
        self._port = lab.vote_desk(list(runs), seed=seed, repeats=repeats, moments=moments, most=most)
        self.on_close(self._port.close)
        self._ballot = self._port.ballot(voter)
        self.output = ResultOutput(empty=_WAITING)
        self._entry: int | None = None
        super().__init__(voter=self._ballot.voter, state=self._progress())
        self._show_ranking()
        self.on_msg(self._receive)
        self.observe(self._change_voter, ["voter"])

    @property
    def ranking(self) -> Any:
        """The ranking. Raises `CIError` while this voter has questions left."""
        left = len(self._ballot.questions) - self._ballot.done
        if left:
            raise CIError(f"The ranking is hidden until you have answered all questions: {left} are left.")
        return self._port.ranking(self._ballot)

    def vote(self, answer: str, *, took_s: float = 0.0) -> None:
        """Answer the current question: `left`, `right` or `same`. Does nothing after the last question."""
        question = self._ballot.next
        if question is not None:
            self._answer(question.number, answer, took_s)

    def take_back(self) -> None:
        """Undo the last answer and ask again. Does nothing after the last question, when the settings are shown."""
        if self._ballot.next is not None:
            self._ballot.take_back()
            self.state = self._progress()

    def close(self) -> None:
        """Close the view, its layout and its videos. The answers stay in the journal."""
        super().close()

    def __repr__(self) -> str:
        by = f" by {self._ballot.voter}" if self._ballot.voter else ""
        return f"VoteView({self._ballot.done} of {len(self._ballot.questions)} answered{by})"

    def _ipython_display_(self) -> None:
        self.display_widget()
        self.output.show()

    def _progress(self) -> dict[str, Any]:
        question = self._ballot.next
        return {
            "number": None if question is None else question.number,
            "done": self._ballot.done,
            "total": len(self._ballot.questions),
        }

    def _answer(self, number: int, answer: Any, took_s: float) -> None:
        self._ballot.answer(number, answer, took_s=took_s)
        with self.hold_sync():
            self.error = ""
            self.state = self._progress()
        self._show_ranking()

    def _show_ranking(self) -> None:
        """Show the ranking below when all questions are answered, and hide it again for the next voter."""
        if self._ballot.next is not None:
            if self._entry is not None:
                self.output.put(self._entry, _WAITING)  # the next voter must not see the ranking of the last one
            return
        try:
            html = self._port.ranking(self._ballot)._repr_html_()
        except CIError as problem:  # for example settings that no vote connects: the answers are kept anyway
            self.error = error_text(problem)
            return
        if self._entry is None:
            self._entry = self.output.add(html)
        else:
            self.output.put(self._entry, html)

    def _change_voter(self, _change: object) -> None:
        if " ".join(self.voter.split()) == self._ballot.voter:
            return
        self._ballot = self._port.ballot(self.voter)
        self.state = self._progress()
        self._show_ranking()

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        try:
            if content.get("do") == "frames":
                self._send_frames(content)
            elif content.get("do") == "vote" and content.get("voter") == self.voter:
                took_s = float(content.get("took_s") or 0.0)
                self._answer(int(content["number"]), content["answer"], min(max(took_s, 0.0), _MAX_TIME_S))
            elif content.get("do") == "take_back":
                self.take_back()
        except Exception as error:  # noqa: BLE001  top of a call from the page: the view shows the error
            self.error = error_text(error)

    def _send_frames(self, content: dict[str, Any]) -> None:
        number = int(content["number"])
        if 0 <= number < len(self._ballot.questions) and content.get("voter") == self.voter:
            width = min(max(int(content.get("width") or _MAX_WIDTH), 64), _MAX_WIDTH)
            frames = self._port.pictures(self._ballot.questions[number], width)
            self.send(
                {"do": "frames", "number": number, "view": content.get("view"), "voter": self.voter}, list(frames)
            )
