"""VMAF v1, banding and flicker: equal to libvmaf by hand, and never a crash or a silent gap."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from ci_notebook.media.ffmpeg import run
from ci_notebook.media.samples import sample
from ci_notebook.media.scoring import libvmaf
from ci_notebook.media.scoring.flicker import flicker
from ci_notebook.media.scoring.score import compare
from ci_notebook.model import vmaf_v1
from ci_notebook.model.errors import EngineError, ParameterError

LOSSLESS = ("-c:v", "libx264", "-qp", "0", "-preset", "ultrafast")


def _made(path: Path, source: Path, filters: str = "null", *options: str) -> Path:
    run(["-i", source, "-vf", filters, *(options or LOSSLESS), "-an", path])
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frames of the sample, 640×360."""
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    run(["-i", sample(), "-frames:v", "10", *LOSSLESS, "-an", path])
    return path


def _pattern(path: Path, size: str, *, rate: int = 25, frames: int = 4, pixels: str = "yuv420p") -> Path:
    lavfi = f"testsrc2=s={size}:r={rate}"
    run(["-f", "lavfi", "-i", lavfi, "-frames:v", str(frames), "-vf", f"format={pixels}", *LOSSLESS, path])
    return path


def _by_hand(output: Path, source: Path, model: str, folder: Path, every: int) -> tuple[float, float]:
    """Return VMAF v1 and CAMBI by the bare filter: the command of the guide."""
    options = f"log_fmt=json:log_path=hand.json:n_subsample={every}:model='version={model}\\:name=v1'"
    graph = f"[0:v][1:v]libvmaf={options}"
    run(["-i", output, "-i", source, "-lavfi", graph, "-f", "null", "-"], cwd=folder)
    pooled = json.loads((folder / "hand.json").read_text())["pooled_metrics"]
    (banding,) = [value["mean"] for name, value in pooled.items() if name.startswith("cambi")]
    return pooled["v1"]["mean"], banding


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "rate", "pixels", "screen", "model"),
    [
        ("640x360", 25, "yuv420p", None, "3d0h"),
        ("360x640", 25, "yuv420p", "phone", "5d0h"),
        ("640x360", 50, "yuv420p", None, "hfr_3d0h"),
        ("640x360", 25, "yuv420p10le", None, "3d0h"),
        ("3840x2160", 25, "yuv420p", None, "1d5h_2160"),
        ("3840x2160", 25, "yuv420p", "tv_3h", "3d0h_2160"),
    ],
)
def test_vmaf_v1_and_banding_are_those_of_the_bare_filter(  # noqa: PLR0917 - one column each
    tmp_path: Path, size: str, rate: int, pixels: str, screen: vmaf_v1.Screen | None, model: str
) -> None:
    source = _pattern(tmp_path / "source.mkv", size, rate=rate, pixels=pixels, frames=3 if size == "3840x2160" else 8)
    made = _made(tmp_path / "made.mkv", source, f"unsharp=5:5:0.7,format={pixels}")
    for every in (1,) if size == "3840x2160" else (1, 3):
        found = compare(made, source, every=every, screen=screen)
        assert found.vmaf_v1_model == f"vmaf_v1.0.16_{model}" and found.screen == (screen or "tv")
        score, banding = _by_hand(made, source, found.vmaf_v1_model, tmp_path, every)
        assert found.pooled["vmaf_v1"] == pytest.approx(score, abs=1e-3)
        assert found.pooled["banding"] == pytest.approx(banding, abs=1e-3)


@pytest.mark.slow
def test_the_other_scores_do_not_change_by_vmaf_v1(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _made(tmp_path / "made.mkv", clip, "unsharp=5:5:0.7")
    found = compare(made, clip, every=1)
    monkeypatch.setattr(libvmaf, "has_model", lambda name: False)
    without = compare(made, clip, every=1)
    assert "vmaf_v1" in found.pictures and "vmaf_v1" not in without.pictures
    assert without.pictures == {name: found.pictures[name] for name in without.pictures}


@pytest.mark.slow
def test_more_saturation_is_seen_by_vmaf_v1_alone(clip: Path, tmp_path: Path) -> None:
    pooled = compare(_made(tmp_path / "vivid.mkv", clip, "eq=saturation=1.5"), clip, every=1).pooled
    assert pooled["vmaf"] > 98 and pooled["vmaf_neg"] > 98
    assert pooled["vmaf_v1"] == pytest.approx(80, abs=4)


@pytest.mark.slow
def test_sharpening_is_not_credited_by_vmaf_v1(clip: Path, tmp_path: Path) -> None:
    pooled = compare(_made(tmp_path / "sharp.mkv", clip, "unsharp=5:5:1.0"), clip, every=1).pooled
    assert pooled["vmaf"] > 99 and pooled["vmaf_v1"] < 95


@pytest.mark.slow
def test_steps_in_smooth_areas_are_banding(tmp_path: Path) -> None:
    lavfi = "gradients=s=640x360:c0=0x303030:c1=0x606060:x0=0:y0=0:x1=640:y1=360:speed=0.00001:seed=1"
    dithered = tmp_path / "dithered.mkv"
    run(
        ["-f", "lavfi", "-i", lavfi, "-frames:v", "4", "-vf", "noise=alls=2:all_seed=1,format=yuv420p", *LOSSLESS,
         dithered]
    )  # fmt: skip
    banded = _made(tmp_path / "banded.mkv", dithered, "gblur=4")  # without its noise a gradient of 8 bits shows steps
    before, after = (compare(one, dithered, every=1).pooled for one in (dithered, banded))
    assert before["banding"] == 0 and 10 < after["banding"] <= 17
    assert after["vmaf_v1"] < before["vmaf_v1"] - 5


@pytest.mark.slow
@pytest.mark.parametrize("size", ["64x64", "192x108", "214x214", "240x136", "1920x160"])
def test_below_the_least_size_the_other_scores_come_with_one_sentence(tmp_path: Path, size: str) -> None:
    source = _pattern(tmp_path / "source.mkv", size)
    found = compare(source, source, every=1)
    assert {"psnr", "ssim", "xpsnr", "vmaf", "vmaf_neg", "delta_e"} <= set(found.pooled)
    assert "vmaf_v1" not in found.pooled and not found.vmaf_v1_model
    assert found.note.startswith("No VMAF v1 and no banding.") and "216 × 176" in found.note
    with pytest.raises(EngineError, match=r"at least 216 × 176 px \(tv\).*Leave screen out"):
        compare(source, source, screen="tv")


@pytest.mark.slow
@pytest.mark.parametrize(("size", "screen"), [("216x176", None), ("176x216", None), ("1920x176", None),
                                              ("296x296", "phone"), ("1920x296", "phone")])  # fmt: skip
def test_at_the_least_size_there_is_a_score(tmp_path: Path, size: str, screen: vmaf_v1.Screen | None) -> None:
    for rate in (25, 50):
        source = _pattern(tmp_path / f"{rate}.mkv", size, rate=rate)
        assert 80 < compare(source, source, every=1, screen=screen).pooled["vmaf_v1"] <= 100


@pytest.mark.slow
def test_frames_without_enough_chroma_are_named(clip: Path, tmp_path: Path) -> None:
    small = _made(tmp_path / "small.mkv", clip, "scale=480:272")
    found = compare(_made(tmp_path / "vivid.mkv", small, "eq=saturation=1.5"), small, every=1)
    assert found.pooled["vmaf_v1"] > 98
    assert "saw no colour in 10 of 10 scored frames" in found.note and "delta_e" in found.note
    assert not compare(clip, clip, every=1).note


@pytest.mark.slow
def test_a_failing_model_does_not_cost_the_other_scores(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vmaf_v1, "LEAST_SIDES", dict.fromkeys(vmaf_v1.LEAST_SIDES, (0, 0)))
    tiny = _made(tmp_path / "tiny.mkv", clip, "scale=200:200")  # CAMBI refuses it
    found = compare(tiny, tiny, every=1)
    assert found.pooled["vmaf"] > 90 and "vmaf_v1" not in found.pooled
    assert "Scoring with vmaf_v1.0.16_3d0h failed" in found.note


@pytest.mark.slow
def test_an_ffmpeg_without_the_models_says_what_is_missing(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert libvmaf.has_model("vmaf_v1.0.16_3d0h") and not libvmaf.has_model("vmaf_v1.0.99_3d0h")
    monkeypatch.setattr(libvmaf, "has_model", lambda name: False)
    note = compare(clip, clip, every=5).note
    assert "has no model vmaf_v1.0.16_3d0h. Install one: python -m pip install" in note
    with pytest.raises(EngineError, match="has no model vmaf_v1"):
        compare(clip, clip, screen="phone")


def test_an_unknown_screen_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="screen must be"):
        compare(tmp_path / "none.mp4", tmp_path / "none.mp4", screen="cinema")  # type: ignore[arg-type]


# Flicker


def _still(count: int = 25, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    scene = draw.uniform(60, 180, (72, 128))
    frames = np.repeat(scene[None], count, axis=0) + draw.normal(0, noise, (count, 72, 128))
    return frames.round().clip(0, 255).astype(np.uint8)


def _alternated(frames: np.ndarray, by: int) -> np.ndarray:
    signs = np.where(np.arange(len(frames)) % 2, by, -by)[:, None, None]
    return (frames.astype(int) + signs).clip(0, 255).astype(np.uint8)


def test_alternating_brightness_is_flicker_of_its_step_and_a_clean_copy_has_none() -> None:
    source = _still()
    assert flicker(_alternated(source, 2), source, stretch=25) == pytest.approx(4)
    assert flicker(source, source, stretch=25) == 0
    pop = source.copy()
    pop[12:] += 5  # once in 24 changes
    assert flicker(pop, source, stretch=25) == pytest.approx(5 / math.sqrt(24))


def test_noise_is_not_flicker() -> None:
    source = _still()
    noisy = _still(noise=4)
    assert (flicker(noisy, source, stretch=25) or 0) < 0.15
    both = _alternated(noisy, 2)
    assert flicker(both, source, stretch=25) == pytest.approx(4, rel=0.02)


def test_flicker_that_the_source_has_is_not_counted_and_its_loss_earns_nothing() -> None:
    source = _still()
    unsteady = _alternated(source, 1)  # below the limit of motion
    unsteady[::2] += 1
    assert flicker(unsteady, unsteady, stretch=25) == 0
    assert flicker(source, unsteady, stretch=25) == 0


def test_what_moves_in_the_source_is_left_out() -> None:
    draw = np.random.default_rng(1)
    source = _still()
    source[:, :, 64:] = draw.integers(0, 255, (25, 72, 64))  # the right half moves
    output = source.copy()
    output[:, :, 72:] = draw.integers(0, 255, (25, 72, 56))
    assert flicker(output, source, stretch=25) == 0
    moving = draw.integers(0, 255, (25, 72, 128)).astype(np.uint8)
    assert flicker(moving, moving, stretch=25) is None, "nothing stands still"


def test_stretches_are_not_compared_with_each_other() -> None:
    source = np.concatenate([_still(seed=0), _still(seed=1)])
    brighter = source.copy()
    brighter[25:] += 9
    assert flicker(brighter, source, stretch=25) == 0


@pytest.mark.slow
def test_flicker_of_a_clip_is_measured_in_full_range(clip: Path, tmp_path: Path) -> None:
    still = _made(tmp_path / "still.mkv", clip, "select=eq(n\\,0),loop=24:1,setpts=N/25/TB")
    wave = "geq=lum='lum(X,Y)+if(mod(N,2),2,-2)':cb='cb(X,Y)':cr='cr(X,Y)'"
    assert compare(still, still).pooled["flicker"] == 0
    assert compare(_made(tmp_path / "wave.mkv", still, wave), still).pooled["flicker"] == pytest.approx(
        4 * 255 / 219, rel=0.03
    )
    noisy = compare(_made(tmp_path / "noisy.mkv", still, "noise=c0s=8:c0f=t"), still).pooled
    assert noisy["flicker"] < 0.4
