"""The terminal's verbs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from ci_notebook.cli import main
from ci_notebook.cli.lab import copy_tutorials, tutorials


def test_tutorials_are_copied_and_a_changed_one_is_kept(tmp_path: Path) -> None:
    assert copy_tutorials(tmp_path) == []
    names = {path.name for path in tutorials().glob("*.ipynb")}
    assert {path.name for path in tmp_path.iterdir()} == names
    (tmp_path / "01_quickstart.ipynb").write_text("my own")
    assert copy_tutorials(tmp_path) == ["01_quickstart.ipynb"]
    assert (tmp_path / "01_quickstart.ipynb").read_text() == "my own"


@pytest.mark.slow
def test_serve_prints_made_up_keys_once_and_the_address_and_stops_on_sigterm(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TENCENTCLOUD_")}
    command = [sys.executable, "-m", "ci_notebook", "serve", "--root", str(tmp_path / "store"), "--port", "0"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        lines = [server.stdout.readline() for _ in range(4)]
        said = "".join(lines)
        assert said.count("TENCENTCLOUD_SECRET_ID=") == said.count("TENCENTCLOUD_SECRET_KEY=") == 1
        address = lines[3].split()[2]
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(address)  # noqa: S310  our own server on loopback
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0


def test_serve_with_half_a_key_says_which_half_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TENCENTCLOUD_SECRET_ID", "AKIDhalf")
    assert main(["serve", "--root", str(tmp_path)]) == 1
    assert "TENCENTCLOUD_SECRET_KEY is not set" in capsys.readouterr().err


def test_serve_without_the_server_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "ci_notebook.engine.server.listener", raising=False)
    monkeypatch.delitem(sys.modules, "ci_notebook.engine.server.channel", raising=False)
    for name in [name for name in sys.modules if name.split(".")[0] == "waitress"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "waitress", None)
    assert main(["serve", "--root", str(tmp_path)]) == 1
    assert "pip install 'ci-notebook[local]'" in capsys.readouterr().err


@pytest.mark.slow
def test_help_waits_for_nothing_heavy() -> None:
    heavy = ("pandas", "matplotlib", "ipywidgets", "httpx", "lxml", "numpy")
    code = f"import ci_notebook.cli, sys; print([name for name in {heavy} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_app_says_what_it_cannot_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["app", str(tmp_path / "missing.mp4"), "--no-browser"]) == 1
    assert "There is no video file" in capsys.readouterr().err


@pytest.mark.slow
def test_a_server_ends_with_its_verb(tmp_path: Path) -> None:
    """SIGTERM reaches the verb alone; what it started must end with it."""
    child = "import os, time; time.sleep(0.5); print(os.getpid(), flush=True); time.sleep(60)"
    code = (
        "import sys; from ci_notebook.cli.subprocess_server import serve_until_ended; "
        f"serve_until_ended([sys.executable, '-c', {child!r}])"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as verb:
        assert verb.stdout is not None
        server = int(verb.stdout.readline())
        verb.send_signal(signal.SIGTERM)
        assert verb.wait(10) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)
