"""`ci-notebook report`: from clips on a disk to one HTML file, in a terminal.

Everything is read and checked before anything is uploaded; the price is said before anything is sent.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.errors import CIError, ParameterError
from ci_notebook.model.scores import MAIN
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.transcode import Audio, Container, Transcode, Video

if TYPE_CHECKING:
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
A leaf is named as everywhere: SharpenLevel, or Video.Bitrate where the ending alone is ambiguous. An empty
value leaves it out, AUTO lets the service choose, and a whole stage is switched by `on`: --set ColorEnhance=on.

  ci-notebook report holiday.mp4 --vary SharpenLevel=0,3,6,9 --vary Resolution=,sdtohd --out report.html

What was run before is not run or paid for again, so after Ctrl-C the same command goes on.
Exit status: 0 done, 1 refused or failed, 2 not understood, 3 written though runs failed, 130 Ctrl-C.
"""


def add_report(verbs: Any) -> None:
    """Add the verb `report` to a parser's verbs."""
    parser = verbs.add_parser(
        "report", help="run a sweep on clips and write a report about it", epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("clips", nargs="+", type=Path, metavar="CLIP", help="a video, or a folder of them")
    add("--vary", action="append", required=True, metavar="LEAF=A,B,…", help="values of a leaf to be tried; repeatable")
    add("--set", action="append", default=[], metavar="LEAF=A", help="a leaf that is the same in all; repeatable")
    add("--out", type=Path, default=Path("report.html"), help="the report (default: report.html)")
    add("--on", default=MAIN, metavar="SCORE", help=f"the score to be judged by (default: {MAIN})")
    add("--reference", action="append", default=[], type=Path, metavar="FILE",
        help="the true picture that a clip was spoilt from; one a clip, in their order")  # fmt: skip
    add("--every", type=int, metavar="N", help="score every Nth picture; 1 scores all (default: every fifth)")
    add("--budget", type=float, metavar="CNY", help="send nothing if it would cost more by the list")
    add("--prices", type=Path, metavar="FILE", help="a price list of your own (TOML) in place of the published one")
    add("--workers", type=int, default=4, metavar="N", help="jobs under way at once (default: 4)")
    add("--retry-failed", action="store_true", help="send jobs again that failed before")
    add("--plan", action="store_true", help="say what would be sent and its price, and stop")
    add("--yes", action="store_true", help="on the cloud: do not ask before spending money")
    add("--question", default="", metavar="TEXT", help="the report's headline")
    add("--bucket", metavar="NAME-APPID", help="on the cloud instead of the embedded engine; with --region")
    add("--region", metavar="REGION", help="the bucket's region, such as ap-chongqing")
    add("--home", type=Path, metavar="DIR", help="where the journal and the engine's store are kept")
    parser.set_defaults(run=write)


def write(args: argparse.Namespace) -> int:
    """Do what the verb asks; return its exit status."""
    try:
        return _write(args)
    except KeyboardInterrupt as stop:
        said = str(stop) or "stopped. What is done is kept; the same command goes on from here."
        sys.stderr.write(f"\nci-notebook: {said}\n")
        return 130


def _write(args: argparse.Namespace) -> int:
    sweep = sweep_of(args.vary, args.set)
    paths, references = videos_in(args.clips), videos_in(args.reference)
    if references and len(references) != len(paths):
        raise ParameterError("--reference", len(references), f"one for each of the {len(paths)} clips")
    out = args.out
    if not out.parent.is_dir() or out.is_dir():
        raise ParameterError("--out", str(out), "a file in a folder that is there")
    from ci_notebook.experiment.pricing.price_file import read_prices  # lazy, as above
    from ci_notebook.lab.connect import connect  # lazy: a mistake in the words costs no second of imports
    from ci_notebook.results.dataframe import resolve_column, to_frame  # lazy, as above

    resolve_column(to_frame([]), args.on)  # a score that nobody measures is found out now, not after the runs
    with connect(args.bucket, region=args.region, home=args.home) as lab:
        if args.prices:
            lab.prices = read_prices(args.prices)
        clips = [lab.upload(path) for path in paths]
        truths = [lab.upload(path, f"reference/{path.name}") for path in references]
        plan = lab.plan(clips, sweep)
        _say(f"{len(clips)} clip{'s' * (len(clips) > 1)}, {sweep!r}", repr(plan).strip("<>"))
        if args.plan:
            return 0
        _ask(lab, plan.held.count(False), args)
        runs = lab.run(
            clips, sweep, budget=args.budget, workers=args.workers, reference=truths or None, every=args.every,
            retry_failed=args.retry_failed,
        )  # fmt: skip
        return _report(lab, runs, args)


def _report(lab: Lab, runs: Runs, args: argparse.Namespace) -> int:
    from ci_notebook.results.verdict.verdict import all_verdicts  # lazy, as above

    failed = runs.failed
    for run in failed:
        why = run.error or f"{run.job.code}: {run.job.message}" if run.job else run.error
        _say(f"failed: {run!r}: {why}")
    if len(failed) == len(runs):
        raise CIError(f"all {len(runs)} runs failed, so there is nothing to report. --retry-failed sends them again.")
    setup = "" if lab.engine else f"lab = ci.connect({lab.bucket!r}, region={lab.region!r})"
    judged = all_verdicts(runs, on=args.on)
    runs.report(args.out, question=args.question, verdicts=judged, setup=setup)
    _say(*(f"- {one.sentence}" for one in judged), f"The report is in {args.out}")
    return FAILED if len(failed) else 0


def sweep_of(vary: Iterable[str], held: Iterable[str] = ()) -> Sweep:
    """Return the grid that `Leaf=value,value` texts say, set in what `Leaf=value` texts say.

    A leaf below `Transcode` brings what it needs: an MP4 with its pictures and sound.

    >>> sweep_of(["SharpenLevel=0,6", "Resolution=,sdtohd"], ["Contrast=AUTO"])
    <Sweep of 4 settings over SuperResolution.Resolution, MsSharpen.SharpenLevel>

    Raises `ParameterError` for what is not such a text, and for what no leaf takes.
    """
    from ci_notebook.experiment.sweep import grid, place_of  # lazy, as above

    fixed, varied = _read(held, single=True), _read(vary, single=False)
    start = VideoEnhance()
    if any(place_of(name)[0].tag == "Transcode" for name in (*fixed, *varied)):
        # A Transcode must name its container, and one without Video or Audio drops them: nobody wants that.
        start = VideoEnhance(transcode=Transcode(container=Container(format="mp4"), video=Video(), audio=Audio()))
    (base,) = grid(start, **fixed)
    return grid(base, **varied)


def _read(texts: Iterable[str], *, single: bool) -> dict[str, list[Any]]:
    from ci_notebook.experiment.sweep import place_of  # lazy, as above

    found: dict[str, list[Any]] = {}
    for text in texts:
        name, sign, listed = text.partition("=")
        words = [listed] if single else listed.split(",")
        if not sign or not name.strip() or name in found:
            form = "LEAF=VALUE" if single else "LEAF=VALUE,VALUE"
            raise ParameterError("--set" if single else "--vary", text, f"{form}, each leaf once")
        part = place_of(name.strip())[-1]
        found[name.strip()] = [_value(part, name, word.strip()) for word in words]
    return found


def _value(part: Any, name: str, word: str) -> Any:
    if not word:
        return None
    if part.node is not None:
        if word != "on":
            raise ParameterError(name, word, "`on`, or nothing to leave it out", "Its leaves have names of their own.")
        return part.node()
    return AUTO if word.upper() == "AUTO" and part.auto else part.parse(word)


def videos_in(paths: Sequence[Path]) -> list[Path]:
    """Return the videos that files and folders name, those of a folder by their names.

    Raises `ParameterError` for what is not there, holds no video, or is called like another: a clip
    is stored, and told apart, by its name.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.is_file() and p.suffix[1:].lower() in VIDEOS)
            if not inside:
                raise ParameterError("CLIP", str(path), "a folder that holds videos")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise ParameterError("CLIP", str(path), "a video file or a folder of them")
    names = [path.name for path in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ParameterError("CLIP", ", ".join(twice), "names that differ", "Clips are told apart by their names.")
    return found


def _ask(lab: Lab, new: int, args: argparse.Namespace) -> None:
    """Ask before money is spent, unless a budget or `--yes` has said so already."""
    if lab.engine is not None or not new or args.yes or args.budget is not None:
        return
    if not sys.stdin.isatty():
        raise ParameterError("on the cloud", "no --budget", "--budget CNY or --yes, where nobody can be asked")
    if input(f"Send {new} jobs to {lab.bucket}? [y/N] ").strip().lower() not in ("y", "yes"):
        raise CIError("nothing was sent")


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
