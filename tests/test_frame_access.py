"""Any video that a lab can point at opens by picture numbers, and is fetched once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import ci_notebook as ci
from ci_notebook.model.errors import NotFound
from tests.frame_numbers import counting_clip, number_in


@pytest.mark.slow
def test_clips_jobs_runs_keys_and_files_open_by_numbers(tmp_path: Path) -> None:
    path = counting_clip(tmp_path / "count.mp4", pictures=10, size="160x96")
    with ci.connect(home=tmp_path / "home") as lab:
        clip = lab.upload(path)
        job = lab.submit(clip, ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=2))).wait()
        runs = lab.run(clip, ci.grid(None, SharpenLevel=[4]), scores=False)
        assert runs[0].output is None, "nothing was downloaded for a score"
        for video in (clip, replace(clip, path=None), job, runs[0], clip.key, path):
            with lab.frames(video) as frames:
                assert [number_in(frames[number]) for number in (0, 9, 4)] == [0, 9, 4]
        held = sorted(lab.cache_dir.glob("*.mp4"))
        with lab.frames(job), runs.open_video(runs[0]):
            assert sorted(lab.cache_dir.glob("*.mp4")) == held, "what is here is not fetched again"
        view = ci.CompareView(runs)
        assert [side["name"] for side in view.sides] == ["source", "SharpenLevel 4"]
        view.close()
        with pytest.raises(NotFound):
            lab.frames("input/nothing.mp4")
        with pytest.raises(FileNotFoundError):
            lab.frames(tmp_path / "nothing.mp4")
        with pytest.raises(NotFound, match="has no output"):
            lab.frames(replace(runs[0], job=None))


def test_runs_that_were_read_from_a_file_say_that_they_know_no_lab(tmp_path: Path) -> None:
    with pytest.raises(ci.ParameterError, match=r"Use lab\.frames"):
        ci.Runs([]).open_video("input/clip.mp4")


def test_the_old_name_of_open_video_works_and_warns() -> None:
    runs = ci.Runs([], open_video=lambda video: f"frames of {video}")
    with pytest.warns(DeprecationWarning, match=r"Runs\.open_video\(video\)"):
        assert runs.frames("clip.mp4") == "frames of clip.mp4" == runs.open_video("clip.mp4")
