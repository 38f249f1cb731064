"""Find keys, signatures, tokens and machine paths in a text that others will read.

Invariant: a leak is reported by its kind and position, never by its content.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from ci_notebook._folders import account_home
from ci_notebook.client.connection.credentials import ID_VARIABLE, KEY_VARIABLE, TOKEN_VARIABLES, all_credentials


class Leak(NamedTuple):
    """One leak in a text: the name of its rule, its kind, and its offset in characters."""

    rule: str
    what: str
    at: int


_KEYS_OUT = (
    "Take keys from the environment (`ci.connect` looks there), clear the outputs, and replace the key: it has leaked."
)
_REMEDY: Final = {
    "secret": _KEYS_OUT,
    "signed": "Anybody who has it can use it until it expires. Remove it, and sign again where it is needed.",
    "path": "Use a path relative to the notebook, or clear the output: it shows your machine, and maybe your name.",
    "date": "It differs on every run: do not print it.",
}

# A name, then its value: `secret_key = "…"`, `"SecretKey": "…"`, `SECRET_KEY=…`, `<SecretKey>…`.
_IS = r"""\\?["']?\]?(?:\s{0,3}(?:=>|[=:>,]|%3D)\s{0,3}|[ \t]{1,3})\\?["']?"""
_SECRETS: Final = (
    ("a SecretId", re.compile(r"(?<![A-Za-z0-9])AKID[A-Za-z0-9_-]{13,}")),
    ("a SecretKey", re.compile(rf"secret_?-?(?:access_?-?)?key{_IS}((?=[^\d\s]*\d)[A-Za-z0-9+/=_-]{{16,}})", re.I)),
    (
        "a token of temporary keys",
        re.compile(rf"(?:security|session)_?-?token{_IS}((?=[^\d\s]*\d)[A-Za-z0-9+/=_%-]{{20,}})", re.I),
    ),
    ("a token", re.compile(r"(?:Bearer|[?&]token=|\btoken=)\s{0,2}((?=[^\d\s]*\d)[A-Za-z0-9._~+/=-]{24,})")),
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")),
)
_SIGNED: Final = (
    ("a signature", re.compile(rf"q-signature{_IS}[0-9a-f]{{40}}", re.I)),
    ("a presigned address", re.compile(r"https?://[^\s\"'<>]+[?&](?:X-Amz-Signature|Signature|sign)=[^\s\"'<>&]{16,}")),
)
_PATH = re.compile(
    r"(?:file://|(?<![\w./:~-]))/(?:root|home|Users|tmp|private|var/folders|mnt|Volumes)/[\w.@+-]+"
    r"|(?<![A-Za-z])[A-Za-z]:\\{1,2}(?:Users|Documents and Settings|Temp)\\{1,2}[^\s\"'<>\\]+"
)
_DATE = re.compile(r"\b20[2-9]\d-[01]\d-[0-3]\d[T ][0-2]\d:[0-5]\d")
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w=-]+)*;base64,([A-Za-z0-9+/=\s\\n]{16,})")
# Placeholders for keys in documentation.
_PLACEHOLDER = re.compile(r"(?i)(.)\1{7}|your|placeholder")


def _current_folder() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:  # it was deleted
        return ""


def remedy(rule: str) -> str:
    """Return the next step for a leak of this rule."""
    return _REMEDY[rule]


class Known:
    """Values that must not appear: keys of the environment and of credentials files, and folders of this machine.

    They are compared and never printed.
    """

    def __init__(
        self, *, environ: Mapping[str, str] | None = None, home: Path | None = None, root: Path = Path("/")
    ) -> None:
        environment = os.environ if environ is None else environ
        kinds = {
            ID_VARIABLE: "the SecretId",
            KEY_VARIABLE: "the SecretKey",
            **dict.fromkeys(TOKEN_VARIABLES, "the token"),
        }
        values = {environment[name]: f"{what} in {name}" for name, what in kinds.items() if environment.get(name)}
        for one in all_credentials(environ=environment, home=home, root=root):
            for what, secret in (("SecretId", one.secret_id), ("SecretKey", one.secret_key), ("token", one.token)):
                if secret is not None:
                    values.setdefault(secret.reveal(), f"the {what} of {one.source}")
        # Shorter values are not keys, and match parts of many words.
        self._values = {form: what for value, what in values.items() if len(value) >= 8 for form in _forms(value)}
        folders = {str(home or account_home() or ""), tempfile.gettempdir(), _current_folder()}
        self._folders = {folder for folder in folders if len(Path(folder).parts) > 2}

    def __repr__(self) -> str:
        return f"Known({len(self._values)} forms of keys, {len(self._folders)} folders)"

    def leaks(self, text: str, *, paths: bool = True, dates: bool = False) -> Iterator[Leak]:
        """Yield the leaks in a text and in its base64 data, once per kind and position."""
        yield from self._secrets(text)
        for match in _DATA_URI.finditer(text):
            inside = decoded_base64(match[1])
            yield from (
                Leak(rule, f"{what} in embedded data", match.start()) for rule, what, _ in self._secrets(inside)
            )
        if paths:
            plain = _DATA_URI.sub(lambda match: " " * len(match[0]), text)
            yield from self._paths(plain)
            if dates:
                yield from (Leak("date", "a date with a time", match.start()) for match in _DATE.finditer(plain))

    def _secrets(self, text: str) -> Iterator[Leak]:
        reported: set[int] = set()
        for value, what in self._values.items():
            at = text.find(value)
            if at >= 0 and at not in reported:
                reported.add(at)
                yield Leak("secret", what, at)
        for rule, patterns in (("secret", _SECRETS), ("signed", _SIGNED)):
            for what, pattern in patterns:
                for match in pattern.finditer(text):
                    at = match.start(1) if pattern.groups else match.start()
                    if at not in reported and not (
                        rule == "secret" and _PLACEHOLDER.search(match[0][at - match.start() :])
                    ):
                        reported.add(at)
                        yield Leak(rule, what, at)

    def _paths(self, text: str) -> Iterator[Leak]:
        places = {match.start() for match in _PATH.finditer(text)}
        for folder in self._folders:
            at = text.find(folder)
            if at >= 0:
                places.add(at)
        yield from (Leak("path", "a path of one machine", at) for at in sorted(places))


def decoded_base64(text: str) -> str:
    """Return the bytes of base64 as Latin-1 text; empty if the text is not base64."""
    encoded = re.sub(r"[^A-Za-z0-9+/]", "", text.replace("\\n", ""))
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4)).decode("latin-1")
    except binascii.Error:
        return ""


def _forms(value: str) -> Iterator[str]:
    """Yield the forms of a value in a text: plain, URL-encoded, and base64 at each of the three alignments."""
    yield from {value, quote(value, safe="")}
    raw = value.encode()
    for before in range(3):
        # The characters at both ends mix with the bits of neighbours, so they are left out.
        start, stop = -(-before * 4 // 3), (before + len(raw)) * 4 // 3
        encoded = base64.b64encode(bytes(before) + raw).decode()[start:stop]
        if len(encoded) >= 10:
            yield encoded
