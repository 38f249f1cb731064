"""The three ways of doing jobs, for tests that hold for each: threads, processes of a pool, workers of a cluster."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ci_notebook.engine.jobs.dask_cluster import DaskCluster

WAYS = ("threads", "processes", "dask")


def pool(slots: int = 2) -> ProcessPoolExecutor:
    """Return a pool of processes that begin anew, as everywhere but in old Linux."""
    return ProcessPoolExecutor(slots, mp_context=multiprocessing.get_context("spawn"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Two real Dask workers, each a process with one thread."""
    from distributed import LocalCluster  # lazy: most tests want none

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # it tells of every death, and deaths are meant
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    ) as running:
        yield running


@pytest.fixture(scope="session")
def processes() -> Iterator[ProcessPoolExecutor]:
    """A pool of two processes."""
    with pool() as made:
        yield made


@pytest.fixture(params=WAYS)
def executor(request: pytest.FixtureRequest) -> Executor | Callable[[], Executor] | None:
    """What `Engine(executor=…)` takes for each of the ways."""
    if request.param == "threads":
        return None
    found: Any = request.getfixturevalue("cluster" if request.param == "dask" else "processes")
    return DaskCluster(found.scheduler_address) if request.param == "dask" else found


def programs_below(folder: Path) -> list[str]:
    """Return the commands that run just now and name something below a folder (Linux)."""
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = one.read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue  # it ended meanwhile
        if any(word.removeprefix("file:").startswith(str(folder)) for word in words[1:]):
            found.append(" ".join(words))
    return found
