"""The table of request headers that ask for something: which calls take each; all others are refused by name.

Invariant: a header that changes what is stored is kept with the object and answered, or the call is refused
before anything is stored. The engine keeps ACLs, storage classes and encryption as labels: every call must be
signed whatever the ACL is, and the files on its disk are neither moved nor encrypted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from ci_notebook.engine.calls.exchange import Exchange
from ci_notebook.wire.operations import url_encode
from ci_notebook.wire.service_errors import service_error
from ci_notebook.wire.signing import TOKEN_NAMES

ACL: Final = "x-cos-acl"
GRANTS: Final[Mapping[str, str]] = {
    "x-cos-grant-read": "READ", "x-cos-grant-write": "WRITE", "x-cos-grant-read-acp": "READ_ACP",
    "x-cos-grant-write-acp": "WRITE_ACP", "x-cos-grant-full-control": "FULL_CONTROL",
}  # fmt: skip
STORAGE_CLASS: Final = "x-cos-storage-class"
ENCRYPTION: Final = "x-cos-server-side-encryption"
TAGGING: Final = "x-cos-tagging"
FORBID_OVERWRITE: Final = "x-cos-forbid-overwrite"
SHA1: Final = "x-cos-content-sha1"
META: Final = "x-cos-meta-"

_MAKES: Final = ("put_object", "start_multipart")
_SOURCE: Final = "x-cos-copy-source"
# Header → the calls that take it
TAKEN: Final[Mapping[str, tuple[str, ...]]] = {
    ACL: (*_MAKES, "put_object_acl", "put_bucket"),
    **dict.fromkeys(GRANTS, (*_MAKES, "put_object_acl", "put_bucket")),
    STORAGE_CLASS: _MAKES,
    ENCRYPTION: _MAKES,
    TAGGING: _MAKES,
    FORBID_OVERWRITE: (*_MAKES, "complete_multipart"),
    SHA1: ("put_object", "put_part"),
    _SOURCE: ("put_object", "put_part"),
    **{f"{_SOURCE}-if-{name}": ("put_object", "put_part") for name in ("match", "none-match")},
    **{f"{_SOURCE}-if-{name}": ("put_object", "put_part") for name in ("modified-since", "unmodified-since")},
    f"{_SOURCE}-range": ("put_part",),
    "x-cos-metadata-directive": ("put_object",),
    "x-cos-tagging-directive": ("put_object",),
}
_EVERYWHERE: Final = (*TOKEN_NAMES, "x-cos-sdk-retry", "x-cos-traffic-limit")

ACLS: Final = ("default", "private", "public-read", "authenticated-read")
# An archived object could not be read before it is restored.
STORAGE_CLASSES: Final = (
    "STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "MAZ_STANDARD", "MAZ_STANDARD_IA", "MAZ_INTELLIGENT_TIERING",
)  # fmt: skip
MAX_TAGS, MAX_TAG_KEY, MAX_TAG_VALUE = 10, 127, 255
MIN_TRAFFIC, MAX_TRAFFIC = 819_200, 838_860_800

Tags = list[tuple[str, str]]


def check_headers(exchange: Exchange) -> None:
    """Raise `ServiceError` for a header that asks for something that this call does not do."""
    call = exchange.call.name
    for name in exchange.headers:
        if not (name.startswith(("x-cos-", "x-ci-")) or name == "pic-operations") or name in _EVERYWHERE:
            continue
        if call in TAKEN.get(name, ()) or name.startswith(META):
            continue
        if exchange.method in ("GET", "HEAD") and ENCRYPTION not in name:
            continue  # it can change nothing
        text = (
            f"This engine does not support the header {name} with {exchange.method}. Leave it out; nothing was changed."
        )
        raise service_error("InvalidArgument", text)
    limit = exchange.headers.get("x-cos-traffic-limit", exchange.query.get("x-cos-traffic-limit", ""))
    if limit and not (re.fullmatch("[0-9]{1,9}", limit) and MIN_TRAFFIC <= int(limit) <= MAX_TRAFFIC):
        text = f"x-cos-traffic-limit must be {MIN_TRAFFIC} to {MAX_TRAFFIC} bits per second (got {limit[:40]!r})."
        raise service_error("InvalidArgument", text)
    if call in _MAKES:
        kept_headers(exchange.headers)


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what a call asks for and an object keeps: ACL, storage class, encryption and tags.

    What is the default is left out. Raises `ServiceError` for a value that the engine does not do.
    """
    kept = kept_acl(headers)
    storage = headers.get(STORAGE_CLASS, "").strip().upper()
    if storage and storage not in STORAGE_CLASSES:
        text = f"{STORAGE_CLASS} must be one of {', '.join(STORAGE_CLASSES)} (got {headers[STORAGE_CLASS][:40]!r})."
        raise service_error("NotSupportedStorageClass", text)
    if storage not in ("", "STANDARD"):
        kept[STORAGE_CLASS] = storage
    encryption = headers.get(ENCRYPTION, "").strip()
    if encryption not in ("", "AES256"):
        text = f"{ENCRYPTION} must be AES256 (got {encryption[:40]!r}); this engine encrypts with no other keys."
        raise service_error("InvalidArgument", text)
    if encryption:
        kept[ENCRYPTION] = encryption
    if headers.get(TAGGING, "").strip():
        kept[TAGGING] = tags_text(tags_of(headers[TAGGING]))
    return kept


def kept_acl(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a call that make an ACL. Raises `ServiceError`."""
    acl = headers.get(ACL, "").strip().lower()
    if acl and acl not in ACLS:
        raise service_error("InvalidArgument", f"{ACL} must be one of {', '.join(ACLS)} (got {acl[:40]!r}).")
    kept = {ACL: acl} if acl not in ("", "default") else {}
    for name in GRANTS:
        if name in headers:
            kept[name] = ",".join(f'id="{one}"' for one in grantees(name, headers[name]))
    return kept


def grantees(name: str, text: str) -> list[str]:
    """Return the accounts that a header grants a permission: `id="1",id="2"`. Raises `ServiceError`."""
    parts = [re.fullmatch(r'\s*(?:id|uin)\s*=\s*"([^"<>&]{1,200})"\s*', part) for part in text.split(",")]
    if not text.strip() or None in parts:
        raise service_error("InvalidArgument", f'{name} must be id="account", or several of them, joined by commas.')
    return [part[1] for part in parts if part is not None]


def tags_of(text: str) -> Tags:
    """Return the tags of a header: `key=value&key=value`, percent-encoded. Raises `ServiceError`."""
    try:
        tags = parse_qsl(text.strip(), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise service_error("InvalidTag", f"{TAGGING} must be key=value pairs joined by &, in UTF-8.") from None
    return check_tags(tags)


def check_tags(tags: Tags) -> Tags:
    """Return the tags, which may be stored. Raises `ServiceError`."""
    if len(tags) > MAX_TAGS:
        raise service_error("InvalidTag", f"An object has at most {MAX_TAGS} tags (got {len(tags)}).")
    for key, value in tags:
        if not 1 <= len(key) <= MAX_TAG_KEY or len(value) > MAX_TAG_VALUE:
            text = f"A tag has 1 to {MAX_TAG_KEY} characters in its key and at most {MAX_TAG_VALUE} in its value"
            raise service_error("InvalidTag", f"{text} (got {len(key)} and {len(value)}).")
        if not (key + value).isprintable():
            raise service_error("InvalidTag", f"A tag has no control characters (got {key[:40]!r}).")
    if len({key for key, _ in tags}) < len(tags):
        raise service_error("InvalidTag", "The keys of an object's tags must differ.")
    return tags


def tags_text(tags: Iterable[tuple[str, str]]) -> str:
    """Return tags as a header."""
    return "&".join(f"{url_encode(key)}={url_encode(value)}" for key, value in tags)


def answered_headers(stored: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of an object that GET and HEAD answer: all but its ACL and its tags, which are counted."""
    headers = {name: value for name, value in stored.items() if name not in (ACL, TAGGING, *GRANTS)}
    if stored.get(TAGGING):
        headers[f"{TAGGING}-count"] = str(len(tags_of(stored[TAGGING])))
    return headers
