"""The verb `jobs`: list, show, wait for and cancel the jobs of a bucket, as a table or for a program."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from ci_notebook.model.api.jobs import JobFailed, JobsDetail, Response, WaitTimedOut, time_of
from ci_notebook.model.api.time_left import UNKNOWN, RemainingTime
from ci_notebook.model.declaration.paths import values
from ci_notebook.model.errors import CIError, ParameterError

if TYPE_CHECKING:
    from ci_notebook.lab.lab import Lab

_ACTIONS: Final = ("list", "show", "wait", "cancel")
_HEADS: Final = ("job", "state", "%", "created (UTC)", "input", "setting")


def add_jobs(verbs: Any) -> None:
    """Add the verb to a parser's."""
    parser = verbs.add_parser(
        "jobs", help="list, show, wait for or cancel jobs",
        description="Without --bucket, the jobs of the embedded engine. `wait` exits with 1 if a job failed.",
    )  # fmt: skip
    parser.add_argument("action", nargs="?", choices=_ACTIONS, default="list", metavar="list|show|wait|cancel")
    parser.add_argument("ids", nargs="*", metavar="ID", help="ids of jobs, for show, wait and cancel")
    parser.add_argument("--bucket", metavar="NAME-APPID", help="a bucket on the cloud, or of an --endpoint")
    parser.add_argument("--region", help="the region of the bucket, such as ap-chongqing")
    parser.add_argument("--endpoint", metavar="URL", help="the address of `ci-notebook serve`, in place of the cloud")
    parser.add_argument(
        "--home", metavar="FOLDER", help="folder of the embedded engine (default: that of ci.connect())"
    )
    parser.add_argument("--state", default="All", help="list only jobs in these states, such as Submitted,Running")
    parser.add_argument("--tag", default="VideoEnhance", help="kind of jobs to list (default: VideoEnhance)")
    parser.add_argument(
        "--limit", type=int, default=20, metavar="N", help="number of jobs to list, newest first (default: 20)"
    )
    parser.add_argument("--timeout", type=float, metavar="S", help="seconds to wait at most")
    form = parser.add_mutually_exclusive_group()
    for name, explanation in (
        ("json", "print an array of flat objects with the columns of to_frame()"),
        ("csv", "print one row per job with the columns of to_frame()"),
        ("xml", "print the reply of the service"),
    ):
        form.add_argument(f"--{name}", dest="form", action="store_const", const=name, default="table", help=explanation)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    if args.action == "list" and args.ids:
        raise ParameterError.plain(f"`jobs list` takes no ids. Did you mean: jobs show {args.ids[0]}?")
    if args.action != "list" and not args.ids:
        raise ParameterError.plain(f"`jobs {args.action}` needs the id of a job. List them: ci-notebook jobs list")
    if args.bucket is None and (args.endpoint or args.region):
        raise ParameterError.plain(
            "--region and --endpoint need --bucket: the embedded engine uses no region and no endpoint."
        )
    from ci_notebook.lab.connect import connect  # lazy: `--help` and the other verbs do not need it

    os.environ.setdefault("CI_NOTEBOOK_PROGRESS", "0")
    with connect(args.bucket, region=args.region, endpoint=args.endpoint, home=args.home) as lab:
        details, failed = _perform(lab, args)
    print(_formatted(details, args.form))
    return 1 if failed else 0


def _perform(lab: Lab, args: argparse.Namespace) -> tuple[list[JobsDetail], bool]:
    """Return the jobs after the action, and whether one of them failed."""
    if args.action == "list":
        return list(islice(lab.client.jobs(tag=args.tag, states=args.state), args.limit)), False
    if args.action == "cancel":
        refused = [one for one in args.ids if not _is_cancelled(lab, one)]
        return lab.client.job(*args.ids), bool(refused)
    if args.action == "wait":
        return _wait(lab, args.ids, args.timeout)
    return lab.client.job(*args.ids), False


def _is_cancelled(lab: Lab, job_id: str) -> bool:
    try:
        lab.client.cancel(job_id)
    except CIError as error:
        print(f"ci-notebook: {job_id}: {error}", file=sys.stderr)
        return False
    return True


def _wait(lab: Lab, ids: Sequence[str], timeout_s: float | None) -> tuple[list[JobsDetail], bool]:
    failed = False
    remaining = RemainingTime()
    for job in lab.watch(ids, timeout_s=timeout_s):
        left = remaining.of(job.detail, lab.job_durations.expected_of(job.detail))
        words = f" {left or UNKNOWN}" if job.state == "Running" else ""
        print(f"{job.id} {job.state} {job.progress} %{words}", file=sys.stderr, flush=True)
    for one in (details := lab.client.job(*ids)):
        if not one.is_over:
            print(f"ci-notebook: {WaitTimedOut(one, timeout_s or 0)}", file=sys.stderr)
        elif one.state != "Success":
            print(f"ci-notebook: {JobFailed(one)}", file=sys.stderr)
        failed |= one.state != "Success"
    return details, failed


def _formatted(details: Sequence[JobsDetail], form: str) -> str:
    if form == "xml":
        from ci_notebook.wire.xml import dumps  # lazy, as above

        text = dumps(Response(jobs_detail=tuple(details)), pretty=True).decode().rstrip()
        # It stays XML where the output cannot show a character.
        return text if _is_shown(text) else text.encode("ascii", "xmlcharrefreplace").decode()
    if form == "table":
        return _table(details)
    from ci_notebook.results.dataframe import (
        to_frame,
    )  # lazy: pandas takes 0.4 s to import, and a table does not need it

    df = to_frame(details)
    if form == "csv":
        return str(df.to_csv(index=False)).rstrip()
    rows = json.loads(df.to_json(orient="records", date_format="iso"))
    objects = [{name: value for name, value in row.items() if value is not None} for row in rows]
    text = json.dumps(objects, indent=2, ensure_ascii=False)
    return text if _is_shown(text) else json.dumps(objects, indent=2)


def _is_shown(text: str) -> bool:
    """Return whether the output has every character of a text."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _table(details: Iterable[JobsDetail]) -> str:
    rows = [_HEADS, *map(_row, details)]
    if len(rows) == 1:
        return "no jobs"
    # The last column is not padded, so a long setting does not widen the table.
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS) - 1)]
    return "\n".join(
        "  ".join([*(f"{text:<{w}}" for text, w in zip(row, widths, strict=False)), row[-1]]) for row in rows
    )


def _row(detail: JobsDetail) -> tuple[str, ...]:
    operation = detail.operation
    setting = operation.setting if operation else None
    summary = ", ".join(f"{path}={value}" for path, value in values(setting).items()) if setting else ""
    if detail.state == "Failed":
        summary = f"{detail.code}: {detail.message}"
    elif not summary and operation and operation.template_id:
        summary = f"template {operation.template_id}"
    summary = "; ".join(filter(None, (summary, detail.note)))
    created = time_of(detail.creation_time)
    when = f"{created:%Y-%m-%d %H:%M:%S}" if created else ""
    percent = 100 if detail.state == "Success" else detail.progress or 0
    cells = (detail.job_id, detail.state, percent, when, detail.input.object if detail.input else "", summary)
    # Text from the service must not control the terminal.
    return tuple("".join(char if char.isprintable() else "?" for char in str(cell or "")) for cell in cells)
