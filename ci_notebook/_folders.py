"""The user's folders: the home folder of the account, and the folder where a lab keeps its files.

Invariant: a folder is absolute from here on, so `os.chdir` moves nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ci_notebook.model.errors import CIError, MissingFile, ParameterError

HOME_VARIABLE: Final = "CI_NOTEBOOK_HOME"
NAME_ERRORS: Final = (errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL)
_SHOWN: Final = 120  # characters of a name
_CHOOSE: Final = f"Pass home=, or set {HOME_VARIABLE}, to a folder that you can write to."


def account_home() -> Path | None:
    """Return the home folder of the account; None for an account without one (a container's bare user number)."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home if home.is_absolute() else None


def lab_home(home: Path | str | None = None) -> Path:
    """Return the absolute folder of a lab: `home`, else that of CI_NOTEBOOK_HOME, else one in the user's data folder.

    A leading `~` is the account's home folder. An account without a home folder gets a temporary one, with a warning.
    Raises `ParameterError` for a `~` without a home folder, for a temporary folder of another account, and where the
    current folder, to which a relative path belongs, was deleted.
    """
    import platformdirs  # lazy: `ci-notebook check-notebook` needs no lab

    chosen = home or os.environ.get(HOME_VARIABLE)
    if chosen:
        try:
            return absolute(Path(chosen).expanduser())
        except RuntimeError as error:
            raise ParameterError.plain(f"This account has no home folder (HOME is not set). {_CHOOSE}") from error
    with contextlib.suppress(RuntimeError):
        path = Path(platformdirs.user_data_path("ci_notebook"))
        if path.is_absolute():
            return path
    return _temporary_home()


def _temporary_home() -> Path:
    """Return a folder for an account without a home folder. It is the same in each session, until it is cleared."""
    owner = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"ci_notebook-{owner}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != owner:
            raise unusable(folder, "it belongs to another account")
    except OSError as error:
        raise unusable(folder, error) from error
    warnings.warn(
        f"This account has no home folder, so the lab keeps its files in {str(folder)!r}. "
        f"Set {HOME_VARIABLE} to a folder that is not cleared.",
        stacklevel=3,
    )
    return folder


def absolute(path: Path | str) -> Path:
    """Return a path as seen from the root. Raises `ParameterError` where the current folder was deleted."""
    refuse_nul(path)
    try:
        return Path(path).absolute()
    except FileNotFoundError as error:
        raise ParameterError.plain(
            f"{str(path)!r} is relative to the current folder, which was deleted. Pass an absolute path."
        ) from error


@contextlib.contextmanager
def reading(path: Path | str) -> Iterator[None]:
    """Turn the errors of the system about a file that is read in the block into ours.

    Raises `MissingFile`, and `ParameterError` for a folder or a file that cannot be read.
    """
    try:
        yield
    except CIError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFile.at(path) from error
    except IsADirectoryError as error:
        raise ParameterError.plain(f"{str(path)!r} is a folder. Pass a file in it.") from error
    except OSError as error:
        raise unreadable(path, error) from error


def refuse_nul(path: Path | str) -> None:
    """Raise `ParameterError` for a name with a NUL character, which no file can have."""
    if "\0" in str(path):
        raise ParameterError.plain(f"{str(path)!r} cannot be the name of a file: it has a NUL character. Check it.")


def unreadable(path: Path | str, error: OSError) -> ParameterError:
    """Return the error for a file that the system does not let us read."""
    remedy = "Check its name." if error.errno in NAME_ERRORS else "Check its permissions."
    if error.errno == errno.EIO:
        remedy = "Check the disk."
    shown = str(path) if len(str(path)) <= _SHOWN else f"{str(path)[:_SHOWN]}…"
    return ParameterError.plain(f"The file {shown!r} cannot be read ({error.strerror or error}). {remedy}")


def readable_file(path: Path | str) -> Path:
    """Return the path of a file that can be read. Nothing of it is read.

    Raises `MissingFile`, and `ParameterError` for a folder, for a pipe, socket or device, which may never end, and
    for a file that cannot be read.
    """
    refuse_nul(path)
    with reading(path):
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise ParameterError.plain(f"{str(path)!r} is a pipe, a socket or a device. Pass a file on a disk.")
        if not os.access(path, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return Path(path)


def unusable(folder: Path, error: OSError | str) -> ParameterError:
    """Return the error that says why a lab cannot use its folder, and what to do."""
    reason = error if isinstance(error, str) else error.strerror or str(error)
    return ParameterError.plain(f"The folder {str(folder)!r} cannot be used ({reason}). {_CHOOSE}")
