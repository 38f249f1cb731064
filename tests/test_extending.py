"""A parameter is added in one line: from then on it is checked, sent, read, shown in the panel, and a column.

docs/architecture.md says so; here a copy of the package gets the line, and is asked.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NEW_LINE = '    radius: Annotated[int | None, Param("Reach of sharpening.", 1, 9, unit="px")] = None\n'
ASK = """
import ci_notebook as ci
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.rules import problems
from ci_notebook.results.dataframe import to_frame
from ci_notebook.widgets.enhance.schema import schema
from ci_notebook.wire.xml import dumps, loads

setting = ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=3, radius=5))
sent = dumps(setting)
assert b"<Radius>5</Radius>" in sent
assert loads(ci.VideoEnhance, sent) == setting
try:
    ci.MsSharpen(radius=10)
except ParameterError as refused:
    assert "MsSharpen.Radius must be 1 to 9" in str(refused), refused
else:
    raise AssertionError("out of range, and taken")
sweep = ci.grid(setting, Radius=[1, 5, 9])
assert to_frame(sweep)["MsSharpen.Radius"].tolist() == [1, 5, 9]
assert "MsSharpen.Radius" in str(schema(ci.VideoEnhance))
"""


def python_in(folder, *arguments):
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_one_line_adds_a_parameter(tmp_path):
    for folder in ("ci_notebook", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    declared = tmp_path / "ci_notebook/model/setting/enhance.py"
    source = declared.read_text("utf-8")
    declared.write_text(re.sub(r"(    sharpen_level: .*\n)", lambda line: line[0] + NEW_LINE, source), "utf-8")
    asked = python_in(tmp_path, "-c", ASK)
    assert asked.returncode == 0, asked.stderr
    # What the engine makes of it is not in that line, and the suite does not let it be forgotten.
    suite = python_in(
        tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/engine/test_command.py", "-k", "Radius"
    )
    assert suite.returncode == 1, suite.stdout + suite.stderr
    assert "MsSharpen.Radius" in suite.stdout


def test_the_readme_shows_that_line():
    assert NEW_LINE.strip() in (ROOT / "docs" / "architecture.md").read_text("utf-8")
