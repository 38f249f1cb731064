"""Lossless cache for the expensive first stages, shared by every job with the same prefix.

Motion search and the super-resolution network cost ten to a hundred times as much as sharpening. Their
frames depend only on the source's bytes and on the arguments of the first FFmpeg, and these form the
cache key. The first job renders the frames, encodes its output from them, and writes a lossless copy at
the same time. Jobs that want the same frames meanwhile wait for it.

Invariant: cached or fresh, the same raw frames go through the same pipe into the same command, so the
output's bytes are the same.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import astuple, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Final

from ci_notebook.engine.render.cache_lookup import CacheLookup
from ci_notebook.engine.render.command import thread_arguments
from ci_notebook.engine.render.pixel_version import cache_key
from ci_notebook.engine.render.super_resolution.frame_pipe import Pipe, Words, enlarging, pass_through
from ci_notebook.engine.render.super_resolution.network import loaded
from ci_notebook.engine.storage.cache import RenderCache
from ci_notebook.media.ffmpeg import Cancelled, file_url, own_input, run
from ci_notebook.model.errors import EngineError

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())

# A lossless copy takes at most this share of the raw frames' bytes, noise aside.
_COPY_SHARE: Final = 0.6
COPY: Final = "copy.nut"
_WAIT_SHARE: Final = 0.8  # the share of a job's progress that waiting for another job's stages counts for


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadingStages:
    """The expensive first stages. `decode` are the first FFmpeg's arguments up to its output, `source` among them.

    `folder` is the job's own folder, `length_s` the output's length, None when it is unknown.
    """

    decode: Words
    source: Path
    pipe: Pipe
    folder: Path
    threads: int | None = None
    length_s: float | None = None

    def key(self, content: str) -> str:
        """Return the cache key of the frames that the stages make of a source with this content hash."""
        words = ["" if word == file_url(self.source) else str(word) for word in self.decode]
        return cache_key("leading", content, words, astuple(self.pipe))


def run_with_leading_stages(
    stages: LeadingStages,
    encode: Words,
    *,
    lookup: CacheLookup | None = None,
    on_progress: Callable[[float], None] | None = None,
    cancel: threading.Event | None = None,
) -> None:
    """Render the leading stages, or load their frames from the cache, and let `encode` make the output from them.

    Raises `EngineError` and `Cancelled` as `pass_through` does.
    """
    if lookup is None:
        _render(stages, encode, on_progress=on_progress, cancel=cancel)
        return
    cache, key, link = lookup.cache, stages.key(lookup.content), stages.folder / "leading"
    while cache.get(key, link) is None:
        with cache.building(key, cancel, on_progress=_waiting_progress(on_progress)) as publish:
            if cache.get(key, link) is not None:  # another job built it while this one waited
                break
            render = partial(_render, stages, on_progress=_to_both(publish, on_progress), cancel=cancel)
            if _render_with_copy(render, encode, _copy_arguments(stages, cache), stages.folder):
                cache.put(key, stages.folder / COPY)
            return
    try:
        # The frame rate is given explicitly, as it is for raw frames: the same times, the same bytes.
        begin = [*thread_arguments(stages.threads), "-xerror", "-err_detect", "explode"]
        begin += ["-r", stages.pipe.fps, *own_input(link, "nut")]
        run([*begin, *encode], total_s=stages.length_s, on_progress=on_progress, cancel=cancel)
    except Cancelled:
        raise
    except EngineError as problem:  # either the copy is damaged or the job is wrong; running without it shows which
        log.warning("cache entry %s cannot be used and is built again: %s", key, problem.message)
        cache.remove(key)
        _render(stages, encode, on_progress=on_progress, cancel=cancel)
    finally:
        link.unlink(missing_ok=True)


def _waiting_progress(on_progress: Callable[[float], None] | None) -> Callable[[float], None] | None:
    """Return a callback that counts another job's progress on the stages as most of this job's own."""
    return (lambda share: on_progress(_WAIT_SHARE * share)) if on_progress is not None else None


def _to_both(*callbacks: Callable[[float], None] | None) -> Callable[[float], None]:
    def report(share: float) -> None:
        for callback in callbacks:
            if callback is not None:
                callback(share)

    return report


def _render_with_copy(render: Callable[[Words], None], encode: Words, copy: Words, folder: Path) -> bool:
    """Render the output and a lossless copy; return whether there is a copy. A failed copy fails no job."""
    if copy:
        try:
            render([*encode, *copy])
        except Cancelled:
            raise
        except EngineError as problem:
            log.warning("no copy of the leading stages could be written: %s", problem.message)
            (folder / COPY).unlink(missing_ok=True)
        else:
            return True
    render(encode)
    return False


def _render(stages: LeadingStages, encode: Words, **callbacks: Any) -> None:
    total = stages.length_s * float(Fraction(stages.pipe.fps)) if stages.length_s else None
    each = enlarging(stages.pipe, loaded(stages.threads)) if stages.pipe.times == 2 else None
    before = thread_arguments(stages.threads)
    pass_through(
        stages.decode, encode, stages.pipe, each=each, total=total, before=before, threads=stages.threads, **callbacks
    )


def _copy_arguments(stages: LeadingStages, cache: RenderCache) -> list[str]:
    """Return FFmpeg's arguments for a lossless copy of its first input; none without room.

    Measured at 720p: Ut Video takes 3 ms per frame to write and to read; FFV1 takes 14 and 16 ms for
    three fifths of the space. But Ut Video holds only eight bits and even sides. FFV1 chooses its
    slices itself, because some sizes cannot be cut into four.
    """
    frames = stages.pipe.output
    if not cache.make_room(
        int(_COPY_SHARE * frames.frame_bytes * float(Fraction(frames.fps)) * (stages.length_s or 0))
    ):
        return []
    plain = not (frames.deep or frames.width % 2 or frames.height % 2)
    codec = ["utvideo", "-pred", "left"] if plain else ["ffv1", "-level", "3", "-slicecrc", "1"]
    return ["-map", "0:v", "-c:v", *codec, "-pix_fmt", frames.pixel_format, "-f", "nut", file_url(stages.folder / COPY)]
