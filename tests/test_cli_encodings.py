"""An output that cannot show a character: every verb says what it has to say, and its status is right."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from pathlib import Path

import pytest
from lxml import etree

import ci_notebook as ci
from ci_notebook.cli import main
from tests.support import write_clip

ENCODINGS = ("ascii", "cp1252", "utf-8")


def said(monkeypatch: pytest.MonkeyPatch, encoding: str, *words: str | Path) -> tuple[int, str, str]:
    """Run a verb with an output of this encoding; return its status, and what it wrote to stdout and stderr."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", write_through=True) for _ in range(2)]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        try:
            status = main([str(word) for word in words])
        except SystemExit as stop:
            status = int(stop.code or 0)
    out, error = (stream.buffer.getvalue().decode(encoding) for stream in streams)  # type: ignore[attr-defined]
    return status, out, error


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_verb_has_help(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    status, out, _ = said(monkeypatch, encoding, "--help")
    verbs = re.findall(r"(?m)^    ([a-z][a-z-]+)", out)
    assert status == 0
    assert {"app", "check-notebook", "doctor", "jobs", "lab", "report", "sanitize-rules", "serve"} <= set(verbs)
    for verb in verbs:
        status, out, error = said(monkeypatch, encoding, verb, "--help")
        assert (status, error) == (0, "")
        assert out.startswith(f"usage: ci-notebook {verb}")


@pytest.fixture(scope="module")
def clip_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "数据 é 🎬.mp4", seconds=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_names_are_escaped_where_they_cannot_be_shown(
    encoding: str, clip_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_NOTEBOOK_PROGRESS", "0")
    home = ("--home", tmp_path / "home 数")
    status, out, _ = said(
        monkeypatch, encoding, "report", clip_path, "--vary", "SharpenLevel=0,2", "--out", tmp_path / "数.html", *home
    )
    assert status == 0
    assert (tmp_path / "数.html").exists()
    assert ("数.html" if encoding == "utf-8" else r"\u6570.html") in out
    for form, read in (("--json", json.loads), ("--xml", lambda text: etree.fromstring(text.encode())), ("--csv", str)):
        status, out, _ = said(monkeypatch, encoding, "jobs", form, *home)
        assert status == 0
        read(out)
    _, out, _ = said(monkeypatch, encoding, "jobs", "--json", *home)
    assert json.loads(out)[0]["input_key"] == f"input/{clip_path.name}"
    assert said(monkeypatch, encoding, "jobs", *home)[0] == 0


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_refusal_names_a_file_that_cannot_be_shown(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("没.mp4", os.fsdecode(b"caf\xe9.mp4")):
        status, _, error = said(monkeypatch, encoding, "report", tmp_path / name, "--vary", "SharpenLevel=0")
        assert status == 1
        assert "There is no video file or folder" in error
    book = tmp_path / "数.ipynb"
    source = {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": None, "outputs": []}
    cell = {**source, "source": ["x = '/home/数据/a'"]}
    text = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}, ensure_ascii=False)
    for written in ("utf-8", "utf-8-sig", "utf-16"):
        book.write_bytes(text.encode(written))
        status, out, _ = said(monkeypatch, encoding, "check-notebook", book)
        assert status == 1
        assert "cannot be read" not in out


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_price_lists_tables_and_job_files_with_a_mark_are_read(encoding: str, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_bytes('currency = "元"\n[items]\nMsSharpen = 1\n'.encode(encoding))
    assert ci.read_prices(prices).currency == "元"
    table = ci.to_frame([ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=3))]).assign(clip="数.mp4")
    (tmp_path / "runs.csv").write_bytes(table.to_csv(index=False).encode(encoding))
    assert [run.clip for run in ci.read_runs(tmp_path / "runs.csv")] == ["数.mp4"]
    xml = "<?xml version='1.0'?><Response><JobsDetail><JobId>数</JobId></JobsDetail></Response>"
    (tmp_path / "jobs.xml").write_bytes(
        xml.encode(encoding) if encoding != "utf-8-sig" else b"\xef\xbb\xbf\r\n" + xml.encode()
    )
    assert list(ci.read_jobs(tmp_path / "jobs.xml")["job_id"]) == ["数"]


def test_a_table_in_another_encoding_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "gbk.csv").write_bytes("run,clip\n1,数据\n".encode("gbk"))
    with pytest.raises(
        ci.ParameterError, match=r"gbk.csv is not text in UTF-8. Save it as CSV with the encoding UTF-8"
    ):
        ci.read_runs(tmp_path / "gbk.csv")
    (tmp_path / "gbk.toml").write_bytes('currency = "元人民币"\n'.encode("gbk"))
    with pytest.raises(ci.ParameterError, match=r"gbk.toml is not text in UTF-8"):
        ci.read_prices(tmp_path / "gbk.toml")
