"""What the preview shows is what the job makes, stage by stage."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ci_notebook.engine.pictures.analysis import analyse
from ci_notebook.engine.pictures.preview import preview
from ci_notebook.engine.pictures.render import render
from ci_notebook.media.probe import media_info
from ci_notebook.media.samples import sample
from ci_notebook.media.snapshot import picture
from ci_notebook.model.enhance import (
    ColorEnhance,
    MsSharpen,
    SDRtoHDR,
    SuperResolution,
    VideoEnhance,
)
from ci_notebook.model.errors import EngineError
from ci_notebook.model.jobs import Operation
from ci_notebook.model.node import AUTO
from ci_notebook.model.transcode import Container, TimeInterval, Transcode, Video

AT_S = 1.0
STAGES = {
    "nothing": {},
    "sharpen": {"ms_sharpen": MsSharpen(sharpen_level=6)},
    "colour": {"color_enhance": ColorEnhance(contrast=40, correction=300, saturation=120)},
    "auto": {"color_enhance": ColorEnhance(contrast=AUTO), "ms_sharpen": MsSharpen(sharpen_level=AUTO)},
    "enlarge": {"super_resolution": SuperResolution(resolution="sdtohd", version="Base")},
    "network": {"super_resolution": SuperResolution(resolution="sdtohd", version="Enhance")},
    "hdr": {"sdr_to_hdr": SDRtoHDR(hdr_mode="HDR10")},
    "hlg": {"sdr_to_hdr": SDRtoHDR(hdr_mode="HLG")},
}


def ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Return the mean SSIM of luma over 8x8 blocks."""
    first, second = (
        (x.astype(float) @ (0.299, 0.587, 0.114))[: x.shape[0] // 8 * 8, : x.shape[1] // 8 * 8] for x in (a, b)
    )
    blocks = [x.reshape(x.shape[0] // 8, 8, x.shape[1] // 8, 8).swapaxes(1, 2).reshape(-1, 64) for x in (first, second)]
    m, n = (x.mean(axis=1) for x in blocks)
    covariance = (blocks[0] * blocks[1]).mean(axis=1) - m * n
    v, w = blocks[0].var(axis=1), blocks[1].var(axis=1)
    return float((((2 * m * n + 6.5) * (2 * covariance + 58.5)) / ((m**2 + n**2 + 6.5) * (v + w + 58.5))).mean())


def opened(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("stage", STAGES)
def test_the_preview_equals_the_jobs_own_snapshot(stage: str, tmp_path: Path) -> None:
    video = Video(codec="H.265" if stage.startswith("h") else "H.264", crf=12.0)
    setting = VideoEnhance(
        transcode=Transcode(
            container=Container(format="mp4"), video=video, time_interval=TimeInterval(start=AT_S, duration=0.2)
        ),
        **STAGES[stage],  # type: ignore[arg-type]
    )
    made = render(Operation(video_enhance=setting), sample(), tmp_path).files[0]
    seen = opened(preview(setting, picture(sample(), AT_S), media_info(sample()), analyse(sample())))
    job = picture(made, 0.0)
    assert seen.shape == job.shape
    assert ssim(seen, job) > 0.97
    assert np.abs(seen.mean(axis=(0, 1)) - job.mean(axis=(0, 1))).max() < 3


def test_a_width_scales_what_was_made() -> None:
    source, analysis, rgb = media_info(sample()), analyse(sample()), picture(sample(), AT_S)
    data = preview(VideoEnhance(), rgb, source, analysis, width=320)
    assert data.startswith(b"\xff\xd8\xff")
    assert opened(data).shape == (180, 320, 3)


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(EngineError, match="a picture is HxWx3 uint8"):
        preview(VideoEnhance(), np.zeros((4, 4), np.uint8), media_info(sample()), analyse(sample()))
