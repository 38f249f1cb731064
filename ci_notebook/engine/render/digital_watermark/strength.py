"""The amplitude that a clip needs: as little as survives a severe attack, measured on two seconds of it.

The same amplitude is far too much for one clip and just enough for another, and no statistic of the frames
predicts which: the margin in the job's own output and the margin after an attack are hardly related. So two
seconds are embedded weakly, encoded, scaled to half, encoded again by x264's veryfast preset, and read. The
text is known, so a margin below zero is a number too, and one measurement tells how much more is needed.
"""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Final

from ci_notebook.engine.render.digital_watermark.pattern import blend_filter, known_margin_db, pattern
from ci_notebook.media.ffmpeg import Cancelled, media_input, run
from ci_notebook.media.probe import video_index
from ci_notebook.model.errors import EngineError
from ci_notebook.model.setting.shape import Size

WEAKEST: Final = 0.6  # share of the full amplitude that is tried first
_TARGET_DB: Final = 1.0  # margin wanted after the attack
_SLOPE: Final = 1.3  # dB of margin after the attack for each dB of amplitude; measured: 1.1 to 1.6
_SECONDS: Final = 2.0
_FRAMES: Final = 60
# A fixed number of threads: x264's bytes depend on it, and the result of a job must not depend on the machine.
_X264: Final = ("-c:v", "libx264", "-crf", "23", "-threads", "2")


def needed_share(
    source: Path, message: str, size: Size, amplitude: float, *, stretch: tuple[float, float] = (0.0, _SECONDS),
    cancel: threading.Event | None = None,
) -> float:  # fmt: skip
    """Return the share of `amplitude`, 0.6 to 1.0, that a text needs in a clip scaled to `size`.

    `stretch` is the begin and the length in seconds of what is measured. A file that cannot be measured gets 1.0. Costs two encodings of
    60 frames at most: 0.7 s for 640 × 360, 4 s for 1920 × 1080 on two cores.
    """
    try:
        margin = _margin_after_attack(source, message, size, WEAKEST * amplitude, stretch, cancel)
    except Cancelled:
        raise
    except EngineError:
        return 1.0
    share = WEAKEST * 10 ** (max(_TARGET_DB - margin, 0.0) / (20 * _SLOPE))
    return min(1.0, round(share, 2))


def middle(start: float, length: float | None) -> tuple[float, float]:
    """Return the begin and the length of the two seconds in the middle of a job's stretch of the source.

    >>> middle(10.0, 6.0), middle(0.0, 0.8), middle(3.0, None)
    ((12.0, 2.0), (0.0, 0.8), (3.0, 2.0))
    """
    if length is None:
        return start, _SECONDS
    return start + max(0.0, (length - _SECONDS) / 2), min(length, _SECONDS)


def _margin_after_attack(
    source: Path, message: str, size: Size, amplitude: float, stretch: tuple[float, float], cancel: threading.Event | None
) -> float:
    """Return the margin in dB of a stretch that was embedded, encoded, scaled to half and encoded again."""
    width, height = size.width, size.height
    with tempfile.TemporaryDirectory(prefix="ci-strength-") as name:
        still, marked, attacked = (Path(name) / part for part in ("still.y4m", "marked.mp4", "attacked.mp4"))
        still.write_bytes(pattern(message, width, height, amplitude=amplitude))
        scaled = f"[0:{video_index(source)}]scale={width}:{height}:in_range=full:out_range=full,setsar=1[shown];"
        graph = scaled + blend_filter("shown", "1:v", "out", pixel_format="yuv420p")
        begin = ["-ss", f"{stretch[0]:.3f}"] if stretch[0] else []
        run(
            [*begin, "-t", f"{stretch[1]:.3f}", *media_input(source), "-i", still, "-filter_complex", graph, "-map", "[out]",
             "-frames:v", str(_FRAMES), *_X264, "-preset", "medium", marked],
            cancel=cancel,
        )  # fmt: skip
        half = f"scale={max(2, width // 4 * 2)}:{max(2, height // 4 * 2)}"
        run(["-i", marked, "-vf", half, *_X264, "-preset", "veryfast", attacked], cancel=cancel)
        return known_margin_db(attacked, message, cancel=cancel)
