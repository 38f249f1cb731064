"""Calls that read videos have few slots and a time limit, so that other callers are answered meanwhile."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ci_notebook.client.connection.transport import AddressTransport
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.read_slots import MAX_ENTERED, ReadSlots
from ci_notebook.engine.server.listener import THREADS, Listener
from ci_notebook.media.ffmpeg import Cancelled, run
from ci_notebook.media.probe import media_info
from ci_notebook.media.snapshot import picture
from ci_notebook.media.streams.frame_times import timeline_of
from ci_notebook.media.streams.stretch import stretch_of
from ci_notebook.media.streams.time_limit import check_time, interruptible, time_limit
from ci_notebook.model.errors import EngineError, ParameterError, ServiceError
from tests.engine_fixtures import BUCKET, COS_HOST, KEYS, REGION, Caller


def one_key_frame(folder, *, seconds):
    """Return a small video whose last frame needs all frames before it."""
    path = folder / "long.mp4"
    source = f"color=c=gray:s=320x180:r=10:d={seconds}"
    codec = ("-c:v", "libx264", "-preset", "ultrafast", "-x264-params", "keyint=infinite:scenecut=0")
    run(["-f", "lavfi", "-i", source, *codec, "-pix_fmt", "yuv420p", path])
    return path


def test_a_full_queue_is_refused_at_once_and_a_long_wait_after_its_time():
    slots = ReadSlots(0.9, at_once=1, waiting=1)
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(2) as threads:
        stack.enter_context(slots.slot())

        def enter():
            began = time.monotonic()
            with pytest.raises(ServiceError) as no, slots.slot():
                pass
            return no.value, time.monotonic() - began

        waiting = threads.submit(enter)
        time.sleep(0.05)
        error, took_s = enter()
        assert (error.code, error.status) == ("SlowDown", 503)
        assert error.retry_after_s
        assert took_s < 0.2
        error, took_s = waiting.result()
        assert (error.code, error.status) == ("SlowDown", 503)
        assert took_s > 0.25
    with slots.slot():  # all of it was given back
        pass


def test_the_limit_counts_the_wait_and_ends_with_the_block():
    with ReadSlots(60, at_once=1).slot():
        check_time("a.mp4")
    with (
        pytest.raises(EngineError, match=r"Reading a\.mp4 takes longer than the time limit of 0 s") as no,
        time_limit(0),
    ):
        time.sleep(0.01)
        check_time("a.mp4")
    assert no.value.code == "TimeLimitExceeded"
    check_time("a.mp4")
    with pytest.raises(ParameterError, match="call_limit_s"):
        ReadSlots(0)


def test_the_limit_is_that_of_one_thread():
    failed = []
    with time_limit(0):
        thread = threading.Thread(target=lambda: failed.append(check_time("a.mp4")))
        thread.start()
        thread.join()
    assert failed == [None]


@pytest.mark.parametrize("read", [media_info, lambda path: picture(path, 99)], ids=["media info", "snapshot"])
def test_reading_a_video_ends_at_the_limit(read, tmp_path):
    path = one_key_frame(tmp_path, seconds=100)
    with time_limit(0), pytest.raises(EngineError, match=r"long\.mp4 takes longer"):
        read(path)
    read(path)


def test_a_job_that_has_to_stop_does_not_read_a_long_file_to_its_end(tmp_path):
    timeline = timeline_of(one_key_frame(tmp_path, seconds=100))
    asked = itertools.count()

    def stop(_):
        if next(asked) == 20:
            raise Cancelled("The job is not wanted any more.", code="Cancelled")

    with interruptible(stop), pytest.raises(Cancelled):
        stretch_of(timeline)
    assert next(asked) == 21
    assert len(stretch_of(timeline).times) == 1000


@contextlib.contextmanager
def calling(listener):
    caller = Caller(AddressTransport(listener.address))
    with caller.http:
        yield caller


@pytest.mark.slow
def test_other_callers_are_answered_while_many_snapshots_are_made(tmp_path):
    path = one_key_frame(tmp_path, seconds=1200)
    with (
        Engine(tmp_path / "engine", bucket=BUCKET, region=REGION, keys=KEYS, call_limit_s=6) as engine,
        Listener(engine) as listener,
        contextlib.ExitStack() as stack,
    ):
        listener.start()
        other = stack.enter_context(calling(listener))
        other.put("long.mp4", path.read_bytes())
        codes, stop = [], threading.Event()

        def snapshots():
            query = {"ci-process": "snapshot", "time": "1199"}
            with calling(listener) as caller:
                while not stop.is_set():
                    codes.append(caller("GET", "/long.mp4", query, host=COS_HOST).status_code)

        threads = [threading.Thread(target=snapshots) for _ in range(THREADS + 4)]
        for thread in threads:
            thread.start()
        took_s = []
        for _ in range(20):
            began = time.monotonic()
            assert other("GET", "/queue").status_code == 200
            took_s.append(time.monotonic() - began)
            time.sleep(0.1)
        stop.set()
        for thread in threads:
            thread.join()
    assert sorted(took_s)[len(took_s) // 2] < 1  # the machine of a test may be busy, so not the longest
    assert max(took_s) < 4
    assert set(codes) <= {200, 400, 503}
    assert 503 in codes
    assert MAX_ENTERED < THREADS
