"""The journal is private, written before anything is sent, and tells every run again."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace

import pytest

from ci_notebook.experiment.journal import VERSION, Journal, key_of, normalized
from ci_notebook.experiment.run_record import Run
from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.errors import CIError
from ci_notebook.model.score_alignment import Alignment
from ci_notebook.model.setting.enhance import ColorEnhance, MsSharpen, VideoEnhance
from ci_notebook.wire.xml import loads
from tests.results.jobs_xml import done

SETTING = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5), color_enhance=ColorEnhance(contrast=AUTO))
RUN = Run(key="k1", clip="bikes", clip_key="input/b.mp4", clip_md5="m", setting=SETTING)
REQUEST = enhance_request("input/b.mp4", SETTING, bucket="b-1250000000", region="ap-chongqing", user_data="mark 1")


@pytest.fixture
def journal(tmp_path):
    ticks = iter(range(1000))
    with Journal(tmp_path / "sub" / "journal.sqlite", clock=lambda: float(next(ticks))) as journal:
        yield journal


def test_only_its_owner_can_read_it(journal):
    journal.begin(RUN, REQUEST, service="s", mark="mark 1")
    for path in journal.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_run_comes_back_as_it_went_in(journal):
    journal.begin(RUN, REQUEST, service="s", mark="mark 1")
    assert journal.latest("k1").phase == "sending"
    assert journal.latest("k1").run == RUN
    job = loads(JobsDetail, done(1).encode())
    ended = Run(**{**RUN.__dict__, "job": job, "scores": {"psnr": 41.25}, "cost_cny": 0.25, "error": "é <b>"})
    journal.record_reply(ended)
    assert journal.latest("k1").phase == "sent"
    journal.record_result(ended)
    assert (journal.latest("k1").phase, journal.latest("k1").run) == ("over", ended)
    assert journal.runs() == [ended]
    assert repr(journal) == "<Journal of 1 run>"


def test_another_kernel_sees_it_after_a_crash(journal):
    journal.begin(RUN, REQUEST, service="s", mark="mark 1")
    with Journal(journal.path) as other:  # the first one was never closed
        assert other.latest("k1").mark == "mark 1"


def test_the_last_attempt_counts(journal):
    journal.begin(RUN, REQUEST, service="s", mark="mark 1")
    second = Run(**{**RUN.__dict__, "attempt": 2})
    journal.begin(second, REQUEST, service="s", mark="mark 2")
    assert journal.latest("k1").run.attempt == 2
    assert journal.runs() == [second]


def test_a_mark_is_never_used_twice(journal):
    journal.begin(RUN, REQUEST, service="s", mark="mark 1")
    with pytest.raises(CIError, match="UNIQUE"):
        journal.begin(Run(**{**RUN.__dict__, "key": "k2"}), REQUEST, service="s", mark="mark 1")


def test_request_reply_and_versions_are_in_the_file(journal):
    journal.begin(RUN, REQUEST, service="s", mark="mark 1")
    journal.record_reply(Run(**{**RUN.__dict__, "job": loads(JobsDetail, done(4).encode())}))
    with sqlite3.connect(journal.path) as db:
        request, reply, versions, made, changed = db.execute(
            "SELECT request, reply, versions, created_at, updated_at FROM runs"
        ).fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (mode,) = db.execute("PRAGMA journal_mode").fetchone()
    db.close()
    assert "<SharpenLevel>5</SharpenLevel>" in request
    assert "<JobId>j0" in reply
    assert "ci_notebook" in versions
    assert (made, changed, version, mode) == (0.0, 1.0, VERSION, "wal")


def test_the_file_of_a_later_version_is_refused(journal):
    with sqlite3.connect(journal.path) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    with pytest.raises(CIError, match="later"):
        Journal(journal.path)


def test_keys_depend_on_content_setting_and_service_alone():
    key = key_of("md5", SETTING, "s")
    assert key == key_of("md5", normalized(SETTING), "s")
    read = loads(VideoEnhance, b"<a><MsSharpen><SharpenLevel>+5</SharpenLevel></MsSharpen></a>")
    assert key_of("m", read, "s") == key_of("m", VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5)), "s")
    others = [("md6", SETTING, "s"), ("md5", VideoEnhance(), "s"), ("md5", SETTING, "t")]
    others.append(("md5", VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5), color_enhance=ColorEnhance()), "s"))
    assert len({key, *(key_of(*other) for other in others)}) == 5


def test_the_values_of_frames_are_kept(journal):
    journal.begin(RUN, REQUEST, service="s", mark="mark 1")
    measured = Run(**{**RUN.__dict__, "scores": {"vmaf": 90.0}, "pictures": {"vmaf": (89.0, 91.0)}, "every": 5})
    journal.record_result(measured)
    assert journal.latest("k1").run == measured


def test_the_file_of_the_first_version_is_brought_up_to_date(journal):
    journal.begin(RUN, REQUEST, service="s", mark="mark 1")
    journal.close()
    with sqlite3.connect(journal.path) as db:
        for column in (
            "pictures",
            "owner",
            "setting_sha256",
            "score_against",
            "reference_md5",
            "template_id",
            "alignment",
            "scored_with",
        ):
            db.execute(f"ALTER TABLE runs DROP COLUMN {column}")
        db.execute("DROP TABLE votes")
        db.execute("PRAGMA user_version = 1")
    db.close()
    with Journal(journal.path) as again:
        assert again.runs() == [RUN]


def test_the_file_of_the_third_version_opens_and_its_runs_have_no_alignment(journal):
    journal.begin(RUN, REQUEST, service="s", mark="mark 1")
    measured = replace(RUN, scores={"vmaf": 90.0})
    journal.record_result(measured)
    journal.close()
    with sqlite3.connect(journal.path) as db:
        db.execute("ALTER TABLE runs DROP COLUMN alignment")
        db.execute("ALTER TABLE runs DROP COLUMN scored_with")
        db.execute("PRAGMA user_version = 3")
    db.close()
    aligned = replace(measured, alignment=Alignment(offset_frames=-2, offset_s=-0.08, source_crop=(0.0, 0.1, 1.0, 0.8)))
    with Journal(journal.path) as again:
        assert again.runs() == [measured]
        again.record_result(aligned)
    with Journal(journal.path) as again:
        assert again.runs() == [aligned]


def test_the_file_of_the_fourth_version_opens_and_new_runs_keep_the_model_of_vmaf_v1(journal):
    journal.begin(RUN, REQUEST, service="s", mark="mark 1")
    measured = replace(RUN, scores={"vmaf": 90.0})
    journal.record_result(measured)
    journal.close()
    with sqlite3.connect(journal.path) as db:
        db.execute("ALTER TABLE runs DROP COLUMN scored_with")
        db.execute("PRAGMA user_version = 4")
    db.close()
    scored = replace(
        measured,
        scores={"vmaf_v1": 80.0},
        screen="phone",
        vmaf_v1_model="vmaf_v1.0.16_5d0h",
        score_note="Read delta_e.",
    )
    with Journal(journal.path) as again:
        assert again.runs() == [measured]
        again.record_result(scored)
    with Journal(journal.path) as again:
        assert again.runs() == [scored]


def test_an_attempt_starts_once_in_any_process(journal):
    assert journal.begin(RUN, REQUEST, service="s", mark="mark 1", owner="a")
    with Journal(journal.path) as other:
        assert not other.begin(RUN, REQUEST, service="s", mark="mark 1", owner="b")
    assert journal.latest("k1").owner == "a"


def test_one_process_takes_over_the_submissions_of_dead_ones(journal):
    journal.begin(RUN, REQUEST, service="s", mark="mark 1", owner="dead")
    entry = journal.latest("k1")
    assert [journal.claim(entry, name) for name in ("b", "c")] == [True, False]
    journal.record_reply(RUN)
    assert not journal.claim(journal.latest("k1"), "d")


def test_a_lease_lives_as_long_as_its_process(journal):
    hold = (
        "import sys; from pathlib import Path; from ci_notebook.experiment.lease import Lease; "
        "lease = Lease(Path(sys.argv[1])); print(lease.name, flush=True); input()"
    )
    with journal.lease() as mine, journal.lease() as second:
        assert not mine.is_dead(mine.name) and not mine.is_dead(second.name)
        folder = journal.path.with_name("journal.sqlite.leases")
        holder = subprocess.Popen(
            [sys.executable, "-c", hold, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        with holder:
            name = holder.stdout.readline().strip()
            assert not mine.is_dead(name)
            holder.kill()
        assert mine.is_dead(name)
    assert second.is_dead(mine.name)
