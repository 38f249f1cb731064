"""Labels of clips: one per clip, and never one for two."""

from __future__ import annotations

import pytest

from ci_notebook.model.clip_labels import ClipIdentity, clip_labels

C = ClipIdentity


@pytest.mark.parametrize(
    ("clips", "labels"),
    [
        ([C("a.mp4", "input/a.mp4", "1"), C("b.mp4", "input/b.mp4", "2")], ["a.mp4", "b.mp4"]),
        ([C("a.mp4", "day1/a.mp4", "1"), C("a.mp4", "day2/a.mp4", "2")], ["day1/a.mp4", "day2/a.mp4"]),
        ([C("a.mp4", "x/1/a.mp4", "1"), C("a.mp4", "y/1/a.mp4", "2")], ["x/1/a.mp4", "y/1/a.mp4"]),
        ([C("a.mp4", "one", "1"), C("a.mp4", "two", "2")], ["a.mp4 (one)", "a.mp4 (two)"]),
        # An object was replaced: one key, two contents.
        ([C("a.mp4", "a.mp4", "1" * 32), C("a.mp4", "a.mp4", "2" * 32)], ["a.mp4 (111111)", "a.mp4 (222222)"]),
        ([C("a.mp4", "", "1" * 32), C("a.mp4", "", "1" * 31 + "2")], [f"a.mp4 ({'1' * 32})", f"a.mp4 ({'1' * 31}2)"]),
        # What lacks a part joins the clip that it can only be.
        ([C("a.mp4", "k", "1"), C("a.mp4", "k"), C("a.mp4"), C("a.mp4", "", "1")], ["a.mp4"] * 4),
        ([C("", "input/a.mp4", "1")], ["a.mp4"]),
        # A name that is the label of another.
        ([C("a", "x/a", "1"), C("a", "y/a", "2"), C("x/a", "", "3")], ["x/a", "y/a", "x/a (2)"]),
        # Two spellings of one name look the same.
        (
            [C("caf\u00e9", "x/caf\u00e9", "1" * 6), C("cafe\u0301", "x/cafe\u0301", "2" * 6)],
            ["caf\u00e9 (111111)", "caf\u00e9 (222222)"],
        ),
        ([], []),
    ],
)
def test_each_clip_has_one_label(clips: list[ClipIdentity], labels: list[str]) -> None:
    assert clip_labels(clips) == labels
    assert clip_labels(clips * 2) == labels * 2
