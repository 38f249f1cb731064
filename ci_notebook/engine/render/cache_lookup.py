"""Reuse of earlier jobs on the same source bytes: their analysis, and their complete output.

Invariant: a reused result equals, bit for bit, the result that would be computed again. Its cache key
contains everything it depends on, and the version of the pixels.
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
from ci_notebook.engine.render.digital_watermark.embedding import DigitalWatermarkResult
from ci_notebook.engine.render.pixel_version import cache_key
from ci_notebook.engine.storage.cache import CacheOptions, RenderCache, content_hash
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.declaration.node import walk
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.wire.xml import dumps


@dataclass(frozen=True, slots=True)
class CacheLookup:
    """The cache, and the hash of the source's bytes. `reuse` says whether complete outputs are reused."""

    cache: RenderCache
    content: str
    reuse: bool = True


def lookup_for(cache_options: CacheOptions | None, source: Path) -> CacheLookup | None:
    """Return the cache lookup of a job on `source`; None where the cache is off."""
    if cache_options is None or not cache_options.limit_bytes:
        return None
    cache = RenderCache(cache_options.folder, limit=cache_options.limit_bytes, free=2 * cache_options.free_bytes)
    cache.make_room(0)  # on a disk that fills up, jobs come before cache entries
    return CacheLookup(cache, content_hash(source), cache_options.reuse)


def cached_analysis(path: Path, setting: VideoEnhance, lookup: CacheLookup | None, folder: Path) -> Analysis:
    """Return the analysis that a setting needs, from the cache or by analysing the clip.

    `folder` is the job's own folder, on the same disk as the cache.
    """
    needs = needs_of(setting)
    if lookup is None or needs == "coding":
        return analyse(path, needs=needs)
    key = cache_key("analysis", lookup.content, needs)
    text = lookup.cache.get_text(key)
    if text is None:
        analysis = analyse(path, needs=needs)
        lookup.cache.put_text(
            key, json.dumps({name: value for name, value in asdict(analysis).items() if name != "timeline"}), folder
        )
        return analysis
    facts: dict[str, Any] = json.loads(text)
    return Analysis(**facts | {"low": tuple(facts["low"]), "high": tuple(facts["high"])})


def needs_of(setting: VideoEnhance) -> Needs:
    """Return how much of the analysis a setting needs: "all" when a leaf is AUTO or absent in a stage that is on.

    With values throughout, only Contrast and Correction depend on the levels of the clip.
    """
    colour, detail = setting.color_enhance, setting.ms_sharpen
    values = [] if colour is None else [colour.contrast, colour.correction, colour.saturation]
    values += [] if detail is None else [detail.sharpen_level]
    if not all(isinstance(value, int) for value in values):
        return "all"
    return "levels" if colour is not None and (colour.contrast or colour.correction) else "coding"


@dataclass(frozen=True, slots=True)
class CachedOutput:
    """The cache entry of one complete output."""

    lookup: CacheLookup
    key: str
    has_digital_watermark: bool

    def load(self, output: Path) -> tuple[bool, DigitalWatermarkResult | None]:
        """Link the cached output to `output`; return whether it exists, and the result of its digital watermark."""
        cache = self.lookup.cache
        text = cache.get_text(self.key + "h") if self.has_digital_watermark else ""
        if text is None or cache.get(self.key, output) is None:
            return False, None
        return True, DigitalWatermarkResult(**json.loads(text)) if text else None

    def save(self, output: Path, result: DigitalWatermarkResult | None) -> None:
        """Add an output to the cache under a second name."""
        if result is not None:
            self.lookup.cache.put_text(self.key + "h", json.dumps(asdict(result)), output.parent)
        self.lookup.cache.put_link(self.key, output)


@contextmanager
def cached_output(
    operation: Operation, lookup: CacheLookup | None, fetch: Callable[[str], Path], cancel: threading.Event | None
) -> Iterator[CachedOutput | None]:
    """Yield the cache entry of what an operation makes of a source, locked while it may have to be built.

    The key leaves out where the output goes. It contains the bytes of watermark images and mixed-in audio.
    """
    if lookup is None or not lookup.reuse:
        yield None
        return
    pixel_operation = Operation(
        video_enhance=operation.setting, watermark=operation.watermark,
        digital_watermark=operation.digital_watermark,
    )  # fmt: skip
    file_hashes = {
        value: content_hash(fetch(value))
        for _, part, value in walk(pixel_operation)
        if part.tag in ("Url", "AudioSource") and isinstance(value, str)
    }
    key = cache_key("output", lookup.content, dumps(pixel_operation).decode(), file_hashes)
    with lookup.cache.building(key, cancel):
        yield CachedOutput(lookup, key, operation.digital_watermark is not None)
