"""What is kept on disk: whole or not there, within its bound, made by one at a time, and nobody waits for the dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ci_notebook.engine.storage.cache import (
    OLD_VARIABLE,
    VARIABLE,
    CacheOptions,
    RenderCache,
    content_hash,
    remove_old_folder,
)
from ci_notebook.media.ffmpeg import Cancelled
from ci_notebook.model.errors import ParameterError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(tmp_path: Path) -> RenderCache:
    return RenderCache(tmp_path / "kept", limit=100)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes], Path]:
    def made(data: bytes) -> Path:
        path = tmp_path / "aside"
        path.write_bytes(data)
        return path

    return made


def test_an_entry_comes_back_under_a_name_that_outlives_it(store, write, tmp_path):
    store.put("a", write(b"x" * 10))
    link = store.get("a", tmp_path / "mine")
    store.remove("a")
    assert link.read_bytes() == b"x" * 10
    assert store.get("a", tmp_path / "mine") is None


def test_half_a_file_is_not_taken_for_a_whole_one(store, write, tmp_path):
    store.put("a", write(b"x" * 10))
    (tmp_path / "kept" / "a.10").write_bytes(b"x" * 9)
    assert store.get("a", tmp_path / "mine") is None
    assert not (tmp_path / "kept" / "a.10").exists()


def test_the_least_recently_used_entry_is_evicted_first(store, write, tmp_path):
    for number, key in enumerate("abc"):
        store.put(key, write(b"x" * 40)) if key != "c" else None
        if key != "c":
            os.utime(tmp_path / "kept" / f"{key}.40", (number, number))
    store.get("a", tmp_path / "mine")  # now b is the one that was used least lately
    store.put("c", write(b"x" * 40))
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["a.40", "c.40"]


def test_an_entry_larger_than_the_limit_is_not_cached(store, write, tmp_path):
    store.put("a", write(b"x" * 101))
    assert store.get("a", tmp_path / "mine") is None
    assert not store.make_room(101)


def test_a_full_disk_evicts_the_cache(store, write, tmp_path):
    store.put("a", write(b"x" * 10))
    full = RenderCache(tmp_path / "kept", limit=100, free=1 << 60)
    assert not full.make_room(0)
    assert store.get("a", tmp_path / "mine") is None


@pytest.mark.slow
def test_a_second_writer_waits_and_finds_the_entry_of_the_first(store, write, tmp_path):
    began, found = threading.Event(), []

    def second() -> None:
        began.wait()
        with store.building("a"):
            found.append(store.get("a", tmp_path / "mine"))

    other = threading.Thread(target=second)
    other.start()
    with store.building("a"):
        began.set()
        time.sleep(0.2)
        assert not found
        store.put("a", write(b"x"))
    other.join()
    assert found == [tmp_path / "mine"]
    assert not list((tmp_path / "kept").glob("*.lock"))


def test_a_waiting_writer_can_be_cancelled(store):
    cancel = threading.Event()
    threading.Timer(0.1, cancel.set).start()
    with store.building("a"), pytest.raises(Cancelled), store.building("a", cancel):
        pass  # without the cancelling it would wait for ever


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks on Windows")
def test_a_waiting_writer_gets_the_progress_of_the_first(store):
    cancel, on_progress = threading.Event(), []
    with store.building("a") as tell:
        for share in (0.0, 1.0, 0.42):
            tell(share)
        threading.Timer(0.5, cancel.set).start()
        with pytest.raises(Cancelled), store.building("a", cancel, on_progress=on_progress.append):
            pass
    assert on_progress
    assert set(on_progress) == {0.42}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks on Windows")
def test_a_killed_writer_blocks_nobody(store, tmp_path):
    code = (
        "import pathlib, time; from ci_notebook.engine.storage.cache import RenderCache\n"
        f"cache = RenderCache(pathlib.Path({str(tmp_path / 'kept')!r}), limit=100)\n"
        "with cache.building('a'): print('in', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT) as maker:
        assert maker.stdout is not None
        assert maker.stdout.readline() == b"in\n"
        cancel = threading.Event()
        threading.Timer(0.3, cancel.set).start()
        with pytest.raises(Cancelled), store.building("a", cancel):
            pass
        maker.send_signal(signal.SIGKILL)
    with store.building("a"):
        pass


def test_the_same_bytes_have_the_same_name(tmp_path):
    for name, data in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).write_bytes(data)
    a, b, c = (content_hash(tmp_path / name) for name in "abc")
    assert a == b != c


def test_the_limit_comes_from_the_argument_then_the_environment(monkeypatch, tmp_path):
    for variable in (VARIABLE, OLD_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    assert CacheOptions.for_root(tmp_path).limit_bytes == 4_000_000_000
    assert CacheOptions.for_root(tmp_path, bounded=True).limit_bytes == 0
    monkeypatch.setenv(VARIABLE, "1000")
    assert CacheOptions.for_root(tmp_path).limit_bytes == 1000
    assert CacheOptions.for_root(tmp_path, 5, bounded=True).limit_bytes == 5


def test_the_old_variable_still_works_unless_the_new_one_is_set(monkeypatch, tmp_path):
    monkeypatch.delenv("CI_NOTEBOOK_CACHE_BYTES", raising=False)
    monkeypatch.setenv("CI_NOTEBOOK_KEPT_BYTES", "2000")
    assert CacheOptions.for_root(tmp_path).limit_bytes == 2000
    monkeypatch.setenv("CI_NOTEBOOK_CACHE_BYTES", "1000")
    assert CacheOptions.for_root(tmp_path).limit_bytes == 1000


def test_a_limit_that_is_no_number_of_bytes_is_refused_by_name(monkeypatch, tmp_path):
    monkeypatch.delenv(VARIABLE, raising=False)
    for variable in (OLD_VARIABLE, VARIABLE):
        monkeypatch.setenv(variable, "much")
        with pytest.raises(ParameterError, match=variable):
            CacheOptions.for_root(tmp_path)
    with pytest.raises(ParameterError, match=r"cache_bytes .* from 0.*-1"):
        CacheOptions.for_root(tmp_path, -1)


def test_the_folder_of_version_0_1_is_removed(tmp_path):
    (tmp_path / ".kept").mkdir()
    (tmp_path / ".kept" / "a.1").write_bytes(b"x")
    remove_old_folder(tmp_path)
    remove_old_folder(tmp_path)
    assert not list(tmp_path.iterdir())
