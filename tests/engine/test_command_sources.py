"""Sources as they come: streams for broadcast, sound that outlasts the pictures, odd widths, more channels than fit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ci_notebook.engine.render import stage_cache
from ci_notebook.engine.render.cache_lookup import CacheLookup
from ci_notebook.engine.render.render import render
from ci_notebook.engine.storage.cache import RenderCache
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.probe import media_info
from ci_notebook.media.raw_frame import raw_frame
from ci_notebook.media.snapshot import picture
from ci_notebook.media.streams.frame_times import timeline_of
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import FrameEnhance, VideoEnhance
from ci_notebook.model.setting.transcode import Audio, Container, TimeInterval, Transcode, TransConfig, Video

NEAR = {"a.ts": 3, "a.mpg": 7, "a.mp4": 3}  # neighbours differ by 4.7; a program stream's times are a picture off
DOUBLED = FrameEnhance(frame_doubling=True)
TONE_S = 1.2  # when the sound begins
# Each picture has a light of its own, so that it can be told from its neighbours; key pictures are 2 s apart.
INPUTS = (
    "-f", "lavfi", "-i", "color=black:s=128x96:r=25:d=1.8,format=yuv420p,geq=lum=30+4*N:cb=128:cr=128",
    "-f", "lavfi", "-i", f"sine=d=1.8,volume=0:enable='lt(t,{TONE_S})'",
)  # fmt: skip


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for name, codec in (("a.ts", "libx264"), ("a.mpg", "mpeg2video"), ("a.mp4", "libx264")):
        run([*INPUTS, "-c:v", codec, "-b:v", "2M", "-g", "50", folder / name])
    return folder


def rendered(
    source: Path, folder: Path, kind: str = "mp4", *, lookup: CacheLookup | None = None, **more: object
) -> Path:
    transcode = Transcode(
        container=Container(format=kind), video=Video(codec="VP8" if kind == "WebM" else "H.264"),
        audio=Audio(codec=more.pop("codec", "aac")), time_interval=more.pop("interval", None),
    )  # fmt: skip
    setting = VideoEnhance(transcode=transcode, **more)  # type: ignore[arg-type]
    return render(Operation(video_enhance=setting), source, folder / "out", lookup=lookup).files[0]


def light(path: Path, at_s: float) -> float:
    return float(picture(path, at_s).mean())


def videos(info: MediaInfo) -> tuple[float | None, int | None]:
    assert info.stream is not None
    return info.stream.video[0].duration, info.stream.video[0].num_frames


@pytest.mark.slow
@pytest.mark.parametrize("stages", [{}, {"frame_enhance": DOUBLED}], ids=["one program", "two programs"])
@pytest.mark.parametrize("name", ["a.ts", "a.mpg", "a.mp4"])
def test_a_stretch_begins_with_the_very_picture_and_sound(clips, tmp_path, name, stages) -> None:
    """A stream for broadcast is sought by time alone; the pictures up to the next key picture would be lost."""
    made = rendered(clips / name, tmp_path, interval=TimeInterval(start=0.8, duration=0.8), **stages)
    for at_s in (0.0, 0.4, 0.72):
        assert abs(light(made, at_s) - light(clips / "a.mp4", 0.8 + at_s)) < NEAR[name], at_s
    assert videos(media_info(made)) == (pytest.approx(0.8, abs=0.041), 40 if stages else 20)
    run(["-i", made, "-vn", "-ac", "1", "-ar", "8000", "-f", "s16le", tmp_path / "sound"])
    sound = np.abs(np.fromfile(tmp_path / "sound", np.int16).astype(float))
    begin = TONE_S - 0.8
    assert sound[: int(8000 * (begin - 0.1))].max() < 500 < sound[int(8000 * (begin + 0.1)) : 5600].max()


@pytest.mark.parametrize("name", ["a.ts", "a.mpg"])
@pytest.mark.parametrize("at_s", [0.0, 0.6, 1.4, 9.0])
def test_a_snapshot_of_such_a_stream_is_the_very_picture(clips, name, at_s) -> None:
    assert abs(light(clips / name, at_s) - light(clips / "a.mp4", at_s)) < NEAR[name]
    luma = (np.frombuffer(raw_frame(clips / one, at_s).data, np.uint8)[: 128 * 96].mean() for one in (name, "a.mp4"))
    assert abs(next(luma) - next(luma)) < NEAR[name]


@pytest.mark.slow
def test_pictures_that_end_before_the_sound_end_so_when_their_rate_is_doubled(clips, tmp_path) -> None:
    source = tmp_path / "long.mp4"
    run(["-t", "0.4", "-i", clips / "a.mp4", "-i", clips / "a.mp4", "-map", "0:v", "-map", "1:a", source])
    info = media_info(rendered(source, tmp_path, frame_enhance=DOUBLED))
    assert videos(info) == (pytest.approx(0.4), 20)
    assert info.format is not None
    assert info.format.duration == pytest.approx(1.8, abs=0.05)


@pytest.mark.slow
def test_pictures_that_begin_after_the_sound_begin_so_when_their_rate_is_doubled(clips, tmp_path) -> None:
    source = tmp_path / "late.mp4"
    late = ["-itsoffset", "0.4", "-i", clips / "a.mp4", "-i", clips / "a.mp4", "-map", "0:v", "-map", "1:a"]
    run([*late, "-c", "copy", source])
    made = rendered(source, tmp_path, frame_enhance=DOUBLED)
    assert timeline_of(made).late_s == pytest.approx(0.4, abs=0.041)
    assert videos(media_info(made))[1] == 90
    assert abs(light(made, 0.3) - light(clips / "a.mp4", 0.3)) < 4


@pytest.mark.slow
@pytest.mark.parametrize("size", ["320x180,setsar=4/3", "321x181"])
def test_the_first_stages_of_odd_sizes_are_cached_too(tmp_path, size) -> None:
    source, lookup = (
        tmp_path / "odd.mkv",
        CacheLookup(RenderCache(tmp_path / "kept", limit=10**9), "the clip", reuse=False),
    )
    run(["-f", "lavfi", "-i", f"testsrc2=r=25:d=0.2,scale={size}", "-pix_fmt", "yuv420p", "-c:v", "ffv1", source])
    first = rendered(source, tmp_path / "1", lookup=lookup, frame_enhance=DOUBLED).read_bytes()
    (entry,) = (tmp_path / "kept").iterdir()
    used = entry.stat().st_mtime_ns
    assert rendered(source, tmp_path / "2", lookup=lookup, frame_enhance=DOUBLED).read_bytes() == first
    assert entry.stat().st_mtime_ns > used
    assert rendered(source, tmp_path / "3", frame_enhance=DOUBLED).read_bytes() == first


@pytest.mark.slow
def test_no_job_fails_for_want_of_a_copy(clips, tmp_path, monkeypatch) -> None:
    wrong = ["-map", "0:v", "-c:v", "utvideo", "-pix_fmt", "yuv420p10le", "-strict", "nonsense", "-f", "nut"]
    monkeypatch.setattr(stage_cache, "_copy_arguments", lambda lead, _: [*wrong, str(lead.folder / stage_cache.COPY)])
    lookup = CacheLookup(RenderCache(tmp_path / "kept", limit=10**9), "the clip", reuse=False)
    made = rendered(clips / "a.mp4", tmp_path, lookup=lookup, frame_enhance=DOUBLED)
    assert videos(media_info(made))[1] == 90
    assert not list((tmp_path / "kept").iterdir())


@pytest.mark.parametrize(("kind", "codec"), [("WebM", "opus"), ("WebM", "Vorbis"), ("mkv", "mp3"), ("mp4", "aac")])
def test_more_channels_than_a_codec_takes_are_mixed_down(tmp_path, kind, codec) -> None:
    source = tmp_path / "six.mkv"
    sounds = ["-f", "lavfi", "-i", "testsrc2=s=128x96:d=0.2", "-f", "lavfi", "-i", "anullsrc=cl=5.1(side):d=0.2"]
    run([*sounds, "-c:v", "libx264", "-c:a", "ac3", source])
    stream = media_info(rendered(source, tmp_path, kind, codec=codec)).stream
    assert stream is not None
    assert stream.audio[0].channel == (6 if codec == "aac" else 2)


@pytest.mark.parametrize(
    ("transcode", "words"),
    [
        (
            Transcode(video=Video(codec="H.264", fps=0.1)),
            r"no frame: 1\.8 s at .*Fps 0\.1 contain none\. Raise",
        ),
        (
            Transcode(video=Video(codec="H.264"), trans_config=TransConfig(transcode_index=1)),
            r"TransConfig\.TranscodeIndex must be .* video streams, 0 \(got 1\)\. Leave it out",
        ),
    ],
    ids=["too slow", "no such stream"],
)
def test_an_interval_without_frames_is_refused_by_name(clips, tmp_path, transcode, words) -> None:
    setting = VideoEnhance(transcode=dataclasses.replace(transcode, container=Container(format="mp4")))
    with pytest.raises(ParameterError, match=words) as caught:
        render(Operation(video_enhance=setting), clips / "a.mp4", tmp_path)
    assert caught.value.code == "InvalidArgument"
    assert not list(tmp_path.iterdir())
