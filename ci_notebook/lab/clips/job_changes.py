"""Changes and losses by a job that its setting does not name, before the job is sent.

For the embedded engine the sentences are those of the job's message: its own rules, on the file itself. On the cloud
they follow from the service's media info, and `note` says what that means.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci_notebook.client.client import Client
from ci_notebook.lab.clips.clip_facts import ClipFacts
from ci_notebook.lab.files import Video, local_file
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.errors import CIError
from ci_notebook.model.lru import LRU
from ci_notebook.model.setting.enhance import VideoEnhance

if TYPE_CHECKING:
    from ci_notebook.engine.render.analysis import Analysis

__all__ = ["JobChanges"]

NOTE: Final = (
    "The embedded engine does so; the service does not document it. Interlaced frames, uneven frame times and chapters "
    "are not known before the job."
)
_KNOWN_FILES: Final = 32  # a timeline has one number per frame

Source = tuple[MediaInfo, "Analysis | None"]


class JobChanges:
    """Finds the sentences for clips and settings. Each file is read once: 0.2 s for 250 MB."""

    def __init__(self, client: Client, facts: ClipFacts, *, cache: Path, is_local: bool) -> None:
        self._client, self._facts, self._cache, self._is_local = client, facts, cache, is_local
        self._files = LRU[tuple[Path, int, int], Source](_KNOWN_FILES)

    @property
    def note(self) -> str:
        """The notice for sentences on the cloud: whose they are, and what is not known. Empty for the engine."""
        return "" if self._is_local else NOTE

    def of(self, video: Video, setting: VideoEnhance) -> tuple[str, ...]:
        """Return the sentences for a job with this setting; on the cloud with `note` as the last one.

        Raises `EngineError` where the job would fail.
        """
        found = self.sentences(video, setting)
        return (*found, self.note) if found and self.note else found

    def sentences(self, video: Video, setting: VideoEnhance) -> tuple[str, ...]:
        """Return the sentences without the note."""
        return _sentences(setting, self._source(video))

    def each(self, video: Video, settings: Iterable[VideoEnhance]) -> list[tuple[str, ...]]:
        """Return the sentences for each setting, without the note; none for a job that would fail."""
        listed = list(settings)
        try:
            source = self._source(video)
        except CIError:  # the job says so
            return [()] * len(listed)
        return [_of_each(setting, source) for setting in listed]

    def _source(self, video: Video) -> Source:
        if not self._is_local:
            return self._facts.of(video), None
        path = local_file(self._client, self._cache, video)
        stat = path.stat()
        return self._files.get_or_make((path, stat.st_mtime_ns, stat.st_size), lambda: _read(path))


def _read(path: Path) -> Source:
    from ci_notebook.engine.render.analysis import Analysis, analyse  # lazy: the thin client installs without numpy
    from ci_notebook.media.probe import media_info  # lazy, as above
    from ci_notebook.media.streams.frame_times import timeline_of  # lazy, as above

    info = media_info(path)
    if not (info.stream and info.stream.video):
        return info, Analysis()
    return info, dataclasses.replace(analyse(path, needs="coding"), timeline=timeline_of(path))


def _sentences(setting: VideoEnhance, source: Source) -> tuple[str, ...]:
    from ci_notebook.engine.render.changes import changes  # lazy: a lab on the cloud may never ask

    return changes(setting, *source)


def _of_each(setting: VideoEnhance, source: Source) -> tuple[str, ...]:
    try:
        return _sentences(setting, source)
    except CIError:  # the job says so
        return ()
