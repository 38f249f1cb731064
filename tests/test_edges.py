"""Errors at the edge: files that are no files, damaged clips, damaged databases, full and read-only disks."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import pytest

import ci_notebook as ci
from ci_notebook.cli import main
from ci_notebook.experiment.journal import Journal
from ci_notebook.media.frames import Frames
from ci_notebook.media.probe import media_info
from ci_notebook.media.snapshot import picture
from ci_notebook.media.spoil import spoil
from ci_notebook.media.streams.damage import damage_of
from ci_notebook.model.errors import CIError, EngineError, ParameterError, ServiceError
from tests.damaged_clips import damaged_clip, whole_clip

ODD = ("empty", "text", "folder", "pipe", "device", "loop", "dangling", "below a file", "long name", "NUL in the name")


def odd_path(kind: str, folder: Path) -> Path:
    """Return a path that is no readable video, journal or table."""
    path = folder / f"{kind.replace(' ', '-')}.mp4"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("no video\n" * 100)
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        return Path("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "dangling":
        path.symlink_to(folder / "nothing")
    elif kind == "below a file":
        (folder / "file").touch()
        return folder / "file" / "a.mp4"
    elif kind == "long name":
        return folder / f"{'x' * 300}.mp4"
    elif kind == "NUL in the name":
        return folder / "a\0b.mp4"
    return path


READERS = {
    "facts": media_info,
    "frame": picture,
    "frames": Frames,
    "score": lambda path: ci.score(path, ci.sample("city"), every=25),
    "reference": lambda path: ci.score(ci.sample("city"), path, every=25),
    "read_frame": ci.read_frame,
    "read_runs": ci.read_runs,
    "read_jobs": ci.read_jobs,
    "read_prices": ci.read_prices,
    "spoil": lambda path: spoil(path, path.with_name("out.mp4")),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("reader", READERS)
def test_no_reader_waits_or_fails_with_a_foreign_error(reader, kind, tmp_path):
    path = odd_path(kind, tmp_path)
    with pytest.raises(CIError) as caught:
        READERS[reader](path)
    assert path.name[:20].rstrip("x") in str(caught.value).replace("\\x00", "\0"), "the error names the file"


@pytest.mark.parametrize("kind", [kind for kind in ODD if kind not in ("empty", "text")])
def test_what_is_no_file_is_neither_uploaded_nor_played(kind, embedded_lab, tmp_path):
    path = odd_path(kind, tmp_path)
    for call in (embedded_lab.upload, lambda path: embedded_lab.client.upload(path, "a.mp4"), ci.play,
                 embedded_lab.frames, lambda path: embedded_lab.preview(path, {"SharpenLevel": 3})):  # fmt: skip
        with pytest.raises(ParameterError):
            call(path)


def test_a_notebook_that_is_a_pipe_is_a_finding(tmp_path, capsys):
    assert main(["check-notebook", "--fix", str(odd_path("pipe", tmp_path))]) == 1
    assert "pipe, a socket or a device" in capsys.readouterr().out


def read_in_every_way(path: Path) -> None:
    """Read a damaged clip with each reader. Only our errors may leave, each with a code that names a reason."""
    for read in (media_info, picture, lambda path: picture(path, 0.2, mode="keyframe"), all_frames):
        try:
            read(path)
        except EngineError as error:
            assert error.code != "InternalError", error
            assert path.name in str(error)


def all_frames(path: Path) -> None:
    with Frames(path) as frames:
        for number in (0, len(frames) - 1, len(frames) // 2):
            assert frames[number].shape[2] == 3


@pytest.mark.slow
def test_damaged_clips_are_read_or_refused_with_the_reason(tmp_path):
    for number in range(0, 60):
        name, data = damaged_clip(number)
        (tmp_path / name).write_bytes(data)
        read_in_every_way(tmp_path / name)


@pytest.mark.sweep
@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 300, 20))
def test_three_hundred_damaged_clips_are_read_rendered_and_scored(first, tmp_path):
    source = tmp_path / "whole.mp4"
    source.write_bytes(whole_clip("mp4"))
    with ci.connect(home=tmp_path / "home", min_free_bytes=0) as lab:
        for number in range(first, first + 20):
            name, data = damaged_clip(number)
            path = tmp_path / name
            path.write_bytes(data)
            read_in_every_way(path)
            for act in (lambda path=path: ci.score(path, source), lambda path=path: spoil(path, tmp_path / "out.mp4")):
                with contextlib.suppress(ParameterError):
                    try:
                        act()
                    except EngineError as error:
                        assert error.code != "InternalError", error
        states = job_codes(lab, tmp_path, range(first, first + 20))
    assert set(states) <= {"Success", "ResourceNotSupported", "InvalidArgument"}, states


def job_codes(lab: ci.Lab, folder: Path, numbers: range) -> list[str]:
    jobs = []
    for number in numbers:
        name, data = damaged_clip(number)
        lab.client.upload(data, name)
        jobs.append(lab.submit(name, {"SharpenLevel": 1, "Contrast": ci.AUTO}))
    with contextlib.suppress(ci.WaitTimedOut):
        for _ in lab.watch(jobs, timeout_s=240):
            pass
    return [str(lab.job(job.id).detail.code) for job in jobs]


@pytest.mark.slow
def test_a_job_on_a_damaged_clip_succeeds_or_says_that_it_is_damaged(tmp_path):
    with ci.connect(home=tmp_path, min_free_bytes=0) as lab:
        assert set(job_codes(lab, tmp_path, range(14, 32))) <= {"Success", "ResourceNotSupported"}


@pytest.mark.slow
def test_a_clip_with_an_unknown_codec_or_few_readable_frames_fails_with_the_reason(tmp_path):
    data = whole_clip("mp4")
    unknown = data.replace(b"avc1", b"zzzz")
    begin, end = data.find(b"mdat") + 4, data.find(b"moov")
    begin, end = (begin, len(data)) if end < begin else (begin, end - 4)
    noise = data[: begin + 900] + b"\xa5" * (end - begin - 900) + data[end:]
    with ci.connect(home=tmp_path, min_free_bytes=0) as lab:
        for name, content in (("unknown.mp4", unknown), ("noise.mp4", noise)):
            lab.client.upload(content, name)
            with pytest.raises(ci.JobFailed) as caught:
                lab.submit(name, {"SharpenLevel": 1}).wait(60)
            detail = caught.value.job
            assert detail.code == "ResourceNotSupported" and name in detail.message
        with pytest.raises(ci.ServiceError, match=r"ResourceNotSupported.*unknown\.mp4.*codec is not known"):
            lab.client.snapshot("unknown.mp4")


def test_a_whole_clip_is_not_called_damaged(tmp_path):
    path = tmp_path / "whole.mkv"
    path.write_bytes(whole_clip("mkv"))
    assert damage_of(path) == "" and damage_of(ci.sample("city")) == ""
    path.write_bytes(whole_clip("mkv")[:3000])
    assert damage_of(path)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.xlsx"])
@pytest.mark.parametrize("content", [b"", b'a,b\n1\n1,2,3\n"x', b"PAR1junk", b"PK\3\4junk", bytes(range(256)) * 9])
def test_a_damaged_table_is_refused_with_one_sentence(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    for read in (ci.read_frame, ci.read_runs):
        with contextlib.suppress(ParameterError):
            read(tmp_path / name)


def test_a_database_of_another_program_is_not_changed(tmp_path):
    path = tmp_path / "other.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE mine (a)")
    before = path.read_bytes()
    for act in (Journal, ci.read_runs):
        with pytest.raises(CIError, match="another program"):
            act(path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert [row[0] for row in db.execute("SELECT name FROM sqlite_master")] == ["mine"]
    assert len(before) == path.stat().st_size


@pytest.mark.parametrize("content", [b"no database" * 1000, b"SQLite format 3\0" + bytes(4000)])
def test_a_damaged_ledger_gives_one_sentence_with_the_remedy(content, tmp_path):
    ci.connect(home=tmp_path).close()
    for path in (tmp_path / "engine").glob("ledger.sqlite*"):
        path.unlink()
    (tmp_path / "engine" / "ledger.sqlite").write_bytes(content)
    with pytest.raises(CIError, match=r"ledger\.sqlite' cannot be used .* Move ledger\.sqlite away"):
        ci.connect(home=tmp_path)


def test_a_damaged_row_of_a_journal_names_the_run(clip, tmp_path):
    with ci.connect(home=tmp_path) as lab:
        lab.run(lab.upload(clip), {"SharpenLevel": 2}, scores=False)
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.sqlite")) as db:
        db.execute("UPDATE runs SET setting = '<VideoEnh'")
        db.commit()
    with pytest.raises(CIError, match="is damaged: the run"):
        ci.read_runs(tmp_path / "journal.sqlite")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is of Linux")
@pytest.mark.parametrize("name", ["a.csv", "a.xlsx", "a.html"])
def test_a_full_disk_is_said_and_names_the_file(name, tmp_path):
    (tmp_path / name).symlink_to("/dev/full")
    runs = ci.Runs([])
    write = runs.report if name == "a.html" else runs.save
    with warnings.catch_warnings(), pytest.raises(EngineError, match="The disk is full") as caught:
        warnings.simplefilter("ignore")
        write(tmp_path / name)
    assert caught.value.code == "InsufficientStorage"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (sqlite3.OperationalError("attempt to write a readonly database"), "ServiceUnavailable"),
        (sqlite3.OperationalError("disk I/O error"), "ServiceUnavailable"),
        (sqlite3.DatabaseError("database disk image is malformed"), "ServiceUnavailable"),
        (sqlite3.OperationalError("database or disk is full"), "InsufficientStorage"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS), "/secret/folder"), "ServiceUnavailable"),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), "ServiceUnavailable"),
    ],
)
def test_the_engine_says_which_error_of_its_machine_stopped_a_call(error, code, embedded_lab, monkeypatch):
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("ci_notebook.engine.jobs.ledger.Ledger.page", fails)
    monkeypatch.setattr(embedded_lab.client, "sleep", lambda _: None)
    with pytest.raises(ServiceError, match=r"engine's (disk|ledger)|one of its files or folders") as caught:
        list(embedded_lab.jobs())
    assert caught.value.code == code
    assert "/secret" not in str(caught.value)


DISK = """
    import contextlib, subprocess, sys
    from pathlib import Path
    import ci_notebook as ci
    from ci_notebook.cli import main
    from ci_notebook.model.errors import CIError

    disk, state = Path(sys.argv[1]), sys.argv[2]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], check=True)
    lab = ci.connect(home=disk / "home", min_free_bytes=0)
    clip = lab.upload(ci.sample("city"))
    job = lab.submit(clip, {"SharpenLevel": 5}).wait()
    runs = lab.adopt([job.id], every=25)
    if state == "full":
        with contextlib.suppress(OSError), (disk / "fill").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    else:
        subprocess.run(["mount", "--bind", disk, disk], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", disk], check=True)
    calls = {
        "upload": lambda: lab.upload(ci.sample("portrait")),
        "run": lambda: lab.run(clip, {"SharpenLevel": 1}, scores=False),
        "download": lambda: job.download(disk / "output.mp4"),
        "csv": lambda: runs.save(disk / "runs.csv"),
        "xlsx": lambda: runs.save(disk / "runs.xlsx"),
        "parquet": lambda: runs.to_frame().to_parquet(disk / "runs.parquet"),
        "report": lambda: runs.report(disk / "report.html"),
        "spoil": lambda: lab.spoil(clip, crf=40),
        "connect": lambda: ci.connect(home=disk / "home"),
    }
    if state == "full":
        setting = ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=1))
        calls["template"] = lambda: lab.templates.create("name", setting)  # its database was open before
        calls["submit"] = lambda: lab.submit(clip, {"SharpenLevel": 2}).wait(30)
    for name, call in calls.items():
        try:
            call()
        except CIError as error:
            words = ("full",) if state == "full" else ("Read-only", "readonly", "cannot be used")
            assert any(word in str(error) for word in words), (name, str(error))
            assert "InternalError" not in str(error), (name, str(error))
        else:
            raise AssertionError(f"{name} succeeded on a disk that is {state}")
    assert main(["jobs", "--home", str(disk / "home")]) == 1
    print("all refused")
"""


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="a small disk is mounted, which takes Linux and root",
)
@pytest.mark.parametrize("state", ["full", "read-only"])
def test_every_writer_says_that_the_disk_cannot_be_written(state, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    tried = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", disk], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("no file system can be mounted here")
    environ = {**os.environ, "CI_NOTEBOOK_PROGRESS": "0", "MPLBACKEND": "agg", "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", textwrap.dedent(DISK), disk, state],
        env=environ, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert "all refused" in done.stdout, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
