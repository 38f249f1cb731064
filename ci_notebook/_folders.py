"""The user's folders: the home folder of the account, and the folder where a lab keeps its files.

Invariants: a folder is absolute from here on, so `os.chdir` moves nothing. What is kept in it is private to the
account from its creation, whatever the umask is: folders have the mode 0700, files 0600.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
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
_POSIX: Final = os.name == "posix"  # Windows keeps a user's folders private by inherited access lists
_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
# What a lab and an engine keep in their folders; the last are buckets.
_OURS: Final = re.compile(
    r"engine|cache|panels|(?:journal|ledger)\.sqlite.*|\.(?:incoming|cache|owners|kept)|[a-z0-9-]+-[0-9]+"
)
_NAMED: Final[set[Path]] = set()
"""Folders that a warning has named in this process."""


def account_home() -> Path | None:
    """Return the home folder of the account; None for an account without one (a container's bare user number)."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home if home.is_absolute() else None


def lab_home(home: Path | str | None = None) -> Path:
    """Return the absolute folder of a lab: `home`, else that of CI_NOTEBOOK_HOME, else one in the user's data folder.

    A leading `~` is the account's home folder. A relative folder belongs to the current one. That of CI_NOTEBOOK_HOME
    is replaced there by the absolute one, so that `os.chdir` moves no later lab. An account without a home folder gets
    a temporary one, with a warning. Raises `ParameterError` for a `~` without a home folder, for a temporary folder of
    another account, and where the current folder, to which a relative path belongs, was deleted.
    """
    import platformdirs  # lazy: `ci-notebook check-notebook` needs no lab

    chosen = home or os.environ.get(HOME_VARIABLE)
    if chosen:
        try:
            path = absolute(Path(chosen).expanduser())
            if not home:
                os.environ[HOME_VARIABLE] = str(path)  # for later labs, and for the kernels of a server
            return path
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


def private_home(folder: Path) -> Path:
    """Create the folder of a lab or an engine, open to this account only, and return it.

    An existing folder that other accounts can open is closed to them, if it holds nothing else than ours. Otherwise
    its mode stays, and a warning names it: only what a lab keeps in it is private then.
    """
    if not _create_folder(folder) and _is_open_to_others(folder):
        is_ours = all(_OURS.fullmatch(one.name) for one in folder.iterdir())
        if (not is_ours or not _close_to_others(folder)) and folder not in _NAMED:
            _NAMED.add(folder)
            why = "its mode cannot be changed" if is_ours else "it holds other files, too, so its mode was not changed"
            warnings.warn(
                f"Other accounts of this machine can open the folder {str(folder)!r}; {why}. The files that the lab "
                "keeps in it are private. Pass another folder, or run chmod 700 on this one.",
                stacklevel=2,
            )
    return folder


def private_folder(folder: Path) -> Path:
    """Create a folder below a home, open to this account only, or close an existing one to others; return it.

    Missing parents are created with the usual mode.
    """
    if not _create_folder(folder):
        _close_to_others(folder)
    return folder


def private_file(path: Path) -> Path:
    """Create an empty file that this account alone can read, or close an existing one to others; return its path."""
    try:
        with open(path, "xb", opener=private_opener):
            pass
    except FileExistsError:
        _close_to_others(path)
    return path


def private_database(path: Path) -> Path:
    """Do what `private_file` does for a file that SQLite is about to open: it gives its WAL files the same mode."""
    private_file(path)
    for beside in (path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        with contextlib.suppress(FileNotFoundError):
            _close_to_others(beside)
    return path


def private_opener(path: str, flags: int) -> int:
    """Open a file for `open(…, opener=private_opener)`: a new one is private to this account from its creation."""
    is_new = bool(flags & os.O_EXCL)
    handle = os.open(path, flags, _FILE_MODE)
    if is_new and _POSIX and stat.S_IMODE(os.fstat(handle).st_mode) != _FILE_MODE:
        os.fchmod(handle, _FILE_MODE)  # an odd umask takes rights of the account itself
    return handle


def _create_folder(folder: Path) -> bool:
    """Create a private folder; return False if there is one already."""
    if folder.is_dir():
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=_FOLDER_MODE)
    except FileExistsError:  # a file; or a folder that another process has just created
        if not folder.is_dir():
            raise
        return False
    if _POSIX and folder.stat().st_mode & 0o700 != _FOLDER_MODE:
        folder.chmod(_FOLDER_MODE)  # an odd umask takes rights of the account itself
    return True


def _is_open_to_others(path: Path) -> bool:
    return _POSIX and bool(path.stat().st_mode & 0o077)


def _close_to_others(path: Path) -> bool:
    """Take the rights of other accounts on a file or folder away; return whether they have none now."""
    if _is_open_to_others(path):
        with contextlib.suppress(OSError):  # another account's, or on a disk without modes
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o077)
    return not _is_open_to_others(path)


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
