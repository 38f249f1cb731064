"""Real JupyterLab in a real browser, in folders of its own: nothing of the user's is read or touched."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
KERNEL_IS_IDLE = """() => {
    const kernel = window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel;
    return kernel && kernel.connectionStatus === 'connected' && kernel.status === 'idle';
}"""

# By the page's own hand: the server takes no such request from a stranger.
END_KERNEL = """async () => {
    await window.jupyterapp?.serviceManager?.sessions?.shutdownAll();
}"""


@dataclass
class Server:
    """A JupyterLab server on loopback. `root` is where its notebooks lie."""

    url: str
    root: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_settings(folder: Path) -> None:
    """Quiet the news pop-up, and leave the kernel that the tests run in as the only one named python3."""
    news = folder / "lab-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    spec = folder / "data/kernels/python3/kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}))


def environment(folder: Path) -> dict[str, str]:
    own = {
        "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
        "IPYTHONDIR": "ipython", "JUPYTERLAB_SETTINGS_DIR": "lab-settings", "JUPYTERLAB_WORKSPACES_DIR": "lab-workspaces",
        "CI_NOTEBOOK_HOME": "home",
    }  # fmt: skip
    package = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, **{name: str(folder / below) for name, below in own.items()}, "PYTHONPATH": paths}


def wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/api/status", timeout=2):  # noqa: S310  loopback
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests: starting it is what costs."""
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
    folder = tmp_path_factory.mktemp("jupyter")
    root, log, port = folder / "notebooks", folder / "server.log", free_port()
    root.mkdir()
    write_settings(folder)
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
        "--ServerApp.port_retries=0", "--IdentityProvider.token=", "--ServerApp.password=",
        f"--ServerApp.root_dir={root}", "--LabApp.news_url=", "--LabApp.extension_manager=readonly",
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
        "--expose-app-in-browser",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=root, env=environment(folder), stdout=out, stderr=subprocess.STDOUT)
        try:
            wait_until_it_answers(url, process, log)
            yield Server(url, root)
        finally:
            process.terminate()  # ends its kernels, too
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=program, headless=True, args=FLAGS)
        yield opened
        opened.close()


@dataclass
class Desk:
    """A page with JupyterLab in it, and what one does there."""

    page: Any
    server: Server
    shots: Path
    off_loopback: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def write(self, name: str, *cells: str) -> Path:
        """Put a notebook with these cells on the server."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = self.server.root / name
        nbformat.write(notebook, path)
        return path

    def open(self, name: str, *, kernel: bool = True) -> None:
        """Open a notebook alone in the page, and wait for its kernel by asking the app: the toolbar says idle too early."""
        self.page.goto(f"{self.server.url}/doc/tree/{name}?reset")
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
        if kernel:
            self.page.wait_for_function(KERNEL_IS_IDLE, timeout=60_000)

    def command(self, name: str, **args: Any) -> None:
        """Run one of JupyterLab's commands to its end."""
        self.page.evaluate(
            "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => {})", [name, args]
        )

    def run_all(self) -> None:
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")

    def save(self, path: Path) -> Any:
        """Save, and return the notebook as it now lies on the disk."""
        self.command("docmanager:save")
        return nbformat.read(path, as_version=4)

    def theme(self, name: str) -> None:
        self.command("apputils:change-theme", theme=name)
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)

    def shot(self, name: str) -> None:
        """Save a picture of the page, where CI_NOTEBOOK_SHOTS says or with the test's files."""
        self.page.screenshot(path=str(self.shots / f"{name}.png"))


@pytest.fixture
def desk(server: Server, browser: Any, tmp_path: Path) -> Iterator[Desk]:
    """A fresh page. Fails the test if the page asked for anything beyond this machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    shots = Path(os.environ.get("CI_NOTEBOOK_SHOTS", tmp_path / "shots"))
    shots.mkdir(parents=True, exist_ok=True)
    made = Desk(page, server, shots)

    def note(request: Any) -> None:
        there = urlsplit(request.url)
        if there.scheme not in ("data", "blob") and there.hostname != "127.0.0.1":
            made.off_loopback.append(request.url)

    page.on("request", note)
    page.on("websocket", note)
    page.on("pageerror", lambda error: made.complaints.append(str(error)))
    yield made
    page.evaluate(END_KERNEL)
    context.close()
    assert made.off_loopback == [], "the page asked for something beyond this machine"
