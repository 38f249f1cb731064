"""The job's message says what the job changed or left out unasked, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_notebook.engine.render.render import render, with_graph_files
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.probe import media_info
from ci_notebook.media.streams.stretch import retimed
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.transcode import Container, TimeInterval, Transcode, Video

CHAPTERS = "".join(
    f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={at}\nEND={end}\ntitle={at}\n" for at, end in ((0, 900), (900, 2000))
)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two seconds of video with chapters."""
    folder = tmp_path_factory.mktemp("film")
    (folder / "meta.txt").write_text(";FFMETADATA1\n" + CHAPTERS)
    moving = ("-f", "lavfi", "-i", "testsrc2=s=128x96:r=25:d=2,format=yuv420p", "-f", "ffmetadata", "-i")
    run([*moving, folder / "meta.txt", "-map", "0:v", "-map_chapters", "1", folder / "film.mp4"])
    return folder / "film.mp4"


def rendered(path: Path, folder: Path, kind: str = "mp4", interval: TimeInterval | None = None):
    transcode = Transcode(container=Container(format=kind), video=Video(codec="H.264"), time_interval=interval)  # type: ignore[arg-type]
    return render(Operation(video_enhance=VideoEnhance(transcode=transcode)), path, folder)


def test_a_cut_of_a_film_with_chapters_is_as_long_as_asked_for(film: Path, tmp_path: Path) -> None:
    made = rendered(film, tmp_path, interval=TimeInterval(start=0.5, duration=0.8))
    assert made.media_info.format is not None
    assert made.media_info.format.duration == pytest.approx(0.8, abs=0.05)
    assert made.changes == ("Chapters are left out, because a part of the source is cut out.",)


@pytest.mark.parametrize(("kind", "kept"), [("mp4", True), ("mkv", True), ("dash", False), ("hls", False)])
def test_chapters_are_kept_or_their_loss_is_said(film: Path, tmp_path: Path, kind: str, kept: bool) -> None:
    made = rendered(film, tmp_path, kind)
    assert (made.changes == ()) is kept
    if kept:
        assert media_info(made.files[0]).stream.video[0].num_frames == 50  # type: ignore[union-attr]


def test_lost_bits_and_joined_fields_are_said(tmp_path: Path) -> None:
    deep, fields = tmp_path / "deep.mkv", tmp_path / "fields.ts"
    run(["-f", "lavfi", "-i", "testsrc2=s=128x96:d=0.2,format=yuv420p10le", "-c:v", "ffv1", deep])
    interlace = "interlace=scan=tff,format=yuv420p"
    moving = ("-f", "lavfi", "-i", f"testsrc2=s=128x96:r=50:d=0.4,{interlace}")
    run([*moving, "-c:v", "mpeg2video", "-flags", "+ilme", fields])
    assert "10 bits become 8" in " ".join(rendered(deep, tmp_path / "1").changes)
    assert "Interlaced frames are deinterlaced." in rendered(fields, tmp_path / "2").changes


def test_a_plain_clip_has_nothing_to_say(tmp_path: Path) -> None:
    plain = tmp_path / "plain.mp4"
    run(["-f", "lavfi", "-i", "testsrc2=s=128x96:d=0.2,format=yuv420p", plain])
    assert rendered(plain, tmp_path / "out").changes == ()


def test_a_graph_with_the_times_of_very_many_frames_is_read_from_a_file(tmp_path: Path) -> None:
    times = [number / 25 + (number * number % 7) / 1000 for number in range(8000)]
    graph = f"testsrc2=s=16x16:d=1:r=25,{retimed(times)[0]}[out]"
    words = with_graph_files(("-filter_complex", graph, "-map", "[out]", "-f", "null", "-"), tmp_path)
    assert max(map(len, words)) < 1000
    run(words)
