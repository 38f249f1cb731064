"""JupyterLab in a real browser, in separate folders: nothing of the user's is read or changed.

The tests and the benchmarks share it.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
from playwright.sync_api import sync_playwright

from ci_notebook.cli import app

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
KERNEL_IS_IDLE = """() => {
    const kernel = window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel;
    return kernel && kernel.connectionStatus === 'connected' && kernel.status === 'idle';
}"""

ASK_KERNEL = """async expression => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const reply = await kernel.requestExecute({code: '', user_expressions: {asked: expression}}).done;
    const asked = reply.content.user_expressions.asked;
    return asked.status === 'ok' ? asked.data['text/plain'] : JSON.stringify(asked.ename + ': ' + asked.evalue);
}"""
# By the page's own hand: the server takes no such request from a stranger.
END_KERNEL = """async () => {
    await window.jupyterapp?.serviceManager?.sessions?.shutdownAll();
}"""


@dataclass
class Server:
    """A server on loopback. `root` is the folder of its notebooks, `opens` the URL path to one of them."""

    url: str
    root: Path
    opens: str = "/doc/tree/{}?reset"


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
        "IPYTHONDIR": "ipython", "JUPYTERLAB_SETTINGS_DIR": "lab-settings",
        "JUPYTERLAB_WORKSPACES_DIR": "lab-workspaces", "CI_NOTEBOOK_HOME": "home",
    }  # fmt: skip
    package = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, **{name: str(folder / below) for name, below in own.items()}, "PYTHONPATH": paths}


def wait_until_it_answers(
    url: str, process: subprocess.Popen[bytes], log: Path, timeout_s: float = 60, *, or_an_error: bool = False
) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310  loopback
                return
        except OSError as error:
            if or_an_error and isinstance(error, urllib.error.HTTPError):
                return
            time.sleep(0.2)
    raise RuntimeError(f"the server did not start:\n{log.read_text()[-2000:]}")


@contextmanager
def running_server(folder: Path, front: str = "jupyterlab") -> Iterator[Server]:
    """Run JupyterLab, or `notebook`, with everything that it reads or writes below `folder`."""
    root, log, port = folder / "notebooks", folder / "server.log", free_port()
    root.mkdir()
    write_settings(folder)
    command = [
        sys.executable, "-m", front, "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
        "--ServerApp.port_retries=0", "--IdentityProvider.token=", "--ServerApp.password=",
        f"--ServerApp.root_dir={root}", "--LabApp.news_url=", "--LabApp.extension_manager=readonly",
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
        "--expose-app-in-browser",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with running(command, folder, root, log) as process:
        wait_until_it_answers(f"{url}/api/status", process, log)
        yield Server(url, root, "/notebooks/{}?reset" if front == "notebook" else Server.opens)


@contextmanager
def running_app(folder: Path, clip: Path, *options: str) -> Iterator[Server]:
    """Run `ci-notebook app` with everything that it reads or writes below `folder`; it opens by its printed address."""
    root, log, port = folder / "app", folder / "app.log", free_port()
    root.mkdir()
    write_settings(folder)
    command = [sys.executable, "-m", "ci_notebook", "app", str(clip), f"--port={port}", "--no-browser", *options]
    url = f"http://127.0.0.1:{port}"
    with running(command, folder, root, log) as process:
        wait_until_it_answers(url, process, log, or_an_error=True)
        yield Server(url, root, printed_address(log).removeprefix(url))


def printed_address(log: Path) -> str:
    """Return the address with the token that `ci-notebook app` printed."""
    found = re.search(r"The page is at (http://127\.0\.0\.1:[0-9]+/\?token=\S+)", log.read_text("utf-8"))
    assert found, log.read_text("utf-8")
    return found[1]


@contextmanager
def running_voila(folder: Path, notebook: str) -> Iterator[Server]:
    """Run Voila for a notebook that will be below the server's root, in our template, which fetches nothing."""
    root, log, port = folder / "page", folder / "voila.log", free_port()
    root.mkdir()
    write_settings(folder)
    (folder / "data/voila").symlink_to(Path(app.__file__).parent / "voila")
    command = [
        sys.executable, "-m", "voila", str(root), f"--port={port}", "--no-browser", "--Voila.ip=127.0.0.1",
        "--template=ci", "--show_tracebacks=True", "--Voila.port_retries=0",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with running(command, folder, root, log) as process:
        wait_until_it_answers(f"{url}/voila/templates/lab/static/index.css", process, log, or_an_error=True)
        yield Server(url, root, f"/voila/render/{notebook}")


@contextmanager
def running(command: list[str], folder: Path, root: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=root, env=environment(folder), stdout=out, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.terminate()  # ends its kernels, too
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def chromium() -> str | None:
    """Return the program of an installed Chromium or Chrome."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def running_browser(program: str) -> Iterator[Any]:
    with sync_playwright() as running:
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

    def write(self, name: str, *cells: str) -> Path:
        """Put a notebook with these cells on the server."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = self.server.root / name
        nbformat.write(notebook, path)
        return path

    def open(self, name: str, *, kernel: bool = True) -> None:
        """Open a notebook alone in the page; ask the app for its kernel, as the toolbar says idle too early."""
        self.page.goto(self.server.url + self.server.opens.format(name))
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
        if kernel:
            self.page.wait_for_function(KERNEL_IS_IDLE, timeout=60_000)

    def command(self, name: str, **args: Any) -> None:
        """Run one of JupyterLab's commands to its end."""
        self.page.evaluate(
            "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => {})", [name, args]
        )

    def end_kernel(self) -> None:
        self.page.evaluate(END_KERNEL)

    def restart_kernel(self) -> None:
        """Restart the kernel and forget what it drew."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
        self.command("notebook:clear-all-cell-outputs")
        self.page.wait_for_function(KERNEL_IS_IDLE, timeout=60_000)

    def run_all(self) -> None:
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")

    def save(self, path: Path) -> Any:
        """Save, and return the notebook as it is on the disk."""
        self.command("docmanager:save")
        return nbformat.read(path, as_version=4)

    def ask(self, expression: str) -> Any:
        """Return the value of a Python expression in the notebook's kernel."""
        return ast.literal_eval(self.page.evaluate(ASK_KERNEL, expression))

    def theme(self, name: str) -> None:
        self.command("apputils:change-theme", theme=name)
        self.page.wait_for_function(
            "name => document.body.dataset.jpThemeName === name && !document.querySelector('#jupyterlab-splash')",
            arg=name,
        )

    @property
    def is_dark(self) -> bool:
        return self.page.evaluate("() => document.body.dataset.jpThemeLight === 'false'")

    def shot(self, name: str) -> None:
        """Save a picture of the page, where CI_NOTEBOOK_SHOTS says or with the test's files."""
        self.page.screenshot(path=str(self.shots / f"{name}.png"))


@contextmanager
def page_at(server: Server, browser: Any, shots: Path) -> Iterator[Desk]:
    """Open a fresh page, and record its requests to other machines."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    shots.mkdir(parents=True, exist_ok=True)
    desk = Desk(context.new_page(), server, shots)

    def note(request: Any) -> None:
        there = urlsplit(request.url)
        if there.scheme not in ("data", "blob") and there.hostname != "127.0.0.1":
            desk.off_loopback.append(request.url)

    desk.page.on("request", note)
    desk.page.on("websocket", note)
    try:
        yield desk
        if desk.is_dark:
            desk.theme("JupyterLab Light")  # the server remembers it for the next page
        desk.end_kernel()
    finally:
        context.close()
