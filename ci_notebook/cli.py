"""The same verbs for a terminal: `ci-notebook lab`, `ci-notebook serve`."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ci_notebook.model.errors import CIError
from ci_notebook.terminal.checking import add_check
from ci_notebook.terminal.dashboard.app import add_app
from ci_notebook.terminal.doctoring.verb import add_doctor
from ci_notebook.terminal.jobbing import add_jobs
from ci_notebook.terminal.reporting import add_report
from ci_notebook.terminal.serving import add_serve

QUICKSTART = "01_quickstart.ipynb"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit status: 0 for done, 1 for a refusal, 130 for Ctrl-C."""
    args = _parser().parse_args(argv)
    try:
        return int(args.run(args))
    except CIError as error:
        print(f"ci-notebook: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ci-notebook", description="A laboratory for video enhancement, in Jupyter.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    lab = verbs.add_parser("lab", help="copy the tutorials into a folder and open JupyterLab on the quickstart")
    lab.add_argument("--dir", type=Path, default=Path("ci-notebook-tutorials"), help="where the tutorials go")
    lab.add_argument("--port", type=int, default=8888, help="JupyterLab's port (default: 8888, or the next free one)")
    lab.add_argument("--no-browser", action="store_true", help="print the address instead of opening it")
    lab.set_defaults(run=_lab)

    add_serve(verbs)
    add_report(verbs)
    add_check(verbs)
    add_doctor(verbs)
    add_jobs(verbs)

    rules = verbs.add_parser("sanitize-rules", help="print where our rules for nbval are, for --nbval-sanitize-with")
    rules.set_defaults(run=_rules)
    add_app(verbs)
    return parser


def _rules(args: argparse.Namespace) -> int:
    # Not asked of the test kit: that needs pytest.
    print(Path(__file__).parent / "testing" / "sanitize.cfg")
    return 0


def _lab(args: argparse.Namespace) -> int:
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
        server = subprocess.Popen(command, env=_without_news(Path(config)))  # noqa: S603  our own interpreter, no shell
        try:
            return server.wait()
        except KeyboardInterrupt:
            return server.wait()  # Ctrl-C went to JupyterLab as well, which asks before it stops


def _without_news(config: Path) -> dict[str, str]:
    """Return an environment in which JupyterLab does not ask whether to fetch news; the user's settings stay theirs."""
    off = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (config / "labconfig").mkdir()
    (config / "labconfig" / "page_config.json").write_text(json.dumps(off), encoding="utf-8")
    paths = [str(config), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    return {**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}


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
    package = Path(__file__).parent
    installed = package / "notebooks"
    return installed if installed.is_dir() else package.parent / "notebooks"


if __name__ == "__main__":
    sys.exit(main())
