"""The cache of local files: named by content, written once and whole, and of bounded size."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ci_notebook.client.file_cache import ContentChanged, FileCache, whole_file


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


class Shelf:
    """Objects in memory, which counts downloads. One may be slow, break off, or change on the way."""

    def __init__(self, objects: dict[str, bytes], bucket: str = "b-1250000000") -> None:
        self.objects, self.bucket = objects, bucket
        self.fetched: list[str] = []
        self.before_write = lambda key: None
        self.is_in_parts = False

    def head(self, key: str) -> SimpleNamespace:
        data = self.objects[key]
        known = "" if self.is_in_parts else md5(data)
        return SimpleNamespace(
            size_bytes=len(data), etag=f"{md5(data)}-2" if self.is_in_parts else known, md5=known, last_modified=""
        )

    def download(self, key: str, path: str | Path) -> Path:
        self.fetched.append(key)
        Path(path).write_bytes(self.objects[key][:1])
        self.before_write(key)
        Path(path).write_bytes(self.objects[key])
        return Path(path)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name != ".locks")


@pytest.fixture
def cache(tmp_path: Path) -> FileCache:
    return FileCache(tmp_path / "cache")


def test_an_object_is_downloaded_once_whether_its_digest_is_known_or_not(cache):
    shelf = Shelf({"out/a.mp4": b"one"})
    path = cache.fetch(shelf, "out/a.mp4")
    assert (path.read_bytes(), path.suffix) == (b"one", ".mp4")
    assert cache.fetch(shelf, "out/a.mp4", md5=md5(b"one").upper()) == path
    assert FileCache(cache.folder).fetch(shelf, "out/a.mp4") == path
    assert shelf.fetched == ["out/a.mp4"]
    assert files(cache.folder) == [path]


def test_two_objects_of_one_name_and_two_versions_of_one_object_share_no_file(cache):
    one = Shelf({"a.mp4": b"one", "sub/a.mp4": b"one"})
    other = Shelf({"a.mp4": b"one"}, bucket="c-1250000000")
    paths = {cache.fetch(one, "a.mp4"), cache.fetch(one, "sub/a.mp4"), cache.fetch(other, "a.mp4")}
    one.objects["a.mp4"] = b"two"
    paths.add(cache.fetch(one, "a.mp4"))
    assert len(paths) == 4
    assert sorted(path.read_bytes() for path in paths) == [b"one", b"one", b"one", b"two"]


def test_an_object_in_parts_goes_by_its_etag(cache):
    shelf = Shelf({"a.mp4": b"one"})
    shelf.is_in_parts = True
    path = cache.fetch(shelf, "a.mp4")
    shelf.objects["a.mp4"] = b"two"
    assert cache.fetch(shelf, "a.mp4") != path
    assert path.read_bytes() == b"one"


def test_a_name_that_no_file_may_have_is_no_matter(cache):
    keys = ["../../up.mp4", "a" * 800 + ".mp4", "no suffix", "odd.m p4", "a." + "x" * 300]
    shelf = Shelf({key: key.encode() for key in keys})
    for key in keys:
        path = cache.fetch(shelf, key)
        assert path.parent == cache.folder
        assert path.read_bytes() == key.encode()


def test_another_content_than_the_one_that_was_asked_for_is_refused_and_leaves_nothing(cache):
    shelf = Shelf({"a.mp4": b"two"})
    with pytest.raises(ContentChanged, match=r"a\.mp4 has changed: its MD5 is not"):
        cache.fetch(shelf, "a.mp4", md5=md5(b"one"))
    assert files(cache.folder) == []


def test_an_object_that_changes_while_it_is_downloaded_is_refused(cache):
    shelf = Shelf({"a.mp4": b"one"})
    shelf.before_write = lambda key: shelf.objects.update({key: b"two"})
    with pytest.raises(ContentChanged, match="changed while it was downloaded"):
        cache.fetch(shelf, "a.mp4")
    assert files(cache.folder) == []
    shelf.before_write = lambda key: None
    assert cache.fetch(shelf, "a.mp4").read_bytes() == b"two"


def test_a_broken_download_leaves_nothing_and_the_next_one_succeeds(cache):
    shelf = Shelf({"a.mp4": b"one"})

    def break_off(key: str) -> None:
        assert len(files(cache.folder)) == 1, "half of it is there, under another name"
        raise ConnectionError("the line is dead")

    shelf.before_write = break_off
    with pytest.raises(ConnectionError):
        cache.fetch(shelf, "a.mp4")
    assert files(cache.folder) == []
    shelf.before_write = lambda key: None
    assert cache.fetch(shelf, "a.mp4").read_bytes() == b"one"


def test_threads_that_want_one_object_download_it_once(cache):
    shelf = Shelf({"a.mp4": b"one"})
    shelf.before_write = lambda key: time.sleep(0.2)
    gate, paths = threading.Barrier(4), []

    def want() -> None:
        gate.wait()
        paths.append(FileCache(cache.folder).fetch(shelf, "a.mp4", md5=md5(b"one")))

    threads = [threading.Thread(target=want) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (shelf.fetched, len(paths), len(set(paths))) == (["a.mp4"], 4, 1)


PROCESS = """
import json, sys, time
from pathlib import Path
from ci_notebook.client.file_cache import FileCache
folder, start = Path(sys.argv[1]), Path(sys.argv[2])
cache, calls = FileCache(folder), []
def write(part):
    calls.append(part.name)
    part.write_bytes(b"o")
    time.sleep(0.5)
    part.write_bytes(b"one")
print("ready", flush=True)
while not start.exists():
    time.sleep(0.01)
path = cache.make(cache.path_of("b", "a.mp4", "content"), write)
print(json.dumps([len(calls), path.name, path.read_text()]))
"""


def test_processes_that_want_one_object_write_it_once(tmp_path):
    command = [sys.executable, "-c", PROCESS, str(tmp_path / "cache"), str(tmp_path / "start")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for one in running:
        assert one.stdout.readline() == "ready\n"
    (tmp_path / "start").touch()
    answers = [json.loads(one.communicate(timeout=60)[0]) for one in running]
    assert sorted(calls for calls, _, _ in answers) == [0, 0, 1]
    assert {(name, text) for _, name, text in answers} == {(answers[0][1], "one")}


def test_a_process_that_was_killed_holds_nobody_up(tmp_path):
    (tmp_path / "start").touch()
    command = [sys.executable, "-c", PROCESS.replace("0.5", "60"), str(tmp_path / "cache"), str(tmp_path / "start")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as killed:
        until = time.monotonic() + 30
        while not list(tmp_path.glob("cache/part-*")) and time.monotonic() < until:
            time.sleep(0.02)
        killed.kill()
    cache = FileCache(tmp_path / "cache")
    path = cache.make(cache.path_of("b", "a.mp4", "content"), lambda part: part.write_bytes(b"two"))
    assert path.read_bytes() == b"two"
    (left,) = tmp_path.glob("cache/part-*")
    cache.clear_up()
    assert left.exists(), "a young one may be in use"
    os.utime(left, (time.time() - 2 * 86400,) * 2)
    cache.clear_up()
    assert files(cache.folder) == [path]


def fill(cache: FileCache, numbers: range, *, start: float = 0.0) -> list[Path]:
    paths = []
    for number in numbers:
        path = cache.make(cache.path_of("b", f"{number}.mp4", "c"), lambda part: part.write_bytes(b"x" * 100))
        os.utime(path, (start + number, start + number))
        paths.append(path)
    return paths


def test_the_least_recently_used_files_are_evicted_first(tmp_path):
    cache = FileCache(tmp_path, limit_bytes=350)
    first, second, third = fill(cache, range(3))
    cache.make(first, lambda part: pytest.fail("it is there"))
    (fourth,) = fill(cache, range(3, 4))
    assert files(tmp_path) == sorted([first, third, fourth]), "the first was used last"
    assert cache.note_use(third)
    fill(cache, range(4, 5))
    assert third in files(tmp_path)
    assert not cache.note_use(second)


def test_the_files_never_take_more_than_the_limit_but_for_one_that_is_larger(tmp_path):
    cache = FileCache(tmp_path, limit_bytes=350)
    for number in range(20):
        fill(cache, range(number, number + 1))
        assert sum(path.stat().st_size for path in files(tmp_path)) <= 350
    large = cache.make(cache.path_of("b", "large.mp4", "c"), lambda part: part.write_bytes(b"x" * 1000))
    assert files(tmp_path) == [large]


def test_what_others_put_into_the_folder_stays(tmp_path):
    (tmp_path / "mine.mp4").write_bytes(b"x" * 1000)
    fill(FileCache(tmp_path, limit_bytes=150), range(3))
    assert (tmp_path / "mine.mp4").exists()
    assert len(files(tmp_path)) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be deleted there")
def test_a_reader_reads_on_in_a_file_that_is_evicted(tmp_path):
    cache = FileCache(tmp_path, limit_bytes=150)
    (path,) = fill(cache, range(1))
    with path.open("rb") as file:
        assert file.read(10) == b"x" * 10
        fill(cache, range(1, 2))
        assert not path.exists()
        assert file.read() == b"x" * 90


def test_the_lock_files_are_of_bounded_number(tmp_path):
    cache = FileCache(tmp_path, limit_bytes=500)
    fill(cache, range(600))
    assert len(list((tmp_path / ".locks").iterdir())) <= 256


def test_a_whole_file_replaces_the_old_one_only_when_its_block_ends(tmp_path):
    target = tmp_path / "a.mp4"
    target.write_bytes(b"old")
    with whole_file(target) as part:
        part.write_bytes(b"new")
        assert (part.suffix, target.read_bytes()) == (".mp4", b"old")
    assert target.read_bytes() == b"new"
    with pytest.raises(ValueError, match="no"), whole_file(target) as part:
        part.write_bytes(b"bad")
        raise ValueError("no")
    assert (target.read_bytes(), list(tmp_path.iterdir())) == (b"new", [target])
