"""Finds credentials in a fixed order of sources, and explains why a source was not used.

Invariant: no text contains a secret value. Messages name the sources, and values are kept in `Secret`,
which never shows its content.
"""

from __future__ import annotations

import configparser
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, NoReturn, Self

from ci_notebook._folders import account_home
from ci_notebook.model.errors import CredentialsError
from ci_notebook.model.text_bytes import read_text, without_mark
from ci_notebook.wire.secret import Secret, reveal

ID_VARIABLE: Final = "TENCENTCLOUD_SECRET_ID"
KEY_VARIABLE: Final = "TENCENTCLOUD_SECRET_KEY"
# The SDKs, the command line tool and the cloud functions use different names.
TOKEN_VARIABLES: Final = (
    "TENCENTCLOUD_SESSION_TOKEN",
    "TENCENTCLOUD_SECURITY_TOKEN",
    "TENCENTCLOUD_TOKEN",
    "TENCENTCLOUD_SESSIONTOKEN",
)


class Credentials:
    """A SecretId, its SecretKey, and the token of temporary credentials. None of them is ever shown.

    >>> Credentials("AKIDEXAMPLE", "example")
    Credentials(source='argument')

    Raises `CredentialsError` for a part that is missing, or that contains blanks or quotation marks.
    """

    __slots__ = ("secret_id", "secret_key", "source", "token")

    secret_id: Secret
    secret_key: Secret
    token: Secret | None
    source: str

    def __init__(self, secret_id: str, secret_key: str, token: str | None = None, *, source: str = "argument") -> None:
        secret_id, secret_key = reveal(secret_id), reveal(secret_key)
        token = None if token is None else reveal(token)
        for name, value in (("secret_id", secret_id), ("secret_key", secret_key), ("token", token or None)):
            if value is not None or name != "token":
                _refuse_if_damaged(name, value, source)
        set_ = object.__setattr__
        set_(self, "secret_id", Secret(secret_id))
        set_(self, "secret_key", Secret(secret_key))
        set_(self, "token", Secret(token) if token else None)
        set_(self, "source", source)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("Credentials cannot be changed. Create new ones.")

    def __repr__(self) -> str:
        return f"Credentials(source={self.source!r})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("Credentials cannot be pickled. Call find_credentials() where they are needed.")

    def __getstate__(self) -> NoReturn:
        raise TypeError("Credentials cannot be pickled. Call find_credentials() where they are needed.")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Credentials):
            return NotImplemented
        return (self.secret_id, self.secret_key, self.token) == (other.secret_id, other.secret_key, other.token)

    def __hash__(self) -> int:
        return hash((self.secret_id, self.secret_key, self.token))


def find_credentials(
    secret_id: str | None = None,
    secret_key: str | None = None,
    token: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    home: Path | None = None,
    root: Path = Path("/"),
) -> Credentials:
    """Return the credentials of the first source that has them.

    The order: the arguments; `TENCENTCLOUD_SECRET_ID`, `TENCENTCLOUD_SECRET_KEY` and a token variable;
    `~/.tencentcloud/credentials`, `/etc/tencentcloud/credentials`; `~/.tccli/default.credential`;
    `~/.cos.conf`; `~/.cos.yaml`. `environ`, `home` and `root` replace those of this machine.

    Raises `CredentialsError` when no source has credentials, or when the first one that has them is
    damaged: credentials of another account are never used instead.
    """
    checks = _check_sources(
        _Machine(environ, home, root), {"secret_id": secret_id, "secret_key": secret_key, "token": token}
    )
    for check in checks:
        if check.failure:
            raise CredentialsError(f"{check.source}: {check.failure}")
        if check.credentials is not None:
            return check.credentials
    reasons = "; ".join(f"{check.source}: {check.reason}" for check in checks)
    raise CredentialsError(
        f"No credentials were found ({reasons}). Set {ID_VARIABLE} and {KEY_VARIABLE}, "
        "or use the embedded engine, which needs none."
    )


def all_credentials(
    *, environ: Mapping[str, str] | None = None, home: Path | None = None, root: Path = Path("/")
) -> list[Credentials]:
    """Return the complete credentials of all sources, for a search for values that must not be shown."""
    return [
        check.credentials
        for check in _check_sources(_Machine(environ, home, root), {})
        if check.credentials is not None
    ]


def explain(*, environ: Mapping[str, str] | None = None, home: Path | None = None, root: Path = Path("/")) -> str:
    """Return one line per source: which one is used, and why the others are not. Contains no value."""
    lines, used = [], ""
    for check in _check_sources(_Machine(environ, home, root), {}):
        if used:
            status = f"not used: {used} comes first" if check.credentials or check.failure else check.reason
        elif check.failure:
            used, status = check.source, f"REFUSED: {check.failure}"
        elif check.credentials is not None:
            used, status = check.source, "USED, with a token" if check.credentials.token else "USED"
        else:
            status = check.reason
        lines.append(f"{check.source}: {status}")
    return "\n".join(lines)


class _Machine:
    """The machine to search: its environment, home folder and root folder."""

    def __init__(self, environ: Mapping[str, str] | None, home: Path | None, root: Path) -> None:
        self.environ = os.environ if environ is None else environ
        self.home = account_home() if home is None else home
        self.root = root

    def at_home(self, name: str) -> Path:
        if self.home is None:
            raise _SkippedError("this account has no home folder")
        return self.home / name


class _Parts(NamedTuple):
    """The content of a source; None or empty means missing."""

    secret_id: str | None
    secret_key: str | None
    token: str | None


@dataclass(frozen=True)
class _SourceCheck:
    """The result of one source: credentials, or the reason why not, or a failure that ends the search."""

    source: str
    credentials: Credentials | None = None
    reason: str = ""
    failure: str = ""


class _SkippedError(Exception):
    """The source has no usable credentials; the message is the reason."""


def _check_sources(machine: _Machine, arguments: Mapping[str, str | None]) -> list[_SourceCheck]:
    etc = machine.root / "etc" / "tencentcloud" / "credentials"
    sources: list[tuple[str, Callable[[], _Parts]]] = [
        ("the arguments", lambda: _Parts(*(arguments.get(name) for name in _Parts._fields))),
        ("the environment", lambda: _from_environment(machine.environ)),
        (
            "~/.tencentcloud/credentials",
            lambda: _from_ini(_text(machine.at_home(".tencentcloud/credentials")), "default"),
        ),
        ("/etc/tencentcloud/credentials", lambda: _from_ini(_text(etc), "default")),
        ("~/.tccli/default.credential", lambda: _from_tccli(_text(machine.at_home(".tccli/default.credential")))),
        ("~/.cos.conf", lambda: _from_ini(_text(machine.at_home(".cos.conf")), "common")),
        ("~/.cos.yaml", lambda: _from_coscli(_text(machine.at_home(".cos.yaml")))),
    ]
    return [_check_source(source, read) for source, read in sources]


def _check_source(source: str, read: Callable[[], _Parts]) -> _SourceCheck:
    try:
        parts = read()
        if not any(parts):
            return _SourceCheck(source, reason="not set")
        missing = [name for name, value in zip(_Parts._fields[:2], parts, strict=False) if not value]
        if missing:
            return _SourceCheck(source, failure=f"the credentials are incomplete: {' and '.join(missing)} is missing")
        return _SourceCheck(
            source, Credentials(parts.secret_id or "", parts.secret_key or "", parts.token, source=source)
        )
    except _SkippedError as reason:
        return _SourceCheck(source, reason=str(reason))
    except CredentialsError as error:
        return _SourceCheck(source, failure=str(error))


def _refuse_if_damaged(name: str, value: str | None, source: str) -> None:
    if not value:
        raise CredentialsError(f"{name} is missing ({source})")
    if not isinstance(value, str):
        raise CredentialsError(f"{name} must be text, and is of the type {type(value).__name__} ({source})")
    if any(char.isspace() or not char.isprintable() or char == "\ufeff" for char in value):
        raise CredentialsError(f"{name} has a blank or a line break in or around it ({source}); copy it again")
    if value[0] in "'\"" or value[-1] in "'\"":
        raise CredentialsError(f"{name} has quotation marks around it ({source}); leave them out")
    if not value.isascii():
        raise CredentialsError(f"{name} contains characters that are not allowed ({source}); copy it again")


def _from_environment(environ: Mapping[str, str]) -> _Parts:
    tokens = {name: environ[name] for name in TOKEN_VARIABLES if environ.get(name)}
    if len(set(tokens.values())) > 1:
        names = sorted(tokens, key=TOKEN_VARIABLES.index)
        differing = next(name for name in names if tokens[name] != tokens[names[0]])
        raise CredentialsError(f"{names[0]} and {differing} contain different tokens; unset the outdated one")
    secret_id, secret_key = environ.get(ID_VARIABLE), environ.get(KEY_VARIABLE)
    if not secret_id and not secret_key:
        raise _SkippedError("not set" if not tokens else f"{next(iter(tokens))} is set, but {ID_VARIABLE} is not")
    if not secret_id or not secret_key:
        missing, present = (KEY_VARIABLE, ID_VARIABLE) if secret_id else (ID_VARIABLE, KEY_VARIABLE)
        raise CredentialsError(f"{present} is set but {missing} is not")
    return _Parts(secret_id, secret_key, next(iter(tokens.values()), None))


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except UnicodeDecodeError:
        # A comment in another encoding; keys are ASCII, and `Credentials` refuses any other.
        return without_mark(path.read_bytes().decode("latin-1"))
    except FileNotFoundError:
        raise _SkippedError("no such file") from None
    except OSError as error:
        raise _SkippedError(f"cannot be read ({type(error).__name__})") from None


def _from_ini(text: str, section: str) -> _Parts:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        # Not chained: its message quotes the line, and the line may be a key.
        raise CredentialsError(f"the file is not an INI file ({type(error).__name__})") from None
    if not parser.has_section(section):
        raise _SkippedError(f"has no section [{section}]")
    return _Parts(*(parser.get(section, name, fallback=None) for name in _Parts._fields))


def _from_tccli(text: str) -> _Parts:
    try:
        content = json.loads(text)
    except json.JSONDecodeError:
        raise CredentialsError("the file is not JSON") from None
    if not isinstance(content, dict):
        raise _SkippedError("contains no JSON object")
    if content.get("type") == "cvm-role":
        raise _SkippedError("uses the role of a cloud machine, which is not supported")
    parts = (content.get(name) for name in ("secretId", "secretKey", "token"))
    return _Parts(*(part if isinstance(part, str) else None for part in parts))


def _from_coscli(text: str) -> _Parts:
    """Read `cos: base:` of coscli's file. A program writes it, with one plain `key: value` per line."""
    fields: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in text.splitlines():
        name, colon, value = line.strip().partition(":")
        if not colon or name.startswith("#"):
            continue
        indent = len(line) - len(line.lstrip())
        above = [one for one in above if one[0] < indent]
        if [tag for _, tag in above] == ["cos", "base"]:
            fields[name.lower()] = value.strip().strip("'\"")
        above.append((indent, name.lower()))
    parts = _Parts(fields.get("secretid"), fields.get("secretkey"), fields.get("sessiontoken"))
    if fields.get("mode", "").lower() == "cvmrole":
        raise _SkippedError("uses the role of a cloud machine, which is not supported")
    is_plain = fields.get("disableencryption", "").lower() == "true" or (parts.secret_id or "AKID").startswith("AKID")
    if not is_plain:
        raise _SkippedError("its values are encrypted by coscli; set DisableEncryption to true in that file")
    return parts
