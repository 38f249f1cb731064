"""Errors of the machine (disk, files, database) that leave a public call: they become ours, with the next step.

Invariant: the original error is chained, and our errors are not changed.
"""

from __future__ import annotations

import errno
import functools
import sqlite3
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, TypeVar

from ci_notebook.model.errors import CIError, EngineError, MissingFile, ParameterError

C = TypeVar("C", bound=type)

_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


def own_error(error: OSError | sqlite3.Error) -> CIError:
    """Return our error for one of the machine."""
    if isinstance(error, sqlite3.Error):
        return _of_database(str(error))
    where = f" ({str(error.filename)!r})" if error.filename else ""
    if error.errno in _FULL:
        return EngineError(
            f"The disk is full{where}. Free some space, or use another folder: ci.connect(home=…).",
            code="InsufficientStorage",
        )
    if isinstance(error, FileNotFoundError) and error.filename:
        return MissingFile.at(error.filename)
    reason = error.strerror or str(error) or type(error).__name__
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return ParameterError.plain(f"A file or folder cannot be used: {reason}{where}. Change its permissions.")
    return EngineError(f"The system refused a file operation: {reason}{where}. Check the disk, then try again.")


def _of_database(reason: str) -> CIError:
    if "full" in reason:
        return EngineError(
            "The disk is full, so the journal cannot be written. Free some space; the same call then resumes.",
            code="InsufficientStorage",
        )
    if "readonly" in reason or "unable to open" in reason:
        return ParameterError.plain(
            f"The journal in the lab's folder cannot be written ({reason}). Change the permissions, or pass home=."
        )
    if "locked" in reason:
        return EngineError("Another process is using the journal. Close that process, then try again.")
    return EngineError(f"The journal cannot be used ({reason}). Move journal.sqlite away to start a new one.")


def translates_errors(cls: C) -> C:
    """Decorate a class so that its public methods raise our errors instead of those of the machine."""
    for name, member in list(vars(cls).items()):
        if isinstance(member, FunctionType) and not name.startswith("_"):
            setattr(cls, name, _translated(member))
    return cls


def _translated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except CIError:
            raise
        except (OSError, sqlite3.Error) as error:
            raise own_error(error) from error

    return wrapper
