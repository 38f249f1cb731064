"""Find keys, signatures, tokens and machine paths in a text that others will read.

Invariant: a leak is reported by its kind and position, never by its content.
"""

from __future__ import annotations

import base64
import codecs
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from ci_notebook._folders import account_home
from ci_notebook.cli.secret_search.disguises import decoded_base64, is_readable, packed_texts, readings
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

# A name, its value: `secret_key = "…"`, `"SecretKey": b"…"`, `SECRET_KEY=…`, `<SecretKey>…`, `| **SecretKey** | …`.
_IS = (
    r"""[\\"'`*\]]{0,5}(?:\s{0,3}(?:=>|[=:>,|]|%3D)\s{0,3}|[ \t]{1,3})"""
    r"""(?:[(\[]\s{0,40}(?=[rbfuRBFU]{0,2}["']))?"""  # a text in parentheses, also on the next line
    r"""[\\*`]{0,4}[rbfuRBFU]{0,2}[\\"'`*]{0,4}"""
)
_SECRETS: Final = (
    ("a SecretId", re.compile(r"(?<![A-Za-z0-9])AKID[A-Za-z0-9_-]{13,}")),
    ("a SecretKey", re.compile(rf"secret_?-?(?:access_?-?)?key{_IS}((?=[^\d\s]*\d)[A-Za-z0-9+/=_-]{{16,}})", re.I)),
    (
        "a token of temporary keys",
        re.compile(rf"(?:security|session)_?-?token{_IS}((?=[^\d\s]*\d)[A-Za-z0-9+/=_%-]{{20,}})", re.I),
    ),
    ("a token", re.compile(r"(?:Bearer|[?&]token=|\btoken=)\s{0,2}((?=[^\d\s]*\d)[A-Za-z0-9._~+/=-]{24,})")),
    ("a token", re.compile(r"(?<![\w-])eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")),
    (
        "a SecretKey",
        re.compile(
            r"(?:Credentials?|CosConfig)\([^()\n]{1,100},\s*[\"']((?=[^\"'\d]*\d)(?=[^\"']*[A-Z])[A-Za-z0-9]{32})[\"']"
        ),
    ),
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
        self._half_values = {
            half: what
            for value, what in values.items()
            if len(value) >= 24 and not _PLACEHOLDER.search(value)
            for half in (value[: len(value) // 2], value[len(value) // 2 :])
            if any(one.isdigit() for one in half) and any(one.isalpha() for one in half)
        }
        folders = {str(home or account_home() or ""), tempfile.gettempdir(), _current_folder()}
        self._folders = {folder for folder in folders if len(Path(folder).parts) > 2}

    def __repr__(self) -> str:
        return f"Known({len(self._values)} forms of keys, {len(self._folders)} folders)"

    def leaks(self, text: str, *, is_binary: bool = False, dates: bool = False) -> Iterator[Leak]:
        """Yield the leaks in a text, in its other readings and in its packed data, once per kind and line.

        Binary data, such as a picture, is searched as it is, and for no paths.
        """
        found = list(self._secrets(text))
        yield from found
        if not is_binary:
            plain = _DATA_URI.sub(lambda match: " " * len(match[0]), text)
            yield from self._disguised(text, plain, {(one.rule, text.count("\n", 0, one.at)) for one in found})
            yield from self._paths(plain)
            if dates:
                yield from (Leak("date", "a date with a time", match.start()) for match in _DATE.finditer(plain))

    def _disguised(self, text: str, plain: str, seen: set[tuple[str, int]]) -> Iterator[Leak]:
        """Yield the leaks that show only in another reading, or in packed data, of a line without such a leak."""
        others = [Leak("secret", f"half of {what}", at) for at, what in self._halves(text)]
        for reading in readings(plain):
            search = self._known if reading.is_free else self._secrets
            others += (leak._replace(at=reading.places[leak.at]) for leak in search(reading.text))
        for match in _DATA_URI.finditer(text):
            embedded = self._secrets(decoded_base64(match[1]))
            others += (Leak(rule, f"{what} in embedded data", match.start()) for rule, what, _ in embedded)
        for at, inside in packed_texts(plain):
            found = self._secrets(inside) if is_readable(inside) else self._known(inside)
            others += (Leak(leak.rule, f"{leak.what} in encoded data", at) for leak in found)
        for leak in others:
            place = (leak.rule, text.count("\n", 0, leak.at))
            if place not in seen:
                seen.add(place)
                yield leak

    def _halves(self, text: str) -> Iterator[tuple[int, str]]:
        """Yield where one half of a known key is, such as in another variable."""
        for half, what in self._half_values.items():
            at = text.find(half)
            if at >= 0:
                yield at, what

    def _known(self, text: str) -> Iterator[Leak]:
        for value, what in self._values.items():
            at = text.find(value)
            if at >= 0:
                yield Leak("secret", what, at)

    def _secrets(self, text: str) -> Iterator[Leak]:
        reported: set[int] = set()
        for leak in self._known(text):
            if leak.at not in reported:
                reported.add(leak.at)
                yield leak
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


def _forms(value: str) -> Iterator[str]:
    """Yield the forms of a value in a text.

    They are: plain, URL-encoded, backwards, with the other case, in ROT13, in hexadecimal, and in base64 at each of
    the three alignments.
    """
    yield from {value, quote(value, safe="")}
    yield from {value[::-1], value.swapcase(), codecs.encode(value, "rot13"), value.encode().hex()} - {value}
    yield value.encode().hex().upper()
    raw = value.encode()
    for before in range(3):
        # The characters at both ends mix with the bits of neighbours, so they are left out.
        start, stop = -(-before * 4 // 3), (before + len(raw)) * 4 // 3
        encoded = base64.b64encode(bytes(before) + raw).decode()[start:stop]
        if len(encoded) >= 10:
            yield encoded
