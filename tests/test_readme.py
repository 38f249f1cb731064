"""The README keeps its word: its table is that of the declarations, and its code runs."""

from __future__ import annotations

import re
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

import ci_notebook as ci
from ci_notebook.wire.operations import CALL
from tests.readme_tables import JUDGED, README, written


def test_the_tables_are_those_of_the_declarations() -> None:
    text = README.read_text(encoding="utf-8")
    assert written(text) == text, "run `python -m tests.readme_tables`"


def test_the_pictures_it_shows_are_there_are_small_and_have_a_text() -> None:
    shown = re.findall(r"!\[([^]]*)\]\(([^)]+)\)", README.read_text(encoding="utf-8"))
    assert shown
    for text, path in shown:
        picture = README.parent / path
        assert len(text) > 40
        assert picture.stat().st_size <= 250_000
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_each_call_has_the_method_and_the_judge_that_the_table_says(tmp_path: Path) -> None:
    judges = (Path(__file__).parent / "engine" / "test_official_sdk.py").read_text(encoding="utf-8")
    assert JUDGED.keys() == CALL.keys()
    with ci.connect(home=tmp_path) as lab:
        for method, judge in JUDGED.values():
            assert not method or callable(attrgetter(method)(lab.client))
            assert f".{judge}(" in judges or not judge


@pytest.mark.slow
def test_the_examples_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = README.read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    examples = re.findall(r"<!-- snippet: run by tests/test_readme.py -->\n```python\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 7
    for code in examples:
        exec(compile(code, "README.md", "exec"), names)  # noqa: S102  our own text
    assert list(names["df"]["state"]) == ["Success"] * 6
    mine = [job for job in names["lab"].jobs() if job.detail.operation.user_data == "lesson-3"]
    assert [job.state for job in mine] == ["Success"], "exactly one"
