"""A call that will be refused gets its answer after its body was dropped: nothing of it is stored."""

from __future__ import annotations

import base64
import contextlib
import socket
import tempfile
import time

import pytest
from lxml import etree

from ci_notebook.engine.server.listener import Listener
from ci_notebook.wire import signing
from ci_notebook.wire.operations import url_path, url_query
from tests.engine_fixtures import BUCKET, CI_HOST, COS_HOST, SECRET_ID, SECRET_KEY

BODY = bytes(3 << 20)  # waitress keeps half a MiB in memory, and the rest in a temporary file
SIZE = len(BODY)


@pytest.fixture
def files(monkeypatch):
    """The temporary files that were opened, which is where the server puts large bodies."""
    opened, make = [], tempfile.TemporaryFile

    def counted(*arguments, **options):
        opened.append(make(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", counted)
    return opened


@pytest.fixture
def port(engine):
    with Listener(engine) as listener:
        listener.start()
        yield listener.port


def head(method, path, query=None, *, host=COS_HOST, key=SECRET_KEY, headers=None, length=SIZE):
    """Return the head of a signed call, whose body has `length` bytes or comes in chunks (None)."""
    query = query or {}
    signature = signing.authorization(
        method, path, query=query, headers={"host": host}, secret_id=SECRET_ID, secret_key=key,
        key_time=signing.key_time(time.time()),
    )  # fmt: skip
    target = url_path(path) + (f"?{url_query(query)}" if query else "")
    size = {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}
    fields = {"Host": host, "Authorization": signature, **size, **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode()


def in_chunks(data, size=100_000):
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


LAST = b"GET / HTTP/1.1\r\nHost: nobody\r\nConnection: close\r\n\r\n"


def answers(port, *requests, last=LAST):
    """Send requests over one connection, and return the status and code of each answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for request in (*requests, last):
            connection.sendall(request)
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
    found = []
    for part in data.split(b"HTTP/1.1 ")[1:]:
        top, _, body = part.partition(b"\r\n\r\n")
        found.append((int(top[:3]), etree.fromstring(body).findtext("Code") if b"<Error" in body else ""))
    return found


NOT_THIS_BUCKET = COS_HOST.replace(BUCKET, "other-1250000000")
WRONG_MD5 = {"Content-MD5": "abc"}
XML_CALL = {"method": "POST", "path": "/jobs", "host": CI_HOST}
PUT = {"method": "PUT", "path": "/a.mp4"}

REFUSED = {
    "a wrong signature": ({**PUT, "key": "wrong"}, (403, "SignatureDoesNotMatch")),
    "no such bucket": ({**PUT, "host": NOT_THIS_BUCKET}, (404, "NoSuchBucket")),
    "a digest that is none": ({**PUT, "headers": WRONG_MD5}, (400, "InvalidDigest")),
    "a key that is not allowed": ({"method": "PUT", "path": "/a/../b.mp4"}, (400, "InvalidObjectName")),
    "a part of no upload": ({**PUT, "query": {"partNumber": "1", "uploadId": "u"}}, (404, "NoSuchUpload")),
    "a part without a number": ({**PUT, "query": {"partNumber": "x", "uploadId": "u"}}, (400, "InvalidArgument")),
    "no call of the API": ({"method": "PATCH", "path": "/a.mp4"}, (405, "MethodNotAllowed")),
    "XML that is too large": (XML_CALL, (413, "InvalidContent")),
    "XML with a wrong signature": ({**XML_CALL, "key": "wrong"}, None),
}


@pytest.mark.parametrize("form", ["length", "chunked"])
@pytest.mark.parametrize("why", REFUSED)
def test_the_body_of_a_refused_call_is_not_stored_and_the_next_call_is_answered(why, form, port, engine, files):
    options, expected = REFUSED[why]
    is_chunked = form == "chunked"
    request = head(**options, length=None) + in_chunks(BODY) if is_chunked else head(**options) + BODY
    first, second = answers(port, request)
    assert second == (400, "InvalidHost")  # the connection is in step
    assert first == expected if expected else first[0] in (401, 403)
    # The size of chunks is not known before, so of XML in chunks one MiB is kept until it is over the limit.
    assert files == [] or (why, form) == ("XML that is too large", "chunked")
    assert all(file.closed for file in files)
    assert list((engine.root / ".incoming").iterdir()) == []


def test_a_call_that_is_good_is_stored_so_that_the_files_above_would_be_seen(port, engine, files):
    assert answers(port, head(**PUT) + BODY)[0] == (200, "")
    assert answers(port, head("PUT", "/b.mp4", length=None) + in_chunks(BODY))[0][0] in (200, 403)
    assert len(files) >= 1
    assert engine.start().store.head(BUCKET, "a.mp4").size == len(BODY)


def test_a_body_that_no_call_reads_is_dropped(port, files):
    assert answers(port, head("DELETE", "/a.mp4") + BODY)[0] == (204, "")
    assert answers(port, head("GET", "/a.mp4") + BODY)[0] == (404, "NoSuchKey")
    assert files == []


def test_an_object_over_the_limit_is_refused_at_once(port, files):
    request = head(**PUT, length=(5 << 30) + 1, headers={"Expect": "100-continue"})
    assert answers(port, request, last=b"")[0] == (400, "EntityTooLarge")
    assert files == []


def test_a_caller_that_waits_for_a_sign_is_refused_at_once_and_a_good_one_may_send(port, engine, files):
    waits = {"Expect": "100-continue"}
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head(**{**PUT, "key": "wrong"}, headers=waits))
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                data += chunk
    assert data.startswith(b"HTTP/1.1 403 ")
    assert b"Connection: close" in data
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head(**PUT, headers=waits, length=5))
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"video")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert engine.start().store.head(BUCKET, "a.mp4").size == 5


def test_a_digest_that_differs_from_the_body_is_refused_and_leaves_nothing(port, engine):
    digest = base64.b64encode(bytes(16)).decode()
    assert answers(port, head(**PUT, headers={"Content-MD5": digest}) + BODY)[0] == (400, "BadDigest")
    assert list((engine.root / ".incoming").iterdir()) == []


def test_a_chunk_whose_size_has_no_end_is_refused_before_it_fills_the_memory(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head("PUT", "/a.mp4", length=None))
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 50 << 20:
                sent += connection.send(b"1" * 65536)
        data = b""
        with contextlib.suppress(OSError):
            data = connection.recv(65536)
    assert data == b"" or data.startswith(b"HTTP/1.1 400 ")


def test_a_busy_ledger_delays_no_other_caller(port, engine):
    database = engine.start().database
    with database.change():
        connection = socket.create_connection(("127.0.0.1", port), timeout=20)
        connection.sendall(head(**PUT) + BODY)
        began = time.monotonic()
        assert answers(port)[0] == (400, "InvalidHost")
        assert time.monotonic() - began < 5
    with connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
