"""The doctor names what is wrong, says what to do, costs nothing, and shows no key."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import ci_notebook as ci
from ci_notebook.cli import main
from ci_notebook.doctor import machine, packages
from ci_notebook.doctor.doctor import doctor
from ci_notebook.doctor.findings import Finding, Report
from ci_notebook.doctor.service_checks import look_at_service
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.faults import HangUp, ServerError, Throttle
from ci_notebook.engine.server.listener import Listener
from ci_notebook.model.errors import EngineError, ParameterError

BUCKET, REGION = "test-1250000000", "ap-chongqing"
KEYS = ci.Credentials("AKIDdoctor", "doctorskey")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    keys = {"AKIDdoctor": "doctorskey"}
    with Engine(tmp_path / "engine", bucket=BUCKET, region=REGION, keys=keys) as running:
        yield running


@pytest.fixture
def served(engine: Engine) -> Iterator[str]:
    with Listener(engine) as listener:
        listener.start()
        yield listener.address


def ask(address: str, **more: object) -> dict[str, Finding]:
    asked = {"endpoint": address, "credentials": KEYS, **more}
    return {one.name: one for one in look_at_service(BUCKET, REGION, **asked)}  # type: ignore[arg-type]


def test_a_bucket_in_order_is_all_ok_and_nothing_was_changed(served: str, engine: Engine) -> None:
    found = ask(served)
    assert [*found] == ["reach", "clock", "objects", "queues", "jobs", "templates", "submitting"]
    assert {one.state for one in found.values()} == {"OK"}
    assert found["clock"].detail == "agrees with the clock of the service"


@pytest.mark.parametrize(("skew_s", "way"), [(7200, "ahead of"), (-7200, "behind")])
def test_a_clock_that_is_off_is_named_once_with_how_far(served: str, skew_s: int, way: str) -> None:
    found = ask(served, clock=lambda: time.time() + skew_s)
    assert found["clock"].state == "problem" and "NTP" in found["clock"].remedy
    seconds = int(re.findall(rf"(\d+) s {way}", found["clock"].detail)[0])
    assert seconds == pytest.approx(7200, abs=5)
    assert "objects" not in found and "jobs" not in found


def test_a_clock_a_little_off_is_a_warning_and_everything_else_works(served: str) -> None:
    found = ask(served, clock=lambda: time.time() + 40)
    assert found["clock"].state == "warning"
    assert found["jobs"].state == "OK"


def test_a_missing_permission_is_named_with_the_action_to_grant(served: str, engine: Engine) -> None:
    engine.faults.add("list_queues", ServerError(status=403))
    found = ask(served)
    assert found["queues"].state == "problem"
    assert "ci:DescribeMediaQueues" in found["queues"].remedy
    assert found["jobs"].state == "OK" and "submitting" not in found


def test_a_bucket_that_is_not_switched_on_is_named_once_with_the_call_that_does_it(tmp_path: Path) -> None:
    keys = {"AKIDdoctor": "doctorskey"}
    off = Engine(tmp_path / "off", bucket=BUCKET, region=REGION, keys=keys, is_activated=False)
    with off, Listener(off) as listener:
        listener.start()
        found = ask(listener.address)
    assert [name for name, one in found.items() if one.state == "problem"] == ["media processing"]
    assert "buckets.activate()" in found["media processing"].remedy


def test_a_wrong_key_an_unknown_key_and_a_wrong_bucket_are_distinguished(served: str) -> None:
    assert "SecretKey" in ask(served, credentials=ci.Credentials("AKIDdoctor", "wrong"))["keys"].remedy
    assert "unknown" in ask(served, credentials=ci.Credentials("AKIDother", "doctorskey"))["keys"].remedy
    (found,) = (
        one for one in look_at_service("other-1250000000", REGION, endpoint=served, credentials=KEYS)
        if one.state == "problem"
    )  # fmt: skip
    assert "NoSuchBucket" in found.detail


def test_an_unreachable_service_is_one_finding(served: str, engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
    found = ask(f"http://127.0.0.1:{port}")
    assert [*found] == ["reach"] and found["reach"].state == "problem"
    assert "proxy" in found["reach"].remedy


def test_a_service_that_is_busy_or_hangs_up_is_reported_as_such(served: str, engine: Engine) -> None:
    engine.faults.add("list_queues", Throttle(retry_after_s=90), times=9)
    engine.faults.add("list_jobs", HangUp(), times=9)
    found = ask(served)
    assert found["queues"].state == "warning"
    assert found["jobs"].state == "problem" and "Run the doctor again" in found["jobs"].remedy


@pytest.mark.slow
def test_the_verb_prints_a_table_or_json_and_exits_by_its_findings(
    served: str, engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TENCENTCLOUD_SECRET_ID", "AKIDdoctor")
    monkeypatch.setenv("TENCENTCLOUD_SECRET_KEY", "doctorskey")
    where = ["--bucket", BUCKET, "--region", REGION, "--endpoint", served]
    assert main(["doctor", *where, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] and {one["area"] for one in said["findings"]} >= {"Packages", "FFmpeg", "Disk", "Keys", "Service"}
    engine.faults.add("*", ServerError(status=403), times=None)
    assert main(["doctor", *where]) == 1
    said = capsys.readouterr().out
    assert "✗ objects" in said and "→" in said
    assert "the environment: USED" in said and "AKIDdoctor" not in said and "doctorskey" not in said


@pytest.mark.slow
def test_here_everything_that_is_promised_is_installed_and_works() -> None:
    report = ci.doctor()
    assert report.ok, report
    found = {one.name: one for one in report}
    assert found["VMAF v1 models"].state == "OK"
    assert found["VMAF models"].state == found["encoders"].state == found["extra local"].state == "OK"
    assert "not found; the environment: not set" in found["source"].detail


@pytest.mark.slow
def test_a_bucket_without_a_region_is_refused() -> None:
    with pytest.raises(ParameterError, match="region"):
        doctor(BUCKET)


def test_a_report_is_a_table_in_a_notebook_and_escapes_messages_of_the_service() -> None:
    report = Report([Finding("Service", "queues", "problem", "<script>alert(1)</script>", "do & be")])
    html = report._repr_html_()
    assert "<script" not in html and "do &amp; be" in html and "<caption" in html
    assert repr(report) == "<Report: 1 problem, 0 warnings, 0 OK>" and not report.ok
    assert report[0].area == "Service" and len(report) == 1


def test_without_ffmpeg_the_cloud_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_found() -> None:
        raise EngineError("none was found")

    monkeypatch.setattr("ci_notebook.media.ffmpeg.capabilities", none_found)
    (found,) = machine.look_at_ffmpeg()
    assert found.state == "warning" and "cloud only" in found.detail and "[local]" in found.remedy


@pytest.mark.slow
def test_an_ffmpeg_without_vmaf_v1_is_a_warning_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_notebook.media.scoring.libvmaf.has_model", lambda name: "v1" not in name)
    found = {one.name: one for one in machine.look_at_ffmpeg()}
    v1 = found["VMAF v1 models"]
    assert v1.state == "warning" and "vmaf_v1.0.16_3d0h" in v1.detail and "pip install" in v1.remedy
    assert found["VMAF models"].state == "OK"


def test_a_full_disk_and_an_unwritable_folder_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.look_at_disk(tmp_path / "not" / "yet").state in ("OK", "warning")
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1_000_000})())
    assert machine.look_at_disk(tmp_path).state == "problem"
    monkeypatch.setattr(machine.os, "access", lambda *_: False)
    assert "cannot be written" in machine.look_at_disk(tmp_path).detail


def test_half_a_key_is_a_problem_and_no_key_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert machine.look_at_keys().state == "warning"
    monkeypatch.setenv("TENCENTCLOUD_SECRET_ID", "AKIDdoctor")
    assert machine.look_at_keys().state == "problem"
    assert "TENCENTCLOUD_SECRET_KEY" in machine.look_at_keys().detail


def test_missing_and_old_packages_are_reported_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    here = packages.metadata.version
    fakes = {"imageio-ffmpeg": "", "optuna": "", "pandas": "1.0"}

    def version(name: str) -> str:
        if fakes.get(name) == "":
            raise packages.metadata.PackageNotFoundError(name)
        return fakes.get(name) or here(name)

    monkeypatch.setattr(packages.metadata, "version", version)
    found = {one.name: one for one in packages.look_at_packages()}
    assert (found["needed"].state, found["extra local"].state, found["extra optuna"].state) == (
        "problem",
        "warning",
        "OK",
    )
    assert "pandas is 1.0" in found["needed"].detail
    assert found["extra local"].remedy.endswith("'ci-notebook[local]'")
