"""The README keeps its word: its table is that of the declarations, and its code runs."""

from __future__ import annotations

import re

from tests.readme_tables import README, written


def test_the_table_of_leaves_is_that_of_the_declarations() -> None:
    text = README.read_text(encoding="utf-8")
    assert written(text) == text, "run `python tests/readme_tables.py`"


def test_the_first_example_runs_as_it_stands() -> None:
    text = README.read_text(encoding="utf-8")
    code = re.search(r"<!-- snippet: run by tests/test_readme.py -->\n```python\n(.*?)```", text, re.DOTALL)
    assert code is not None
    names: dict[str, object] = {}
    exec(compile(code[1], "README.md", "exec"), names)  # noqa: S102  our own text
    assert len(names["df"]) == 6  # type: ignore[arg-type]
    assert set(names["df"]["state"]) == {"Success"}  # type: ignore[index]
