"""HDR that is really made: ten bits, its tags, its light levels, and the page's own example on the way there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from ci_notebook.engine.render.render import render
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.probe import first_video
from ci_notebook.media.samples import sample
from ci_notebook.media.snapshot import picture
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.api.media_info import VideoStream
from ci_notebook.model.setting.enhance import SDRtoHDR, VideoEnhance
from ci_notebook.model.setting.transcode import Container, Transcode, TransConfig, Video
from tests.engine_fixtures import Caller

EXAMPLE = Path(__file__).parents[1] / "wire" / "bodies" / "request-inline-text-watermark.xml"
DISPLAY, LIGHT = "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """0.4 s of the sample, 320x180."""
    path = tmp_path_factory.mktemp("clips") / "short.mp4"
    run(["-i", sample(), "-t", "0.4", "-vf", "scale=320:180", "-c:v", "libx264", "-crf", "15", path])
    return path


def made(source: Path, folder: Path, *, mode: str | None = None, back: bool = False, **video: object) -> VideoStream:
    transcode = Transcode(
        container=Container(format="mp4"), video=Video(**video), trans_config=TransConfig(is_hdr2_sdr=back)  # type: ignore[arg-type]
    )  # fmt: skip
    hdr = SDRtoHDR(hdr_mode=mode) if mode else None  # type: ignore[arg-type]
    return first_video(
        render(Operation(video_enhance=VideoEnhance(transcode=transcode, sdr_to_hdr=hdr)), source, folder).media_info
    )


def side_data(path: Path) -> dict[str, bytes]:
    with av.open(str(path)) as container:
        return {one.type.name: bytes(one) for one in next(container.decode(video=0)).side_data}


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "transfer"), [("HDR10", "smpte2084"), ("HLG", "arib-std-b67")])
@pytest.mark.parametrize(
    ("codec", "profile", "tag"),
    [("H.264", "High 10", "avc1"), ("H.265", "Main 10", "hvc1"), ("AV1", "Main", "av01"), (None, "High 10", "avc1")],
)
def test_hdr_is_ten_bits_of_bt2020_and_says_so(
    codec: str | None, profile: str, tag: str, mode: str, transfer: str, *, short: Path, tmp_path: Path
) -> None:
    pictures = made(short, tmp_path, mode=mode, codec=codec)
    assert (pictures.pix_format, pictures.profile, pictures.codec_tag_string) == ("yuv420p10le", profile, tag)
    assert (pictures.color_primaries, pictures.color_transfer, pictures.color_range) == ("bt2020", transfer, "tv")
    path = tmp_path / "output.mp4"
    assert np.abs(picture(path, 0.2).mean(axis=(0, 1)) - picture(short, 0.2).mean(axis=(0, 1))).max() < 4
    assert {DISPLAY, LIGHT} & set(side_data(path)) == ({DISPLAY, LIGHT} if mode == "HDR10" else set())


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["H.264", "H.265", "AV1"])
def test_hdr10_says_how_bright_its_display_and_its_pictures_are(codec: str, short: Path, tmp_path: Path) -> None:
    made(short, tmp_path, mode="HDR10", codec=codec)
    metadata = side_data(tmp_path / "output.mp4")
    # FFmpeg's AVMasteringDisplayMetadata: eight fractions of colours (R, G, B, white), then darkest and lightest.
    numbers = np.frombuffer(metadata[DISPLAY][:80], "<i4").astype(float).reshape(10, 2)
    values = numbers[:, 0] / numbers[:, 1]
    assert values[:8] == pytest.approx([0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329], abs=1e-4)
    assert values[8] == pytest.approx(0.0001, abs=5e-5)
    assert values[9] == pytest.approx(1000)
    assert np.frombuffer(metadata[LIGHT][:8], "<u4").tolist() == [203, 203]


@pytest.mark.slow
def test_diffuse_white_is_at_the_level_of_bt2408(tmp_path: Path) -> None:
    white = tmp_path / "white.mp4"
    run(["-f", "lavfi", "-i", "color=white:s=64x64:d=0.2", "-vf", "format=yuv420p", "-c:v", "libx264", white])
    for mode, share in (("HDR10", 0.581), ("HLG", 0.75)):
        made(white, tmp_path, mode=mode, codec="H.265", crf=5.0)
        with av.open(str(tmp_path / "output.mp4")) as container:
            luma = next(container.decode(video=0)).to_ndarray()[:64, :64]
        assert (luma.mean() - 64) / 876 == pytest.approx(share, abs=0.003)


@pytest.mark.slow
def test_hdr_goes_back_to_sdr_when_asked(short: Path, tmp_path: Path) -> None:
    made(short, tmp_path / "hdr", mode="HDR10", codec="H.265")
    back = made(tmp_path / "hdr" / "output.mp4", tmp_path, back=True, crf=12.0)
    assert (back.color_transfer, back.pix_format) == ("bt709", "yuv420p")
    path = tmp_path / "output.mp4"
    assert np.abs(picture(path, 0.2).mean(axis=(0, 1)) - picture(short, 0.2).mean(axis=(0, 1))).max() < 8


def test_a_profile_left_to_the_encoder_holds_the_ten_bits(short: Path, tmp_path: Path) -> None:
    assert made(short, tmp_path, mode="HDR10", profile="auto", pixfmt="auto").profile == "High 10"


@pytest.mark.slow
def test_the_page_s_example_of_everything_at_once_ends_in_success(
    call_in_process: Caller, make_clip: Callable[..., Path]
) -> None:
    """SuperResolution, HDR10, colour, sharpening and a Chinese mark, in H.264: as the page has it."""
    example = EXAMPLE.read_bytes().replace(b"http://callback.example.com/ci", b"no")
    call_in_process.put("input/test.${ext}", make_clip(seconds=0.4).read_bytes())
    answer = call_in_process("POST", "/jobs", body=example)
    assert answer.status_code == 200, answer.text
    job = call_in_process.ended(answer.text.partition("<JobId>")[2].partition("<")[0])
    assert (job.state, job.output_keys) == ("Success", ("output/out.mp4",)), job.message
    assert job.operation is not None and job.operation.media_info is not None
    pictures = first_video(job.operation.media_info)
    assert (pictures.width, pictures.height, pictures.fps) == (1280, 720, 30.0)
    assert (pictures.codec_name, pictures.pix_format, pictures.color_transfer) == ("h264", "yuv420p10le", "smpte2084")
