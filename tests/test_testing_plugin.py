"""The kit on a user's own folder: a notebook, a test and a conftest of theirs, run by pytest as they would run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from ci_notebook import testing
from ci_notebook.cli import main

ROOT = Path(__file__).resolve().parent.parent
# What each cell runs, and what it printed once: other ids, other addresses, the same result.
CELLS = (
    ("import ci_notebook as ci\nlab = ci.connect()\nclip = lab.upload(ci.sample('portrait'))", ""),
    (
        "setting = ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=3))\n"
        "job = lab.submit(clip, setting).wait()\nprint(job.id, object())",
        f"j{'0' * 32} <object object at 0x7f0123456789>\n",
    ),
    ("print(job)", "<Job Success: input/portrait.mp4 · MsSharpen.SharpenLevel=3>\n"),
    ("print(lab.look(job)._repr_html_().count('data:image/jpeg'))", "1\n"),
)


def readme(name: str) -> str:
    """Return the file of that name as the documentation shows it."""
    text = (ROOT / "docs" / "guide" / "testing.md").read_text("utf-8")
    (code,) = re.findall(rf"<!-- kit: {name}, .*? -->\n```python\n(.*?)```", text, re.DOTALL)
    return str(code)


def write_notebook(path: Path, cells: tuple[tuple[str, str], ...]) -> None:
    made = []
    for number, (source, printed) in enumerate(cells, 1):
        shown = [nbformat.v4.new_output("stream", name="stdout", text=printed)] if printed else []
        made.append(nbformat.v4.new_code_cell(source, execution_count=number, outputs=shown))
    notebook = nbformat.v4.new_notebook(cells=made)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)


@pytest.mark.slow
def test_a_users_tests_and_notebooks_run_and_stay_out_of_the_users_store(tmp_path: Path) -> None:
    mine, home = tmp_path / "mine", tmp_path / "home"
    mine.mkdir()
    for name in ("conftest.py", "test_mine.py"):
        (mine / name).write_text(readme(name))
    write_notebook(mine / "mine.ipynb", CELLS)
    write_notebook(mine / "changed.ipynb", (*CELLS[:2], ("print(job.state)", "Failed\n")))

    # Nothing of this session's settings is in sight but where the package is.
    own = {name: value for name, value in os.environ.items() if not name.startswith(("CI_NOTEBOOK", "PYTEST"))}
    own |= {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path / "ipython"), "HOME": str(home), "XDG_DATA_HOME": ""}
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]
    done = subprocess.run(
        [*command, "test_mine.py", "mine.ipynb", "changed.ipynb"],
        cwd=mine, env=own, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert "7 passed" in said and "1 failed" in said, said
    assert "PASSED test_mine.py::test_a_dropped_reply_costs_no_second_job" in said
    assert "FAILED changed.ipynb::Cell 2" in said
    assert not [path for path in home.rglob("*") if "ci_notebook" in path.name], "the user's store was not touched"


def test_the_rules_for_nbval_are_found_without_the_kit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sanitize-rules"]) == 0
    rules = Path(capsys.readouterr().out.strip())
    assert rules == testing.sanitize_rules() and "[job ids]" in rules.read_text("utf-8")


def test_the_names_of_the_fixtures_are_our_own() -> None:
    fixtures = [name for name in testing.__all__ if name != "sanitize_rules"]
    assert fixtures and all(name.startswith("ci_") for name in fixtures)
