"""What is asked is in the command: every leaf that is acted on changes it, every other is refused by name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ci_notebook.engine.render.analysis import Analysis
from ci_notebook.engine.render.command import Paths, command, decoding, refuse_nothing_to_show
from ci_notebook.engine.render.digital_watermark.embedding import write_pattern
from ci_notebook.engine.render.digital_watermark.strength import Strength
from ci_notebook.engine.render.motion import frame_doubler
from ci_notebook.engine.render.output.audio import AudioInput
from ci_notebook.engine.render.output.encoders import mixes_of
from ci_notebook.engine.render.supported import (
    ACTED,
    BESIDE_THE_COMMAND,
    BY_THE_SERVICE,
    HARMLESS,
    REFUSED,
    refuse_unacted,
)
from ci_notebook.engine.render.watermark.background_image import layout_watermarks
from ci_notebook.model.api.jobs import Operation, Output
from ci_notebook.model.api.media_info import AudioStream, Format, MediaInfo, Stream, VideoStream
from ci_notebook.model.declaration.node import AUTO, Unknown
from ci_notebook.model.declaration.paths import Leaf, leaves, resolve, with_value
from ci_notebook.model.errors import EngineError, ParameterError
from ci_notebook.model.setting.enhance import (
    ColorEnhance,
    FrameEnhance,
    MsSharpen,
    SDRtoHDR,
    SuperResolution,
    VideoEnhance,
)
from ci_notebook.model.setting.shape import plan
from ci_notebook.model.setting.transcode import (
    Audio,
    AudioMix,
    Container,
    EffectConfig,
    TimeInterval,
    Transcode,
    TransConfig,
    Video,
)
from ci_notebook.model.setting.watermark import DigitalWatermark, Image, SlideConfig, Text, Watermark

SENDABLE = [leaf for leaf in leaves(Operation) if not any(step.param.reply for step in leaf.steps)]
CHANGING = sorted(ACTED - BY_THE_SERVICE - BESIDE_THE_COMMAND)
PICTURES = VideoStream(
    index=0, width=640, height=360, fps=25.0, pix_format="yuv420p", color_transfer="bt709", color_range="tv",
    bitrate=900.0, sar="1:1", rotation=0.0, duration=4.0,
)  # fmt: skip
SOUND = AudioStream(index=1, bitrate=96.0, channel=2, sample_rate=44100)
SOURCE = MediaInfo(format=Format(duration=4.0, num_stream=3), stream=Stream(video=(PICTURES,), audio=(SOUND, SOUND)))
CAST = Analysis(low=(0.1, 0.05, 0.0), high=(1.0, 0.9, 0.8))

TRANSCODE = Transcode(
    container=Container(format="mp4"),
    video=Video(codec="H.264", width=1280),
    audio=Audio(codec="aac"),
    trans_config=TransConfig(),
    time_interval=TimeInterval(),
)
WORDS = Text(text="mark", font_size=20, font_type="arial.ttf", font_color="0xFFFFFF", transparency=100)
LOGO = Image(url="logo.png", mode="Fixed", width=64, transparency=100)
MARK = Watermark(type="Text", pos="TopLeft", loc_mode="Absolute", dx=20, dy=10, text=WORDS, image=LOGO)
COLOUR = ColorEnhance(contrast=20, correction=100, saturation=50)


def setting(**video: object) -> VideoEnhance:
    return VideoEnhance(transcode=dataclasses.replace(TRANSCODE, video=Video(**video)))  # type: ignore[arg-type]


def config(base: VideoEnhance, **checks: object) -> VideoEnhance:
    assert base.transcode is not None
    with_checks = dataclasses.replace(base.transcode, trans_config=TransConfig(**checks))  # type: ignore[arg-type]
    return dataclasses.replace(base, transcode=with_checks)


def mixed(**asked: object) -> Operation:
    transcode = dataclasses.replace(TRANSCODE, audio_mix=AudioMix(**asked), audio_mix_array=(AudioMix(**asked),))  # type: ignore[arg-type]
    return Operation(video_enhance=VideoEnhance(transcode=transcode))


def marked(**changes: object) -> Operation:
    return Operation(video_enhance=VideoEnhance(), watermark=(dataclasses.replace(MARK, **changes),))  # type: ignore[arg-type]


PLAIN = Operation(video_enhance=VideoEnhance(transcode=TRANSCODE))
ENLARGED = SuperResolution(resolution="sdtohd", enable_scale_up=True)
PORTRAIT = dataclasses.replace(SOURCE, stream=Stream(video=(dataclasses.replace(PICTURES, width=360, height=640),)))
HDR = dataclasses.replace(
    SOURCE,
    stream=Stream(
        video=(dataclasses.replace(PICTURES, color_transfer="smpte2084", pix_format="yuv420p10le"),), audio=(SOUND,)
    ),
)

# Where a leaf needs company to mean anything: the ending of its path → the operation it is tried in.
COMPANY: dict[str, Operation] = {
    "Video.Bufsize": Operation(video_enhance=setting(maxrate=2000)),
    "TransConfig.AdjDarMethod": Operation(video_enhance=setting(width=640, height=640)),
    "TransConfig.ResoAdjMethod": Operation(video_enhance=config(setting(width=1280), is_check_reso=True)),
    "TransConfig.IsCheckVideoBitrate": Operation(video_enhance=setting(bitrate=5000)),
    "TransConfig.VideoBitrateAdjMethod": Operation(
        video_enhance=config(setting(bitrate=5000), is_check_video_bitrate=True)
    ),
    "TransConfig.IsCheckVideoFps": Operation(video_enhance=setting(fps=50.0)),
    "TransConfig.VideoFpsAdjMethod": Operation(video_enhance=config(setting(fps=50.0), is_check_video_fps=True)),
    "TransConfig.IsCheckAudioBitrate": Operation(
        video_enhance=with_value(VideoEnhance(transcode=TRANSCODE), resolve(VideoEnhance, "Audio.Bitrate"), 500)
    ),
    "TransConfig.AudioBitrateAdjMethod": Operation(
        video_enhance=with_value(
            config(VideoEnhance(transcode=TRANSCODE), is_check_audio_bitrate=True),
            resolve(VideoEnhance, "Audio.Bitrate"),
            500,
        )
    ),
    "SuperResolution.Resolution": Operation(video_enhance=VideoEnhance(super_resolution=ENLARGED)),
    "SuperResolution.EnableScaleUp": Operation(
        video_enhance=VideoEnhance(super_resolution=dataclasses.replace(ENLARGED, enable_scale_up=None))
    ),
    "SuperResolution.Version": Operation(video_enhance=VideoEnhance(super_resolution=ENLARGED)),
    "SDRtoHDR.HdrMode": Operation(
        video_enhance=dataclasses.replace(setting(codec="H.265"), sdr_to_hdr=SDRtoHDR(hdr_mode="HLG"))
    ),
    "ClipConfig.Duration": Operation(
        video_enhance=VideoEnhance(transcode=dataclasses.replace(TRANSCODE, container=Container(format="hls")))
    ),
    "AudioMix": mixed(audio_source="a.mp3"),
    "StartFadeinTime": mixed(effect_config=EffectConfig(enable_start_fadein=True)),
    "EndFadeoutTime": mixed(effect_config=EffectConfig(enable_end_fadeout=True)),
    "BgmFadeTime": mixed(effect_config=EffectConfig(enable_bgm_fade=True)),
    "Watermark.SlideConfig.SlideMode": marked(slide_config=SlideConfig(x_slide_speed=3, y_slide_speed=0)),
    "Watermark.SlideConfig.XSlideSpeed": marked(slide_config=SlideConfig(slide_mode="ScrollFromLeft")),
    "Watermark.SlideConfig.YSlideSpeed": marked(slide_config=SlideConfig(slide_mode="ScrollFromLeft")),
    "Watermark.Image": marked(type="Image"),
    "Watermark.Image.Mode": marked(type="Image", image=dataclasses.replace(LOGO, width=32)),
    "ColorEnhance": Operation(video_enhance=VideoEnhance(color_enhance=COLOUR)),
}
VALUES: dict[str, tuple[object, ...]] = {
    "Container.Format": ("mp4", "mkv"),
    "Video.Crop": ("320:180:0:0", "320:180:10:10"),
    "Video.Pixfmt": ("yuv420p", "yuv444p"),
    "Video.Bitrate": (500, 800),
    "Text.FontColor": ("0xFF0000", "0x00FF00"),
    "Text.Text": ("one", "two"),
    "DigitalWatermark.Message": ("one", "two"),
    "Text.FontType": ("arial.ttf", "simsun.ttc"),
    "Image.Url": ("logo.png", "other.png"),
    "Image.Mode": ("Fixed", "Proportion"),
    "TransConfig.TranscodeIndex": (0, 1),
    "TimeInterval.Start": (0.5, 1.0),
    "TimeInterval.Duration": (0.5, 1.0),
    "AdjDarMethod": ("crop", "pad"),
    "Audio.Codec": ("aac", "mp3"),
    "EndFadeoutTime": (0.5, 1.0),
    "AudioSource": ("a.mp3", "b.mp3"),
    "Audio.SampleFormat": ("fltp", "s16p"),
}
SOURCES = {"Video.LongShortMode": PORTRAIT, "TransConfig.IsHdr2Sdr": HDR}


def company(path: str) -> Operation:
    fitting = [ending for ending in COMPANY if ending in path]
    default = marked() if path.startswith("Watermark.") else PLAIN
    return COMPANY[max(fitting, key=len)] if fitting else default


def tried(leaf: Leaf) -> tuple[object, ...]:
    """Return two values of a leaf."""
    for ending, values in VALUES.items():
        if leaf.path.endswith(ending):
            return values
    part = leaf.part
    if part.kind is bool:
        return (False, True)
    if part.choices and part.kind is None:
        return part.choices[:2]
    low, high = part.param.low or part.param.above or 0, part.param.high or part.param.below or 100
    values = (low + (high - low) * 0.2, low + (high - low) * 0.6)
    return tuple(int(value // 2 * 2) if part.kind is int else value for value in values)


def with_leaf(operation: Operation, leaf: Leaf, value: object) -> Operation:
    if ".AudioMixArray." in leaf.path:
        setting = operation.video_enhance or VideoEnhance()
        transcode = setting.transcode or TRANSCODE
        inner = resolve(AudioMix, leaf.path.partition("AudioMixArray.")[2])
        mix = with_value(transcode.audio_mix_array[0], inner, value)
        changed = dataclasses.replace(transcode, audio_mix_array=(mix,))
        return dataclasses.replace(operation, video_enhance=dataclasses.replace(setting, transcode=changed))
    if not leaf.path.startswith("Watermark."):
        return with_value(operation, leaf, value)
    mark = with_value(operation.watermark[0], resolve(Watermark, leaf.path.removeprefix("Watermark.")), value)
    return dataclasses.replace(operation, watermark=(mark,))


def outcome(operation: Operation, source: MediaInfo, folder: Path) -> object:
    """Return the command with the marks that it lays on, or the words with which it is refused."""
    from PIL import Image as Pillow

    for number, name in enumerate(("logo.png", "other.png")):
        Pillow.new("RGBA", (40, 20), (255, 100 * number, 0, 255)).save(folder / name)
    asked = operation.video_enhance or VideoEnhance()
    try:
        refuse_nothing_to_show(asked)
        size = plan(asked, source).out
        laid = layout_watermarks(operation.watermark, size, folder, lambda url: folder / url)
        drawn = [mark.path.read_bytes() for mark in laid.overlays]
        hidden = None
        if operation.digital_watermark:
            still = folder / "hidden.y4m"
            hidden = write_pattern(operation.digital_watermark, asked, source, size, still, strength=Strength(2.0))
            drawn.append(hidden.read_bytes())
        sounds = tuple(AudioInput(Path(mix.audio_source or "none"), mix, 1.5) for mix in mixes_of(asked))
        return command(
            asked, source, Paths(Path("in.mp4"), Path("out.mp4"), laid.overlays, hidden, sounds, laid.padding), CAST
        ), drawn
    except (EngineError, ParameterError) as refused:
        return str(refused)


def test_every_leaf_is_either_acted_on_or_refused() -> None:
    assert {leaf.path for leaf in SENDABLE} == ACTED | set(REFUSED)
    assert not ACTED & set(REFUSED)
    assert set(HARMLESS) <= set(REFUSED)
    assert ACTED >= BY_THE_SERVICE | BESIDE_THE_COMMAND


@pytest.mark.parametrize("path", CHANGING)
def test_every_acted_leaf_changes_the_command(path: str, tmp_path: Path) -> None:
    leaf = next(leaf for leaf in SENDABLE if leaf.path == path)
    source = next((made for ending, made in SOURCES.items() if path.endswith(ending)), SOURCE)
    base = company(path)
    first, second = (outcome(with_leaf(base, leaf, value), source, tmp_path) for value in tried(leaf))
    assert first != second


@pytest.mark.parametrize("path", sorted(REFUSED))
def test_every_refused_leaf_is_refused_by_name_with_a_remedy(path: str) -> None:
    leaf = next(leaf for leaf in SENDABLE if leaf.path == path)
    values = {str: "text", bool: True}
    value = values.get(leaf.part.kind) or (leaf.part.choices[-1] if leaf.part.choices else 1)  # type: ignore[call-overload]
    operation = _built(leaf, value)
    with pytest.raises(ParameterError, match="is not supported by the embedded engine") as caught:
        refuse_unacted(operation)
    assert caught.value.code == "InvalidArgument"
    tags = [tag for tag in str(caught.value).split(" ")[0].split(".") if not tag.isdigit()]
    assert ".".join(tags) == path
    assert str(caught.value).endswith(".")


def _built(leaf: Leaf, value: object) -> Operation:
    """Return an operation with one leaf set, repeated nodes on the way made once."""
    made: object = value
    for step, above in zip(reversed(leaf.steps), [*reversed(leaf.steps[:-1]), None], strict=True):
        owner = above.node if above is not None else Operation
        assert owner is not None
        fields: dict[str, object] = {step.name: (made,) if step.many else made}
        if owner is DigitalWatermark and step.name != "message":
            fields = {step.name: made}
        made = owner(**fields)
    assert isinstance(made, Operation)
    return made


def test_values_without_effect_are_not_refused() -> None:
    refuse_unacted(Operation(video_enhance=setting(roi="none")))
    refuse_unacted(Operation(output=Output(region="r", bucket="b", object="o"), user_data="x", job_level=1))


def test_an_unknown_node_is_refused_by_name() -> None:
    unknown = dataclasses.replace(MsSharpen(sharpen_level=3), unknown=(Unknown("Sharpness", "5"),))
    with pytest.raises(ParameterError, match=r"VideoEnhance\.MsSharpen\.Sharpness 5 .* does not know"):
        refuse_unacted(Operation(video_enhance=VideoEnhance(ms_sharpen=unknown)))


def test_dropping_the_pictures_of_an_enhancement_is_refused_by_name() -> None:
    silent = VideoEnhance(
        transcode=Transcode(container=Container(format="mp4"), audio=Audio()), ms_sharpen=MsSharpen(sharpen_level=AUTO)
    )
    with pytest.raises(ParameterError, match=r"VideoEnhance\.Transcode\.Video is absent"):
        refuse_nothing_to_show(silent)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"codec": "VP8"}, r"Video\.Codec VP8 .* Use H\.265"),
        ({"codec": "VP9"}, r"Video\.Codec VP9 .* Use H\.265"),
        ({"profile": "high"}, r"Video\.Profile high .* Set it to auto"),
        ({"codec": "H.265", "pixfmt": "yuv420p"}, r"Video\.Pixfmt yuv420p .* Leave it out"),
    ],
)
def test_hdr_is_refused_by_name_where_ten_bits_have_no_room(asked: dict[str, str], named: str) -> None:
    made = dataclasses.replace(setting(**asked), sdr_to_hdr=SDRtoHDR(hdr_mode="HDR10"))
    with pytest.raises(ParameterError, match=named) as caught:
        refuse_nothing_to_show(made)
    assert caught.value.code == "InvalidArgument"


def test_without_transcode_the_output_is_a_good_mp4() -> None:
    words = command(VideoEnhance(), SOURCE, Paths(Path("/in"), Path("/out.mp4")), CAST)
    assert words[-3:] == ("-f", "mp4", "file:/out.mp4")
    assert {"libx264", "aac", "18", "veryfast"} <= set(words)


def test_without_crf_and_bitrate_the_documented_25_is_used() -> None:
    words = command(setting(codec="H.264"), SOURCE, Paths(Path("in"), Path("out.mp4")), CAST)
    assert words[words.index("-crf") + 1] == "25"


def test_crf_beats_bitrate() -> None:
    words = command(setting(codec="H.264", crf=30.0, bitrate=500), SOURCE, Paths(Path("in"), Path("out.mp4")), CAST)
    assert "-crf" in words and "-b:v" not in words


@pytest.mark.parametrize("has_flow", [True, False])
def test_a_doubled_rate_with_fps_ends_at_fps(has_flow: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_doubler, "available", lambda: has_flow)
    both = dataclasses.replace(setting(fps=30.0), frame_enhance=FrameEnhance(frame_doubling=True))
    first, pipe = decoding(both, SOURCE, Path("in"), CAST)
    assert ("minterpolate=fps=50" in " ".join(first)) is not has_flow
    assert pipe.doubles is has_flow
    assert pipe.fps == "50"
    assert "fps=30" in " ".join(command(both, SOURCE, Paths(Path("in"), Path("out.mp4")), CAST))


def test_a_start_behind_the_end_is_refused_by_name() -> None:
    late = VideoEnhance(transcode=dataclasses.replace(TRANSCODE, time_interval=TimeInterval(start=9.0)))
    with pytest.raises(EngineError, match=r"TimeInterval\.Start is 9 s, but the source is 4 s long"):
        command(late, SOURCE, Paths(Path("in"), Path("out.mp4")), CAST)


def test_two_analyses_of_equal_pictures_make_equal_commands() -> None:
    auto = VideoEnhance(color_enhance=ColorEnhance(contrast=AUTO), ms_sharpen=MsSharpen(sharpen_level=AUTO))
    paths = Paths(Path("in"), Path("out.mp4"))
    assert command(auto, SOURCE, paths, CAST) == command(auto, SOURCE, paths, dataclasses.replace(CAST))
    assert np.all([isinstance(word, str) for word in command(auto, SOURCE, paths, CAST)])
