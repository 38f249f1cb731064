"""One line about a clip: the same words for a local file and for the service's reply; the unknown is left out."""

from __future__ import annotations

import pytest

from ci_notebook.model.api.media_info import AudioStream, Format, MediaInfo, Stream, VideoStream
from ci_notebook.model.clip_summary import ClipSummary, bit_depth_of, summary_of


def info(*, sound: tuple[AudioStream, ...] = (), length: float | None = 3.0, **video: object) -> MediaInfo:
    facts = {"codec_name": "h264", "width": 640, "height": 360, **video}
    return MediaInfo(format=Format(duration=length), stream=Stream(video=(VideoStream(**facts),), audio=sound))


def test_a_complete_reply_gives_the_whole_line() -> None:
    stereo = AudioStream(codec_name="aac", channel=2, channel_layout="stereo")
    reply = info(sound=(stereo,), fps=25.0, pix_format="yuv420p", color_transfer="bt709", field_order="progressive")
    assert str(summary_of(reply)) == (
        "640×360 · 25 fps · 3.0 s · H.264 8 bit · SDR · progressive · sound AAC stereo"
    )  # fmt: skip


def test_what_the_service_does_not_say_is_left_out() -> None:
    assert str(summary_of(info(length=None))) == "640×360 · H.264 · no sound"
    assert str(summary_of(MediaInfo())) == ""
    assert str(summary_of(MediaInfo(format=Format(duration=2.0)))) == "2.0 s"


def test_an_empty_node_of_sound_is_no_sound() -> None:
    assert summary_of(info(sound=(AudioStream(),))).sound == ""


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"color_transfer": "smpte2084", "color_primaries": "bt2020", "pix_format": "yuv420p10le"}, "HDR10"),
        ({"color_transfer": "smpte2084", "pix_format": "yuv420p10le"}, "PQ"),
        ({"color_transfer": "arib-std-b67"}, "HLG"),
        ({"color_transfer": "unknown"}, "SDR"),
        ({"color_transfer": "smpte2084", "codec_tag_string": "dvh1"}, "Dolby Vision"),
        ({}, ""),
    ],
)
def test_the_dynamic_range_has_its_usual_name(facts: dict[str, str], name: str) -> None:
    assert summary_of(info(**facts)).dynamic_range == name


@pytest.mark.parametrize(
    ("order", "marked", "expected"),
    [
        ("progressive", True, False),
        ("tt", None, True),
        ("bt", False, True),
        (None, None, None),
        ("unknown", True, True),
    ],
)
def test_the_field_order_decides_over_the_mark_of_a_frame(
    order: str | None, marked: bool | None, expected: bool | None
) -> None:  # fmt: skip
    assert summary_of(info(field_order=order), is_interlaced=marked).is_interlaced is expected


@pytest.mark.parametrize(
    ("length_s", "text"),
    [
        (0.04, "0.04 s"),
        (3.0, "3.0 s"),
        (59.94, "59.9 s"),
        (59.97, "1:00 min"),
        (125.4, "2:05 min"),
        (3725, "1:02:05 h"),
    ],
)
def test_lengths_read_well(length_s: float, text: str) -> None:
    assert str(ClipSummary(length_s=length_s)) == text


@pytest.mark.parametrize(
    ("pix_format", "bits"),
    [
        ("yuv444p", 8), ("yuvj420p", 8), ("nv12", 8), ("gbrp", 8), ("pal8", 8), ("gray", 8), ("rgb24", 8),
        ("yuv420p9le", None), ("yuv422p10be", 10), ("gray12le", 12), ("p010le", 10), ("p416le", 16), ("rgba64le", 16),
        ("nv20le", 10), ("gbrpf32le", 32), ("rgb565le", None), ("rgb8", None), ("monow", None), (None, None),
    ],
)  # fmt: skip
def test_bits_per_sample(pix_format: str | None, bits: int | None) -> None:
    assert bit_depth_of(pix_format) == bits
