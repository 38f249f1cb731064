"""The command `ci-notebook`: parse the command line and run one verb. Each verb is a module of its name."""

from __future__ import annotations

import argparse
import io
import os
import sqlite3
import sys
from collections.abc import Sequence

from ci_notebook._machine_errors import own_error
from ci_notebook.cli.app import add_app
from ci_notebook.cli.check_notebook import add_check_notebook
from ci_notebook.cli.doctor import add_doctor
from ci_notebook.cli.jobs import add_jobs
from ci_notebook.cli.lab import add_lab
from ci_notebook.cli.report import add_report
from ci_notebook.cli.sanitize_rules import add_sanitize_rules
from ci_notebook.cli.score import add_score
from ci_notebook.cli.serve import add_serve
from ci_notebook.model.errors import CIError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit status: 0 for success, 1 for a refusal or a failure, 130 for Ctrl-C."""
    _show_every_character()
    args = _parser().parse_args(argv)
    try:
        return int(args.run(args))
    except CIError as error:
        print(f"ci-notebook: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of the output, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, sqlite3.Error) as error:
        print(f"ci-notebook: {own_error(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _show_every_character() -> None:
    """Let the output escape what its encoding lacks (cp1252, ASCII), or what no encoding has (a damaged file name)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ci-notebook", description="A laboratory for video enhancement, in Jupyter.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for add in (
        add_lab, add_app, add_serve, add_report, add_score, add_jobs, add_doctor, add_check_notebook,
        add_sanitize_rules,
    ):  # fmt: skip
        add(verbs)
    return parser
