"""Fixtures for the three executors of jobs: threads, a process pool, and a Dask cluster."""

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


def pool(places: int = 2) -> ProcessPoolExecutor:
    """Return a pool of spawned processes, as everywhere but in old Linux."""
    return ProcessPoolExecutor(places, mp_context=multiprocessing.get_context("spawn"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Two real Dask workers, each a process with one thread."""
    from distributed import LocalCluster  # lazy: most tests want none

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # it reports every worker that the tests end
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
    with pool() as workers:
        yield workers


@pytest.fixture(params=WAYS)
def executor(request: pytest.FixtureRequest) -> Executor | Callable[[], Executor] | None:
    """What `Engine(executor=…)` takes for each of the ways."""
    if request.param == "threads":
        return None
    pool_or_cluster: Any = request.getfixturevalue("cluster" if request.param == "dask" else "processes")
    return DaskCluster(pool_or_cluster.scheduler_address) if request.param == "dask" else pool_or_cluster


def programs_below(folder: Path) -> list[str]:
    """Return the commands that run just now and name something below a folder (Linux)."""
    commands = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = one.read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue  # it ended meanwhile
        if any(word.startswith(str(folder)) for word in words[1:]):
            commands.append(" ".join(words))
    return commands
