"""Presets: named settings that ship with the package, as starting points.

Invariant: a preset is a complete setting that passes every rule. Its `about` line says what it does
and for which videos.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Final

from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.declaration.paths import values
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.html import bold, html_table, table_html
from ci_notebook.model.setting.enhance import (
    ColorEnhance,
    FrameEnhance,
    MsSharpen,
    SDRtoHDR,
    SuperResolution,
    VideoEnhance,
)
from ci_notebook.model.setting.transcode import Audio, Container, Transcode, TransConfig, Video
from ci_notebook.model.setting.words import setting_in_words


@dataclass(frozen=True, slots=True)
class Preset:
    """A named setting; `about` says in one line what it does and for which videos."""

    name: str
    about: str
    setting: VideoEnhance

    def __repr__(self) -> str:
        return f"Preset({self.name!r}: {self.about})"

    def _repr_html_(self) -> str:
        rows = {"About": self.about, **values(self.setting)}
        return html_table(f"Preset {self.name}", [(name, value, "") for name, value in rows.items()])


class Presets(tuple[Preset, ...]):
    """Presets as a tuple that shows itself as a table."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} presets: {', '.join(one.name for one in self)}>"

    def _repr_html_(self) -> str:
        rows = [(one.name, one.about, setting_in_words(values(one.setting))) for one in self]
        return table_html(
            rows, head=("preset", "about", "parameters"), caption=bold(f"{len(self)} presets"), row_heads=True
        )  # fmt: skip


def preset(name: str) -> VideoEnhance:
    """Return the setting of a preset by its name. Raises `ParameterError` with the names of all presets.

    >>> preset("Smooth motion")
    VideoEnhance(frame_enhance=FrameEnhance(frame_doubling=True))
    """
    for one in PRESETS:
        if one.name == name:
            return one.setting
    names = [one.name for one in PRESETS]
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ParameterError.plain(f"There is no preset {name!r}.{hint} The presets are {', '.join(names)}.")


def _encoded(video: Video, audio: Audio | None = None, config: TransConfig | None = None) -> Transcode:
    return Transcode(container=Container(format="mp4"), video=video, audio=audio or Audio(), trans_config=config)


# HDR screens play H.265 with 10 bits.
_TEN_BITS: Final = Video(codec="H.265", crf=20.0, pixfmt="yuv420p10le")

PRESETS: Final = Presets((
    Preset(
        "Automatic", "The service chooses colour and detail: a first try for any clip.",
        VideoEnhance(
            color_enhance=ColorEnhance(contrast=AUTO, correction=AUTO, saturation=AUTO),
            ms_sharpen=MsSharpen(sharpen_level=AUTO),
        ),
    ),
    Preset(
        "Restore SD", "Enlarges old SD footage with the remastering model, corrects colour and sharpens a little.",
        VideoEnhance(
            transcode=_encoded(Video(codec="H.264", crf=18.0)),
            super_resolution=SuperResolution(resolution="sdtohd", version="Enhance"),
            color_enhance=ColorEnhance(contrast=AUTO, correction=AUTO, saturation=AUTO),
            ms_sharpen=MsSharpen(sharpen_level=3),
        ),
    ),
    Preset(
        "4K master", "Enlarges HD to 4K with the remastering model at high quality: for large screens.",
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
        "Faded film", "Removes colour casts and grey haze, strengthens colour a little: for scans and old tapes.",
        VideoEnhance(
            color_enhance=ColorEnhance(contrast=AUTO, correction=600, saturation=60),
            ms_sharpen=MsSharpen(sharpen_level=2),
        ),
    ),
    Preset(
        "Crisp detail", "Only sharpens: for soft lenses, slides and text.",
        VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=6)),
    ),
    Preset(
        "Smooth motion", "Doubles the frame rate by motion interpolation: for sport and camera pans.",
        VideoEnhance(frame_enhance=FrameEnhance(frame_doubling=True)),
    ),
    Preset(
        "HDR10 from SDR", "High dynamic range in H.265 with 10 bits: for HDR televisions and phones.",
        VideoEnhance(transcode=_encoded(_TEN_BITS), sdr_to_hdr=SDRtoHDR(hdr_mode="HDR10")),
    ),
    Preset(
        "HLG for broadcast", "High dynamic range that SDR screens also show well: for broadcast and live.",
        VideoEnhance(transcode=_encoded(_TEN_BITS), sdr_to_hdr=SDRtoHDR(hdr_mode="HLG")),
    ),
    Preset(
        "Small for the web", "At most 720 lines, H.264 and a low audio bit rate: small files that play everywhere.",
        VideoEnhance(
            transcode=_encoded(
                Video(codec="H.264", height=720, crf=27.0, preset="slow"),
                Audio(codec="aac", bitrate=96),
                TransConfig(is_check_reso=True, reso_adj_method=0),
            ),
            ms_sharpen=MsSharpen(sharpen_level=2),
        ),
    ),
))  # fmt: skip
