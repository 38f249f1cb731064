"""The facts of clips that a price wants, asked of the service once a clip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from ci_notebook.client.client import Client
from ci_notebook.client.job import Job
from ci_notebook.client.objects import Clip
from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.settings import Setting
from ci_notebook.lab.files import Video, key_of
from ci_notebook.model.api.media_info import MediaInfo


class Facts:
    """What the service says of videos. A panel asks at every change; a clip's content does not change."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[tuple[str, str], MediaInfo] = {}

    def each(
        self, videos: Video | Iterable[Video], settings: Iterable[Setting]
    ) -> Iterator[tuple[str, MediaInfo, Setting]]:
        """Yield name and facts of each video with each setting."""
        listed = [videos] if isinstance(videos, Clip | Job | Run | str) else list(videos)
        wanted = list(settings)
        for video in listed:
            name, info = getattr(video, "name", "") or PurePosixPath(key_of(video)).name, self.of(video)
            yield from ((name, info, setting) for setting in wanted)

    def of(self, video: Video) -> MediaInfo:
        """Return the facts of one video; those of a mere key are asked each time, since anyone may write there."""
        key = key_of(video)
        if isinstance(video, str) or (isinstance(video, Clip) and not video.md5):
            return self._client.video_info(key)
        which = (
            key,
            video.md5 if isinstance(video, Clip) else video.id if isinstance(video, Job) else video.key,
        )
        if which not in self._known:
            self._known[which] = self._client.video_info(key)
        return self._known[which]
