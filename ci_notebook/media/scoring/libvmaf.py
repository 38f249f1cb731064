"""FFmpeg's filter libvmaf: the models it is given, those that this build has, and the scores in its log."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ci_notebook.media.ffmpeg import INSTALL, capabilities, find_ffmpeg, run
from ci_notebook.media.scoring.frame_pairs import Pair
from ci_notebook.model.errors import EngineError
from ci_notebook.model.vmaf_v1 import TV, choose_model

__all__ = ["color_note", "has_model", "models_of", "read_log", "refuse_missing_filter", "refuse_small", "vmaf_v1_model"]

LEAST: Final = 18
"""px; in smaller frames libvmaf crashes (SIGSEGV, tried)."""
_PIXELS_4K: Final = 2160
# libvmaf adds the options of a feature to its name: cambi_hrs_1080_cmxv_17_vlt_0.06
_CAMBI: Final = "cambi"
_CHROMA: Final = ("speed_chroma_u_", "speed_chroma_v_")
_BLIND: Final = "covariance matrix is singular"


def refuse_missing_filter() -> None:
    """Raise `EngineError` when the FFmpeg program has no libvmaf."""
    can = capabilities()
    if "libvmaf" not in can.filters:
        raise EngineError(f"The FFmpeg here ({can.version}) has no libvmaf. Use the one of imageio-ffmpeg.")


def has_model(name: str) -> bool:
    """Return True when the libvmaf of the FFmpeg program has this model; tried once per process (about 0.1 s)."""
    return _has_model(find_ffmpeg(), name)


def vmaf_v1_model(pair: Pair, screen: str | None) -> tuple[str, str]:
    """Return the model of VMAF v1 for a pair and an empty note; or no model, and a note that says why.

    Raises `EngineError` instead where the caller named the screen.
    """
    choice = choose_model(pair.size, float(pair.rate), screen or TV)
    reason = choice.reason
    if not reason and not has_model(choice.name):
        reason = f"The FFmpeg here ({capabilities().version}) has no model {choice.name}. Install one: {INSTALL}."
    if reason and screen is not None:
        raise EngineError(f"{reason} Leave screen out to score without VMAF v1.", code="InvalidArgument")
    return ("", f"No VMAF v1 and no banding. {reason}") if reason else (choice.name, "")


def refuse_small(pair: Pair) -> None:
    """Raise `EngineError` for frames that VMAF cannot score: FFmpeg would crash."""
    width, height = pair.size
    if min(width, height) < LEAST:
        raise EngineError(
            f"Frames of {width}x{height} px are too small to be scored: VMAF needs {LEAST}x{LEAST} px or more. "
            "Score a larger version.",
            code="InvalidArgument",
        )


def models_of(pair: Pair, *, precise: bool, vmaf_v1: str) -> str:
    """Return the filter's option `model`: VMAF and VMAF-NEG, and VMAF v1 if its model is named."""
    four_k = "_4k" if min(pair.size) >= _PIXELS_4K else ""
    if precise and four_k:
        raise EngineError("libvmaf has no precise model for 4K and VMAF-NEG. Score without `precise`.")
    features = "_float" if precise else ""
    names = {f"vmaf{features}{four_k}_v0.6.1": "vmaf", f"vmaf{features}{four_k}_v0.6.1neg": "vmaf_neg"}
    if vmaf_v1:
        names[vmaf_v1] = "vmaf_v1"
    return "|".join(f"version={model}\\:name={name}" for model, name in names.items())


def read_log(path: Path, *, vmaf_v1: bool) -> dict[str, list[float]]:
    """Return score → its value for each frame, from the filter's log in JSON. `banding` comes with VMAF v1.

    Raises `EngineError` where the filter ended without them, as it does with exit status 0 for too small frames.
    """
    frames = _frames(path)
    names = ["vmaf", "vmaf_neg", *(["vmaf_v1"] if vmaf_v1 else [])]
    cambi = next((name for name in (frames[0] if frames else {}) if name.startswith(_CAMBI)), _CAMBI)
    columns = {name: name for name in names} | ({"banding": cambi} if vmaf_v1 else {})
    missing = sorted({name for one in frames for name in columns.values() if name not in one})
    if missing or not frames:
        raise EngineError(f"libvmaf computed no {', '.join(missing) or 'scores'}.")
    return {score: [float(one[name]) for one in frames] for score, name in columns.items()}


def color_note(path: Path, messages: str) -> str:
    """Return in how many frames VMAF v1 saw no color; empty if it saw it in all.

    Its chroma feature counts as 0, that is as no difference, where libvmaf cannot invert the covariance of the
    chroma: in frames smaller than 320 × 320 px (534 for a phone), and where the chroma is too uniform. `messages` are
    those of FFmpeg.
    """
    if _BLIND not in messages:
        return ""
    frames = _frames(path)
    blind = sum(not any(value for name, value in one.items() if name.startswith(_CHROMA)) for one in frames)
    if not blind:
        return ""
    return (
        f"VMAF v1 saw no colour in {blind} of {len(frames)} scored frames, which are too small or too uniform for it. "
        "Read delta_e, too."
    )


def _frames(path: Path) -> list[Mapping[str, float]]:
    return [frame["metrics"] for frame in json.loads(path.read_text())["frames"]] if path.exists() else []


@functools.cache
def _has_model(program: Path, name: str) -> bool:
    # `program` is a part of the cache's key. Frames of this size are large enough for each model.
    graph = f"color=s=640x360:d=0.04,split[a][b];[a][b]libvmaf=model=version={name}"
    try:
        run(["-filter_complex", graph, "-f", "null", "-"])
    except EngineError:
        return False
    return True
