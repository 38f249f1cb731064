"""One server and one browser for all of this folder: starting them is what costs. A fresh page for each test.

They end with the folder: while Playwright is there, an event loop runs in the tests' own thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.browser.jupyter import Desk, Server, chromium, page_at, running_browser, running_server

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder `browser` and `slow`."""
    for item in items:
        if item.path.is_relative_to(FOLDER):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("jupyter")) as server:
        yield server


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    program = chromium()
    if program is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with running_browser(program) as browser:
        yield browser


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where pictures of pages go: where CI_NOTEBOOK_SHOTS says, or to the test's files."""
    return Path(os.environ.get("CI_NOTEBOOK_SHOTS", tmp_path / "shots"))


@pytest.fixture
def desk(browser: Any, server: Server, shots: Path) -> Iterator[Desk]:
    """A page with JupyterLab in it."""
    with page_at(server, browser, shots) as desk:
        yield desk
    assert desk.off_loopback == [], "the page asked for something beyond this machine"
