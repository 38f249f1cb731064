"""Files travel to the page in pieces that the page asks for; a fake page asks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ci_notebook.model.errors import ParameterError
from ci_notebook.widgets.enhance.enhance_panel import EnhancePanel
from ci_notebook.widgets.files.take_away import CHUNK_BYTES, TakeAway
from ci_notebook.widgets.monitor.monitor_view import Monitor
from ci_notebook.widgets.play.play_view import PlayView
from tests.support import until


class Shelf:
    """Files by item. `may_go` holds `original` back; `refusal` is raised by it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.refusal = folder, None
        self.may_go = threading.Event()
        self.may_go.set()
        self.asked: list[Any] = []
        self.cancelled = False

    def names(self, videos: Any) -> list[str]:
        return [f"{video}.mp4" for video in videos]

    def original(self, video: str, *, cancel: threading.Event, report: Callable[[str, float], None]) -> Path:
        report("Downloading", 0.5)
        while not self.may_go.wait(0.01):
            if cancel.is_set():
                self.cancelled = True
                raise ParameterError.plain("Stopped.")
        if self.refusal:
            raise self.refusal
        return self.folder / f"{video}.mp4"

    def playable(self, video: str, formats: Any, **watch: Any) -> Any:
        self.asked.append(list(formats))
        return SimpleNamespace(path=self.original(video, **watch), mime="video/mp4", note="Proxy: a copy")

    def still(self, video: str, *, width_px: int) -> bytes | None:
        return b"jpeg" if video == "a" else None


class Page:
    """Collects what is sent, and asks for pieces as `player.js` does."""

    def __init__(self, shelf: Shelf) -> None:
        self.messages: list[tuple[dict[str, Any], list[bytes]]] = []
        known = {"a": ("a", ""), "b": ("b", "b-named.mp4")}
        self.take_away = TakeAway(shelf, lambda item: known[item], self.receive)

    def receive(self, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        self.messages.append((content, buffers or []))

    def say(self, **content: Any) -> None:
        self.take_away.receive(None, content, None)

    def open(self, item: str, take: str = "t", purpose: str = "download", **more: Any) -> None:
        self.say(do="take-open", take=take, item=item, purpose=purpose, **more)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [content for content, _ in self.messages if content["do"] == kind]

    def wait(self, kind: str) -> dict[str, Any]:
        until(lambda: self.of(kind))
        return self.of(kind)[-1]

    def all(self, item: str, **more: Any) -> bytes:
        self.open(item, **more)
        ready = self.wait("take-ready")
        pieces = []
        for offset in range(0, ready["size"], ready["piece"]):
            self.say(do="take-next", take="t", offset=offset)
            pieces.append(self.messages[-1][1][0])
        self.say(do="take-end", take="t")
        return b"".join(pieces)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    (tmp_path / "a.mp4").write_bytes(bytes(range(256)) * (CHUNK_BYTES // 100))
    (tmp_path / "b.mp4").write_bytes(b"")
    return Shelf(tmp_path)


@pytest.fixture
def page(shelf: Shelf) -> Iterator[Page]:
    page = Page(shelf)
    yield page
    page.take_away.close()


def test_a_file_arrives_whole_in_pieces_that_the_page_asks_for(shelf: Shelf, page: Page) -> None:
    assert page.all("a") == (shelf.folder / "a.mp4").read_bytes()
    assert page.of("take-ready")[0]["name"] == "a.mp4"
    assert max(len(buffer) for _, buffers in page.messages for buffer in buffers) == CHUNK_BYTES
    assert page.take_away.open_transfers == 0


def test_nothing_is_sent_before_the_page_asks(page: Page) -> None:
    page.open("a")
    page.wait("take-ready")
    assert page.of("take-piece") == []
    page.say(do="take-next", take="t", offset=0)
    assert len(page.of("take-piece")) == 1


def test_an_empty_file_and_a_given_name(page: Page) -> None:
    assert page.all("b") == b""
    assert page.of("take-ready")[0]["name"] == "b-named.mp4"


def test_a_video_to_play_is_chosen_by_what_the_page_can_play(shelf: Shelf, page: Page) -> None:
    assert page.all("a", purpose="play", formats=["vp9"]) == (shelf.folder / "a.mp4").read_bytes()
    assert shelf.asked == [["vp9"]]
    assert page.of("take-ready")[0]["note"] == "Proxy: a copy"


def test_a_cancelled_transfer_stops_the_download_and_says_nothing_more(shelf: Shelf, page: Page) -> None:
    shelf.may_go.clear()
    page.open("a")
    page.wait("take-progress")
    page.say(do="take-end", take="t")
    until(lambda: shelf.cancelled)
    assert page.of("take-ready") == page.of("take-error") == []


def test_errors_reach_the_page_that_asked(shelf: Shelf, page: Page) -> None:
    shelf.refusal = ParameterError.plain("a.mp4 has 3.0 GB. Use job.download().")
    page.open("a")
    assert page.wait("take-error")["error"] == "a.mp4 has 3.0 GB. Use job.download()."
    page.open("nothing", take="u")
    until(lambda: len(page.of("take-error")) == 2)
    assert page.of("take-error")[1] == {
        "do": "take-error", "take": "u", "error": "This view does not show the video any more."
    }  # fmt: skip


@pytest.mark.parametrize("offset", [-1, 1 << 40, None, "x"])
def test_a_piece_that_no_file_has_ends_the_transfer(page: Page, offset: Any) -> None:
    page.open("a")
    page.wait("take-ready")
    page.say(do="take-next", take="t", offset=offset)
    assert page.wait("take-error")["take"] == "t"
    assert page.take_away.open_transfers == 0


def test_a_page_cannot_hold_open_more_than_a_dozen_files(page: Page) -> None:
    for number in range(20):
        page.open("a", take=str(number))
    until(lambda: page.take_away.open_transfers <= 12)
    until(lambda: len(page.of("take-ready")) >= 12)


def test_closing_the_view_ends_every_transfer(shelf: Shelf, page: Page) -> None:
    shelf.may_go.clear()
    page.open("a")
    page.wait("take-progress")
    page.take_away.close()
    until(lambda: shelf.cancelled)
    assert page.take_away.open_transfers == 0


def test_the_player_is_one_module_that_comes_with_the_first_click(page: Page) -> None:
    page.say(do="take-code")
    code = page.of("take-code")[0]["code"]
    assert code.endswith("export { makePlayer };\n")
    assert "import" not in code and "http" not in code
    assert max(len(view._esm.encode()) for view in (EnhancePanel, Monitor, PlayView)) <= 60_000


def test_a_saved_notebook_keeps_a_frame_of_each_played_video(shelf: Shelf) -> None:
    view = PlayView(shelf, ["a", "b"], ["first <b>", "second"])
    html = view._repr_html_()
    assert html.count("<img") == 1 and "second" in html
    assert "first &lt;b&gt;" in html and "first <b>" not in html
    assert repr(view) == "PlayView('first <b>', 'second')"
    view.close()
