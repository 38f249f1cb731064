"""A pytest plugin for your own notebooks and code: fixtures, and rules for nbval.

Load it with one line in the `conftest.py` of your tests, or with `pytest -p ci_notebook.testing`:

    pytest_plugins = ["ci_notebook.testing"]

It adds the fixtures `ci_lab`, `ci_engine` and `ci_clip`. `pytest --nbval` compares notebooks by our rules, which
ignore content that differs between two correct runs (ids, times, pixels). Invariant: everything happens in a
temporary folder, so your store and journal are neither read nor written. Progress bars are off, also in the kernels
of notebooks.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ci_notebook.engine.engine import Engine
    from ci_notebook.lab.lab import Lab

__all__ = ["ci_clip", "ci_engine", "ci_lab", "sanitize_rules"]

_ENVIRONMENT = {"CI_NOTEBOOK_HOME": "", "CI_NOTEBOOK_PROGRESS": "0"}
_BEFORE: pytest.StashKey[dict[str, str | None]] = pytest.StashKey()
_FOLDER: pytest.StashKey[tempfile.TemporaryDirectory[str]] = pytest.StashKey()


def sanitize_rules() -> Path:
    """Return the file of the nbval rules, for `--nbval-sanitize-with` where this plugin is not loaded.

    >>> sanitize_rules().name
    'sanitize.cfg'
    """
    return Path(__file__).parent / "sanitize.cfg"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give the session a temporary home, and nbval our rules unless other rules are set."""
    config.stash[_FOLDER] = folder = tempfile.TemporaryDirectory(
        prefix="ci-notebook-tests-", ignore_cleanup_errors=True
    )
    config.stash[_BEFORE] = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update({**_ENVIRONMENT, "CI_NOTEBOOK_HOME": folder.name})
    rules = getattr(config.option, "nbval_sanitize_with", None) or getattr(config.option, "sanitize_with", None)
    if hasattr(config.option, "nbval_sanitize_with") and not rules:
        config.option.nbval_sanitize_with = str(sanitize_rules())


def pytest_unconfigure(config: pytest.Config) -> None:
    """Restore the environment and remove the folder."""
    for name, value in config.stash.get(_BEFORE, {}).items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    if folder := config.stash.get(_FOLDER, None):
        folder.cleanup()


@pytest.fixture(scope="session")
def ci_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a real video for tests: one second of the sample, 320 × 180 px, 25 frames per second."""
    from ci_notebook.media.ffmpeg import run  # lazy: pytest loads this module even if no test uses it
    from ci_notebook.media.samples import sample

    path = tmp_path_factory.mktemp("ci-clip") / "clip.mp4"
    run(["-t", "1", "-i", sample(), "-vf", "scale=320:180,fps=25", "-preset", "ultrafast", "-an", path])
    return path


@pytest.fixture
def ci_lab(tmp_path: Path) -> Iterator[Lab]:
    """Give an empty lab on a new embedded engine, closed after the test."""
    from ci_notebook.lab.connect import connect  # lazy, as above

    with connect(home=tmp_path / "ci-notebook") as lab:
        yield lab


@pytest.fixture
def ci_engine(ci_lab: Lab) -> Engine:
    """Return the engine behind `ci_lab`: its `faults` make calls and jobs fail."""
    assert ci_lab.engine is not None  # noqa: S101  connect() without a bucket embeds one
    return ci_lab.engine
