"""The tutorial about the cloud says what happened, also when it runs twice in one home."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_the_cloud_tutorial_tells_the_truth_when_it_runs_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_NOTEBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CI_NOTEBOOK_PROGRESS", "0")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for _ in range(2):
        notebook = nbformat.read(ROOT / "notebooks" / "10_laptop_to_cloud.ipynb", as_version=4)
        answer = next(cell for cell in notebook.cells if cell.source.startswith("answer = ..."))
        answer.source = answer.source.replace("answer = ...", "answer = 1")
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
        printed = [out.get("text", "") for cell in notebook.cells for out in cell.get("outputs", [])]
        (refusal,) = [text for text in printed if "over the budget" in text]
        assert refusal.endswith("0 jobs were sent\n")
        assert "found, not sent again" in str(answer.outputs), "the exercise's answer is one job, every time"
