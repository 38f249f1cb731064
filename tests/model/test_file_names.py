"""File names of outputs say what differs, are allowed on every file system, and are unique."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.file_names import MAX_NAME_BYTES, NamedOutput, file_names, safe_name

LEVEL, SIZE = "MsSharpen.SharpenLevel", "SuperResolution.Resolution"


def output(clip: str = "holiday.mov", setting: dict[str, object] | None = None, job_id: str = "", key: str = "a.mp4"):
    return NamedOutput(clip=clip, setting=setting or {}, job_id=job_id, key=key)


def test_a_single_output_is_named_by_its_clip_and_setting() -> None:
    assert file_names([output(setting={LEVEL: 5})]) == ["holiday-SharpenLevel-5.mp4"]
    assert file_names([output(setting={LEVEL: AUTO}, key="x/y.MKV")]) == ["holiday-SharpenLevel-AUTO.mkv"]
    assert file_names([output(setting={LEVEL: 5}, key="no-ending")]) == ["holiday-SharpenLevel-5"]


def test_several_outputs_are_named_by_what_differs() -> None:
    settings = [{LEVEL: 3, SIZE: "sdtohd"}, {LEVEL: 9, SIZE: "sdtohd"}, {SIZE: "sdtohd"}]
    assert file_names([output(setting=one) for one in settings]) == [
        "holiday-SharpenLevel-3.mp4", "holiday-SharpenLevel-9.mp4", "holiday-SharpenLevel-left-out.mp4",
    ]  # fmt: skip


def test_an_output_without_parameters_is_never_named_like_its_clip() -> None:
    assert file_names([output(job_id="j-00112233445566")]) == ["holiday-33445566.mp4"]
    assert file_names([output()]) == ["holiday-result.mp4"]


def test_equal_names_get_the_end_of_the_job_id_also_where_letter_case_is_ignored() -> None:
    twice = [output("day1/A.mp4", {LEVEL: 5}, "j1111aaaaaaaa"), output("day2/a.mp4", {LEVEL: 5}, "j2222bbbbbbbb")]
    assert file_names(twice) == ["A-SharpenLevel-5-aaaaaaaa.mp4", "a-SharpenLevel-5-bbbbbbbb.mp4"]
    same = [output(setting={LEVEL: 5})] * 3
    assert file_names(same) == ["holiday-SharpenLevel-5.mp4", "holiday-SharpenLevel-5-2.mp4",
                                "holiday-SharpenLevel-5-3.mp4"]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a/b\\c:d", "a_b_c_d"), ("tab\tnul\0", "tab_nul_"), ("con", "_con"), ("LPT1.mp4", "_LPT1.mp4"),
        ("..", "video"), ("-rf x", "rf x"), ("trailing. ", "trailing"), ("gpj.\u202eexe", "gpj._exe"),
        ("clip\ud800", "clip_"), ("console.mp4", "console.mp4"), ("夏天.mp4", "夏天.mp4"),
    ],
)  # fmt: skip
def test_unsafe_text_becomes_a_safe_name(text: str, name: str) -> None:
    assert safe_name(text) == name


@given(st.lists(st.builds(output, clip=st.text(max_size=200), setting=st.just({LEVEL: 5}), job_id=st.text(max_size=40),
                          key=st.sampled_from(["a.mp4", "b.m3u8", "c", "d.x y"])), min_size=1, max_size=5))  # fmt: skip
def test_every_name_is_allowed_short_and_unique(outputs: list[NamedOutput]) -> None:
    names = file_names(outputs)
    assert len({name.casefold() for name in names}) == len(outputs)
    for name in names:
        assert 0 < len(name.encode()) <= MAX_NAME_BYTES
        assert not set(name) & set('/\\:*?"<>|\0\n') and name == name.strip(" .")
        assert not name.startswith(("-", "."))
