"""hls and dash: segments of the requested length, and a playlist that plays them all; each is one object."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ci_notebook.engine.render.render import Rendered, render
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.probe import media_info
from ci_notebook.media.samples import sample
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
from ci_notebook.model.setting.transcode import Audio, ClipConfig, Container, Transcode, Video
from tests.engine_fixtures import COS_HOST, Caller


def segmented(folder: Path, kind: str, length_s: float | None, *, source: Path, codec: str = "H.264") -> Rendered:
    clip = ClipConfig(duration=length_s) if length_s else None
    transcode = Transcode(
        container=Container(format=kind, clip_config=clip), video=Video(codec=codec, width=160), audio=Audio()  # type: ignore[arg-type]
    )  # fmt: skip
    setting = VideoEnhance(transcode=transcode, ms_sharpen=MsSharpen(sharpen_level=2))
    return render(Operation(video_enhance=setting), source, folder, stem="clip")


def played(playlist: Path, folder: Path) -> Path:
    """Return what a player gets to see, as one file."""
    run(["-allowed_extensions", "ALL", "-i", playlist, "-c", "copy", folder / "played.mkv"])
    return folder / "played.mkv"


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["H.264", "H.265"])
def test_hls_is_a_playlist_and_segments_of_the_asked_length(
    codec: str, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    output = segmented(tmp_path / "out", "hls", 1.0, source=make_clip(seconds=3), codec=codec)
    playlist = output.files[0].read_text()
    assert [file.name for file in output.files] == ["clip.m3u8", *(f"clip-{i:05d}.ts" for i in range(3))]
    assert [float(one) for one in re.findall(r"#EXTINF:([\d.]+)", playlist)] == pytest.approx([1.0] * 3, abs=0.05)
    assert re.findall(r"^[^#].*$", playlist, re.M) == [file.name for file in output.files[1:]]
    assert "#EXT-X-ENDLIST" in playlist
    assert sorted((tmp_path / "out").iterdir()) == sorted(output.files)
    facts = media_info(played(output.files[0], tmp_path))
    assert facts.stream is not None and facts.stream.video[0].num_frames == 75 and facts.stream.audio
    assert output.media_info.format is not None
    assert (output.media_info.format.format_name, output.media_info.format.duration) == (
        "hls",
        pytest.approx(3, abs=0.1),
    )
    assert output.media_info.format.size == sum(file.stat().st_size for file in output.files)


@pytest.mark.slow
def test_without_a_length_segments_have_the_documented_five_seconds(tmp_path: Path) -> None:
    long = tmp_path / "long.mp4"
    run(["-f", "lavfi", "-i", "testsrc2=s=160x90:r=5:d=11", "-pix_fmt", "yuv420p", long])
    output = segmented(tmp_path / "out", "hls", None, source=long)
    lengths = [float(one) for one in re.findall(r"#EXTINF:([\d.]+)", output.files[0].read_text())]
    assert lengths == pytest.approx([5, 5, 1], abs=0.05)


@pytest.mark.slow
def test_dash_is_a_manifest_and_segments(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    output = segmented(tmp_path / "out", "dash", 1.0, source=make_clip(seconds=3))
    assert output.files[0].name == "clip.mpd" and 9 <= len(output.files) <= 10  # sound may run over
    facts = media_info(played(output.files[0], tmp_path))
    assert facts.stream is not None and facts.stream.video[0].num_frames == 75 and facts.stream.audio


@pytest.mark.slow
def test_the_segments_of_a_job_are_objects_next_to_its_playlist(call_in_process: Caller, tmp_path: Path) -> None:
    call = call_in_process
    call.put("in.mp4", sample().read_bytes())
    setting = (
        "<Transcode><Container><Format>hls</Format><ClipConfig><Duration>1</Duration></ClipConfig></Container>"
        "<Video><Width>160</Width></Video></Transcode>"
    )
    job = call.ended(call.submit(setting, output="a folder/movie.${ext}").job_id)
    assert job.state == "Success", job.message
    playlist, *segments = job.output_keys
    assert playlist == "a folder/movie.m3u8" and len(segments) == 3
    assert all(key.startswith(f"a folder/movie-{job.job_id}-") for key in segments)
    for key in job.output_keys:
        (tmp_path / key.rpartition("/")[2]).write_bytes(call("GET", f"/{key}", host=COS_HOST).content)
    facts = media_info(played(tmp_path / "movie.m3u8", tmp_path))
    assert facts.stream is not None and facts.stream.video[0].num_frames == 75
