"""Which model of VMAF v1 fits an output, and how large its frames must be at least.

Below the least size FFmpeg crashes (SIGSEGV), or ends with a VMAF of 0. So a model is chosen, or refused in
words, before FFmpeg starts. Scores of two models cannot be compared: each run keeps the name of its model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ci_notebook.model.errors import ParameterError

__all__ = [
    "HFR_FPS", "LEAST_SIDES", "MODELS", "SCREENS", "TV", "ModelChoice", "Screen", "check_screen", "choose_model",
    "mixed_models", "of_vmaf_v1",
]  # fmt: skip

Screen = Literal["tv", "tv_3h", "phone"]
"""Where the output is watched; see `SCREENS`."""

TV: Final = "tv"
SCREENS: Final[Mapping[str, str]] = {
    "tv": "a TV at 3 picture heights, or at 1.5 if the output is 4K (Netflix's defaults)",
    "tv_3h": "a TV at 3 picture heights, also if the output is 4K, whose scores then go up to 110",
    "phone": "a phone at 5 picture heights; there is no such model for 4K",
}
"""Name of a screen → what it means."""

HFR_FPS: Final = 45.0  # The `hfr` models are made for 50 and 60 frames/s, the others for 24 to 30.
_SHORT_SIDE_4K: Final = 2160
_VERSION: Final = "vmaf_v1.0.16_"

# (shorter, longer) side in px, per model. Measured with FFmpeg 9.0.2 of imageio-ffmpeg 0.8.1 in steps of 1 px, 8 and
# 10 bits, wide, tall and square, each size three times with other garbage in fresh memory. The shorter side begins
# to work at 160, 267 and 318 px: the chroma feature needs a block of 5 px in its smallest scale, after the frames
# were scaled for the viewing distance. The least sizes here are a tenth larger. CAMBI refuses frames whose
# longer side is below 216 px. The `hfr` models are alike. Repeat it with `python -m tests.benchmarks.bench_least_size`.
LEAST_SIDES: Final[Mapping[str, tuple[int, int]]] = {
    "3d0h": (176, 216), "5d0h": (296, 296), "1d5h_2160": (176, 216), "3d0h_2160": (352, 352),
}  # fmt: skip
"""Model without its version and rate → the least shorter and longer side of the frames, in px."""

MODELS: Final = tuple(f"{_VERSION}{rate}{name}" for rate in ("", "hfr_") for name in LEAST_SIDES)
"""The names of all models, as libvmaf knows them."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model by libvmaf's name; or an empty name, and the reason why no model fits."""

    name: str
    reason: str = ""


def check_screen(screen: object) -> None:
    """Raise `ParameterError` unless `screen` is None or the name of a screen."""
    if screen is not None and screen not in SCREENS:
        raise ParameterError("screen", screen, " or ".join(f'"{name}"' for name in SCREENS))


def choose_model(size: tuple[int, int], fps: float, screen: str = TV) -> ModelChoice:
    """Return the model of VMAF v1 for frames of a size (px) and rate (frames/s) on a screen.

    >>> choose_model((1920, 1080), 25).name
    'vmaf_v1.0.16_3d0h'
    >>> choose_model((192, 108), 25).reason
    'VMAF v1 needs frames of at least 216 × 176 px (tv), and these have 192 × 108.'
    """
    is_4k = min(size) >= _SHORT_SIDE_4K
    if is_4k and screen == "phone":
        return ModelChoice("", f"VMAF v1 has no model for a phone and frames of {size[0]} × {size[1]} px (4K).")
    name = "5d0h" if screen == "phone" else "3d0h" if not is_4k else "1d5h_2160" if screen == TV else "3d0h_2160"
    short, long = LEAST_SIDES[name]
    if min(size) < short or max(size) < long:
        least = f"{long} × {short}" if size[0] >= size[1] else f"{short} × {long}"
        return ModelChoice(
            "", f"VMAF v1 needs frames of at least {least} px ({screen}), and these have {size[0]} × {size[1]}."
        )
    return ModelChoice(f"{_VERSION}{'hfr_' if fps >= HFR_FPS else ''}{name}")


def of_vmaf_v1(name: str) -> bool:
    """Return True for `vmaf_v1` and its pooled numbers, which compare only within one model.

    >>> of_vmaf_v1("vmaf_v1_p5"), of_vmaf_v1("vmaf")
    (True, False)
    """
    return name == "vmaf_v1" or name.startswith("vmaf_v1_")


def mixed_models(models: Iterable[str]) -> str:
    """Return why scores of these models cannot be compared, as a sentence; empty if they can. Empty names do not count.

    >>> mixed_models(["vmaf_v1.0.16_3d0h", "vmaf_v1.0.16_3d0h"])
    ''
    """
    different = sorted(set(filter(None, models)))
    if len(different) < 2:
        return ""
    return f"VMAF v1 was computed with different models ({', '.join(different)}), whose scores cannot be compared."
