"""The model of VMAF v1 follows size, rate and screen; what is too small is refused in words."""

from __future__ import annotations

import pytest

from ci_notebook.model.errors import ParameterError
from ci_notebook.model.vmaf_v1 import LEAST_SIDES, MODELS, SCREENS, check_screen, choose_model, mixed_models, of_vmaf_v1


@pytest.mark.parametrize(
    ("size", "fps", "screen", "name"),
    [
        ((1920, 1080), 25, "tv", "3d0h"),
        ((640, 360), 29.97, "tv_3h", "3d0h"),
        ((3838, 2158), 25, "tv", "3d0h"),
        ((3840, 2160), 25, "tv", "1d5h_2160"),
        ((2160, 3840), 25, "tv", "1d5h_2160"),
        ((3840, 2160), 25, "tv_3h", "3d0h_2160"),
        ((1080, 1920), 25, "phone", "5d0h"),
        ((1920, 1080), 44, "tv", "3d0h"),
        ((1920, 1080), 50, "tv", "hfr_3d0h"),
        ((3840, 2160), 59.94, "tv", "hfr_1d5h_2160"),
        ((1920, 1080), 60, "phone", "hfr_5d0h"),
        ((216, 176), 25, "tv", "3d0h"),
        ((176, 216), 25, "tv", "3d0h"),
        ((296, 296), 25, "phone", "5d0h"),
    ],
)
def test_size_rate_and_screen_choose_the_model(size: tuple[int, int], fps: float, screen: str, name: str) -> None:
    choice = choose_model(size, fps, screen)
    assert choice.name == f"vmaf_v1.0.16_{name}" and not choice.reason
    assert choice.name in MODELS


@pytest.mark.parametrize(
    ("size", "screen", "reason"),
    [
        ((192, 108), "tv", "VMAF v1 needs frames of at least 216 × 176 px (tv), and these have 192 × 108."),
        ((108, 192), "tv", "VMAF v1 needs frames of at least 176 × 216 px (tv), and these have 108 × 192."),
        ((1920, 174), "tv", "at least 216 × 176 px"),
        ((214, 214), "tv", "at least 216 × 176 px"),
        ((426, 240), "phone", "at least 296 × 296 px (phone)"),
        ((3840, 2160), "phone", "VMAF v1 has no model for a phone and frames of 3840 × 2160 px (4K)."),
    ],
)
def test_without_a_fitting_model_the_reason_names_the_sizes(size: tuple[int, int], screen: str, reason: str) -> None:
    choice = choose_model(size, 25, screen)
    assert not choice.name and reason in choice.reason


def test_no_model_is_ever_chosen_for_frames_at_which_it_crashed() -> None:
    crashed = {"3d0h": 159, "1d5h_2160": 159, "5d0h": 265, "3d0h_2160": 317}
    assert all(LEAST_SIDES[name][0] > 1.09 * side for name, side in crashed.items())
    assert all(long >= 216 for _, long in LEAST_SIDES.values()), "CAMBI refuses smaller ones"


def test_an_unknown_screen_is_refused() -> None:
    with pytest.raises(ParameterError, match='screen must be "tv" or "tv_3h" or "phone"'):
        check_screen("cinema")
    for screen in (None, *SCREENS):
        check_screen(screen)


def test_only_numbers_of_one_model_compare() -> None:
    assert of_vmaf_v1("vmaf_v1") and of_vmaf_v1("vmaf_v1_worst") and not of_vmaf_v1("vmaf_neg")
    assert not mixed_models(["", "vmaf_v1.0.16_3d0h", "vmaf_v1.0.16_3d0h"])
    said = mixed_models(["vmaf_v1.0.16_3d0h", "vmaf_v1.0.16_1d5h_2160"])
    assert "vmaf_v1.0.16_1d5h_2160, vmaf_v1.0.16_3d0h" in said and "whose scores cannot be compared" in said
