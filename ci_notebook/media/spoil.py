"""Makes a good clip worse on purpose, so that a restoration can be compared with the truth.

Scores against a spoiled source say how much was *changed*. Scores against the original say how much was
*restored*. So: `spoil` the clip, run a setting on the result, and pass the original as `reference`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ci_notebook.media import color_tags, ffmpeg
from ci_notebook.media.damage import explains_damage
from ci_notebook.media.probe import (
    clip_matrix,
    first_video,
    has_square_pixels,
    media_info,
    shown_size,
    upright_size,
    video_specifier,
)
from ci_notebook.media.streams.frame_times import timeline_of
from ci_notebook.media.streams.stretch import KEEP_TIMES, stretch_of
from ci_notebook.model.errors import ParameterError

__all__ = ["CASTS", "SMALLEST", "spoil"]

# Gains of red, green and blue: lamp light, and the light of a cloudy noon, with a wrong white balance.
CASTS: Final = {"warm": (1.12, 1.0, 0.80), "cool": (0.82, 0.98, 1.10)}
SMALLEST: Final = 64


def spoil(
    source: Path | str, target: Path | str, *, shrink: int = 1, crf: int | None = None, fps: float | None = None,
    cast: str | None = None, dim: float = 0.0, noise: int = 0,
) -> Path:  # fmt: skip
    """Write a worse version of a video to `target` (an .mp4) and return its path.

    `shrink` divides both sides, by area averaging as a small sensor would (1 to 8); odd sides
    become even. `fps` drops frames.
    `cast` is `warm` or `cool`, a wrong white balance. `dim` lowers white by that share (0 to 0.6) and reduces
    the contrast with it. `noise` is grain of that standard deviation, in levels of 8 bits (0 to 40, the same
    each time). `crf` is how strongly x264 compresses (0 to 51; the default 12 is nearly lossless). The sound is
    left out. The same call writes the same bytes.

    Raises `ParameterError`, and `EngineError` for a file that is no video.
    """
    with explains_damage(Path(source)):
        return _spoil(Path(source), Path(target), shrink=shrink, crf=crf, fps=fps, cast=cast, dim=dim, noise=noise)


def _spoil(
    source: Path, target: Path, *, shrink: int, crf: int | None, fps: float | None, cast: str | None, dim: float,
    noise: int,
) -> Path:  # fmt: skip
    _check("shrink", shrink, 1, 8)
    _check("dim", dim, 0, 0.6)
    _check("noise", noise, 0, 40)
    _check("crf", 12 if crf is None else crf, 0, 51)
    if cast is not None and cast not in CASTS:
        raise ParameterError("cast", cast, f"one of {', '.join(CASTS)}", "Leave it out for none.")
    info = media_info(source)
    video = first_video(info)
    shown_size(info)  # refuses what cannot be shown
    upright = upright_size(video)
    wide, high = (max(2, 2 * round(side / shrink / 2)) for side in upright)
    if shrink > 1 and min(wide, high) < SMALLEST:
        raise ParameterError.plain(
            f"shrink={shrink} leaves {wide}x{high}; both sides need at least {SMALLEST} px. Choose a smaller shrink."
        )
    matrix = clip_matrix(source)
    part = stretch_of(timeline_of(source))
    steps = [*part.video, *color_tags.retagged(matrix), *([f"fps={fps}"] if fps else [])]
    if (wide, high) != upright:
        steps += [f"scale={wide}:{high}:flags={'area' if shrink > 1 else 'bicubic'}"]
        steps += ["setsar=1"] if has_square_pixels(video) else []
    if cast or dim:
        red, green, blue = (gain * (1 - dim) for gain in CASTS.get(cast or "", (1.0, 1.0, 1.0)))
        lift = round(36 * dim)  # a dim picture also has brighter blacks
        gains = {"r": red, "g": green, "b": blue}
        name = color_tags.scale_matrix(matrix)
        # Both conversions name the matrix. The way back would else take BT.601, which is wrong for most HD clips.
        steps += [
            f"scale=in_color_matrix={name}:out_range=pc",
            "format=gbrp",
            "lutrgb=" + ":".join(f"{of}='clip(val*{by:.4f}+{lift},0,255)'" for of, by in gains.items()),
            f"scale=in_range=pc:out_color_matrix={name}:out_range=tv",
            "format=yuv420p",
            f"setparams=colorspace={color_tags.filter_matrix(matrix)}:range=tv",
        ]
    steps += [f"noise=alls={round(noise * 1.7)}:allf=t:all_seed=7"] if noise else []
    steps += ["format=yuv420p"]
    arguments: list[str | Path] = [
        *ffmpeg.media_input(source),
        *("-map", video_specifier(info), "-an", "-vf", ",".join(steps)),
        *(() if fps or part.is_constant else KEEP_TIMES),
        *("-c:v", "libx264", "-preset", "medium"),
        *("-crf", str(12 if crf is None else crf), "-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact"),
        *("-map_metadata", "-1", "-movflags", "+faststart", target),
    ]
    ffmpeg.run(arguments)
    return target


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ParameterError(name, value, f"{low:g} to {high:g}")
