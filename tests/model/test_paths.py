"""Paths: one name for a parameter, whole or by an ending that means one leaf."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_notebook.model.declaration.paths import leaves, resolve, value_at, values, with_value
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
from ci_notebook.model.setting.transcode import Transcode, Video
from tests import strategies

SINGLE = [leaf for leaf in leaves(VideoEnhance) if leaf.single]


@pytest.mark.parametrize("leaf", SINGLE, ids=str)
def test_every_leaf_is_found_by_its_path(leaf):
    assert resolve(VideoEnhance, leaf.path) is leaf


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("SharpenLevel", "MsSharpen.SharpenLevel"),
        ("Resolution", "SuperResolution.Resolution"),
        ("Video.Codec", "Transcode.Video.Codec"),
        ("Crf", "Transcode.Video.Crf"),
        ("Format", "Transcode.Container.Format"),
    ],
)
def test_an_ending_that_means_one_leaf_is_enough(name, path):
    assert resolve(VideoEnhance, name).path == path


@pytest.mark.parametrize("name", ["Bitrate", "Codec", "Remove"])
def test_an_ending_that_means_several_is_refused_with_all_of_them(name):
    with pytest.raises(ParameterError) as caught:
        resolve(VideoEnhance, name)
    assert f"Transcode.Video.{name}" in str(caught.value)
    assert f"Transcode.Audio.{name}" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "near"), [("SharpenLevl", "SharpenLevel"), ("resolution", "Resolution"), ("fps", "Fps")]
)
def test_a_slip_is_answered_with_the_nearest_names(name, near):
    with pytest.raises(ParameterError, match=rf"Did you mean .*{near}"):
        resolve(VideoEnhance, name)


@pytest.mark.parametrize("name", ["SharpenLevl", "MsSharpen.SharpenLevl", "sharpen_levl", "Bitrat"])
def test_no_two_suggestions_mean_the_same_parameter(name):
    with pytest.raises(ParameterError) as refused:
        resolve(VideoEnhance, name)
    names = str(refused.value).partition("Did you mean ")[2].removesuffix("?").split(" or ")
    meant = [frozenset(leaf.path for leaf in leaves(VideoEnhance) if f".{leaf.path}".endswith(f".{n}")) for n in names]
    assert all(meant) and len(meant) == len(set(meant))


def test_an_empty_name_is_refused():
    for name in ("", ".", "xyzzy", "MsSharpen", "VideoEnhance.MsSharpen.SharpenLevel"):
        with pytest.raises(ParameterError):
            resolve(VideoEnhance, name)


@settings(max_examples=15)
@pytest.mark.parametrize("leaf", SINGLE, ids=str)
@given(data=st.data())
def test_a_value_that_is_set_is_there_and_leaves_again_without_trace(leaf, data):
    value = data.draw(strategies.leaf_values(leaf.part))
    changed = with_value(VideoEnhance(), leaf, value)
    assert value_at(changed, leaf) == value
    assert values(changed) == {leaf.path: value}
    assert with_value(changed, leaf, None) == VideoEnhance()


def test_leaving_out_a_leaf_keeps_its_neighbours():
    setting = VideoEnhance(transcode=Transcode(video=Video(width=1280, crf=23.0)))
    left = with_value(setting, resolve(VideoEnhance, "Width"), None)
    assert left == VideoEnhance(transcode=Transcode(video=Video(crf=23.0)))
    assert value_at(setting, resolve(VideoEnhance, "SharpenLevel")) is None


def test_a_value_out_of_range_is_refused_by_its_path():
    with pytest.raises(ParameterError, match=r"SharpenLevel must be 0 to 10 or AUTO \(got 11\)"):
        with_value(VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5)), resolve(VideoEnhance, "SharpenLevel"), 11)


@pytest.mark.slow
@given(strategies.settings())
def test_the_values_of_a_setting_rebuild_its_leaves(setting):
    rebuilt = VideoEnhance()
    single = {leaf.path: leaf for leaf in SINGLE}
    for path, value in values(setting).items():
        if path in single:
            rebuilt = with_value(rebuilt, single[path], value)
    assert {path: value for path, value in values(setting).items() if path in single} == values(rebuilt)
