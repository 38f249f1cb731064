"""`Previewer`: settings seen on pictures of clips, fast enough to follow a hand.

What a slider's move does not change is kept: the decoded picture, the clip's facts and analysis,
what the network made of it. And the next FFmpeg stands ready with the picture open, waiting for
its graph, since starting it costs as much as the work on a small picture.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from ci_notebook.engine.preview.preview_graph import Cut, Still, cut, enlarged_first, picture_graph
from ci_notebook.engine.preview.warm_ffmpeg import Process, Standby
from ci_notebook.engine.render.analysis import Analysis, analyse
from ci_notebook.engine.render.output.output_size import Size, plan
from ci_notebook.engine.render.super_resolution.network import enlarge, loaded, picture_bytes
from ci_notebook.engine.render.watermark.background_image import Laid, lay_out
from ci_notebook.engine.render.watermark.watermark_overlay import Fetch, place
from ci_notebook.media.probe import media_info
from ci_notebook.media.process import POSIX
from ci_notebook.media.raw_frame import raw_frame
from ci_notebook.media.snapshot import encode_picture, pillow
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.errors import EngineError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.watermark import Watermark

KEEP_BYTES = 192 << 20  # of decoded pictures, on the disk
KEEP_CLIPS = 32
QUALITY = 90  # of the JPEG
_NAME = "ci-notebook-preview-"  # how its temporary folders begin; the process's number follows

Box = tuple[float, float, float, float]
"""Left, top, width and height, as shares of a picture."""
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """A preview: its JPEG, the size of the whole output, which part of it this is, and where the marks lie (px).

    A mark that moves, or lies under the video, has no place.
    """

    jpeg: bytes
    size: Size
    box: Box
    places: tuple[tuple[int, int, int, int] | None, ...]


class Origin(Protocol):
    """Where pictures of one clip come from."""

    @property
    def key(self) -> Hashable:
        """What is the same for as long as the clip's pictures are."""

    def facts(self) -> tuple[MediaInfo, Analysis]:
        """Return what is known of the clip."""

    def still(self, at_s: float, place: Path, info: MediaInfo, analysis: Analysis) -> Still:
        """Write the picture at `at_s` seconds into `place`."""


@dataclasses.dataclass(frozen=True, slots=True)
class FileOrigin:
    """A clip that lies on this machine."""

    path: Path

    @property
    def key(self) -> Hashable:
        """The path, and when and how large the file was written."""
        stat = self.path.stat()
        return str(self.path), stat.st_mtime_ns, stat.st_size

    def facts(self) -> tuple[MediaInfo, Analysis]:
        """Probe and look at the clip; costs about 0.3 s for a short one."""
        return media_info(self.path), analyse(self.path)

    def still(self, at_s: float, place: Path, info: MediaInfo, analysis: Analysis) -> Still:
        """Decode one picture."""
        raw = raw_frame(self.path, at_s, interlaced=analysis.interlaced)
        place.write_bytes(raw.data)
        return Still(place, at_s, raw.pixel_format, Size(raw.width, raw.height), info, analysis)


class Previewer:
    """Applies settings to pictures of clips, one at a time. Any thread may ask; close it after use.

    Keeps up to 192 MB of decoded pictures in a temporary folder, and one idle FFmpeg, which ends by
    itself when nobody has asked for a minute.
    """

    def __init__(self) -> None:
        _clear_up()
        self._folder = Path(tempfile.mkdtemp(prefix=f"{_NAME}{os.getpid()}-"))
        self._lock = threading.RLock()
        self._facts: OrderedDict[Hashable, tuple[MediaInfo, Analysis]] = OrderedDict()
        self._stills: OrderedDict[Hashable, Still] = OrderedDict()
        self._laid: tuple[Hashable, Laid] | None = None
        self._count = 0
        self._standby = Standby(self._folder)
        self._end = weakref.finalize(self, _close, self._standby, self._folder)

    def preview(
        self, origin: Origin, setting: VideoEnhance, at_s: float = 0.0, *, width_px: int = 0,
        box: Box = WHOLE, marks: tuple[Watermark, ...] = (), fetch: Fetch | None = None,
    ) -> bytes:  # fmt: skip
        """Return the picture at `at_s` seconds as the job would make it, with its marks, as the bytes of a JPEG.

        `width_px` 0, and whatever is over the width of what is shown, is the output's own size. `box`
        shows a part only. Stages of motion are left out. Raises `EngineError` where the job would fail at it.
        """
        return self.show(origin, setting, at_s, width_px=width_px, box=box, marks=marks, fetch=fetch).jpeg

    def show(
        self, origin: Origin, setting: VideoEnhance, at_s: float = 0.0, *, width_px: int = 0,
        box: Box = WHOLE, marks: tuple[Watermark, ...] = (), fetch: Fetch | None = None,
    ) -> Shown:  # fmt: skip
        """Return what `preview` does, and what it is."""
        with self._lock:
            still = self._still(origin, at_s)
            laid = self._marked(marks, plan(setting, still.source).out, fetch)
            seen = cut(laid.size, width_px=width_px, box=box)
            first = enlarged_first(setting, still)
            if first is not None:
                still = self._enlarged(origin, setting, still, first)
            graph = picture_graph(setting, still, laid, seen, is_enlarged=first is not None)
            data = self._standby.run(still, graph, 3 * seen.shown.width * seen.shown.height)
            places = tuple(self._place_of(number, mark, laid) for number, mark in enumerate(marks, 1))
        picture = np.frombuffer(data, np.uint8).reshape(seen.shown.height, seen.shown.width, 3)
        return Shown(encode_picture(picture, "jpg", quality=QUALITY), laid.size, _shares(seen, laid.size), places)

    @property
    def folder(self) -> Path:
        """The temporary folder of decoded frames."""
        return self._folder

    @property
    def waiting_process(self) -> Process | None:
        """The FFmpeg process that waits for the next preview; None while there is none."""
        return self._standby.waiting

    def facts(self, origin: Origin) -> tuple[MediaInfo, Analysis]:
        """Return a clip's facts and the analysis that AUTO goes by; looked up once."""
        with self._lock:
            return _kept(self._facts, origin.key, origin.facts, KEEP_CLIPS)

    def rest(self) -> None:
        """End the idle FFmpeg, and keep the pictures."""
        self._standby.close()

    def close(self) -> None:
        """Forget all pictures and end the idle FFmpeg. Closing twice is fine."""
        with self._lock:
            self._end()

    def _still(self, origin: Origin, at_s: float) -> Still:
        def decoded() -> Still:
            return origin.still(at_s, self._new_file(), *self.facts(origin))

        return self._keep((origin.key, at_s), decoded)

    def _enlarged(self, origin: Origin, setting: VideoEnhance, still: Still, first: str) -> Still:
        def worked() -> Still:
            given, deep = plan(setting, still.source).cut, "p10" in first.rpartition(",")[2]
            data = self._standby.run(still, first, picture_bytes(given.width, given.height, deep=deep))
            place = self._new_file()
            place.write_bytes(enlarge(data, given.width, given.height, enlarger=loaded(), deep=deep))
            size, form = Size(2 * given.width, 2 * given.height), "yuv420p10le" if deep else "yuv420p"
            return dataclasses.replace(still, path=place, size=size, pixel_format=form)

        return self._keep((origin.key, still.at_s, first), worked)

    def _keep(self, key: Hashable, make: Callable[[], Still]) -> Still:
        still = _kept(self._stills, key, make, 1 << 16)
        while len(self._stills) > 2 and sum(one.path.stat().st_size for one in self._stills.values()) > KEEP_BYTES:
            self._stills.popitem(last=False)[1].path.unlink()
        return still

    def _place_of(self, number: int, mark: Watermark, laid: Laid) -> tuple[int, int, int, int] | None:
        slides = mark.slide_config is not None and mark.slide_config.slide_mode == "ScrollFromLeft"
        if slides or (mark.image is not None and mark.image.background):
            return None
        with pillow().open(self._folder / f"mark{number}.png") as opened:
            own = Size(*opened.size)
        x, y = place(mark, laid.size, own)
        return int(x), int(y), own.width, own.height

    def _new_file(self) -> Path:
        self._count += 1
        return self._folder / f"{self._count}.raw"

    def _marked(self, marks: tuple[Watermark, ...], size: Size, fetch: Fetch | None) -> Laid:
        """Return the marks ready to be laid on; those of the last time if they are the same."""
        if not marks:
            return Laid((), size)
        key = (marks, size)
        if self._laid is None or self._laid[0] != key:
            self._laid = (key, lay_out(marks, size, self._folder, fetch or _no_fetch))
        return self._laid[1]


def _kept(where: OrderedDict[Hashable, T], key: Hashable, make: Callable[[], T], most: int) -> T:
    """Return what is kept under a key, made if it is not there; the longest unused beyond `most` is forgotten."""
    if key not in where:
        where[key] = make()
        while len(where) > most:
            where.popitem(last=False)
    where.move_to_end(key)
    return where[key]


def _shares(seen: Cut, size: Size) -> Box:
    across, down = 1 / size.width, 1 / size.height
    return seen.left * across, seen.top * down, seen.size.width * across, seen.size.height * down


def _clear_up() -> None:
    """Remove what killed processes left behind."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_NAME}*"):
        owner = folder.name.removeprefix(_NAME).partition("-")[0]
        if POSIX and owner.isdigit() and not _runs(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True


def _no_fetch(url: str) -> Path:
    raise EngineError(f"{url}: no objects are within reach", code="ResourceNotFound")


def _close(standby: Standby, folder: Path) -> None:
    standby.close()
    shutil.rmtree(folder, ignore_errors=True)
