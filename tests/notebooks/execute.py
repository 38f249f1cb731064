"""Run the tutorials again and store their outputs: `python -m tests.notebooks.execute [NAME ...]`.

Use it after a change of texts or tables that the tutorials show, and read the difference before you commit it.
Ids of cells and the metadata of the notebook stay; widget state is not stored.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def execute(path: Path) -> None:
    """Run one notebook in a home of its own and store its outputs in place."""
    notebook = nbformat.read(path, as_version=4)
    metadata = [dict(cell.metadata) for cell in notebook.cells]
    top = dict(notebook.metadata)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"CI_NOTEBOOK_HOME": f"{folder}/home", "CI_NOTEBOOK_PROGRESS": "0"}
        os.environ |= {"IPYTHONDIR": f"{folder}/ipython", "PYTHONPATH": str(NOTEBOOKS.parent)}
        client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}, record_timing=False)
        client.execute()
    notebook.metadata.clear()
    notebook.metadata.update(top)
    for cell, kept in zip(notebook.cells, metadata, strict=True):
        cell.metadata.clear()
        cell.metadata.update(kept)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        if len(sys.argv) < 2 or path.stem in sys.argv[1:]:
            print(path.name, flush=True)
            execute(path)
