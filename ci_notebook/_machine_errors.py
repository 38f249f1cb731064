"""Errors of the machine (disk, files, database) that leave a public call: they become ours, with the next step.

Invariant: the original error is chained, and our errors are not changed.
"""

from __future__ import annotations

import errno
import functools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any, Final, TypeVar

from ci_notebook._folders import NAME_ERRORS, unreadable
from ci_notebook.model.errors import CIError, EngineError, MissingFile, ParameterError

__all__ = ["FULL", "own_error", "translates_errors", "with_own_errors"]

C = TypeVar("C", bound=type)

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def own_error(error: OSError | sqlite3.Error, file: Path | str = "") -> CIError:
    """Return our error for one of the machine. `file` is the database, or the file that was read or written."""
    if isinstance(error, sqlite3.Error):
        return _of_database(str(error), file)
    name = error.filename or file
    where = f" ({str(name)!r})" if name else ""
    if error.errno in FULL:
        reason = "" if error.errno == errno.ENOSPC else f", or a quota or limit is reached: {error.strerror}"
        return EngineError(
            f"The disk is full{reason}{where}. Free some space, or use another folder.",
            code="InsufficientStorage",
        )
    mistake = _of_name(error, name) if name else None
    if mistake is not None:
        return mistake
    reason = error.strerror or str(error) or type(error).__name__
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        remedy = "Choose another folder, or change its permissions."
        return ParameterError.plain(f"A file or folder cannot be used: {reason}{where}. {remedy}")
    return EngineError(f"The system refused a file operation: {reason}{where}. Check the disk, then try again.")


def _of_name(error: OSError, name: Path | str | bytes | int) -> ParameterError | None:
    """Return the error for a name of a file that no file can have; None for any other error."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return MissingFile.at(name)
    if isinstance(error, IsADirectoryError):
        return ParameterError.plain(f"{str(name)!r} is a folder. Pass the name of a file.")
    return unreadable(str(name), error) if error.errno in NAME_ERRORS else None


def _of_database(reason: str, file: Path | str) -> CIError:
    if "closed" in reason:
        return ParameterError.plain("The lab or its journal is closed. Open it again with ci.connect().")
    what, name = (repr(str(file)), Path(file).name) if file else ("The journal", "journal.sqlite")
    if "full" in reason:
        return EngineError(
            f"The disk is full, so {what if file else 'the journal'} cannot be written. "
            "Free some space; the same call then resumes.",
            code="InsufficientStorage",
        )
    if "readonly" in reason or "unable to open" in reason:
        place = what if file else "The journal in the lab's folder"
        return ParameterError.plain(
            f"{place} cannot be written ({reason}). Change the permissions, or use a folder that you can write to."
        )
    if "locked" in reason:
        used = what.replace("The", "the")
        return EngineError(f"Another process is using {used}. Close that process, then try again.")
    if "I/O" in reason:
        return EngineError(f"{what} cannot be read or written ({reason}). Check the disk, then try again.")
    return EngineError(f"{what} cannot be used ({reason}). Move {name} away to start a new one.")


def translates_errors(cls: C) -> C:
    """Decorate a class so that its public methods raise our errors instead of those of the machine."""
    for name, member in list(vars(cls).items()):
        if isinstance(member, FunctionType) and not name.startswith("_"):
            setattr(cls, name, _translated(member))
    return cls


@contextmanager
def with_own_errors(file: Path | str = "") -> Iterator[None]:
    """Raise our errors instead of those of the machine, in a block or, as a decorator, in a function."""
    try:
        yield
    except CIError:
        raise
    except (OSError, sqlite3.Error) as error:
        raise own_error(error, file) from error


def _translated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with with_own_errors():
            return function(*args, **kwargs)

    return wrapper
