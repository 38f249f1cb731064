"""Pictures as a plain output: embedded, captioned, still there when the notebook is opened without a kernel."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Picture:
    """One JPEG and what it shows."""

    jpeg: bytes
    caption: str

    def html(self, width_px: int) -> str:
        """Return a `<figure>` with the picture in it."""
        text = escape(self.caption, quote=True)
        source = base64.b64encode(self.jpeg).decode("ascii")
        return (
            f"<figure style='display:inline-block;margin:4px;vertical-align:top;max-width:{width_px}px'>"
            f"<img src='data:image/jpeg;base64,{source}' alt='{text}' style='width:100%;display:block'>"
            f"<figcaption style='font-size:90%'>{text}</figcaption></figure>"
        )


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
