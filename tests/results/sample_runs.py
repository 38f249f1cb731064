"""Generated runs with scores per frame, for the tests of verdicts, charts and reports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.sweep import grid
from ci_notebook.model.api.jobs import JobsDetail, Operation
from ci_notebook.model.api.media_info import Format, MediaInfo
from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.setting.enhance import VideoEnhance

LEVELS = grid(None, SharpenLevel=[None, 0, 3, 6])


def level_of(setting: VideoEnhance) -> int:
    """Return the SharpenLevel of a setting: 0 when left out, 3 where the service chooses."""
    value = setting.ms_sharpen.sharpen_level if setting.ms_sharpen else 0
    return 3 if value is AUTO else value or 0


def made(
    sweep: Sequence[VideoEnhance] = LEVELS,
    clips: Sequence[str] = ("city", "sea"),
    *,
    pictures: int = 60,
    effect: float = -0.8,
    spread: float = 0.1,
    noise: float = 0.3,
    seed: int = 0,
) -> list[Run]:
    """Return one run per clip and setting; VMAF-NEG changes by `effect` a level, by a little more or less a clip."""
    draw, runs = np.random.default_rng(seed), []
    for clip in clips:
        base, own = 85 + np.cumsum(draw.normal(0, 0.4, pictures)), draw.normal(0, spread)
        for setting in sweep:
            level = level_of(setting)
            rough = np.convolve(draw.normal(0, noise, pictures + 9), np.ones(10) / 10**0.5, "valid")
            neg = base + (effect + own) * level + rough
            shown = {"vmaf": neg + 0.9 * level, "vmaf_neg": neg, "psnr": 40 - 0.3 * level + rough / 3}
            values = {name: tuple(map(float, one)) for name, one in shown.items()}
            scores = {name: float(np.mean(one)) for name, one in values.items()} | {"sharpness": 100.0 + 50 * level}
            size = 100_000 + 9_000 * level + 20_000 * len(clip)
            job = JobsDetail(
                state="Success", code="Success", job_id=f"j{len(runs)}",
                creation_time="2026-01-01T10:00:00+0800", start_time=f"2026-01-01T10:00:{len(runs) % 60:02}+0800",
                end_time=f"2026-01-01T10:01:{len(runs) % 60:02}+0800",
                operation=Operation(media_info=MediaInfo(format=Format(size=size, duration=3.0, bitrate=size / 375))),
            )  # fmt: skip
            runs.append(
                Run(
                    key=f"{len(runs):040}", clip=clip, clip_key=f"input/{clip}.mp4", clip_md5=clip,
                    setting=setting, job=job, scores=scores, pictures=values, every=5, cost_cny=0.02 * (level > 0),
                )
            )  # fmt: skip
    return runs
