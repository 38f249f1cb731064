"""Results are played and taken away: `ci.play`, `lab.video_files`, `runs.download`."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import ci_notebook as ci
from ci_notebook.engine.faults import JobFails
from ci_notebook.lab.playing import video_files
from ci_notebook.lab.playing.video_files import LabVideoFiles, TransferStopped
from ci_notebook.model.errors import NotFound
from tests.support import write_clip, write_sample

pytestmark = pytest.mark.slow
H264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")


@pytest.fixture(scope="module")
def clip(lab: ci.Lab, tmp_path_factory: pytest.TempPathFactory) -> ci.Clip:
    return lab.upload(write_sample(tmp_path_factory.mktemp("clip") / "small.mp4"))


@pytest.fixture(scope="module")
def runs(lab: ci.Lab, clip: ci.Clip) -> ci.Runs:
    return lab.run(clip, ci.grid(None, SharpenLevel=[3, 9]), scores=False)


def never() -> dict[str, Any]:
    return {"cancel": threading.Event(), "report": lambda text, share: None}


def test_runs_are_saved_under_readable_names_and_the_same_call_resumes(runs: ci.Runs, tmp_path: Path) -> None:
    table = runs.download(tmp_path / "out")
    assert [Path(path).name for path in table["path"]] == ["small-SharpenLevel-3.mp4", "small-SharpenLevel-9.mp4"]
    assert [Path(path).stat().st_size for path in table["path"]] == list(table["size_bytes"])
    assert list(table["setting"]) == ["SharpenLevel 3", "SharpenLevel 9"]
    before = [Path(path).stat().st_mtime_ns for path in table["path"]]
    Path(table["path"][1]).unlink()
    again = runs.download(tmp_path / "out")
    assert list(again["path"]) == list(table["path"])
    assert Path(again["path"][0]).stat().st_mtime_ns == before[0]


def test_nothing_is_written_if_one_file_is_in_the_way(runs: ci.Runs, tmp_path: Path) -> None:
    (tmp_path / "small-SharpenLevel-9.mp4").write_bytes(b"mine")
    with pytest.raises(ci.ParameterError, match="other content"):
        runs.download(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["small-SharpenLevel-9.mp4"]
    assert len(runs.download(tmp_path, overwrite=True)) == 2
    with pytest.raises(ci.ParameterError, match=r"is a file\. Choose a folder"):
        runs.download(tmp_path / "small-SharpenLevel-9.mp4")


def test_a_run_without_an_output_is_skipped_by_name(lab: ci.Lab, clip: ci.Clip, tmp_path: Path) -> None:
    assert lab.engine is not None
    lab.engine.faults.add("run_job", JobFails())
    mixed = lab.run(clip, [{"SharpenLevel": 2}, {"SharpenLevel": 4}], scores=False, workers=1)
    table = mixed.download(tmp_path)
    failed = [at for at, run in enumerate(mixed) if not run.ok]
    assert len(failed) == 1
    assert table["path"].isna().tolist() == [at in failed for at in range(2)]
    assert table["problem"][failed[0]] == "The job failed: InternalError: An injected fault."
    assert len(list(tmp_path.iterdir())) == 1


def test_runs_that_know_no_lab_say_what_to_do(runs: ci.Runs, tmp_path: Path) -> None:
    runs.save(tmp_path / "runs.csv")
    with pytest.raises(ci.ParameterError, match=r"Use lab.runs\(\).download"):
        ci.read_runs(tmp_path / "runs.csv").download(tmp_path)


def test_segments_are_saved_together_and_played_as_one(lab: ci.Lab, clip: ci.Clip, tmp_path: Path) -> None:
    setting = {"SharpenLevel": 3, "Transcode.Container.Format": "hls", "Transcode.Video.Codec": "H.264"}
    (run,) = lab.run(clip, setting, scores=False)
    assert run.ok, run.error
    (path,) = map(Path, ci.Runs([run], video_files=lab.video_files).download(tmp_path)["path"])
    assert path.suffix == ".m3u8" and len(list(path.parent.iterdir())) > 1
    played = lab.video_files.playable(run, ["h264"], **never())
    assert played.mime == "video/mp4" and "Proxy: 8-bit H.264" in played.note
    with pytest.raises(ci.ParameterError, match=r"has \d+ files. Save them with job.download"):
        lab.video_files.original(run, **never())


def test_the_page_gets_the_original_if_it_can_play_it_and_else_a_copy(lab: ci.Lab, runs: ci.Runs) -> None:
    original = lab.video_files.playable(runs[0], ["h264", "vp9"], **never())
    assert (original.mime, original.note) == ("video/mp4", "")
    assert original.path == lab.video_files.original(runs[0], **never())
    copy = lab.video_files.playable(runs[0], ["vp9"], **never())
    assert copy.mime == "video/webm"
    assert copy.note.startswith("This browser does not play H264. Proxy: 8-bit VP9 copy")
    written = copy.path.stat().st_mtime_ns
    assert lab.video_files.playable(runs[0], ["vp9"], **never()).path.stat().st_mtime_ns == written, "made once"
    forced = lab.video_files.playable(runs[0], ["h264", "proxy"], **never())
    assert forced.path != original.path and forced.mime == "video/mp4"


def test_a_copy_that_nobody_waits_for_is_stopped(lab: ci.Lab, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.avi", *H264)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(TransferStopped):
        lab.video_files.playable(path, ["h264"], cancel=cancel, report=lambda text, share: None)


def test_a_file_that_is_too_large_for_a_page_is_refused_by_name(
    lab: ci.Lab, runs: ci.Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_files, "MAX_BYTES", 1000)
    with pytest.raises(ci.ParameterError, match=r"small-SharpenLevel-3.mp4 has .* page can take. Save it with runs"):
        lab.video_files.original(runs[0], **never())
    job = lab.job(runs[0].job.job_id)  # type: ignore[union-attr, arg-type]
    with pytest.raises(ci.ParameterError, match=r"Save it with job.download\(\) in a cell"):
        lab.video_files.original(job, **never())
    assert "The original has" in lab.video_files.playable(job, ["h264"], **never()).note


def test_play_names_what_differs_and_needs_no_lab_for_what_is_here(lab: ci.Lab, clip: ci.Clip, runs: ci.Runs) -> None:
    jobs = [lab.job(run.job.job_id) for run in runs]  # type: ignore[union-attr, arg-type]
    for videos, names in (
        ((runs,), ["SharpenLevel 3", "SharpenLevel 9"]),
        ((clip, jobs), ["small.mp4", "SharpenLevel 3", "SharpenLevel 9"]),
        ((jobs[0],), ["small.mp4: SharpenLevel 3"]),
        ((lab, clip, runs[0], "input/small.mp4"), ["small.mp4 (1)", "SharpenLevel 3", "small.mp4 (3)"]),
        ((str(clip.path), clip.path), ["small.mp4 (1)", "small.mp4 (2)"]),
    ):
        view = ci.play(*videos)
        assert [one["name"] for one in view.items] == names
        assert view._repr_html_().count("<img") == len(names)
        view.close()


def test_play_refuses_what_it_cannot_play(lab: ci.Lab, clip: ci.Clip, runs: ci.Runs, tmp_path: Path) -> None:
    stored = ci.Clip(key=clip.key, bucket=clip.bucket, region=clip.region, size_bytes=1)
    for videos, message in (
        ((), "takes 1 to 12 videos"),
        (([clip] * 13,), "takes 1 to 12 videos"),
        ((tmp_path / "no.mp4",), "There is no file"),
        (("input/small.mp4",), r"write ci.play\(lab, key\)"),
        ((stored,), r"not on this machine. Pass the lab that knows it"),
        ((clip, lab), "The lab comes first"),
        ((3,), r"got int"),
    ):
        with pytest.raises(ci.ParameterError, match=message):
            ci.play(*videos)
    with pytest.raises(ci.ParameterError, match="height"):
        ci.play(clip, height=5)
    with pytest.raises(ci.ParameterError, match=r"no keyword 'hight'\. Did you mean 'height'"):
        ci.play(clip, hight=300)  # type: ignore[call-arg]
    (queue,) = lab.queues.list()
    lab.queues.pause(queue)
    try:
        job = lab.submit(clip, {"SharpenLevel": 1})
        with pytest.raises(NotFound, match=r"Call job.wait\(\) first"):
            ci.play(job)
        job.cancel()
    finally:
        lab.queues.resume(queue)


def test_a_broken_file_is_our_error(tmp_path: Path) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"no video")
    files = LabVideoFiles(None, tmp_path / "cache")
    with pytest.raises(ci.EngineError, match="cannot be read as a video"):
        files.playable(path, ["h264"], **never())
    view = ci.play(path)
    assert view._repr_html_() == "<p>broken.mp4</p>"
    view.close()
