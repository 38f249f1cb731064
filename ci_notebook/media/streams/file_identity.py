"""The identity of a file's bytes, for caches in memory of what was read from it.

Invariant: two names of one file (hard links) have one identity, and a file that is written again has another one.
"""

from __future__ import annotations

from pathlib import Path

from ci_notebook._folders import readable_file

__all__ = ["Identity", "identity_of"]

Identity = tuple[int, int, int, int]
"""Device, number of the file on it, time of the last change in ns, size in bytes."""


def identity_of(path: Path) -> Identity:
    """Return the identity of a file's bytes. Raises what `readable_file` raises."""
    facts = readable_file(path).stat()
    return facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_size
