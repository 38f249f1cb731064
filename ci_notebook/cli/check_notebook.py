"""The verb `check-notebook`: find, cell by cell, secrets and other content that a shared notebook must not hold.

It finds secrets in sources, outputs and widget state, signed addresses, saved widget state, paths of this machine,
and outputs that are too large. Invariant: a secret that is found is never printed.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from ci_notebook._folders import readable_file
from ci_notebook._machine_errors import with_own_errors
from ci_notebook.cli.secret_search.disguises import decoded_base64
from ci_notebook.cli.secret_search.secret_patterns import Known, remedy
from ci_notebook.model.errors import CIError
from ci_notebook.model.text_bytes import read_text

# A notebook with larger outputs is slow to open and hard to review.
LARGEST_OUTPUT_KB: Final = 1024
_STATE_REMEDY: Final = "Results are saved as outputs too, so nothing is lost: check-notebook --fix removes the state."


class NotebookFinding(NamedTuple):
    """One thing that a shared notebook must not hold. Cells count from 1; cell 0 is the metadata of the notebook."""

    file: Path
    cell: int
    line: int
    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.cell}:{self.line}: {self.where}: {self.what}. {self.remedy}"


def check_notebook(
    path: str | Path, *, known: Known | None = None, dates: bool = False, largest_output_kb: int = LARGEST_OUTPUT_KB
) -> list[NotebookFinding]:
    """Return the findings in a notebook, in the order of its cells; empty if it can be shared.

    `known` holds the values that must not appear: by default the keys and folders of this machine. With
    `dates`, a date with a time in an output is a finding too.
    """
    path = Path(path)
    try:
        notebook = json.loads(read_text(readable_file(path)))
        cells = list(notebook["cells"])
    except CIError as error:
        return [NotebookFinding(path, 0, 1, "file", str(error).rstrip("."), "Give the path of an .ipynb file.")]
    except (RecursionError, OSError, ValueError, KeyError, TypeError) as error:
        why = f"cannot be read as a notebook ({type(error).__name__})"
        return [NotebookFinding(path, 0, 1, "file", why, "Give the path of an .ipynb file of format 4.")]
    known = known or Known()
    findings = [
        NotebookFinding(path, number, line, where, what, what_to_do)
        for number, cell in enumerate(cells, 1)
        for where, line, what, what_to_do in _of_cell(cell, known, dates, largest_output_kb)
    ]
    metadata = notebook.get("metadata", {})
    if "widgets" in metadata:
        size = len(json.dumps(metadata["widgets"])) // 1000
        findings.append(
            NotebookFinding(path, 0, 1, "metadata.widgets", f"widget state is saved ({size} kB)", _STATE_REMEDY)
        )
    for where, line, what, what_to_do in _of_text("metadata", _every_text(metadata), known, dates=False):
        findings.append(NotebookFinding(path, 0, line, where, what, what_to_do))
    others = {name: value for name, value in notebook.items() if name not in ("cells", "metadata")}
    for where, line, what, what_to_do in _of_text("notebook", _every_text(others), known, dates=False):
        findings.append(NotebookFinding(path, 0, line, where, what, what_to_do))
    return findings


def strip_widget_state(path: str | Path) -> bool:
    """Remove `metadata.widgets` from a notebook without changing any other byte; return whether it was there."""
    path = Path(path)
    try:
        text = readable_file(path).read_bytes().decode("utf-8")
    except UnicodeDecodeError:  # UTF-16: Jupyter does not open it either
        return False
    for name, start, _ in _members(text, text.index("{")):
        if name != "metadata":
            continue
        inside = list(_members(text, text.index("{", start + len('"metadata"'))))
        for number, (inner, first, last) in enumerate(inside):
            if inner == "widgets":
                before = inside[number - 1][2] if number else None
                after = inside[number + 1][1] if number + 1 < len(inside) else None
                # Remove the comma that follows too; for the last member, the comma before it.
                left, right = (first, after) if after else (before or text.rindex("{", 0, first) + 1, last)
                rest = text[right:] if after or before else text[right:].lstrip()
                _replace(path, (text[:left] + rest).encode("utf-8"))
                return True
    return False


def _replace(path: Path, content: bytes) -> None:
    """Replace the content of a file, or leave it as it is: a full disk destroys no notebook."""
    target = path.resolve()
    with with_own_errors(path), tempfile.TemporaryDirectory(dir=target.parent, prefix=".ci-notebook-") as folder:
        part = Path(folder) / target.name
        part.write_bytes(content)
        shutil.copymode(target, part)
        part.replace(target)


def _run(args: argparse.Namespace) -> int:
    """Check the files of a command line; return 1 if anything was found."""
    known, count = Known(), 0
    for path in args.files:
        if args.fix and _is_notebook(path) and strip_widget_state(path):
            print(f"{path}: removed the widget state")
        for finding in check_notebook(path, known=known, dates=args.dates, largest_output_kb=args.max_output_kb):
            print(finding)
            count += 1
    if count:
        print(f"{count} finding{'' if count == 1 else 's'}", file=sys.stderr)
    return 1 if count else 0


def add_check_notebook(verbs: Any) -> None:
    """Add the verb to a parser's."""
    purpose = "find secrets, widget state, machine paths and huge outputs in notebooks"
    parser = verbs.add_parser("check-notebook", help=purpose)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="notebooks")
    parser.add_argument("--fix", action="store_true", help="remove the widget state, and nothing else")
    parser.add_argument("--dates", action="store_true", help="also report dates with a time in outputs")
    parser.add_argument(
        "--max-output-kb", type=int, default=LARGEST_OUTPUT_KB, metavar="KB",
        help=f"size limit for the outputs of one cell (default: {LARGEST_OUTPUT_KB})",
    )  # fmt: skip
    parser.set_defaults(run=_run)


_CellFinding = tuple[str, int, str, str]


# The fields of a cell and of an output that are read by themselves. The others are read too, as JSON.
_CELL_FIELDS: Final = ("source", "outputs", "attachments", "metadata", "cell_type", "execution_count")
_OUTPUT_FIELDS: Final = ("text", "traceback", "data", "metadata", "output_type", "execution_count")


def _of_cell(cell: Mapping[str, Any], known: Known, dates: bool, largest_kb: int) -> Iterator[_CellFinding]:
    yield from _of_text("source", _joined(cell.get("source", "")), known, dates=False)
    outputs = cell.get("outputs", [])
    streams = _streams(outputs)
    for output in outputs:
        stream = _stream(output)
        if stream in streams:
            yield from _of_text(f"output {stream}", streams.pop(stream), known, dates=dates)
        for kind, data in _parts(output):
            yield from _of_text(f"output {kind}", data, known, dates=dates)
    for name, one in cell.get("attachments", {}).items():
        for kind, data in one.items():
            yield from _of_text(f"attachment {_kind(kind)}", _readable(kind, data), known, dates=False)
        yield from _of_text("attachment name", _every_text([name, *one]), known, dates=False)
    yield from _of_text("cell metadata", _every_text(cell.get("metadata", {})), known, dates=False)
    others = {name: value for name, value in cell.items() if name not in _CELL_FIELDS}
    yield from _of_text("cell", _every_text(others), known, dates=False)
    size = len(json.dumps(outputs, ensure_ascii=False).encode()) / 1024
    if size > largest_kb:
        what = f"the outputs hold {size:.0f} kB, more than {largest_kb}"
        yield "output", 1, what, "Show smaller pictures or fewer rows, or raise --max-output-kb."


def _streams(outputs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the printed text of a cell by its stream: one text, also where it was saved in pieces."""
    texts: dict[str, str] = {}
    for output in outputs:
        if "text" in output:
            texts[_stream(output)] = texts.get(_stream(output), "") + _joined(output["text"])
    return texts


def _stream(output: Mapping[str, Any]) -> str:
    name = output.get("name")
    return name if "text" in output and name in ("stdout", "stderr") else "text"


def _parts(output: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the kinds of an output and their texts, with base64 decoded."""
    if "traceback" in output:
        yield "error", "\n".join([str(output.get("evalue", "")), *output["traceback"]])
    for kind, data in output.get("data", {}).items():
        yield _kind(kind), _readable(kind, data)
    if output.get("data"):
        yield "kinds", _every_text([kind for kind in output["data"] if _kind(kind) != kind])
    if output.get("metadata"):
        yield "metadata", _every_text(output["metadata"])
    others = {name: value for name, value in output.items() if name not in _OUTPUT_FIELDS}
    if "traceback" in output:
        others.pop("evalue", None)  # part of the text above
    yield "fields", _every_text(others)


def _kind(kind: str) -> str:
    """Return a MIME type as it may be shown: an unusual one could be anything, a key too."""
    return kind if re.fullmatch(r"[a-z]+/[a-z0-9.+-]{1,60}", kind) else "of an unusual kind"


def _readable(kind: str, data: Any) -> str:
    text = _joined(data)
    is_base64 = kind.startswith(("image/", "video/", "audio/", "application/pdf", "application/octet"))
    return decoded_base64(text) if is_base64 and kind != "image/svg+xml" else text


def _of_text(where: str, text: str, known: Known, *, dates: bool) -> Iterator[_CellFinding]:
    is_binary = where.partition(" ")[2].startswith(("image/", "video/", "audio/")) and not where.endswith("svg+xml")
    for leak in known.leaks(text, is_binary=is_binary, dates=dates):
        yield where, text.count("\n", 0, leak.at) + 1, leak.what, remedy(leak.rule)


def _joined(text: Any) -> str:
    if isinstance(text, str):
        return text
    if isinstance(text, Sequence) and all(isinstance(one, str) for one in text):
        return "".join(text)
    return _every_text(text)


def _every_text(data: Any) -> str:
    """Return JSON as text, with names and values on one line as in a file."""
    return json.dumps(data, ensure_ascii=False, indent=1) if data else ""


def _is_notebook(path: Path) -> bool:
    try:
        return isinstance(json.loads(read_text(readable_file(path))).get("metadata", {}), dict)
    except (RecursionError, OSError, ValueError, AttributeError):
        return False


def _members(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """Yield name, start and end of each member of the JSON object that begins at `at`."""
    decoder = json.JSONDecoder()
    at = _skip_blanks(text, at + 1)
    while text[at] != "}":
        start = at
        name, at = decoder.raw_decode(text, at)
        at = _skip_blanks(text, text.index(":", at) + 1)
        _, at = decoder.raw_decode(text, at)
        yield name, start, at
        at = _skip_blanks(text, at)
        if text[at] == ",":
            at = _skip_blanks(text, at + 1)


def _skip_blanks(text: str, at: int) -> int:
    while text[at].isspace():
        at += 1
    return at
