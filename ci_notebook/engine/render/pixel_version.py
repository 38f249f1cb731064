"""Version of the pixels that the renderer makes, and the cache keys that contain it.

Invariant: two engines with the same version make the same bytes from the same job. Comments and names do
not count. `PIXEL_VERSION` must be raised with every change that can alter a pixel, a sample or a
container's bytes; `tests/engine/test_pixel_version.py` fails when such a module changes.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
from typing import Final

from ci_notebook.engine.render.super_resolution.network import WEIGHTS
from ci_notebook.engine.storage.cache import content_hash
from ci_notebook.media.ffmpeg import capabilities

__all__ = ["PIXEL_VERSION", "cache_key", "pixel_version"]

# Raise it when the same job may give other bytes than before.
PIXEL_VERSION: Final = 7
# Packages that draw or compute pixels; onnxruntime and OpenCV, which has several names, come with extras.
_PACKAGES: Final = (
    "onnxruntime", "pillow", "opencv-python-headless", "opencv-python", "opencv-contrib-python-headless",
    "opencv-contrib-python",
)  # fmt: skip


def cache_key(*facts: object) -> str:
    """Return the cache key of a result that depends on these facts (JSON values) and on the pixel version."""
    text = json.dumps([pixel_version(), *facts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


@functools.cache
def pixel_version() -> str:
    """Return a hash of all that decides over pixels besides the job: our version, FFmpeg, packages, weights."""
    facts = [str(PIXEL_VERSION), capabilities().version, content_hash(WEIGHTS)]
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            facts.append(f"{package} {importlib.metadata.version(package)}")
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()
