"""Prints by how many kB reading a file made this process grow: `python -m tests.media.peak_memory info|mark FILE`."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

import av
import numpy as np

import ci_notebook as ci
from ci_notebook.engine.render.watermark.watermark_overlay import draw_image
from ci_notebook.media.probe import media_info
from ci_notebook.model.errors import CIError
from ci_notebook.model.setting.shape import Size

assert av
assert np
MARK = ci.Image(url="http://b/mark.png", mode="Fixed", width=100, height=100)


def main(what: str, path: Path) -> None:
    """Read the file as a video or as a watermark image."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with contextlib.suppress(CIError):
        if what == "info":
            media_info(path)
        else:
            draw_image(MARK, Size(320, 180), lambda _: path)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
