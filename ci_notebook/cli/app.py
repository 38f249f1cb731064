"""The verb `app`: Voila on loopback, with a notebook of one cell in a folder of its own."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from ci_notebook.cli.subprocess_server import serve_until_ended
from ci_notebook.model.errors import EngineError, ParameterError

TITLE: Final = "Video enhancement"
# The parts of widgets that live in the browser. What else JupyterLab has been given stays out of the page.
_EXTENSIONS: Final = ("@voila-dashboards/widgets-manager8", "@jupyter-widgets/jupyterlab-manager", "anywidget")
_CODE: Final = "from ci_notebook.cli.app_page import show\n\nshow()"


def add_app(verbs: Any) -> None:
    """Add the verb to a parser's."""
    parser = verbs.add_parser("app", help="open the panels as a page, without code, for one clip")
    parser.add_argument("clip", nargs="?", type=Path, help="a video (default: the sample)")
    parser.add_argument("--port", type=int, default=8866, help="the page's port (default: 8866)")
    parser.add_argument("--no-browser", action="store_true", help="print the address instead of opening it")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    if importlib.util.find_spec("voila") is None:
        raise EngineError("the page needs voila: python -m pip install 'ci-notebook[lab]'")
    if args.clip is not None and not args.clip.is_file():
        raise ParameterError("CLIP", str(args.clip), "the path of a video file", "Without one the sample is shown.")
    port = _free(args.port)
    with tempfile.TemporaryDirectory(prefix="ci-notebook-app-") as folder:
        place = Path(folder)
        command = [
            *(sys.executable, "-m", "voila", str(write_notebook(place)), f"--port={port}", "--Voila.ip=127.0.0.1"),
            *("--template=ci", "--show_tracebacks=True", "--Voila.port_retries=0", "--Voila.log_level=WARN"),
            *(f"--VoilaConfiguration.extension_allowlist={one}" for one in _EXTENSIONS),
            *(["--no-browser"] if args.no_browser else []),
        ]
        print(f"The page will be at http://127.0.0.1:{port}/ – Ctrl-C stops.", flush=True)
        return serve_until_ended(command, env=environment(place, args.clip), cwd=place)


def _free(first: int) -> int:
    """Return the first port from `first` on that nobody listens on."""
    for port in range(first, min(first + 50, 65536)):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)):
                return port
    raise EngineError(f"no port from {first} on is free; give another --port")


def write_notebook(folder: Path) -> Path:
    """Write the notebook of one cell, and a kernel of this very interpreter under the name that it asks for."""
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
    path = folder / "page" / "app.ipynb"  # in a folder of its own: Voila may serve what lies beside it
    path.parent.mkdir()
    whole = {"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(whole), "utf-8")
    return path


def environment(folder: Path, clip: Path | None) -> dict[str, str]:
    """Return the environment of the page: our template and kernel before others, the clip, and no progress lines."""
    paths = [str(folder), str(Path(__file__).parent), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    own = {"JUPYTER_PATH": os.pathsep.join(paths), "CI_NOTEBOOK_PROGRESS": "0"}
    return {**os.environ, **own, "CI_NOTEBOOK_APP_CLIP": str(clip.resolve()) if clip else ""}
