"""Fixtures for the engine, in process and on a port, and signed calls to it."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from ci_notebook.client.connection.transport import AddressTransport, WSGITransport
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.server.listener import Listener
from ci_notebook.media.ffmpeg import find_ffmpeg
from ci_notebook.model.api.jobs import JobsDetail, Response
from ci_notebook.wire import signing
from ci_notebook.wire.operations import url_path, url_query
from ci_notebook.wire.xml import loads

BUCKET, REGION = "test-1250000000", "ap-chongqing"
SECRET_ID, SECRET_KEY = "AKIDtests", "testskey"
KEYS = {SECRET_ID: SECRET_KEY}
CI_HOST = f"{BUCKET}.ci.{REGION}.myqcloud.com"
COS_HOST = f"{BUCKET}.cos.{REGION}.myqcloud.com"


class Caller:
    """Signed calls, written by hand: it knows nothing of our client but the ways to an application."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self.http = httpx.Client(transport=transport, timeout=30)

    def __call__(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        host: str = CI_HOST,
        secret_id: str = SECRET_ID,
        secret_key: str = SECRET_KEY,
        now: float | None = None,
        **headers: str,
    ) -> httpx.Response:
        """Send one call; header names are given with underscores."""
        all_headers = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
        authorization = signing.authorization(
            method, path, query=query or {}, headers=signing.headers_to_sign(all_headers), secret_id=secret_id,
            secret_key=secret_key, key_time=signing.key_time(time.time() if now is None else now),
        )  # fmt: skip
        url = f"http://{host}{url_path(path)}" + (f"?{url_query(query)}" if query else "")
        return self.http.request(method, url, content=body, headers={**all_headers, "Authorization": authorization})

    def put(self, key: str, data: bytes) -> None:
        """Store an object."""
        answer = self("PUT", f"/{key}", body=data, host=COS_HOST)
        assert answer.status_code == 200, answer.text

    def submit(self, setting: str = "", *, key: str = "in.mp4", **nodes: str) -> JobsDetail:
        """Post a job that must be accepted."""
        answer = self("POST", "/jobs", body=job_body(setting, key=key, **nodes))
        assert answer.status_code == 200, answer.text
        return loads(Response, answer.content).jobs_detail[0]

    def job(self, job_id: str) -> JobsDetail:
        """Read one job."""
        return loads(Response, self("GET", f"/jobs/{job_id}").content).jobs_detail[0]

    def ended(self, job_id: str | None, *, timeout_s: float = 60) -> JobsDetail:
        """Read a job until it is over."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            job = self.job(str(job_id))
            if job.is_over:
                return job
            time.sleep(0.02)
        raise AssertionError(f"job {job_id} is not over after {timeout_s} s")

    def close(self) -> None:
        """Let go of connections."""
        self.http.close()


MP4 = (
    "<Transcode><Container><Format>mp4</Format></Container><Video><Codec>H.264</Codec></Video>"
    "<Audio><Codec>aac</Codec></Audio></Transcode>"
)


def job_body(
    setting: str = "", *, key: str = "in.mp4", output: str = "out/${jobid}.${ext}", operation: str = "", after: str = ""
) -> bytes:
    """Return a body for POST /jobs: `setting` within VideoEnhance, `operation` after it, `after` after Operation."""
    return (
        f"<Request><Tag>VideoEnhance</Tag><Input><Object>{key}</Object></Input><Operation>"
        f"<VideoEnhance>{setting or MP4}</VideoEnhance><Output><Region>{REGION}</Region><Bucket>{BUCKET}</Bucket>"
        f"<Object>{output}</Object></Output>{operation}</Operation>{after}</Request>"
    ).encode()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine in process."""
    with Engine(tmp_path / "engine", bucket=BUCKET, region=REGION, keys=KEYS) as running:
        yield running


@pytest.fixture
def make_engine() -> Iterator[Callable[..., tuple[Engine, Caller]]]:
    """Make an engine on a folder, with its caller; both are closed at the end, engines first."""
    engines: list[tuple[Engine, Caller]] = []

    def make(root: Path, **options: Any) -> tuple[Engine, Caller]:
        engine = Engine(root, bucket=BUCKET, region=REGION, keys=KEYS, **options)
        engines.append((engine, Caller(WSGITransport(engine.app))))
        return engines[-1]

    yield make
    for engine, call in engines:
        engine.close()
        call.close()


@pytest.fixture
def served(engine: Engine) -> Iterator[str]:
    """The address of the engine on a loopback port."""
    with Listener(engine) as listener:
        listener.start()
        yield listener.address


@pytest.fixture(params=["in process", "loopback"])
def call(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Caller]:
    """Signed calls over either face of the engine."""
    in_process = request.param == "in process"
    transport = WSGITransport(engine.app) if in_process else AddressTransport(request.getfixturevalue("served"))
    caller = Caller(transport)
    yield caller
    caller.close()


@pytest.fixture
def call_in_process(engine: Engine) -> Iterator[Caller]:
    """Signed calls in process, where the transport makes no difference."""
    caller = Caller(WSGITransport(engine.app))
    yield caller
    caller.close()


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many FFmpegs were started to make something since last asked: a script before each writes a line."""
    log, script = tmp_path / "programs", tmp_path / "ffmpeg"
    script.write_text(f'#!/bin/sh\ncase "$*" in *" -i "*) echo >> "{log}";; esac\nexec "{find_ffmpeg()}" "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(script))

    def count() -> int:
        number = len(log.read_text().splitlines()) if log.exists() else 0
        log.unlink(missing_ok=True)
        return number

    return count
