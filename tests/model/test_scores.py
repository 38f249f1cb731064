"""Scores are declared once, and a misspelt one is recognised."""

from __future__ import annotations

import pytest

from ci_notebook.model.errors import ParameterError
from ci_notebook.model.score_alignment import Alignment
from ci_notebook.model.scores import (
    COSTS,
    HEADLINES,
    MAIN,
    SCORE,
    SCORES,
    check_score,
    main_score,
    scale_of,
    score_names,
    with_differences,
)


def test_every_score_has_a_help_a_source_and_a_label() -> None:
    assert len(SCORE) == len(SCORES)
    assert all(score.help.endswith(".") and score.source.endswith(".") and score.label for score in SCORES)


def test_a_worth_goes_with_a_number_that_is_read_as_better_or_as_a_share() -> None:
    assert all(scale.worth > 0 for scale in (*SCORES, *COSTS.values()) if scale.better or scale.is_share)


def test_pooled_numbers_tell_the_bad_end() -> None:
    assert list(SCORE["vmaf"].pooled) == ["vmaf_hmean", "vmaf_p5", "vmaf_worst"]
    assert list(SCORE["banding"].pooled) == ["banding_p95", "banding_worst"]
    assert list(SCORE["delta_e"].pooled) == ["delta_e_p95", "delta_e_worst"]
    assert not SCORE["sharpness"].pooled
    assert set(SCORE) < set(score_names())


def test_the_headline_is_the_most_telling_score_that_is_there() -> None:
    assert main_score(list(SCORE)) == "vmaf_v1"
    assert main_score(["psnr", "vmaf", "vmaf_neg"]) == MAIN == "vmaf_neg"
    assert main_score(["sharpness", "ssim"]) == "ssim"
    assert main_score([]) == ""
    assert [score.headline for score in HEADLINES] == list(range(1, len(HEADLINES) + 1))


def test_the_difference_of_two_scores_is_added_where_both_are_known() -> None:
    assert with_differences({"vmaf": 95.0, "vmaf_neg": 90.0})["vmaf_minus_neg"] == 5.0
    assert with_differences({"vmaf": 95.0}) == {"vmaf": 95.0}
    assert with_differences({"vmaf": 95.0, "vmaf_neg": 90.0, "vmaf_minus_neg": 4.0})["vmaf_minus_neg"] == 4.0


def test_shares_are_compared_by_their_ratio() -> None:
    size = scale_of("size_bytes")
    assert size.displayed(size.difference(100, 110)) == pytest.approx(10)
    assert scale_of("psnr").difference(40, 38) == -2
    assert scale_of("what_nobody_measures").worth == 0


def test_a_misspelt_score_is_told_what_was_meant_and_what_there_is() -> None:
    with pytest.raises(ParameterError, match=r"No score is called 'vmaf_ng'. Did you mean vmaf_neg") as caught:
        check_score("vmaf_ng", ["size_bytes"])
    assert "The scores are psnr, ssim, xpsnr, vmaf, vmaf_neg" in str(caught.value)
    assert str(caught.value).endswith("si, ti, size_bytes.")
    check_score("vmaf_p5")
    check_score("size_bytes", ["size_bytes"])


@pytest.mark.parametrize(
    ("alignment", "text"),
    [
        (
            Alignment(fps=25, width=1280, height=720, scale_x=2.0, scale_y=2.0),
            "no time offset, whole frames, compared at 1280×720 px, 25 frames/s (source scaled by 2)",
        ),
        (
            Alignment(offset_frames=-2, offset_s=-0.08, start_s=1.5, rotation=90, fps=25, width=64, height=64),
            "source from 1.5 s, first 2 frames of the output skipped (0.08 s), source rotated by 90°, whole frames, "
            "compared at 64×64 px, 25 frames/s (source not scaled)",
        ),
        (
            Alignment(offset_frames=1, offset_s=0.04, source_crop=(0, 0.125, 1, 0.75)),
            "first 1 frame of the source skipped (0.04 s), source cropped to 100.0 % × 75.0 % at 0.0 %, 12.5 %",
        ),
    ],
)
def test_an_alignment_reads_as_a_sentence_and_comes_back_from_json(alignment: Alignment, text: str) -> None:
    assert str(alignment) == text
    assert Alignment.of({**alignment.as_dict(), "from_a_later_version": 1}) == alignment
