"""Protocols of what the preview pane asks from a lab."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.watermark import Watermark

__all__ = ["Box", "ClipLength", "PreviewImage", "PreviewPort"]

Box = tuple[float, float, float, float]
"""Left, top, width and height of a part of a frame, as shares from 0 to 1."""


class ClipLength(Protocol):
    """Length of a clip."""

    @property
    def seconds(self) -> float:
        """Duration in seconds."""

    @property
    def rate(self) -> float:
        """Frames per second."""


class PreviewImage(Protocol):
    """One preview. `size` (px) is the size of the whole output; `box` is the part of it that the JPEG shows."""

    @property
    def jpeg(self) -> bytes:
        """The image as JPEG."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole output in px."""

    @property
    def box(self) -> Box:
        """The part of the output that is shown."""

    @property
    def places(self) -> tuple[tuple[int, int, int, int] | None, ...]:
        """Left, top, width and height of each watermark in px; None for one without a fixed place."""

    @property
    def unshown(self) -> tuple[str, ...]:
        """Paths of the leaves whose effect a single frame cannot show."""


class PreviewPort(Protocol):
    """Previews of a lab."""

    @property
    def note(self) -> str:
        """Text to show next to every preview; may be empty."""

    def length(self, clip: Any) -> ClipLength:
        """Return the length of a clip."""

    def time_at_once(self, clip: Any, at_s: float) -> float:
        """Return `at_s` if the frame there is soon decoded, else the time of a frame near it that is."""

    def is_analysed(self, clip: Any, setting: VideoEnhance) -> bool:
        """Return whether `see` knows all that a setting takes from the clip, such as the values of AUTO."""

    def analyse(self, clip: Any, setting: VideoEnhance) -> None:
        """Compute what a setting takes from the clip; takes seconds for a large one."""

    def interruptible(self, check: Callable[[], object]) -> AbstractContextManager[None]:
        """Call `check` again and again while frames are decoded in the block; what it raises ends that."""

    def see(
        self, clip: Any, setting: VideoEnhance, *, at_s: float, width_px: int, box: Box,
        watermark: tuple[Watermark, ...],
    ) -> PreviewImage:  # fmt: skip
        """Return one frame as a job with this setting would produce it."""

    def source(self, clip: Any, setting: VideoEnhance, *, at_s: float, width_px: int, box: Box) -> PreviewImage:
        """Return the same frame without any enhancement."""

    def rest(self) -> None:
        """Stop the warm FFmpeg process. The next preview starts it again."""
