"""A sweep is made of leaves by name, refuses what cannot be sent, and shows only what differs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_notebook.experiment.sweep import Sweep, explicit, grid, one_at_a_time, pairs, random
from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.declaration.paths import leaves, value_at
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import ColorEnhance, MsSharpen, SuperResolution, VideoEnhance
from ci_notebook.model.setting.transcode import Container, Transcode, Video

SHARP = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
MP4 = VideoEnhance(transcode=Transcode(container=Container(format="mp4"), video=Video(codec="H.264")))


def test_a_grid_holds_every_combination_last_leaf_fastest():
    sweep = grid(None, SharpenLevel=[0, 5], Resolution=[None, "sdtohd"])
    shown = [(s.ms_sharpen.sharpen_level, s.super_resolution and s.super_resolution.resolution) for s in sweep]
    assert shown == [(0, None), (0, "sdtohd"), (5, None), (5, "sdtohd")]


def test_dotted_names_distinguish_leaves():
    sweep = grid(MP4, **{"Video.Bitrate": [1000, 2000]})
    assert [s.transcode.video.bitrate for s in sweep] == [1000, 2000]
    assert sweep.varies == ("Transcode.Video.Bitrate",)


def test_an_ambiguous_name_is_refused_with_the_leaves_it_could_mean():
    with pytest.raises(ParameterError, match=r"Transcode\.Video\.Bitrate, Transcode\.Audio\.Bitrate"):
        grid(MP4, Bitrate=[1000])


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ParameterError, match="SharpenLevel"):
        grid(None, SharpnessLevel=[1])


def test_none_leaves_the_leaf_out_and_its_container_with_it():
    assert list(grid(SHARP, SharpenLevel=[None])) == [VideoEnhance()]
    assert list(grid(None, SharpenLevel=[None, AUTO])) == [
        VideoEnhance(),
        VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=AUTO)),
    ]


def test_leaving_out_the_leaf_a_node_cannot_do_without_leaves_the_node_out():
    base = VideoEnhance(super_resolution=SuperResolution(resolution="sdtohd", version="Base"))
    assert list(grid(base, Resolution=[None, "hdto4k"])) == [
        VideoEnhance(),
        VideoEnhance(super_resolution=SuperResolution(resolution="hdto4k", version="Base")),
    ]


def test_equal_settings_are_kept_once():
    sweep = grid(None, Resolution=[None, "sdtohd"], Version=["Base", "Enhance"], SharpenLevel=[5, 5])
    assert len(sweep) == 3


def test_a_whole_stage_is_named_by_its_tag():
    sweep = grid(None, MsSharpen=[None, MsSharpen(), MsSharpen(sharpen_level=3)])
    assert [s.ms_sharpen for s in sweep] == [None, MsSharpen(), MsSharpen(sharpen_level=3)]
    assert sweep.varies == ("MsSharpen", "MsSharpen.SharpenLevel")


def test_a_single_value_means_a_list_of_one():
    assert grid(None, SharpenLevel=5) == grid(None, SharpenLevel=[5])
    assert grid(None, Resolution="sdtohd", SharpenLevel=range(3)).varies == ("MsSharpen.SharpenLevel",)


@pytest.mark.parametrize(
    ("leaves_and_values", "said"),
    [
        ({"SharpenLevel": [5, 11]}, "MsSharpen.SharpenLevel must be 0 to 10 or AUTO (got 11)"),
        ({"SharpenLevel": ["5"]}, "MsSharpen.SharpenLevel must be 0 to 10 or AUTO (got '5')"),
        ({"SharpenLevel": []}, "at least one value"),
        (
            {"Crf": [20]},
            "Transcode.Container is missing; it must be a node with Format. Set Transcode.Container.Format.",
        ),
        ({"Transcode.Video.Bitrate": [500]}, "Set Transcode.Container.Format."),
        ({"SharpenLevel": [1], "MsSharpen.SharpenLevel": [2]}, "listed twice"),
        ({"AudioMixArray.Replace": [True]}, "can be repeated"),
    ],
)
def test_a_setting_that_cannot_be_sent_is_refused_at_once(leaves_and_values, said):
    with pytest.raises(ParameterError, match=re.escape(said)):
        grid(None, **leaves_and_values)


def test_an_invalid_setting_is_refused():
    with pytest.raises(ParameterError, match="VideoEnhance settings and templates, not str"):
        explicit(["SharpenLevel"])


def test_one_at_a_time_begins_with_the_base():
    sweep = one_at_a_time(SHARP, SharpenLevel=[3, 5], Contrast=[AUTO])
    assert list(sweep) == [
        SHARP,
        VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=3)),
        VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5), color_enhance=ColorEnhance(contrast=AUTO)),
    ]


def test_pairs_are_side_by_side_at_every_point():
    sweep = pairs(VideoEnhance(), SHARP, Resolution=["sdtohd", "hdto4k"])
    assert [bool(s.ms_sharpen) for s in sweep] == [False, True, False, True]
    assert [s.super_resolution.resolution for s in sweep] == ["sdtohd", "sdtohd", "hdto4k", "hdto4k"]


def test_a_seed_draws_the_same_settings_again():
    drawn = random(
        MP4, 6, seed=7, SharpenLevel=(0, 10), Crf=(18.0, 30.0), Width=(640, 801), Resolution=[None, "sdtohd"]
    )
    assert len(drawn) == 6
    assert drawn == random(
        MP4, 6, seed=7, SharpenLevel=(0, 10), Crf=(18.0, 30.0), Width=(640, 801), Resolution=[None, "sdtohd"]
    )
    assert all(s.transcode.video.width % 2 == 0 for s in drawn)


def test_a_small_grid_gives_a_small_draw():
    assert len(random(None, 50, SharpenLevel=[1, 2])) == 2


def test_sweeps_add_and_slice():
    sweep = grid(None, SharpenLevel=[0, 5, 10])
    assert sweep[:2] + sweep[1:] == sweep
    assert sweep[0] == VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=0))


def test_the_reprs_show_only_what_differs_and_escape():
    sweep = grid(MP4, SharpenLevel=[None, 5])
    assert repr(sweep) == "<Sweep of 2 settings over MsSharpen.SharpenLevel>"
    html = sweep._repr_html_()
    assert html.count("Transcode.Container.Format") == 1
    assert "left out" in html
    crop = grid(MP4, **{"AudioMix.AudioSource": ["<script>", "b"]})._repr_html_()
    assert "<script>" not in crop
    assert "&lt;script&gt;" in crop


def test_an_empty_sweep_shows_itself():
    assert repr(Sweep([])) == "<Sweep of 0 settings>"
    assert "0 settings" in Sweep([])._repr_html_()


@given(st.data())
def test_every_single_leaf_can_be_swept(data):
    leaf = data.draw(st.sampled_from([leaf for leaf in leaves(VideoEnhance) if leaf.single]))
    part, param = leaf.part, leaf.part.param
    plain = {bool: True, str: "64:64:0:0" if param.pattern else "text"}
    value = part.choices[0] if part.choices else plain.get(part.kind, int(param.low or param.above or 0) + 2)
    base = (
        VideoEnhance(super_resolution=SuperResolution(resolution="sdtohd")) if leaf.stage == "SuperResolution" else MP4
    )
    try:
        sweep = grid(base, **{leaf.path: [None, value]})
    except ParameterError as refused:
        # A lone leaf of a node with required leaves, or one that needs another codec, cannot be sent.
        assert "is missing" in str(refused) or "Codec" in str(refused)
        return
    assert value_at(sweep[-1], leaf) == value
