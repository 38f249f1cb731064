"""What the engine decides about the body of a call from its head alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ci_notebook.model.errors import ServiceError

__all__ = ["REFUSAL", "BodyPlan"]

REFUSAL: Final = "ci_notebook.refusal"
"""The key of the refusal in the environment of a call."""


@dataclass(frozen=True, slots=True)
class BodyPlan:
    """What to do with a body that is about to arrive.

    `refusal` is the error that the call gets in any case. A longer body than `limit_bytes` gets `over_limit`; None
    means that the call does not read its body.
    """

    refusal: ServiceError | None = None
    limit_bytes: int = 0
    over_limit: ServiceError | None = None
