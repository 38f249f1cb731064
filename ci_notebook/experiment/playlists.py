"""Outputs in segments: which objects, in which order, contain the video of a playlist."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from ci_notebook.client.file_cache import FileCache, Storage, download_checked
from ci_notebook.model.api.jobs import JobsDetail, output_md5
from ci_notebook.model.errors import CIError

PLAYLISTS: Final = (".m3u8", ".mpd")
_MAP: Final = re.compile(r'^#EXT-X-MAP:.*URI="([^"]+)"')
_INIT: Final = re.compile(r"-init-0\.\w+$")
_ENDING: Final = re.compile(r"\.[0-9A-Za-z]{1,8}")
_PICTURES: Final = re.compile(r"-0-\d+\.\w+$")


def segments_of(keys: Sequence[str], playlist: str) -> list[str]:
    r"""Return the keys whose bytes, joined in this order, are one file with the video of a playlist.

    `keys` are the outputs of the job, the playlist first. For HLS the order comes from the playlist; for
    DASH from the names of the first stream, as FFmpeg writes them. Empty if the order is unknown.

    >>> segments_of(["out/a.m3u8", "out/a-0.ts", "out/a-1.ts"], "#EXTM3U\na-1.ts\na-0.ts\n")
    ['out/a-1.ts', 'out/a-0.ts']
    """
    first, outputs = keys[0], set(keys)
    if first.endswith(".mpd"):
        start = [key for key in keys if _INIT.search(key)]
        return [*start, *sorted(key for key in keys if _PICTURES.search(key))] if start else []
    folder = PurePosixPath(first).parent
    segments: list[str] = []
    for line in map(str.strip, playlist.splitlines()):
        mapped = _MAP.match(line)
        name = mapped.group(1) if mapped else "" if line.startswith("#") else line
        if name:
            segments.append(posixpath.normpath(str(folder / name)))
    # A playlist may name any object; only outputs of the job are downloaded.
    return segments if segments and set(segments) <= outputs else []


def joined(cache: FileCache, storage: Storage, playlist: Path, job: JobsDetail) -> Path:
    """Return one local file with all segments of a playlist, which is in the cache. Raises `CIError`."""
    keys = job.output_keys
    segments = segments_of(keys, playlist.read_text("utf-8", errors="replace"))
    if not segments:
        raise CIError(f"{keys[0]} lists segments that are not outputs of the job, so they cannot be read as one video.")

    def write(path: Path) -> None:
        segment = path.with_suffix(".segment")
        try:
            with path.open("wb") as whole:
                for key in segments:
                    download_checked(storage, key, segment, output_md5(job, key))
                    whole.write(segment.read_bytes())
        finally:
            segment.unlink(missing_ok=True)

    ending = PurePosixPath(segments[-1]).suffix.replace(".m4s", ".mp4")
    suffix = ending if _ENDING.fullmatch(ending) else ""  # it comes from the service, and becomes a file name
    return cache.make(playlist.with_name(f"{playlist.stem}-joined{suffix}"), write)
