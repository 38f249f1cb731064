"""Where a panel with a key is kept between kernels: one small JSON file. No secret ever passes here."""

from __future__ import annotations

import json
import urllib.parse
from pathlib import Path

from ci_notebook.widgets.control import Held


class Memory:
    """Keeps what a panel shows and its last good values. Without a folder or a key it keeps nothing.

    `start` names the setting that the panel began with: a panel whose code was changed to begin
    elsewhere shows what the code says.
    """

    def __init__(self, folder: Path | None, key: str | None, start: str) -> None:
        self._start = start
        # `quote` leaves dots alone, and a name of dots alone would be a folder.
        name = f"panel-{urllib.parse.quote(key, safe='')}.json" if key else ""
        self._path = Path(folder) / name if folder and name else None

    def read(self) -> tuple[Held, Held] | None:
        """Return what was shown last and what was good last; None when there is nothing to come back to."""
        if self._path is None or not self._path.is_file():
            return None
        try:
            kept = json.loads(self._path.read_text("utf-8"))
            if kept["start"] != self._start:
                return None
            return Held(dict(kept["shown"][0]), list(kept["shown"][1])), Held(
                dict(kept["good"][0]), list(kept["good"][1])
            )
        except (ValueError, KeyError, TypeError, IndexError):
            return None  # another version's file, or a torn one: the panel begins anew and writes over it

    def write(self, shown: Held, good: Held) -> None:
        """Keep what is shown and what is good. A kernel that dies meanwhile leaves the old file whole."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".part")
        fresh.write_text(json.dumps({"start": self._start, "shown": shown, "good": good}), "utf-8")
        fresh.replace(self._path)
