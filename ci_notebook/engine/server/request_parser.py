"""Where one request ends and the next begins: stricter than waitress, whose parser this extends.

Invariant: a request that two programs could read differently is refused with 400, and its connection closed. Such
are two lengths, a length beside a transfer coding, a folded header, a bare line feed, another version of HTTP, or a
request line that names another host than `Host`. A request that will be refused is refused at once, whatever its
sender still announces.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import BadRequest, Error, RequestEntityTooLarge

# Each costs time in the thread that reads all connections. Browsers send about 20.
MAX_HEADERS: Final = 200
# Between chunks: a length and perhaps extensions. After them: a few headers.
MAX_LINE_BYTES: Final = 8192
MAX_TRAILER_BYTES: Final = 65536

# Also the first byte of a TLS handshake, so that https:// on this port ends at once.
_NOT_IN_A_HEAD: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|[\x00-\x08\x0b\x0c\x0e-\x1f]")
_CHUNK_LENGTH: Final = re.compile(rb"([0-9A-Fa-f]{1,20})[ \t]*(;[\t\x20-\x7e\x80-\xff]*)?")


class RequestParser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """One request as it arrives. `error` is set when it cannot be read; `connection_close` when it is the last one."""

    # A request that cannot be read has none of these; waitress logs them.
    path = request_uri = command = ""
    version = "1.1"
    body_rcv: Any = None
    connection_close: bool = False

    def __init__(self, adj: Adjustments) -> None:
        super().__init__(adj)
        self._checked = 0  # bytes of the head that are known to be text

    def received(self, data: bytes) -> int:
        """Take bytes; return how many of them belong to this request."""
        if not self.completed and self.body_rcv is None and self._is_no_head(data):
            return len(data)
        consumed = int(super().received(data))
        if self.error is None:
            return consumed
        self.expect_continue = False  # otherwise waitress would ask for the body, and forget the error
        return len(data)  # what follows is no request

    def _is_no_head(self, data: bytes) -> bool:
        """Refuse what is no head before its end arrives, which it may never do."""
        head = self.header_plus + data
        end = head.find(b"\r\n\r\n", max(0, self._checked - 3))
        end = len(head) if end < 0 else end
        # From the last byte, which may have been half of a line break. The expression looks at the byte before it.
        if _NOT_IN_A_HEAD.search(head, max(0, self._checked - 1), end) is None:
            self._checked = end
            return False
        self._refuse(BadRequest("The request holds a control character, or a line break that is not CR LF"))
        return True

    def _refuse(self, error: Error) -> None:
        self.error, self.completed, self.headers_finished = error, True, True

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head. Raises `ParsingError`."""
        first, _, rest = header_plus.partition(b"\r\n")
        self.command = first.partition(b" ")[0].decode("latin-1")  # HEAD is refused without a body
        if re.search(rb"(\A|\r\n)[ \t]", rest):
            raise ParsingError("A header line must not begin with a blank")
        if not first.rstrip().endswith((b" HTTP/1.1", b" HTTP/1.0")):
            raise ParsingError("The request line must end in HTTP, version 1.1 or 1.0")
        is_old = first.rstrip().endswith(b"1.0")
        pairs = [line.partition(b":")[::2] for line in rest.split(b"\r\n") if line]
        if len(pairs) > MAX_HEADERS:
            raise ParsingError(f"A request may have at most {MAX_HEADERS} headers")
        values: dict[bytes, list[bytes]] = {}
        for name, value in pairs:
            values.setdefault(name.lower(), []).append(value.strip(b" \t").lower())
        for name in (b"host", b"content-length", b"transfer-encoding"):
            if len(values.get(name, ())) > 1:
                raise ParsingError(f"The request has more than one header {name.decode().title()}")
        coding = values.get(b"transfer-encoding")
        if coding is not None and (is_old or b"content-length" in values):
            what = "in version 1.0" if is_old else "together with Content-Length"
            raise ParsingError(f"Transfer-Encoding must not occur {what}")
        if coding not in (None, [b"chunked"]):
            raise ParsingError("Transfer-Encoding must be chunked")
        if not re.fullmatch(rb"[0-9]{1,18}", values.get(b"content-length", [b"0"])[0]):
            raise ParsingError("Content-Length must be a whole number of bytes, of at most 18 digits")
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # such as http://[::1
            raise ParsingError("The address in the request line cannot be read") from error
        self._check_target()
        if self.chunked:
            self.body_rcv = ChunkedBody(self.body_rcv.getbuf(), self.adj.max_request_body_size)
        self._read_connection()

    def _check_target(self) -> None:
        """Refuse a request line such as `GET http://other/path`, which names a second host."""
        host = self.headers.get("HOST", "")
        if self.proxy_netloc and _plain(self.proxy_netloc) != _plain(host):
            raise ParsingError("The request line names another host than the header Host")

    def _read_connection(self) -> None:
        wishes = {one.strip(" \t").lower() for one in self.headers.get("CONNECTION", "").split(",")}
        # Bytes after a change of protocol that was not granted are no request.
        is_last = "upgrade" in wishes or "UPGRADE" in self.headers or self.command == "CONNECT"
        self.connection_close = self.connection_close or "close" in wishes or is_last
        has_body = self.body_rcv is not None
        self.expect_continue = has_body and self.expect_continue


class ChunkedBody:
    """The body of a request in chunks: bounded in its lines, and refused once it announces over `limit_bytes`.

    waitress takes a line feed for the end of a length, and waits for whatever a chunk announces.
    """

    completed = False
    error: Error | None = None

    def __init__(self, buffer: Any, limit_bytes: int) -> None:
        self.buf, self._limit_bytes = buffer, limit_bytes
        self._place: Literal["length", "end", "trailer"] = "length"
        self._line = b""  # what has arrived of the line
        self._missing_bytes = 0  # of the chunk
        self._trailer_bytes = 0

    def __len__(self) -> int:
        return int(self.buf.__len__())  # len() refuses more than 2 GiB on some machines

    def getfile(self) -> Any:
        """Return the body as a file."""
        return self.buf.getfile()

    def getbuf(self) -> Any:
        """Return the buffer."""
        return self.buf

    def received(self, data: bytes) -> int:
        """Take bytes; return how many of them belong to the body."""
        rest = data
        while rest and not self.completed and self.error is None:
            if self._missing_bytes:
                piece, rest = rest[: self._missing_bytes], rest[self._missing_bytes :]
                self.buf.append(piece)
                self._missing_bytes -= len(piece)
                continue
            line, found, rest = (self._line + rest).partition(b"\r\n")
            self._line = b"" if found else line
            reason = self._take(line) if found else self._half_line_problem(line)
            if reason:
                self.error = BadRequest(reason)
        return len(data) - len(rest)

    def _take(self, line: bytes) -> str:
        """Take a whole line; return what is wrong with it."""
        if self._place == "end":
            self._place = "length"
            return "A chunk is longer than its length says" if line else ""
        if self._place == "length":
            match = _CHUNK_LENGTH.fullmatch(line)
            if match is None:
                return "The length of a chunk cannot be read"
            self._missing_bytes = int(match[1], 16)
            self._place = "end" if self._missing_bytes else "trailer"
            if self._missing_bytes + len(self) > self._limit_bytes:
                self.error = RequestEntityTooLarge(f"a body has at most {self._limit_bytes} bytes")
            return ""
        self.completed = not line
        self._trailer_bytes += len(line)
        return "The trailer is too long" if self._trailer_bytes > MAX_TRAILER_BYTES else ""

    def _half_line_problem(self, line: bytes) -> str:
        """Return what is already wrong with a line whose end has not arrived."""
        if self._place == "end" and line != b"\r":
            return "A chunk is longer than its length says"
        if self._place == "length" and not _CHUNK_LENGTH.fullmatch(line.removesuffix(b"\r")):
            return "The length of a chunk cannot be read"
        return "A line of the body is too long" if len(line) > MAX_LINE_BYTES else ""


def _plain(host: str) -> str:
    return re.sub(r":(80)?$", "", host.lower())
