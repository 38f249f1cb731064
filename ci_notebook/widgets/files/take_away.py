"""Sends files to the page in pieces, over the widget channel: to be played there, or saved by the browser.

Invariants: the page asks for each piece, so a slow page slows the transfer down and the kernel is never blocked by
it. Files are fetched and prepared in threads. The page names a video only by an item that the view knows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from ci_notebook.model.errors import ParameterError
from ci_notebook.widgets.file_ports import VideoFilesPort
from ci_notebook.widgets.shared.base_view import error_text, joined

__all__ = ["CHUNK_BYTES", "PLAYER_SCRIPTS", "TakeAway"]

PLAYER_SCRIPTS: Final = ("shared/dom.js", "files/player.js")
"""The player of the page. Views load it with the first click, so that their own modules stay small."""

CHUNK_BYTES: Final = 1 << 20
_MOST_OPEN: Final = 12
_AT_ONCE: Final = 2  # files that are fetched or converted at the same time
_IDLE_S: Final = 120.0
_REPORT_EVERY_S: Final = 0.2
_MIMES: Final = {".mp4": "video/mp4", ".mov": "video/quicktime", ".webm": "video/webm", ".mkv": "video/x-matroska"}

Send = Callable[..., None]


@dataclass
class _Transfer:
    """One file on its way to one page."""

    item: str
    cancel: threading.Event = field(default_factory=threading.Event)
    file: BinaryIO | None = None
    size: int = 0
    last_used: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self, path: Path) -> bool:
        """Open the file; return False if the transfer was closed meanwhile."""
        with self.lock:
            if self.cancel.is_set():
                return False
            self.file = path.open("rb")
            self.size = path.stat().st_size
            self.last_used = time.monotonic()
            return True

    def read(self, offset: int) -> bytes:
        with self.lock:
            if self.file is None or not 0 <= offset < self.size:
                raise ParameterError.plain("The transfer has ended. Start it again.")
            self.file.seek(offset)
            return self.file.read(CHUNK_BYTES)

    def close(self) -> None:
        self.cancel.set()
        with self.lock:
            if self.file is not None:
                self.file.close()
                self.file = None


class TakeAway:
    """Answers the messages of `take_away.js` and `player.js`.

    `find` returns the video of an item of the page and its file name, or raises `KeyError`; an empty name is replaced
    by a readable one. `send(content, buffers)` sends a message to the page. Pass `receive` to `on_msg` of the view; it
    leaves other messages alone.
    """

    def __init__(self, files: VideoFilesPort | None, find: Callable[[str], tuple[Any, str]], send: Send) -> None:
        self._files, self._find, self._send = files, find, send
        self._transfers: dict[str, _Transfer] = {}
        self._lock, self._turns = threading.Lock(), threading.BoundedSemaphore(_AT_ONCE)
        self._is_closed = False

    @property
    def is_offered(self) -> bool:
        """Whether the view knows how to find files."""
        return self._files is not None

    @property
    def open_transfers(self) -> int:
        """How many files are on their way."""
        return len(self._transfers)

    def names(self, videos: Sequence[Any]) -> list[str]:
        """Return a readable file name for each video; empty texts where no files are offered."""
        return self._files.names(videos) if self._files is not None else [""] * len(videos)

    def receive(self, _widget: object, content: dict[str, Any], _buffers: object = None) -> None:
        """Handle a message of the page."""
        action, take = content.get("do"), str(content.get("take"))
        if action == "take-code":
            self._send({"do": "take-code", "code": joined(*PLAYER_SCRIPTS) + "export { makePlayer };\n"})
        elif action == "take-open":
            self._open(take, content)
        elif action == "take-next":
            self._send_piece(take, content.get("offset"))
        elif action == "take-end":
            self._end(take)

    def close(self) -> None:
        """End all transfers."""
        self._is_closed = True
        for take in list(self._transfers):
            self._end(take)

    def _open(self, take: str, content: dict[str, Any]) -> None:
        with self._lock:
            now = time.monotonic()
            # A page that was closed says nothing.
            old = [one for one, it in self._transfers.items() if it.file is not None and now - it.last_used > _IDLE_S]
            if take in self._transfers or self._is_closed:
                return
            transfer = self._transfers[take] = _Transfer(str(content.get("item")), last_used=now)
        for one in [*old, *list(self._transfers)[:-_MOST_OPEN]]:
            self._end(one)
        thread = threading.Thread(target=self._prepare, args=(take, transfer, content), name="take-away", daemon=True)
        thread.start()

    def _prepare(self, take: str, transfer: _Transfer, content: dict[str, Any]) -> None:
        last = 0.0

        def report(text: str, share: float) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= _REPORT_EVERY_S:
                last = now
                self._tell(take, "take-progress", text=text, share=share)

        try:
            with self._turns:
                if not transfer.cancel.is_set():
                    self._make_ready(take, transfer, content, report)
        except Exception as error:  # noqa: BLE001  top of a thread: the page shows the error
            self._fail(take, error)

    def _make_ready(
        self, take: str, transfer: _Transfer, content: dict[str, Any], report: Callable[[str, float], None]
    ) -> None:
        if self._files is None:
            raise ParameterError.plain("This view knows no lab that could fetch the file.")
        video, name = self._find(transfer.item)
        path, mime, note = self._prepared(self._files, video, transfer, content, report)
        if not transfer.open(path):
            return
        name = name or self._files.names([video])[0]
        self._tell(take, "take-ready", size=transfer.size, piece=CHUNK_BYTES, name=name, mime=mime, note=note)

    @staticmethod
    def _prepared(
        files: VideoFilesPort, video: Any, transfer: _Transfer, content: dict[str, Any],
        report: Callable[[str, float], None],
    ) -> tuple[Path, str, str]:  # fmt: skip
        if content.get("purpose") == "play":
            formats = [str(one) for one in content.get("formats", ())]
            playable = files.playable(video, formats, cancel=transfer.cancel, report=report)
            return playable.path, playable.mime, playable.note
        path = files.original(video, cancel=transfer.cancel, report=report)
        return path, _MIMES.get(path.suffix.lower(), "application/octet-stream"), ""

    def _send_piece(self, take: str, offset: Any) -> None:
        transfer = self._transfers.get(take)
        if transfer is None:
            self._tell(take, "take-error", error="The transfer has ended. Start it again.")
            return
        transfer.last_used = time.monotonic()
        try:
            data = transfer.read(int(offset))
        except (OSError, ValueError, TypeError) as error:
            self._fail(take, error)
            return
        self._tell(take, "take-piece", [data], offset=int(offset))

    def _fail(self, take: str, error: Exception) -> None:
        transfer = self._transfers.get(take)
        was_stopped = transfer is None or transfer.cancel.is_set()
        self._end(take)
        if not was_stopped:
            text = "This view does not show the video any more." if isinstance(error, KeyError) else error_text(error)
            self._tell(take, "take-error", error=text)

    def _end(self, take: str) -> None:
        with self._lock:
            transfer = self._transfers.pop(take, None)
        if transfer is not None:
            transfer.close()

    def _tell(self, take: str, what: str, buffers: list[bytes] | None = None, **content: Any) -> None:
        if not self._is_closed:
            self._send({"do": what, "take": take, **content}, buffers)
