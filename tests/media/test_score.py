"""Scores say how like a source an output is, and refuse what cannot be compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ci_notebook.media import look
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.samples import sample
from ci_notebook.media.score import PSNR_MOST, by_itself, compare, measure, sharpness
from ci_notebook.model.errors import EngineError


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of the sample."""
    return _made(tmp_path_factory.mktemp("clips") / "short.mp4", "null", "-t", "1", crf=10)


def _made(path: Path, filters: str, *options: str, source: Path | None = None, crf: int = 18) -> Path:
    run(["-i", source or sample(), *options, "-vf", filters, "-c:v", "libx264", "-crf", str(crf), path])
    return path


def test_a_clip_is_like_itself(short: Path) -> None:
    scores = measure(short, short)
    assert scores["psnr"] == PSNR_MOST
    assert scores["ssim"] == 1.0
    assert scores["vmaf"] > 97
    assert set(scores) >= {"psnr", "ssim", "vmaf", "vmaf_neg", "sharpness"}


def test_worse_pictures_score_lower(short: Path, tmp_path: Path) -> None:
    good = compare(_made(tmp_path / "good.mp4", "null", source=short), short).pooled
    bad = compare(_made(tmp_path / "bad.mp4", "null", source=short, crf=38), short).pooled
    assert all(bad[name] < good[name] for name in ("psnr", "ssim", "vmaf", "vmaf_neg"))


def test_sharpening_is_credited_by_vmaf_and_not_by_neg(short: Path, tmp_path: Path) -> None:
    scores = compare(_made(tmp_path / "sharp.mp4", "unsharp=5:5:1.0", source=short), short).pooled
    assert scores["vmaf"] > scores["vmaf_neg"] + 5


def test_a_larger_output_is_compared_at_its_own_size(short: Path, tmp_path: Path) -> None:
    assert compare(_made(tmp_path / "large.mp4", "scale=1280:720", source=short), short).pooled["ssim"] > 0.9


def test_another_rate_is_compared_picture_by_picture(short: Path, tmp_path: Path) -> None:
    doubled = compare(_made(tmp_path / "doubled.mp4", "fps=50", source=short), short)
    halved = compare(_made(tmp_path / "halved.mp4", "fps=12.5", source=short), short)
    assert doubled.pooled["psnr"] > 35 and halved.pooled["psnr"] > 30
    assert len(doubled.pictures["psnr"]) == 25


def test_every_picture_can_be_scored(short: Path) -> None:
    scores = compare(short, short, every=1)
    assert len(scores.pictures["vmaf"]) == len(scores.pictures["psnr"]) == 25
    assert len(compare(short, short, every=5).pictures["vmaf"]) == 5


def test_a_stretch_is_compared_from_where_it_begins(tmp_path: Path) -> None:
    part = _made(tmp_path / "part.mp4", "null", "-ss", "2")
    assert compare(part, sample(), start_s=2.0).pooled["psnr"] > 35
    with pytest.raises(EngineError, match=r"1\.00 s long and the source 3\.00 s"):
        compare(part, sample())


def test_hdr_is_not_compared_with_sdr(short: Path, tmp_path: Path) -> None:
    hdr = _made(tmp_path / "hdr.mp4", "setparams=color_trc=smpte2084", source=short)
    with pytest.raises(EngineError, match="HDR cannot be scored against SDR"):
        compare(hdr, short)


def test_another_shape_is_not_compared(short: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cropped, turned or stretched"):
        compare(_made(tmp_path / "square.mp4", "crop=360:360", source=short), short)


def test_sharpness_rises_with_detail_and_falls_with_blur(short: Path, tmp_path: Path) -> None:
    blurred = _made(tmp_path / "blurred.mp4", "gblur=1.5", source=short)
    sharp = _made(tmp_path / "sharp.mp4", "unsharp=5:5:0.8", source=short)
    assert sharpness(blurred) < sharpness(short) < sharpness(sharp)
    assert by_itself(blurred)["noise"] < by_itself(short)["noise"]


def test_the_measures_of_one_picture_are_those_of_their_formulas() -> None:
    luma = np.zeros((8, 8), np.float32)
    luma[4, 4] = 100
    inner = np.zeros((6, 6))
    inner[3, 3], inner[2, 3], inner[4, 3], inner[3, 2], inner[3, 4] = -400, 100, 100, 100, 100
    assert look.laplacian_variance(luma) == pytest.approx(inner.var())
    half = np.zeros((4, 4), np.float32)
    half[:2] = 255
    assert look.contrast(half) == pytest.approx(0.5)
    grey = np.full((4, 4, 3), 90, np.uint8)
    assert look.colourfulness(grey) == 0
    generator = np.random.default_rng(0)
    noisy = (128 + 5 * generator.standard_normal((256, 256))).astype(np.float32)
    assert look.noise(noisy) == pytest.approx(5, rel=0.03)
