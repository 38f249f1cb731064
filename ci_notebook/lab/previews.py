"""Previews: a frame as a job would render it, by the engine's own filter graph, for clips here and on the cloud."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ci_notebook._processes import call_in_children
from ci_notebook.client.client import Client
from ci_notebook.client.file_cache import holds
from ci_notebook.client.objects import Clip
from ci_notebook.lab.clips.clip_uploads import check_stored
from ci_notebook.lab.files import Video, key_of, local_file
from ci_notebook.model.errors import EngineError, ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.watermark import Watermark

if TYPE_CHECKING:
    from ci_notebook.engine.preview.previewer import Origin, Previewer

Box: TypeAlias = tuple[float, float, float, float]
INSTALL = "python -m pip install 'ci-notebook[local]'"
APPROXIMATION = "The engine's approximation: the service's own algorithms look different."


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabPreview:
    """One rendered frame. `size` (px) is that of the whole output, `box` (shares of 1) the part that is shown.

    `places` are the positions of the watermarks in px of the output (left, top, width, height), None for one
    that moves or is covered by the video. `unshown` names the parameters that one frame cannot show.
    """

    jpeg: bytes
    size: tuple[int, int]
    box: Box
    places: tuple[tuple[int, int, int, int] | None, ...] = ()
    unshown: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClipTiming:
    """The length of a clip in seconds, its frames per second, and its size in px."""

    seconds: float
    rate: float
    size: tuple[int, int]


class LabPreviews:
    """The previews of one lab. Decoded frames are cached until it is closed."""

    def __init__(self, client: Client, *, cache: Path, is_local: bool) -> None:
        self._client, self._cache, self._is_local = client, cache, is_local
        self._lock = threading.Lock()
        self._previewer: Previewer | None = None
        call_in_children(self._leave_to_parent)
        self._is_closed = False

    @property
    def note(self) -> str:
        """The notice for every preview on the cloud: it is an approximation. Empty for the embedded engine."""
        return "" if self._is_local else APPROXIMATION

    def see(
        self, clip: Video | Path, setting: VideoEnhance, *, at_s: float = 0.0, width_px: int = 640,
        box: Box = (0.0, 0.0, 1.0, 1.0), watermark: tuple[Watermark, ...] = (),
    ) -> LabPreview:  # fmt: skip
        """Return one frame of a clip as a job with this setting would render it."""
        previewer = self._started()
        from ci_notebook.engine.preview.preview_graph import unshown_leaves  # lazy: the thin client installs without it

        frame = previewer.show(
            self._origin(clip),
            setting,
            at_s,
            width_px=width_px,
            box=box,
            watermarks=tuple(watermark),
            fetch=self._fetch,
        )
        size = (frame.size.width, frame.size.height)
        return LabPreview(
            jpeg=frame.jpeg, size=size, box=frame.box, places=frame.places, unshown=unshown_leaves(setting)
        )

    def source(
        self, clip: Video | Path, setting: VideoEnhance, *, at_s: float = 0.0, width_px: int = 640,
        box: Box = (0.0, 0.0, 1.0, 1.0),
    ) -> LabPreview:  # fmt: skip
        """Return the same frame without enhancement, in the size and rate that the setting's Transcode gives it."""
        return self.see(clip, VideoEnhance(transcode=setting.transcode), at_s=at_s, width_px=width_px, box=box)

    def length(self, clip: Video | Path) -> ClipTiming:
        """Return the length of a clip."""
        info, _ = self._started().facts(self._origin(clip), "coding")
        video = info.stream.video[0] if info.stream and info.stream.video else None
        seconds = (info.format.duration if info.format else None) or (video.duration if video else None) or 0.0
        size = (video.width or 0, video.height or 0) if video else (0, 0)
        return ClipTiming(seconds=seconds, rate=(video.fps if video else None) or 25.0, size=size)

    def time_at_once(self, clip: Video | Path, at_s: float) -> float:
        """Return `at_s` if the frame there is soon decoded, else the time of a key frame near it.

        In a large clip with few key frames it is one of them; `see` takes seconds for another frame.
        """
        return self._started().time_at_once(self._origin(clip), at_s)

    def is_analysed(self, clip: Video | Path, setting: VideoEnhance) -> bool:
        """Return whether `see` knows all that a setting takes from the clip, such as the values of AUTO."""
        return self._started().is_analysed(self._origin(clip), setting)

    def analyse(self, clip: Video | Path, setting: VideoEnhance) -> None:
        """Compute what a setting takes from the clip; takes seconds for a large one."""
        self._started().analyse(self._origin(clip), setting)

    @contextlib.contextmanager
    def interruptible(self, check: Callable[[], object]) -> Iterator[None]:
        """Have `check` called again and again while frames are decoded in the block; what it raises ends that."""
        self._started()
        from ci_notebook.media.streams.time_limit import interruptible  # lazy, as above

        def checked(_: str) -> None:
            check()

        with interruptible(checked):
            yield

    def rest(self) -> None:
        """End the FFmpeg process that waits for the next preview. The next preview starts it again."""
        with self._lock:
            previewer = self._previewer
        if previewer is not None:
            previewer.rest()

    def close(self) -> None:
        """Drop all cached frames. A later call is refused, and starts nothing. Closing twice is fine."""
        with self._lock:
            self._is_closed = True
            previewer, self._previewer = self._previewer, None
        if previewer is not None:
            previewer.close()

    def _leave_to_parent(self) -> None:
        self._lock, self._previewer = threading.Lock(), None

    def _started(self) -> Previewer:
        with self._lock:
            if self._is_closed:
                raise ParameterError.plain("This lab is closed, so it shows no preview. Call ci.connect() again.")
            if self._previewer is None:
                with _local_extra():
                    from ci_notebook.engine.preview.previewer import Previewer  # lazy, as above
                self._previewer = Previewer()
            return self._previewer

    def _origin(self, clip: Video | Path) -> Origin:
        path = clip.path if isinstance(clip, Clip) else None
        is_here = path is not None and holds(path, clip.md5 if isinstance(clip, Clip) else "")
        if self._is_local or isinstance(clip, Path) or is_here:
            from ci_notebook.engine.preview.previewer import FileOrigin  # lazy, as above

            return FileOrigin(local_file(self._client, self._cache, clip))
        from ci_notebook.engine.preview.snapshots import SnapshotOrigin  # lazy, as above

        key, client = key_of(clip), self._client
        return SnapshotOrigin(
            (client.bucket, client.region, key, clip.md5 or clip.etag if isinstance(clip, Clip) else ""),
            lambda: client.video_info(key),
            lambda at_s: self._snapshot(clip, at_s),
        )

    def _snapshot(self, clip: Video, at_s: float) -> bytes:
        check_stored(self._client, clip)
        return self._client.snapshot(key_of(clip), at_s, format="png")

    def _fetch(self, url: str) -> Path:
        """Return a local file of an image watermark."""
        from ci_notebook.engine.jobs.render_job import key_in_url  # lazy, as above

        return local_file(self._client, self._cache, key_in_url(url))


@contextlib.contextmanager
def _local_extra() -> Iterator[None]:
    """Turn an import that fails because the extra `local` is missing into an `EngineError` with the remedy."""
    try:
        yield
    except ImportError as error:
        if (error.name or "").startswith("ci_notebook"):
            raise
        raise EngineError(
            f"Previews are rendered on this machine, and {error.name} is not installed. Install it: {INSTALL}"
        ) from error
