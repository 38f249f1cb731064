"""Two clips of one name, replaced objects and changed files: each run and view is of its own clip."""

from __future__ import annotations

import warnings
from concurrent import futures
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ci_notebook as ci
from ci_notebook.client import objects
from ci_notebook.client.objects import StoredObject
from ci_notebook.engine.storage.crc64 import Crc64
from ci_notebook.model.api.jobs import Input, JobsDetail
from ci_notebook.model.errors import NotFound, ParameterError
from ci_notebook.results.charts.pareto import compute_pareto
from ci_notebook.widgets.compare.sides import sides_of
from ci_notebook.widgets.monitor.job_list import JobList
from tests.results.sample_runs import made
from tests.support import write_clip

BRIGHT, DARK = "lutyuv=y=val/4+150", "lutyuv=y=val/4"
SHARP = ci.grid(None, SharpenLevel=[0])


def written(path: Path, look: str = BRIGHT) -> Path:
    """Write a small clip that is all bright or all dark."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_clip(path, "-vf", look, "-c:v", "libx264", "-crf", "10", "-pix_fmt", "yuv420p", size="96x64")


def brightness(lab: ci.Lab, video: Any) -> float:
    with lab.frames(video) as frames:
        return float(np.asarray(frames[0]).mean())


@pytest.fixture
def days(tmp_path: Path) -> tuple[Path, Path]:
    return written(tmp_path / "day1" / "0001.mp4"), written(tmp_path / "day2" / "0001.mp4", DARK)


def uploaded(lab: ci.Lab, days: tuple[Path, Path]) -> list[ci.Clip]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return [lab.upload(path) for path in days]


@pytest.mark.slow
def test_two_files_of_one_name_become_two_clips_and_a_line_says_so(lab: ci.Lab, days: tuple[Path, Path]) -> None:
    first = lab.upload(days[0])
    with pytest.warns(
        UserWarning, match=r"input/0001.mp4 has other content, so this 0001.mp4 is stored as input/0001-"
    ):
        second = lab.upload(days[1])
    assert (first.key, first.name) == ("input/0001.mp4", "0001.mp4")
    assert second.key == f"input/0001-{second.md5[:8]}.mp4"
    assert second.name == Path(second.key).name
    sent: list[str] = []
    lab.client.upload, upload = lambda *a, **k: sent.append(a), lab.client.upload  # type: ignore[method-assign,assignment]
    with pytest.warns(UserWarning, match="is stored as"):
        assert lab.upload(days[1]) == second
    lab.client.upload = upload  # type: ignore[method-assign]
    assert not sent
    runs = lab.run([first, second], SHARP, every=1)
    assert [run.ok for run in runs] == [True, True]
    for clip, run in zip((first, second), runs, strict=True):
        assert abs(brightness(lab, clip) - brightness(lab, run)) < 5
    spoiled = [lab.spoil(clip, crf=45) for clip in (first, second)]
    assert len({one.key for one in spoiled}) == 2
    assert abs(brightness(lab, spoiled[1]) - brightness(lab, second)) < 8


@pytest.mark.slow
def test_a_folder_for_the_key_keeps_clips_apart_too(lab: ci.Lab, days: tuple[Path, Path]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        clips = [lab.upload(path, "reference/") for path in days]
    assert clips[0].key == "reference/0001.mp4"
    assert clips[1].key.startswith("reference/0001-")


@pytest.mark.slow
def test_a_clip_whose_key_was_given_to_another_file_is_refused(lab: ci.Lab, days: tuple[Path, Path]) -> None:
    old = lab.upload(days[0], "mine/a.mp4")
    (first,) = lab.run(old, SHARP, scores=False)
    with pytest.warns(UserWarning, match=r"mine/a.mp4 had other content, which 0001.mp4 has replaced"):
        new = lab.upload(days[1], "mine/a.mp4")
    days[0].unlink()
    for call in (
        lambda: lab.run([old, new], ci.grid(None, SharpenLevel=[7])),
        lambda: lab.submit(old, ci.VideoEnhance()),
        lambda: lab.look(old),
    ):
        with pytest.raises(ParameterError, match=r"mine/a.mp4 has other content than 0001.mp4"):
            call()
    with pytest.raises(ci.CIError, match=r"mine/a.mp4 has changed.*has changed since it was uploaded.*lab.upload"):
        lab.frames(old)
    (second,) = lab.run(new, SHARP, scores=False)
    assert first.key != second.key
    assert abs(brightness(lab, second) - brightness(lab, new)) < 5


@pytest.mark.slow
def test_a_file_that_changed_after_its_upload_is_not_taken_for_it(lab: ci.Lab, tmp_path: Path) -> None:
    path = written(tmp_path / "take.mp4")
    clip = lab.upload(path)
    before, frame = brightness(lab, clip), lab.preview(clip, {"SharpenLevel": 2})
    written(path, DARK)
    assert abs(brightness(lab, clip) - before) < 1
    assert lab.preview(clip, {"SharpenLevel": 2}) == frame
    runs = lab.run(clip, ci.grid(None, SharpenLevel=[0, 1]), every=1)
    assert min(run.scores["psnr"] for run in runs) > 35
    assert path not in runs.sources.values()
    view = ci.CompareView(runs)
    view.close()
    assert abs(brightness(lab, runs.source_of(runs[0])) - before) < 1
    shown: list[Path] = []
    runs.report(tmp_path / "r.html", snapshot=lambda file, at, width: shown.append(file) or b"")  # type: ignore[func-returns-value]
    assert path not in shown
    assert len(shown) == 3  # the stored object in its place, and two outputs
    assert "source</label>" in (tmp_path / "r.html").read_text("utf-8")


@pytest.mark.slow
def test_a_file_that_was_only_touched_is_used_as_it_is(lab: ci.Lab, tmp_path: Path) -> None:
    path = written(tmp_path / "touched.mp4")
    clip = lab.upload(path)
    path.touch()
    with lab.frames(clip) as frames:
        assert len(frames) > 0
    assert lab.run(clip, SHARP, every=1).sources == {clip.key: path}


def test_an_object_of_parts_is_known_by_its_size_and_crc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"some video")
    sender: Any = type("S", (), {"bucket": "b-1", "region": "r"})()
    stored = {
        "input/a.mp4": StoredObject(key="input/a.mp4", size_bytes=10, etag="x-2", crc64=str(Crc64(b"some video")))
    }

    def head(_: Any, key: str) -> StoredObject:
        if key in stored:
            return stored[key]
        raise NotFound("NoSuchKey", "")

    monkeypatch.setattr(objects, "head", head)
    monkeypatch.setattr(objects, "upload", lambda s, source, key, on_progress: StoredObject(
        key=key, size_bytes=10, md5=objects.known_md5(source)))  # fmt: skip
    options: dict[str, Any] = {"apart": True, "crc64_of": lambda one: str(Crc64(one.read_bytes()))}
    assert objects.upload_clip(sender, path, "input/a.mp4", **options).key == "input/a.mp4"
    path.write_bytes(b"other vide")
    assert objects.upload_clip(sender, path, "input/a.mp4", **options).key.startswith("input/a-")


def renamed(runs: list[ci.Run], name: str) -> list[ci.Run]:
    return [replace(run, clip=name) for run in runs]


def test_charts_and_tables_count_clips_of_one_name_as_two() -> None:
    runs = renamed(made(), "0001.mp4")
    df = ci.to_frame(runs)
    assert list(dict.fromkeys(df["clip"])) == ["0001.mp4 (city.mp4)", "0001.mp4 (sea.mp4)"]
    assert df.groupby("clip")["clip_md5"].nunique().tolist() == [1, 1]
    joined = pd.concat([ci.to_frame(runs[:4]), ci.to_frame(runs[4:])], ignore_index=True)
    assert joined["clip"].nunique() == 1  # each table alone had nothing to tell apart
    for data in (runs, df, joined):
        assert set(ci.compute_response(data, "SharpenLevel", "vmaf_neg")["clips"]) == {2}
        assert len(ci.compute_response(data, "SharpenLevel", "vmaf_neg", hue="clip")) == 8
        assert compute_pareto(data, hue="clip")["clip"].nunique() == 2
    assert len(ci.Runs(runs).where("0001.mp4 (sea.mp4)")) == 4
    assert len(ci.Runs(runs).where("0001.mp4")) == 8


def test_a_saved_table_still_knows_the_contents(tmp_path: Path) -> None:
    runs = ci.Runs(renamed(made(), "0001.mp4"))
    read = ci.read_runs(runs.save(tmp_path / "runs.csv"))
    assert [run.clip_md5 for run in read] == [run.clip_md5 for run in runs]
    assert len(set(read.to_frame()["clip"])) == 2
    assert len(ci.verdict(read, "SharpenLevel", 0, 6, on="vmaf_neg").clips) == 2


def test_a_report_speaks_of_both_clips(tmp_path: Path) -> None:
    page = ci.Runs(renamed(made(), "0001.mp4")).report(tmp_path / "r.html").read_text("utf-8")
    assert "2 clips: 0001.mp4 (city.mp4) and 0001.mp4 (sea.mp4)" in page


@pytest.mark.slow
def test_threads_that_upload_files_of_one_name_get_keys_of_their_own(lab: ci.Lab, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}" / "many.mp4" for number in range(6)]
    for number, path in enumerate(paths):
        path.parent.mkdir()
        path.write_bytes(bytes([number]) * 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with futures.ThreadPoolExecutor(6) as pool:
            clips = list(pool.map(lab.upload, paths))
    assert len({clip.key for clip in clips}) == 6
    for clip, path in zip(clips, paths, strict=True):
        assert lab.client.read(clip.key) == path.read_bytes()


def test_the_list_of_jobs_calls_clips_of_one_name_by_more_of_their_keys() -> None:
    class Jobs:
        costs_money, currency = False, "CNY"
        found = ("day1/0001.mp4", "other.mp4", "day2/0001.mp4")

        def newest(self, *_: Any, **__: Any) -> list[JobsDetail]:
            return [JobsDetail(job_id=key, state="Success", input=Input(object=key)) for key in self.found]

        def cost(self, _: JobsDetail) -> None: ...

        def expected_s(self, _: JobsDetail) -> None: ...

    reported: list[Any] = []
    port: Any = Jobs()
    port.found = port.found[:2]
    listed = JobList(port, reported.append, since=None, most=10)
    listed.read()
    assert {row["clip"] for row in listed.rows().values()} == {"0001.mp4", "other.mp4"}
    port.found = Jobs.found
    listed.read()
    assert {row["clip"] for row in listed.rows().values()} == {"day1/0001.mp4", "day2/0001.mp4", "other.mp4"}
    assert reported[-1]["rows"]["day1/0001.mp4"] == {"clip": "day1/0001.mp4"}
    count = len(reported)
    listed.read()
    assert len(reported) == count


def test_a_comparison_calls_clips_of_one_name_apart() -> None:
    lab: Any = SimpleNamespace(frames=lambda video: None)
    clips = [ci.Clip(key=f"{day}/0001.mp4", bucket="b", region="r", size_bytes=1, md5=day, name="0001.mp4")
             for day in ("day1", "day2")]  # fmt: skip
    sides, _, _ = sides_of(lab, clips)
    assert [side.clip for side in sides] == ["day1/0001.mp4", "day2/0001.mp4"]
    assert len({side.name for side in sides}) == 2
    runs = renamed(made()[::4], "0001.mp4")
    runs = [replace(run, output=Path("out.mp4")) for run in runs]
    sides, _, _ = sides_of(lab, runs)
    assert [side.video for side in sides if side.is_source] == ["input/city.mp4", "input/sea.mp4"]
