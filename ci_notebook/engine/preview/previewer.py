"""`Previewer`: settings applied to frames of clips, fast enough to follow a slider.

Everything that a slider does not change is cached: the decoded frame, the clip's facts, its analysis where a
setting needs one, and the network's output. The next FFmpeg is already running with the frame open and waits
for its graph, because starting it costs as much as the work on a small frame.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeVar

import numpy as np

from ci_notebook._processes import Owner, finalize
from ci_notebook.engine.preview.preview_graph import (
    PreviewCrop,
    Still,
    graph_before_network,
    picture_graph,
    preview_crop,
)
from ci_notebook.engine.preview.warm_ffmpeg import Process, WarmFFmpeg
from ci_notebook.engine.render.analysis import Analysis, Needs, analyse
from ci_notebook.engine.render.cache_lookup import needs_of
from ci_notebook.engine.render.hdr import coding_of
from ci_notebook.engine.render.output.encoders import refuse_size
from ci_notebook.engine.render.refusal import RequestRefused
from ci_notebook.engine.render.super_resolution.hdr_frames import enlarge_hdr
from ci_notebook.engine.render.super_resolution.network import enlarge, frame_bytes, loaded
from ci_notebook.engine.render.watermark.background_image import WatermarkLayout, layout_watermarks
from ci_notebook.engine.render.watermark.watermark_overlay import Fetch, overlay_position
from ci_notebook.media.frame_sampling import light_of_clip
from ci_notebook.media.probe import first_video, media_info
from ci_notebook.media.process import POSIX
from ci_notebook.media.raw_frame import raw_frame
from ci_notebook.media.snapshot import encode_picture, pillow
from ci_notebook.media.streams.damage import explains_damage
from ci_notebook.media.streams.frame_times import scan_of, timeline_of
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.shape import Size, plan
from ci_notebook.model.setting.watermark import Watermark

CACHE_BYTES = 192 << 20  # decoded frames on the disk
CACHE_CLIPS = 32
AT_ONCE_PIXELS = 1 << 27  # of the frames that are decoded on the way to one: 16 of 4K, about 0.5 s on two cores
QUALITY = 90  # of the JPEG
_ORDER: Final[tuple[Needs, ...]] = ("coding", "levels", "all")  # each includes those before
_NAME = "ci-notebook-preview-"  # prefix of its temporary folders; the process id follows

Box = tuple[float, float, float, float]
"""Left, top, width and height, as shares of a frame."""
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class PreviewFrame:
    """A preview: its JPEG, the size of the whole output, which part this is, and the watermarks' positions (px).

    A watermark that moves, or is under the video, has no position.
    """

    jpeg: bytes
    size: Size
    box: Box
    places: tuple[tuple[int, int, int, int] | None, ...]


class Origin(Protocol):
    """Source of the frames of one clip."""

    @property
    def key(self) -> Hashable:
        """Cache key: equal as long as the clip's frames are."""

    def facts(self, needs: Needs) -> tuple[MediaInfo, Analysis]:
        """Return the facts and the analysis of the clip, as much of it as is needed."""

    def time_at_once(self, at_s: float, info: MediaInfo) -> float:
        """Return `at_s`, or the time of a frame near it if the one at `at_s` takes long to decode."""

    def still(self, at_s: float, path: Path, info: MediaInfo, analysis: Analysis) -> Still:
        """Write the frame at `at_s` seconds into the file `path`."""


@dataclasses.dataclass(frozen=True, slots=True)
class FileOrigin:
    """A clip in a file on this machine."""

    path: Path

    @property
    def key(self) -> Hashable:
        """The path, the modification time and the size of the file."""
        stat = self.path.stat()
        return str(self.path), stat.st_mtime_ns, stat.st_size

    def facts(self, needs: Needs) -> tuple[MediaInfo, Analysis]:
        """Probe the clip, and analyse it if its levels are needed; takes about 0.3 s for a short one."""
        with explains_damage(self.path):
            info = media_info(self.path)
            if needs != "coding":
                return info, analyse(self.path, needs=needs)
            # Each frame says by itself whether it has fields.
            return info, Analysis(matrix=scan_of(self.path).matrix, light=light_of_clip(self.path))

    def time_at_once(self, at_s: float, info: MediaInfo) -> float:
        """Return `at_s`, or the time of the nearest key frame if many large frames lie between it and `at_s`."""
        timeline, video = timeline_of(self.path), first_video(info)
        number = timeline.number_at(at_s)
        key = timeline.key_before(number)
        if (number - key) * (video.width or 0) * (video.height or 0) <= AT_ONCE_PIXELS:
            return at_s
        keys = (timeline.time_of(key), *(timeline.time_of(one) for one in timeline.keys if one > number))
        nearest: float = min(keys[:2], key=lambda one: abs(one - at_s))
        return round(nearest, 6)

    def still(self, at_s: float, path: Path, info: MediaInfo, analysis: Analysis) -> Still:
        """Decode one frame."""
        with explains_damage(self.path):
            raw = raw_frame(self.path, at_s)
        path.write_bytes(raw.data)
        return Still(path, at_s, raw.pixel_format, Size(raw.width, raw.height), info, analysis)


class Previewer:
    """Applies settings to frames of clips, one at a time. Safe to use from any thread; close it after use.

    Caches up to 192 MB of decoded frames in a temporary folder (LRU), and keeps one idle FFmpeg, which ends
    after a minute without requests.
    """

    def __init__(self) -> None:
        _remove_leftovers()
        self._folder = Path(tempfile.mkdtemp(prefix=f"{_NAME}{os.getpid()}-"))
        self._lock = threading.RLock()
        self._facts: OrderedDict[Hashable, tuple[Needs, MediaInfo, Analysis]] = OrderedDict()
        self._stills: OrderedDict[Hashable, Still] = OrderedDict()
        self._layout: tuple[Hashable, WatermarkLayout] | None = None
        self._count = 0
        self._standby = WarmFFmpeg(self._folder)
        self._owner, self._end = Owner(), finalize(self, _close, self._standby, self._folder)

    def preview(
        self, origin: Origin, setting: VideoEnhance, at_s: float = 0.0, *, width_px: int = 0,
        box: Box = WHOLE, watermarks: tuple[Watermark, ...] = (), fetch: Fetch | None = None,
    ) -> bytes:  # fmt: skip
        """Return the frame at `at_s` seconds as the job would render it, with its watermarks, as JPEG bytes.

        The frame is scaled down to `width_px`; 0, or more than the output's width, means the output's own size.
        `box` shows a part only. Motion stages are left out. Raises `RequestRefused` where the job would fail.
        """
        return self.show(origin, setting, at_s, width_px=width_px, box=box, watermarks=watermarks, fetch=fetch).jpeg

    def show(
        self, origin: Origin, setting: VideoEnhance, at_s: float = 0.0, *, width_px: int = 0,
        box: Box = WHOLE, watermarks: tuple[Watermark, ...] = (), fetch: Fetch | None = None,
    ) -> PreviewFrame:  # fmt: skip
        """Return what `preview` does, with the facts about it."""
        self._owner.refuse_elsewhere("This preview")
        with self._lock:
            self._check_open()
            self._check_folder()
            still = self._still(origin, at_s, needs_of(setting))
            layout = self._watermark_layout(watermarks, plan(setting, still.source).out, fetch)
            refuse_size(setting, layout.size)
            crop = preview_crop(layout.size, width_px=width_px, box=box)
            first = graph_before_network(setting, still)
            if first is not None:
                still = self._network_still(origin, setting, still, first)
            graph = picture_graph(setting, still, layout, crop, is_enlarged=first is not None)
            data = self._standby.run(still, graph, 3 * crop.shown.width * crop.shown.height)
            places = tuple(self._place_of(number, watermark, layout) for number, watermark in enumerate(watermarks, 1))
        picture = np.frombuffer(data, np.uint8).reshape(crop.shown.height, crop.shown.width, 3)
        return PreviewFrame(
            encode_picture(picture, "jpg", quality=QUALITY), layout.size, _shares(crop, layout.size), places
        )

    @property
    def folder(self) -> Path:
        """The temporary folder of decoded frames."""
        return self._folder

    @property
    def waiting_process(self) -> Process | None:
        """The FFmpeg process that waits for the next preview; None while there is none."""
        return self._standby.waiting

    def facts(self, origin: Origin, needs: Needs = "all") -> tuple[MediaInfo, Analysis]:
        """Return the clip's facts and the analysis that AUTO is resolved from, or as much of it as is needed."""
        with self._lock:
            self._check_open()
            if not self._has_facts(origin, needs):
                self._facts.pop(origin.key, None)
            _, info, analysis = _cached(self._facts, origin.key, lambda: (needs, *origin.facts(needs)), CACHE_CLIPS)
            return info, analysis

    def is_analysed(self, origin: Origin, setting: VideoEnhance) -> bool:
        """Return whether the analysis that a setting needs is there. It takes seconds for a large clip."""
        with self._lock:
            self._check_open()
            return needs_of(setting) == "coding" or self._has_facts(origin, needs_of(setting))

    def analyse(self, origin: Origin, setting: VideoEnhance) -> None:
        """Compute the analysis that a setting needs, unless it is there."""
        self.facts(origin, needs_of(setting))

    def time_at_once(self, origin: Origin, at_s: float) -> float:
        """Return `at_s` if the frame there is cached or soon decoded, else the time of a key frame near it."""
        with self._lock:
            info, _ = self.facts(origin, "coding")
            return at_s if (origin.key, at_s) in self._stills else origin.time_at_once(at_s, info)

    def rest(self) -> None:
        """End the idle FFmpeg, and keep the frames."""
        self._standby.close()

    def close(self) -> None:
        """Drop all frames and end the idle FFmpeg. A later call is refused. Closing twice is allowed.

        It waits for a preview that another thread is rendering. It does nothing in a forked child.
        """
        if self._owner.is_here:
            with self._lock:
                self._end()

    def _check_folder(self) -> None:
        """Make the folder again if something has removed it, as programs that clear temporary folders do."""
        if not self._folder.is_dir():
            self._standby.close()
            self._stills.clear()
            self._layout = None
            self._folder.mkdir(mode=0o700, parents=True)

    def _check_open(self) -> None:
        if not self._end.alive:
            raise ParameterError.plain("The previews are closed, like their lab or engine. Call ci.connect() again.")

    def _has_facts(self, origin: Origin, needs: Needs) -> bool:
        known = self._facts.get(origin.key)
        return known is not None and _ORDER.index(known[0]) >= _ORDER.index(needs)

    def _still(self, origin: Origin, at_s: float, needs: Needs) -> Still:
        facts = self.facts(origin, needs)

        def decoded() -> Still:
            return origin.still(at_s, self._new_file(), *facts)

        # A frame outlives the analysis: a later setting may need more of it.
        return dataclasses.replace(self._cache_still((origin.key, at_s), decoded), analysis=facts[1])

    def _network_still(self, origin: Origin, setting: VideoEnhance, still: Still, first: str) -> Still:
        def enlarged() -> Still:
            size, deep = plan(setting, still.source).cut, "p10" in first.rpartition(",")[2]
            data = self._standby.run(still, first, frame_bytes(size.width, size.height, deep=deep))
            path = self._new_file()
            coding = coding_of(setting, still.source, still.analysis)
            double = partial(enlarge, deep=deep) if coding is None else partial(enlarge_hdr, transfer=coding.transfer)
            path.write_bytes(double(data, size.width, size.height, enlarger=loaded()))
            size, form = Size(2 * size.width, 2 * size.height), "yuv420p10le" if deep else "yuv420p"
            return dataclasses.replace(still, path=path, size=size, pixel_format=form)

        return self._cache_still((origin.key, still.at_s, first), enlarged)

    def _cache_still(self, key: Hashable, make: Callable[[], Still]) -> Still:
        if key in self._stills and not self._stills[key].path.exists():
            del self._stills[key]
        still = _cached(self._stills, key, make, 1 << 16)
        while len(self._stills) > 2 and sum(one.path.stat().st_size for one in self._stills.values()) > CACHE_BYTES:
            self._stills.popitem(last=False)[1].path.unlink(missing_ok=True)
        return still

    def _place_of(self, number: int, watermark: Watermark, layout: WatermarkLayout) -> tuple[int, int, int, int] | None:
        slides = watermark.slide_config is not None and watermark.slide_config.slide_mode == "ScrollFromLeft"
        if slides or (watermark.image is not None and watermark.image.background):
            return None
        with pillow().open(self._folder / f"mark{number}.png") as opened:
            own = Size(*opened.size)
        x, y = overlay_position(watermark, layout.size, own)
        return int(x), int(y), own.width, own.height

    def _new_file(self) -> Path:
        self._count += 1
        return self._folder / f"{self._count}.raw"

    def _watermark_layout(self, watermarks: tuple[Watermark, ...], size: Size, fetch: Fetch | None) -> WatermarkLayout:
        """Return the watermarks ready for the graph; the previous ones if they are the same."""
        if not watermarks:
            return WatermarkLayout((), size)
        key = (watermarks, size)
        if self._layout is None or self._layout[0] != key:
            self._layout = (key, layout_watermarks(watermarks, size, self._folder, fetch or _no_fetch))
        return self._layout[1]


def _cached(where: OrderedDict[Hashable, T], key: Hashable, make: Callable[[], T], most: int) -> T:
    """Return the entry of an LRU cache, computed if it is missing; beyond `most` the least recently used is evicted."""
    if key not in where:
        where[key] = make()
        while len(where) > most:
            where.popitem(last=False)
    where.move_to_end(key)
    return where[key]


def _shares(crop: PreviewCrop, size: Size) -> Box:
    across, down = 1 / size.width, 1 / size.height
    return crop.left * across, crop.top * down, crop.size.width * across, crop.size.height * down


def _remove_leftovers() -> None:
    """Remove the temporary folders of killed processes."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_NAME}*"):
        owner = folder.name.removeprefix(_NAME).partition("-")[0]
        if POSIX and owner.isdigit() and not _is_running(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # a process of another user
    return True


def _no_fetch(url: str) -> Path:
    raise RequestRefused(f"{url} cannot be read: this preview has no access to objects.", code="ResourceNotFound")


def _close(standby: WarmFFmpeg, folder: Path) -> None:
    standby.close()
    shutil.rmtree(folder, ignore_errors=True)
