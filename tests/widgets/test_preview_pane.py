"""The kernel's half of the preview pane: what is asked is answered, in a thread, and nothing is kept in the widget."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ci_notebook as ci
from ci_notebook.model.setting.watermark import Text, Watermark
from ci_notebook.widgets.enhance.controls import ControlState, operation_of, state_of
from ci_notebook.widgets.enhance.enhance_panel import EnhancePanel
from ci_notebook.widgets.preview.pane import PreviewPane
from tests.executor_fixtures import programs_below
from tests.support import send_to_widget, until

WORDS = Text(text="Mark", font_size=40, font_type="arial.ttf", font_color="0xFF0000", transparency=100)
MARK = Watermark(type="Text", pos="BottomRight", loc_mode="Absolute", dx=20.0, dy=10.0, text=WORDS)
SHARP = ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=4))


@dataclasses.dataclass
class Picture:
    jpeg: bytes
    size: tuple[int, int] = (640, 360)
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    places: tuple[Any, ...] = ()
    unshown: tuple[str, ...] = ()


@dataclasses.dataclass
class Length:
    seconds: float = 3.0
    rate: float = 25.0


class Previews:
    """Previews by hand: what was asked is noted, `may_end` holds answers back, `refusal` is raised.

    Frames between the times `soon` take long to decode; a setting in `unanalysed` needs an analysis first.
    """

    note = "an approximation"

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.soon: tuple[float, ...] = ()
        self.unanalysed: list[ci.VideoEnhance] = []
        self.check: Callable[[], object] = lambda: None
        self.may_end = threading.Event()
        self.may_end.set()
        self.refusal: Exception | None = None

    def length(self, clip: Any) -> Length:
        return Length()

    def time_at_once(self, clip: Any, at_s: float) -> float:
        return min(self.soon or (at_s,), key=lambda one: abs(one - at_s))

    def is_analysed(self, clip: Any, setting: ci.VideoEnhance) -> bool:
        return setting not in self.unanalysed

    def analyse(self, clip: Any, setting: ci.VideoEnhance) -> None:
        self.asked.append(("analyse", setting))
        self.unanalysed.remove(setting)

    @contextlib.contextmanager
    def interruptible(self, check: Callable[[], object]) -> Iterator[None]:
        self.check = check
        yield
        self.check = lambda: None

    def see(self, clip: Any, setting: ci.VideoEnhance, *, watermark: Any, **how: Any) -> Picture:
        self.asked.append((setting, watermark, how))
        while not self.may_end.wait(0.01):
            self.check()
        if self.refusal:
            raise self.refusal
        return Picture(b"after")

    def rest(self) -> None:
        self.asked.append(("rest",))

    def source(self, clip: Any, setting: ci.VideoEnhance, **how: Any) -> Picture:
        return Picture(b"before")


class Answers(list):  # type: ignore[type-arg]
    def __call__(self, content: dict[str, Any], buffers: list[bytes] | None) -> None:
        json.dumps(content)  # it must travel
        self.append((content, buffers))

    def wait(self, count: int = 1) -> tuple[dict[str, Any], list[bytes]]:
        until(lambda: len(self) >= count)
        return self[-1]


@pytest.fixture
def previews() -> Previews:
    return Previews()


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def sight(previews: Previews, answers: Answers) -> Iterator[PreviewPane]:
    made = PreviewPane(previews, "clip", send=answers)
    yield made
    previews.may_end.set()
    made.close()


def question(number: int = 1, setting: ci.VideoEnhance = SHARP, *marks: Watermark, **more: Any) -> dict[str, Any]:
    held = state_of(operation_of(setting, watermark=marks))
    return {"do": "preview", "view": "v", "number": number, "values": held.values, "nodes": held.active, **more}


def test_the_setting_is_previewed_with_its_watermarks(sight: PreviewPane, previews: Previews, answers: Answers) -> None:
    sight.receive(question(1, SHARP, MARK, at_s=1.0, width=320))
    told, pictures = answers.wait()
    assert previews.asked == [(SHARP, (MARK,), {"at_s": 1.0, "width_px": 320, "box": (0.0, 0.0, 1.0, 1.0)})]
    assert (told["view"], told["number"], told["seconds"], told["rate"]) == ("v", 1, 3.0, 25.0)
    assert told["note"] == "an approximation"
    assert pictures == [b"after", b"before"]


def test_the_source_travels_only_when_it_looks_different(sight: PreviewPane, answers: Answers) -> None:
    sight.receive(question(1, at_s=1.0))
    told, _ = answers.wait()
    sight.receive(question(2, ci.VideoEnhance(), at_s=1.0, has=told["key"]))
    assert answers.wait(2)[1] == [b"after"]
    sight.receive(question(3, at_s=1.04, has=told["key"]))
    assert answers.wait(3)[1] == [b"after", b"before"]


def test_a_time_is_that_of_a_picture_and_the_first_is_in_the_middle(sight: PreviewPane, answers: Answers) -> None:
    for number, (asked_s, shown_s) in enumerate([(None, 1.52), (0.999, 1.0), (99, 2.96), (-1, 0.0)], 1):
        sight.receive(question(number, at_s=asked_s))
        assert answers.wait(number)[0]["at_s"] == shown_s


def test_the_newest_question_wins(sight: PreviewPane, previews: Previews, answers: Answers) -> None:
    previews.may_end.clear()
    sight.receive(question(1))
    until(lambda: len(previews.asked) == 1)
    for number in range(2, 9):
        sight.receive(question(number))
    previews.may_end.set()
    until(lambda: any(told["number"] == 8 for told, _ in answers))
    assert [told["number"] for told, _ in answers] in ([8], [1, 8])


def test_a_frame_that_takes_long_is_preceded_by_one_that_says_its_own_time(
    sight: PreviewPane, previews: Previews, answers: Answers
) -> None:
    previews.soon = (0.0, 2.0)
    sight.receive(question(1, at_s=1.4))
    answers.wait(2)
    (first, pictures), (second, _) = answers
    assert (first["at_s"], first["shows"], pictures) == (2.0, ["after", "before"], [b"after", b"before"])
    assert first["stage"] == "Decoding 1.40 s… Until then, 2.00 s is shown."
    assert (second["at_s"], second["shows"], second.get("stage")) == (1.4, ["after", "before"], None)
    assert first["number"] == second["number"] == 1


def test_the_first_frame_is_one_that_is_soon_decoded(sight: PreviewPane, previews: Previews, answers: Answers) -> None:
    previews.soon = (0.0, 2.0)
    sight.receive(question(1, at_s=None))
    answers.wait()
    assert [told["at_s"] for told, _ in answers] == [2.0]


def test_a_setting_that_needs_an_analysis_shows_the_source_until_then(
    sight: PreviewPane, previews: Previews, answers: Answers
) -> None:
    setting = ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=ci.AUTO))
    previews.unanalysed.append(setting)
    sight.receive(question(1, setting, at_s=1.0))
    answers.wait(2)
    (first, pictures), (second, _) = answers
    assert (first["shows"], pictures) == (["before"], [b"before"])
    assert first["stage"] == "Measuring the clip for this setting…"
    assert (second["shows"], second.get("stage")) == (["after", "before"], None)
    assert ("analyse", setting) in previews.asked


def test_a_newer_question_ends_the_decoding_for_an_older_one_of_its_view(
    sight: PreviewPane, previews: Previews, answers: Answers
) -> None:
    previews.may_end.clear()
    sight.receive(question(1))
    until(lambda: len(previews.asked) == 1)
    sight.receive({**question(1), "view": "other"})
    sight.receive(question(2))
    until(lambda: len(previews.asked) >= 2)
    previews.may_end.set()
    answers.wait(2)
    assert sorted((told["view"], told["number"]) for told, _ in answers) == [("other", 1), ("v", 2)]


def test_nothing_is_rendered_twice_for_a_setting_that_changes_nothing(
    sight: PreviewPane, previews: Previews, answers: Answers
) -> None:
    sight.receive(question(1, ci.VideoEnhance(), at_s=1.0))
    assert answers.wait()[1] == [b"after", b"after"]


def test_taking_a_question_waits_for_nothing(sight: PreviewPane, previews: Previews) -> None:
    previews.may_end.clear()
    start = time.monotonic()
    for number in range(50):
        sight.receive(question(number))
    assert time.monotonic() - start < 20


def test_an_error_is_shown(sight: PreviewPane, previews: Previews, answers: Answers) -> None:
    previews.refusal = ci.CIError("nothing here")
    sight.receive(question(1))
    assert answers.wait()[0]["error"] == "nothing here"
    previews.refusal = None
    sight.receive(question(2))
    assert "error" not in answers.wait(2)[0]


def test_a_refused_setting_is_not_previewed(sight: PreviewPane, previews: Previews, answers: Answers) -> None:
    held = ControlState({"MsSharpen.SharpenLevel": "11"}, ["MsSharpen"])
    sight.receive({"do": "preview", "view": "v", "number": 1, "values": held.values, "nodes": held.active})
    told, pictures = answers.wait()
    assert told["refused"] and not pictures and not previews.asked


@pytest.mark.slow
def test_a_panel_answers_from_the_real_engine_and_keeps_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = Answers()
    monkeypatch.setattr(EnhancePanel, "send", lambda _, content, buffers=None: answers(content, buffers))
    with ci.connect(home=tmp_path) as lab:
        panel = EnhancePanel(lab, lab.upload(ci.sample()), SHARP)
        send_to_widget(panel, question(1, SHARP, width=320))
        told, pictures = answers.wait()
        assert told["size"] == (640, 360) and len(pictures) == 2
        assert all(one.startswith(b"\xff\xd8\xff") for one in pictures)
        assert len(json.dumps(panel.get_state(), default=str)) < 200_000 and panel.value == SHARP
        if Path("/proc/self").exists():
            frames = Path(tempfile.gettempdir()) / f"ci-notebook-preview-{os.getpid()}-"
            until(lambda: programs_below(frames))
            panel.close()
            until(lambda: not programs_below(frames), 5)


def test_a_lab_that_cannot_preview_offers_none(lab: Any) -> None:
    panel = EnhancePanel(lab, "clip")
    assert "preview" not in panel.features
    send_to_widget(panel, question(1))
    panel.close()
