"""Whether frames can be doubled by optical flow here, and the program that does it.

The flow comes from OpenCV, of the extra `motion`. It runs in another process, for two reasons. OpenCV's number of
threads is global, so a job would change it for a notebook that uses OpenCV too. And a cancelled job ends at once.

Imports nothing that a thin client lacks: the sentences on a job's changes need `available`.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import Final

__all__ = ["INSTALL", "available", "doubling_program"]

INSTALL: Final = "python -m pip install 'ci-notebook[motion]'"
# Modules are found where this process finds them: child programs do not inherit PYTHONPATH.
_BEGIN: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "from ci_notebook.engine.render.motion.doubling_filter import main; main(sys.argv[1:])"
)


def available() -> bool:
    """Return whether frames can be doubled by optical flow here, that is, whether OpenCV is installed. Loads nothing.

    >>> isinstance(available(), bool)
    True
    """
    return bool(sys.executable) and importlib.util.find_spec("cv2") is not None


def doubling_program(width: int, height: int, *, chroma: str, deep: bool, threads: int) -> tuple[str, ...]:
    """Return the command that reads raw frames on standard input and writes twice as many to standard output.

    Frames are planar YUV: `chroma` is 420, 422 or 444, `deep` means ten bits instead of eight. `threads` bounds the
    cores; it changes no byte.
    """
    words = (str(width), str(height), chroma, "10" if deep else "8", str(threads))
    return (sys.executable, "-c", _BEGIN, json.dumps(sys.path), *words)
