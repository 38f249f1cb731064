"""The verb `app`: serve the panels as a page on this machine, by Voila and a notebook with one cell.

The server is `page_server`: it lets in only who has the token of the printed address.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from ci_notebook.cli.page_server.page_limits import CLOSED_S, IDLE_MINUTES, MOST_PAGES
from ci_notebook.cli.subprocess_server import port_number, serve_until_ended
from ci_notebook.model.errors import EngineError, ParameterError

TITLE: Final = "Video enhancement"
# The browser parts of the widgets. Other extensions of JupyterLab are not loaded into the page.
_EXTENSIONS: Final = ("@voila-dashboards/widgets-manager8", "@jupyter-widgets/jupyterlab-manager", "anywidget")
_SERVER: Final = "ci_notebook.cli.page_server"
# How long the server may take to end its kernels after Ctrl-C.
INTERRUPT_PATIENCE_S: Final = 15.0
_CODE: Final = "from ci_notebook.cli.app_page import show\n\nshow()"


def add_app(verbs: Any) -> None:
    """Add the verb to a parser's."""
    parser = verbs.add_parser(
        "app",
        help="open the panels for one clip as a web page, without code",
        description="Open the panels for one clip as a web page. Only the printed address opens it: it holds a token "
        "that is new for each start. The page listens on 127.0.0.1 only.",
    )
    parser.add_argument("clip", nargs="?", type=Path, help="a video (default: the sample)")
    parser.add_argument("--port", type=port_number, default=8866, help="0 chooses a free port (default: 8866)")
    parser.add_argument("--no-browser", action="store_true", help="print the address instead of opening it")
    parser.add_argument(
        "--max-pages", type=_count, default=MOST_PAGES, metavar="N",
        help=f"limit of open pages; each has a process of about 150 MB (default: {MOST_PAGES})",
    )  # fmt: skip
    parser.add_argument(
        "--closed-seconds", type=_duration, default=CLOSED_S, metavar="S",
        help=f"end the process of a closed page after this time (default: {CLOSED_S:g})",
    )  # fmt: skip
    parser.add_argument(
        "--idle-minutes", type=_duration, default=IDLE_MINUTES, metavar="M",
        help=f"end the process of an open page after this time without use (default: {IDLE_MINUTES:g})",
    )  # fmt: skip
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    if importlib.util.find_spec("voila") is None:
        raise EngineError("The page needs Voila. Install it: python -m pip install 'ci-notebook[lab]'")
    if args.clip is not None and not args.clip.is_file():
        raise ParameterError.plain(f"There is no video file {str(args.clip)!r}. Leave CLIP out to see the sample.")
    port = free_port(args.port)
    with tempfile.TemporaryDirectory(prefix="ci-notebook-app-") as folder:
        page_dir = Path(folder)
        command = [
            *(sys.executable, "-m", f"{_SERVER}.server", str(write_notebook(page_dir)), f"--port={port}"),
            *("--Voila.ip=127.0.0.1", "--Voila.base_url=/", "--Voila.port_retries=0", "--Voila.log_level=WARN"),
            *("--template=ci", "--show_tracebacks=True"),
            *(f"--VoilaConfiguration.extension_allowlist={one}" for one in _EXTENSIONS),
            f"--VoilaConfiguration.multi_kernel_manager_class={_SERVER}.page_kernels.PageKernels",
            f"--PageKernels.most_pages={args.max_pages}",
            f"--PageKernels.closed_s={args.closed_seconds}",
            f"--PageKernels.idle_minutes={args.idle_minutes}",
            f"--PageServer.opens_browser={not args.no_browser}",
        ]
        print("The page is starting.", flush=True)
        return serve_until_ended(
            command, env=environment(page_dir, args.clip), cwd=page_dir, patience_s=INTERRUPT_PATIENCE_S
        )


def _count(text: str) -> int:
    """Read a number of pages."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to 100 (got {text!r})")
    return int(text)


def _duration(text: str) -> float:
    """Read a duration: of a second or minute to a year of minutes."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 1 <= value <= 525_600:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to 525600 (got {text!r})")
    return value


def free_port(first: int) -> int:
    """Return the first free port, from `first` up; any free one for 0."""
    if first == 0:
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            return int(chosen.getsockname()[1])
    for port in range(first, min(first + 50, 65536)):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise EngineError(f"The ports {first} to {min(first + 49, 65535)} are in use. Pass another --port.")


def write_notebook(folder: Path) -> Path:
    """Write the notebook with one cell, and a kernel specification for this interpreter; return the notebook's path."""
    kernel = folder / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}), "utf-8")
    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": _CODE,
        "id": "page",
    }
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": spec, "language_info": {"name": "python"}, "title": TITLE}
    path = folder / "page" / "app.ipynb"  # alone in its folder: Voila may serve the files next to it
    path.parent.mkdir()
    notebook = {"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), "utf-8")
    return path


def environment(folder: Path, clip: Path | None) -> dict[str, str]:
    """Return the environment of the page: our template and kernel first, the clip, and no progress lines."""
    paths = [str(folder), str(Path(__file__).parent), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    changes = {"JUPYTER_PATH": os.pathsep.join(paths), "CI_NOTEBOOK_PROGRESS": "0"}
    return {**os.environ, **changes, "CI_NOTEBOOK_APP_CLIP": str(clip.resolve()) if clip else ""}
