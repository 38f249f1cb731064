"""The reasons why a pair cannot be scored, each in a plain sentence with the remedy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ci_notebook.media.scoring.frame_pairs import Pair
from ci_notebook.model.errors import EngineError

__all__ = [
    "ALIKE", "displaced", "displacement_note", "drifts", "frozen", "other_end", "other_length", "other_motion",
    "other_speed", "refusal",
    "refuse_unlike",
]  # fmt: skip

ALIKE: Final = 0.75  # correlation of small grey frames; sharpened, recolored or recompressed ones stay above 0.9


def refusal(reason: str) -> EngineError:
    """Return the error for a reason."""
    return EngineError(f"The pair cannot be scored. {reason}", code="InvalidArgument")


def refuse_unlike(likeness: float) -> None:
    """Raise `EngineError` when frames are too different to be the same ones."""
    if likeness < ALIKE:
        raise refusal(
            f"The frames of the output do not match the source: their similarity is {likeness:.2f}; at least {ALIKE} "
            "is needed. They were also compared up to 10 s earlier and later, and in other places and sizes. If the "
            "output shows a part of the source, pass it as start_s and crop."
        )


def other_length(pair: Pair) -> EngineError:
    """Return the error for a pair of different lengths in which nothing shows how they correspond."""
    return refusal(
        f"The output is {pair.output.duration_s:.2f} s long, but the source is {pair.stretch[1]:.2f} s long from "
        f"{pair.stretch[0]:g} s on. Their frames do not correspond. Pass the part of the source that the output shows "
        "as start_s and length_s."
    )


def other_end(pair: Pair, offset_s: float) -> EngineError:
    """Return the error for an output whose begin was found in the source, and whose end is another one."""
    length, whole = pair.output.duration_s, pair.stretch[1]
    end = length + offset_s - whole
    begin = pair.stretch[0] + max(0.0, offset_s)
    if end < 0:
        return refusal(
            f"The output is {length:.2f} s long, but the source is {whole:.2f} s long. The output shows it from "
            f"{begin:.2f} s on, and ends {-end:.2f} s before the source does. To score this part, pass "
            f"start_s={begin:.2f} and length_s={length + min(0.0, offset_s):.2f}."
        )
    return refusal(
        f"The output is {length:.2f} s long, but the source is {whole:.2f} s long. The output shows it from "
        f"{begin:.2f} s on, and continues {end:.2f} s after the source ends. Cut the output first, for example with "
        f"-t {length - end:.2f}."
    )


def other_speed(speed: float) -> EngineError:
    """Return the error for an output that plays faster or slower."""
    return refusal(
        f"The output plays at {speed:.4g} times the speed of the source, so their frames do not correspond. Change it "
        f"back first, for example with ffmpeg -i output.mp4 -vf setpts={speed:.4g}*PTS restored.mp4."
    )


def frozen(begin_s: float, end_s: float) -> EngineError:
    """Return the error for an output that is frozen while its source moves."""
    return refusal(
        f"The output is frozen from {begin_s:.2f} s to {end_s:.2f} s while the source moves: frames were lost. "
        "Render it again, or cut the output and the source to the part before, and score that."
    )


def other_motion(reach_s: float) -> EngineError:
    """Return the error for frames that are alike in everything that does not move."""
    return refusal(
        f"The output shows another motion than the source, also up to {reach_s:.0f} s earlier and later, so they show "
        "different moments. Pass the time in the source where the output begins as start_s."
    )


def displaced(across: float, down: float) -> EngineError:
    """Return the error for frames that are displaced, in pixels of the output to the right and down."""
    return refusal(
        f"The frames of the output are displaced against the source, by up to {across:.1f} px across and {down:.1f} px "
        "down, and no whole pixels make them agree. If the output shows a part of the source, pass it as crop."
    )


def displacement_note(across: float, down: float) -> str:
    """Return the sentence for frames that are scored although edges are apart by up to two pixels."""
    return (
        f"Edges of the output are up to {max(across, down):.1f} px away from those of the source, as scalers leave "
        "them; the scores contain that."
    )


def drifts(offset: int, drift: Mapping[float, int]) -> EngineError:
    """Return the error for frames whose shift changes: `drift` maps times in s to frames, counted from `offset`."""
    changes = [at for at, before in zip(drift, [None, *drift.values()], strict=False) if drift[at] != before]
    where = ", ".join(f"by {offset + drift[at]:+d} frames from {at:.1f} s on" for at in changes[:4])
    return refusal(
        f"The output is shifted {where}: frames were lost or repeated. "
        "Score the parts before and after these times separately."
    )
