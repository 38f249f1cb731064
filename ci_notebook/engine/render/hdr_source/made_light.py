"""How bright the frames of a job are on average, for MaxFALL in the metadata of HDR10.

The stages of ColorEnhance change the mean light of a frame, so the source's MaxFALL is no longer true. One
pass before encoding measures it. Other stages hardly change a mean, and are left out of that pass.
"""

from __future__ import annotations

import dataclasses
import math
import threading
from pathlib import Path
from typing import Final

import numpy as np

from ci_notebook.engine.render import hdr
from ci_notebook.engine.render.analysis import Analysis
from ci_notebook.engine.render.graph import STAGES, stages
from ci_notebook.engine.render.interval import seek_arguments, trim_filters
from ci_notebook.media.ffmpeg import media_input, run
from ci_notebook.media.probe import video_specifier
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.setting.enhance import VideoEnhance

_WIDE, _HIGH = 64, 36  # px of the frames whose mean is taken
_FULL: Final = 10000  # cd/m², the most that PQ codes
_SKIPPED: Final = ("motion", "faster")


def with_made_light(
    setting: VideoEnhance, source: MediaInfo, analysis: Analysis, path: Path, *, folder: Path,
    cancel: threading.Event | None = None,
) -> Analysis:  # fmt: skip
    """Return an analysis whose light says the MaxFALL of what a job makes, where that may have changed.

    It is measured for HDR10 with MaxFALL and a setting with ColorEnhance. Costs decoding and filtering.
    """
    light = analysis.light
    is_changed = setting.color_enhance is not None and hdr.keeps_hdr(setting, source)
    if light is None or not light.max_fall or light.coding.transfer != hdr.TRANSFERS["HDR10"] or not is_changed:
        return analysis
    small = dataclasses.replace(setting, super_resolution=None, frame_enhance=None)
    filters_by_stage = stages(small, source, analysis)
    filters = [
        *trim_filters(setting, source, analysis),
        *(one for stage in STAGES if stage not in _SKIPPED for one in filters_by_stage[stage]),
        f"zscale={light.coding.as_input()}:t=linear:m=gbr:p={light.coding.primaries}:r=pc:npl={_FULL}",
        "format=gbrpf32le",
    ]
    graph = (
        f"[{video_specifier(source)}]{','.join(filters)},extractplanes=r+g+b[r][g][b];"
        "[r][g]blend=all_mode=lighten[rg];[rg][b]blend=all_mode=lighten,"
        f"scale={_WIDE}:{_HIGH}:flags=area,format=grayf32le[out]"
    )
    target = folder / "light.raw"
    run(
        [
            *seek_arguments(setting, source, analysis), *media_input(path), "-filter_complex", graph, "-map", "[out]",
            "-fps_mode", "passthrough", "-f", "rawvideo", target,
        ],
        cancel=cancel,
    )  # fmt: skip
    means = np.fromfile(target, "<f4").reshape(-1, _WIDE * _HIGH).mean(axis=1) * _FULL
    target.unlink()
    if not len(means):
        return analysis
    return dataclasses.replace(analysis, light=dataclasses.replace(light, made_fall=math.ceil(means.max())))
