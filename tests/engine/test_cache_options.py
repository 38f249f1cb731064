"""What is kept and reused, as it is asked for in `connect` and on the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import ci_notebook as ci
from ci_notebook.cli import main
from ci_notebook.client.connection.transport import AddressTransport
from tests.engine_fixtures import BUCKET, KEYS, REGION, Caller

SHARP = ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=5))


def kept(root: Path) -> int:
    folder = root / ".cache"
    return sum(1 for one in folder.iterdir()) if folder.exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "entries"), [({}, 1), ({"cache_bytes": 0}, 0), ({"reuse": False}, 0)])
def test_connect_takes_the_cache_size_and_whether_outputs_are_reused(tmp_path, clip, asked, entries) -> None:
    with ci.connect(home=tmp_path, **asked) as lab:
        assert lab.submit(lab.upload(clip), SHARP).wait().state == "Success"
    assert kept(tmp_path / "engine") == entries


@pytest.mark.parametrize("asked", [{"cache_bytes": 1}, {"reuse": False}, {"reuse": True}])
def test_they_are_about_the_embedded_engine(asked) -> None:
    with pytest.raises(ci.ParameterError, match=f"^{next(iter(asked))} .*embedded engine"):
        ci.connect("mybucket-1250000000", region="ap-chongqing", **asked)


def test_an_invalid_number_of_bytes_is_refused(tmp_path) -> None:
    with pytest.raises(ci.ParameterError, match=r"cache_bytes must be a whole number of bytes from 0 \(got -1\)"):
        ci.connect(home=tmp_path, cache_bytes=-1)


@contextmanager
def served(root: Path, *words: str) -> Iterator[Caller]:
    ((secret_id, secret_key),) = KEYS.items()
    environ = {**os.environ, "TENCENTCLOUD_SECRET_ID": secret_id, "TENCENTCLOUD_SECRET_KEY": secret_key}
    command = [sys.executable, "-m", "ci_notebook", "serve", "--root", str(root), "--port", "0", *words]
    command += ["--bucket", BUCKET, "--region", REGION]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        caller = Caller(AddressTransport(server.stdout.readline().split()[2]))
        yield caller
        caller.close()
        server.terminate()


@pytest.mark.slow
@pytest.mark.parametrize(("words", "entries"), [((), 1), (("--cache", "0"), 0), (("--no-reuse", "--cache", "0.5"), 0)])
def test_serve_takes_them_too(tmp_path, clip, words, entries) -> None:
    with served(tmp_path / "root", *words) as call:
        call.put("in.mp4", clip.read_bytes())
        assert call.ended(call.submit().job_id).state == "Success"
        assert kept(tmp_path / "root") == entries


def test_serve_names_an_invalid_number(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--root", str(tmp_path), "--cache", "nan"])
    assert "argument --cache/--kept: must be a number of GiB, such as 2.5 (got 'nan')" in capsys.readouterr().err
    assert main(["serve", "--root", str(tmp_path), "--cache", "-1"]) == 1
    assert "cache_bytes must be" in capsys.readouterr().err


def test_the_old_name_of_the_cache_size_works_for_one_more_version(tmp_path) -> None:
    with pytest.warns(DeprecationWarning, match="cache_bytes"), pytest.raises(ci.ParameterError, match="cache_bytes"):
        ci.connect(home=tmp_path, kept_bytes=-1)
