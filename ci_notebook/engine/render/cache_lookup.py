"""What a job takes over from former ones on the same bytes: the look at the clip, and a whole output.

The rule of this file: whatever is taken over is what would have been made again, to the last bit.
Its name holds all that it follows from, and the version of the engine.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ci_notebook.engine.render.analysis import Analysis, Needs, analyse
from ci_notebook.engine.render.digital_watermark.embedding import Hidden
from ci_notebook.engine.storage.cache import Keeping, Kept, content_of, key_of
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.declaration.node import walk
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.wire.xml import dumps


@dataclass(frozen=True, slots=True)
class Memory:
    """Where things are kept, and a name of the source's bytes. `reuse` is whether whole outputs are taken over."""

    kept: Kept
    content: str
    reuse: bool = True


def memory_of(keeping: Keeping | None, source: Path) -> Memory | None:
    """Return a job's memory; None where nothing is kept."""
    if keeping is None or not keeping.limit_bytes:
        return None
    kept = Kept(keeping.folder, limit=keeping.limit_bytes, free=2 * keeping.free_bytes)
    kept.make_room(0)  # on a disk that fills up, jobs come before what is kept
    return Memory(kept, content_of(source), keeping.reuse)


def look(path: Path, setting: VideoEnhance, memory: Memory | None, folder: Path) -> Analysis:
    """Look at a clip as closely as a setting asks, or remember what was seen.

    `folder` is the job's own, on the disk of what is kept.
    """
    needs = needs_of(setting)
    if memory is None or needs == "coding":
        return analyse(path, needs=needs)
    key = key_of("analysis", memory.content, needs)
    text = memory.kept.get_text(key)
    if text is None:
        seen = analyse(path, needs=needs)
        memory.kept.put_text(key, json.dumps(asdict(seen)), folder)
        return seen
    facts: dict[str, Any] = json.loads(text)
    return Analysis(**facts | {"low": tuple(facts["low"]), "high": tuple(facts["high"])})


def needs_of(setting: VideoEnhance) -> Needs:
    """Return how much of a clip a setting has to know: all for a leaf at AUTO, and for one left out of its stage."""
    colour, detail = setting.color_enhance, setting.ms_sharpen
    values = [] if colour is None else [colour.contrast, colour.correction, colour.saturation]
    values += [] if detail is None else [detail.sharpen_level]
    if not all(isinstance(value, int) for value in values):
        return "all"
    return "coding" if colour is None else "levels"


@dataclass(frozen=True, slots=True)
class Former:
    """An output's place among what is kept."""

    memory: Memory
    key: str
    has_hidden: bool

    def take(self, output: Path) -> tuple[bool, Hidden | None]:
        """Lay the former output at `output` if there is one; say whether, and how its hidden text read."""
        kept = self.memory.kept
        text = kept.get_text(self.key + "h") if self.has_hidden else ""
        if text is None or kept.get(self.key, output) is None:
            return False, None
        return True, Hidden(**json.loads(text)) if text else None

    def keep(self, output: Path, hidden: Hidden | None) -> None:
        """Keep an output under a second name."""
        if hidden is not None:
            self.memory.kept.put_text(self.key + "h", json.dumps(asdict(hidden)), output.parent)
        self.memory.kept.put_link(self.key, output)


@contextmanager
def former(
    operation: Operation, memory: Memory | None, fetch: Callable[[str], Path], cancel: threading.Event | None
) -> Iterator[Former | None]:
    """Give the place of what an operation makes of a source, held for as long as it may have to be made.

    Where the output goes to and what it is called is no part of it; the bytes of marks and sounds are.
    """
    if memory is None or not memory.reuse:
        yield None
        return
    asked = Operation(
        video_enhance=operation.video_enhance, watermark=operation.watermark,
        digital_watermark=operation.digital_watermark,
    )  # fmt: skip
    beside = {
        value: content_of(fetch(value))
        for _, part, value in walk(asked)
        if part.tag in ("Url", "AudioSource") and isinstance(value, str)
    }
    key = key_of("output", memory.content, dumps(asked).decode(), beside)
    with memory.kept.making(key, cancel):
        yield Former(memory, key, operation.digital_watermark is not None)
