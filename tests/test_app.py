"""The page of the verb `app` is open to the holder of its printed address, and to nobody else."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from ci_notebook.cli import main
from ci_notebook.cli.app import free_port
from ci_notebook.cli.page_server.gate import Gate, Seen
from tests.support import until

OWN = "127.0.0.1:8866"
TOKEN = "the-token"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@pytest.fixture
def gate() -> Gate:
    return Gate(port=8866, token=TOKEN)


@pytest.mark.parametrize(
    "host",
    ["evil.example:8866", "127.0.0.1.evil.example", "localhost.evil.example:8866", "127.0.0.1:8866@evil.example",
     "evil.example#127.0.0.1:8866", "0.0.0.0:8866", "[::1]:8866", "127.1:8866", "localhost.:8866", " 127.0.0.1", ""],
)  # fmt: skip
def test_a_name_that_was_pointed_to_this_machine_is_refused(gate: Gate, host: str) -> None:
    seen = Seen(method="GET", path="/", tokens=[TOKEN], hosts=[host], cookie=gate.cookie_value)
    assert gate.decide(seen).action == "refuse"


def test_a_request_names_exactly_one_host(gate: Gate) -> None:
    for hosts in ([], [OWN, OWN], [OWN, "evil.example"]):
        assert gate.decide(Seen(method="GET", path="/", tokens=[TOKEN], hosts=hosts)).action == "refuse"


def test_the_token_gives_the_cookie_and_the_cookie_opens_every_path(gate: Gate) -> None:
    for host in (OWN, "localhost:8866", "localhost:9999", "LOCALHOST:8866"):  # an SSH tunnel has a port of its own
        assert gate.decide(Seen(method="GET", path="/", tokens=[TOKEN], hosts=[host])).action == "enter"
    for path in ("/", "/api/kernels/1/channels", "/voila/static/a.js"):
        seen = Seen(method="POST", path=path, hosts=[OWN], origins=[f"http://{OWN}"], cookie=gate.cookie_value)
        assert gate.decide(seen).action == "pass"


@pytest.mark.parametrize(
    "change",
    [
        {"cookie": ""}, {"cookie": TOKEN}, {"cookie": "é\ud800"},
        {"origins": ["http://evil.example"]}, {"origins": ["null"]}, {"origins": ["https://127.0.0.1:8866"]},
        {"origins": ["http://127.0.0.1:8888"]}, {"origins": [f"http://{OWN}", f"http://{OWN}"]}, {"origins": [""]},
        {"sites": ["cross-site"]}, {"sites": ["same-site"]}, {"sites": ["same-origin", "cross-site"]},
        {"tokens": ["wrong"]}, {"tokens": [TOKEN, TOKEN]}, {"tokens": [TOKEN], "method": "POST"},
        {"tokens": [TOKEN], "path": "/voila/files/a"},
    ],
)  # fmt: skip
def test_what_is_not_of_this_page_is_refused(gate: Gate, change: dict[str, object]) -> None:
    seen = {"method": "GET", "path": "/", "hosts": [OWN], "cookie": gate.cookie_value, **change}
    assert gate.decide(Seen(**seen)).action == "refuse"  # type: ignore[arg-type]


def test_a_link_from_elsewhere_with_the_token_opens_the_page_by_a_page(gate: Gate) -> None:
    seen = Seen(method="GET", path="/", tokens=[TOKEN], hosts=[OWN], sites=["cross-site"])
    assert gate.decide(seen).by_page
    assert TOKEN not in repr(gate) and gate.cookie_value not in f"{gate!r}{Seen(method='', path='', cookie='s')!r}"
    assert Gate(port=1, token="").cookie_value != gate.cookie_value


@dataclass
class Running:
    port: int
    address: str
    process: subprocess.Popen[str]
    log: Path

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, http.client.HTTPMessage, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        upgraded = answer.status == 101
        body = "" if upgraded else answer.read().decode()
        connection.close()
        return answer.status, answer.headers, body

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def kernels(self) -> list[psutil.Process]:
        return [one for one in self.processes() if "ipykernel_launcher" in one.cmdline()]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Running]:
    pytest.importorskip("voila", reason="Voila is not installed")
    command = [sys.executable, "-m", "ci_notebook", "app", "--no-browser", "--max-pages=2", "--port=18866"]
    environment = {**os.environ, "CI_NOTEBOOK_HOME": str(tmp_path / "home")}
    log = tmp_path / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment, start_new_session=True
        )
    assert process.stdout
    found = None
    for line in process.stdout:
        found = re.search(r"http://127\.0\.0\.1:([0-9]+)/\?token=[\w-]{40,}", line)
        if found:
            break
    assert found, log.read_text()
    yield Running(int(found[1]), found[0], process, log)
    if process.poll() is None:
        process.terminate()
        process.wait(30)
    process.stdout.close()


@pytest.mark.slow
def test_the_printed_address_opens_the_page_and_nothing_else_starts_a_kernel(app: Running) -> None:
    entrance = app.address.partition(str(app.port))[2]
    token = entrance.partition("=")[2]
    for path in ("/", "/voila/static/a.js", "/api/kernels/x", "/login", "/nowhere", "/?token=wrong", "//", "/?Token=a"):
        status, headers, body = app.get(path)
        assert status == 403, path
        assert headers["X-Frame-Options"] == "DENY" and "token" in body
    assert app.get(entrance, Host=f"evil.example:{app.port}")[0] == 403
    assert app.get(entrance, method="HEAD")[0] == 403
    assert app.get("/", method="PURGE")[0] in (403, 405)
    assert app.kernels() == []

    status, headers, _ = app.get(entrance)
    assert (status, headers["Location"], headers["Referrer-Policy"]) == (303, "/", "no-referrer")
    cookie, *attributes = headers["Set-Cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict"} <= set(attributes) and token not in cookie
    status, headers, page = app.get("/", Cookie=cookie)
    assert (status, headers["Content-Security-Policy"]) == (200, "frame-ancestors 'none'")
    (kernel,) = app.kernels()
    assert token not in page
    assert token not in str(kernel.environ()) + str([one.cmdline() for one in app.processes()])

    (kernel_id,) = set(re.findall(r'"kernelId": ?"([0-9a-f-]{36})"', page))
    upgrade = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": KEY,
    }  # fmt: skip
    channels, own = f"/api/kernels/{kernel_id}/channels", f"http://127.0.0.1:{app.port}"
    assert app.get(channels, **upgrade)[0] == 403
    assert app.get(channels, **upgrade, Cookie=cookie, Origin="http://evil.example")[0] in (403, 404)
    assert app.get(channels, **upgrade, Cookie=cookie, Origin="http://127.0.0.1:9")[0] == 403
    rebound = {"Host": f"evil.example:{app.port}", "Origin": f"http://evil.example:{app.port}"}
    assert app.get(channels, **upgrade, **rebound, Cookie=cookie)[0] == 403
    assert app.get(channels, **upgrade, Cookie=cookie, Origin=own)[0] == 101
    assert app.get(f"/voila/api/shutdown/{kernel_id}", method="POST", Origin="null", Cookie=cookie)[0] == 403

    assert app.get("/", Cookie=cookie)[0] == 200
    assert app.get("/", Cookie=cookie)[0] == 200, "the page with the websocket is closed and makes room"
    assert kernel not in app.kernels()
    status, _, body = app.get("/", Cookie=cookie)
    assert (status, len(app.kernels())) == (503, 2)
    assert "The limit of 2 open pages is reached" in body
    assert token not in app.log.read_text()

    mine = app.processes()
    app.process.send_signal(signal.SIGINT)  # Ctrl-C, and only this process gets it
    assert app.process.wait(60) is not None
    until(lambda: not psutil.wait_procs(mine, timeout=0)[1])


@pytest.mark.slow
def test_the_server_ends_with_the_process_that_started_it(app: Running) -> None:
    mine = app.processes()
    app.process.kill()
    app.process.wait()
    until(lambda: not psutil.wait_procs(mine, timeout=0)[1])


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_jupyterlab_of_the_verb_lab_checks_host_and_token_by_itself(tmp_path: Path) -> None:
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "ci_notebook",
        "lab",
        "--no-browser",
        f"--port={port}",
        f"--dir={tmp_path / 'dir'}",
    ]
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "CI_NOTEBOOK_HOME", "IPYTHONDIR")
    environment = {**os.environ, **{name: str(tmp_path / name) for name in folders}}
    log = tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, text=True, env=environment)
    server = Running(port, "", process, log)
    try:
        until(lambda: "?token=" in log.read_text() and accepts(port), 90)
        token = re.findall(r"\?token=([0-9a-f]+)", log.read_text())[0]
        assert server.get(f"/api/kernels?token={token}")[0] == 200
        assert server.get("/api/kernels")[0] == 403
        assert server.get(f"/api/kernels?token={token}", Host=f"evil.example:{port}")[0] == 403
        assert server.get("/api/kernels", method="POST", Origin="http://evil.example")[0] in (403, 404)
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("option", ["--max-pages=0", "--max-pages=x", "--closed-seconds=0", "--idle-minutes=nan"])
def test_bounds_that_bound_nothing_are_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["app", option])
    assert "must be a" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["app", "lab", "serve"])
@pytest.mark.parametrize("port", ["-1", "65536", "99999999999999999999", "x", "\u0663"])
def test_what_is_no_port_is_refused(verb: str, port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([verb, f"--port={port}"])
    assert "must be a whole number from 0 to 65535" in capsys.readouterr().err


def test_port_0_is_a_free_port() -> None:
    port = free_port(0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert port > 1023 and free_port(port) != port


def test_the_help_states_the_bounds(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["app", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "(default: 4)" in said and "closed page after this time (default: 60)" in said and "(default: 120)" in said
