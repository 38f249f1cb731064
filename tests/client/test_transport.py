"""The ways to the service change where a request goes, never what it says."""

from __future__ import annotations

import socket
import threading
import wsgiref.validate

import httpx
import pytest

from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.failures import ConnectionFailed
from ci_notebook.client.connection.proxies import NetworkTransport
from ci_notebook.client.connection.transport import AddressTransport, WSGITransport
from ci_notebook.model.errors import ServiceError
from tests.client.fake_cloud import BUCKET, REGION, SECRET_ID, SECRET_KEY


def post(app, **more):
    with httpx.Client(transport=WSGITransport(app)) as http:
        return http.post("https://h.example/", **more)


def test_the_environment_is_what_the_standard_asks_for(cloud, tmp_path):
    with Client(
        BUCKET, region=REGION, credentials=Credentials(SECRET_ID, SECRET_KEY),
        transport=WSGITransport(wsgiref.validate.validator(with_phrase(cloud))),
    ) as client:  # fmt: skip
        client.upload(b"video", "视频/a b.mp4")
        assert client.download("视频/a b.mp4", tmp_path / "a").read_bytes() == b"video"


def with_phrase(app):
    """Add the phrase and the Content-Type without which the validator complains."""

    def answer(environ, start_response):
        def start(status, headers):
            typed = any(name == "Content-Type" for name, _ in headers)
            return start_response(f"{status}OK", headers if typed else [*headers, ("Content-Type", "text/plain")])

        return app(environ, start)

    return answer


def test_a_body_is_read_as_the_application_wants_it():
    taken = []

    def app(environ, start_response):
        body = environ["wsgi.input"]
        taken.extend([body.read(2), body.readline(), body.readline(3), body.readlines(), body.read()])
        start_response("200 OK", [])
        return [b"done"]

    assert post(app, content=iter([b"ab1", b"\nline", b"s\n", b"rest\nend"])).content == b"done"
    assert taken == [b"ab", b"1\n", b"lin", [b"es\n", b"rest\n", b"end"], b""]


def test_an_answer_is_closed_when_the_caller_releases_it():
    class Answer:
        closed = False

        def __iter__(self):
            return iter([b"a", b"b"])

        def close(self):
            self.closed = True

    answer = Answer()

    def app(environ, start_response):
        start_response("200 OK", [])
        return answer

    with httpx.Client(transport=WSGITransport(app)) as http, http.stream("GET", "http://h.example/") as response:
        assert next(response.iter_raw()) == b"a"
        assert not answer.closed
    assert answer.closed


@pytest.mark.parametrize(
    ("error", "told"), [(ConnectionResetError("gone"), httpx.ReadError), (TimeoutError(), httpx.ReadTimeout)]
)
@pytest.mark.parametrize("when", ["at once", "midway"])
def test_an_application_that_hangs_up_is_a_lost_connection(error, told, when):
    def app(environ, start_response):
        start_response("200 OK", [])
        if when == "midway":
            yield b"half"
        raise error

    with pytest.raises(told):
        post(app, content=b"")


def test_an_application_s_own_mistake_comes_through_as_it_is():
    def app(environ, start_response):
        raise KeyError("mistake")

    with pytest.raises(KeyError, match="mistake"):
        post(app, content=b"")


@pytest.mark.parametrize("address", ["127.0.0.1:9", "http://127.0.0.1:9", "http://localhost:9/"])
def test_an_address_is_taken_with_and_without_its_scheme(address):
    with httpx.Client(transport=AddressTransport(address)) as http, pytest.raises(httpx.ConnectError):
        http.get("https://lab-1250000000.ci.ap-chongqing.myqcloud.com/jobs")


@pytest.mark.parametrize("bucket", ["lab", "Lab-1250000000", "lab_1-1250000000", "lab-1250000000.evil.example/", ""])
def test_an_invalid_bucket_is_refused(bucket):
    with pytest.raises(ValueError, match=r"The bucket name .* is not valid"):
        Client(bucket, region=REGION, credentials=Credentials("a", "b"))


@pytest.mark.parametrize("region", ["", "chongqing", "ap-chongqing.evil.example", "ap chongqing"])
def test_an_invalid_region_is_refused(region):
    with pytest.raises(ValueError, match=r"The region .* is not valid"):
        Client(BUCKET, region=region, credentials=Credentials("a", "b"))


class Proxy:
    """A proxy that answers nothing and remembers the first line it was sent."""

    def __init__(self):
        self.lines = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                line, _ = self._door.accept()
            except OSError:
                return
            with line:
                self.lines.append(line.recv(65536).split(b"\r\n")[0].decode())
                line.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def close(self):
        self._door.close()


@pytest.fixture
def proxy(monkeypatch):
    made = Proxy()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, made.address)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield made
    made.close()


CI = f"{BUCKET}.ci.{REGION}.myqcloud.com"


@pytest.mark.parametrize(
    ("scheme", "line"),
    [("https", f"CONNECT {CI}:443 HTTP/1.1"), ("http", f"GET http://{CI}/jobs/j1 HTTP/1.1")],
)
def test_the_environment_s_proxy_is_asked_as_a_proxy_is(proxy, scheme, line):
    keys = Credentials(SECRET_ID, SECRET_KEY)
    with (
        Client(BUCKET, region=REGION, credentials=keys, scheme=scheme, sleep=lambda _: None) as client,
        pytest.raises((ConnectionFailed, ServiceError)),
    ):
        client.job("j1")
    assert proxy.lines[0] == line


def test_a_host_that_needs_no_proxy_is_spared_it(proxy, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with httpx.Client(transport=NetworkTransport()) as http, pytest.raises(httpx.ConnectError):
        http.get("http://127.0.0.1:9/")
    assert proxy.lines == []
