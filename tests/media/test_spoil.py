"""A clip is spoilt by what was asked for, by that much, and by nothing else."""

import pytest

from ci_notebook.media.probe import first_video, media_info
from ci_notebook.media.samples import sample
from ci_notebook.media.scoring.no_reference import luma_of, noise
from ci_notebook.media.snapshot import picture
from ci_notebook.media.spoil import spoil
from ci_notebook.model.errors import ParameterError

GOOD = sample("portrait")


@pytest.mark.slow
def test_it_is_smaller_and_has_fewer_pictures(tmp_path):
    video = first_video(media_info(spoil(GOOD, tmp_path / "a.mp4", shrink=2, fps=12.5, crf=30)))
    assert (video.width, video.height, video.fps) == (240, 136, 12.5)


@pytest.mark.slow
def test_grain_is_as_strong_as_it_was_asked_for(tmp_path):
    grains = [noise(luma_of(picture(spoil(GOOD, tmp_path / f"{n}.mp4", noise=n), 1.0))) for n in (0, 5, 10, 20)]
    assert grains == sorted(grains)
    assert grains[2] == pytest.approx(10, abs=1.5)


@pytest.mark.slow
def test_a_warm_cast_takes_blue_away_and_a_cool_one_red(tmp_path):
    red, _, blue = picture(GOOD, 1.0).mean(axis=(0, 1))
    for cast, is_warm in (("warm", True), ("cool", False)):
        r, _, b = picture(spoil(GOOD, tmp_path / f"{cast}.mp4", cast=cast), 1.0).mean(axis=(0, 1))
        assert (r / b > red / blue) == is_warm


@pytest.mark.slow
def test_the_same_call_writes_the_same_bytes(tmp_path):
    one, other = (spoil(GOOD, tmp_path / name, shrink=2, noise=4, dim=0.2).read_bytes() for name in ("a.mp4", "b.mp4"))
    assert one == other


@pytest.mark.parametrize("wrong", [{"shrink": 9}, {"shrink": 6}, {"crf": 60}, {"cast": "green"}, {"dim": 0.9}])
def test_unsupported_ways_to_spoil_are_refused_before_anything_is_written(tmp_path, wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        spoil(GOOD, tmp_path / "a.mp4", **wrong)
    assert not list(tmp_path.iterdir())
