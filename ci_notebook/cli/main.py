"""`ci-notebook`: its verbs, and what their exit statuses mean. The work of each lies in `terminal`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ci_notebook.cli.app import add_app
from ci_notebook.cli.check_notebook import add_check
from ci_notebook.cli.doctor import add_doctor
from ci_notebook.cli.jobs import add_jobs
from ci_notebook.cli.lab import add_lab
from ci_notebook.cli.report import add_report
from ci_notebook.cli.serve import add_serve
from ci_notebook.model.errors import CIError


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
    for add in (add_lab, add_app, add_serve, add_report, add_jobs, add_doctor, add_check):
        add(verbs)
    rules = verbs.add_parser("sanitize-rules", help="print where our rules for nbval are, for --nbval-sanitize-with")
    rules.set_defaults(run=_rules)
    return parser


def _rules(args: argparse.Namespace) -> int:
    # Not asked of the test kit: that needs pytest.
    print(Path(__file__).parent.parent / "testing" / "sanitize.cfg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
