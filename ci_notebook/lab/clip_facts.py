"""Media facts of clips (length, size, codec), read from the service once per clip for previews and prices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from ci_notebook.client.client import Client
from ci_notebook.client.job import Job
from ci_notebook.client.objects import Clip
from ci_notebook.experiment.settings import Setting
from ci_notebook.lab.files import Video, key_of
from ci_notebook.model.api.media_info import MediaInfo


class ClipFacts:
    """Cache of what the service answers about videos. A panel asks at every change, and clips do not change."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._cache: dict[tuple[str, str], MediaInfo] = {}

    def each(self, videos: Iterable[Video], settings: Iterable[Setting]) -> Iterator[tuple[str, MediaInfo, Setting]]:
        """Yield name and facts of each video with each setting."""
        listed = list(settings)
        for video in videos:
            name, info = name_of(video), self.of(video)
            yield from ((name, info, setting) for setting in listed)

    def of(self, video: Video) -> MediaInfo:
        """Return the facts of one video. Those of a plain key are read each time, since its object may change."""
        key = key_of(video)
        if isinstance(video, str) or (isinstance(video, Clip) and not video.md5):
            return self._client.video_info(key)
        identity = (
            key,
            video.md5 if isinstance(video, Clip) else video.id if isinstance(video, Job) else video.key,
        )
        if identity not in self._cache:
            self._cache[identity] = self._client.video_info(key)
        return self._cache[identity]


def name_of(video: Video) -> str:
    """Return a video's name for people: that of its file or object."""
    return getattr(video, "name", "") or PurePosixPath(key_of(video)).name
