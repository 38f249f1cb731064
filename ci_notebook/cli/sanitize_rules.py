"""The verb `sanitize-rules`: print the path of the rules for nbval."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_sanitize_rules(verbs: Any) -> None:
    """Add the verb to a parser's."""
    parser = verbs.add_parser("sanitize-rules", help="print the path of the nbval rules, for --nbval-sanitize-with")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    # Not imported from `ci_notebook.testing`: that needs pytest.
    print(Path(__file__).parent.parent / "testing" / "sanitize.cfg")
    return 0
