"""The verb `score`: compare video files with their source, as a table or for a program."""

from __future__ import annotations

import argparse
import csv
import io
import json
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ci_notebook.model.errors import CIError, ParameterError
from ci_notebook.model.score_sampling import MOST_FRAMES
from ci_notebook.model.spreadsheet.spreadsheet_text import inert_text
from ci_notebook.model.vmaf_v1 import SCREENS

if TYPE_CHECKING:
    from ci_notebook.results.score.file_scores import FileScores

FAILED: Final = 3  # the exit status where some outputs were scored and others were not

_EPILOG: Final = """\
  ci-notebook score enhanced.mp4 original.mp4
  ci-notebook score mild.mp4 strong.mp4 --reference original.mp4 --every 1

The scores are those that lab.run() gives for the same files. The table goes to stdout, progress and problems go to
stderr. Exit status: 0 success, 1 nothing was scored, 2 wrong usage, 3 only some files were scored, 130 Ctrl-C.
"""


def add_score(verbs: Any) -> None:
    """Add the verb `score` to a parser's verbs."""
    parser = verbs.add_parser(
        "score", help="score video files against their source", epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("files", nargs="+", type=Path, metavar="FILE",
        help="the output and its reference; with --reference, one output or several")  # fmt: skip
    add("--reference", type=Path, metavar="SOURCE", help="the source, or a true reference, of all outputs")
    add(
        "--every",
        type=int,
        metavar="N",
        help=f"score every Nth frame; 1 scores all (default: all, or {MOST_FRAMES} of a longer clip)",
    )
    add("--start", type=float, default=0.0, metavar="S", help="where in the reference the output begins, in seconds")
    add("--length", type=float, metavar="S", help="how much of the reference the output shows, in seconds")
    add("--precise", action="store_true", help="compute VMAF in floating point, to compare with other tools")
    add("--screen", choices=SCREENS, help="compute VMAF v1 for this screen, or fail (default: tv, if a model fits)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="form", action="store_const", const="json", default="table",
                      help="print an array with one object per output, with the values per frame")  # fmt: skip
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="print one row per output")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    outputs, reference = _files(args.files, args.reference)
    from ci_notebook.lab.scoring.file_scoring import (
        score,  # lazy: a wrong argument is refused without a second of imports
    )

    results: list[FileScores] = []
    problems = 0
    for output in outputs:
        try:
            results.append(
                score(output, reference, every=args.every, start_s=args.start, length_s=args.length,
                      precise=args.precise, screen=args.screen)
            )  # fmt: skip
        except CIError as error:
            if len(outputs) == 1:
                raise
            problems += 1
            print(f"ci-notebook: {_printable(str(output))} was not scored: {error}", file=sys.stderr)
    if results:
        print(_FORMS[args.form](results))
    return 0 if not problems else FAILED if results else 1


def _files(files: Sequence[Path], reference: Path | None) -> tuple[Sequence[Path], Path]:
    """Return the outputs and their reference. Raises `ParameterError` before anything is computed."""
    if reference is None:
        if len(files) != 2:
            raise ParameterError.plain(
                f"Name an output and its reference, or pass --reference SOURCE (got {len(files)} file"
                f"{'' if len(files) == 1 else 's'}). Example: ci-notebook score a.mp4 b.mp4 --reference original.mp4"
            )
        files, reference = files[:1], files[1]
    for path in (*files, reference):
        if not path.is_file():
            raise ParameterError.plain(f"There is no video file {str(path)!r}. Check the name.")
    return files, reference


def _table(results: Sequence[FileScores]) -> str:
    """Return one row per score and one column per output, with the worst frame in parentheses.

    In a terminal, columns that do not fit follow below.
    """
    rows = [["score", *(_printable(one.output.name) for one in results)]]
    cells: dict[str, list[str]] = {}
    for place, one in enumerate(results):
        for score, value, worst in one.table():
            name = f"{score.name} [{score.unit}]" if score.unit else score.name
            row = cells.setdefault(name, [""] * len(results))
            row[place] = f"{value:.{score.decimals}f}" + (f" (worst {worst})" if worst else "")
    rows += [[name, *row] for name, row in cells.items()]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    blocks: list[list[int]] = []
    for column in range(1, len(widths)):
        if not blocks or sum(widths[one] + 2 for one in (*blocks[-1], column)) - 2 > room:
            blocks.append([0])
        blocks[-1].append(column)
    lines = list[str]()
    for block in blocks:
        lines += [""] if lines else []
        lines += ["  ".join(f"{row[column]:<{widths[column]}}" for column in block).rstrip() for row in rows]
    notes = list(dict.fromkeys(one.about for one in results))
    if len(notes) > 1:
        notes = [f"{_printable(one.output.name)}: {one.about}" for one in results]
    return "\n".join([*lines, "", *(textwrap.fill(one, room) for one in notes)])


def _printable(text: str) -> str:
    # A file name must not control the terminal.
    return "".join(char if char.isprintable() else "?" for char in text)


def _json(results: Sequence[FileScores]) -> str:
    return json.dumps([_facts(one) | {"frames": one.frames} for one in results], indent=2, ensure_ascii=False)


def _facts(one: FileScores) -> dict[str, Any]:
    return {
        "output": str(one.output), "reference": str(one.reference), "every": one.every, "precise": one.precise,
        "screen": one.screen, "vmaf_v1_model": one.vmaf_v1_model, "note": one.note,
        "scores": dict(one.scores), "alignment": one.alignment.as_dict() if one.alignment else None,
    }  # fmt: skip


def _csv(results: Sequence[FileScores]) -> str:
    names = list(dict.fromkeys(name for one in results for name in one.scores))
    text = io.StringIO()
    has_return = any("\r" in f"{one.output}{one.reference}" for one in results)  # Python does not quote it by itself
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if has_return else csv.QUOTE_MINIMAL)
    writer.writerow(["output", "reference", "every", "precise", "vmaf_v1_model", *map(inert_text, names)])
    for one in results:
        values = [one.scores.get(name, "") for name in names]
        files = inert_text(str(one.output)), inert_text(str(one.reference))
        facts = [*files, one.every, str(one.precise).lower(), inert_text(one.vmaf_v1_model)]
        writer.writerow([*facts, *values])
    return text.getvalue().rstrip("\n")


_FORMS: Final = {"table": _table, "json": _json, "csv": _csv}
