"""The tutorials are documentation, so they are executed, compared, and read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ci_notebook.testing import sanitize_rules

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)]


def test_the_notebook_runs_and_its_outputs_are_unchanged(notebook: Path, tmp_path: Path) -> None:
    environ = {
        **os.environ,
        "CI_NOTEBOOK_HOME": str(tmp_path / "home"),
        "CI_NOTEBOOK_PROGRESS": "0",
        "JUPYTER_CONFIG_DIR": str(tmp_path / "jupyter"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_PLATFORM_DIRS": "1",
        # The kernel must import the package of this tree, and not one that is installed and may change meanwhile.
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    command = [
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-o", "addopts=", "-W", "default"),
        *("--nbval", "--nbval-current-env", "--nbval-cell-timeout=300"),
        *("--nbval-sanitize-with", str(sanitize_rules()), str(notebook)),
    ]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_notebook_is_readable(notebook: Path) -> None:
    cells = _cells(notebook)
    code = [_source(cell) for cell in cells if cell["cell_type"] == "code"]
    assert cells[0]["cell_type"] == "markdown", "it opens with its question"
    assert max(len(source.splitlines()) for source in code) <= 10
    assert sum("NBVAL_IGNORE_OUTPUT" in source for source in code) <= 1


def test_every_result_shows_in_an_export_without_scripts(notebook: Path) -> None:
    from nbconvert import HTMLExporter

    html, _ = HTMLExporter(exclude_input=True).from_filename(str(notebook))
    body = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    shown = [cell for cell in _cells(notebook) if cell["cell_type"] == "code" and cell["outputs"]]
    assert shown
    for cell in shown:
        plain = [out for out in cell["outputs"] if "text/html" in out.get("data", {}) or "text" in out]
        widgets = [out for out in cell["outputs"] if "application/vnd.jupyter.widget-view+json" in out.get("data", {})]
        assert plain or not widgets, "a widget is not the only copy of a result"
    assert body.count("<figure") >= 2


def _cells(notebook: Path) -> list[dict[str, object]]:
    cells: list[dict[str, object]] = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return cells


def _source(cell: dict[str, object]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)  # type: ignore[arg-type]
