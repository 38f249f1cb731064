"""Media facts of clips (length, size, codec), read from the service once per clip for previews and prices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from ci_notebook.client.client import Client
from ci_notebook.client.job import Job
from ci_notebook.client.objects import Clip
from ci_notebook.experiment.settings import Setting
from ci_notebook.lab.arguments import duration_of, refuse_after_end, refuse_local_file, time_argument
from ci_notebook.lab.files import Video, key_of
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.clip_labels import ClipIdentity, clip_labels
from ci_notebook.model.clip_summary import ClipSummary, summary_of
from ci_notebook.model.errors import EngineError
from ci_notebook.model.lru import LRU

KNOWN_CLIPS: Final = 1024  # about 3 kB each


class ClipFacts:
    """Cache of what the service answers about videos. A panel asks at every change, and clips do not change."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._cache = LRU[tuple[str, str], MediaInfo](KNOWN_CLIPS)

    def each(self, videos: Iterable[Video], settings: Iterable[Setting]) -> Iterator[tuple[str, MediaInfo, Setting]]:
        """Yield name and facts of each video with each setting."""
        listed = list(settings)
        shown = list(videos)
        for video, name in zip(shown, _labels(shown), strict=True):
            info = self.of(video)
            yield from ((name, info, setting) for setting in listed)

    def times_in(self, videos: Sequence[Video], at_s: float | Iterable[float]) -> list[float]:
        """Return one time or several as a list. Raises `ParameterError` for a time after the end of a video."""
        times = [time_argument(one) for one in ([at_s] if isinstance(at_s, int | float | str) else at_s)]
        if any(times):
            for video in videos:
                refuse_after_end(max(times), name_of(video), duration_of(self.of(video)))
        return times

    def of(self, video: Video) -> MediaInfo:
        """Return the facts of one video. Those of a plain key are read each time, since its object may change."""
        key = key_of(video)
        if isinstance(video, str) or (isinstance(video, Clip) and not video.md5):
            return self._client.video_info(key)
        identity = (
            key,
            video.md5 if isinstance(video, Clip) else video.id if isinstance(video, Job) else video.key,
        )
        return self._cache.get_or_make(identity, lambda: self._client.video_info(key))

    def check(self, video: object) -> None:
        """Raise `ParameterError` for a local file, which must be uploaded first. An object's key passes."""
        refuse_local_file(self._client, video)

    def line(self, video: Video) -> str:
        """Return the properties of a video in one line: those that an upload has read, or the service's."""
        known = video.summary if isinstance(video, Clip) else None
        return str(known or summary_of(self.of(video)))


def summary_of_file(path: Path) -> ClipSummary | None:
    """Return the properties of a local file; None where it cannot be read, also because PyAV is not installed."""
    from ci_notebook.media.summary import file_summary  # lazy: the thin client installs without PyAV

    try:
        return file_summary(path)
    except EngineError:
        return None


def _labels(videos: list[Video]) -> list[str]:
    return clip_labels(
        [ClipIdentity(name_of(one), key_of(one), one.md5 if isinstance(one, Clip) else "") for one in videos]
    )


def name_of(video: Video) -> str:
    """Return a video's name for people: that of its file or object."""
    return getattr(video, "name", "") or PurePosixPath(key_of(video)).name
