"""How an output was aligned with the video it is scored against: the evidence for its scores.

The record is made by the scoring, kept in the journal, and shown in tables and reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

Box = tuple[float, float, float, float]
"""Left, top, width and height, as shares of a frame."""


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """How the compared frames of an output and its source (or reference) belong together.

    `offset_frames` counts frames at the common rate `fps`: so many of the source (negative: of the output)
    were skipped at the start; `offset_s` is the same as a time. `start_s` is where in the source the compared
    stretch begins. `width` and `height` are those of the compared frames in px; `scale_x` and `scale_y` say
    how much the used part of the source was enlarged to reach them. `rotation` is in degrees clockwise. A
    crop is None where whole frames were compared.
    """

    offset_frames: int = 0
    offset_s: float = 0.0
    start_s: float = 0.0
    fps: float = 0.0
    width: int = 0
    height: int = 0
    scale_x: float = 1.0
    scale_y: float = 1.0
    rotation: int = 0
    source_crop: Box | None = None
    output_crop: Box | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Alignment:
        """Return an alignment from what `as_dict` gave; unknown names are ignored."""
        known: dict[str, Any] = {one.name: values[one.name] for one in fields(cls) if values.get(one.name) is not None}
        for name in ("source_crop", "output_crop"):
            if name in known:
                known[name] = tuple(map(float, known[name]))
        return cls(**known)

    def as_dict(self) -> dict[str, Any]:
        """Return the values by name, as JSON can hold them."""
        return asdict(self)

    def __str__(self) -> str:
        words = [_time_words(self)]
        if self.rotation:
            words.append(f"source rotated by {self.rotation}°")
        for name, box in (("source", self.source_crop), ("output", self.output_crop)):
            if box is not None:
                left, top, width, height = (f"{100 * share:.1f} %" for share in box)
                words.append(f"{name} cropped to {width} × {height} at {left}, {top}")
        if self.source_crop is None and self.output_crop is None:
            words.append("whole frames")
        if self.width and self.height:
            words.append(f"compared at {self.width}×{self.height} px, {self.fps:.5g} frames/s ({_scale_words(self)})")
        return ", ".join(words)


def _time_words(one: Alignment) -> str:
    if one.offset_frames:
        side = "source" if one.offset_frames > 0 else "output"
        count = abs(one.offset_frames)
        skip = f"first {count} frame{'' if count == 1 else 's'} of the {side} skipped ({abs(one.offset_s):.3g} s)"
    else:
        skip = "no time offset"
    return f"source from {one.start_s:g} s, {skip}" if one.start_s else skip


def _scale_words(one: Alignment) -> str:
    if one.scale_x == one.scale_y == 1:
        return "source not scaled"
    if abs(one.scale_x / one.scale_y - 1) < 0.01:
        return f"source scaled by {one.scale_x:.4g}"
    return f"source scaled by {one.scale_x:.4g} × {one.scale_y:.4g}"
