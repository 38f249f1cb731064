"""Saved state of a panel with a `key`: a small JSON file that survives a restart of the kernel. It holds no secret."""

from __future__ import annotations

import json
import secrets
import urllib.parse
import warnings
from pathlib import Path
from typing import Any

from ci_notebook._folders import absolute, private_file, private_folder

__all__ = ["SavedState"]


class SavedState:
    """Saves a few values of a panel. Without a folder or a key it saves nothing.

    `start` describes the initial setting. When the code of the panel changes it, the saved state is ignored.
    `kind` keeps the keys of different kinds of panels apart.
    """

    def __init__(self, folder: Path | None, key: str | None, start: str, kind: str = "panel") -> None:
        self._start = start
        self._has_warned = False
        # `quote` does not escape dots, and a file name of dots only would be a folder.
        name = f"{kind}-{urllib.parse.quote(key, safe='')}.json" if key else ""
        self._path = absolute(folder) / name if folder and name else None

    def load(self) -> dict[str, Any] | None:
        """Return the last saved values; None if there are none."""
        if self._path is None or not self._path.is_file():
            return None
        try:
            content = json.loads(self._path.read_text("utf-8"))
        except ValueError:
            return None  # damaged file: the panel starts fresh and overwrites it
        return content if isinstance(content, dict) and content.get("start") == self._start else None

    def save(self, **values: Any) -> None:
        """Save values atomically: a kernel that dies meanwhile leaves the old file intact.

        A disk that is full or read-only gives one warning, and the panel still works.
        """
        if self._path is None:
            return
        try:
            self._write(self._path, json.dumps({"start": self._start, **values}))
        except OSError as error:
            if not self._has_warned:
                self._has_warned = True
                warnings.warn(
                    f"The state of this panel cannot be saved ({error.strerror or error}), so it is lost when the "
                    f"kernel stops. Check the disk and the permissions of {str(self._path.parent)!r}.",
                    stacklevel=2,
                )

    def _write(self, path: Path, text: str) -> None:
        private_folder(path.parent)
        # A unique name: several kernels may save under one key. The last one wins.
        temporary = path.with_name(f".{path.stem}-{secrets.token_hex(8)}.part")
        try:
            private_file(temporary).write_text(text, "utf-8")
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
