"""How an error is said in a panel."""

from __future__ import annotations

from ci_notebook.model.errors import CIError


def said(error: Exception) -> str:
    """Return an error as a sentence; one that is not ours with its kind, since its text may be no sentence."""
    return str(error) if isinstance(error, CIError) else f"{type(error).__name__}: {error}"
