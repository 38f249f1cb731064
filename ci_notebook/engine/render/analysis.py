"""The analysis that AUTO is resolved from: one look at the whole clip, never frame by frame.

One analysis per clip keeps a video from flickering, and makes the preview choose the job's values. The
values that AUTO stands for are ours: the service does not document its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ci_notebook.engine.render.auto import auto_values
from ci_notebook.engine.render.auto.frame_measures import clip_measures, measured
from ci_notebook.media import color_tags
from ci_notebook.media.frame_sampling import light_of_clip, matrix_and_fields_of, spread_frames
from ci_notebook.media.snapshot import to_sdr_rgb
from ci_notebook.media.streams.frame_times import Timeline
from ci_notebook.media.streams.light import Light

Needs = Literal["coding", "levels", "all"]
PICTURES = 12


@dataclass(frozen=True, slots=True)
class Analysis:
    """Facts of a clip's frames that control the filters. Shares are 0 to 1; channels are R, G, B.

    `low` and `high` are the levels that contain a channel except for 0.02 % at either end; `spread` is the
    RMS contrast of luma. `colourfulness`, `sharpness` and `noise` are those of
    `media.scoring.no_reference`. `matrix` is the clip's YUV matrix, `interlaced` whether it has fields, `light` that of
    HDR, None for SDR. HDR is analysed as SDR-referred light.
    `timeline` are the times of its frames, which a job needs and a preview does not.
    """

    low: tuple[float, float, float] = (0.0, 0.0, 0.0)
    high: tuple[float, float, float] = (1.0, 1.0, 1.0)
    mean: float = 0.5
    spread: float = 0.25
    colourfulness: float = 45.0
    sharpness: float = 300.0
    noise: float = 1.0
    matrix: str = color_tags.SDR
    interlaced: bool = False
    light: Light | None = None
    timeline: Timeline | None = field(default=None, repr=False)

    @property
    def has_chapters(self) -> bool:
        """Whether the clip has chapters."""
        return self.timeline is not None and self.timeline.has_chapters

    @property
    def auto_contrast(self) -> int:
        """Contrast for AUTO, 0 to 25."""
        return auto_values.contrast_for(self)

    @property
    def auto_correction(self) -> int:
        """Correction for AUTO, 0 to 700."""
        return auto_values.correction_for(self)

    @property
    def auto_saturation(self) -> int:
        """Saturation for AUTO, 0 to 80."""
        return auto_values.saturation_for(self)

    @property
    def auto_sharpen_level(self) -> int:
        """SharpenLevel for AUTO, 1 to 7."""
        return auto_values.sharpen_level_for(self)


def analyse(path: Path, *, pictures: int = PICTURES, needs: Needs = "all") -> Analysis:
    """Analyse up to `pictures` frames of a clip, evenly spaced.

    `needs` says how much is needed: `coding` (`matrix` and `interlaced`; 20 ms), `levels` (also `low`,
    `high` and `mean`) or `all`; the rest keeps its default. For the latter two the clip is decoded: 0.2 s
    for a short one of 640x360, 0.5 s at 1280x720.
    """
    matrix, interlaced = matrix_and_fields_of(path)
    light = light_of_clip(path)
    if needs == "coding":
        return Analysis(matrix=matrix, interlaced=interlaced, light=light)
    shown = (to_sdr_rgb(frame, own_primaries=True) for frame in spread_frames(path, pictures))
    facts = clip_measures([measured(rgb, levels_only=needs == "levels") for rgb in shown])
    analysis = Analysis(
        low=facts.low, high=facts.high, mean=facts.mean, matrix=matrix, interlaced=interlaced, light=light
    )
    if needs == "levels":
        return analysis
    return replace(
        analysis, spread=facts.spread, colourfulness=facts.colourfulness, sharpness=facts.sharpness, noise=facts.noise
    )
