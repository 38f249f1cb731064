"""The results of a panel, as an output of the cell: they stay when the panel and its kernel are gone."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from typing import Any

import ipywidgets
from IPython.display import HTML, display

_NONE = "<p style='opacity:0.75;margin:4px 0'>Nothing was submitted from this panel yet.</p>"


class Trace:
    """A growing piece of HTML that is shown where `show` was called and follows every change.

    It is a display that is updated, not a widget: what it shows is saved with the notebook. Voila saves
    nothing, and shows no display anew: there it is a widget.
    """

    def __init__(self, nothing: str = _NONE) -> None:
        self._nothing = nothing
        self._entries: list[str] = []
        self._display_id = uuid.uuid4().hex
        self._is_shown = False
        self._followers: list[Callable[[str], None]] = []

    def _repr_html_(self) -> str:
        return "".join(f"<section>{entry}</section>" for entry in self._entries) or self._nothing

    def __repr__(self) -> str:
        return f"Trace of {len(self._entries)} submissions"

    def show(self) -> None:
        """Show it here. Every place where it is shown follows."""
        if os.environ.get("SERVER_SOFTWARE", "").startswith("voila/"):
            display(self.following())  # type: ignore[no-untyped-call]
            return
        self._display(update=False)
        self._is_shown = True

    def following(self) -> Any:
        """Return a widget that shows it now and later: for a page that shows no later outputs, as Voila's."""
        shown = ipywidgets.HTML(self._repr_html_())
        self._followers.append(lambda html: shown.set_trait("value", html))
        return shown

    def add(self, html: str) -> int:
        """Append an entry; return its number, for `put`."""
        self._entries.append(html)
        self._follow()
        return len(self._entries) - 1

    def put(self, number: int, html: str) -> None:
        """Replace an entry."""
        self._entries[number] = html
        self._follow()

    def _follow(self) -> None:
        for tell in self._followers:
            tell(self._repr_html_())
        if self._is_shown:
            self._display(update=True)

    def _display(self, *, update: bool) -> None:
        display(HTML(self._repr_html_()), display_id=self._display_id, update=update)  # type: ignore[no-untyped-call]
