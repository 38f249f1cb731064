"""Presets: named settings that ship with us, to start from.

The rule of this file: a preset is a whole setting that passes every rule, and says in one line what
it does and for what.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import (
    ColorEnhance,
    FrameEnhance,
    MsSharpen,
    SDRtoHDR,
    SuperResolution,
    VideoEnhance,
)
from ci_notebook.model.setting.transcode import Audio, Container, Transcode, TransConfig, Video


@dataclass(frozen=True, slots=True)
class Preset:
    """A named setting, and in one line what it does and for what."""

    name: str
    about: str
    setting: VideoEnhance


def preset(name: str) -> VideoEnhance:
    """Return the setting of a preset by its name. Raises `ParameterError` naming them all.

    >>> preset("Smooth motion")
    VideoEnhance(frame_enhance=FrameEnhance(frame_doubling=True))
    """
    for one in PRESETS:
        if one.name == name:
            return one.setting
    raise ParameterError("the name of a preset", name, "one of " + ", ".join(one.name for one in PRESETS))


def _encoded(video: Video, audio: Audio | None = None, config: TransConfig | None = None) -> Transcode:
    return Transcode(container=Container(format="mp4"), video=video, audio=audio or Audio(), trans_config=config)


# Ten bits in H.265: what screens that show HDR play.
_TEN_BITS: Final = Video(codec="H.265", crf=20.0, pixfmt="yuv420p10le")

PRESETS: Final = (
    Preset(
        "Automatic", "Colour and detail as the service chooses them: a first look at any clip.",
        VideoEnhance(
            color_enhance=ColorEnhance(contrast=AUTO, correction=AUTO, saturation=AUTO),
            ms_sharpen=MsSharpen(sharpen_level=AUTO),
        ),
    ),
    Preset(
        "Restore SD", "Enlarges old SD footage by the remastering model, with gentle detail and corrected colour.",
        VideoEnhance(
            transcode=_encoded(Video(codec="H.264", crf=18.0)),
            super_resolution=SuperResolution(resolution="sdtohd", version="Enhance"),
            color_enhance=ColorEnhance(contrast=AUTO, correction=AUTO, saturation=AUTO),
            ms_sharpen=MsSharpen(sharpen_level=3),
        ),
    ),
    Preset(
        "4K master", "Enlarges HD to 4K by the remastering model and keeps what it wins: for large screens.",
        VideoEnhance(
            transcode=_encoded(Video(codec="H.265", crf=18.0)),
            super_resolution=SuperResolution(resolution="hdto4k", version="Enhance"),
            ms_sharpen=MsSharpen(sharpen_level=2),
        ),
    ),
    Preset(
        "Punchy colour", "More contrast and stronger colours: for product, travel and sport.",
        VideoEnhance(color_enhance=ColorEnhance(contrast=35, correction=100, saturation=120)),
    ),
    Preset(
        "Faded film", "Takes casts and grey veils off, lifts colour a little: for scans and old tapes.",
        VideoEnhance(
            color_enhance=ColorEnhance(contrast=AUTO, correction=600, saturation=60),
            ms_sharpen=MsSharpen(sharpen_level=2),
        ),
    ),
    Preset(
        "Crisp detail", "Sharpens alone: for soft lenses, slides and text.",
        VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=6)),
    ),
    Preset(
        "Smooth motion", "Doubles the frame rate by motion interpolation: for sport and pans.",
        VideoEnhance(frame_enhance=FrameEnhance(frame_doubling=True)),
    ),
    Preset(
        "HDR10 from SDR", "High dynamic range in H.265 with ten bits: for HDR televisions and phones.",
        VideoEnhance(transcode=_encoded(_TEN_BITS), sdr_to_hdr=SDRtoHDR(hdr_mode="HDR10")),
    ),
    Preset(
        "HLG for broadcast", "High dynamic range that an SDR screen still shows well: for broadcast and live.",
        VideoEnhance(transcode=_encoded(_TEN_BITS), sdr_to_hdr=SDRtoHDR(hdr_mode="HLG")),
    ),
    Preset(
        "Small for the web", "At most 720 lines, H.264 and little sound: small files that play everywhere.",
        VideoEnhance(
            transcode=_encoded(
                Video(codec="H.264", height=720, crf=27.0, preset="slow"),
                Audio(codec="aac", bitrate=96),
                TransConfig(is_check_reso=True, reso_adj_method=0),
            ),
            ms_sharpen=MsSharpen(sharpen_level=2),
        ),
    ),
)  # fmt: skip
