"""The verb `report`: run a sweep on local clips and write one HTML file.

Invariant: all arguments are checked before anything is uploaded, and the price is printed before anything is sent.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.errors import CIError, ParameterError
from ci_notebook.model.score_sampling import MOST_FRAMES
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.transcode import Audio, Container, Transcode, Video

if TYPE_CHECKING:
    from ci_notebook.client.objects import Clip
    from ci_notebook.experiment.sweep import Sweep
    from ci_notebook.lab.lab import Lab
    from ci_notebook.results.runs import Runs

VIDEOS: Final = frozenset(
    (
        "3gp", "avi", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "mxf", "ogv", "ts", "vob",
        "webm", "wmv", "y4m",
    )
)  # fmt: skip
FAILED: Final = 3  # the exit status of a report that was written although runs failed

_EPILOG: Final = """\
PARAMETER is a name such as SharpenLevel, or Video.Bitrate if the last part is ambiguous. An empty value leaves
it out, AUTO lets the service choose, and `on` switches a whole stage: --set ColorEnhance=on.

  ci-notebook report holiday.mp4 --vary SharpenLevel=0,3,6,9 --vary Resolution=,sdtohd --out report.html

A run that is done is not repeated or paid for again, so the same command resumes after Ctrl-C.
Exit status: 0 success, 1 refused or failed, 2 wrong usage, 3 report written but some runs failed, 130 Ctrl-C.
"""


def add_report(verbs: Any) -> None:
    """Add the verb `report` to a parser's verbs."""
    parser = verbs.add_parser(
        "report", help="run a sweep on clips and write a report", epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("clips", nargs="+", type=Path, metavar="CLIP", help="a video, or a folder of them")
    add("--vary", action="append", required=True, metavar="PARAMETER=A,B,…", help="values to try; repeatable")
    add("--set", action="append", default=[], metavar="PARAMETER=A", help="a value for all runs; repeatable")
    add("--out", type=Path, default=Path("report.html"), help="file for the report (default: report.html)")
    add("--on", metavar="SCORE", help="the score of the verdicts (default: vmaf_v1 if all runs have it, else vmaf_neg)")
    add("--reference", action="append", default=[], type=Path, metavar="FILE",
        help="the original that a clip was spoiled from; one per clip, in the same order")  # fmt: skip
    add("--every", type=int, metavar="N",
        help=f"score every Nth frame; 1 scores all (default: all, or {MOST_FRAMES} of a longer clip)")  # fmt: skip
    add("--budget", type=float, metavar="CNY", help="send nothing if the price is higher than this")
    add("--prices", type=Path, metavar="FILE", help="your price list (TOML) in place of the published one")
    add("--workers", type=int, default=4, metavar="N", help="jobs that run at once (default: 4)")
    add("--retry-failed", action="store_true", help="send jobs that failed before again")
    add("--plan", action="store_true", help="print the jobs and their price, and send nothing")
    add("--yes", action="store_true", help="on the cloud: spend money without confirmation")
    add("--question", default="", metavar="TEXT", help="headline of the report")
    add("--bucket", metavar="NAME-APPID", help="use the cloud instead of the embedded engine; needs --region")
    add("--region", metavar="REGION", help="the region of the bucket, such as ap-chongqing")
    add("--home", type=Path, metavar="DIR", help="folder of the journal and the engine (default: that of ci.connect())")
    parser.set_defaults(run=write)


def write(args: argparse.Namespace) -> int:
    """Run the verb; return its exit status."""
    try:
        return _write(args)
    except KeyboardInterrupt as stop:
        message = str(stop) or "Stopped. Finished runs are kept, and the same command resumes."
        sys.stderr.write(f"\nci-notebook: {message}\n")
        return 130


def _write(args: argparse.Namespace) -> int:
    sweep = sweep_of(args.vary, args.set)
    paths, references = videos_in(args.clips), videos_in(args.reference)
    if references and len(references) != len(paths):
        raise ParameterError.plain(
            f"--reference must be given once per clip (clips: {len(paths)}, references: {len(references)})."
        )
    out = args.out
    if not out.parent.is_dir() or out.is_dir():
        raise ParameterError.plain(f"--out must be a file in an existing folder (got {str(out)!r}).")
    from ci_notebook.experiment.pricing.price_file import read_prices  # lazy, as above
    from ci_notebook.lab.connect import connect  # lazy: a wrong argument is refused without a second of imports
    from ci_notebook.results.dataframe import resolve_column, to_frame  # lazy, as above

    if args.on is not None:
        resolve_column(to_frame([]), args.on)  # refuses an unknown score before the runs, not after them
    with connect(args.bucket, region=args.region, home=args.home) as lab:
        if args.prices:
            lab.prices = read_prices(args.prices)
        clips, originals = _uploaded(lab, paths), _uploaded(lab, references, "reference/")
        plan = lab.plan(clips, sweep)
        _print(f"{len(clips)} clip{'s' * (len(clips) > 1)}, {sweep!r}", repr(plan).strip("<>"))
        if args.plan:
            return 0
        _ask(lab, plan.held.count(False), args)
        runs = lab.run(
            clips, sweep, budget=args.budget, workers=args.workers, reference=originals or None, every=args.every,
            retry_failed=args.retry_failed,
        )  # fmt: skip
        return _report(lab, runs, args)


def _uploaded(lab: Lab, paths: Iterable[Path], folder: str = "") -> list[Clip]:
    """Upload files, and say which of them got another key than that of their name."""
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always", UserWarning)
        clips = [lab.upload(path, folder) for path in paths]
    for note in notes:
        sys.stderr.write(f"ci-notebook: {note.message}\n")
    return clips


def _report(lab: Lab, runs: Runs, args: argparse.Namespace) -> int:
    from ci_notebook.results.verdict.verdict import all_verdicts  # lazy, as above

    failed = runs.failed
    for run in failed:
        why = run.error or f"{run.job.code}: {run.job.message}" if run.job else run.error
        _print(f"failed: {run!r}: {why}")
    if len(failed) == len(runs):
        raise CIError(f"All {len(runs)} runs failed, so there is nothing to report. --retry-failed sends them again.")
    setup = "" if lab.engine else f"lab = ci.connect({lab.bucket!r}, region={lab.region!r})"
    verdicts = all_verdicts(runs, on=args.on)
    runs.report(args.out, question=args.question, verdicts=verdicts, setup=setup)
    _print(*(f"- {one.sentence}" for one in verdicts), f"The report is in {args.out}")
    return FAILED if len(failed) else 0


def sweep_of(vary: Iterable[str], fixed: Iterable[str] = ()) -> Sweep:
    """Return the grid of texts such as `Leaf=value,value`, with the fixed values of texts such as `Leaf=value`.

    A leaf below `Transcode` adds what it needs: an MP4 container with video and audio.

    >>> sweep_of(["SharpenLevel=0,6", "Resolution=,sdtohd"], ["Contrast=AUTO"])
    <Sweep of 4 settings over SuperResolution.Resolution, MsSharpen.SharpenLevel>

    Raises `ParameterError` for a text of another form, and for a value that the leaf does not take.
    """
    from ci_notebook.experiment.sweep import grid, steps_of  # lazy, as above

    base_values, varied = _read(fixed, single=True), _read(vary, single=False)
    start = VideoEnhance()
    if any(steps_of(name)[0].tag == "Transcode" for name in (*base_values, *varied)):
        # A Transcode must name its container, and without Video or Audio it drops those streams.
        start = VideoEnhance(transcode=Transcode(container=Container(format="mp4"), video=Video(), audio=Audio()))
    (base,) = grid(start, **base_values)
    return grid(base, **varied)


def _read(texts: Iterable[str], *, single: bool) -> dict[str, list[Any]]:
    from ci_notebook.experiment.sweep import steps_of  # lazy, as above

    parsed: dict[str, list[Any]] = {}
    for text in texts:
        name, sign, listed = text.partition("=")
        words = [listed] if single else listed.split(",")
        if not sign or not name.strip() or name in parsed:
            option, form = ("--set", "PARAMETER=VALUE") if single else ("--vary", "PARAMETER=VALUE,VALUE")
            raise ParameterError.plain(f"{option} must be {form}, each parameter once (got {text!r}).")
        part = steps_of(name.strip())[-1]
        parsed[name.strip()] = [_value(part, name, word.strip()) for word in words]
    return parsed


def _value(part: Any, name: str, word: str) -> Any:
    if not word:
        return None
    if part.node is not None:
        if word != "on":
            raise ParameterError.plain(
                f"{name} is a whole stage: use {name}=on, or {name}= to leave it out (got {word!r})."
            )
        return part.node()
    return AUTO if word.upper() == "AUTO" and part.auto else part.parse(word)


def videos_in(paths: Sequence[Path]) -> list[Path]:
    """Return the given videos, and the videos of the given folders, sorted by name.

    Hidden files of a folder are skipped, with a note.

    Raises `ParameterError` for a missing file, a folder without videos, and a file that is given twice.
    """
    videos: list[Path] = []
    for path in paths:
        if path.is_dir():
            listed = sorted(p for p in path.iterdir() if p.is_file() and p.suffix[1:].lower() in VIDEOS)
            inside = [p for p in listed if not p.name.startswith(".")]
            if len(inside) < len(listed):  # `._0001.mp4`, for example, where macOS keeps the icon of 0001.mp4
                _print(f"Skipped {len(listed) - len(inside)} hidden file(s) in {str(path)!r}.")
            if not inside:
                raise ParameterError.plain(f"The folder {str(path)!r} holds no video.")
            videos += inside
        elif path.is_file():
            videos.append(path)
        else:
            raise ParameterError.plain(f"There is no video file or folder {str(path)!r}. Check the name.")
    files = [path.resolve() for path in videos]
    twice = next((path for path in files if files.count(path) > 1), None)
    if twice is not None:
        raise ParameterError.plain(f"The file {str(twice)!r} is given twice. Name it once.")
    return videos


def _ask(lab: Lab, new: int, args: argparse.Namespace) -> None:
    """Ask for confirmation before money is spent, unless `--budget` or `--yes` was given."""
    if lab.engine is not None or not new or args.yes or args.budget is not None:
        return
    if not sys.stdin.isatty():
        raise ParameterError.plain(
            "Refusing to spend money without confirmation: stdin is not a terminal. Pass --budget CNY or --yes."
        )
    if input(f"Send {new} jobs to {lab.bucket}? [y/N] ").strip().lower() not in ("y", "yes"):
        raise CIError("Nothing was sent.")


def _print(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
