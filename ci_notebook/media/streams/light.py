"""How bright an HDR clip is: the metadata of its light, and a measure where there is none.

HDR10 files say the light of their mastering display, the light of their brightest pixel (MaxCLL) and that
of their brightest frame on average (MaxFALL), by CTA-861.3. HLG files say nothing.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ci_notebook.media import color_tags

__all__ = ["Light", "MasteringDisplay", "light_from", "light_of", "light_of_code"]

_DISPLAY: Final = "MASTERING_DISPLAY_METADATA"
_LEVELS: Final = "CONTENT_LIGHT_LEVEL"
_NUMBERS: Final = 10  # fractions: x and y of red, green, blue and white, then the darkest and the lightest light
_USUAL_PEAK: Final = 1000.0  # cd/m²
# Percent of pixels that an encoder may make brighter than the picture was: few in luma, more in a color channel,
# where samples of chroma that are shared by four pixels do so at edges.
_STRAY_LUMA: Final = 0.02
_STRAY_COLOR: Final = 0.5


@dataclass(frozen=True, slots=True)
class MasteringDisplay:
    """The display on which a clip was graded: CIE x and y of its colors, and its range of light in cd/m²."""

    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]
    white: tuple[float, float]
    darkest: float
    lightest: float


@dataclass(frozen=True, slots=True)
class Light:
    """The coding of an HDR clip and its light in cd/m².

    `max_cll`, `max_fall` and `display` are metadata, None where the file has none. `peak` is the light of the
    brightest pixel that was measured in a few frames, stray pixels aside. `made_fall` is the `max_fall` of what a job
    makes of the clip, None where it is that of the clip.
    """

    coding: color_tags.HdrCoding
    max_cll: int | None = None
    max_fall: int | None = None
    display: MasteringDisplay | None = None
    peak: float | None = None
    made_fall: int | None = None

    @property
    def brightest(self) -> float:
        """The light of the brightest pixel: by the metadata, else as measured, else the most that HDR usually has."""
        return float(self.max_cll or self.peak or _USUAL_PEAK)


def light_of(frames: Iterable[Any]) -> Light | None:
    """Return the light of the HDR clip that these PyAV frames are from; None for SDR, and without a frame."""
    light, codes = None, []
    for frame in frames:
        if not color_tags.is_hdr(color_tags.frame_transfer(frame)):
            return None
        light = light or _metadata(frame)
        codes.append(_brightest_code(frame))
    if light is None:
        return None
    return replace(light, peak=round(light_of_code(max(codes), light.coding.transfer), 1))


def light_from(values: Mapping[str, Any]) -> Light:
    """Return the light that `dataclasses.asdict` has taken apart, after it was JSON."""
    display = values["display"]
    points = {} if display is None else {name: tuple(display[name]) for name in ("red", "green", "blue", "white")}
    return Light(**{
        **values,
        "coding": color_tags.HdrCoding(**values["coding"]),
        "display": None if display is None else MasteringDisplay(**{**display, **points}),
    })  # fmt: skip


def _metadata(frame: Any) -> Light:
    found = {one.type.name: bytes(one) for one in frame.side_data if one.type.name in (_DISPLAY, _LEVELS)}
    cll, fall = struct.unpack("=2I", found.get(_LEVELS, bytes(8))[:8])
    display = _display(found[_DISPLAY]) if _DISPLAY in found else None
    return Light(color_tags.frame_coding(frame), cll or None, fall or None, display)


def _display(data: bytes) -> MasteringDisplay | None:
    """Return FFmpeg's AVMasteringDisplayMetadata; None where a part is missing."""
    numbers = struct.unpack(f"={2 * _NUMBERS}i", data[: 8 * _NUMBERS])
    fractions = list(zip(numbers[::2], numbers[1::2], strict=True))
    if not all(below for _, below in fractions):
        return None
    values = [round(above / below, 6) for above, below in fractions]
    red, green, blue, white = ((values[i], values[i + 1]) for i in range(0, 8, 2))
    return MasteringDisplay(red, green, blue, white, values[8], values[9]) if values[9] > 0 else None


def _brightest_code(frame: Any) -> float:
    """Return the brightest code of a frame as R'G'B', 0 to 1: of luma, or of a color channel."""
    import numpy as np  # lazy: the thin client installs without it

    color_tags.retag(frame)
    half = {"width": max(2, frame.width // 2), "height": max(2, frame.height // 2), "interpolation": "POINT"}
    red, green, blue = (_samples(plane) for plane in _gbr(frame.reformat(format="gbrp10le", **half)))
    luma = 0.2627 * red + 0.678 * green + 0.0593 * blue
    found = [np.percentile(luma, 100 - _STRAY_LUMA)]
    found += [np.percentile(one, 100 - _STRAY_COLOR) for one in (red, green, blue)]
    return float(max(found)) / 1023


def _gbr(frame: Any) -> tuple[Any, Any, Any]:
    green, blue, red = frame.planes
    return red, green, blue


def _samples(plane: Any) -> Any:
    import numpy as np  # lazy, as above

    return np.frombuffer(plane, "<u2").reshape(plane.height, -1)[:, : plane.width].astype(np.float32)


def light_of_code(code: float, transfer: str) -> float:
    """Return the light in cd/m² of a grey with this code, by ITU-R BT.2100."""
    if transfer == "smpte2084":
        power = code ** (1 / 78.84375)
        return float(10000 * (max(power - 0.8359375, 0.0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125))
    scene = code**2 / 3 if code <= 0.5 else (math.exp((code - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return float(1000 * scene**1.2)
