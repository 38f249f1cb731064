"""Jobs worked on by a Dask cluster: its processes share the engine's folder, under the same path.

What Dask does for us: a job whose worker process dies runs again on another one, and after the
fourth death (`distributed.scheduler.allowed-failures`) it has failed with `KilledWorker`. What it
cannot do is end a job that runs; that goes through the folder (see `running`).
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
# How old the number of the cluster's places may be; workers come and go.
COUNT_S: Final = 2.0


class DaskCluster:
    """A Dask cluster, by its scheduler's address, for `connect(executor=…)`.

    The engine works on as many jobs at once as the cluster's workers have threads. It connects at
    once, and again when the scheduler was gone and is back; jobs wait meanwhile. Start workers with
    one thread each (`dask worker tcp://host:8786 --nthreads 1`): FFmpeg has threads of its own.
    Raises `ParameterError` for what is no address, `EngineError` when Dask is not installed or
    nobody answers.

    >>> DaskCluster("my-cluster")
    Traceback (most recent call last):
    ...
    ci_notebook.model.errors.ParameterError: dask takes a scheduler's address, tcp://HOST:PORT; got 'my-cluster'
    """

    def __init__(self, address: str, *, timeout_s: float = 10.0) -> None:
        if not re.fullmatch(r"(tcp|tls|ucx|ws|wss|inproc)://.+", address):
            raise ParameterError("dask", address, "a scheduler's address, tcp://HOST:PORT")
        self.address, self._timeout_s = address, timeout_s
        self._threads: dict[str, int] = {}  # of each machine
        self._counted = float("-inf")
        self._client: Client | None = None
        self._first: _ClusterExecutor | None = self._connected()

    def __repr__(self) -> str:
        return f"DaskCluster({self.address!r})"

    def __call__(self) -> Executor:
        """Return an executor on the cluster, connected anew but for the first time."""
        first, self._first = self._first, None
        return first or self._connected()

    def slots(self) -> int:
        """Return how many jobs the cluster works on at once: the threads of its workers, all together."""
        return sum(self._now().values())

    def slots_per_machine(self) -> int:
        """Return how many jobs one machine works on at once, at most."""
        return max(self._now().values(), default=1)

    def close(self) -> None:
        """Let go of a connection that no engine has used."""
        if self._first is not None:
            self._first.shutdown()

    def _now(self) -> dict[str, int]:
        """Return the number of threads of each machine."""
        if self._client is not None and time.monotonic() - self._counted > COUNT_S:
            self._threads, self._counted = {}, time.monotonic()
            for address, count in self._client.nthreads().items():
                machine = address.rpartition(":")[0]
                self._threads[machine] = self._threads.get(machine, 0) + count
        return self._threads

    def _connected(self) -> _ClusterExecutor:
        try:
            from distributed import Client  # lazy: an extra, and a second to load
        except ImportError as problem:
            raise EngineError(f"a Dask cluster needs the extra dask, which is not installed: {INSTALL}") from problem
        try:
            self._client = Client(self.address, timeout=self._timeout_s, set_as_default=False, name="ci-notebook")
        except (OSError, ValueError) as problem:
            raise EngineError(
                f"no Dask scheduler answers at {self.address} ({problem}). Start one (`dask scheduler`) and take the "
                "address that it prints, such as tcp://host:8786."
            ) from problem
        self._counted = float("-inf")
        return _ClusterExecutor(self._client)


class _ClusterExecutor(Executor):
    """Dask's own executor, that closes its client at its end."""

    def __init__(self, client: Client) -> None:
        self._client = client
        # pure: two tries of one job are two pieces of work, however equal their errands.
        self._executor = client.get_executor(pure=False)

    def submit(self, call: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """Hand a call to the cluster."""
        if self._client.status != "running":
            raise ConnectionError(f"the connection to the Dask scheduler is {self._client.status}")
        future: Future[Any] = self._executor.submit(call, *args, **named)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let go of the cluster."""
        self._executor.shutdown(wait=False)
        self._client.close()
