"""Read the scripts and styles of a view, by their paths below `widgets/`."""

from __future__ import annotations

from pathlib import Path

__all__ = ["joined"]

_WIDGETS = Path(__file__).parent.parent


def joined(*names: str) -> str:
    """Return the text of some files below `widgets/`, one after the other."""
    return "".join((_WIDGETS / name).read_text("utf-8") for name in names)
