"""A Dask cluster as the executor of jobs: its worker processes share the engine's folder, under the same path.

When a worker process dies, Dask runs its job again on another one. After the fourth death
(`distributed.scheduler.allowed-failures`) the job fails with `KilledWorker`. Dask cannot end a running
job; that goes through the folder (see `run_job`).
"""

from __future__ import annotations

import re
import time
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, Final

from ci_notebook.model.errors import EngineError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

INSTALL: Final = "python -m pip install 'ci-notebook[dask]'"
# How long the number of the cluster's slots is cached; workers come and go.
COUNT_S: Final = 2.0


class DaskCluster:
    """A Dask cluster, by its scheduler's address, for `connect(executor=…)`.

    The engine runs as many jobs at once as the cluster's workers have threads. It connects at once, and
    again after the scheduler was away; jobs wait meanwhile. Start workers with one thread each (`dask
    worker tcp://host:8786 --nthreads 1`), because FFmpeg has its own threads. Raises `ParameterError` for
    an invalid address, `EngineError` when Dask is not installed or no scheduler answers.

    >>> DaskCluster("my-cluster")
    Traceback (most recent call last):
    ...
    ci_notebook.model.errors.ParameterError: dask takes a scheduler's address, tcp://HOST:PORT; got 'my-cluster'
    """

    def __init__(self, address: str, *, timeout_s: float = 10.0) -> None:
        if not re.fullmatch(r"(tcp|tls|ucx|ws|wss|inproc)://.+", address):
            raise ParameterError("dask", address, "a scheduler's address, tcp://HOST:PORT")
        self.address, self._timeout_s = address, timeout_s
        self._threads: dict[str, int] = {}  # machine → number of threads
        self._counted_at = float("-inf")
        self._client: Client | None = None
        self._first: _ClusterExecutor | None = self._connect()

    def __repr__(self) -> str:
        return f"DaskCluster({self.address!r})"

    def __call__(self) -> Executor:
        """Return an executor on the cluster: the first connection, or a new one."""
        first, self._first = self._first, None
        return first or self._connect()

    def slots(self) -> int:
        """Return how many jobs the cluster runs at once: the threads of all its workers."""
        return sum(self._threads_by_machine().values())

    def slots_per_machine(self) -> int:
        """Return how many jobs run at once on one machine, at most."""
        return max(self._threads_by_machine().values(), default=1)

    def close(self) -> None:
        """Close a connection that no engine has used."""
        if self._first is not None:
            self._first.shutdown()

    def _threads_by_machine(self) -> dict[str, int]:
        """Return the number of worker threads per machine."""
        if self._client is not None and time.monotonic() - self._counted_at > COUNT_S:
            self._threads, self._counted_at = {}, time.monotonic()
            for address, count in self._client.nthreads().items():
                machine = address.rpartition(":")[0]
                self._threads[machine] = self._threads.get(machine, 0) + count
        return self._threads

    def _connect(self) -> _ClusterExecutor:
        try:
            from distributed import Client  # lazy: an extra, and a second to load
        except ImportError as problem:
            raise EngineError(f"A Dask cluster needs the extra `dask`. Install it: {INSTALL}") from problem
        try:
            self._client = Client(self.address, timeout=self._timeout_s, set_as_default=False, name="ci-notebook")
        except (OSError, ValueError) as problem:
            raise EngineError(
                f"No Dask scheduler answers at {self.address} ({problem}). Start one (`dask scheduler`) and use the "
                "address that it prints, such as tcp://host:8786."
            ) from problem
        self._counted_at = float("-inf")
        return _ClusterExecutor(self._client)


class _ClusterExecutor(Executor):
    """Dask's own executor; it closes its client on shutdown."""

    def __init__(self, client: Client) -> None:
        self._client = client
        # pure=False: two attempts of one job are two tasks, even with equal arguments.
        self._executor = client.get_executor(pure=False)

    def submit(self, call: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """Submit a call to the cluster."""
        if self._client.status != "running":
            raise ConnectionError(f"the connection to the Dask scheduler is {self._client.status}")
        future: Future[Any] = self._executor.submit(call, *args, **named)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Close the connection to the cluster."""
        self._executor.shutdown(wait=False)
        self._client.close()
