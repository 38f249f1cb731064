"""Whether an output is as long as its source promised: FFmpeg makes what it can of half a file and calls it well."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from ci_notebook.engine.render.output.encoders import video_codec
from ci_notebook.engine.render.output.output_size import length_s
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.probe import MAIN_VIDEO
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.errors import EngineError
from ci_notebook.model.setting.enhance import VideoEnhance

# What FFmpeg says of a file that ends too soon or holds nonsense.
BROKEN: Final = ("partial file", "prematurely", "Invalid data found", "Invalid NAL", "error while decoding", "corrupt")


def refuse_cut_short(
    made: MediaInfo, setting: VideoEnhance, source: MediaInfo, path: Path, cancel: threading.Event | None
) -> None:
    """Raise `EngineError` (ResourceNotSupported) when the output ends long before it should and the source is broken.

    An output may be short for good reasons (a last picture that stands long, sound that outlasts the
    pictures), so the source is decoded once more, and only then: what FFmpeg says of it decides.
    """
    wanted, length = length_s(setting, source), made.format.duration if made.format else None
    if video_codec(setting) is None or wanted is None or length is None or length >= 0.9 * wanted - 0.5:
        return
    log = run(["-v", "error", "-i", path, "-map", f"0:{MAIN_VIDEO}", "-f", "null", "-"], cancel=cancel)
    said = next((line for line in log.splitlines() if any(word in line for word in BROKEN)), "")
    if said:
        text = f"{path.name} is broken: it should give {wanted:.2f} s and gave {length:.2f} s"
        raise EngineError(f"{text} ({said.rpartition('] ')[2]}). Upload it again.", code="ResourceNotSupported")
