"""Scores against implementations that share no line with ours: numbers written down, formulas, another FFmpeg."""

from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
import pytest

from ci_notebook.media.scoring.score import Scores, compare
from tests.media.exact_clips import CHANGES, changed, source, stored

# Means over the pictures by vmaf-torch 1.1.0, in double precision: VMAF, VMAF-NEG. It reimplements VMAF in
# PyTorch, and is too heavy to install here; `tests.benchmarks.bench_agreement` runs it where it is.
VMAF_TORCH = {
    "soft": (73.5120, 73.3201),
    "sharp": (100.0, 88.5816),
    "noisy": (94.0054, 92.0037),
    "coarse": (98.8565, 96.9136),
    "strong": (100.0, 79.6368),
}


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored(source(), tmp_path_factory.mktemp("truth") / "source.mkv")


@pytest.fixture(scope="module", params=list(CHANGES))
def pair(request: pytest.FixtureRequest, truth: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    path = tmp_path_factory.mktemp("made") / "made.mkv"
    return request.param, stored(changed(source(), request.param), path)


@pytest.fixture(scope="module")
def precise(pair: tuple[str, Path], truth: Path) -> Scores:
    return compare(pair[1], truth, every=1, precise=True)


@pytest.mark.slow
def test_vmaf_agrees_with_another_implementation_to_a_thousandth(pair: tuple[str, Path], precise: Scores) -> None:
    vmaf, neg = VMAF_TORCH[pair[0]]
    assert precise.pooled["vmaf"] == pytest.approx(vmaf, abs=1e-3)
    assert precise.pooled["vmaf_neg"] == pytest.approx(neg, abs=1e-3)


@pytest.mark.slow
def test_the_published_fixed_point_score_is_close(truth: Path, tmp_path: Path) -> None:
    usual = compare(stored(changed(source(), "strong"), tmp_path / "made.mkv"), truth, every=1).pooled
    assert usual["vmaf_neg"] == pytest.approx(VMAF_TORCH["strong"][1], abs=0.2)


@pytest.mark.slow
def test_psnr_and_ssim_are_what_their_formulas_say(pair: tuple[str, Path], precise: Scores) -> None:
    ours, theirs = source().astype(np.int64), changed(source(), pair[0]).astype(np.int64)
    psnr = 10 * np.log10(255**2 / ((ours - theirs) ** 2).mean(axis=(1, 2)))
    assert precise.pictures["psnr"] == pytest.approx(list(psnr), abs=0.006)  # FFmpeg writes two digits
    ssim = [_ssim(a, b) for a, b in zip(ours, theirs, strict=True)]
    assert precise.pictures["ssim"] == pytest.approx(ssim, abs=1e-5)


@pytest.mark.slow
def test_xpsnr_is_the_same_by_another_build_of_ffmpeg(
    pair: tuple[str, Path], precise: Scores, truth: Path, tmp_path: Path
) -> None:
    """PyAV bundles its own FFmpeg, another version by another compiler."""
    log = tmp_path / "xpsnr.txt"
    graph = av.filter.Graph()
    with av.open(str(pair[1])) as made, av.open(str(truth)) as true:
        inputs = [graph.add_buffer(template=one.streams.video[0]) for one in (made, true)]
        score, end = graph.add("xpsnr", f"stats_file={log}"), graph.add("buffersink")
        for place, one in enumerate(inputs):
            one.link_to(score, 0, place)
        score.link_to(end)
        graph.configure()
        for pictures in zip(made.decode(video=0), true.decode(video=0), strict=True):
            for one, picture in zip(inputs, pictures, strict=True):
                one.push(picture)
            graph.pull()
    del graph, inputs, score, end  # the file is written when the filter is gone
    found = [float(value) for value in re.findall(r"XPSNR y:\s*(\S+)", log.read_text())]
    assert list(precise.pictures["xpsnr"]) == pytest.approx(found, abs=1e-3)


def _ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Return SSIM as FFmpeg defines it: 8 by 8 pixels, every 4, all weighing the same."""

    def sums(values: np.ndarray) -> np.ndarray:
        rows, columns = values.shape[0] // 4, values.shape[1] // 4
        fours = values[: 4 * rows, : 4 * columns].reshape(rows, 4, columns, 4).sum(axis=(1, 3))
        return (fours[:-1, :-1] + fours[1:, :-1] + fours[:-1, 1:] + fours[1:, 1:]).astype(float)

    s1, s2, squares, product = sums(a), sums(b), sums(a * a) + sums(b * b), sums(a * b)
    c1, c2 = round(0.01**2 * 255**2 * 64), round(0.03**2 * 255**2 * 64 * 63)
    spread, shared = squares * 64 - s1**2 - s2**2, product * 64 - s1 * s2
    return float(((2 * s1 * s2 + c1) * (2 * shared + c2) / ((s1**2 + s2**2 + c1) * (spread + c2))).mean())
