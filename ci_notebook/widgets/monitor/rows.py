"""A job as a row of the monitor, what changed between two rows, and rows as a plain table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import PurePosixPath
from typing import Any, Final

from ci_notebook.model.api.jobs import JobsDetail, time_of
from ci_notebook.model.declaration.node import AUTO, Node, parts
from ci_notebook.model.html import Markup, bold, table_html

# What a saved notebook shows; the rest is counted.
SHOWN: Final = 50
Row = dict[str, Any]


class Pace:
    """Tells the seconds a job still needs from how it went since it was first seen running."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[float, int]] = {}

    def left_s(self, job: JobsDetail) -> int | None:
        """Return whole seconds; None for a job that does not run, or did not move yet."""
        name, done = job.job_id or "", job.progress
        if job.state != "Running" or not isinstance(done, int):
            self._seen.pop(name, None)
            return None
        now = self._clock()
        since, from_percent = self._seen.setdefault(name, (now, done))
        if done < from_percent:  # its worker died, and another one began anew
            self._seen[name] = (now, done)
            return None
        return round((now - since) * (100 - done) / (done - from_percent)) if done > from_percent else None


def row_of(job: JobsDetail, *, left_s: int | None = None, cost: float | None = None, hint: str = "") -> Row:
    """Return what the front end is told of a job: plain JSON, times as Unix seconds, None where nothing is known."""
    made, began, ended = (time_of(text) for text in (job.creation_time, job.start_time, job.end_time))
    failed = job.state == "Failed"
    key = (job.input.object or "") if job.input else ""
    return {
        "tag": job.tag or "",
        "clip": PurePosixPath(key).name,
        "key": key,
        "out": ", ".join(job.output_keys),
        "set": asked(job),
        "state": job.state or "",
        "pct": 100 if job.state == "Success" else job.progress if isinstance(job.progress, int) else None,
        "made": made.timestamp() if made else None,
        "took": (ended - began).total_seconds() if began and ended else None,
        "left": left_s,
        "cost": None if cost is None else round(cost, 6),
        "code": (job.code or "") if failed else "",
        "why": (job.message or "") if failed else "",
        "hint": hint if failed else "",
    }


def asked(job: JobsDetail) -> dict[str, str]:
    """Return path → text of what was asked for; a stage that is on with nothing set is `on`."""
    operation = job.operation
    if operation is None:
        return {}
    found = dict(_texts_of(operation.video_enhance)) if operation.video_enhance else {}
    if operation.template_id:
        found["TemplateId"] = operation.template_id
    if operation.digital_watermark is not None:
        found["DigitalWatermark"] = operation.digital_watermark.message or "on"
    marks = len(operation.watermark) + len(operation.watermark_template_id)
    if marks:
        found["Watermark"] = "on" if marks == 1 else f"{marks} marks"
    return found


def _texts_of(node: Node, prefix: str = "") -> Iterator[tuple[str, str]]:
    for part in parts(type(node)):
        value = getattr(node, part.name)
        for number, one in enumerate(value if part.many else (value,), 1):
            path = f"{prefix}{part.tag}.{number}" if part.many else f"{prefix}{part.tag}"
            if isinstance(one, Node):
                below = list(_texts_of(one, path + "."))
                yield from below or [(path, "on")]
            elif one is not None:
                yield path, "AUTO" if one is AUTO else part.text(one)


def difference(before: Row | None, after: Row) -> Row:
    """Return the parts of a row that are new."""
    return after if before is None else {name: value for name, value in after.items() if before.get(name) != value}


def varied(rows: Sequence[Row]) -> set[str]:
    """Return the paths whose values differ between rows; where none do, all of them."""
    paths = {path for row in rows for path in row["set"]}
    return {path for path in paths if len({row["set"].get(path) for row in rows}) > 1} or paths


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """Return state → how many jobs are in it."""
    found: dict[str, int] = {}
    for row in rows:
        found[row["state"]] = found.get(row["state"], 0) + 1
    return found


def static_html(rows: Sequence[Row], *, currency: str) -> str:
    """Return the newest rows as a plain table, for a reader without a kernel. Every text is escaped."""
    listed, differs = rows[:SHOWN], varied(rows)
    told = ", ".join(f"{number} {escape(state)}" for state, number in counts(rows).items())
    more = f"; the newest {SHOWN} are shown" if len(rows) > SHOWN else ""
    caption = Markup(f"{bold(_jobs(len(rows)))}{': ' if told else ''}{told}{more}")
    if not rows:
        return f"<div class='ci-jobs-static'>{table_html([], caption=caption)}</div>"
    names = ("clip", "asked", "state", f"cost [{currency}]", "result, or why there is none")
    table = table_html([_texts(row, differs) for row in listed], head=names, caption=caption)
    return f"<div class='ci-jobs-static'>{table}</div>"


def _texts(row: Row, differs: set[str]) -> tuple[str, ...]:
    set_to: Mapping[str, str] = row["set"]
    what = ", ".join(f"{path} {text}" for path, text in set_to.items() if path in differs)
    running = row["state"] == "Running" and row["pct"] is not None
    state = f"{row['state']} {row['pct']} %" if running else row["state"]
    # What failed made nothing, so what it would have cost is said only where it is sent again.
    cost = "" if row["cost"] is None or row["state"] in ("Failed", "Cancel") else f"{row['cost']:.4f}"
    why = ". ".join(filter(None, (f"{row['code']}: {row['why']}".rstrip(". "), row["hint"]))) if row["code"] else ""
    return row["clip"], what or "–", state, cost, why or row["out"]


def _jobs(number: int) -> str:
    return f"{number} job{'' if number == 1 else 's'}"
