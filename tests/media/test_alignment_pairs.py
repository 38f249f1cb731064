"""Made pairs with known truth: each is scored rightly, or refused with the reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ci_notebook.media.probe import first_video, media_info, upright_size
from ci_notebook.media.scoring.score import compare
from ci_notebook.model.errors import EngineError
from ci_notebook.model.score_alignment import Box as Shares
from tests.media.alignment_pairs import PAIRS, Box, MadePair, make_pair


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all made clips, so that each base is made once."""
    return tmp_path_factory.mktemp("pairs")


def pixels(box: Shares | None, path: Path) -> Box | None:
    """Return a part of a clip's frames in px."""
    if box is None:
        return None
    width, height = upright_size(first_video(media_info(path)))
    left, top, wide, high = (round(one * size) for one, size in zip(box, (width, height, width, height), strict=True))
    return left, top, wide, high


@pytest.mark.slow
@pytest.mark.parametrize("pair", [pytest.param(one, id=one.id) for one in PAIRS])
def test_a_made_pair_is_scored_as_it_was_made_or_refused_with_the_reason(pair: MadePair, folder: Path) -> None:
    output, source = make_pair(pair, folder)
    if pair.refused:
        with pytest.raises(EngineError, match=pair.refused) as caught:
            compare(output, source, every=25)
        assert len(re.findall(r"[.] ", str(caught.value))) <= 4  # the reason and the remedy, in plain sentences
        return
    found = compare(output, source, every=25)
    assert found.alignment is not None
    assert found.alignment.offset_frames == pair.offset
    assert pixels(found.alignment.source_crop, source) == pair.source
    assert pixels(found.alignment.output_crop, output) == pair.output
    assert pair.psnr is None or found.pooled["psnr"] > pair.psnr
    assert ("0 to 255" in found.note) == bool(pair.note)


@pytest.mark.slow
def test_colors_of_all_scored_frames_are_compared_not_those_of_the_first_one_again(folder: Path) -> None:
    """FFmpeg fills the gaps between selected frames of raw video, unless it is told not to."""
    late = MadePair("gray from the middle", "raccoon", "hue=s=0:enable='gte(t,1)'")
    output, source = make_pair(late, folder)
    values = compare(output, source, every=10).pictures["delta_e"]
    assert len(values) == 5
    assert max(values[:2]) < min(values[3:]) / 3
