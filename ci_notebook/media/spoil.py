"""Spoil a good clip on purpose: what was lost is then known, and a restoration can be held against the truth.

Scores against a degraded source say how much was *changed*. Only against the picture that the source was
spoilt from do they say how much was *restored*; hence the pair: `spoil` the clip, run on what comes out,
and give the good one as `reference`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ci_notebook.media import ffmpeg
from ci_notebook.media.probe import first_video, media_info
from ci_notebook.model.errors import ParameterError

# Gains of red, green and blue: the light of a lamp, and that of a clouded noon, seen by a wrong white balance.
CASTS: Final = {"warm": (1.12, 1.0, 0.80), "cool": (0.82, 0.98, 1.10)}
SMALLEST: Final = 64


def spoil(
    source: Path | str, target: Path | str, *, shrink: int = 1, crf: int | None = None, fps: float | None = None,
    cast: str | None = None, dim: float = 0.0, noise: int = 0,
) -> Path:  # fmt: skip
    """Write a worse version of a video to `target` (an .mp4) and return its path.

    `shrink` divides both sides, by area averaging as a small sensor would (1 to 8); `fps` drops pictures;
    `cast` is `warm` or `cool`, a white balance gone wrong; `dim` pulls white down by that share (0 to 0.6)
    and flattens the contrast with it; `noise` is grain of that standard deviation, in levels of 8 bits
    (0 to 40, the same each time); `crf` is how strongly x264 compresses (0 to 51; by default 12, next to
    nothing). The sound is left out. The same call writes the same picture.

    Raises `ParameterError`, and `EngineError` for what is no video.
    """
    _check("shrink", shrink, 1, 8)
    _check("dim", dim, 0, 0.6)
    _check("noise", noise, 0, 40)
    _check("crf", 12 if crf is None else crf, 0, 51)
    if cast is not None and cast not in CASTS:
        raise ParameterError("cast", cast, f"one of {', '.join(CASTS)}", "Leave it out for none.")
    video = first_video(media_info(Path(source)))
    wide, high = (2 * round((side or 0) / shrink / 2) for side in (video.width, video.height))
    if shrink > 1 and min(wide, high) < SMALLEST:
        raise ParameterError("shrink", shrink, f"sides of at least {SMALLEST} px", f"It leaves {wide}x{high}.")
    steps = [f"fps={fps}"] if fps else []
    steps += [f"scale={wide}:{high}:flags=area"] if shrink > 1 else []
    if cast or dim:
        red, green, blue = (gain * (1 - dim) for gain in CASTS.get(cast or "", (1.0, 1.0, 1.0)))
        lift = round(36 * dim)  # what dims a picture fogs its blacks, too
        fade = {"r": red, "g": green, "b": blue}
        steps += [
            "format=gbrp",
            "lutrgb=" + ":".join(f"{of}='clip(val*{by:.4f}+{lift},0,255)'" for of, by in fade.items()),
        ]
    steps += [f"noise=alls={round(noise * 1.7)}:allf=t:all_seed=7"] if noise else []
    steps += ["format=yuv420p"]
    written: list[str | Path] = [
        *("-i", Path(source), "-an", "-vf", ",".join(steps), "-c:v", "libx264", "-preset", "medium"),
        *("-crf", str(12 if crf is None else crf), "-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact"),
        *("-map_metadata", "-1", "-movflags", "+faststart", Path(target)),
    ]
    ffmpeg.run(written)
    return Path(target)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ParameterError(name, value, f"{low:g} to {high:g}")
