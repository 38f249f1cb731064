"""`ci-notebook jobs` on a terminal and for programs, against the embedded lab and a served engine."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

import ci_notebook as ci
from ci_notebook.cli import main
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.faults import JobFails, SlowJobs
from ci_notebook.engine.server.listener import Listener
from ci_notebook.model.api.jobs import Response
from ci_notebook.wire.xml import loads

BUCKET, REGION = "test-1250000000", "ap-chongqing"
SETTING = ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=3))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "engine", bucket=BUCKET, region=REGION, keys={"AKIDjobs": "jobskey"}) as running:
        yield running


@pytest.fixture
def lab(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ci.Lab]:
    monkeypatch.setenv("TENCENTCLOUD_SECRET_ID", "AKIDjobs")
    monkeypatch.setenv("TENCENTCLOUD_SECRET_KEY", "jobskey")
    with Listener(engine) as listener:
        listener.start()
        with ci.connect(BUCKET, region=REGION, endpoint=listener.address, home=tmp_path / "home") as lab:
            lab.where = ["--bucket", BUCKET, "--region", REGION, "--endpoint", listener.address]  # type: ignore[attr-defined]
            yield lab


@pytest.fixture
def jobs(lab: ci.Lab, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str) -> tuple[int, str, str]:
        status = main(["jobs", *words, *lab.where])  # type: ignore[attr-defined]
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.mark.slow
def test_jobs_are_listed_shown_and_awaited_in_every_form(
    jobs: Callable[..., tuple[int, str, str]], lab: ci.Lab, engine: Engine, clip: Path
) -> None:
    assert jobs() == (0, "no jobs\n", "")
    stored = lab.upload(clip)
    one = lab.submit(stored, SETTING)
    status, out, err = jobs("wait", one.id)
    assert status == 0 and one.id in out and f"{one.id} Success 100 %" in err
    engine.faults.add("run_job", JobFails(message="on demand"))
    two = lab.submit(stored, SETTING)
    status, out, err = jobs("wait", two.id)
    assert status == 1 and "on demand" in out and f"Job {two.id} failed" in err

    status, out, _ = jobs("list")
    head, first, second = out.splitlines()
    assert head.split()[:3] == ["job", "state", "%"]
    assert first.startswith(two.id) and "Failed" in first
    assert second.startswith(one.id) and second.endswith("MsSharpen.SharpenLevel=3")
    assert jobs("--state", "Failed", "--limit", "1")[1].count("\n") == 2

    told = json.loads(jobs("--json")[1])
    assert [row["job_id"] for row in told] == [two.id, one.id]
    assert told[1]["MsSharpen.SharpenLevel"] == 3 and told[1]["created"].endswith("Z")
    df = pd.read_csv(io.StringIO(jobs("show", one.id, "--csv")[1]))
    assert list(df["state"]) == ["Success"] and df["MsSharpen.SharpenLevel"][0] == 3
    read = loads(Response, jobs("show", one.id, "--xml")[1].encode())
    assert read.jobs_detail[0].job_id == one.id and read.jobs_detail[0].output_keys


@pytest.mark.slow
def test_a_job_that_waits_is_cancelled_and_one_that_is_over_is_not(
    jobs: Callable[..., tuple[int, str, str]], lab: ci.Lab, engine: Engine, clip: Path
) -> None:
    engine.faults.add("run_job", SlowJobs(start_s=30), times=None)
    job = lab.submit(lab.upload(clip), SETTING)
    status, out, err = jobs("wait", job.id, "--timeout", "0.2")
    assert status == 1 and "Submitted" in out and "It continues." in err
    assert "Cancel" in jobs("cancel", job.id)[1]
    status, out, err = jobs("cancel", job.id)
    assert status == 1 and job.id in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show",), "needs the id of a job. List them: ci-notebook jobs list"),
        (("list", "j1"), "jobs show j1"),
        (("show", "j" + "0" * 32), "no job with the id"),
    ],
)
def test_a_failure_is_reported_with_the_next_step(
    words: tuple[str, ...], said: str, jobs: Callable[..., tuple[int, str, str]]
) -> None:
    status, out, err = jobs(*words)
    assert status == 1 and said in err and not out


def test_the_embedded_lab_needs_no_bucket(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs", "--home", str(tmp_path)]) == 0
    assert main(["jobs", "--region", REGION]) == 1
    said = capsys.readouterr()
    assert said.out == "no jobs\n" and "--bucket" in said.err
