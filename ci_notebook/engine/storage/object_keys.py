"""Keys of objects: which are allowed, what their suffix means, and the file names made from them."""

from __future__ import annotations

import mimetypes
import re
from typing import Final

from ci_notebook.wire.service_errors import service_error

MAX_KEY_BYTES: Final = 850


def check_key(key: str) -> None:
    """Raise `ServiceError` unless `key` is allowed as an object key.

    `.` and `..` between slashes are refused, because HTTP clients rewrite such URLs.
    """
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        raise service_error("InvalidURI", "The key is not UTF-8.") from None
    if not 1 <= length <= MAX_KEY_BYTES:
        raise service_error("KeyTooLong", f"A key must have 1 to {MAX_KEY_BYTES} bytes of UTF-8 (got {length}).")
    if key.startswith("/"):
        raise service_error("InvalidObjectName", f"A key must not start with a slash (got {key[:80]!r}).")
    if re.search(r"[\x18-\x1b]", key):
        text = f"A key must not contain the control characters CAN, EM, SUB and ESC (got {key[:80]!r})."
        raise service_error("InvalidObjectName", text)
    if any(part in (".", "..") for part in key.split("/")):
        raise service_error("InvalidObjectName", f"A key must not have a part . or .. (got {key[:80]!r}).")


def content_type(key: str) -> str:
    """Return the media type for a key's suffix."""
    return mimetypes.guess_type(key, strict=False)[0] or "application/octet-stream"


def plain_name(key: str, tell_apart: str = "") -> str:
    """Return a file name that begins and ends like `key`, of letters and digits that every file system accepts."""
    match = re.search(r"\.[0-9A-Za-z]{1,8}$", key)
    suffix = match[0] if match else ""
    stem = re.sub(r"[^0-9A-Za-z-]+", "_", key.removesuffix(suffix))[-60:] or "_"
    return f"{stem}.{tell_apart}{suffix}" if tell_apart else f"{stem}{suffix}"
