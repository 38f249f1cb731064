"""The amplitude that a clip needs: as little as survives a severe attack, measured on two seconds of it.

The same amplitude is far too much for one clip and just enough for another, and no statistic of the frames
predicts which: the margin in the job's own output and the margin after an attack are hardly related. So two
seconds are embedded weakly, encoded, scaled to half, encoded again by x264's veryfast preset, and read. The
text is known, so a margin below zero is a number too, and one measurement tells how much more is needed.

The amplitude is the same all over the frame. Weighting it by local texture was measured and rejected: at equal
file size, meadow and portrait lost 1 to 7 dB of margin in the job's own output, and 0.3 to 2.3 points of VMAF.
"""

from __future__ import annotations

import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_notebook.engine.render.digital_watermark.carrier import embedding_grid, fine_grid
from ci_notebook.engine.render.digital_watermark.pattern import blend_filter, known_margin_db, pattern
from ci_notebook.media.ffmpeg import Cancelled, media_input, run
from ci_notebook.media.probe import video_index
from ci_notebook.model.errors import EngineError
from ci_notebook.model.setting.shape import Size

_TRIED: Final = 0.6  # share of the full amplitude that is measured
_WEAKEST: Final = 0.4
_TARGET_DB: Final = 1.0  # margin wanted after the attack
_SLOPE: Final = 1.3  # dB of margin after the attack for each dB of amplitude; measured: 1.1 to 1.6
_COARSE_IF: Final = 0.85  # the coarse grid shows more at equal amplitude, so it must save at least this much
# Above this many pixels per cell of the fine grid, as in 1280 × 720, the fine grid is coarse enough.
_FINE_ENOUGH: Final = 12.0
_SECONDS: Final = 2.0
_FRAMES: Final = 60
# A fixed number of threads: x264's bytes depend on it, and the result of a job must not depend on the machine.
_X264: Final = ("-c:v", "libx264", "-crf", "23", "-threads", "2")


@dataclass(frozen=True, slots=True)
class Strength:
    """How strongly a text is embedded: the amplitude in 8-bit levels, and whether on the coarse grid."""

    level: float
    coarse: bool = False


def needed_strength(
    source: Path, message: str, size: Size, full: float, *, stretch: tuple[float, float] = (0.0, _SECONDS),
    cancel: threading.Event | None = None,
) -> Strength:  # fmt: skip
    """Return what a text needs in a clip scaled to `size`: 0.4 to 1.0 of the `full` amplitude, and which grid.

    `stretch` is the begin and the length in seconds of what is measured. A file that cannot be measured gets
    the full amplitude. Costs two or four encodings of 60 frames at most, and as many readings along the motion:
    up to 9 s of processor time for 640 × 360.
    """
    excerpt = _Excerpt(source, message, size, stretch, cancel)
    across, down = embedding_grid(size.width, size.height)
    is_fine = (across, down) == fine_grid(size.width, size.height)
    try:
        first = excerpt.needed_share(full, coarse=False)
        if first > _TRIED and is_fine and size.width * size.height < _FINE_ENOUGH * across * down:
            second = excerpt.needed_share(full, coarse=True)
            if second < _COARSE_IF * first:
                return Strength(second * full, coarse=True)
    except Cancelled:
        raise
    except EngineError:
        return Strength(full)
    return Strength(first * full)


def middle(start: float, length: float | None) -> tuple[float, float]:
    """Return the begin and the length of the two seconds in the middle of a job's stretch of the source.

    >>> middle(10.0, 6.0), middle(0.0, 0.8), middle(3.0, None)
    ((12.0, 2.0), (0.0, 0.8), (3.0, 2.0))
    """
    if length is None:
        return start, _SECONDS
    return start + max(0.0, (length - _SECONDS) / 2), min(length, _SECONDS)


@dataclass(frozen=True, slots=True)
class _Excerpt:
    """The stretch of a source that is measured, and the text."""

    source: Path
    message: str
    size: Size
    stretch: tuple[float, float]
    cancel: threading.Event | None

    def needed_share(self, full: float, *, coarse: bool) -> float:
        """Return the share of the full amplitude that is needed on one grid."""
        margin = self._margin_after_attack(_TRIED * full, coarse=coarse)
        share = _TRIED * 10 ** float((_TARGET_DB - margin) / (20 * _SLOPE))
        return min(max(round(share, 2), _WEAKEST), 1.0)

    def _margin_after_attack(self, level: float, *, coarse: bool) -> float:
        """Return the margin in dB after embedding, encoding, scaling to half and encoding again."""
        width, height = self.size.width, self.size.height
        with tempfile.TemporaryDirectory(prefix="ci-strength-") as name:
            still, marked, attacked = (Path(name) / part for part in ("still.y4m", "marked.mp4", "attacked.mp4"))
            still.write_bytes(pattern(self.message, width, height, amplitude=level, coarse=coarse))
            video = f"0:{video_index(self.source)}"
            scaled = f"[{video}]scale={width}:{height}:in_range=full:out_range=full,setsar=1[shown];"
            graph = scaled + blend_filter("shown", "1:v", "out", pixel_format="yuv420p")
            begin, length = (f"{number:.3f}" for number in self.stretch)
            inputs: list[str | Path] = ["-ss", begin, "-t", length, *media_input(self.source), "-i", still]
            chosen = ["-filter_complex", graph, "-map", "[out]", "-frames:v", str(_FRAMES)]
            run([*inputs, *chosen, *_X264, "-preset", "medium", marked], cancel=self.cancel)
            half = f"scale={max(2, width // 4 * 2)}:{max(2, height // 4 * 2)}"
            run(["-i", marked, "-vf", half, *_X264, "-preset", "veryfast", attacked], cancel=self.cancel)
            return known_margin_db(attacked, self.message, cancel=self.cancel)
