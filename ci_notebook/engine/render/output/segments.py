"""hls and dash: one encoded file, cut at its key frames into segments with a playlist.

The output is encoded as one file first, so that it is checked like any other output; cutting copies the
streams. The segments' names begin with `stem`, and the playlist names them without a folder, so they
must stay in one folder.
"""

from __future__ import annotations

import threading
from pathlib import Path

from ci_notebook.media.ffmpeg import file_url, run
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.transcode import ClipConfig, Container

KINDS = {"hls": "m3u8", "dash": "mpd"}  # Format → the playlist's extension
LONG_NAMES = {"hls": "Apple HTTP Live Streaming", "dash": "Dynamic Adaptive Streaming over HTTP"}
DURATION_S = 5.0  # documented


def segment_s(setting: VideoEnhance) -> float | None:
    """Return the length of a segment in seconds; None for an output of one file."""
    container = (setting.transcode.container if setting.transcode else None) or Container()
    if container.format not in KINDS:
        return None
    return (container.clip_config or ClipConfig()).duration or DURATION_S


def key_frames(setting: VideoEnhance) -> list[str]:
    """Return FFmpeg's arguments that put a key frame at the start of each segment."""
    length = segment_s(setting)
    return ["-force_key_frames", f"expr:gte(t,n_forced*{length:g})", "-forced-idr", "1"] if length else []


def cut_segments(setting: VideoEnhance, whole: Path, stem: str, cancel: threading.Event | None) -> tuple[Path, ...]:
    """Cut a finished file; return the playlist and then the segments, all in the file's folder."""
    folder, kind = whole.parent, ((setting.transcode and setting.transcode.container) or Container()).format or ""
    playlist = f"{stem}.{KINDS[kind]}"
    length = f"{segment_s(setting):g}"
    before = set(folder.iterdir())
    if kind == "hls":
        arguments = ["-f", "hls", "-hls_time", length, "-hls_list_size", "0", "-hls_playlist_type", "vod",
               "-hls_segment_filename", f"{stem}-%05d.ts"]  # fmt: skip
    else:
        arguments = ["-f", "dash", "-seg_duration", length, "-use_template", "1", "-use_timeline", "1",
               "-init_seg_name", f"{stem}-init-$RepresentationID$.m4s",
               "-media_seg_name", f"{stem}-$RepresentationID$-$Number%05d$.m4s"]  # fmt: skip
    source = ("-protocol_whitelist", "file", "-i", file_url(whole))
    run([*source, "-map", "0", "-c", "copy", *arguments, playlist], cancel=cancel, cwd=folder)
    segments = sorted(set(folder.iterdir()) - before - {folder / playlist})
    return (folder / playlist, *segments)
