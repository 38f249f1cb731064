"""Forked children, orphans, removed folders, and closing beside busy threads."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import ci_notebook as ci
from ci_notebook._file_lock import FileLock, is_locked
from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.transport import AddressTransport
from ci_notebook.client.file_cache import FileCache
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.server.listener import Listener
from ci_notebook.engine.storage.cache import RenderCache
from ci_notebook.experiment.journal import Journal
from ci_notebook.experiment.lease import is_dead
from ci_notebook.media import ffmpeg
from ci_notebook.model.errors import EngineError
from tests.engine_fixtures import BUCKET, KEYS, REGION
from tests.support import fork_process, until, write_clip

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")

START = """
import os, signal, subprocess, sys, threading, time
from pathlib import Path
import ci_notebook as ci
lab = ci.connect()
clip = lab.upload(sys.argv[1])
def job(level):
    return lab.submit(clip, {"SharpenLevel": level}).wait(60)
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("tiny") / "tiny.mp4")


def python(code: str, tiny: Path, home: Path, **options: object) -> subprocess.Popen[str]:
    """Start a kernel that has a lab with a clip and runs the code."""
    return subprocess.Popen(
        [sys.executable, "-c", START + textwrap.dedent(code), str(tiny)], text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "CI_NOTEBOOK_HOME": str(home)}, **options,
    )  # fmt: skip


def finished(kernel: subprocess.Popen[str]) -> str:
    """Return what a kernel printed; it must end with 0."""
    out, err = kernel.communicate(timeout=90)
    assert kernel.returncode == 0, err
    return out


ENDS = {
    "sys.exit": "sys.exit(0)",
    "error": "sys.stderr.close(); raise ValueError",
    "close": "lab.close(); os._exit(0)",
    "with": "lab.__exit__(None, None, None); sys.exit(0)",
    "garbage": "import gc; del lab, clip; gc.collect(); sys.exit(0)",
}


@pytest.mark.slow
@pytest.mark.parametrize("end", ENDS)
def test_a_forked_child_that_ends_leaves_its_parent_alone(end, tiny, tmp_path):
    code = f"""
    job(1)
    lab.preview(clip, {{"SharpenLevel": 1}})
    lab.journal.runs()
    time.sleep(0.3)  # the next FFmpeg for a preview has started
    previews = list(Path(os.environ["TMPDIR"]).glob("ci-notebook-*"))
    assert previews, "no folder of previews"
    child = os.fork()
    if child == 0:
        {ENDS[end]}
    os.waitpid(child, 0)
    assert all(folder.is_dir() for folder in previews), "the previews' folder is gone"
    assert list((lab.home / "engine/.owners").iterdir()), "the working folder is gone"
    print(job(2).state, len(lab.preview(clip, {{"SharpenLevel": 1}})) > 0, lab.journal.runs())
    """
    (tmp_path / "tmp").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path / "tmp"))
        assert finished(python(code, tiny, tmp_path / "home")) == "Success True []\n"


@pytest.mark.slow
def test_a_pool_of_forked_processes_leaves_its_parent_alone(tiny, tmp_path):
    code = """
    import multiprocessing
    job(1)
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert pool.map(abs, range(-20, 0)) == list(range(20, 0, -1))
    process = multiprocessing.get_context("fork").Process(target=lab.close)
    process.start()
    process.join(30)
    print(process.exitcode, job(2).state)
    """
    assert finished(python(code, tiny, tmp_path)) == "0 Success\n"


def test_a_forked_child_may_not_use_the_engine_and_is_told_so(embedded_lab):
    def use():
        for call in (embedded_lab.jobs, lambda: embedded_lab.client.head("a"), embedded_lab.engine.start):
            with pytest.raises(ci.ParameterError, match=r"belongs to process \d+.* Call ci\.connect\(\)"):
                list(call() or ())

    assert os.waitstatus_to_exitcode(os.waitpid(fork_process(use), 0)[1]) == 0


def test_a_forked_child_has_its_own_connection_to_the_journal(tmp_path):
    with Journal(tmp_path / "journal.sqlite") as journal:
        before = journal_descriptors(tmp_path)

        def use():
            assert journal.runs() == [] and len(journal_descriptors(tmp_path)) > len(before)
            journal.close()

        assert os.waitstatus_to_exitcode(os.waitpid(fork_process(use), 0)[1]) == 0
        assert journal.runs() == []
        assert journal_descriptors(tmp_path) == before


def journal_descriptors(folder: Path) -> list[str]:
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(f"{descriptor.name} {descriptor.readlink()}")
    return sorted(link for link in links if str(folder) in link)


def test_a_forked_child_reads_the_journal_while_a_thread_of_its_parent_holds_it(tmp_path):
    with Journal(tmp_path / "journal.sqlite") as journal:
        stop = threading.Event()
        threads = [threading.Thread(target=lambda: [journal.runs() for _ in iter(stop.is_set, True)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        children = [fork_process(lambda: journal.runs() and None) for _ in range(10)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        stop.set()
        for thread in threads:
            thread.join()
        assert codes == [0] * 10


def test_a_forked_child_has_its_own_connections_to_a_service(tmp_path):
    with Engine(tmp_path, bucket=BUCKET, region=REGION, keys=KEYS) as engine, Listener(engine) as listener:
        listener.start()
        keys = Credentials(*next(iter(KEYS.items())))
        transport = AddressTransport(listener.address)
        with Client(BUCKET, region=REGION, credentials=keys, transport=transport, scheme="http") as client:
            client.upload(b"one", "a")

            def use():
                assert [client.read("a") for _ in range(20)] == [b"one"] * 20
                client.close()

            children = [fork_process(use) for _ in range(3)]
            assert [client.read("a") for _ in range(50)] == [b"one"] * 50
            assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 3
            assert client.read("a") == b"one"


@pytest.fixture
def orphans() -> Iterator[list[int]]:
    """Ids of processes that outlive their parents; they are killed after the test."""
    ids: list[int] = []
    yield ids
    for process in ids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


ORPHAN = """
def orphan():
    child = os.fork()
    if child == 0:
        for number in (1, 2):
            os.close(number)
        time.sleep(100)
        os._exit(0)
    return child
"""


@pytest.mark.slow
def test_an_orphan_does_not_keep_the_lease_or_the_heartbeat_of_its_parent(tiny, tmp_path, orphans):
    code = """
    lease = lab.journal.lease()
    print(orphan(), lease.name, next((lab.home / "engine/.owners").iterdir()).name, flush=True)
    time.sleep(100)
    """
    kernel = python(textwrap.dedent(ORPHAN) + textwrap.dedent(code), tiny, tmp_path)
    child, lease, owner = kernel.stdout.readline().split()
    orphans.append(int(child))
    leases, lock = tmp_path / "journal.sqlite.leases", tmp_path / "engine/.owners" / owner / "lock"
    assert not is_dead(leases, lease) and is_locked(lock)
    kernel.kill()
    kernel.communicate()
    assert is_dead(leases, lease) and not is_locked(lock)
    os.kill(int(child), 0)  # it still lives


@pytest.mark.slow
def test_an_orphan_does_not_keep_the_port_or_the_ffmpeg_of_its_parent(tiny, tmp_path, orphans):
    code = """
    from ci_notebook.engine.server.listener import Listener
    listener = Listener(lab.engine)
    listener.start()
    lab.submit(clip, {"SharpenLevel": 1})
    from ci_notebook.media.process import program
    with program([sys.executable, "-c", "import time; time.sleep(100)"]) as process:
        lab.preview(clip, {"SharpenLevel": 1})
        time.sleep(0.3)
        waiting = subprocess.run(["pgrep", "-P", str(os.getpid()), "ffmpeg"], capture_output=True, text=True)
        print(orphan(), listener.port, process.pid, *waiting.stdout.split(), flush=True)
        time.sleep(100)
    """
    kernel = python(textwrap.dedent(ORPHAN) + textwrap.dedent(code), tiny, tmp_path)
    child, port, *programs = map(int, kernel.stdout.readline().split())
    orphans.append(child)
    kernel.kill()
    kernel.communicate()
    until(lambda: not any(is_running(one) for one in programs), 20)
    os.kill(child, 0)
    with socket.create_server(("127.0.0.1", port)):  # the address is free
        pass


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


WORK = {
    "journal": "lab.journal.runs()",
    "repr": "repr(lab.journal)",
    "run": "lab.run(clip, ci.grid(None, SharpenLevel=[k % 4]), scores=False)",
    "jobs": "list(lab.jobs())",
    "submit": 'lab.submit(clip, {"SharpenLevel": k % 11})',
    "upload": 'lab.client.upload(b"x" * 1000 * (k % 9), f"k{k % 5}")',
    "frames": "lab.frames(clip)[k % 5]",
    "preview": 'lab.preview(clip, {"SharpenLevel": k % 11}, at_s=(k % 5) / 10)',
    "vote": "lab.journal.votes()",
}


@pytest.mark.slow
@pytest.mark.parametrize("work", WORK)
def test_closing_a_lab_beside_busy_threads_ends_cleanly(work, tiny, tmp_path):
    code = f"""
    lab.run(clip, ci.grid(None, SharpenLevel=[0, 1]), scores=False)
    strange, done, stop = [], [], False
    def busy(k):
        while not stop:
            k += 1
            try:
                {WORK[work]}
                done.append(k)
            except (ci.ParameterError, ci.ServiceError) as error:
                if "closed" in str(error):
                    return
                strange.append(repr(error))
            except BaseException as error:
                strange.append(repr(error))
    threads = [threading.Thread(target=busy, args=(k,)) for k in range(6)]
    for one in threads: one.start()
    time.sleep(0.5)
    lab.close()
    time.sleep(0.3)
    stop = True
    for one in threads: one.join(30)
    print(bool(done), strange[:3], any(one.is_alive() for one in threads))
    """
    assert finished(python(code, tiny, tmp_path)) == "True [] False\n"


REMOVED = (".owners", ".incoming", ".cache", "tmp", "cache", "cache/.locks", "journal.sqlite.leases", "panels")


@pytest.mark.slow
@pytest.mark.parametrize("folder", REMOVED)
def test_a_folder_that_vanished_is_made_again(folder, tiny, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path / "tmp"))
        (tmp_path / "tmp").mkdir()
        code = f"""
        job(1)
        lab.preview(clip, {{"SharpenLevel": 1}})
        import shutil
        home, name = lab.home, {folder!r}
        inside = sorted(home.parent.glob("tmp/ci-notebook-*")) if name == "tmp" else [
            home / name if (home / name).exists() else home / "engine" / name]
        for one in inside:
            shutil.rmtree(one, ignore_errors=True)
        states = [job(2).state, lab.upload(ci.sample()).size_bytes > 0]
        runs = lab.run(clip, ci.grid(None, SharpenLevel=[3]), every=5)
        states += [runs[0].state, runs[0].scores != {{}}, len(lab.preview(clip, {{"SharpenLevel": 2}})) > 0]
        print(*states)
        """
        assert finished(python(code, tiny, tmp_path / "home")) == "Success True Success True True\n"


@pytest.mark.slow
def test_a_job_whose_folder_vanishes_during_its_work_runs_again_or_fails_loudly(tiny, tmp_path):
    with ci.connect(home=tmp_path) as lab:
        clip = lab.upload(tiny)
        owners = tmp_path / "engine/.owners"
        stop = threading.Event()

        def remove():
            while not stop.wait(0.02):
                for folder in owners.glob("*/j*"):
                    shutil.rmtree(folder, ignore_errors=True)

        thread = threading.Thread(target=remove)
        thread.start()
        job = lab.submit(clip, {"SharpenLevel": 4})
        with pytest.raises(ci.JobFailed, match=r"working folder \.owners was removed while the job ran"):
            job.wait(60)
        stop.set()
        thread.join()
        assert lab.submit(clip, {"SharpenLevel": 5}).wait(60).state == "Success"


@pytest.mark.slow
def test_a_working_folder_that_cannot_be_made_again_fails_the_job(tiny, tmp_path):
    with ci.connect(home=tmp_path) as lab:
        clip = lab.upload(tiny)
        owners = tmp_path / "engine/.owners"
        shutil.rmtree(owners)
        owners.write_text("in the way")
        with pytest.raises(ci.JobFailed, match=r"working folder \.owners cannot be used"):
            lab.submit(clip, {"SharpenLevel": 4}).wait(60)
        owners.unlink()
        assert lab.submit(clip, {"SharpenLevel": 4}).wait(60).state == "Success"


@pytest.mark.parametrize("what", ["removed", "moved", "replaced"])
def test_an_engine_whose_ledger_vanished_says_so_at_once(what, tiny, tmp_path):
    home = tmp_path / "home"
    with ci.connect(home=home) as lab:
        clip = lab.upload(tiny)
        if what == "removed":
            shutil.rmtree(home)
        else:
            home.rename(tmp_path / "elsewhere")
        if what == "replaced":
            shutil.copytree(tmp_path / "elsewhere", home)
        for call in (
            lambda: lab.submit(clip, {"SharpenLevel": 4}), lambda: list(lab.jobs()), lambda: lab.upload(ci.sample()),
        ):  # fmt: skip
            with pytest.raises(EngineError, match=r"ledger .* was removed or replaced"):
                call()
    with ci.connect(home=home) as lab:
        assert lab.submit(lab.upload(tiny), {"SharpenLevel": 4}).wait(60).state == "Success"


def test_a_journal_that_was_removed_is_an_error(tmp_path):
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.path.unlink()
        with pytest.raises(EngineError, match=r"The journal .* was removed or replaced"):
            journal.runs()


@contextlib.contextmanager
def stopped_holder(path: Path) -> Iterator[None]:
    """Have a lock held by a process that is stopped."""
    code = "import sys, time; from pathlib import Path; from ci_notebook._file_lock import FileLock\n"
    code += "lock = FileLock(Path(sys.argv[1])); print(lock.try_lock(), flush=True); time.sleep(100)"
    holder = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "True\n"
        holder.send_signal(signal.SIGSTOP)
        yield
    finally:
        holder.kill()
        holder.communicate()


def test_a_stopped_process_that_holds_a_lock_of_the_file_cache_is_passed_by(tmp_path):
    cache = FileCache(tmp_path, patience_s=0.5)
    (tmp_path / ".locks").mkdir()
    with contextlib.ExitStack() as holders:
        path = tmp_path / "file"
        made = cache.make(path, lambda part: part.write_text("1"))  # so that the lock file exists
        made.unlink()
        holders.enter_context(stopped_holder(next((tmp_path / ".locks").iterdir())))
        began = time.monotonic()
        assert cache.make(path, lambda part: part.write_text("2")).read_text() == "2"
        assert 0.4 < time.monotonic() - began < 20


def test_a_process_that_still_writes_is_waited_for(tmp_path):
    cache, path = FileCache(tmp_path, patience_s=0.5), tmp_path / "file"
    cache.make(path, lambda part: part.write_text("1")).unlink()
    lock = FileLock(next((tmp_path / ".locks").iterdir()))
    assert lock.try_lock()
    part = tmp_path / "part-1"

    def write():
        for _ in range(15):
            part.write_text("more")
            time.sleep(0.1)
        path.write_text("theirs")
        lock.release()

    writer = threading.Thread(target=write)
    writer.start()
    assert cache.make(path, lambda part: part.write_text("mine")).read_text() == "theirs"
    writer.join()


def test_a_stopped_process_that_builds_an_entry_of_the_render_cache_is_passed_by(tmp_path):
    cache = RenderCache(tmp_path, limit=1 << 20, patience_s=0.5)
    with stopped_holder(tmp_path / "key.lock"), cache.building("key") as publish:
        publish(0.5)
        file = tmp_path / "out"
        file.write_bytes(b"x")
        cache.put("key", file)
    assert cache.get("key", tmp_path / "link") is not None


def test_waiting_for_a_lock_can_be_interrupted(tmp_path):
    lock = FileLock(tmp_path / "lock")
    assert lock.try_lock()
    threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        FileLock(tmp_path / "lock").wait(lambda: True)
    assert not FileLock(tmp_path / "lock").try_lock()
    lock.release()
    assert FileLock(tmp_path / "lock").try_lock()


def test_a_lock_is_for_its_owner_only_and_knows_when_its_file_is_gone(tmp_path):
    lock = FileLock(tmp_path / "lock")
    assert not lock.is_intact and lock.try_lock() and lock.is_intact
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
    assert is_locked(tmp_path / "lock") and not is_locked(tmp_path / "other") and not (tmp_path / "other").exists()
    (tmp_path / "lock").rename(tmp_path / "moved")
    assert not lock.is_intact
    (tmp_path / "lock").touch()
    assert not lock.is_intact
    lock.release(remove=True)
    assert (tmp_path / "lock").exists(), "another's file was removed"


def test_an_ffmpeg_that_reports_nothing_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(ffmpeg, "SILENCE_S", 1.0)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # nobody writes into it
    began = time.monotonic()
    with pytest.raises(EngineError, match="reported no progress for 1 s"):
        ffmpeg.run(["-f", "rawvideo", "-video_size", "16x16", "-i", pipe, "-f", "null", "-"])
    assert time.monotonic() - began < 30


def test_files_are_locked_in_one_place_only():
    package = Path(ci.__file__).parent
    locking = re.compile(r"flock\(|lockf\(|msvcrt|import filelock")
    found = {
        str(path.relative_to(package)) for path in package.rglob("*.py") if locking.search(path.read_text("utf-8"))
    }
    assert found == {"_file_lock.py"}
