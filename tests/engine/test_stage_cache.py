"""The dear stages are made once, kept losslessly, and taken up again without a byte of difference."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ci_notebook.engine.render.cache_lookup import CacheLookup
from ci_notebook.engine.render.motion import frame_doubler
from ci_notebook.engine.render.render import render
from ci_notebook.engine.storage.cache import RenderCache
from ci_notebook.media.ffmpeg import Cancelled, run
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.setting.enhance import FrameEnhance, MsSharpen, SuperResolution, VideoEnhance
from ci_notebook.model.setting.transcode import Audio, Container, Transcode, Video

ROOT = Path(__file__).resolve().parents[2]
DOUBLED = VideoEnhance(frame_enhance=FrameEnhance(frame_doubling=True))
ENHANCED = VideoEnhance(super_resolution=SuperResolution(resolution="sdtohd", version="Enhance"))
BOTH = dataclasses.replace(ENHANCED, frame_enhance=FrameEnhance(frame_doubling=True))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Clips of ten pictures with sound: `tiny("yuv420p", "96x54", "25")`."""
    folder = tmp_path_factory.mktemp("tiny")

    def make(kind: str = "yuv420p", size: str = "96x54", rate: str = "25") -> Path:
        path = folder / f"{kind}-{size}-{rate.replace('/', '_')}.mkv"
        if not path.exists():
            inputs = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d=0.4", "-f", "lavfi", "-i", "sine=d=0.4"]
            run([*inputs, "-pix_fmt", kind, "-c:v", "ffv1", "-c:a", "flac", path])
        return path

    return make


@pytest.fixture
def lookup(tmp_path: Path) -> CacheLookup:
    """A memory that keeps what leads, and no outputs."""
    return CacheLookup(RenderCache(tmp_path / "kept", limit=10**9), "the clip", reuse=False)


def sharpened(setting: VideoEnhance, level: int) -> Operation:
    return Operation(video_enhance=dataclasses.replace(setting, ms_sharpen=MsSharpen(sharpen_level=level)))


def made(operation: Operation, source: Path, folder: Path, lookup: CacheLookup | None = None, **more: object) -> bytes:
    out = folder / f"out-{time.monotonic_ns()}"
    return render(operation, source, out, lookup=lookup, **more).files[0].read_bytes()


def entries(lookup: CacheLookup) -> list[str]:
    """The files that are kept of what leads: all but the look at the clip, which is a few hundred bytes."""
    folder = lookup.cache.folder
    found = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    return [name for name in found if name.endswith(".lock") or int(name.partition(".")[2]) > 1000]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "about"),
    [
        (BOTH, ("yuv420p", "96x54", "25")),
        (DOUBLED, ("yuv420p", "96x54", "30000/1001")),
        (DOUBLED, ("yuv422p", "94x54", "25")),
        (DOUBLED, ("yuv420p", "95x53", "24")),
        (ENHANCED, ("yuv420p10le", "96x54", "24")),
    ],
    ids=["both", "ntsc", "422", "odd", "deep"],
)
def test_the_bytes_are_the_same_with_and_without_the_cache(setting, about, tiny, lookup, tmp_path):
    source, operation = tiny(*about), sharpened(setting, 4)
    alone = made(operation, source, tmp_path)
    first = made(operation, source, tmp_path, lookup)
    (kept,) = entries(lookup)
    os.utime(lookup.cache.folder / kept, (1, 1))
    assert made(operation, source, tmp_path, lookup) == first == alone
    assert (lookup.cache.folder / kept).stat().st_mtime > 1, "the kept copy was used"


def test_the_cached_frames_are_exact(tiny, lookup, tmp_path, monkeypatch):
    monkeypatch.setattr(frame_doubler, "available", lambda: False)
    made(sharpened(DOUBLED, 0), tiny(), tmp_path, lookup)
    copy = lookup.cache.folder / entries(lookup)[0]
    whole = tmp_path / "whole"
    motion = "setpts=N/(25*TB),tpad=stop_mode=clone:stop=2,minterpolate=fps=50,trim=end_frame=20"
    run(["-i", tiny(), "-vf", f"{motion},fps=50:start_time=0,format=yuv420p", "-f", "rawvideo", whole])
    run(["-i", copy, "-f", "rawvideo", tmp_path / "copy"])
    assert (tmp_path / "copy").read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_settings_with_the_same_prefix_share_the_cache_and_others_do_not(tiny, lookup, tmp_path, programs):
    made(sharpened(DOUBLED, 2), tiny(), tmp_path, lookup)
    assert programs() == 2
    made(sharpened(DOUBLED, 8), tiny(), tmp_path, lookup)
    assert programs() == 1
    made(sharpened(BOTH, 8), tiny(), tmp_path, lookup)
    assert programs() == 2
    other = dataclasses.replace(lookup, content="another clip")
    made(sharpened(DOUBLED, 2), tiny(), tmp_path, other)
    assert programs() == 2


def test_cheap_stages_are_not_kept(tiny, lookup, tmp_path):
    made(sharpened(VideoEnhance(), 5), tiny(), tmp_path, lookup)
    assert entries(lookup) == []


@pytest.mark.slow
def test_of_concurrent_jobs_one_renders_the_first_stages(tiny, lookup, tmp_path, programs):
    jobs = [
        threading.Thread(target=made, args=(sharpened(DOUBLED, level), tiny(), tmp_path, lookup)) for level in (3, 6, 9)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert programs() == 2 + 1 + 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there are no locks on Windows that a waiting one could ask")
def test_a_job_that_waits_for_the_first_stages_reports_their_progress(tiny, lookup, tmp_path):
    source, told, began, waits = tiny(), {3: [], 6: []}, threading.Event(), threading.Event()

    def first_hears(share: float) -> None:
        told[3].append(share)
        began.set()
        waits.wait(20)

    def second_hears(share: float) -> None:
        told[6].append(share)
        if share > 0:
            waits.set()

    def work(level: int, hear: Callable[[float], None]) -> None:
        operation = Operation(video_enhance=sharpened(DOUBLED, level).video_enhance)
        render(operation, source, tmp_path / str(level), lookup=lookup, on_progress=hear)

    first, second = (threading.Thread(target=work, args=one) for one in ((3, first_hears), (6, second_hears)))
    first.start()
    assert began.wait(20)
    second.start()
    first.join()
    second.join()
    assert waits.is_set()
    assert 0 < told[6][0] < 0.5 < told[6][-1]


@pytest.mark.slow
def test_a_corrupt_entry_is_rendered_again(tiny, lookup, tmp_path):
    first = made(sharpened(DOUBLED, 4), tiny(), tmp_path, lookup)
    copy = lookup.cache.folder / entries(lookup)[0]
    copy.write_bytes(b"\0" * copy.stat().st_size)
    assert made(sharpened(DOUBLED, 4), tiny(), tmp_path, lookup) == first
    assert not copy.exists()


@pytest.mark.slow
def test_progress_is_reported_while_rendering_and_while_reusing(tiny, lookup, tmp_path, clip):
    for _ in range(2):
        told: list[float] = []
        made(sharpened(DOUBLED, 4), clip, tmp_path, lookup, on_progress=told.append)
        assert told and told == sorted(told) and told[-1] > 0.5


def test_a_cancelled_writer_leaves_nothing(clip, lookup, tmp_path):
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        made(sharpened(BOTH, 4), clip, tmp_path, lookup, cancel=cancel, on_progress=lambda _: cancel.set())
    assert entries(lookup) == []


@pytest.mark.slow
def test_a_killed_writer_leaves_no_incomplete_entry(make_clip, lookup, tmp_path):
    source = make_clip(seconds=2)
    code = (
        "from tests.engine.test_stage_cache import *\n"
        f"lookup = CacheLookup(RenderCache(Path({str(lookup.cache.folder)!r}), limit=10**9), 'the clip', reuse=False)\n"
        f"render(sharpened(DOUBLED, 4), Path({str(source)!r}), Path({str(tmp_path / 'dying')!r}), lookup=lookup)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as maker:
        until = time.monotonic() + 30
        while not any(path.stat().st_size for path in (tmp_path / "dying").rglob("copy.nut")):
            assert maker.poll() is None and time.monotonic() < until
            time.sleep(0.01)
        maker.kill()
    assert all(name.endswith(".lock") for name in entries(lookup))
    made(sharpened(DOUBLED, 4), source, tmp_path, lookup)
    assert [name for name in entries(lookup) if not name.endswith(".lock")]
    shutil.rmtree(tmp_path / "dying")


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["H.264", "H.265", "VP8", "VP9", "AV1"])
def test_the_number_of_threads_changes_no_byte(codec, clip, tmp_path):
    transcode = Transcode(
        container=Container(format="WebM" if codec == "VP8" else "mp4"), video=Video(codec=codec),
        audio=Audio(remove=True),
    )  # fmt: skip
    setting = dataclasses.replace(sharpened(VideoEnhance(transcode=transcode), 6))
    assert made(setting, clip, tmp_path, threads=1) == made(setting, clip, tmp_path, threads=3)
