"""Odd HTTP on the port: one answer to one request, at once, and a connection that ends where it must."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time

import pytest
from lxml import etree

from ci_notebook.engine.engine import Engine
from ci_notebook.engine.server.listener import Listener
from ci_notebook.wire import signing
from tests.engine_fixtures import BUCKET, CI_HOST, COS_HOST, KEYS, REGION, SECRET_ID, SECRET_KEY

SLOW_S = 5.0


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    root = tmp_path_factory.mktemp("http")
    with Engine(root, bucket=BUCKET, region=REGION, keys=KEYS) as engine, Listener(engine) as listener:
        listener.start()
        yield listener.port


def signed(method: str, path: str, host: str = CI_HOST) -> str:
    text = signing.authorization(
        method, path, query={}, headers={"host": host}, secret_id=SECRET_ID, secret_key=SECRET_KEY,
        key_time=signing.key_time(time.time()),
    )  # fmt: skip
    return f"Authorization: {text}\r\n"


HOST = f"Host: {CI_HOST}\r\n"
GET = f"GET /queue HTTP/1.1\r\n{HOST}{signed('GET', '/queue')}"
PUT = f"PUT /a HTTP/1.1\r\nHost: {COS_HOST}\r\n{signed('PUT', '/a', COS_HOST)}"
HEAD = f"HEAD /a HTTP/1.1\r\nHost: {COS_HOST}\r\n{signed('HEAD', '/a', COS_HOST)}"
SMUGGLED = f"GET /queue HTTP/1.1\r\n{HOST}{signed('GET', '/queue')}\r\n"

# Refused with 400 or another 4xx; the connection ends, and what follows on it is no request.
REFUSED = {
    "a length and chunks": f"{PUT}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "chunks and a length": f"{PUT}Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nG{SMUGGLED}",
    "chunks and a length of zero": f"{PUT}Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "an empty coding and a length": f"{PUT}Transfer-Encoding:\r\nContent-Length: 4\r\n\r\nabcd{SMUGGLED}",
    "an empty coding": f"{PUT}Transfer-Encoding:\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "two codings": f"{PUT}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "a list of codings": f"{PUT}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "identity": f"{PUT}Transfer-Encoding: identity\r\n\r\nabcd{SMUGGLED}",
    "a coding like chunked": f"{PUT}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "a coding with a blank of Latin-1": f"{PUT}Transfer-Encoding: chunked\xa0\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "a coding with a blank before the colon": f"{PUT}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "a folded coding": f"{PUT}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "a folded header": f"{GET}X: a\r\n b\r\n\r\n{SMUGGLED}",
    "a folded first header": f"GET /queue HTTP/1.1\r\n X: a\r\n{HOST}\r\n{SMUGGLED}",
    "chunks of HTTP 1.0": f"{PUT.replace('1.1', '1.0', 1)}Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
    f"0\r\n\r\n{SMUGGLED}",
    "two lengths": f"{PUT}Content-Length: 4\r\nContent-Length: 40\r\n\r\nabcd{SMUGGLED}",
    "one length twice": f"{PUT}Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd{SMUGGLED}",
    "a list of lengths": f"{PUT}Content-Length: 4, 4\r\n\r\nabcd{SMUGGLED}",
    "a negative length": f"{PUT}Content-Length: -4\r\n\r\nabcd{SMUGGLED}",
    "a length with a sign": f"{PUT}Content-Length: +4\r\n\r\nabcd{SMUGGLED}",
    "a length in hexadecimal": f"{PUT}Content-Length: 0x4\r\n\r\nabcd{SMUGGLED}",
    "an empty length": f"{PUT}Content-Length:\r\n\r\nabcd{SMUGGLED}",
    "a length of 20 digits": f"{PUT}Content-Length: {'9' * 20}\r\n\r\nabcd",
    "a length of 5000 digits": f"{PUT}Content-Length: {'9' * 5000}\r\n\r\nabcd",
    "a length that is no number": f"{PUT}Content-Length: soon\r\n\r\nabcd",
    "a chunk that is none": f"{PUT}Transfer-Encoding: chunked\r\n\r\nnonsense",
    "a chunk with 0x": f"{PUT}Transfer-Encoding: chunked\r\n\r\n0x4\r\nabcd\r\n0\r\n\r\n{SMUGGLED}",
    "a negative chunk": f"{PUT}Transfer-Encoding: chunked\r\n\r\n-4\r\nabcd\r\n0\r\n\r\n{SMUGGLED}",
    "a huge chunk": f"{PUT}Transfer-Encoding: chunked\r\n\r\nfffffffffff\r\nabcd",
    "a chunk of 100 digits": f"{PUT}Transfer-Encoding: chunked\r\n\r\n{'f' * 100}\r\nabcd",
    "a chunk that is longer": f"{PUT}Transfer-Encoding: chunked\r\n\r\n4\r\nabcdef\r\n0\r\n\r\n{SMUGGLED}",
    "a line feed after a length": f"{PUT}Transfer-Encoding: chunked\r\n\r\n4\n\r\nabcd\r\n0\r\n\r\n{SMUGGLED}",
    "line feeds in chunks": f"{PUT}Transfer-Encoding: chunked\r\n\r\n4\nabcd\n0\n\n{SMUGGLED}",
    "an empty line for a length": f"{PUT}Transfer-Encoding: chunked\r\n\r\n\r\n4\r\nabcd\r\n0\r\n\r\n{SMUGGLED}",
    "a long extension": f"{PUT}Transfer-Encoding: chunked\r\n\r\n4;{'a' * 100_000}",
    "a long trailer": f"{PUT}Transfer-Encoding: chunked\r\n\r\n0\r\n" + f"X: {'y' * 90}\r\n" * 1000,
    "line feeds only": GET.replace("\r\n", "\n") + "\n",
    "a line feed between headers": f"{GET}X: a\nY: b\r\n\r\n{SMUGGLED}",
    "a carriage return in a header": f"{GET}X: a\rY: b\r\n\r\n{SMUGGLED}",
    "a zero in a header": f"{GET}X: a\0b\r\n\r\n{SMUGGLED}",
    "a header without a colon": f"{GET}X\r\n\r\n{SMUGGLED}",
    "a header without a name": f"{GET}: x\r\n\r\n{SMUGGLED}",
    "a blank in a name": f"{GET}X Y: x\r\n\r\n{SMUGGLED}",
    "two hosts": f"{GET}Host: {COS_HOST}\r\n\r\n{SMUGGLED}",
    "one host twice": f"{GET}{HOST}\r\n{SMUGGLED}",
    "another host in the request line": GET.replace("/queue", "http://other-1.ci.ap-x.myqcloud.com/queue", 1) + "\r\n",
    "a user in the request line": GET.replace("/queue", f"http://u:p@{CI_HOST}/queue", 1) + "\r\n",
    "no version": "GET /queue\r\n\r\n",
    "version 0.9": GET.replace("1.1", "0.9", 1) + "\r\n",
    "version 1.2": GET.replace("1.1", "1.2", 1) + f"\r\n{SMUGGLED}",
    "version 9.9": GET.replace("1.1", "9.9", 1) + f"\r\n{SMUGGLED}",
    "the preface of HTTP 2": f"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{SMUGGLED}",
    "a handshake of TLS": "\x16\x03\x01\x00\xf1\x01\x00\x00\xed\x03\x03" + "a" * 200,
    "a method in lower case": GET.replace("GET", "get", 1) + f"\r\n{SMUGGLED}",
    "raw bytes that are not UTF-8": f"GET /\xff\xfe?\xff=\xff HTTP/1.1\r\nHost: {COS_HOST}\r\n\r\n",
    "a broken address": f"GET http://[::1 HTTP/1.1\r\n{HOST}\r\n",
    "a blank in the path": GET.replace("/queue", "/que ue", 1) + f"\r\n{SMUGGLED}",
    "two blanks": GET.replace(" /queue", "  /queue", 1) + f"\r\n{SMUGGLED}",
    "a long head": f"{GET}X: {'a' * 400_000}\r\n\r\n{SMUGGLED}",
    "a head of 4 MB": f"{GET}X: {'a' * 4_000_000}",
    "many headers": GET + "".join(f"X{number}: a\r\n" for number in range(40_000)) + "\r\n",
    "201 headers": GET + "".join(f"X{number}: a\r\n" for number in range(199)) + "\r\n",
    "a long path": f"GET /{'a' * 300_000} HTTP/1.1\r\n{HOST}\r\n",
    "too long and to be continued": f"{PUT}Content-Length: {'9' * 14}\r\nExpect: 100-continue\r\n\r\n",
    "a long body that is refused": f"{PUT}Content-Length: {'9' * 14}\r\n\r\n" + "a" * 4_000_000,
    "HEAD that cannot be read": f"{HEAD}Content-Length: soon\r\n\r\n",
}  # fmt: skip

# Answered as a call; the connection ends after it.
LAST = {
    "a wish to upgrade": f"{GET}Connection: upgrade\r\n\r\n",
    "a WebSocket": f"{GET}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n",
    "HTTP 2": f"{GET}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    "an upgrade without the wish": f"{GET}Upgrade: h2c\r\n\r\n",
    "an upgrade and bytes after it": f"{GET}Connection: upgrade\r\nUpgrade: x\r\n\r\n\x81\x05hello",
    "an upgrade with a body": f"{PUT}Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\nbody",
    "close among others": f"{GET}Connection: TE, Close\r\n\r\n{SMUGGLED}",
    "close twice": f"{GET}Connection: close\r\nConnection: close\r\n\r\n",
    "HTTP 1.0": GET.replace("1.1", "1.0", 1) + "\r\n",
    "HTTP 1.0 without a host": "GET /queue HTTP/1.0\r\n\r\n",
    "a tunnel": f"CONNECT {CI_HOST}:443 HTTP/1.1\r\n{HOST}\r\n{SMUGGLED}",
}

# Answered as a call; the next request on the connection is answered, too.
KEPT = {
    "no host": "GET /queue HTTP/1.1\r\n\r\n",
    "an empty host": "GET /queue HTTP/1.1\r\nHost:\r\n\r\n",
    "HTTP 1.0, kept": GET.replace("1.1", "1.0", 1) + "Connection: keep-alive\r\n\r\n",
    "its own address": GET.replace("/queue", f"http://{CI_HOST}/queue", 1) + "\r\n",
    "its own address and port": GET.replace("/queue", f"http://{CI_HOST}:80/queue", 1) + "\r\n",
    "to be continued without a body": f"{GET}Expect: 100-continue\r\n\r\n",
    "to be continued with an empty body": f"{PUT}Content-Length: 0\r\nExpect: 100-continue\r\n\r\n",
    "another wish": f"{PUT}Content-Length: 4\r\nExpect: 500-go\r\n\r\nbody",
    "a body of GET": f"{GET}Content-Length: 4\r\n\r\nbody",
    "chunks": f"{PUT}Transfer-Encoding: Chunked\r\n\r\n4;a=b\r\nbody\r\n1 \r\n!\r\n0\r\nX: y\r\n\r\n",
    "an underscore": f"{GET}Content_Length: 4\r\n\r\n",
    "an empty line before it": f"\r\n\r\n{GET}\r\n",
    "everything": f"OPTIONS * HTTP/1.1\r\n{HOST}\r\n",
    "TRACE": f"TRACE /queue HTTP/1.1\r\n{HOST}\r\n",
    "bytes that are not UTF-8": f"GET /%ff%fe HTTP/1.1\r\nHost: {COS_HOST}\r\n\r\n",
    "half of a pair": f"GET /%ed%a0%80 HTTP/1.1\r\nHost: {COS_HOST}\r\n\r\n",
    "a zero byte": f"GET /a%00b HTTP/1.1\r\nHost: {COS_HOST}\r\n\r\n",
    "a zero byte in a marker": f"GET /?marker=%00 HTTP/1.1\r\nHost: {COS_HOST}\r\n\r\n",
    "percent signs": f"GET /%zz%0d%0aSet-Cookie:x HTTP/1.1\r\nHost: {COS_HOST}\r\n\r\n",
    "dots": f"GET /%2e%2e/..%2f../etc HTTP/1.1\r\nHost: {COS_HOST}\r\n\r\n",
    "slashes": f"GET ////a HTTP/1.1\r\nHost: {COS_HOST}\r\n\r\n",
    "an authority alone": f"GET http: HTTP/1.1\r\n{HOST}\r\n",
    "a long key": f"GET /{'a' * 4096} HTTP/1.1\r\nHost: {COS_HOST}\r\n\r\n",
    "many parameters": f"GET /queue?{'&'.join(f'a{n}=1' for n in range(5000))} HTTP/1.1\r\n{HOST}\r\n",
    "ranges": f"GET /a HTTP/1.1\r\nHost: {COS_HOST}\r\nRange: bytes={'0-1,' * 5000}\r\n\r\n",
    "an authorization twice": f"{GET}{signed('GET', '/queue')}\r\n",
}
LAST_GET = f"{GET}Connection: close\r\n\r\n"


def sent(port: int, text: str, *, pieces: int = 0) -> tuple[bytes, float]:
    """Return all that a connection answers until its end, and the seconds that it took."""
    began, got, data = time.monotonic(), b"", text.encode("latin-1")
    with socket.create_connection(("127.0.0.1", port), timeout=SLOW_S) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for start in range(0, len(data), pieces or len(data)):
                connection.sendall(data[start : start + (pieces or len(data))])
        while chunk := connection.recv(65536):  # an answer that is lost raises here
            got += chunk
    return got, time.monotonic() - began


def answers(data: bytes, *, of_head: bool = False) -> list[tuple[int, dict[str, str], bytes]]:
    """Return status, headers and body of each answer; fail on bytes that belong to none."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        assert first.startswith(("HTTP/1.1 ", "HTTP/1.0 ")), first
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        status = int(first.split()[1])
        length = 0 if status in (100, 204) or of_head else int(headers["content-length"])
        if status != 100:
            found.append((status, headers, data[:length]))
        assert len(data) >= length
        data = data[length:]
    return found


def hold_rule(status: int, headers: dict[str, str], body: bytes) -> None:
    assert status < 500, body
    if status >= 400 and body:
        root = etree.fromstring(body)
        assert root.tag == "Error"
        assert root.findtext("Code")
        assert root.findtext("Message")
        assert root.findtext("RequestId") == headers.get("x-ci-request-id", headers.get("x-cos-request-id"))


@pytest.mark.parametrize("what", REFUSED)
def test_a_request_that_can_be_read_in_two_ways_is_refused_and_ends_the_connection(port, what):
    got, took_s = sent(port, REFUSED[what])
    (answer,) = answers(got, of_head=what.startswith("HEAD"))
    hold_rule(*answer)
    assert 400 <= answer[0] < 500
    assert answer[1]["connection"] == "close"
    assert took_s < SLOW_S
    assert answers(sent(port, LAST_GET)[0])[0][0] == 200


@pytest.mark.parametrize("what", LAST)
def test_a_connection_ends_after_the_answer_where_more_bytes_could_mean_something_else(port, what):
    got, took_s = sent(port, LAST[what])
    (answer,) = answers(got)
    hold_rule(*answer)
    assert answer[1]["connection"] == "close"
    assert took_s < SLOW_S


@pytest.mark.parametrize("what", KEPT)
@pytest.mark.parametrize("pieces", [0, pytest.param(1, marks=pytest.mark.sweep)])
def test_an_odd_request_has_one_answer_and_so_has_the_next_one(port, what, pieces):
    got, took_s = sent(port, KEPT[what] + LAST_GET, pieces=pieces if len(KEPT[what]) < 5000 else 0)
    odd, following = answers(got)
    hold_rule(*odd)
    assert following[0] == 200
    assert took_s < SLOW_S


@pytest.mark.parametrize(
    "text", ["{GET}\r\n", "{PUT}Content-Length: 4\r\n\r\nbody", "{PUT}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]
)
def test_300_requests_on_one_connection_have_300_answers(port, text):
    one = text.format(GET=GET, PUT=PUT)
    got, _ = sent(port, one * 299 + LAST_GET)
    statuses = [status for status, _, _ in answers(got)]
    assert statuses == [statuses[0]] * 299 + [200]


def test_the_body_of_a_continued_request_is_asked_for_once(port):
    head = f"{PUT}Content-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=SLOW_S) as connection:
        connection.sendall(head)
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"body")
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert answers(answer)[0][0] == 200


def test_half_a_connection_still_takes_the_answer(port):
    with socket.create_connection(("127.0.0.1", port), timeout=SLOW_S) as connection:
        connection.sendall(f"{GET}\r\n".encode())
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert answers(answer)[0][0] == 200


def test_callers_that_never_close_lose_their_connection(port, monkeypatch):
    monkeypatch.setattr("ci_notebook.engine.server.channel.LINGER_S", 0.2)
    with socket.create_connection(("127.0.0.1", port), timeout=SLOW_S) as connection:
        connection.sendall(REFUSED["two lengths"].encode())
        while connection.recv(65536):
            pass
        until = time.monotonic() + 2 * SLOW_S
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while time.monotonic() < until:
                connection.sendall(b"more")
                time.sleep(0.05)
        assert time.monotonic() < until


@pytest.mark.parametrize("option", ["--http1.0", "--http1.1", "--http2", "--http2-prior-knowledge"])
@pytest.mark.slow
def test_curl_is_answered_in_every_version_it_has(port, option):
    if shutil.which("curl") is None:
        pytest.skip("this machine has no curl")
    run = subprocess.run(
        ["curl", "-sS", "-m", "5", option, "-H", HOST.strip(), "-H", signed("GET", "/queue").strip(),
         "-w", "%{http_code}", f"http://127.0.0.1:{port}/queue"],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    if option == "--http2-prior-knowledge":  # it cannot read our answer, and says so at once
        assert run.returncode not in (0, 28)
    else:
        assert run.stdout.endswith("200"), run.stderr
