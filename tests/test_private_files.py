"""What is kept is private to its account from its creation, and no folder moves with `os.chdir`."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import ci_notebook as ci
from ci_notebook import _folders
from ci_notebook._folders import lab_home, private_database, private_file, private_folder, private_home
from ci_notebook.cli.subprocess_server import serve_until_ended
from ci_notebook.client.file_cache import FileCache, whole_file
from ci_notebook.engine.engine import Engine
from ci_notebook.experiment.journal import Journal
from ci_notebook.lab.connect import BUCKET, REGION
from ci_notebook.media.ffmpeg import find_ffmpeg
from ci_notebook.widgets.shared.persistence import SavedState

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no modes")
ENGINE = {"bucket": BUCKET, "region": REGION, "keys": {"AKIDx": "y"}}


@pytest.fixture(params=[0o000, 0o022, 0o777], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_to_others(top: Path) -> list[str]:
    return [str(one.relative_to(top)) for one in [top, *top.rglob("*")] if one.lstat().st_mode & 0o077]


def test_folders_and_files_are_private_under_every_umask(umask, tmp_path):
    home = private_home(tmp_path / "home")
    folder = private_folder(home / "cache")
    file, database = private_file(folder / "a"), private_database(home / "journal.sqlite")
    assert [mode(one) for one in (home, folder, file, database)] == [0o700, 0o700, 0o600, 0o600]


def test_nothing_that_a_lab_keeps_can_be_read_by_others(clip, tmp_path):
    before = os.umask(0)
    try:
        with ci.connect(home=tmp_path / "home") as lab:
            video = lab.upload(clip)
            (run,) = lab.run(video, {"SharpenLevel": 2}, every=10)
            panel = ci.EnhancePanel(lab, video, run.setting, key="talk")
            panel.set("SharpenLevel", 3)
            panel.close()
            assert {one.name for one in lab.home.iterdir()} >= {"engine", "cache", "panels", "journal.sqlite"}
            assert open_to_others(lab.home) == []
    finally:
        os.umask(before)


def test_a_file_is_never_open_to_others_while_it_is_written(tmp_path):
    seen = []
    before = os.umask(0)
    try:
        cache = FileCache(tmp_path / "cache")
        cache.make(cache.path_of("b", "k.mp4", "c"), lambda part: (seen.append(mode(part)), part.write_bytes(b"x")))
    finally:
        os.umask(before)
    assert seen == [0o600]
    assert open_to_others(tmp_path / "cache") == []


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path):
    target = tmp_path / "result.mp4"
    for rights in (0o640, 0o444):
        target.touch()
        target.chmod(rights)
        with whole_file(target) as part:
            assert mode(part) == 0o600
            part.write_bytes(b"new")
        assert (mode(target), target.read_bytes()) == (rights, b"new")


@pytest.mark.parametrize("kind", ["lab", "engine", "journal", "panels"])
def test_what_an_older_version_left_open_is_closed(kind, tmp_path):
    old = tmp_path / "old"
    (old / "engine").mkdir(parents=True)
    for folder in (old, old / "engine"):
        folder.chmod(0o755)
    if kind == "lab":
        ci.connect(home=old).close()
        assert mode(old) == mode(old / "engine") == 0o700
    elif kind == "engine":
        (old / "engine" / "ledger.sqlite").touch(0o644)
        with Engine(old / "engine", **ENGINE):
            assert open_to_others(old / "engine") == []
    elif kind == "journal":
        Journal(old / "journal.sqlite").close()
        (old / "journal.sqlite").chmod(0o644)
        Journal(old / "journal.sqlite").close()
        assert mode(old / "journal.sqlite") == 0o600
    else:
        (old / "panels").mkdir(mode=0o755)
        SavedState(old / "panels", "talk", "").save(number=1)
        assert open_to_others(old / "panels") == []


def test_an_open_home_with_other_files_is_named_and_left_as_it_is(tmp_path):
    home = tmp_path / "project"
    home.mkdir()
    home.chmod(0o755)
    (home / "notes.txt").touch()
    with pytest.warns(UserWarning, match=r"project.*holds other files") as told, ci.connect(home=home) as lab:
        lab.upload(ci.sample())
    assert len(told) == 1
    assert mode(home) == 0o755
    assert open_to_others(home) == [".", "notes.txt"]


def test_a_home_whose_mode_cannot_be_changed_is_named(tmp_path, monkeypatch):
    home = tmp_path / "vfat"
    home.mkdir()
    home.chmod(0o777)

    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(Path, "chmod", refused)
    with pytest.warns(UserWarning, match="cannot be changed"):
        _folders.private_home(home)


SERVE = "import os, sys; os.umask(0); from ci_notebook.cli.verbs import main; main(sys.argv[1:])"


@pytest.mark.slow
def test_the_root_of_serve_is_private_and_its_environment_forgets_the_keys(tmp_path):
    root, home = tmp_path / "store", tmp_path / "home"
    command = [sys.executable, "-c", SERVE, "serve", "--root", str(root), "--port", "0"]
    environment = {**os.environ, "TENCENTCLOUD_SECRET_ID": "AKIDserved", "TENCENTCLOUD_SECRET_KEY": "servedkey"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().split()[2]
            keys = ci.Credentials("AKIDserved", "servedkey")
            with ci.connect(BUCKET, region=REGION, credentials=keys, endpoint=address, home=home) as lab:
                lab.submit(lab.upload(ci.sample()), {"SharpenLevel": 2}).wait()
            assert open_to_others(root) == []
            if sys.platform == "linux":
                assert b"servedkey" not in Path(f"/proc/{server.pid}/environ").read_bytes()
        finally:
            server.terminate()


def test_no_folder_moves_with_the_current_one(clip, tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "a")
    engine, cache = Engine("engine", **ENGINE), FileCache(Path("cache"))
    journal, state = Journal("journal.sqlite"), SavedState(Path("panels"), "talk", "")
    monkeypatch.chdir(tmp_path / "b")
    with engine:
        cache.make(cache.path_of("b", "k", "c"), lambda part: part.write_bytes(b"x"))
        journal.lease().close()
        journal.close()
        state.save(number=1)
        assert state.load() is not None
    assert list((tmp_path / "b").iterdir()) == []
    assert {one.name for one in (tmp_path / "a").iterdir()} >= {"engine", "cache", "journal.sqlite", "panels"}


def test_a_relative_home_of_the_environment_is_the_same_for_later_labs_and_for_servers(tmp_path, monkeypatch):
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CI_NOTEBOOK_HOME", "lab")
    code = "import os; print(os.environ['CI_NOTEBOOK_HOME'])"
    out = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", lambda *a, **k: _Recorded(out, k["env"]))
        serve_until_ended([sys.executable, "-c", code], env={**os.environ, "CI_NOTEBOOK_HOME": "lab"})
    assert out.read_text() == str(tmp_path / "lab")
    assert lab_home() == tmp_path / "lab"
    monkeypatch.chdir(tmp_path / "b")
    assert lab_home() == tmp_path / "lab"


class _Recorded:
    """A process that ended at once and left the home of its environment in a file."""

    def __init__(self, out: Path, env: dict[str, str]) -> None:
        out.write_text(env["CI_NOTEBOOK_HOME"])

    def wait(self) -> int:
        return 0


def test_a_relative_ffmpeg_is_found_from_every_folder(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ffmpeg-here").symlink_to(find_ffmpeg())
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "bin/ffmpeg-here")
    monkeypatch.chdir(tmp_path)
    assert find_ffmpeg() == tmp_path / "bin" / "ffmpeg-here"
    monkeypatch.chdir(tmp_path / "bin")
    assert find_ffmpeg() == tmp_path / "bin" / "ffmpeg-here"


def test_a_relative_clip_is_found_from_every_folder(clip, embedded_lab, tmp_path, monkeypatch):
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(clip.parent)
    frames, video = embedded_lab.frames(Path(clip.name)), embedded_lab.upload(clip.name)
    monkeypatch.chdir(tmp_path / "b")
    assert frames.picture(len(frames) - 1).shape == frames.picture(0).shape
    assert video.path == clip
    frames.close()


def test_two_processes_may_create_one_home_at_once(tmp_path):
    problems = []

    def create() -> None:
        try:
            private_home(tmp_path / "home")
            private_folder(tmp_path / "home" / "cache")
        except OSError as error:
            problems.append(error)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert problems == []
