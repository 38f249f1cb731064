"""How large the output is, and how fast: the arithmetic of `model.shape`, as FFmpeg takes it."""

from __future__ import annotations

from fractions import Fraction

from ci_notebook.model.setting.shape import (
    LARGEST,
    TARGETS,
    OutputPlan,
    Size,
    length_s,
    plan,
    rates,
    shown_size,
    source_rate,
)

__all__ = [
    "LARGEST", "TARGETS", "OutputPlan", "Size", "length_s", "plan", "rate_text", "rates", "shown_size", "source_rate",
]  # fmt: skip


def rate_text(rate: float) -> str:
    """Return a rate as FFmpeg takes it exactly.

    >>> rate_text(25.0), rate_text(29.97002997), rate_text(12.5)
    ('25', '30000/1001', '25/2')
    """
    return str(Fraction(rate).limit_denominator(1001))
