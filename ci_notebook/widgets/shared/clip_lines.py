"""The line under the title of a panel: size, frame rate, length, codec, dynamic range and sound of each clip.

Invariant: a panel never waits for it. A thread asks the service for what a clip does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from ci_notebook.widgets.shared.workers import DebouncedWorker

__all__ = ["ClipFactsLab", "ClipFactsPort", "ClipLines", "known_line"]


class ClipFactsPort(Protocol):
    """Properties of clips."""

    def check(self, clip: Any, /) -> None:
        """Raise `ParameterError` for what cannot be a clip, such as a local file that was not uploaded."""

    def line(self, clip: Any, /) -> str:
        """Return size, frame rate, length, codec and sound of a clip in one line. May ask the service."""


class ClipFactsLab(Protocol):
    """A lab that knows the properties of clips."""

    @property
    def clip_facts(self) -> ClipFactsPort | None:
        """Properties of clips; None to show none."""


@runtime_checkable
class _HasSummary(Protocol):
    @property
    def summary(self) -> object: ...


def known_line(clip: object) -> str:
    """Return the properties of a clip in one line, as far as the clip itself knows them; "" otherwise."""
    summary = clip.summary if isinstance(clip, _HasSummary) else None
    return "" if summary is None else str(summary)


class ClipLines(DebouncedWorker):
    """Finds the line of each clip; `show` receives all lines when a missing one was found.

    `known` are the lines at the start. A clip whose properties cannot be read keeps an empty line.
    Raises `ParameterError` for a local file that was not uploaded.
    """

    def __init__(
        self, facts: ClipFactsPort | None, clips: Sequence[Any], show: Callable[[list[str]], object]
    ) -> None:  # fmt: skip
        self.known = [known_line(clip) for clip in clips]
        self._facts = facts
        super().__init__("clip-lines", self._read, lambda _, answer: show(answer["lines"]), delay_s=0.0)
        if facts is not None:
            for clip in clips:
                facts.check(clip)
        self._clips = clips

    def start(self) -> None:
        """Ask for the lines that the clips do not know, if there are any."""
        if self._facts is not None and not all(self.known):
            self.submit(self._facts)

    def _read(self, facts: ClipFactsPort) -> dict[str, Any]:
        lines = []
        for clip, line in zip(self._clips, self.known, strict=True):
            try:
                lines.append(line or facts.line(clip))
            except Exception:  # noqa: BLE001  top of a thread: price and preview show the same error
                lines.append("")
        return {"lines": lines}
