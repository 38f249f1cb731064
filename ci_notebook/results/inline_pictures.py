"""Frames of videos as a plain output with captions, which a notebook shows without a kernel.

It is separate so that showing pictures does not import matplotlib.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ci_notebook.model.html import picture_html


@dataclass(frozen=True, slots=True)
class Picture:
    """One JPEG and its caption."""

    jpeg: bytes
    caption: str

    def html(self, width_px: int) -> str:
        """Return a `<figure>` with the picture in it."""
        return picture_html(self.jpeg, "jpeg", self.caption, width_px=width_px)


@dataclass(frozen=True)
class Pictures(Sequence[Picture]):
    """Pictures side by side, as wide as they fit."""

    pictures: tuple[Picture, ...]
    width_px: int = 320

    def __getitem__(self, index: int) -> Picture:  # type: ignore[override]
        return self.pictures[index]

    def __len__(self) -> int:
        return len(self.pictures)

    def __repr__(self) -> str:
        return f"Pictures({', '.join(repr(one.caption) for one in self.pictures)})"

    def _repr_html_(self) -> str:
        return "<div>" + "".join(one.html(self.width_px) for one in self.pictures) + "</div>"
