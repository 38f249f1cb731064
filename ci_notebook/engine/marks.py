"""Visible watermarks: each becomes one picture and the place and time to lay it on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ci_notebook.engine.size import Size
from ci_notebook.model.errors import EngineError
from ci_notebook.model.watermark import Watermark

Fetch = Callable[[str], Path]


@dataclass(frozen=True, slots=True)
class Overlay:
    """A picture with transparency, and where and when it lies on the video. `x` and `y` are px or expressions of t."""

    path: Path
    x: str
    y: str
    enable: str = ""

    def lines(self, below: str, picture: str, out: str, *, deep: bool) -> list[str]:
        """Return the lines of the filter graph that lay this picture on `below`."""
        when = f":enable='{self.enable}'" if self.enable else ""
        kind = "yuv420p10" if deep else "auto"
        return [f"[{below}][{picture}]overlay=x='{self.x}':y='{self.y}':format={kind}{when}[{out}]"]


def prepare(marks: tuple[Watermark, ...], size: Size, folder: Path, fetch: Fetch) -> tuple[Overlay, ...]:
    """Draw or fetch the marks' pictures into `folder` and return how to lay them on a video of `size`."""
    del size, folder, fetch
    if marks:
        raise EngineError("Watermark is not acted on yet. Leave it out.", code="InvalidArgument")
    return ()
