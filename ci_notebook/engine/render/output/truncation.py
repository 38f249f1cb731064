"""Detects truncated outputs: from half a source file FFmpeg makes a short output, and still exits with 0."""

from __future__ import annotations

import threading
from pathlib import Path

from ci_notebook.engine.render.output.encoders import video_codec
from ci_notebook.engine.render.refusal import RequestRefused
from ci_notebook.media.damage import CODE, complaint_about
from ci_notebook.media.probe import video_specifier
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.shape import length_s


def refuse_cut_short(
    output: MediaInfo, setting: VideoEnhance, source: MediaInfo, path: Path, cancel: threading.Event | None
) -> None:
    """Raise `RequestRefused` (ResourceNotSupported) when the output is much too short because the source is broken.

    An output may be short for good reasons (a last frame that lasts long, audio that is longer than the
    video). So the source is decoded once more, but only then, and FFmpeg's messages decide.
    """
    expected, length = length_s(setting, source), output.format.duration if output.format else None
    if video_codec(setting) is None or expected is None or length is None or length >= 0.9 * expected - 0.5:
        return
    complaint = complaint_about(path, streams=video_specifier(source), cancel=cancel)
    if complaint:
        text = f"{path.name} is broken: {expected:.2f} s were expected, and only {length:.2f} s can be read"
        raise RequestRefused(f"{text} ({complaint.rstrip('.')}). Upload it again.", code=CODE)
