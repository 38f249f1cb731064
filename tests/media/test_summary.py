"""The line about a local video says what the file holds, whatever its container."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_notebook.media import summary as module
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.samples import sample
from ci_notebook.media.summary import file_summary, frame_rate
from ci_notebook.model.errors import EngineError
from tests.media.odd_files import make

pytestmark = pytest.mark.slow  # every test encodes a clip

_HDR = "setparams=color_primaries=bt2020:colorspace=bt2020nc:color_trc="
_X265 = ["-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=error"]
_INTERLACED = ["-vf", "interlace,setfield=tff", "-flags", "+ilme+ildct"]
_DROPPED = "select='not(eq(mod(n,7),0))'"
_TONE = ["-f", "lavfi", "-i", "sine=440:d=1"]


def written(folder: Path, name: str, *options: object, sound: bool = False) -> Path:
    path = folder / name
    run(["-i", sample("city"), *(_TONE if sound else []), "-t", "1", *options, path])
    return path


@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        ("a.mp4", ["-c:v", "libx264"], "640×360 · 25 fps · 1.0 s · H.264 8 bit · SDR · progressive · no sound"),
        ("a.webm", ["-c:v", "libvpx", "-r", "30000/1001"], "640×360 · 29.97 fps · 1.0 s · VP8 8 bit"),
        ("a.ts", ["-c:v", "libx264"], "640×360 · 25 fps · 1.0 s · H.264 8 bit"),
        ("a.avi", ["-c:v", "mpeg4", "-bf", "2"], "640×360 · 25 fps · 1.0 s · MPEG-4 8 bit"),
        ("hdr.mp4", [*_X265, "-vf", f"{_HDR}smpte2084"], "H.265 10 bit · HDR10 · progressive"),
        ("hlg.mp4", [*_X265, "-vf", f"{_HDR}arib-std-b67"], "H.265 10 bit · HLG · progressive"),
        ("pq8.mp4", ["-c:v", "libx264", "-vf", f"{_HDR}smpte2084"], "H.264 8 bit · PQ · progressive"),
        ("tv.mpg", ["-c:v", "mpeg2video", *_INTERLACED], "MPEG-2 8 bit · SDR · interlaced"),
        ("tv.mp4", ["-c:v", "libx264", *_INTERLACED], "H.264 8 bit · SDR · interlaced"),
    ],
)  # fmt: skip
def test_the_line_says_what_the_file_holds(name: str, options: list[str], line: str, tmp_path: Path) -> None:
    assert line in str(file_summary(written(tmp_path, name, *options)))


@pytest.mark.parametrize(
    ("options", "sound"),
    [
        (["-c:a", "aac", "-ac", "2"], "sound AAC stereo"),
        (["-c:a", "ac3", "-ac", "6"], "sound AC-3 5.1"),
        (["-map", "0", "-map", "1", "-map", "1", "-c:a", "flac", "-ac", "1"], "sound FLAC mono, 2 tracks"),
    ],
)
def test_the_line_names_the_sound(options: list[str], sound: str, tmp_path: Path) -> None:
    assert str(file_summary(written(tmp_path, "a.mkv", *options, sound=True))).endswith(sound)


def test_the_size_is_the_displayed_one(tmp_path: Path) -> None:
    assert file_summary(make("rotated anamorphic", tmp_path)).size == (320, 225)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_a_variable_frame_rate_is_named_with_its_mean(suffix: str, tmp_path: Path) -> None:
    codec = ["-c:v", "libvpx"] if suffix == "webm" else ["-c:v", "libx264"]
    path = written(tmp_path, f"a.{suffix}", "-vf", _DROPPED, "-fps_mode", "vfr", *codec)
    summary = file_summary(path)
    assert summary.is_variable
    assert summary.fps == pytest.approx(25 * 6 / 7, rel=0.03)
    assert " fps (variable) · " in str(summary)


def test_where_timestamps_are_missing_the_line_claims_nothing_about_the_rate(tmp_path: Path) -> None:
    path = written(tmp_path, "a.h264", "-c:v", "libx264")
    assert file_summary(path).is_variable is None
    assert "variable" not in str(file_summary(path))


def test_only_the_first_packets_of_a_long_file_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / "long.mp4"
    run(["-stream_loop", "3", "-i", sample("city"), "-c", "copy", long])
    assert frame_rate(long).is_variable is False
    monkeypatch.setattr(module, "MAX_PACKETS", 40)  # ends inside a group of reordered frames
    assert frame_rate(long).is_variable is False
    monkeypatch.setattr(module, "MAX_BYTES", 1)
    assert frame_rate(long).is_variable is None


def test_a_sound_file_has_only_length_and_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    run([*_TONE, path])
    assert str(file_summary(path)) == "1.0 s · sound PCM mono"


def test_a_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_text("no video")
    with pytest.raises(EngineError, match=r"a\.mp4 cannot be read as a video"):
        file_summary(path)
