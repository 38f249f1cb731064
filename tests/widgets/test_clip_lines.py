"""The line about a clip under the title of a panel, and the refusal of a file that was not uploaded."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import ci_notebook as ci
from ci_notebook.client.objects import Clip
from ci_notebook.model.api.jobs import JobsDetail, Operation
from ci_notebook.model.api.media_info import Format, MediaInfo, Stream, VideoStream
from ci_notebook.model.clip_summary import ClipSummary
from ci_notebook.widgets.compare.sides import sides_of
from ci_notebook.widgets.enhance.enhance_panel import EnhancePanel
from ci_notebook.widgets.shared.clip_lines import ClipLines
from ci_notebook.widgets.sweep.sweep_panel import SweepPanel
from tests.support import until, write_clip

LINE = "320×240 · 10 fps · 0.60 s · H.264 8 bit · SDR · progressive · no sound"
KNOWN = Clip(
    key="a.mp4", bucket="b-1", region="r", size_bytes=1, name="a.mp4", summary=ClipSummary(size=(640, 360), fps=25.0)
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "described.mp4", seconds=0.6, size="320x240")


@pytest.fixture(scope="module")
def clip(embedded_lab: ci.Lab, file: Path) -> Clip:
    return embedded_lab.upload(file)


class Facts:
    """Facts that are slow until `may_answer`."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked, self.may_answer, self.error = list[Any](), threading.Event(), error

    def check(self, clip: Any) -> None:
        pass

    def line(self, clip: Any) -> str:
        self.asked.append(clip)
        assert self.may_answer.wait(10)
        if self.error:
            raise self.error
        return f"line of {clip}"


def test_an_uploaded_clip_shows_its_line_in_both_reprs(clip: Clip) -> None:
    assert LINE in repr(clip)
    assert LINE in clip._repr_html_()
    assert "\n" not in repr(clip)


def test_the_line_is_no_part_of_a_clips_identity() -> None:
    bare = Clip(key="a.mp4", bucket="b-1", region="r", size_bytes=1, name="a.mp4")
    assert bare == KNOWN
    assert hash(bare) == hash(KNOWN)
    assert repr(bare) == "Clip('a.mp4', 1 bytes)"


def test_a_file_that_is_no_video_is_uploaded_without_a_line(embedded_lab: ci.Lab, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no video")
    assert embedded_lab.upload(path).summary is None


def test_describe_says_the_same_of_a_clip_and_of_its_key(embedded_lab: ci.Lab, clip: Clip) -> None:
    assert embedded_lab.describe(clip) == LINE
    assert embedded_lab.describe(clip.key) == LINE


def test_a_repr_sends_no_request(embedded_lab: ci.Lab, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_lab.client, "video_info", lambda key: pytest.fail("a request was sent"))
    assert LINE in repr(clip)
    assert embedded_lab.describe(clip) == LINE
    panel = EnhancePanel(embedded_lab, clip)
    assert panel.clip_line == LINE


def test_the_panel_of_a_key_asks_the_service_in_a_thread(embedded_lab: ci.Lab, clip: Clip) -> None:
    panel = EnhancePanel(embedded_lab, clip.key)
    assert panel.settle(30)
    assert panel.clip_line == LINE
    panel.close()


def test_the_sweep_panel_has_a_line_for_each_clip(embedded_lab: ci.Lab, clip: Clip) -> None:
    panel = SweepPanel(embedded_lab, [clip, clip.key])
    assert panel.clip_lines[0] == LINE
    until(lambda: panel.clip_lines == [LINE, LINE])
    panel.close()


def test_only_missing_lines_are_asked_for_and_nothing_waits() -> None:
    facts, shown = Facts(), list[list[str]]()
    lines = ClipLines(facts, [KNOWN, "b.mp4"], shown.append)
    lines.start()
    assert (lines.known, shown) == (["640×360 · 25 fps", ""], [])
    facts.may_answer.set()
    assert lines.wait(10)
    assert facts.asked == ["b.mp4"]
    assert shown == [["640×360 · 25 fps", "line of b.mp4"]]


def test_known_lines_need_no_thread() -> None:
    facts = Facts()
    ClipLines(facts, [KNOWN], lambda lines: pytest.fail("nothing is to be shown")).start()
    assert facts.asked == []


def test_a_clip_that_cannot_be_read_has_an_empty_line() -> None:
    facts, shown = Facts(OSError("no network")), list[list[str]]()
    facts.may_answer.set()
    lines = ClipLines(facts, ["gone.mp4"], shown.append)
    lines.start()
    assert lines.wait(10)
    assert shown == [[""]]


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize("panel", [EnhancePanel, SweepPanel])
def test_a_local_file_is_refused_with_the_remedy(embedded_lab: ci.Lab, file: Path, panel: Any, kind: Any) -> None:
    with pytest.raises(
        ci.ParameterError, match=r"is a local file. Upload it first: clip = lab.upload\(.*described.mp4"
    ):
        panel(embedded_lab, kind(file))


def test_a_key_that_is_also_the_name_of_a_local_file_is_a_key(
    embedded_lab: ci.Lab, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    with pytest.raises(ci.ParameterError, match="is a local file"):
        EnhancePanel(embedded_lab, file.name)
    embedded_lab.upload(file, file.name)
    EnhancePanel(embedded_lab, file.name).close()


@pytest.mark.parametrize("call", ["run", "submit", "plan", "price", "request", "describe"])
def test_every_call_refuses_a_local_file_in_the_same_way(embedded_lab: ci.Lab, file: Path, call: str) -> None:
    arguments = [str(file)] if call == "describe" else [str(file), "Crisp detail"]
    with pytest.raises(ci.ParameterError, match=r"is a local file\. Upload it first"):
        getattr(embedded_lab, call)(*arguments)


def test_each_side_of_a_comparison_says_what_it_is() -> None:
    info = MediaInfo(format=Format(duration=3.0), stream=Stream(video=(VideoStream(width=1280, height=720, fps=25.0),)))
    detail = JobsDetail(state="Success", operation=Operation(media_info=info))
    job = SimpleNamespace(detail=detail, setting=None)
    sides, _, _ = sides_of(SimpleNamespace(frames=lambda video: None), [KNOWN, job, "c.mp4"])
    assert [side.about for side in sides] == ["640×360 · 25 fps", "1280×720 · 25 fps · 3.0 s · no sound", ""]
