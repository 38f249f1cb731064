"""The verb `lab`: copy the tutorials into a folder and open JupyterLab on the first of them."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from ci_notebook.cli.subprocess_server import port_number, serve_until_ended

QUICKSTART: Final = "01_quickstart.ipynb"


def add_lab(verbs: Any) -> None:
    """Add the verb to a parser's."""
    parser = verbs.add_parser("lab", help="copy the tutorials into a folder and open JupyterLab on the quickstart")
    parser.add_argument(
        "--dir",
        type=Path,
        default=Path("ci-notebook-tutorials"),
        help="folder for the tutorials (default: ci-notebook-tutorials)",
    )
    parser.add_argument(
        "--port", type=port_number, default=8888, help="port of JupyterLab (default: 8888, or the next free port)"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address instead of opening it")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    folder = args.dir.resolve()
    changed = copy_tutorials(folder)
    print(f"The tutorials are in {folder}")
    for name in changed:
        print(f"  {name} has your changes and was not overwritten")
    command = [
        *(sys.executable, "-m", "jupyterlab", f"--port={args.port}", f"--ServerApp.root_dir={folder}"),
        f"--LabApp.default_url=/lab/tree/{QUICKSTART}",
        # No network access: no news, no search for updates or extensions.
        *("--LabApp.news_url=", "--LabApp.extension_manager=readonly"),
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
        "--expose-app-in-browser",  # for the button of the panel that creates a new cell
        *(["--no-browser"] if args.no_browser else []),
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]
    with tempfile.TemporaryDirectory(prefix="ci-notebook-lab-") as config:
        return serve_until_ended(command, env=_without_news(Path(config)))


def copy_tutorials(folder: Path) -> list[str]:
    """Copy the notebooks into `folder`; return the names of those that the user changed: they are not overwritten."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for source in sorted(tutorials().glob("*.ipynb")):
        copy = folder / source.name
        if copy.exists() and copy.read_bytes() != source.read_bytes():
            changed.append(source.name)
        else:
            shutil.copyfile(source, copy)
    return changed


def tutorials() -> Path:
    """Return the folder of the notebooks: inside an installed package, next to the package in a clone."""
    package = Path(__file__).parent.parent
    installed = package / "notebooks"
    return installed if installed.is_dir() else package.parent / "notebooks"


def _without_news(config: Path) -> dict[str, str]:
    """Return an environment in which JupyterLab does not ask to fetch news. The user's settings do not change."""
    off = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (config / "labconfig").mkdir()
    (config / "labconfig" / "page_config.json").write_text(json.dumps(off), encoding="utf-8")
    paths = [str(config), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    return {**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}
