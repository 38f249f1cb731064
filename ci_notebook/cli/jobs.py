"""The verb `jobs`: what a bucket's jobs are doing, as a table, or for a program."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from ci_notebook.model.api.jobs import JobFailed, JobsDetail, Response, WaitTimedOut, time_of
from ci_notebook.model.declaration.paths import values
from ci_notebook.model.errors import CIError, ParameterError

if TYPE_CHECKING:
    from ci_notebook.lab.lab import Lab

_DEEDS: Final = ("list", "show", "wait", "cancel")
_HEADS: Final = ("job", "state", "%", "created (UTC)", "input", "setting")


def add_jobs(verbs: Any) -> None:
    """Add the verb to a parser's."""
    parser = verbs.add_parser(
        "jobs", help="list jobs, show them, wait for them or cancel them",
        description="Without a bucket these are the jobs of the embedded engine. `wait` ends with 1 if a job failed.",
    )  # fmt: skip
    parser.add_argument("deed", nargs="?", choices=_DEEDS, default="list", metavar="list|show|wait|cancel")
    parser.add_argument("ids", nargs="*", metavar="ID", help="for show, wait and cancel")
    parser.add_argument("--bucket", metavar="NAME-APPID", help="a bucket of the cloud, or of an --endpoint")
    parser.add_argument("--region", help="its region, such as ap-chongqing")
    parser.add_argument("--endpoint", metavar="URL", help="where the service is, for `ci-notebook serve`")
    parser.add_argument("--home", metavar="FOLDER", help="the embedded lab's folder (default: that of ci.connect())")
    parser.add_argument("--state", default="All", help="only these, as Submitted,Running")
    parser.add_argument("--tag", default="VideoEnhance", help="kind of job (default: VideoEnhance)")
    parser.add_argument(
        "--limit", type=int, default=20, metavar="N", help="how many to list, newest first (default: 20)"
    )
    parser.add_argument("--timeout", type=float, metavar="S", help="how long to wait at most")
    form = parser.add_mutually_exclusive_group()
    for name, told in (
        ("json", "an array of flat objects, named as the columns of a frame"),
        ("csv", "a row a job, the columns of a frame"),
        ("xml", "what the service answered"),
    ):
        form.add_argument(f"--{name}", dest="form", action="store_const", const=name, default="table", help=told)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    if args.deed == "list" and args.ids:
        raise ParameterError("jobs list", args.ids[0], "no ids", f"Did you mean: jobs show {args.ids[0]}?")
    if args.deed != "list" and not args.ids:
        raise ParameterError(f"jobs {args.deed}", "", "the id of at least one job", "See: ci-notebook jobs list")
    if args.bucket is None and (args.endpoint or args.region):
        raise ParameterError(
            "--bucket", None, "the name of a bucket", "The embedded lab has neither region nor endpoint."
        )
    from ci_notebook.lab.connect import connect  # lazy: other verbs need none of it, and `--help` neither

    os.environ.setdefault("CI_NOTEBOOK_PROGRESS", "0")
    with connect(args.bucket, region=args.region, endpoint=args.endpoint, home=args.home) as lab:
        details, failed = _done(lab, args)
    print(_written(details, args.form))
    return 1 if failed else 0


def _done(lab: Lab, args: argparse.Namespace) -> tuple[list[JobsDetail], bool]:
    """Return the jobs as they stand after what was asked, and whether one of them failed."""
    if args.deed == "list":
        return list(islice(lab.client.jobs(tag=args.tag, states=args.state), args.limit)), False
    if args.deed == "cancel":
        refused = [one for one in args.ids if not _is_cancelled(lab, one)]
        return lab.client.job(*args.ids), bool(refused)
    if args.deed == "wait":
        return _waited(lab, args.ids, args.timeout)
    return lab.client.job(*args.ids), False


def _is_cancelled(lab: Lab, job_id: str) -> bool:
    try:
        lab.client.cancel(job_id)
    except CIError as error:
        print(f"ci-notebook: {job_id}: {error}", file=sys.stderr)
        return False
    return True


def _waited(lab: Lab, ids: Sequence[str], timeout_s: float | None) -> tuple[list[JobsDetail], bool]:
    failed = False
    for job in lab.watch(ids, timeout_s=timeout_s):
        print(f"{job.id} {job.state} {job.progress} %", file=sys.stderr, flush=True)
    for one in (details := lab.client.job(*ids)):
        if not one.is_over:
            print(f"ci-notebook: {WaitTimedOut(one, timeout_s or 0)}", file=sys.stderr)
        elif one.state != "Success":
            print(f"ci-notebook: {JobFailed(one)}", file=sys.stderr)
        failed |= one.state != "Success"
    return details, failed


def _written(details: Sequence[JobsDetail], form: str) -> str:
    if form == "xml":
        from ci_notebook.wire.xml import dumps  # lazy, as above

        return dumps(Response(jobs_detail=tuple(details)), pretty=True).decode().rstrip()
    if form == "table":
        return _table(details)
    from ci_notebook.results.dataframe import to_frame  # lazy: 0.4 s of pandas that a table does without

    df = to_frame(details)
    if form == "csv":
        return str(df.to_csv(index=False)).rstrip()
    rows = json.loads(df.to_json(orient="records", date_format="iso"))
    told = [{name: value for name, value in row.items() if value is not None} for row in rows]
    return json.dumps(told, indent=2, ensure_ascii=False)


def _table(details: Iterable[JobsDetail]) -> str:
    rows = [_HEADS, *map(_row, details)]
    if len(rows) == 1:
        return "no jobs"
    # Of the last column nothing is aligned, so a long setting costs the others no width.
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS) - 1)]
    return "\n".join(
        "  ".join([*(f"{text:<{w}}" for text, w in zip(row, widths, strict=False)), row[-1]]) for row in rows
    )


def _row(detail: JobsDetail) -> tuple[str, ...]:
    asked = detail.operation
    setting = values(asked.video_enhance) if asked and asked.video_enhance else {}
    told = ", ".join(f"{path}={value}" for path, value in setting.items())
    if detail.state == "Failed":
        told = f"{detail.code}: {detail.message}"
    elif not told and asked and asked.template_id:
        told = f"template {asked.template_id}"
    made = time_of(detail.creation_time)
    when = f"{made:%Y-%m-%d %H:%M:%S}" if made else ""
    percent = 100 if detail.state == "Success" else detail.progress or 0
    cells = (detail.job_id, detail.state, percent, when, detail.input.object if detail.input else "", told)
    # What came over the wire must not steer the terminal.
    return tuple("".join(char if char.isprintable() else "?" for char in str(cell or "")) for cell in cells)
