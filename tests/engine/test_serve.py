"""The engine as a process: it stops on a signal, and a kill -9 loses no job."""

import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from ci_notebook.client.connection.transport import AddressTransport
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.server.listener import Listener
from ci_notebook.model.errors import EngineError
from tests.engine_fixtures import BUCKET, COS_HOST, KEYS, REGION, Caller

SERVE = """
import sys
from ci_notebook.engine.jobs.dask_cluster import DaskCluster
from ci_notebook.engine.server.listener import serve
serve(sys.argv[1], port=0, bucket=sys.argv[2], region=sys.argv[3], keys={sys.argv[4]: sys.argv[5]},
      on_listening=lambda address: print(address, flush=True), EXTRA)
"""
# Takes some seconds on any machine, of a clip of two.
SLOW = (
    "<Transcode><Container><Format>mp4</Format></Container><Video><Codec>H.264</Codec><Preset>slower</Preset></Video>"
    "</Transcode><SuperResolution><Resolution>hdto4k</Resolution></SuperResolution>"
)


class Server:
    """An engine in a separate process, on one folder."""

    def __init__(self, root, extra=""):
        root_of_package = Path(__file__).parents[2]
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE.replace("EXTRA", extra), str(root), BUCKET, REGION, *KEYS, *KEYS.values()],
            stdout=subprocess.PIPE, text=True, cwd=root_of_package,
        )  # fmt: skip
        self.address = self.process.stdout.readline().strip()
        self.call = Caller(AddressTransport(self.address))

    def end(self, number=signal.SIGKILL):
        self.call.close()
        self.process.send_signal(number)
        code = self.process.wait(timeout=20)
        self.process.stdout.close()
        return code


@pytest.fixture
def serve(tmp_path):
    started = []

    def start():
        started.append(Server(tmp_path / "root"))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.end()


def until_running(call, job_id):
    for _ in range(400):
        if call.job(job_id).state == "Running":
            return
        time.sleep(0.02)
    raise AssertionError("the job never ran")


def states(root):
    with sqlite3.connect(root / "ledger.sqlite") as connection:
        rows = connection.execute("SELECT state FROM jobs").fetchall()
    connection.close()
    return [row[0] for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_and_the_running_job_goes_back_among_the_waiting(serve, make_clip, tmp_path, number):
    server = serve()
    server.call.put("in.mp4", make_clip(seconds=2, size="640x360").read_bytes())
    job = server.call.submit(SLOW)
    until_running(server.call, job.job_id)
    assert server.end(number) == 0
    assert states(tmp_path / "root") == ["Submitted"]
    assert list((tmp_path / "root" / ".owners").iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no locks that end with a process")
def test_after_kill_9_and_a_restart_the_accepted_jobs_end_once_each(serve, make_clip, tmp_path):
    server = serve()
    server.call.put("in.mp4", make_clip(seconds=2, size="640x360").read_bytes())
    slow = server.call.submit(SLOW, output="out/slow.mp4")
    others = [server.call.submit(output=f"out/{number}.mp4") for number in range(3)]
    until_running(server.call, slow.job_id)
    server.end(signal.SIGKILL)
    assert "Success" not in states(tmp_path / "root")[:1]
    again = serve().call
    ended = [again.ended(job.job_id) for job in (slow, *others)]
    assert [job.state for job in ended] == ["Success"] * 4
    listed = again("GET", "/", {"prefix": "out/"}, host=COS_HOST).text
    assert listed.count("<Key>") == 4
    assert len(list((tmp_path / "root" / BUCKET).iterdir())) == 5


@pytest.mark.slow
def test_two_engines_on_one_folder_run_each_job_once(tmp_path, clip):
    from ci_notebook.client.connection.transport import WSGITransport

    ran = []
    engines = [Engine(tmp_path, bucket=BUCKET, region=REGION, keys=KEYS, workers=1) for _ in range(2)]
    calls = [Caller(WSGITransport(engine.app)) for engine in engines]
    calls[0].put("in.mp4", clip.read_bytes())
    ids = [calls[number % 2].submit().job_id for number in range(4)]
    ran = [calls[1].ended(job_id).state for job_id in ids]
    assert ran == ["Success"] * 4
    assert len(list((tmp_path / BUCKET).iterdir())) == 5
    for call, engine in zip(calls, engines, strict=True):
        call.close()
        engine.close()


def test_a_port_that_is_taken_is_named(engine, served):
    port = int(served.rpartition(":")[2])
    with pytest.raises(EngineError, match=str(port)):
        Listener(engine, port=port)


def raw(address, data, *, half_close=True):
    """Send bytes as they are and return what comes back."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(data)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


CLOSE = b"\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"NONSENSE\r\n\r\n",
        b"GET /a HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 262_140 + b"\r\n\r\n",
        b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999\r\n\r\n",
        b"GET /%ff HTTP/1.1\r\nHost: " + COS_HOST.encode() + CLOSE,
        b"GET /?a=%ff HTTP/1.1\r\nHost: " + COS_HOST.encode() + CLOSE,
        b"GET / HTTP/1.1" + CLOSE,
    ],
    ids=["no request", "length", "long header", "too large", "path", "query", "no host"],
)
def test_an_unknown_call_gets_a_4xx_with_a_body_of_xml(served, head):
    answer = raw(served, head, half_close=False)
    assert answer.startswith(b"HTTP/1."), answer
    assert answer.split(b" ")[1][:1] == b"4"
    assert b"<Error><Code>" in answer


def test_a_body_that_breaks_off_stores_nothing(call_in_process, served, engine):
    raw(served, f"PUT /half HTTP/1.1\r\nHost: {COS_HOST}\r\nContent-Length: 100\r\n\r\nhalf".encode())
    assert call_in_process("GET", "/half", host=COS_HOST).status_code == 404
    assert not list((engine.root / ".incoming").iterdir())


def test_header_names_go_out_as_the_service_writes_them(call_in_process, served):
    call_in_process.put("a", b"data")
    with httpx.Client() as http:
        names = [name for name, _ in http.get(served + "/a", headers={"host": COS_HOST}).headers.raw]
    assert b"x-cos-request-id" in names
    assert b"Via" not in names


def test_the_default_is_loopback(engine):
    with Listener(engine) as listener:
        assert listener.address.startswith("http://127.0.0.1:")


@pytest.mark.slow
def test_leaving_the_interpreter_stops_ffmpeg_without_waiting_for_it(tmp_path, make_clip):
    program = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.engine_fixtures import *
from pathlib import Path
engine = Engine({str(tmp_path / "root")!r}, bucket=BUCKET, region=REGION, keys=KEYS)
call = Caller(WSGITransport(engine.app))
call.put("in.mp4", Path({str(make_clip(seconds=2, size="640x360"))!r}).read_bytes())
job = call.submit({SLOW!r})
while call.job(job.job_id).state != "Running": time.sleep(.02)
"""
    began = time.monotonic()
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (process.returncode, process.stderr) == (0, "")
    assert states(tmp_path / "root") == ["Submitted"]
    assert time.monotonic() - began < 15
    assert list((tmp_path / "root" / ".owners").iterdir()) == []
