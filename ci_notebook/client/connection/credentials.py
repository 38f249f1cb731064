"""Where the keys come from, in one order, and why a source was not taken.

The rule of this file: a value never reaches a text. Sources are told by their names, and what a
key holds is kept in `Secret`, which shows itself to no one.
"""

from __future__ import annotations

import configparser
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, NoReturn, Self

from ci_notebook.model.errors import CredentialsError

ID_VARIABLE: Final = "TENCENTCLOUD_SECRET_ID"
KEY_VARIABLE: Final = "TENCENTCLOUD_SECRET_KEY"
# The SDKs, the command line and the functions of the cloud each named it differently.
TOKEN_VARIABLES: Final = (
    "TENCENTCLOUD_SESSION_TOKEN",
    "TENCENTCLOUD_SECURITY_TOKEN",
    "TENCENTCLOUD_TOKEN",
    "TENCENTCLOUD_SESSIONTOKEN",
)


class Secret(str):
    """Text that does not show itself: not in a repr, in a format, in a pickle, or in a traceback's locals."""

    __slots__ = ()

    def reveal(self) -> str:
        """Return what it holds, for the one line that sends it."""
        return self.encode().decode()

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled; look the credentials up again where they are needed")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


class Credentials:
    """A SecretId, its SecretKey, and the token of temporary keys. None of them is shown.

    >>> Credentials("AKIDEXAMPLE", "example")
    Credentials(source='argument')

    Raises `CredentialsError` for a part that is missing, or that has blanks or quotation marks in it.
    """

    __slots__ = ("secret_id", "secret_key", "source", "token")

    secret_id: Secret
    secret_key: Secret
    token: Secret | None
    source: str

    def __init__(self, secret_id: str, secret_key: str, token: str | None = None, *, source: str = "argument") -> None:
        for name, value in (("secret_id", secret_id), ("secret_key", secret_key), ("token", token or None)):
            if value is not None or name != "token":
                _refuse_if_damaged(name, value, source)
        set_ = object.__setattr__
        set_(self, "secret_id", Secret(secret_id.encode().decode()))
        set_(self, "secret_key", Secret(secret_key.encode().decode()))
        set_(self, "token", Secret(token.encode().decode()) if token else None)
        set_(self, "source", source)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("credentials do not change; make new ones")

    def __repr__(self) -> str:
        return f"Credentials(source={self.source!r})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("credentials are not pickled; call find_credentials() where they are needed")

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
    """Return the credentials of the first source that has any.

    The order: the arguments; `TENCENTCLOUD_SECRET_ID`, `TENCENTCLOUD_SECRET_KEY` and a token variable;
    `~/.tencentcloud/credentials`, `/etc/tencentcloud/credentials`; `~/.tccli/default.credential`;
    `~/.cos.conf`; `~/.cos.yaml`. `environ`, `home` and `root` stand for the machine's own.

    Raises `CredentialsError` when there is none, or when the first that has any is damaged: another
    account's keys are never taken in its place.
    """
    looks = _look(_Place(environ, home, root), {"secret_id": secret_id, "secret_key": secret_key, "token": token})
    for look in looks:
        if look.failure:
            raise CredentialsError(f"{look.source}: {look.failure}")
        if look.found is not None:
            return look.found
    told = "; ".join(f"{look.source}: {look.reason}" for look in looks)
    raise CredentialsError(
        f"no credentials were found ({told}). Set {ID_VARIABLE} and {KEY_VARIABLE}, "
        "or use the embedded engine, which needs none."
    )


def all_credentials(
    *, environ: Mapping[str, str] | None = None, home: Path | None = None, root: Path = Path("/")
) -> list[Credentials]:
    """Return the credentials of every source that has whole ones, for a search for what must not be shown."""
    return [look.found for look in _look(_Place(environ, home, root), {}) if look.found is not None]


def explain(*, environ: Mapping[str, str] | None = None, home: Path | None = None, root: Path = Path("/")) -> str:
    """Return, a line a source, which one wins and why the others do not. Holds no value."""
    lines, won = [], ""
    for look in _look(_Place(environ, home, root), {}):
        if won:
            told = f"comes after {won}" if look.found or look.failure else look.reason
        elif look.failure:
            won, told = look.source, f"REFUSED: {look.failure}"
        elif look.found is not None:
            won, told = look.source, "USED, with a token" if look.found.token else "USED"
        else:
            told = look.reason
        lines.append(f"{look.source}: {told}")
    return "\n".join(lines)


class _Place:
    """The machine to look on: its environment, home and root."""

    def __init__(self, environ: Mapping[str, str] | None, home: Path | None, root: Path) -> None:
        self.environ = os.environ if environ is None else environ
        self.home = Path.home() if home is None else home
        self.root = root


class _Parts(NamedTuple):
    """What a source holds; None or empty means not there."""

    secret_id: str | None
    secret_key: str | None
    token: str | None


@dataclass(frozen=True)
class _Look:
    """What looking at one source gave: credentials, or the reason why not, or a failure that ends the search."""

    source: str
    found: Credentials | None = None
    reason: str = ""
    failure: str = ""


class _PassedOver(Exception):
    """The source has nothing for us; its message is the reason."""


def _look(place: _Place, arguments: Mapping[str, str | None]) -> list[_Look]:
    home, etc = place.home / ".tencentcloud" / "credentials", place.root / "etc" / "tencentcloud" / "credentials"
    sources: list[tuple[str, Callable[[], _Parts]]] = [
        ("the arguments", lambda: _Parts(*(arguments.get(name) for name in _Parts._fields))),
        ("the environment", lambda: _from_environment(place.environ)),
        ("~/.tencentcloud/credentials", lambda: _from_ini(_text(home), "default")),
        ("/etc/tencentcloud/credentials", lambda: _from_ini(_text(etc), "default")),
        ("~/.tccli/default.credential", lambda: _from_tccli(_text(place.home / ".tccli" / "default.credential"))),
        ("~/.cos.conf", lambda: _from_ini(_text(place.home / ".cos.conf"), "common")),
        ("~/.cos.yaml", lambda: _from_coscli(_text(place.home / ".cos.yaml"))),
    ]
    return [_look_at(source, read) for source, read in sources]


def _look_at(source: str, read: Callable[[], _Parts]) -> _Look:
    try:
        parts = read()
        if not any(parts):
            return _Look(source, reason="not set")
        missing = [name for name, value in zip(_Parts._fields[:2], parts, strict=False) if not value]
        if missing:
            return _Look(source, failure=f"only half of a key is there; {' and '.join(missing)} is missing")
        return _Look(source, Credentials(parts.secret_id or "", parts.secret_key or "", parts.token, source=source))
    except _PassedOver as reason:
        return _Look(source, reason=str(reason))
    except CredentialsError as error:
        return _Look(source, failure=str(error))


def _refuse_if_damaged(name: str, value: str | None, source: str) -> None:
    if not value:
        raise CredentialsError(f"{name} is missing ({source})")
    if any(char.isspace() or not char.isprintable() or char == "\ufeff" for char in value):
        raise CredentialsError(f"{name} has a blank or a line break in or around it ({source}); copy it again")
    if value[0] in "'\"" or value[-1] in "'\"":
        raise CredentialsError(f"{name} has quotation marks around it ({source}); leave them out")
    if not value.isascii():
        raise CredentialsError(f"{name} holds characters that no key has ({source}); copy it again")


def _from_environment(environ: Mapping[str, str]) -> _Parts:
    tokens = {name: environ[name] for name in TOKEN_VARIABLES if environ.get(name)}
    if len(set(tokens.values())) > 1:
        names = sorted(tokens, key=TOKEN_VARIABLES.index)
        differing = next(name for name in names if tokens[name] != tokens[names[0]])
        raise CredentialsError(f"{names[0]} and {differing} hold different tokens; unset the one that is stale")
    secret_id, secret_key = environ.get(ID_VARIABLE), environ.get(KEY_VARIABLE)
    if not secret_id and not secret_key:
        raise _PassedOver("not set" if not tokens else f"{next(iter(tokens))} is set, but no key")
    if not secret_id or not secret_key:
        missing, there = (KEY_VARIABLE, ID_VARIABLE) if secret_id else (ID_VARIABLE, KEY_VARIABLE)
        raise CredentialsError(f"{there} is set but {missing} is not")
    return _Parts(secret_id, secret_key, next(iter(tokens.values()), None))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise _PassedOver("no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise _PassedOver(f"cannot be read ({type(error).__name__})") from None


def _from_ini(text: str, section: str) -> _Parts:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        # Not chained: its message quotes the line, and the line may be a key.
        raise CredentialsError(f"the file is no INI file ({type(error).__name__})") from None
    if not parser.has_section(section):
        raise _PassedOver(f"has no section [{section}]")
    return _Parts(*(parser.get(section, name, fallback=None) for name in _Parts._fields))


def _from_tccli(text: str) -> _Parts:
    try:
        held = json.loads(text)
    except json.JSONDecodeError:
        raise CredentialsError("the file is no JSON") from None
    if not isinstance(held, dict):
        raise _PassedOver("holds no object")
    if held.get("type") == "cvm-role":
        raise _PassedOver("asks for the role of a cloud machine, which is not supported")
    parts = (held.get(name) for name in ("secretId", "secretKey", "token"))
    return _Parts(*(part if isinstance(part, str) else None for part in parts))


def _from_coscli(text: str) -> _Parts:
    """Read `cos: base:` of coscli's file. It is written by a program, one plain `key: value` a line."""
    held: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in text.splitlines():
        name, colon, value = line.strip().partition(":")
        if not colon or name.startswith("#"):
            continue
        indent = len(line) - len(line.lstrip())
        above = [one for one in above if one[0] < indent]
        if [tag for _, tag in above] == ["cos", "base"]:
            held[name.lower()] = value.strip().strip("'\"")
        above.append((indent, name.lower()))
    parts = _Parts(held.get("secretid"), held.get("secretkey"), held.get("sessiontoken"))
    if held.get("mode", "").lower() == "cvmrole":
        raise _PassedOver("asks for the role of a cloud machine, which is not supported")
    is_plain = held.get("disableencryption", "").lower() == "true" or (parts.secret_id or "AKID").startswith("AKID")
    if not is_plain:
        raise _PassedOver("its values were encrypted by coscli and are not tried; set DisableEncryption to true there")
    return parts
