"""The verb `lab`: the tutorials copied into a folder, and JupyterLab opened on the first of them."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from ci_notebook.cli.subprocess_server import serve_until_ended

QUICKSTART: Final = "01_quickstart.ipynb"


def add_lab(verbs: Any) -> None:
    """Add the verb to a parser's."""
    parser = verbs.add_parser("lab", help="copy the tutorials into a folder and open JupyterLab on the quickstart")
    parser.add_argument("--dir", type=Path, default=Path("ci-notebook-tutorials"), help="where the tutorials go")
    parser.add_argument("--port", type=int, default=8888, help="its port (default: 8888, or the next free one)")
    parser.add_argument("--no-browser", action="store_true", help="print the address instead of opening it")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    folder = args.dir.resolve()
    kept = copy_tutorials(folder)
    print(f"The tutorials are in {folder}")
    for name in kept:
        print(f"  {name} was changed there and is kept as it is")
    command = [
        *(sys.executable, "-m", "jupyterlab", f"--port={args.port}", f"--ServerApp.root_dir={folder}"),
        f"--LabApp.default_url=/lab/tree/{QUICKSTART}",
        # Nothing asks the network: no news, no search for updates or extensions.
        *("--LabApp.news_url=", "--LabApp.extension_manager=readonly"),
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
        "--expose-app-in-browser",  # for the panel's button that makes a new cell
        *(["--no-browser"] if args.no_browser else []),
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]
    with tempfile.TemporaryDirectory(prefix="ci-notebook-lab-") as config:
        return serve_until_ended(command, env=_without_news(Path(config)))


def copy_tutorials(folder: Path) -> list[str]:
    """Copy the notebooks into `folder` and return the names that were there, changed, and kept."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = []
    for source in sorted(tutorials().glob("*.ipynb")):
        copy = folder / source.name
        if copy.exists() and copy.read_bytes() != source.read_bytes():
            kept.append(source.name)
        else:
            shutil.copyfile(source, copy)
    return kept


def tutorials() -> Path:
    """Return the folder of the notebooks: inside an installed package, beside it in a clone."""
    package = Path(__file__).parent.parent
    installed = package / "notebooks"
    return installed if installed.is_dir() else package.parent / "notebooks"


def _without_news(config: Path) -> dict[str, str]:
    """Return an environment in which JupyterLab does not ask whether to fetch news; the user's settings stay theirs."""
    off = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (config / "labconfig").mkdir()
    (config / "labconfig" / "page_config.json").write_text(json.dumps(off), encoding="utf-8")
    paths = [str(config), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    return {**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}
