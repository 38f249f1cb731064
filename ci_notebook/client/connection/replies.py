"""Reads replies into memory within bounds: bytes as they arrive, bytes after decompression, and time.

Invariant: no service can fill this machine's memory or hold a call for ever. We ask for no compression, so a
compressed reply is the exception; it is decompressed step by step, up to the same bound.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import httpx

from ci_notebook.model.errors import ServiceError

__all__ = ["OBJECT_BYTES", "PICTURE_BYTES", "REPLY_BYTES", "Reply", "UnreadableReply", "read_error", "read_reply"]

# The longest reply in XML that is documented, 1000 keys of 850 bytes, has 3 MB.
REPLY_BYTES: Final = 16 << 20
# A snapshot of 4096x4096 px as PNG has at most 50 MB.
PICTURE_BYTES: Final = 128 << 20
# An object that is read into memory, such as a watermark image.
OBJECT_BYTES: Final = 256 << 20
ERROR_BYTES: Final = 1 << 20
# Each read has the timeout of the client. All reads of a reply together have this one.
REPLY_TIMEOUT_S: Final = 300.0
_CHUNK_BYTES: Final = 1 << 16


class UnreadableReply(ServiceError):
    """A reply that is over the bounds or cannot be decompressed. The service may have done what was asked."""

    def __init__(self, text: str, status: int = 200) -> None:
        super().__init__("InternalError", text, status=status)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that was read completely. `content` is decompressed."""

    status_code: int
    headers: httpx.Headers
    content: bytes


def read_reply(
    response: httpx.Response, limit_bytes: int, *, remedy: str = "", clock: Callable[[], float] = time.monotonic
) -> Reply:
    """Read a reply of at most `limit_bytes`, and close it.

    Raises `UnreadableReply` for a longer one, for one that takes longer than `REPLY_TIMEOUT_S`, and for one that cannot
    be decompressed. `remedy` ends the message about the size.
    """
    has_body = response.request.method != "HEAD" and response.status_code not in (204, 304)
    content = bytearray()
    try:
        if has_body and _stated_bytes(response) > limit_bytes:
            raise _too_long(limit_bytes, remedy)
        until = clock() + REPLY_TIMEOUT_S
        for chunk in _plain_chunks(response) if has_body else _no_chunks(response):
            content += chunk
            if len(content) > limit_bytes:
                raise _too_long(limit_bytes, remedy)
            if clock() > until:
                raise UnreadableReply(f"The reply of the service did not end within {REPLY_TIMEOUT_S:g} s. Try again.")
    finally:
        response.close()
    return Reply(response.status_code, response.headers, bytes(content))


def read_error(response: httpx.Response, *, clock: Callable[[], float] = time.monotonic) -> bytes:
    """Return the body of an error, as far as it fits into `ERROR_BYTES` and can be read, and close the reply."""
    content, until = bytearray(), clock() + REPLY_TIMEOUT_S
    try:
        is_head = response.request.method == "HEAD"
        for chunk in _no_chunks(response) if is_head else _plain_chunks(response):
            content += chunk
            if len(content) > ERROR_BYTES or clock() > until:
                break
    except UnreadableReply:
        return b""  # the status says enough
    finally:
        response.close()
    return bytes(content[:ERROR_BYTES])


def _stated_bytes(response: httpx.Response) -> int:
    text = response.headers.get("content-length", "")
    return int(text) if "content-encoding" not in response.headers and text.isascii() and text.isdigit() else 0


def _plain_chunks(response: httpx.Response) -> Iterator[bytes]:
    """Yield the body without its Content-Encoding, in chunks of at most 64 kB."""
    if response.is_stream_consumed:  # a transport may answer with bytes that are in memory already
        yield response.content
        return
    encoding = response.headers.get("content-encoding", "").strip().lower()
    chunks = response.iter_raw(_CHUNK_BYTES)
    if encoding in ("", "identity"):
        yield from chunks
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise UnreadableReply(
            f"The reply is compressed with {encoding[:40]!r}, which was not asked for. Check any proxy."
        )
    decoder = None
    try:
        for chunk in chunks:
            rest = chunk
            if decoder is None:
                decoder = zlib.decompressobj(_window_bits(encoding, rest))
            while rest and not decoder.eof:
                yield decoder.decompress(rest, _CHUNK_BYTES)
                rest = decoder.unconsumed_tail
    except zlib.error as error:
        raise UnreadableReply(f"The reply of the service cannot be decompressed: {error}.") from error
    if decoder is not None and not decoder.eof:
        raise UnreadableReply("The reply of the service ends inside its compressed data. Try again.")


def _no_chunks(response: httpx.Response) -> Iterator[bytes]:
    """Read a reply without a body, so that its connection can be used again."""
    return iter(()) if response.is_stream_consumed else response.iter_raw()


def _window_bits(encoding: str, begin: bytes) -> int:
    """Return zlib's parameter for an encoding. Some services send `deflate` without the header that it needs."""
    if encoding != "deflate":
        return 16 + zlib.MAX_WBITS
    has_header = begin[0] & 0x0F == 8 and int.from_bytes(begin[:2]) % 31 == 0
    return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS


def _too_long(limit_bytes: int, remedy: str) -> UnreadableReply:
    more = f" {remedy}" if remedy else ""
    return UnreadableReply(f"The reply of the service has more than {limit_bytes >> 20} MiB, which is the bound.{more}")
