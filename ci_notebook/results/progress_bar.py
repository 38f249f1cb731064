"""A progress bar: HTML in a notebook, one line in a terminal, else nothing.

It is an updated display and not a widget, so a saved notebook shows its last state.
`CI_NOTEBOOK_PROGRESS=0` switches it off; the notebook tests do so, because the last state contains a time.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from html import escape
from types import TracebackType
from typing import Any, Self

from ci_notebook.model.api.time_left import TimeLeft, combined, measured_s

_PAUSE_S = 0.1


class Progress:
    """Shows the progress of a task. Use it as a context manager; any thread may call `update`.

    >>> with Progress("Uploading", total=3) as progress:
    ...     progress.update(3)
    """

    def __init__(self, label: str, *, total: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._label, self._total, self._clock = label, total, clock
        self._done, self._note = 0.0, ""
        self._left: TimeLeft | None = None
        self._started = self._shown = clock()
        self._show = _output()

    def __enter__(self) -> Self:
        self._show(self._html(), self._text(), False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._note = "interrupted" if kind is KeyboardInterrupt else "stopped"
        self._show(self._html(), self._text(), True)

    def update(self, done: float, note: str = "", *, left: TimeLeft | None = None) -> None:
        """Set how much is done, in the unit of `total`, and a note to show.

        `left` is the time left; without it, it is estimated from the speed so far.
        """
        self._done, self._note, self._left = done, note, left
        now = self._clock()
        if now - self._shown >= _PAUSE_S or done >= self._total:
            self._shown = now
            self._show(self._html(), self._text(), False)

    def _share(self) -> float:
        return min(1.0, self._done / self._total) if self._total else 1.0

    def _words(self) -> str:
        seconds = self._clock() - self._started
        share = self._share()
        left = self._left or combined(share, measured_s(seconds, share), None)
        note = f" · {self._note}" if self._note else ""
        return f"{100 * share:.0f} %{note} · {seconds:.0f} s{f', {left}' if left and share < 1 else ''}"

    def _text(self) -> str:
        return f"{self._label}: {self._words()}"

    def _html(self) -> str:
        label, words = escape(self._label), escape(self._words())
        return (
            f"<div><label>{label} "
            f"<progress max='1' value='{self._share():.3f}' aria-label='{label}'></progress></label>"
            f" <span>{words}</span></div>"
        )


def _output() -> Callable[[str, str, bool], None]:
    if os.environ.get("CI_NOTEBOOK_PROGRESS") == "0":
        return lambda html, text, last: None
    if _in_notebook():
        return _notebook()
    if sys.stderr.isatty():
        return _terminal
    return lambda html, text, last: None


def _in_notebook() -> bool:
    if "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


def _notebook() -> Callable[[str, str, bool], None]:
    from IPython.display import display  # lazy: in a kernel it is loaded already

    handle: list[Any] = []

    def show(html: str, text: str, last: bool) -> None:
        bundle = {"text/html": html, "text/plain": text}
        if handle:
            handle[0].update(bundle, raw=True)
        else:
            handle.append(display(bundle, raw=True, display_id=True))  # type: ignore[no-untyped-call]

    return show


def _terminal(html: str, text: str, last: bool) -> None:
    sys.stderr.write(f"\r\033[K{text}" + ("\n" if last else ""))
    sys.stderr.flush()
