"""Scores say how like a source an output is, and refuse what cannot be compared."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import numpy as np
import pytest

from ci_notebook.media.ffmpeg import Cancelled, run
from ci_notebook.media.samples import sample
from ci_notebook.media.scoring import no_reference
from ci_notebook.media.scoring.score import PSNR_MOST, by_itself, compare, scores, sharpness
from ci_notebook.model.errors import EngineError


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of the sample."""
    return _made(tmp_path_factory.mktemp("clips") / "short.mp4", "null", "-t", "1", crf=10)


def _made(path: Path, filters: str, *options: str, source: Path | None = None, crf: int = 18) -> Path:
    run(["-i", source or sample(), *options, "-vf", filters, "-c:v", "libx264", "-crf", str(crf), path])
    return path


@pytest.mark.slow
def test_a_clip_is_like_itself(short: Path) -> None:
    found = scores(short, short).pooled
    assert found["psnr"] == PSNR_MOST
    assert found["ssim"] == 1.0
    assert found["vmaf"] > 97
    assert set(found) >= {"psnr", "ssim", "vmaf", "vmaf_neg", "sharpness"}


@pytest.mark.slow
def test_worse_pictures_score_lower(short: Path, tmp_path: Path) -> None:
    good = compare(_made(tmp_path / "good.mp4", "null", source=short), short).pooled
    bad = compare(_made(tmp_path / "bad.mp4", "null", source=short, crf=38), short).pooled
    assert all(bad[name] < good[name] for name in ("psnr", "ssim", "vmaf", "vmaf_neg"))


@pytest.mark.slow
def test_sharpening_is_credited_by_vmaf_and_not_by_neg(short: Path, tmp_path: Path) -> None:
    scores = compare(_made(tmp_path / "sharp.mp4", "unsharp=5:5:1.0", source=short), short).pooled
    assert scores["vmaf"] > scores["vmaf_neg"] + 5


@pytest.mark.slow
def test_a_larger_output_is_compared_at_its_own_size(short: Path, tmp_path: Path) -> None:
    assert compare(_made(tmp_path / "large.mp4", "scale=1280:720", source=short), short).pooled["ssim"] > 0.9


@pytest.mark.slow
def test_another_rate_is_compared_picture_by_picture(short: Path, tmp_path: Path) -> None:
    doubled = compare(_made(tmp_path / "doubled.mp4", "fps=50", source=short), short)
    halved = compare(_made(tmp_path / "halved.mp4", "fps=12.5", source=short), short)
    assert doubled.pooled["psnr"] > 35 and halved.pooled["psnr"] > 30
    assert len(compare(tmp_path / "doubled.mp4", short, every=1).pictures["psnr"]) == 25


@pytest.mark.slow
def test_every_picture_can_be_scored(short: Path) -> None:
    scores = compare(short, short, every=1)
    assert len(scores.pictures["vmaf"]) == len(scores.pictures["psnr"]) == 25
    assert len(compare(short, short, every=5).pictures["vmaf"]) == 5


@pytest.mark.slow
def test_a_stretch_is_compared_from_where_it_begins(tmp_path: Path) -> None:
    end = _made(tmp_path / "end.mp4", "null", "-ss", "2")
    told, found = compare(end, sample(), start_s=2.0), compare(end, sample())
    assert told.pooled["psnr"] > 35
    assert found.pooled["psnr"] == pytest.approx(told.pooled["psnr"], abs=0.01)
    middle = _made(tmp_path / "middle.mp4", "null", "-ss", "1", "-t", "1")
    with pytest.raises(EngineError, match=r"1\.00 s long, but the source is 3\.00 s long\..* pass start_s=1\.00"):
        compare(middle, sample())


@pytest.mark.slow
def test_every_score_is_pooled_by_its_bad_pictures_too(short: Path, tmp_path: Path) -> None:
    found = compare(_made(tmp_path / "bad.mp4", "null", source=short, crf=35), short, every=1)
    for name in ("psnr", "ssim", "xpsnr", "vmaf", "vmaf_neg"):
        values, pooled = found.pictures[name], found.pooled
        assert pooled[name] == pytest.approx(np.mean(values))
        assert pooled[f"{name}_p5"] == pytest.approx(np.percentile(values, 5))
        assert pooled[f"{name}_worst"] == min(values)
        assert pooled[f"{name}_worst"] <= pooled[f"{name}_p5"] <= pooled[name]
        assert pooled[f"{name}_hmean"] <= pooled[name]
    assert found.pooled["delta_e_worst"] >= found.pooled["delta_e_p95"] >= found.pooled["delta_e"]


@pytest.mark.slow
@pytest.mark.parametrize("filters", ["unsharp=5:5:0.7", "eq=contrast=1.1", "gblur=1"])
def test_scores_are_those_of_the_plain_filters(short: Path, tmp_path: Path, filters: str) -> None:
    made = _made(tmp_path / "made.mp4", filters, source=short)
    models = "model='version=vmaf_v0.6.1\\:name=vmaf|version=vmaf_v0.6.1neg\\:name=vmaf_neg'"
    graph = (
        "[0:v]split=4[a][b][c][d];[1:v]split=4[e][f][g][h];[a][e]psnr=stats_file=p.txt,nullsink;"
        f"[b][f]ssim=stats_file=s.txt,nullsink;[c][g]xpsnr=stats_file=x.txt,nullsink;"
        f"[d][h]libvmaf=log_fmt=json:log_path=v.json:{models}[v]"
    )
    run(["-i", made, "-i", short, "-filter_complex", graph, "-map", "[v]", "-f", "null", "-"], cwd=tmp_path)
    vmaf = json.loads((tmp_path / "v.json").read_text())["pooled_metrics"]
    found = compare(made, short, every=1).pooled
    for name in ("vmaf", "vmaf_neg"):
        assert found[name] == pytest.approx(vmaf[name]["mean"], abs=1e-3)
        assert found[f"{name}_hmean"] == pytest.approx(vmaf[name]["harmonic_mean"], abs=1e-3)
        assert found[f"{name}_worst"] == pytest.approx(vmaf[name]["min"], abs=1e-3)
    patterns = {"psnr": r"psnr_y:(\S+)", "ssim": r" Y:(\S+)", "xpsnr": r"XPSNR y:\s*(\S+)"}
    for name, pattern in patterns.items():
        values = [float(one) for one in re.findall(pattern, (tmp_path / f"{name[0]}.txt").read_text())]
        assert found[name] == pytest.approx(np.mean(values), abs=1e-3), name


@pytest.mark.slow
def test_a_change_of_colour_that_vmaf_does_not_see_is_seen(short: Path, tmp_path: Path) -> None:
    found = compare(_made(tmp_path / "vivid.mp4", "eq=saturation=1.6", source=short, crf=10), short).pooled
    like = compare(_made(tmp_path / "same.mp4", "null", source=short, crf=10), short).pooled
    assert abs(found["vmaf"] - like["vmaf"]) < 1
    assert found["delta_e"] > 3
    assert like["delta_e"] < 1


@pytest.mark.slow
def test_scoring_reports_progress_and_can_be_cancelled(short: Path) -> None:
    told: list[float] = []
    compare(short, short, on_progress=told.append)
    assert told == sorted(told)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        compare(short, short, cancel=cancel)


@pytest.mark.slow
def test_sharpness_rises_with_detail_and_falls_with_blur(short: Path, tmp_path: Path) -> None:
    blurred = _made(tmp_path / "blurred.mp4", "gblur=1.5", source=short)
    sharp = _made(tmp_path / "sharp.mp4", "unsharp=5:5:0.8", source=short)
    assert sharpness(blurred) < sharpness(short) < sharpness(sharp)
    assert by_itself(blurred)["noise"] < by_itself(short)["noise"]


@pytest.mark.slow
def test_blocks_show_in_blockiness(short: Path, tmp_path: Path) -> None:
    run(["-i", short, "-c:v", "mpeg2video", "-q:v", "31", tmp_path / "blocks.mpg"])
    assert by_itself(tmp_path / "blocks.mpg")["blockiness"] > by_itself(short)["blockiness"] + 0.1


@pytest.mark.slow
def test_movement_and_detail_show_in_ti_and_si(short: Path, tmp_path: Path) -> None:
    still = by_itself(_made(tmp_path / "still.mp4", "select=eq(n\\,3),loop=20:1,setpts=N/25/TB", source=short))
    moving = by_itself(short)
    assert still["ti"] < 1 < moving["ti"]
    assert still["si"] == pytest.approx(moving["si"], rel=0.2)


def test_the_measures_of_one_picture_are_those_of_their_formulas() -> None:
    luma = np.zeros((8, 8), np.float32)
    luma[4, 4] = 100
    inner = np.zeros((6, 6))
    inner[3, 3], inner[2, 3], inner[4, 3], inner[3, 2], inner[3, 4] = -400, 100, 100, 100, 100
    assert no_reference.laplacian_variance(luma) == pytest.approx(inner.var())
    half = np.zeros((4, 4), np.float32)
    half[:2] = 255
    assert no_reference.contrast(half) == pytest.approx(0.5)
    grey = np.full((4, 4, 3), 90, np.uint8)
    assert no_reference.colourfulness(grey) == 0
    generator = np.random.default_rng(0)
    noisy = (128 + 5 * generator.standard_normal((256, 256))).astype(np.float32)
    assert no_reference.noise(noisy) == pytest.approx(5, rel=0.03)
