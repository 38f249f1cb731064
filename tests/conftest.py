"""Fixtures for every test: a separate home, small clips, an embedded lab; and the switch that forbids skips."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support import write_clip

# A machine that also encodes video is slow at times; that says nothing about the code under test.
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")

NO_SKIPS = os.environ.get("CI_NOTEBOOK_NO_SKIPS") == "1"


@pytest.fixture(scope="session", autouse=True)
def home_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the tests out of the user's store and away from the user's keys."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CI_NOTEBOOK_HOME", str(home))
        patch.setenv("CI_NOTEBOOK_PROGRESS", "0")
        for name in list(os.environ):
            if name.startswith("TENCENTCLOUD_"):
                patch.delenv(name)
        yield home


@pytest.fixture(scope="session")
def make_clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make small clips with sound, each once a session: `make_clip(seconds=1, size="320x180")`."""
    folder = tmp_path_factory.mktemp("clips")

    def make(*, seconds: float = 1, size: str = "320x180") -> Path:
        path = folder / f"{size}-{seconds}.mp4"
        coding = ("-preset", "ultrafast", "-pix_fmt", "yuv420p")
        return path if path.exists() else write_clip(path, *coding, seconds=seconds, size=size, rate=25, sound=True)

    return make


@pytest.fixture(scope="session")
def clip(make_clip: Callable[..., Path]) -> Path:
    """One second of 320x180 at 25 frames per second, with sound."""
    return make_clip()


@pytest.fixture(scope="module")
def embedded_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A lab on the embedded engine, shared by the tests of a module."""
    import ci_notebook as ci

    with ci.connect(home=tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def lab(embedded_lab: Any) -> Any:
    """The embedded lab; tests of widgets use a smaller one in its place."""
    return embedded_lab


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a parameter that is a file's content by its argument.

    Compressed bytes can hold the time. Two workers would then collect tests of other names, and refuse to run.
    """
    return argname if isinstance(val, (bytes, bytearray)) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out sweeps unless they are named: they repeat similar cases, and take long."""
    if "sweep" in (config.option.markexpr or "") or any("::" in one for one in config.args):
        return
    sweeps = [item for item in items if item.get_closest_marker("sweep")]
    if sweeps:
        config.hook.pytest_deselected(items=sweeps)
        items[:] = [item for item in items if not item.get_closest_marker("sweep")]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Under CI_NOTEBOOK_NO_SKIPS=1 a test that could not run has failed, with its reason."""
    outcome = yield
    report = outcome.get_result()
    if NO_SKIPS and report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} could not run: {reason}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each test that could not run, and why."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section("tests that this machine cannot run")
        for report in skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            terminalreporter.line(f"{report.nodeid}: {reason}")
