"""Homes, accounts and disks that people have: each works, or one sentence says what to change."""

import errno
import os
import pwd
import sqlite3
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import pytest

import ci_notebook as ci
from ci_notebook._folders import account_home, lab_home, reading
from ci_notebook._machine_errors import own_error, translates_errors
from ci_notebook.cli.report import videos_in
from ci_notebook.model.errors import CIError, EngineError, MissingFile, ParameterError
from ci_notebook.widgets.shared.persistence import SavedState


@pytest.fixture
def nobody(monkeypatch):
    """An account without a name and without HOME, as in a container that runs as a bare number."""

    def unknown(number):
        raise KeyError(number)

    for name in ("HOME", "XDG_DATA_HOME", "CI_NOTEBOOK_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.mark.usefixtures("nobody")
def test_an_account_without_a_home_gets_a_temporary_one_and_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert account_home() is None
    with pytest.warns(UserWarning, match="CI_NOTEBOOK_HOME"), ci.connect() as lab:
        assert lab.home.parent == tmp_path
        assert lab.home.stat().st_mode & 0o777 == 0o700
    assert [one.state for one in ci.doctor() if one.name == "home"] == ["warning"]
    with pytest.warns(UserWarning), pytest.raises(ci.CIError, match="TENCENTCLOUD_SECRET_ID"):
        ci.connect("b-1250000000", region="ap-chongqing")
    monkeypatch.setenv("CI_NOTEBOOK_HOME", "~/lab")
    with pytest.raises(ParameterError, match="no home folder"):
        lab_home()
    monkeypatch.setenv("CI_NOTEBOOK_HOME", str(tmp_path / "lab"))
    assert lab_home() == tmp_path / "lab"


@pytest.mark.usefixtures("nobody")
def test_a_temporary_home_of_another_account_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"ci_notebook-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ParameterError, match="another account"):
        ci.connect()


@pytest.mark.usefixtures("nobody")
def test_an_account_without_a_home_can_render_text(clip, tmp_path):
    text = ci.Text(text="x", font_size=20, font_type="arial.ttf", font_color="0xFFFFFF", transparency=80)
    mark = ci.Watermark(type="Text", pos="TopLeft", loc_mode="Absolute", dx=4, dy=4, text=text)
    with ci.connect(home=tmp_path) as lab:
        job = lab.submit(lab.upload(clip), {"SharpenLevel": 2}, watermark=mark).wait()
    assert job.state == "Success"


def test_a_relative_home_stays_where_it_was(clip, tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "a")
    with ci.connect(home="lab") as lab:
        video = lab.upload(clip)
        monkeypatch.chdir(tmp_path / "b")
        (run,) = lab.run(video, {"SharpenLevel": 2}, scores=False)
        assert run.state == "Success"
        assert lab.home == tmp_path / "a" / "lab"
    assert list((tmp_path / "b").iterdir()) == []


def test_a_home_may_begin_with_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CI_NOTEBOOK_HOME", "~/lab")
    assert lab_home() == tmp_path / "lab"


def test_a_deleted_current_folder_is_named(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(ParameterError, match="was deleted"):
        ci.connect(home="lab")
    assert lab_home(tmp_path) == tmp_path


@pytest.mark.parametrize("verb", [["jobs"], ["doctor"], ["serve", "--port", "0", "--root", "HOME"]])
def test_a_file_in_the_place_of_the_home_gives_one_sentence(verb, tmp_path):
    (tmp_path / "plain").write_text("x")
    home = str(tmp_path / "plain" / "home")
    command = [sys.executable, "-m", "ci_notebook", *(home if word == "HOME" else word for word in verb)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, env={**os.environ, "CI_NOTEBOOK_HOME": home}
    )
    assert "Traceback" not in done.stderr
    assert "plain" in done.stdout + done.stderr


def test_hidden_files_of_a_folder_are_no_clips(tmp_path, capsys):
    for name in ("0001.mp4", "._0001.mp4", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_bytes(b"x")
    assert videos_in([tmp_path]) == [tmp_path / "0001.mp4"]
    assert "1 hidden" in capsys.readouterr().out


def test_two_kernels_save_under_one_key(tmp_path):
    first, second = (SavedState(tmp_path, "talk", "start") for _ in range(2))
    real, calls = Path.replace, []

    def both(path, target):
        calls.append(path)
        if len(calls) == 1:
            second.save(level=2)  # the other kernel saves between writing and replacing
        return real(path, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", both)
        first.save(level=1)
    assert first.load() == {"start": "start", "level": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_costs_a_panel_its_saved_state_only(tmp_path, monkeypatch):
    def full(path, *args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    state = SavedState(tmp_path, "talk", "start")
    with pytest.warns(UserWarning, match="cannot be saved"):
        state.save(level=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state.save(level=2)  # it is said once


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a.mp4"), EngineError, "disk is full ('a.mp4')"),
        (OSError(errno.EROFS, "Read-only file system", "a.mp4"), ParameterError, "Read-only file system"),
        (PermissionError(errno.EACCES, "Permission denied", "a"), ParameterError, "Permission denied"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a.mp4"), MissingFile, "no file 'a.mp4'"),
        (OSError(errno.EIO, "Input/output error"), EngineError, "Input/output error"),
        (sqlite3.OperationalError("database or disk is full"), EngineError, "disk is full"),
        (sqlite3.OperationalError("attempt to write a readonly database"), ParameterError, "permissions"),
        (sqlite3.OperationalError("database is locked"), EngineError, "Another process"),
        (sqlite3.DatabaseError("file is not a database"), EngineError, "journal.sqlite"),
    ],
)
def test_errors_of_the_machine_leave_as_ours(error, kind, words):
    @translates_errors
    class Thing:
        def act(self):
            raise error

    with pytest.raises(kind) as caught:
        Thing().act()
    assert words in str(caught.value)
    assert caught.value.__cause__ is error
    assert type(own_error(error)) is kind


def test_a_damaged_journal_gives_one_sentence(clip, tmp_path):
    with ci.connect(home=tmp_path) as lab:
        video = lab.upload(clip)
    (tmp_path / "journal.sqlite").write_bytes(b"no database" * 1000)
    with ci.connect(home=tmp_path) as lab, pytest.raises(CIError, match="journal"):
        lab.run(video, {"SharpenLevel": 2})


@pytest.mark.parametrize("damage", ["no database", "half of it", "a damaged page"])
def test_a_damaged_ledger_names_its_file_and_what_to_do(damage, tmp_path):
    ci.connect(home=tmp_path).close()
    ledger = tmp_path / "engine" / "ledger.sqlite"
    content = ledger.read_bytes()
    page = content[:4096] + bytes(200) + content[4296:]
    ledger.write_bytes({"no database": b"x" * 9000, "half of it": content[: len(content) // 2]}.get(damage, page))
    with pytest.raises(EngineError, match=r"ledger\.sqlite.* cannot be used .*Move ledger\.sqlite away"):
        ci.connect(home=tmp_path)


def test_a_missing_file_is_a_mistake_of_the_caller(embedded_lab, tmp_path):
    for call in (embedded_lab.upload, embedded_lab.frames, ci.read_runs, ci.read_prices):
        with pytest.raises(ParameterError, match=r"none\.") as caught:
            call(tmp_path / "none.toml")
        assert isinstance(caught.value, FileNotFoundError)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ParameterError, match="is a folder"), reading(tmp_path):
        tmp_path.read_bytes()
