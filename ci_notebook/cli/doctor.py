"""The verb `doctor`: check the installation, the machine and, with a bucket, the service."""

from __future__ import annotations

import argparse
from typing import Any


def add_doctor(verbs: Any) -> None:
    """Add the verb to a parser's."""
    parser = verbs.add_parser("doctor", help="check the installation and say how to fix what is missing")
    parser.add_argument("--bucket", metavar="NAME-APPID", help="also check this bucket")
    parser.add_argument("--region", help="the region of the bucket, such as ap-chongqing")
    parser.add_argument("--endpoint", metavar="URL", help="the address of `ci-notebook serve`, in place of the cloud")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from ci_notebook.doctor.doctor import doctor  # lazy: `--help` and the other verbs need no httpx

    report = doctor(args.bucket, region=args.region, endpoint=args.endpoint)
    print(report.to_json() if args.json else report)
    return 0 if report.ok else 1
