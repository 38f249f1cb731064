"""Objects are stored byte for byte under any key; a crash leaves the old or the new object, never half of one."""

import hashlib
import itertools
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_notebook.engine.storage.bucket_settings import Catalogue
from ci_notebook.engine.storage.database import Database
from ci_notebook.engine.storage.object_keys import check_key
from ci_notebook.engine.storage.object_store import ORPHAN_S, ObjectStore
from ci_notebook.engine.storage.uploads import MIN_PART_BYTES, Uploads
from ci_notebook.model.errors import ServiceError

BUCKET = "test-1250000000"

AWKWARD = [
    "a", "a/b", "a/b/", "A", "é", "e\u0301", "视频/a b+(1).mp4", "con", "nul.txt", "a:b*?|<>\"'", "a\\b", "...",
    "..a/b..", "%2e%2e/x", "a//b", " ", "a/ b ", "x" * 850, "频" * 283, ".hidden", "~", "-rf", "$(x)`y`",
    "😀.mp4", "a&b=c;d#e?f", "a\tb", "a\nb", "a\r\nb", "a\x00b", "\x01", "\x17", "\x1c", "\x1f", "\x7f",
]  # fmt: skip
REFUSED = [
    "", "/a", "../a", "a/../b", "a/..", "./a", "a/./b", "a\x18b", "\x19", "\x1a", "a\x1b", "x" * 851, "频" * 284,
    "\ud800",
]  # fmt: skip


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "ledger.sqlite")
    Catalogue(database, clock=lambda: 0.0, new_id=lambda: "0" * 32).make_bucket(BUCKET, "ap-chongqing")
    yield database
    database.close()


@pytest.fixture
def store(tmp_path, database):
    ids = itertools.count(1)
    return ObjectStore(tmp_path, database, clock=lambda: 1_700_000_000.0, new_id=lambda: f"{next(ids):012x}{'0' * 20}")


def put(store, key, data=b"data"):
    return store.put(BUCKET, key, [data], headers={})


def read(store, key):
    with store.open(BUCKET, key)[1] as file:
        return file.read()


def files_of(tmp_path):
    return [path for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith("ledger.sqlite")]


def test_awkward_keys_are_distinct_and_come_back(store, tmp_path):
    for number, key in enumerate(AWKWARD):
        put(store, key, f"{number}".encode())
    for number, key in enumerate(AWKWARD):
        assert read(store, key) == f"{number}".encode()
    assert [one.key for one in store.list(BUCKET).objects] == sorted(AWKWARD, key=str.encode)
    assert {path.parent for path in files_of(tmp_path)} == {tmp_path / BUCKET}


@pytest.mark.parametrize("key", REFUSED, ids=ascii)
def test_keys_that_no_object_has_are_refused(store, tmp_path, key):
    with pytest.raises(ServiceError) as error:
        put(store, key)
    assert error.value.status == 400
    assert files_of(tmp_path) == []


@pytest.mark.slow
@given(key=st.text(max_size=300))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_key_is_kept_below_the_root_or_refused(store, tmp_path, key):
    try:
        check_key(key)
    except ServiceError:
        return
    stored = put(store, key, key.encode())
    assert store.path(stored).resolve().parent == (tmp_path / BUCKET).resolve()
    assert store.head(BUCKET, key) == stored


def test_the_etag_is_the_md5_and_a_digest_that_differs_is_refused(store, tmp_path):
    assert put(store, "a", b"data").etag == hashlib.md5(b"data").hexdigest()
    for wrong, code in (("AAAAAAAAAAAAAAAAAAAAAA==", "BadDigest"), ("no base64", "InvalidDigest")):
        with pytest.raises(ServiceError) as error:
            store.put(BUCKET, "a", [b"other"], headers={}, content_md5=wrong)
        assert error.value.code == code
    assert read(store, "a") == b"data"
    assert len(files_of(tmp_path)) == 1


def test_an_interrupted_body_leaves_the_old_object(store, tmp_path):
    put(store, "a", b"old")

    def broken():
        yield b"new"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        store.put(BUCKET, "a", broken(), headers={})
    assert read(store, "a") == b"old"
    assert len(files_of(tmp_path)) == 1


def test_a_reader_gets_the_whole_old_object_while_it_is_replaced(store, tmp_path):
    put(store, "a", b"old")
    stored, file = store.open(BUCKET, "a")
    put(store, "a", b"newer")
    with file:
        assert (stored.size, file.read()) == (3, b"old")
    assert store.delete(BUCKET, "a")
    assert not store.delete(BUCKET, "a")
    assert files_of(tmp_path) == []


def test_an_object_whose_file_was_removed_is_not_there(store, tmp_path):
    stored = put(store, "a")
    store.path(stored).unlink()
    assert store.head(BUCKET, "a") is None
    with pytest.raises(ServiceError, match="NoSuchKey"):
        store.open(BUCKET, "a")
    put(store, "a", b"new")
    assert read(store, "a") == b"new"


def test_old_files_of_a_dead_process_are_removed_and_new_ones_stay(store, tmp_path):
    entry = store.path(put(store, "kept"))
    old, young = tmp_path / BUCKET / "old", tmp_path / ".incoming" / "young"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    os.utime(entry, (0, 0))
    assert store.sweep() == 1
    assert (entry.exists(), old.exists(), young.exists()) == (True, False, True)
    assert ORPHAN_S > 600


@pytest.mark.slow
@given(
    keys=st.sets(st.text("ab/", min_size=1, max_size=5).filter(lambda key: key[0] != "/"), max_size=12),
    prefix=st.text("ab/", max_size=2),
    size=st.integers(1, 4),
    delimiter=st.sampled_from(["", "/", "b"]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_of_a_listing_hold_each_key_and_each_common_prefix_once(store, keys, prefix, size, delimiter):
    for one in store.list(BUCKET).objects:
        store.delete(BUCKET, one.key)
    for key in keys:
        put(store, key)
    matches, common, marker = [], [], ""
    for _ in range(50):
        page = store.list(BUCKET, prefix=prefix, delimiter=delimiter, marker=marker, size=size)
        assert len(page.objects) + len(page.prefixes) <= size
        matches += [one.key for one in page.objects]
        common += page.prefixes
        marker = page.next_marker
        if not marker:
            break
    under = sorted(key for key in keys if key.startswith(prefix))
    rest = {key: key[len(prefix) :] for key in under}
    cut = {key: prefix + tail[: tail.index(delimiter) + 1] for key, tail in rest.items() if delimiter in tail}
    cut = cut if delimiter else {}
    assert matches == [key for key in under if key not in cut]
    assert common == sorted(set(cut.values()))


@pytest.fixture
def uploads(tmp_path, store, database):
    ids = itertools.count(1)
    return Uploads(tmp_path, store, database, clock=lambda: 0.0, new_id=lambda: f"u{next(ids)}")


def test_parts_become_one_object_and_leave_nothing_behind(uploads, store, tmp_path):
    upload = uploads.start(BUCKET, "large", {"content-type": "video/mp4"})
    first, second = b"1" * MIN_PART_BYTES, b"2"
    tags = [(1, uploads.put(upload, 1, [first])), (2, uploads.put(upload, 2, [second]))]
    assert uploads.put(upload, 1, [first]) == tags[0][1]
    stored = uploads.complete(upload, tags)
    assert read(store, "large") == first + second
    digest = hashlib.md5(b"".join(bytes.fromhex(tag) for _, tag in tags)).hexdigest()
    assert (stored.etag, stored.headers["content-type"]) == (f"{digest}-2", "video/mp4")
    assert len(files_of(tmp_path)) == 1
    assert uploads.get(upload.upload_id) is None


def test_parts_that_do_not_fit_are_refused_by_their_number(uploads):
    upload = uploads.start(BUCKET, "large", {})
    one, two = uploads.put(upload, 1, [b"1"]), uploads.put(upload, 2, [b"2"])
    for named, code in (
        ([(2, two), (1, one)], "InvalidPartOrder"), ([], "InvalidPartOrder"), ([(1, two)], "InvalidPart"),
        ([(3, two)], "InvalidPart"), ([(1, one), (2, two)], "EntityTooSmall"),
    ):  # fmt: skip
        with pytest.raises(ServiceError) as error:
            uploads.complete(upload, named)
        assert error.value.code == code
    assert len(uploads.parts(upload)) == 2
