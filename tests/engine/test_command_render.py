"""Files that are really made: each is what was asked, whole or not there at all."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import numpy as np
import pytest

from ci_notebook.engine.render.render import render
from ci_notebook.media.ffmpeg import Cancelled, run
from ci_notebook.media.probe import first_video, media_info
from ci_notebook.media.samples import sample
from ci_notebook.media.snapshot import picture
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.api.media_info import AudioStream, VideoStream
from ci_notebook.model.errors import EngineError
from ci_notebook.model.setting.enhance import FrameEnhance, MsSharpen, VideoEnhance
from ci_notebook.model.setting.transcode import Audio, Container, TimeInterval, Transcode, TransConfig, Video


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of the sample, 320x180, with two tracks of sound."""
    path = tmp_path_factory.mktemp("clips") / "short.mp4"
    run([
        "-i", sample(), "-f", "lavfi", "-i", "sine=440", "-f", "lavfi", "-i", "sine=880", "-t", "0.6", "-map", "0:v",
        "-map", "1:a", "-map", "2:a", "-vf", "scale=320:180", "-c:v", "libx264", "-crf", "15", "-c:a", "aac",
        "-metadata", "title=a clip", path,
    ])  # fmt: skip
    return path


def made(
    source: Path,
    folder: Path,
    *,
    kind: str = "mp4",
    video: Video | None = None,
    audio: Audio | None = None,
    **more: object,
) -> tuple[VideoStream | None, AudioStream | None, Path]:
    stages = {name: more.pop(name) for name in list(more) if name not in ("trans_config", "time_interval")}
    transcode = Transcode(container=Container(format=kind), video=video, audio=audio, **more)  # type: ignore[arg-type]
    setting = VideoEnhance(transcode=transcode, **stages)  # type: ignore[arg-type]
    result = render(Operation(video_enhance=setting), source, folder)
    stream = result.media_info.stream
    assert stream is not None
    return (
        stream.video[0] if stream.video else None,
        stream.audio[0] if stream.audio else None,
        result.files[0],
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "codecs", "names"),
    [
        ("mp4", ("H.264", "aac"), ("h264", "aac")),
        ("mp4", ("H.265", "mp3"), ("hevc", "mp3")),
        ("mp4", ("AV1", "aac"), ("av1", "aac")),
        ("mkv", ("H.265", "aac"), ("hevc", "aac")),
        ("mov", ("H.264", "mp3"), ("h264", "mp3")),
        ("flv", ("H.264", "aac"), ("h264", "aac")),
        ("ts", ("H.264", "aac"), ("h264", "aac")),
        ("avi", ("H.264", "mp3"), ("h264", "mp3")),
        ("WebM", ("VP8", "Vorbis"), ("vp8", "vorbis")),
        ("WebM", ("VP9", "opus"), ("vp9", "opus")),
        ("WebM", ("AV1", "opus"), ("av1", "opus")),
    ],
)
def test_each_container_and_codec_makes_a_file_that_reads_back(
    kind: str, codecs: tuple[str, str], names: tuple[str, str], short: Path, tmp_path: Path
) -> None:
    pictures, sound, path = made(
        short, tmp_path, kind=kind, video=Video(codec=codecs[0], crf=30.0), audio=Audio(codec=codecs[1])  # type: ignore[arg-type]
    )  # fmt: skip
    assert pictures is not None and sound is not None
    assert (pictures.codec_name, sound.codec_name) == names
    assert (pictures.width, pictures.height) == (320, 180)
    assert path.suffix == {"WebM": ".webm"}.get(kind, f".{kind}")


@pytest.mark.parametrize(
    ("kind", "codec"),
    [("mp3", "mp3"), ("aac", "aac"), ("flac", "flac"), ("wav", "pcm_s16le"), ("m4a", "aac"), ("amr", "amr_nb")],
)
def test_sound_alone_can_be_made(kind: str, codec: str, short: Path, tmp_path: Path) -> None:
    pictures, sound, _ = made(short, tmp_path, kind=kind, audio=Audio())
    assert pictures is None and sound is not None
    assert sound.codec_name == codec


def test_size_rate_and_sound_are_as_asked(short: Path, tmp_path: Path) -> None:
    pictures, sound, _ = made(
        short, tmp_path, video=Video(width=256, height=160, fps=12.5, gop=3), audio=Audio(samplerate=22050, channels=1)
    )
    assert pictures is not None and sound is not None
    assert (pictures.width, pictures.height, pictures.fps) == (256, 160, 12.5)
    assert (sound.sample_rate, sound.channel) == (22050, 1)
    assert pictures.avg_fps == "12.500000"


@pytest.mark.slow
def test_a_bit_rate_is_kept_and_a_lower_crf_costs_more(tmp_path: Path) -> None:
    request, _, _ = made(sample(), tmp_path, video=Video(bitrate=300, maxrate=400, bufsize=1000, preset="veryfast"))
    assert request is not None and request.bitrate is not None
    assert 200 < request.bitrate < 420
    sizes = [
        made(sample(), tmp_path, video=Video(crf=crf, preset="veryfast"))[2].stat().st_size
        for crf in (20.0, 30.0, 40.0)
    ]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "profile", "kind"),
    [
        ({"profile": "baseline"}, "Constrained Baseline", "yuv420p"),
        ({"profile": "main"}, "Main", "yuv420p"),
        ({"pixfmt": "yuv422p"}, "High 4:2:2", "yuv422p"),
        ({"pixfmt": "yuv444p"}, "High 4:4:4 Predictive", "yuv444p"),
        ({"codec": "H.265", "pixfmt": "yuv420p10le"}, "Main 10", "yuv420p10le"),
    ],
)
def test_profile_and_pixel_format_are_as_asked(
    asked: dict[str, str], profile: str, kind: str, short: Path, tmp_path: Path
) -> None:
    pictures, _, _ = made(short, tmp_path, video=Video(**asked))  # type: ignore[arg-type]
    assert pictures is not None
    assert (pictures.profile, pictures.pix_format) == (profile, kind)


@pytest.mark.slow
def test_full_range_pictures_are_marked_and_look_the_same(short: Path, tmp_path: Path) -> None:
    pictures, _, path = made(short, tmp_path, video=Video(pixfmt="yuvj420p", crf=12.0))
    assert pictures is not None and pictures.color_range == "pc"
    assert np.abs(picture(path, 0.2).mean(axis=(0, 1)) - picture(short, 0.2).mean(axis=(0, 1))).max() < 2


@pytest.mark.slow
def test_a_stretch_is_cut_out_exactly(tmp_path: Path) -> None:
    pictures, _, path = made(
        sample(), tmp_path, video=Video(crf=12.0), time_interval=TimeInterval(start=1.0, duration=0.4)
    )
    assert pictures is not None and pictures.num_frames == 10
    assert np.abs(picture(path, 0).astype(int) - picture(sample(), 1.0)).mean() < 4


@pytest.mark.slow
def test_turning_and_cropping_move_the_right_pixels(short: Path, tmp_path: Path) -> None:
    image = picture(short, 0.2).astype(int)
    _, _, turned = made(short, tmp_path, video=Video(rotate=90.0, crf=10.0))
    assert np.abs(picture(turned, 0.2) - np.rot90(image, -1)).mean() < 6
    _, _, cropped = made(short, tmp_path, video=Video(crop="160:90:40:20", crf=10.0))
    assert np.abs(picture(cropped, 0.2) - image[20:110, 40:200]).mean() < 6


@pytest.mark.slow
def test_doubling_gives_exactly_twice_the_pictures_and_no_more_time(short: Path, tmp_path: Path) -> None:
    before = first_video(media_info(short))
    after, _, path = made(short, tmp_path, video=Video(), frame_enhance=FrameEnhance(frame_doubling=True))
    assert after is not None and before.num_frames is not None
    assert (after.num_frames, after.fps) == (2 * before.num_frames, 50.0)
    assert first_video(media_info(path)).duration == pytest.approx(before.duration, abs=0.03)


@pytest.mark.slow
def test_both_tracks_of_sound_are_kept_or_swapped_when_asked(short: Path, tmp_path: Path) -> None:
    def count(audio: Audio) -> int:
        info = media_info(made(short, tmp_path, video=Video(), audio=audio)[2])
        assert info.stream is not None
        return len(info.stream.audio)

    assert [count(Audio()), count(Audio(keep_two_tracks=True))] == [1, 2]


@pytest.mark.slow
def test_a_missing_audio_node_drops_the_sound_as_documented(short: Path, tmp_path: Path) -> None:
    assert made(short, tmp_path, video=Video())[1] is None
    assert made(short, tmp_path, video=Video(), audio=Audio(remove=True))[1] is None


@pytest.mark.slow
def test_metadata_goes_when_asked(short: Path, tmp_path: Path) -> None:
    entry = made(short, tmp_path / "kept", video=Video())[2].read_bytes()
    gone = made(short, tmp_path / "gone", video=Video(), trans_config=TransConfig(delete_metadata=True))[2].read_bytes()
    assert b"a clip" in entry and b"a clip" not in gone


@pytest.mark.slow
def test_the_same_job_makes_the_same_bytes(short: Path, tmp_path: Path) -> None:
    operation = Operation(video_enhance=VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=3)))
    first, second = (render(operation, short, tmp_path / name).files[0].read_bytes() for name in ("a", "b"))
    assert first == second


@pytest.mark.slow
def test_a_cancelled_job_leaves_nothing(tmp_path: Path) -> None:
    cancel = threading.Event()
    slow = VideoEnhance(frame_enhance=FrameEnhance(frame_doubling=True))
    out = tmp_path / "out"
    with pytest.raises(Cancelled):
        render(Operation(video_enhance=slow), sample(), out, on_progress=lambda _: cancel.set(), cancel=cancel)
    assert list(out.iterdir()) == []


def test_an_input_that_is_no_video_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("not a video\n" * 100)
    with pytest.raises(EngineError, match=r"notes\.mp4 cannot be read as a video") as caught:
        render(Operation(video_enhance=VideoEnhance()), text, tmp_path / "out")
    assert caught.value.code == "ResourceNotSupported"
    assert not (tmp_path / "out").exists()


def test_an_enlargement_of_sound_is_refused(short: Path, tmp_path: Path) -> None:
    sound = made(short, tmp_path / "sound", kind="m4a", audio=Audio())[2]
    with pytest.raises(EngineError, match="has no video stream"):
        render(Operation(video_enhance=VideoEnhance()), sound, tmp_path / "out")


@pytest.mark.slow
def test_an_existing_output_stays_until_the_new_one_is_whole(short: Path, tmp_path: Path) -> None:
    operation = Operation(video_enhance=VideoEnhance())
    made_before = render(operation, short, tmp_path).files[0].read_bytes()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(short.read_bytes()[:3000])
    with pytest.raises(EngineError):
        render(dataclasses.replace(operation), broken, tmp_path)
    assert (tmp_path / "output.mp4").read_bytes() == made_before
