"""A name is the name of a local file, whatever it looks like: no option, protocol, pattern or device of FFmpeg."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import ci_notebook as ci
from ci_notebook.media import ffmpeg
from ci_notebook.media.ffmpeg import capabilities_of, file_url, filter_bytes, media_input, run
from ci_notebook.media.frames import Frames
from ci_notebook.media.probe import media_info
from ci_notebook.media.process import environment
from ci_notebook.media.spoil import spoil
from ci_notebook.model.errors import EngineError

NAMES = [
    "concat:a.mp4", "-y.mp4", "-", "data:x.mp4", "http:x.mp4", "pipe:0", "file:z.mp4", "v%03d.mp4", "*?.mp4",
    "a:b'c.mp4", "[x],;=.mp4", "subfile,,start,0,end,0,,:a.mp4", "crypto:a.mp4", "a\nb.mp4",
]  # fmt: skip
SMALL = ["-f", "lavfi", "-i", "testsrc2=s=64x64:r=5:d=0.4", "-f", "mp4"]


@pytest.mark.skipif(os.name != "posix", reason="Windows allows few of these names")
@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_name_is_read_and_written(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run([*SMALL, Path(name)])
    assert [one.name for one in tmp_path.iterdir()] == [name]
    info = media_info(Path(name))
    assert info.stream is not None and info.stream.video[0].width == 64
    with Frames(Path(name)) as frames:
        assert len(frames) == 2
    run([*media_input(name), "-c", "copy", "-f", "null", "-"])
    out = f"{name}.mp4"
    assert spoil(Path(name), out).stat().st_size > 500


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="Windows allows no such name")
def test_a_home_of_any_name_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ci.Text(text="x", font_size=20, font_type="arial.ttf", font_color="0xFFFFFF", transparency=80)
    mark = ci.Watermark(type="Text", pos="TopLeft", loc_mode="Absolute", dx=4, dy=4, text=words)
    with ci.connect(home="a:%02d'[b],;=\\") as lab:
        clip = lab.upload(ci.sample())
        setting = {"SharpenLevel": 2, "FrameDoubling": True}
        for _ in range(2):  # the second from the cache of the first stages
            assert lab.submit(clip, setting, watermark=mark).wait().state == "Success"
        assert lab.preview(clip, setting, watermark=mark)
        (run_,) = lab.run(clip, {"SharpenLevel": 2}, every=25)
        assert run_.scores


def test_a_playlist_with_the_ending_of_a_video_reads_no_other_file(clip: Path, tmp_path: Path) -> None:
    shutil.copy(clip, tmp_path / "private.mp4")
    texts = {
        "hls": f"#EXTM3U\n#EXTINF:1,\n{tmp_path / 'private.mp4'}\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile {tmp_path / 'private.mp4'}\n",
    }
    for kind, text in texts.items():
        (tmp_path / f"{kind}.mp4").write_text(text)
        with pytest.raises(EngineError):
            media_info(tmp_path / f"{kind}.mp4")
        with pytest.raises(EngineError):
            run([*media_input(tmp_path / f"{kind}.mp4"), "-f", "null", "-"])


def test_no_other_protocol_than_file_is_opened(tmp_path: Path) -> None:
    words = media_input("http://127.0.0.1:9/a.mp4")
    assert words[-1] == file_url("http://127.0.0.1:9/a.mp4") == f"file:{Path('http:/127.0.0.1:9/a.mp4').absolute()}"
    assert words[words.index("-protocol_whitelist") + 1] == "file"


def test_ffmpeg_gets_no_key_and_no_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted, real = tmp_path / "noted", ffmpeg.find_ffmpeg()
    script = tmp_path / "ffmpeg"
    script.write_text(f'#!/bin/sh\nenv >> "{noted}"\nexec "{real}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(script))
    for name in ("TENCENTCLOUD_SECRET_KEY", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "FFREPORT", "ANY_TOKEN"):
        monkeypatch.setenv(name, "http://user:sesame@proxy:1")
    monkeypatch.setenv("LC_ALL", "C")
    capabilities_of(script)
    run([*SMALL, tmp_path / "a.mp4"])
    filter_bytes(
        ["-f", "rawvideo", "-s", "2x2", "-pix_fmt", "gray", "-i", "pipe:0", "-f", "rawvideo", "pipe:1"], b"abcd"
    )
    text = noted.read_text()
    assert text.count("PATH=") >= 3
    assert "sesame" not in text
    assert environment()["LC_ALL"] == "C"
