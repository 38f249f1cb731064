"""The dear stages that lead: made once, kept losslessly, and taken up again by every setting that begins alike.

Motion search and the network cost ten to a hundred times a sharpening. What they make depends on
the source's bytes and on the arguments of the FFmpeg that leads, nothing else; and those are its
name among what is kept. The first job that wants it makes it and goes on with it in the same
moment, a copy running into the file; those that want it meanwhile wait. Kept or just made, the
same bare pictures run through the same pipe into the same command, so the output's bytes are the same.
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
from ci_notebook.engine.render.super_resolution.frame_pipe import Pipe, Words, enlarging, pass_through
from ci_notebook.engine.render.super_resolution.network import loaded
from ci_notebook.engine.storage.cache import RenderCache, cache_key
from ci_notebook.media.ffmpeg import Cancelled, run
from ci_notebook.model.errors import EngineError

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())

# Of the bare pictures' bytes, what a copy of them takes at most, noise aside.
_COPY_SHARE: Final = 0.6
COPY: Final = "copy.nut"
_WAIT_SHARE: Final = 0.8  # of a job's progress, when it has waited for another's leading stages


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadingStages:
    """The stages that lead. `decode` are the first FFmpeg's arguments up to its output, among them the `source`.

    `folder` is the job's own, `length_s` the output's length, None where it is not known.
    """

    decode: Words
    source: Path
    pipe: Pipe
    folder: Path
    threads: int | None = None
    length_s: float | None = None

    def key(self, content: str) -> str:
        """Return the name of what the stages make of a source of these bytes."""
        words = ["" if str(word) == str(self.source) else str(word) for word in self.decode]
        return cache_key("leading", content, words, astuple(self.pipe))


def run_with_leading_stages(
    lead: LeadingStages,
    encode: Words,
    *,
    lookup: CacheLookup | None = None,
    on_progress: Callable[[float], None] | None = None,
    cancel: threading.Event | None = None,
) -> None:
    """Make the leading stages' pictures, or take them up, and let `encode` make the output of them.

    Raises `EngineError` and `Cancelled` as `pass_through` does.
    """
    if lookup is None:
        _make(lead, encode, on_progress=on_progress, cancel=cancel)
        return
    key, link = lead.key(lookup.content), lead.folder / "leading"
    while lookup.cache.get(key, link) is None:
        with lookup.cache.building(key, cancel, on_progress=_waiting_progress(on_progress)) as tell:
            if lookup.cache.get(key, link) is not None:  # another made it while this one waited
                break
            make = partial(_make, lead, on_progress=_to_both(tell, on_progress), cancel=cancel)
            if _make_with_copy(make, encode, _copy_arguments(lead, lookup.cache)):
                lookup.cache.put(key, lead.folder / COPY)
            return
    try:
        # The rate is said, as it is of bare pictures: the same times, the same bytes.
        begin = [
            *thread_arguments(lead.threads),
            "-xerror",
            "-err_detect",
            "explode",
            "-r",
            lead.pipe.fps,
            "-i",
            str(link),
        ]
        run([*begin, *encode], total_s=lead.length_s, on_progress=on_progress, cancel=cancel)
    except Cancelled:
        raise
    except EngineError as problem:  # the copy may be spoilt, the job may be: without the copy it shows which
        log.warning("what was kept of %s cannot be used; it is made again: %s", key, problem.message)
        lookup.cache.remove(key)
        _make(lead, encode, on_progress=on_progress, cancel=cancel)
    finally:
        link.unlink(missing_ok=True)


def _waiting_progress(on_progress: Callable[[float], None] | None) -> Callable[[float], None] | None:
    """Return what hears how far another is, who makes what leads: more than half of the work by far, but not all."""
    return (lambda thread_arguments: on_progress(_WAIT_SHARE * thread_arguments)) if on_progress is not None else None


def _to_both(*on_progress: Callable[[float], None] | None) -> Callable[[float], None]:
    def tell(thread_arguments: float) -> None:
        for one in on_progress:
            if one is not None:
                one(thread_arguments)

    return tell


def _make_with_copy(make: Callable[[Words], None], encode: Words, copy: Words) -> bool:
    """Make the output and a copy of what leads; say whether there is one. No job fails for want of a copy."""
    if copy:
        try:
            make([*encode, *copy])
        except Cancelled:
            raise
        except EngineError as problem:
            log.warning("no copy of the leading stages could be made: %s", problem.message)
            Path(copy[-1]).unlink(missing_ok=True)
        else:
            return True
    make(encode)
    return False


def _make(lead: LeadingStages, encode: Words, **on_progress: Any) -> None:
    total = lead.length_s * float(Fraction(lead.pipe.fps)) if lead.length_s else None
    each = enlarging(lead.pipe, loaded(lead.threads)) if lead.pipe.times == 2 else None
    pass_through(
        lead.decode, encode, lead.pipe, each=each, total=total, before=thread_arguments(lead.threads), **on_progress
    )


def _copy_arguments(lead: LeadingStages, cache: RenderCache) -> list[str]:
    """Return FFmpeg's arguments for a lossless copy of its first input, ending in its path; none without room.

    Measured at 720p, Ut Video takes 3 ms a picture to write and as much to read, FFV1 14 and 16 for
    three fifths of the room, but Ut Video holds eight bits and even sides only. FFV1 chooses its
    slices itself: some sizes cannot be cut into four.
    """
    made = lead.pipe.made
    if not cache.make_room(int(_COPY_SHARE * made.picture_bytes * float(Fraction(made.fps)) * (lead.length_s or 0))):
        return []
    plain = not (made.deep or made.width % 2 or made.height % 2)
    codec = ["utvideo", "-pred", "left"] if plain else ["ffv1", "-level", "3", "-slicecrc", "1"]
    return ["-map", "0:v", "-c:v", *codec, "-pix_fmt", made.pixel_format, "-f", "nut", str(lead.folder / COPY)]
