"""The facts of a file are read from the file, in the API's own words and units."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_notebook.media.ffmpeg import run
from ci_notebook.media.probe import first_video, media_info
from ci_notebook.media.samples import sample, samples
from ci_notebook.model.api.media_info import MediaInfoReply
from ci_notebook.model.errors import EngineError, ParameterError
from ci_notebook.wire.xml import dumps


def test_the_sample_is_what_its_provenance_says() -> None:
    info = media_info(sample("city"))
    video = first_video(info)
    assert (video.width, video.height, video.fps, video.num_frames) == (640, 360, 25.0, 75)
    assert (video.codec_name, video.profile, video.pix_format, video.color_primaries) == (
        "h264",
        "High",
        "yuv420p",
        "bt709",
    )
    assert info.format is not None and info.format.duration == 3.0
    assert info.stream is not None and not info.stream.audio
    assert sample().stat().st_size < 650_000
    assert (sample().parent / "PROVENANCE.md").is_file()


def test_bit_rates_are_kbps_and_sizes_bytes() -> None:
    info = media_info(sample())
    assert info.format is not None and info.format.bitrate and info.format.duration
    assert info.format.size == sample().stat().st_size
    assert info.format.bitrate == pytest.approx(info.format.size * 8 / 1000 / info.format.duration, rel=0.01)


@pytest.mark.slow
def test_sound_rotation_and_pixel_shape_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    run([
        "-f", "lavfi", "-i", "testsrc2=s=320x240:r=30000/1001:d=0.5", "-f", "lavfi", "-i", "sine=d=0.5", "-vf",
        "setsar=4/3", "-c:v", "libx264", "-c:a", "aac", "-ac", "2", path,
    ])  # fmt: skip
    turned = tmp_path / "b.mp4"
    run(["-display_rotation", "90", "-i", path, "-c", "copy", turned])
    info = media_info(turned)
    video = first_video(info)
    assert info.stream is not None
    (audio,) = info.stream.audio
    assert (audio.codec_name, audio.sample_rate, audio.channel, audio.channel_layout) == ("aac", 44100, 2, "stereo")
    assert (video.sar, video.avg_fps) == ("4:3", "30000/1001")
    assert video.rotation in (90.0, 270.0)


@pytest.mark.parametrize("kind", ["text", "picture", "playlist", "empty", "broken"])
def test_a_file_that_is_no_video_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "thing.mp4"
    contents = {
        "text": b"hello there\n" * 500,
        "picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "playlist": f"#EXTM3U\n#EXTINF:3,\n{sample()}\n#EXT-X-ENDLIST\n".encode(),
        "empty": b"",
        "broken": sample().read_bytes()[:2000],
    }
    path.write_bytes(contents[kind])
    with pytest.raises(EngineError, match=r"thing\.mp4 cannot be read as a video") as caught:
        media_info(path)
    assert caught.value.code == "ResourceNotSupported"
    assert str(tmp_path) not in str(caught.value)


def test_an_unknown_sample_is_refused_with_the_names_there_are() -> None:
    assert samples() == ("city", "coffee", "meadow", "portrait", "raccoon", "screen", "technician", "telescope")
    with pytest.raises(ParameterError, match="one of city"):
        sample("bikes")


@pytest.mark.parametrize("name", ["screen", "technician", "telescope"])
def test_a_sample_with_people_or_a_screen_is_small_and_its_source_is_named(name: str) -> None:
    path = sample(name)
    assert path.stat().st_size < 1_500_000
    stream = media_info(path).stream
    assert stream is not None
    assert bool(stream.audio) == (name == "screen")
    assert path.name in (path.parent / "PROVENANCE.md").read_text()


def test_facts_are_written_as_the_service_writes_them() -> None:
    text = dumps(MediaInfoReply(media_info=media_info(sample()))).decode()
    assert "<Duration>3.000000</Duration>" in text and "<Fps>25.000000</Fps>" in text
    assert "<Rotation>0.000000</Rotation>" in text and "<Subtitle/>" in text
    assert "<AvgFps>25/1</AvgFps>" in text and "<NumFrames>75</NumFrames>" in text
