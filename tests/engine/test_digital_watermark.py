"""The hidden text: read back after what videos usually go through, never read where there is none."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_notebook.engine.render.digital_watermark import polar_code
from ci_notebook.engine.render.digital_watermark.carrier import fine_grid, gather, spread
from ci_notebook.engine.render.digital_watermark.pattern import (
    KEY,
    Extracted,
    amplitude,
    blend_filter,
    extract,
    pattern,
    psnr,
)
from ci_notebook.engine.render.digital_watermark.payload import CHECK_BITS, PAYLOADS, alphabets, to_bits, to_message
from ci_notebook.media.ffmpeg import Cancelled, run
from ci_notebook.media.samples import sample
from ci_notebook.model.declaration.param import Param
from ci_notebook.model.errors import EngineError, ParameterError
from ci_notebook.model.setting.watermark import DigitalWatermark

LATIN = "ci_notebook-2026"
MESSAGES = {
    "16 letters": LATIN,
    "64 letters": LATIN * 4,
    "64 Chinese characters": "数据万象视频增强实验室的隐形水印" * 4,
}

_X264 = ("-c:v", "libx264", "-preset", "veryfast")
_X265 = ("-c:v", "libx265", "-preset", "fast", "-x265-params", "log-level=error")
JOURNEYS = {
    "x264 at crf 28": (*_X264, "-crf", "28"),
    "x265 at crf 28": (*_X265, "-crf", "28"),
    "AV1 at crf 40": ("-c:v", "libsvtav1", "-preset", "12", "-crf", "40"),
    "a cut of 0.8 s": ("-ss", "0.5", "-t", "0.8", *_X264, "-crf", "23"),
    "half the size at crf 23": ("-vf", "scale=iw/2:ih/2", *_X264, "-crf", "23"),
    "stretched by a tenth": ("-vf", "scale=640:400", *_X264, "-crf", "23"),
    "brighter, flatter, greyer": ("-vf", "eq=brightness=0.06:contrast=0.8:saturation=0.5", *_X264, "-crf", "23"),
    "half the pictures": ("-r", "12", *_X264, "-crf", "23"),
}
LAVFI = {
    "test pattern": "testsrc2=s=480x270:r=12",
    "fractal": "mandelbrot=s=480x270:r=12",
    "black": "color=black:s=480x270:r=12",
    "portrait": "testsrc2=s=270x480:r=12",
}


def mark(source: tuple[str | Path, ...], output: Path, message: str, size: tuple[int, int], **more: Any) -> Path:
    """Hide a message in a source as the engine does: one pattern, blended in by FFmpeg, encoded at crf 20."""
    still = output.with_suffix(".y4m")
    options = {"amplitude": amplitude(*size, message), **more}
    still.write_bytes(pattern(message, *size, **options))
    graph = blend_filter("0:v", "1:v", "out", pixel_format="yuv420p")
    run([*source, "-i", still, "-filter_complex", graph, "-map", "[out]", *_X264, "-crf", "20", output])
    return output


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two seconds of a real clip, each message hidden in it once."""
    folder = tmp_path_factory.mktemp("blindmark")
    source = ("-t", "2", "-i", sample("city"))
    return {name: mark(source, folder / f"{name}.mp4", text, (640, 360)) for name, text in MESSAGES.items()}


@pytest.mark.slow
@pytest.mark.parametrize("journey", JOURNEYS)
@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_in_a_real_clip_survives_the_journey(
    city: dict[str, Path], name: str, journey: str, tmp_path: Path
) -> None:
    run(["-i", city[name], *JOURNEYS[journey], "-an", tmp_path / "after.mp4"])
    text = extract(tmp_path / "after.mp4")
    assert text.message == MESSAGES[name]
    assert text.margin_db is not None
    assert text.margin_db > 1.0  # dB: room for the next version of an encoder


@pytest.mark.slow
@pytest.mark.parametrize("source", LAVFI)
def test_a_message_in_a_generated_clip_survives_half_size_and_crf_23(source: str, tmp_path: Path) -> None:
    size = (270, 480) if source == "portrait" else (480, 270)
    output = mark(("-f", "lavfi", "-t", "1", "-i", LAVFI[source]), tmp_path / "marked.mp4", LATIN, size)
    run(["-i", output, "-vf", "scale=trunc(iw/4)*2:trunc(ih/4)*2", *_X264, "-crf", "23", tmp_path / "after.mp4"])
    assert extract(tmp_path / "after.mp4").message == LATIN


@pytest.mark.slow
def test_a_picture_whose_shape_changed_over_to_another_grid_is_read(tmp_path: Path) -> None:
    output = mark(
        ("-f", "lavfi", "-t", "1", "-i", "testsrc2=s=492x320:r=12"), tmp_path / "marked.mp4", LATIN, (492, 320)
    )
    run(["-i", output, "-vf", "scale=494:320", *_X264, tmp_path / "after.mp4"])
    assert fine_grid(492, 320) != fine_grid(494, 320)
    assert extract(tmp_path / "after.mp4").message == LATIN


@pytest.mark.slow
@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_a_mark_in_ten_bits_survives_in_hdr_and_back_in_sdr(transfer: str, tmp_path: Path) -> None:
    still = tmp_path / "still.y4m"
    level = amplitude(640, 360, LATIN, transfer=transfer)
    still.write_bytes(pattern(LATIN, 640, 360, amplitude=level, ten_bits=True))
    into = f"[0:v]zscale=t={transfer}:p=bt2020:m=bt2020nc:r=tv:npl=203,format=yuv420p10le[hdr];"
    graph = into + blend_filter("hdr", "1:v", "out", pixel_format="yuv420p10le")
    source = ("-t", "1", "-i", sample("city"), "-i", still)
    run([*source, "-filter_complex", graph, "-map", "[out]", *_X265, "-crf", "20", tmp_path / "hdr.mp4"])
    back = "zscale=t=bt709:p=bt709:m=bt709:r=tv:npl=203,format=yuv420p"
    run(["-i", tmp_path / "hdr.mp4", *_X265, "-crf", "28", tmp_path / "again.mp4"])
    run(["-i", tmp_path / "hdr.mp4", "-vf", back, *_X264, "-crf", "28", tmp_path / "sdr.mp4"])
    assert [extract(tmp_path / f"{name}.mp4").message for name in ("hdr", "again", "sdr")] == [LATIN] * 3


@pytest.mark.slow
def test_a_clip_without_a_mark_says_nothing() -> None:
    assert extract(sample("city")) == Extracted(message=None, pictures=75)


@pytest.mark.slow
def test_a_mark_of_another_key_says_nothing(city: dict[str, Path]) -> None:
    assert extract(city["16 letters"], key=b"another").message is None


@pytest.mark.slow
def test_noise_is_never_read_as_a_message() -> None:
    random = np.random.default_rng(1)
    for payload in PAYLOADS * 3:
        noise = random.standard_normal(polar_code.LENGTH).astype(np.float32)
        assert [to_message(bits) for bits, _ in polar_code.decode(noise, payload + CHECK_BITS)] == [
            None
        ] * polar_code.PATHS


@pytest.mark.slow
def test_more_amplitude_gives_more_margin_and_fewer_wrong_bits(tmp_path: Path) -> None:
    source = ("-t", "0.5", "-i", sample("city"))
    text = [extract(mark(source, tmp_path / "m.mp4", LATIN, (640, 360), amplitude=level)) for level in (1.5, 2.5, 4)]
    margins, errors = [one.margin_db or 0 for one in text], [one.bit_error or 0 for one in text]
    assert margins == sorted(margins)
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("ten_bits", [False, True])
@pytest.mark.parametrize("full_range", [False, True])
def test_the_mark_costs_its_stated_psnr_and_touches_neither_brightness_nor_chroma(
    ten_bits: bool, full_range: bool, tmp_path: Path
) -> None:
    size, form = (322, 182), "yuv420p10le" if ten_bits else "yuvj420p" if full_range else "yuv420p"
    (tmp_path / "p.y4m").write_bytes(pattern(LATIN, *size, amplitude=2.0, ten_bits=ten_bits, full_range=full_range))
    span = "full" if full_range else "limited"
    source = f"testsrc2=s={size[0]}x{size[1]},scale=in_range=full:out_range={span},format={form},setparams=range={span}"
    planes = []
    for graph in (f"[0:v]format={form}[out]", blend_filter("0:v", "1:v", "out", pixel_format=form)):
        inputs = ("-f", "lavfi", "-i", source, "-i", tmp_path / "p.y4m")
        run([*inputs, "-filter_complex", graph, "-map", "[out]", "-frames:v", "1", "-f", "rawvideo", tmp_path / "raw"])
        planes.append(np.frombuffer((tmp_path / "raw").read_bytes(), "<u2" if ten_bits else "u1").astype(float))
    luma = size[0] * size[1]
    change = (planes[1] - planes[0])[:luma] / (4 if ten_bits else 1)
    assert abs(change.mean()) < 0.1
    assert 20 * np.log10(255 / np.sqrt(np.mean(change**2))) == pytest.approx(psnr(2.0), abs=0.5)
    assert np.array_equal(planes[0][luma:], planes[1][luma:])


@pytest.mark.slow
def test_all_that_the_api_takes_can_be_hidden() -> None:
    facts = get_type_hints(DigitalWatermark, include_extras=True)["message"].__metadata__
    declared = next(re.compile(fact.pattern) for fact in facts if isinstance(fact, Param))
    hidden = set(alphabets()[-1])
    assert all(chr(point) in hidden for point in range(0x40000) if declared.fullmatch(chr(point)))


@pytest.mark.slow
@given(st.text(st.sampled_from(alphabets()[0]), min_size=1, max_size=64) | st.text(
    st.sampled_from(alphabets()[-1]), min_size=1, max_size=64))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_every_message_survives_bits_code_and_grid(message: str) -> None:
    bits = to_bits(message)
    assert len(bits) - CHECK_BITS in PAYLOADS
    evidence = gather(spread(polar_code.encode(bits), 40, 160, KEY), KEY)
    best, word = polar_code.decode(evidence, len(bits))[0]
    assert to_message(best) == message
    assert np.array_equal(word, polar_code.encode(bits))


@pytest.mark.parametrize("message", ["", "a" * 65, "naïve", "a\nb", "😀"])
def test_a_message_outside_the_api_is_refused_by_name(message: str) -> None:
    with pytest.raises(ParameterError, match=re.escape("DigitalWatermark.Message")):
        pattern(message, 64, 64, amplitude=2.0)


def test_a_file_that_is_no_video_is_refused_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_bytes(b"this is no video")
    with pytest.raises(EngineError, match="cannot be read as a video") as caught:
        extract(tmp_path / "no.mp4")
    assert caught.value.code == "ResourceNotSupported"
    with pytest.raises(FileNotFoundError):
        extract(tmp_path / "absent.mp4")


def test_reading_ends_when_it_is_cancelled() -> None:
    signal = threading.Event()
    signal.set()
    with pytest.raises(Cancelled):
        extract(sample("city"), cancel=signal)


@pytest.mark.slow
def test_no_more_pictures_are_read_than_allowed() -> None:
    assert extract(sample("city"), max_pictures=7).pictures == 7
