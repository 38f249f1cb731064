"""The videos that are compared, their names, and which frame of each is shown at a time."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ci_notebook.experiment.run_record import Run
from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
from ci_notebook.model.setting.transcode import TimeInterval, Transcode
from ci_notebook.widgets.compare.common_timeline import CommonTimeline, worst_of
from ci_notebook.widgets.compare.sides import CompareSide, sides_of
from ci_notebook.widgets.shared.workers import NewestWorker
from tests.support import until


class Flat:
    """A video of nothing, with a rate and a length."""

    tone = ""

    def __init__(self, rate: float, count: int, size: tuple[int, int] = (64, 36)) -> None:
        self.rate, self.count, self.size = rate, count, size
        self.duration_s = count / rate

    def __len__(self) -> int:
        return self.count

    def number_at(self, time_s: float) -> int:
        return max(0, min(self.count - 1, int(time_s * self.rate + 1e-3)))

    def time_of(self, number: int) -> float:
        return number / self.rate

    def coded(self, number: int, **more: Any) -> bytes:
        return b""

    def difference(self, number: int, other: Any, other_number: int, **more: Any) -> tuple[bytes, float, int]:
        return b"", 0.0, 0

    def rest(self) -> None:
        self.count = 0

    def close(self) -> None:
        self.count = 0


def line(*videos: tuple[float, int, float]) -> CommonTimeline:
    """Return the line of videos given as rate, count and start."""
    return CommonTimeline.of([(CompareSide(f"v{at}", "c", None, start_s=start), Flat(rate, count))
                    for at, (rate, count, start) in enumerate(videos)])  # fmt: skip


def run(setting: VideoEnhance, **more: Any) -> Run:
    told = {"clip": "city", "clip_key": "input/city.mp4", "clip_md5": "m", "output": Path("out.mp4"), **more}
    return Run(key=str(id(setting)), setting=setting, **told)


def sharpen(level: Any) -> VideoEnhance:
    return VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=level))


LAB = SimpleNamespace(frames=lambda video: None)
CLIP = SimpleNamespace(key="input/city.mp4", size_bytes=1, name="city.mp4")


def runs_of(*runs: Run) -> Any:
    made = SimpleNamespace(frames=lambda video: None, sources={"city": Path("city.mp4")})

    class Listed(list):  # type: ignore[type-arg]
        open_video = staticmethod(made.frames)
        sources = made.sources

    return Listed(runs)


def test_the_fastest_video_counts_and_the_others_are_matched_by_time() -> None:
    doubled = line((25, 50, 0), (50, 100, 0))
    assert (doubled.count, doubled.rate) == (100, 50)
    assert [doubled.number(0, at) for at in (0, 1, 2, 3, 99)] == [0, 0, 1, 1, 49]
    assert [doubled.number(1, at) for at in (0, 1, 2, 3, 99)] == [0, 1, 2, 3, 99]
    third = line((30, 60, 0), (25, 50, 0))
    assert [third.number(1, at) for at in (0, 1, 2, 6, 59)] == [0, 0, 1, 5, 49]


def test_an_interval_is_shown_at_its_time_in_the_source() -> None:
    cut = line((25, 250, 0.0), (25, 50, 4.0))
    assert (cut.count, cut.begin_s) == (50, 4.0)
    assert (cut.number(0, 0), cut.number(1, 0)) == (100, 0)
    assert (cut.number(0, 49), cut.number(1, 49)) == (149, 49)
    assert cut.time_at(10) == pytest.approx(4.4)


def test_videos_without_time_in_common_are_refused() -> None:
    with pytest.raises(ParameterError, match="they have no time in common"):
        line((25, 50, 0), (25, 50, 9))


@pytest.mark.parametrize(
    ("rate", "pictures", "compared", "every"),
    [(25, 75, 75, 5), (25, 78, 78, 5), (25, 12, 12, 5), (50, 24, 12, 5), (50, 150, 75, 5), (50, 100, 50, 1)],
)
def test_a_score_belongs_to_its_own_picture_at_any_rate(rate: int, pictures: int, compared: int, every: int) -> None:
    values = tuple(float(number) for number in range(0, compared, every))
    side = CompareSide("run", "c", None, frame_scores={"vmaf": values}, every=every)
    own = CommonTimeline.of([(CompareSide("source", "c", None), Flat(25, compared)), (side, Flat(rate, pictures))])
    trace = own.score_curve(1, "vmaf")
    assert trace is not None
    step = every * rate / 25
    assert (trace["first"], trace["step"], list(trace["values"])) == (0, step, list(values))
    assert {one["at"]: one["value"] for one in trace["worst"]}[0] == 0
    assert own.score(1, "vmaf", round(step)) == every
    assert own.score(1, "vmaf", max(0, round(step) - 1)) == 0
    assert own.score_curve(0, "vmaf") is None


def test_a_long_trace_is_thinned_to_its_worst() -> None:
    values = [90.0] * 50_000
    values[31_111] = 12.0
    side = CompareSide("run", "c", None, frame_scores={"vmaf": tuple(values)}, every=1)
    trace = CommonTimeline.of([(side, Flat(25, 50_000)), (CompareSide("s", "c", None), Flat(25, 50_000))]).score_curve(
        0, "vmaf"
    )
    assert trace is not None
    assert len(trace["values"]) <= 1200
    assert min(trace["values"]) == 12.0
    assert trace["worst"][0] == {"at": 31_111, "value": 12.0}


def test_the_worst_frames_are_apart_and_higher_is_worse_where_lower_is_better() -> None:
    values = [50.0] * 100
    values[40:44] = [10, 9, 10, 11]
    values[80] = 20
    assert worst_of(values, 2) == [41, 80]
    assert worst_of([1, 5, 2], 1, lower_is_better=True) == [1]


def test_runs_come_with_their_source_and_are_named_by_what_differs() -> None:
    sides, shown, lost = sides_of(runs_of(run(sharpen(3)), run(sharpen(AUTO)), run(VideoEnhance())), None)
    assert [side.name for side in sides] == ["source", "SharpenLevel 3", "SharpenLevel AUTO", "SharpenLevel left out"]
    assert sides[0].video == Path("city.mp4")
    assert shown == [0, 1, 2, 3]
    assert lost == 0


def test_of_many_runs_the_best_is_shown_next_to_the_source() -> None:
    many = [run(sharpen(level), scores={"vmaf_neg": 80.0 + (level == 6)}) for level in range(10)]
    sides, shown, _ = sides_of(runs_of(*many), None)
    assert [sides[at].name for at in shown] == ["source", "SharpenLevel 6"]


def test_the_best_is_the_best_by_the_most_telling_score_that_all_have() -> None:
    scores = [{"vmaf_neg": 90.0 - level, "vmaf_v1": 80.0 + level} for level in range(5)]
    many = [run(sharpen(level), scores=one) for level, one in enumerate(scores)]
    sides, shown, _ = sides_of(runs_of(*many), None)
    assert sides[shown[1]].name == "SharpenLevel 4", "by vmaf_v1"
    many[0] = run(sharpen(0), scores={"vmaf_neg": 90.0})
    sides, shown, _ = sides_of(runs_of(*many), None)
    assert sides[shown[1]].name == "SharpenLevel 0", "one run has no vmaf_v1"


def test_runs_that_made_nothing_are_counted_and_left_out() -> None:
    sides, _, lost = sides_of(runs_of(run(sharpen(3)), run(sharpen(4), output=None)), None)
    assert (len(sides), lost) == (2, 1)


def test_equal_names_are_distinguished_and_clips_are_named() -> None:
    same = [run(sharpen(3)), run(sharpen(3)), run(sharpen(3), clip="sea", clip_key="input/sea.mp4")]
    names = [side.name for side in sides_of(runs_of(*same), None)[0]]
    assert len(set(names)) == len(names) == 5
    assert "sea: source" in names


def test_a_run_of_a_stretch_says_where_it_begins() -> None:
    cut = VideoEnhance(transcode=Transcode(time_interval=TimeInterval(start=2.5, duration=1)))
    assert sides_of(runs_of(run(cut)), None)[0][1].start_s == 2.5


def test_videos_of_a_lab_are_shown_as_listed() -> None:
    sides, shown, _ = sides_of(LAB, [CLIP, run(sharpen(3), clip="city.mp4"), Path("other.mp4"), "output/third.mp4"])
    assert [side.name for side in sides] == ["source", "SharpenLevel 3", "other.mp4", "third.mp4"]
    assert shown == [0, 1, 2, 3]
    assert sides[0].video is CLIP


@pytest.mark.parametrize(
    ("first", "videos", "why"),
    [
        (LAB, [CLIP], "at least two videos"),
        (object(), None, "the runs of a lab"),
        (LAB, [CLIP, 7], "clips, jobs, runs"),
    ],
)
def test_incomparable_inputs_are_refused(first: Any, videos: Any, why: str) -> None:
    with pytest.raises(ParameterError, match=why):
        sides_of(first, videos)


def test_the_worker_does_the_newest_and_the_most_urgent_first() -> None:
    done, gate, begun = list[str](), threading.Event(), threading.Event()
    worker = NewestWorker("look", "ahead")

    def hold(is_late: Any) -> None:
        begun.set()
        gate.wait(5)
        done.append(f"late {is_late()}")

    worker.submit("ahead", hold)
    begun.wait(5)
    for name in ("old", "new"):
        worker.submit("look", lambda _, name=name: done.append(name), "view 1")
    worker.submit("look", lambda _: done.append("other view"), "view 2")
    worker.submit("ahead", lambda _: done.append("ahead"))
    finished = threading.Event()
    gate.set()
    worker.submit("ahead", lambda _: (done.append("ahead"), finished.set()), "view 9")
    assert finished.wait(5)
    worker.close()
    assert done == ["late True", "new", "other view", "ahead", "ahead"]
    worker.submit("look", lambda _: done.append("after its end"))
    assert done[-1] == "ahead"


@pytest.mark.slow
def test_the_worker_says_once_that_nothing_is_asked_any_more() -> None:
    rests, rested = list[int](), threading.Event()

    def idle() -> None:
        rests.append(1)
        rested.set()

    worker = NewestWorker("only here", on_idle=idle, idle_s=0.02)
    worker.submit("only here", lambda _: None)
    assert rested.wait(5)
    rested.clear()
    assert not rested.wait(0.1)
    until(lambda: "only here" not in {thread.name for thread in threading.enumerate()})
    worker.submit("only here", lambda _: None)
    assert rested.wait(5)
    worker.close()
    assert len(rests) == 2
