"""The verb `doctor`."""

from __future__ import annotations

import argparse
from typing import Any


def add_doctor(verbs: Any) -> None:
    """Add the verb to a parser's."""
    parser = verbs.add_parser("doctor", help="say what is installed, what works, and what to do about the rest")
    parser.add_argument("--bucket", metavar="NAME-APPID", help="ask this bucket, too")
    parser.add_argument("--region", help="its region, such as ap-chongqing")
    parser.add_argument("--endpoint", metavar="URL", help="where the service is, for `ci-notebook serve`")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from ci_notebook.doctor.doctor import doctor  # lazy: other verbs need no httpx, and `--help` neither

    report = doctor(args.bucket, region=args.region, endpoint=args.endpoint)
    print(report.to_json() if args.json else report)
    return 0 if report.ok else 1
