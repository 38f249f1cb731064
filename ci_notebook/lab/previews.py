"""Previews: what a job would make of one picture, by the engine's own graph, of clips wherever they lie."""

from __future__ import annotations

import dataclasses
import importlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ci_notebook.client.client import Client
from ci_notebook.client.job import Job
from ci_notebook.client.objects import Clip
from ci_notebook.lab.files import key_of, local_file
from ci_notebook.model.errors import EngineError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.watermark import Watermark

if TYPE_CHECKING:
    from ci_notebook.engine.preview.previewer import Origin, Previewer

Box = tuple[float, float, float, float]
INSTALL = "python -m pip install 'ci-notebook[local]'"
APPROXIMATION = "The engine's approximation: the service's own algorithms look different."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preview:
    """One picture, and what it is: `size` in px and `box` (shares of 1) say what of the whole output it shows.

    `places` are where the marks lie, in px of the output (left, top, width, height), None for one that
    moves or lies under the video. `unshown` names the leaves that one picture cannot show.
    """

    jpeg: bytes
    size: tuple[int, int]
    box: Box
    places: tuple[tuple[int, int, int, int] | None, ...] = ()
    unshown: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Length:
    """How long a clip is: seconds, pictures a second, and its size in px."""

    seconds: float
    rate: float
    size: tuple[int, int]


class Previews:
    """Previews of one lab. What was decoded is kept until it is closed."""

    def __init__(self, client: Client, *, cache: Path, is_local: bool) -> None:
        self._client, self._cache, self._is_local = client, cache, is_local
        self._lock = threading.Lock()
        self._made: Previewer | None = None

    @property
    def note(self) -> str:
        """What is to be said beside every preview: on the cloud, that it is not the service's own."""
        return "" if self._is_local else APPROXIMATION

    def see(
        self, clip: Clip | Job | str, setting: VideoEnhance, *, at_s: float = 0.0, width_px: int = 640,
        box: Box = (0.0, 0.0, 1.0, 1.0), watermark: tuple[Watermark, ...] = (),
    ) -> Preview:  # fmt: skip
        """Return one picture of a clip as a job with this setting would make it."""
        previewer = self._previewer()
        shown = previewer.show(
            self._origin(clip),
            setting,
            at_s,
            width_px=width_px,
            box=box,
            watermarks=tuple(watermark),
            fetch=self._fetch,
        )
        unshown = _engine("preview.preview_graph").unshown_leaves(setting)
        size = (shown.size.width, shown.size.height)
        return Preview(jpeg=shown.jpeg, size=size, box=shown.box, places=shown.places, unshown=unshown)

    def source(self, clip: Clip | Job | str, setting: VideoEnhance, **more: Any) -> Preview:
        """Return what `see` does without any enhancement: the clip in the shape that the setting gives it."""
        return self.see(clip, VideoEnhance(transcode=setting.transcode), **more)

    def length(self, clip: Clip | Job | str) -> Length:
        """Return how long a clip is."""
        info, _ = self._previewer().facts(self._origin(clip))
        video = info.stream.video[0] if info.stream and info.stream.video else None
        seconds = (info.format.duration if info.format else None) or (video.duration if video else None) or 0.0
        size = (video.width or 0, video.height or 0) if video else (0, 0)
        return Length(seconds=seconds, rate=(video.fps if video else None) or 25.0, size=size)

    def rest(self) -> None:
        """End the program that stands ready for the next preview; it starts again with that."""
        with self._lock:
            made = self._made
        if made is not None:
            made.rest()

    def close(self) -> None:
        """Forget all pictures. Closing twice is fine."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made.close()

    def _previewer(self) -> Previewer:
        with self._lock:
            if self._made is None:
                self._made = _engine("preview.previewer").Previewer()
            return self._made

    def _origin(self, clip: Clip | Job | str) -> Origin:
        known = clip.path if isinstance(clip, Clip) else None
        made: Origin
        if self._is_local or (known is not None and known.exists()):
            made = _engine("preview.previewer").FileOrigin(local_file(self._client, self._cache, clip))
        else:
            key, client = key_of(clip), self._client
            name = (client.bucket, client.region, key)
            made = _engine("preview.snapshots").SnapshotOrigin(
                name, lambda: client.video_info(key), lambda at_s: client.snapshot(key, at_s, format="png")
            )
        return made

    def _fetch(self, url: str) -> Path:
        """Return a file with the picture of an image mark."""
        return local_file(self._client, self._cache, _engine("jobs.render_job").key_of(url))


def _engine(module: str) -> Any:
    """Return a module of the engine's. Raises `EngineError` with the remedy where the extra `local` is missing."""
    try:
        return importlib.import_module(f"ci_notebook.engine.{module}")  # lazy: the thin client installs without it
    except ImportError as problem:
        if (problem.name or "").startswith("ci_notebook"):
            raise
        raise EngineError(
            f"a preview is made on this machine, and {problem.name} is not installed. Install it: {INSTALL}"
        ) from problem
