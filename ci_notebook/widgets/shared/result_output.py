"""Results of a view as an output of the cell: they stay visible after the view and its kernel are gone."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from typing import Any

import ipywidgets
from IPython.display import HTML, display

__all__ = ["ResultOutput"]

_EMPTY = "<p style='opacity:0.75;margin:4px 0'>Nothing was submitted from this panel yet.</p>"


class ResultOutput:
    """A list of HTML entries that is shown where `show` was called and follows every change.

    It is a display that is updated, not a widget, so it is saved with the notebook. Voila neither saves outputs
    nor updates displays; there a widget is shown instead.
    """

    def __init__(self, empty: str = _EMPTY) -> None:
        self._empty = empty
        self._entries: list[str] = []
        self._display_id = uuid.uuid4().hex
        self._is_shown = False
        self._listeners: list[Callable[[str], None]] = []

    def _repr_html_(self) -> str:
        return self._html() or self._empty

    def __repr__(self) -> str:
        return f"ResultOutput of {len(self._entries)} submissions"

    def show(self) -> None:
        """Show the entries here. All places where they are shown are updated."""
        if os.environ.get("SERVER_SOFTWARE", "").startswith("voila/"):
            display(self.following())  # type: ignore[no-untyped-call]
            return
        self._display(update=False)
        self._is_shown = True

    def following(self) -> Any:
        """Return a widget that shows the entries now and later: for a page that shows no later outputs, as Voila's."""
        widget = ipywidgets.HTML()
        self.follow(lambda html: widget.set_trait("value", html or self._empty))
        return widget

    def follow(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the HTML of the entries now and after each change. It is empty without entries."""
        if listener not in self._listeners:
            self._listeners.append(listener)
        listener(self._html())

    def add(self, html: str) -> int:
        """Append an entry; return its number, for `put`."""
        self._entries.append(html)
        self._update()
        return len(self._entries) - 1

    def put(self, number: int, html: str) -> None:
        """Replace an entry."""
        self._entries[number] = html
        self._update()

    def _html(self) -> str:
        return "".join(f"<section>{entry}</section>" for entry in self._entries)

    def _update(self) -> None:
        for listener in self._listeners:
            listener(self._html())
        if self._is_shown:
            self._display(update=True)

    def _display(self, *, update: bool) -> None:
        html = f"<div class='ci-results-output'>{self._repr_html_()}</div>"
        display(HTML(html), display_id=self._display_id, update=update)  # type: ignore[no-untyped-call]
