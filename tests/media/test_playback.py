"""What browsers can play, and the copy that they get of the rest."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from ci_notebook.media import playback
from ci_notebook.media.ffmpeg import Cancelled, run
from ci_notebook.media.frames import Frames
from ci_notebook.media.playback import playback_of, proxy_note, write_proxy
from ci_notebook.media.probe import first_video, media_info
from ci_notebook.media.samples import sample
from tests.support import write_clip

H264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")


def hdr_clip(path: Path) -> Path:
    """Write SDR content coded as HDR10, so that its true SDR is known."""
    tags = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709"
    to_hdr = "zscale=tin=bt709:min=bt709:pin=bt709:rin=tv:t=smpte2084:p=bt2020:m=bt2020nc:r=tv:npl=203"
    run(["-i", sample("portrait"), "-t", "0.4", "-an", "-vf", f"{tags},{to_hdr},format=yuv420p10le", "-c:v",
         "libx265", "-preset", "ultrafast", "-crf", "8", "-x265-params", "log-level=none", path])  # fmt: skip
    return path


def test_an_ordinary_mp4_and_webm_are_played_as_they_are(tmp_path: Path) -> None:
    assert playback_of(sample("city")) == playback.Playback("h264", "video/mp4")
    webm = write_clip(tmp_path / "a.webm", "-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p")
    assert playback_of(webm) == playback.Playback("vp9", "video/webm")


@pytest.mark.parametrize(
    ("name", "coding", "sound", "obstacle"),
    [
        ("a.avi", H264, False, "do not play AVI files"),
        ("a.flv", H264, False, "do not play FLV files"),
        ("a.ts", H264, False, "do not play TS files"),
        ("a.mkv", H264, False, "do not play MKV files"),
        ("a.mp4", (*H264, "-c:a", "ac3"), True, "do not play the sound ac3"),
        ("b.mp4", ("-c:v", "libx264", "-pix_fmt", "yuv422p"), False, "pixel format yuv422p"),
        ("c.mp4", ("-c:v", "mpeg4"), False, "do not play the codec mpeg4 in MP4 files"),
        (
            "d.mp4", ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-x265-params",
                      "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"),
            False, r"HDR10 \(PQ\) is shown as SDR",
        ),
    ],
)  # fmt: skip
def test_the_obstacle_is_named(tmp_path: Path, name: str, coding: tuple[str, ...], sound: bool, obstacle: str) -> None:
    path = write_clip(tmp_path / name, *coding, sound=sound)
    how = playback_of(path)
    assert re.search(obstacle, how.obstacle), how


def test_hevc_of_8_bits_depends_on_the_browser(tmp_path: Path) -> None:
    coding = ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-x265-params", "log-level=none")
    assert playback_of(write_clip(tmp_path / "a.mp4", *coding)) == playback.Playback("hevc", "video/mp4")


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "ending"), [("h264", ".mp4"), ("vp9", ".webm")])
def test_a_proxy_can_be_played_and_shows_hdr_by_the_rule_of_the_frames(tmp_path: Path, kind, ending: str) -> None:
    source = hdr_clip(tmp_path / "hdr.mp4")
    target = tmp_path / f"proxy{ending}"
    write_proxy(source, target, kind)
    assert playback_of(target).obstacle == ""
    video = first_video(media_info(target))
    assert (video.codec_name, video.pix_format, video.width, video.height) == (kind, "yuv420p", 480, 272)
    with Frames(source) as before, Frames(target) as after:
        assert len(before) == len(after)
        apart = before[5].astype(int) - after[5].astype(int)
        # Compression adds noise; another conversion of HDR would shift the channels by tens.
        assert np.abs(apart.mean((0, 1))).max() < 1.5
        assert np.abs(apart).mean() < 6


@pytest.mark.slow
def test_a_proxy_is_upright_in_square_pixels_small_and_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playback, "PROXY_SECONDS", 0.5)
    monkeypatch.setattr(playback, "PROXY_SIDE", 320)
    flat = write_clip(tmp_path / "flat.mp4", *H264, "-vf", "setsar=2", size="360x360", seconds=1, sound=True)
    turned = tmp_path / "turned.mp4"
    with av.open(str(flat)) as container:
        assert container.streams.video[0].sample_aspect_ratio == 2
    run(["-display_rotation", "90", "-i", flat, "-c", "copy", turned])
    target = tmp_path / "proxy.mp4"
    write_proxy(turned, target, "h264")
    info = media_info(target)
    video = first_video(info)
    assert (video.width, video.height, video.sar in (None, "1:1")) == (160, 320, True)
    assert info.format.duration == pytest.approx(0.5, abs=0.15)
    assert [one.codec_name for one in info.stream.audio] == ["aac"]
    with Frames(turned) as before, Frames(target) as after:
        assert before.size == (360, 720)
        # Upright alike: the top left corners have the same color.
        assert np.abs(before[0][:40, :40].mean((0, 1)) - after[0][:18, :18].mean((0, 1))).max() < 12


def test_a_proxy_can_be_stopped(tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        write_proxy(sample("city"), tmp_path / "proxy.mp4", "h264", cancel=cancel)


def test_the_label_says_what_a_proxy_is() -> None:
    assert proxy_note("h264") == "Proxy: 8-bit H.264 copy for playing; Download gives the original."
