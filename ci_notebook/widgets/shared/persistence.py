"""Where a panel with a key is kept between kernels: one small JSON file. No secret ever passes here."""

from __future__ import annotations

import json
import urllib.parse
from pathlib import Path
from typing import Any

from ci_notebook.widgets.enhance.controls import Held


class Kept:
    """Keeps a few values of a panel. Without a folder or a key it keeps nothing.

    `start` names what the panel began with: a panel whose code was changed to begin elsewhere shows
    what the code says. `kind` parts the keys of one kind of panel from those of another.
    """

    def __init__(self, folder: Path | None, key: str | None, start: str, kind: str = "panel") -> None:
        self._start = start
        # `quote` leaves dots alone, and a name of dots alone would be a folder.
        name = f"{kind}-{urllib.parse.quote(key, safe='')}.json" if key else ""
        self._path = Path(folder) / name if folder and name else None

    def load(self) -> dict[str, Any] | None:
        """Return what was saved last; None when there is nothing to come back to."""
        if self._path is None or not self._path.is_file():
            return None
        try:
            kept = json.loads(self._path.read_text("utf-8"))
        except ValueError:
            return None  # a torn file: the panel begins anew and writes over it
        return kept if isinstance(kept, dict) and kept.get("start") == self._start else None

    def save(self, **values: Any) -> None:
        """Keep these. A kernel that dies meanwhile leaves the old file whole."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".part")
        fresh.write_text(json.dumps({"start": self._start, **values}), "utf-8")
        fresh.replace(self._path)


class Memory(Kept):
    """Keeps what a panel shows and its last good values."""

    def read(self) -> tuple[Held, Held] | None:
        """Return what was shown last and what was good last; None when there is nothing to come back to."""
        kept = self.load()
        try:
            return (_held(kept["shown"]), _held(kept["good"])) if kept else None
        except (ValueError, KeyError, TypeError, IndexError):
            return None  # another version's file: the panel begins anew and writes over it

    def write(self, shown: Held, good: Held) -> None:
        """Keep what is shown and what is good."""
        self.save(shown=shown, good=good)


def _held(pair: Any) -> Held:
    return Held(dict(pair[0]), list(pair[1]))
