"""The compare view without a browser: its answers, its cache, and closing."""

from __future__ import annotations

import io
import json
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from traitlets import TraitError

from ci_notebook.experiment.run_record import Run
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.frames import Frames
from ci_notebook.model.errors import EngineError, ParameterError
from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
from ci_notebook.widgets.compare.compare_view import CompareView
from tests.frame_numbers import counting_clip, number_in
from tests.support import send_to_widget, until


class Shelf:
    """Opens videos, and remembers which are open."""

    def __init__(self) -> None:
        self.open: list[Frames] = []

    def frames(self, video: Any) -> Frames:
        made = Frames(video.output if isinstance(video, Run) else video)
        self.open.append(made)
        return made


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same twenty pictures: as they are, larger, and at twice the rate."""
    folder = tmp_path_factory.mktemp("compare")
    plain = counting_clip(folder / "plain.mp4", pictures=20, size="160x96")
    run(["-i", plain, "-vf", "scale=320:192:flags=neighbor", "-crf", "12", folder / "large.mp4"])
    run(["-i", plain, "-vf", "fps=50", "-crf", "12", folder / "double.mp4"])
    return {name: folder / f"{name}.mp4" for name in ("plain", "large", "double")}


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def made(files: dict[str, Path], shelf: Shelf) -> Iterator[Callable[..., CompareView]]:
    views = []

    def make(*names: str, **more: Any) -> CompareView:
        views.append(CompareView(shelf, [files[name] for name in names], **more))
        return views[-1]

    yield make
    for view in views:
        view.close()


def ask(view: CompareView, do: str, **content: Any) -> tuple[dict[str, Any], list[bytes]]:
    """Ask as the front end does, and return the answer."""
    answers: list[tuple[dict[str, Any], list[bytes]]] = []
    view.send = lambda content, buffers=None: answers.append((content, list(buffers or [])))
    send_to_widget(view, {"do": do, "request": 7, "view": "v", "shown": view.timeline["shown"], **content})
    until(lambda: answers)
    return answers[0]


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


@pytest.mark.slow
def test_only_the_pictures_that_are_asked_for_travel_as_small_as_they_are_shown(made) -> None:
    answer, buffers = ask(made("plain", "large"), "frames", keys=["0", "1"], ats=[13], width=200)
    assert (answer["reply_to"], answer["view"]) == (7, "v")
    assert [(one["key"], one["at"], one["number"]) for one in answer["frames"]] == [("0", 13, 13), ("1", 13, 13)]
    assert [opened(data).size for data in buffers] == [(160, 96), (200, 120)]
    assert [number_in(opened(data)) for data in buffers] == [13, 13]


def test_rates_are_matched_by_time(made) -> None:
    view = made("plain", "double")
    assert (view.timeline["count"], view.timeline["rate"]) == (40, 50)
    for at in (0, 1, 2, 25, 39):
        answer, buffers = ask(view, "frames", keys=["0", "1"], ats=[at], width=160)
        assert [number_in(opened(data)) for data in buffers] == [at // 2, at // 2]
        assert [one["number"] for one in answer["frames"]] == [at // 2, at]


def test_a_detail_comes_at_full_size_and_the_loupe_without_loss(made, files: dict[str, Path]) -> None:
    view = made("plain", "large")
    box = [0.25, 0.5, 0.5, 0.25]
    _, buffers = ask(view, "detail", keys=["1"], ats=[3], width=4000, box=box)
    assert opened(buffers[0]).size == (160, 48)
    _, buffers = ask(view, "loupe", keys=["0", "1"], ats=[3], box=box)
    assert [data[:4] for data in buffers] == [b"\x89PNG", b"\x89PNG"]
    with Frames(files["plain"]) as frames:
        whole = frames[3]
    assert opened(buffers[0]).getpixel((9, 9)) == tuple(whole[48 + 9, 40 + 9].tolist())


def test_a_difference_comes_with_its_mean_and_its_largest(made) -> None:
    view = made("plain", "large")
    answer, (data,) = ask(view, "frames", keys=["1-0"], ats=[5], width=4000, gain=4)
    (told,) = answer["frames"]
    assert opened(data).size == (320, 192)
    assert 0 < told["mean"] < told["most"]


def test_a_wrong_request_is_answered_and_the_view_keeps_working(made) -> None:
    view = made("plain", "large")
    answer, _ = ask(view, "frames", keys=["9"], ats=[5])
    assert "the key of a frame" in answer["error"]
    assert view.error == answer["error"]
    answer, buffers = ask(view, "frames", keys=["0"], ats=[999], width=80)
    assert number_in(opened(buffers[0])) == 19, "beyond the end is the end"
    answer, buffers = ask(view, "frames", keys=["0"], ats=[1], shown=[1, 0])
    assert (answer["frames"], buffers) == ([], []), "asked before other videos were chosen"


def test_other_videos_are_opened_and_those_left_are_closed(made, shelf: Shelf) -> None:
    view = made("plain", "large", "double")
    view.at = 30
    view.shown = [0, 1]
    until(lambda: view.timeline["shown"] == [0, 1])
    assert (view.timeline["count"], view.at) == (20, 15), "the same time in a slower count"
    assert [one.cached_frames > 0 for one in shelf.open] == [True, True, False]
    for wrong in ([0], [0, 0], [0, 3], [0, 1, 2, 3, 4]):
        with pytest.raises((TraitError, ParameterError), match="two to four"):
            view.shown = wrong


def scored(files: dict[str, Path], level: int, **more: Any) -> Run:
    values = tuple(90.0 - level - 20 * (number == 3) for number in range(20))
    return Run(
        key=f"k{level}", clip="<b>clip</b>", clip_key=str(files["plain"]), clip_md5="m", every=1,
        setting=VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=level)), pictures={"vmaf_neg": values, "psnr": values},
        output=files["large"], **more,
    )  # fmt: skip


@pytest.fixture
def runs(files: dict[str, Path], shelf: Shelf) -> Any:
    class Listed(list):  # type: ignore[type-arg]
        open_video = staticmethod(shelf.frames)
        sources = {"<b>clip</b>": files["plain"]}  # noqa: RUF012

    return Listed([scored(files, 3), scored(files, 6)])


def test_it_begins_at_the_worst_picture_and_sends_scores_as_numbers(runs) -> None:
    view = CompareView(runs)
    assert view.at == 3
    assert view.timeline["scores"] == ["vmaf_neg", "psnr"]
    answer, buffers = ask(view, "scores", score="vmaf_neg")
    assert [one["place"] for one in answer["curves"]] == [1, 2]
    assert answer["curves"][0]["worst"][0] == {"at": 3, "value": 67.0}
    assert struct.unpack("<20f", buffers[0])[3] == 67.0
    view.close()


def test_the_static_output_needs_no_kernel_and_escapes_every_name(runs) -> None:
    view = CompareView(runs, at=5)
    view.keep()
    ask(view, "keep", at=3)
    html = view.output._repr_html_()
    assert html.count("<figure") == 6
    assert "SharpenLevel 6, frame 3, vmaf_neg 64" in html
    assert "<b>clip" not in html and "&lt;b&gt;clip" in html
    assert "http" not in html and "<script" not in html
    view.close()


def test_nothing_heavy_is_in_the_state_that_is_saved(runs) -> None:
    view = CompareView(runs)
    view.keep()
    ask(view, "frames", keys=["0", "1", "2"], ats=[3, 4, 5], width=320)
    state = {name: value for name, value in view.get_state().items() if name not in ("_esm", "_css")}
    assert len(json.dumps(state)) < 2500
    assert len(CompareView._esm.encode()) < 60_000
    view.close()


def test_hdr_says_through_which_tone_it_is_shown(files: dict[str, Path], shelf: Shelf, tmp_path: Path) -> None:
    tags = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc,format=yuv420p10le"
    coding = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none")
    hdr = counting_clip(tmp_path / "hdr.mp4", *coding, pictures=5, size="160x96", filters=tags)
    view = CompareView(shelf, [files["plain"], hdr])
    assert "HDR10 (PQ) shown as SDR" in view.timeline["sides"][1]["tone"]
    view.keep()
    assert "HDR10 (PQ) shown as SDR" in view.output._repr_html_()
    view.close()


def test_a_file_that_does_not_open_leaves_no_other_open(files: dict[str, Path], shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(EngineError, match="cannot be read as a video"):
        CompareView(shelf, [files["plain"], tmp_path / "broken.mp4"])
    assert shelf.open and all(one.cached_frames == 0 for one in shelf.open)


def test_closing_ends_its_thread_and_its_files(made, shelf: Shelf) -> None:
    view = made("plain", "large")
    before = set(threading.enumerate())
    ask(view, "frames", keys=["0"], ats=[1], width=80)
    threads = set(threading.enumerate()) - before
    view.close()
    assert threads and not any(thread.is_alive() for thread in threads)
    assert shelf.open and all(one.cached_frames == 0 for one in shelf.open)


def test_it_says_what_it_shows(made) -> None:
    assert repr(made("plain", "large", at=4)) == "CompareView('plain.mp4', 'large.mp4'; frame 4 (0 to 19))"
