"""The engine on a port, answered by waitress. Prints nothing; says when it listens."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final, Self

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask, WSGITask

from ci_notebook.engine.app import Engine
from ci_notebook.engine.calls.objects import MAX_PUT_BYTES
from ci_notebook.model.errors import EngineError
from ci_notebook.wire.codes import CODE_OF_STATUS
from ci_notebook.wire.errors import error_body

# Each thread answers one call; an upload or a download holds one while it lasts.
THREADS: Final = 8


def serve(
    root: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 9000,
    bucket: str,
    region: str,
    keys: Mapping[str, str],
    workers: int = 2,
    on_listening: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then stop: running jobs go back among the waiting.

    `on_listening` gets the address (`http://127.0.0.1:9000`) once it can be called; port 0 takes a
    free one. Runs in the main thread, for signals go there. Raises `EngineError` when the port is taken.
    """
    engine = Engine(root, bucket=bucket, region=region, keys=keys, workers=workers)
    with engine, Listener(engine, host=host, port=port) as listener, _stopping(listener):
        if on_listening is not None:
            on_listening(listener.address)
        listener.run()


class Listener:
    """A port that an engine answers on. `run` it here, or `start` it in a thread; then `close`."""

    def __init__(self, engine: Engine, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._map: dict[int, Any] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        try:
            # Bound here: waitress leaves threads and sockets behind when it finds the port taken.
            bound = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        except OSError as error:
            raise EngineError(f"{host}:{port} cannot be listened on: {error.strerror}. Take another port.") from error
        self._server = create_server(
            engine.app, map=self._map, sockets=[bound], threads=THREADS, ident=None, asyncore_use_poll=True,
            clear_untrusted_proxy_headers=True, max_request_body_size=MAX_PUT_BYTES + (1 << 20),
        )  # fmt: skip
        self._server.channel_class = _Channel
        shown = f"[{host}]" if ":" in host else host
        self.port = int(self._server.effective_port)
        self.address = f"http://{shown}:{self.port}"

    def run(self) -> None:
        """Answer calls until `stop`."""
        while not self._stop.is_set():
            wasyncore.loop(timeout=1.0, use_poll=True, map=self._map, count=1)

    def start(self) -> None:
        """Answer calls in a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="ci-notebook-listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask `run` to end; may be called from a signal's handler."""
        self._stop.set()
        self._server.pull_trigger()

    def close(self) -> None:
        """Stop, let calls that are being answered end (for 5 s at most), and give the port back."""
        self.stop()
        if self._thread is not None:
            self._thread.join()
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
    """Stop the listener on the first signal; a second one has the effect it always has."""
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


class _Task(WSGITask):  # type: ignore[misc]  # waitress has no types
    """An answer whose header names go out as they are.

    Waitress would write `Etag`, and the official SDK, which makes a plain dict of the headers,
    would not find `ETag`.
    """

    def build_response_header(self) -> bytes:
        names = {name.lower(): name for name, _ in self.response_headers}
        first, *lines = super().build_response_header().decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        told = [f"{names.get(name.lower(), name)}: {value}" for name, _, value in pairs if name != "Via"]
        return ("\r\n".join([first, *told]) + "\r\n\r\n").encode("latin-1")


class _ErrorTask(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """What waitress itself refuses (a broken request line, a body that is too large), as the API writes errors."""

    def execute(self) -> None:
        refusal = self.request.error
        code = CODE_OF_STATUS.get(refusal.code, "InvalidRequest" if refusal.code < 500 else "InternalError")
        body = error_body(code, f"{refusal.reason}: {refusal.body}")
        self.status = f"{refusal.code} {refusal.reason}"
        self.response_headers.extend([("Content-Type", "application/xml"), ("Server", "tencent-ci")])
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    task_class = _Task
    error_task_class = _ErrorTask
