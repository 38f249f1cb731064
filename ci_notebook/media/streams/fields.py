"""Interlaced video: which clips may have frames that consist of two fields, and the filter that joins them.

Invariant: jobs, previews and scores join fields by the same filter, so a score does not measure it.
"""

from __future__ import annotations

from typing import Final

from ci_notebook.model.api.media_info import VideoStream

__all__ = ["DEINTERLACER", "are_joinable", "may_have_fields"]

DEINTERLACER: Final = "bwdif=send_frame:deint=interlaced"
"""FFmpeg's filter: as many frames as before, and all frames without fields unchanged."""
# Codecs of which parts of one stream may have fields.
_CODECS: Final = frozenset({"mpeg2video", "h264", "dvvideo", "vc1", "mpeg4"})
_LEAST_PX: Final = 8  # smaller frames are too small for the filter


def are_joinable(width: int, height: int) -> bool:
    """Return whether frames of this size are large enough for the filter."""
    return min(width, height) >= _LEAST_PX


def may_have_fields(video: VideoStream, *, is_marked: bool = False) -> bool:
    """Return whether frames may consist of fields: parts of a broadcast may, also after other first frames.

    `is_marked` says that one of its frames was found to.
    """
    return are_joinable(video.width or 0, video.height or 0) and (is_marked or video.codec_name in _CODECS)
