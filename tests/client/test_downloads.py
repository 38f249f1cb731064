"""Outputs of jobs become files: under readable names, whole, checked, and never over another file without a word."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from pathlib import Path

import pytest

from ci_notebook.client.file_cache import ContentChanged, FileCache
from ci_notebook.client.job import Job
from ci_notebook.client.outputs.download import Downloads
from ci_notebook.model.api.jobs import Md5Info, MediaResult, OutputFile, output_md5
from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.errors import NotFound, ParameterError
from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
from tests.client.fake_cloud import BUCKET, REGION

SETTING = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
VIDEO = b"video" * 1000


def finished(job, files: dict[str, bytes]):
    made = OutputFile(
        bucket=BUCKET, region=REGION, object_name=tuple(files), object_prefix="out/",
        md5_info=tuple(
            Md5Info(object_name=f"out/{name}", md5=hashlib.md5(data).hexdigest()) for name, data in files.items()
        ),
    )  # fmt: skip
    operation = dataclasses.replace(job.operation, media_result=MediaResult(output_file=made))
    return dataclasses.replace(job, state="Success", progress=100, operation=operation)


@pytest.fixture
def job_with(client, cloud):
    """Return a finished job with some outputs."""

    def make(files: dict[str, bytes]) -> Job:
        job = Job(client, client.submit(enhance_request("input/holiday.mov", SETTING, bucket=BUCKET, region=REGION)))
        cloud.jobs["j1"] = finished(cloud.jobs["j1"], files)
        cloud.objects |= {f"out/{name}": data for name, data in files.items()}
        return job

    return make


@pytest.fixture
def job(job_with) -> Job:
    return job_with({"a-j1.mp4": VIDEO})


def test_a_folder_gets_a_readable_name_and_a_file_its_own(job, tmp_path, monkeypatch):
    assert job.download(tmp_path) == tmp_path / "holiday-SharpenLevel-5.mp4"
    assert job.download(f"{tmp_path}/new/") == tmp_path / "new" / "holiday-SharpenLevel-5.mp4"
    assert job.download(tmp_path / "deep" / "x.mp4").read_bytes() == VIDEO
    monkeypatch.chdir(tmp_path)
    assert job.download() == tmp_path / "holiday-SharpenLevel-5.mp4"


def test_a_job_that_ended_since_it_was_read_is_read_again(job, tmp_path):
    assert job.state == "Submitted"
    assert job.download(tmp_path).read_bytes() == VIDEO


def test_the_same_file_is_left_as_it_is_and_another_is_not_replaced_without_a_word(job, cloud, tmp_path):
    path = job.download(tmp_path)
    before = path.stat().st_mtime_ns
    cloud.calls.clear()
    assert job.download(tmp_path) == path
    assert (path.stat().st_mtime_ns, cloud.calls) == (before, [])
    path.write_bytes(b"mine")
    with pytest.raises(ParameterError, match=r"other content\. Pass overwrite=True"):
        job.download(path)
    assert path.read_bytes() == b"mine"
    assert job.download(path, overwrite=True).read_bytes() == VIDEO


def test_without_an_md5_from_the_service_the_stored_object_decides(job_with, cloud, tmp_path):
    job = job_with({"a.mp4": VIDEO})
    job.refresh()
    made = dataclasses.replace(job.detail.operation.media_result.output_file, md5_info=())
    operation = dataclasses.replace(job.detail.operation, media_result=MediaResult(output_file=made))
    job.detail = dataclasses.replace(job.detail, operation=operation)
    path = job.download(tmp_path / "a.mp4")
    assert job.download(path) == path
    path.write_bytes(b"x" * len(VIDEO))
    with pytest.raises(ParameterError, match="other content"):
        job.download(path)


def test_a_replaced_object_is_refused_and_leaves_no_file(job, cloud, tmp_path):
    cloud.objects["out/a-j1.mp4"] = b"another"
    with pytest.raises(ContentChanged, match="changed since the job ended"):
        job.download(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_job_without_an_output_says_what_to_do(client, cloud, tmp_path):
    job = Job(client, client.submit(enhance_request("input/a.mp4", SETTING, bucket=BUCKET, region=REGION)))
    with pytest.raises(NotFound, match=r"no output yet; its state is Submitted. Hint: Call job.wait\(\) first"):
        job.download(tmp_path)
    cloud.jobs["j1"] = dataclasses.replace(cloud.jobs["j1"], state="Failed", code="NoVideo", message="no video.")
    with pytest.raises(NotFound, match=r"because it failed \(NoVideo: no video\)"):
        job.download(tmp_path)


def test_a_file_in_the_cache_is_copied_and_a_damaged_one_is_not(job, client, cloud, tmp_path):
    client.downloads = Downloads(cache=FileCache(tmp_path / "cache"))
    cached = client.downloads.cache.fetch(client, "out/a-j1.mp4", md5=hashlib.md5(VIDEO).hexdigest())
    job.refresh()
    cloud.calls.clear()
    path = job.download(tmp_path / "a.mp4")
    assert cloud.calls == []
    path.write_bytes(b"edited")
    assert cached.read_bytes() == VIDEO, "the user's copy is a copy"
    cached.write_bytes(b"damaged")
    assert job.download(tmp_path / "b.mp4").read_bytes() == VIDEO
    assert cloud.calls == ["get_object"]


def test_progress_goes_to_the_bar_or_to_the_caller(job, client, tmp_path):
    seen = []

    @contextlib.contextmanager
    def bar(label):
        seen.append(label)
        yield lambda received, size: seen.append((received, size))

    client.downloads = Downloads(bar=bar)
    job.download(tmp_path / "a.mp4")
    assert seen == ["Downloading a.mp4", (len(VIDEO), len(VIDEO))]
    mine = []
    job.download(tmp_path / "b.mp4", on_progress=lambda received, size: mine.append(received))
    assert (mine, len(seen)) == ([len(VIDEO)], 2)


def test_an_output_of_several_files_needs_a_folder_and_keeps_its_names(job_with, tmp_path):
    files = {"a.m3u8": b"#EXTM3U\na-0.ts\n", "a-0.ts": b"0", "parts/a-1.ts": b"1"}
    job = job_with(files)
    with pytest.raises(ParameterError, match=r"HLS in 3 files, so it cannot be saved as x.mp4. Give a folder"):
        job.download(tmp_path / "x.mp4")
    folder = tmp_path / "holiday-SharpenLevel-5"
    assert job.download(tmp_path) == folder / "a.m3u8"
    assert {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")} == files
    assert job.download(tmp_path / "own").parent == tmp_path / "own"


@pytest.mark.parametrize("name", ["../up.ts", "a:b.ts", "x/../../y.ts", "con.ts"])
def test_a_name_from_the_service_never_leaves_the_folder(job_with, tmp_path, name):
    job = job_with({"a.m3u8": b"#EXTM3U", name: b"0"})
    with pytest.raises(ParameterError, match="cannot be saved under its own name"):
        job.download(tmp_path / "into")
    assert not (tmp_path / "into").exists()


@pytest.mark.parametrize(
    "md5", ["../../private", "/etc/passwd", "a/b", "x" * 4000, "0" * 31, "0" * 33, "0" * 31 + "g", "٠" * 32]
)
def test_an_md5_from_the_service_is_32_hexadecimal_digits_or_unknown(job_with, cloud, tmp_path, md5):
    job, cache = job_with({"a-j1.mp4": VIDEO}), FileCache(tmp_path / "home" / "cache")
    made = cloud.jobs["j1"].operation.media_result.output_file
    evil = dataclasses.replace(made, md5_info=(Md5Info(object_name="out/a-j1.mp4", md5=md5),))
    result = dataclasses.replace(cloud.jobs["j1"].operation, media_result=MediaResult(output_file=evil))
    cloud.jobs["j1"] = dataclasses.replace(cloud.jobs["j1"], operation=result)
    assert output_md5(cloud.jobs["j1"], "out/a-j1.mp4") == ""
    job.client.downloads = Downloads(cache=cache)
    assert job.refresh().download(f"{tmp_path}/home/").read_bytes() == VIDEO
    assert cache.fetch(job.client, "out/a-j1.mp4", md5=output_md5(job.detail, "out/a-j1.mp4")).parent == cache.folder
    assert [one.name for one in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize("job_id", ["../template/t1", "j1/../../queue", "..", "j\n1", "a\\b"])
def test_an_id_from_the_service_never_becomes_another_path(client, job_id):
    for call in (lambda: client.job(job_id), lambda: client.cancel(job_id)):
        with pytest.raises(ParameterError, match="is not an id"):
            call()


def test_a_place_that_cannot_be_written_is_our_error(job, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ParameterError, match="Cannot write"):
        job.download(tmp_path / "file" / "a.mp4")
    with pytest.raises(ParameterError, match="is a folder"):
        (tmp_path / "sub" / "holiday-SharpenLevel-5.mp4").mkdir(parents=True)
        job.download(tmp_path / "sub")
    assert sorted(path.name for path in Path(tmp_path).iterdir()) == ["file", "sub"]
