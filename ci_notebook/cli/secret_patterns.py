"""What must not stand in a text that others will see: keys, signatures, tokens, and paths of a machine.

The rule of this file: what is found is told by its kind and place, never by what it holds.
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

from ci_notebook.client.connection.credentials import ID_VARIABLE, KEY_VARIABLE, TOKEN_VARIABLES, all_credentials


class Leak(NamedTuple):
    """One thing found in a text: its kind, its rule's name, and where it begins (characters)."""

    rule: str
    what: str
    at: int


_KEYS_OUT = (
    "Take keys from the environment (`ci.connect` looks there), clear the outputs, and replace the key: it is out."
)
_REMEDY: Final = {
    "secret": _KEYS_OUT,
    "signed": "Whoever has it can use it until it expires. Remove it; sign anew where it is needed.",
    "path": "Use a path relative to the notebook, or leave the output out: it names a machine and maybe a person.",
    "date": "It differs with every run: leave it out of what is shown.",
}

# A name, then what it is set to: `secret_key = "…"`, `"SecretKey": "…"`, `SECRET_KEY=…`, `<SecretKey>…`.
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
# Stand-ins that documentation writes where a key would be.
_PLACEHOLDER = re.compile(r"(?i)(.)\1{7}|your|placeholder")


def remedy(rule: str) -> str:
    """Return the next step for a leak of this rule."""
    return _REMEDY[rule]


class Known:
    """What must not appear by value: keys of the environment and of credentials files, and folders of this machine.

    They are compared with, and never shown.
    """

    def __init__(
        self, *, environ: Mapping[str, str] | None = None, home: Path | None = None, root: Path = Path("/")
    ) -> None:
        given = os.environ if environ is None else environ
        held = {
            ID_VARIABLE: "the SecretId",
            KEY_VARIABLE: "the SecretKey",
            **dict.fromkeys(TOKEN_VARIABLES, "the token"),
        }
        values = {given[name]: f"{what} that {name} holds" for name, what in held.items() if given.get(name)}
        for one in all_credentials(environ=given, home=home, root=root):
            for what, secret in (("SecretId", one.secret_id), ("SecretKey", one.secret_key), ("token", one.token)):
                if secret is not None:
                    values.setdefault(secret.reveal(), f"the {what} of {one.source}")
        # Shorter ones are no keys, and would be found in half of all words.
        self._values = {form: what for value, what in values.items() if len(value) >= 8 for form in _forms(value)}
        folders = {str(home or Path.home()), tempfile.gettempdir(), str(Path.cwd())}
        self._folders = {folder for folder in folders if len(Path(folder).parts) > 2}

    def __repr__(self) -> str:
        return f"Known({len(self._values)} forms of keys, {len(self._folders)} folders)"

    def leaks(self, text: str, *, paths: bool = True, dates: bool = False) -> Iterator[Leak]:
        """Yield what is found in a text, and in what it embeds as base64, once a kind and place."""
        yield from self._secrets(text)
        for found in _DATA_URI.finditer(text):
            inside = unpacked(found[1])
            yield from (
                Leak(rule, f"{what} in embedded data", found.start()) for rule, what, _ in self._secrets(inside)
            )
        if paths:
            plain = _DATA_URI.sub(lambda found: " " * len(found[0]), text)
            yield from self._paths(plain)
            if dates:
                yield from (Leak("date", "a date of the day", found.start()) for found in _DATE.finditer(plain))

    def _secrets(self, text: str) -> Iterator[Leak]:
        taken: set[int] = set()
        for value, what in self._values.items():
            at = text.find(value)
            if at >= 0 and at not in taken:
                taken.add(at)
                yield Leak("secret", what, at)
        for rule, patterns in (("secret", _SECRETS), ("signed", _SIGNED)):
            for what, pattern in patterns:
                for found in pattern.finditer(text):
                    at = found.start(1) if pattern.groups else found.start()
                    if at not in taken and not (
                        rule == "secret" and _PLACEHOLDER.search(found[0][at - found.start() :])
                    ):
                        taken.add(at)
                        yield Leak(rule, what, at)

    def _paths(self, text: str) -> Iterator[Leak]:
        places = {found.start() for found in _PATH.finditer(text)}
        for folder in self._folders:
            at = text.find(folder)
            if at >= 0:
                places.add(at)
        yield from (Leak("path", "a path of one machine", at) for at in sorted(places))


def unpacked(text: str) -> str:
    """Return what base64 holds, a character a byte; nothing where it is no base64."""
    packed = re.sub(r"[^A-Za-z0-9+/]", "", text.replace("\\n", ""))
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4)).decode("latin-1")
    except binascii.Error:
        return ""


def _forms(value: str) -> Iterator[str]:
    """Yield a value as it may stand in a text: plain, in a URL, and in base64 (whatever stands before it)."""
    yield from {value, quote(value, safe="")}
    raw = value.encode()
    for before in range(3):
        # Characters that mix with a neighbour's bits are left out at both ends.
        start, stop = -(-before * 4 // 3), (before + len(raw)) * 4 // 3
        packed = base64.b64encode(bytes(before) + raw).decode()[start:stop]
        if len(packed) >= 10:
            yield packed
