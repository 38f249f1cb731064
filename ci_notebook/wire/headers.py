"""Values of HTTP headers that another program wrote: anything that is no date, or no size, is None.

Invariant: no text raises an error here. Python's own readers also raise OverflowError and TypeError.
"""

from __future__ import annotations

import datetime as dt
import re
from email.utils import parsedate_to_datetime

__all__ = ["http_time_s", "size_of"]


def http_time_s(text: str | None) -> float | None:
    """Return the Unix seconds of a date such as `Last-Modified`; None without a date.

    >>> http_time_s("Thu, 01 Jan 1970 00:01:00 GMT")
    60.0
    """
    if not text or len(text) > 100:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=moment.tzinfo or dt.UTC).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def size_of(text: str | None) -> int | None:
    """Return a number of bytes such as `Content-Length`; None without one.

    >>> size_of("1024"), size_of("-1"), size_of("1e3")
    (1024, None, None)
    """
    return int(text) if text and re.fullmatch("[0-9]{1,15}", text) else None
