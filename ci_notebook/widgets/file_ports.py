"""Protocols of the files that a view plays and saves: what `ports` is for everything else.

`Lab` and `Runs` implement `video_files`; a lab of another kind may leave it out, and its views then offer no files.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

__all__ = ["PlayableFile", "VideoFilesPort", "video_files_of"]


class PlayableFile(Protocol):
    """A local file that a browser can play. `note` says what it is, if it is not the original."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def mime(self) -> str:
        """Its media type."""

    @property
    def note(self) -> str:
        """A description, if it is not the original; else empty."""


class VideoFilesPort(Protocol):
    """Local files of videos: clips, jobs, runs, keys, paths. Calls that fetch report progress and can be cancelled."""

    def names(self, videos: Iterable[Any]) -> list[str]:
        """Return a readable file name for each video."""

    def original(self, video: Any, *, cancel: threading.Event, report: Callable[[str, float], None]) -> Path:
        """Return the local file of a video, fetched first if need be. Raises an error for one that is too large."""

    def playable(
        self, video: Any, formats: Collection[str], *, cancel: threading.Event, report: Callable[[str, float], None]
    ) -> PlayableFile:  # fmt: skip
        """Return a file that a browser can play which knows `formats` (h264, hevc, vp8, vp9, av1)."""

    def still(self, video: Any, *, width_px: int) -> bytes | None:
        """Return a frame as JPEG; None where there is none."""


@runtime_checkable
class _HasVideoFiles(Protocol):
    @property
    def video_files(self) -> VideoFilesPort | None: ...


def video_files_of(lab: object) -> VideoFilesPort | None:
    """Return the video files of a lab or of runs; None where they offer none."""
    return lab.video_files if isinstance(lab, _HasVideoFiles) else None
