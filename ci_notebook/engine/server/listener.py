"""The engine on a port, served by waitress. Prints nothing; calls back when it listens."""

from __future__ import annotations

import contextlib
import functools
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final, Self

from waitress import wasyncore
from waitress.server import create_server

from ci_notebook._processes import Owner, detach_in_children
from ci_notebook.engine.calls.objects import MAX_PUT_BYTES
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.jobs.executors import MakeExecutor
from ci_notebook.engine.limits import Limits
from ci_notebook.engine.notify.addresses import is_loopback
from ci_notebook.engine.read_slots import CALL_LIMIT_S, MAX_ENTERED
from ci_notebook.engine.server.channel import REQUEST_TIMEOUT_S, Channel, refuse_slow_requests
from ci_notebook.model.errors import EngineError
from ci_notebook.wire.secret import Secret

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())

# Each thread answers one call. Receiving bodies and sending objects block none, and calls that read videos never
# take the last eight.
THREADS: Final = MAX_ENTERED + 8
# Further callers wait in the backlog. Each open connection costs a file descriptor.
CONNECTIONS: Final = 500
# How long `close` waits for the thread that reads the sockets; it looks once a second whether to stop.
STOP_S: Final = 10.0


def serve(
    root: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 9000,
    bucket: str,
    region: str,
    keys: Mapping[str, str | Secret],
    tokens: Mapping[str, str | Secret] | None = None,
    workers: int = 2,
    executor: Executor | MakeExecutor | None = None,
    limits: Limits | None = None,
    cache_bytes: int | None = None,
    reuse: bool = True,
    call_limit_s: float = CALL_LIMIT_S,
    on_listening: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then stop: running jobs go back to their queues.

    `on_listening` gets the address (`http://127.0.0.1:9000`) once it accepts calls; port 0 chooses a free
    port. `workers`, `executor`, `limits`, `cache_bytes`, `reuse` and `call_limit_s` are as in `Engine`.
    Notifications may go to this machine only where `host` is loopback. Must run in the main thread, which receives
    signals. Raises `EngineError` when the port is in use.
    """
    limits = limits or Limits()
    engine = Engine(
        root, bucket=bucket, region=region, keys=keys, tokens=tokens, workers=workers, executor=executor,
        time_limit_s=limits.time_s, disk_limit_bytes=limits.disk_bytes, min_free_bytes=limits.free_bytes,
        cache_bytes=cache_bytes, reuse=reuse, call_limit_s=call_limit_s, notify_loopback=is_loopback(host),
    )  # fmt: skip
    with engine, Listener(engine, host=host, port=port) as listener, _stopping(listener):
        if on_listening is not None:
            on_listening(listener.address)
        listener.run()


class Listener:
    """A port on which an engine answers. `run` it in this thread, or `start` it in another one; then `close` it.

    A caller that stops sending in the middle of a request is refused after `patience_s`.
    """

    def __init__(
        self, engine: Engine, *, host: str = "127.0.0.1", port: int = 0, patience_s: float = REQUEST_TIMEOUT_S
    ) -> None:
        self._patience_s = patience_s
        self._map: dict[int, Any] = {}
        self._stop, self._owner = threading.Event(), Owner()
        self._thread: threading.Thread | None = None
        try:
            # Bound here, because waitress leaves threads and sockets behind when the port is in use.
            bound = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        except OSError as error:
            raise EngineError(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another port.") from error
        detach_in_children(bound)
        self._server = create_server(
            engine.app, map=self._map, sockets=[bound], threads=THREADS, ident=None, asyncore_use_poll=True,
            clear_untrusted_proxy_headers=True, max_request_body_size=MAX_PUT_BYTES + (1 << 20),
            connection_limit=CONNECTIONS,
        )  # fmt: skip
        self._server.channel_class = functools.partial(Channel, plan_body=engine.app.plan_body)
        name = f"[{host}]" if ":" in host else host
        self.port = int(self._server.effective_port)
        self.address = f"http://{name}:{self.port}"

    def run(self) -> None:
        """Answer calls until `stop`."""
        while not self._stop.is_set():
            wasyncore.loop(timeout=1.0, use_poll=True, map=self._map, count=1)
            refuse_slow_requests(self._server, patience_s=self._patience_s)

    def start(self) -> None:
        """Answer calls in a new thread."""
        self._thread = threading.Thread(target=self.run, name="ci-notebook-listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask `run` to end; safe to call from a signal handler."""
        self._stop.set()
        self._server.pull_trigger()

    def close(self) -> None:
        """Stop, let running calls finish (for 5 s at most), and release the port. Does nothing in a forked child."""
        if not self._owner.is_here:
            return
        self.stop()
        if self._thread is not None:
            self._thread.join(STOP_S)
            if self._thread.is_alive():
                log.warning("the listener on port %s did not end within %g s", self.port, STOP_S)
        self._server.task_dispatcher.shutdown(timeout=5)
        wasyncore.close_all(self._map, ignore_all=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextlib.contextmanager
def _stopping(listener: Listener) -> Iterator[None]:
    """Stop the listener on the first signal; a second one has its usual effect."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def stop(number: int, frame: FrameType | None) -> None:
        for one, handler in before.items():
            signal.signal(one, handler)
        listener.stop()

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
