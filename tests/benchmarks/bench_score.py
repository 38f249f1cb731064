"""Score clips by ours and by the plain ffmpeg command line, and print what each costs.

    python -m tests.benchmarks.bench_score [CLIP ...] [--seconds 4] [--height 1080]

Each clip is scaled to the height, sharpened and encoded; the result is scored against it. `bare` is the filter
libvmaf alone, with the models that ours uses (VMAF, VMAF-NEG, VMAF v1). `plain` is one FFmpeg that does PSNR, SSIM
and XPSNR, too, compared without alignment; `ours` also aligns the frames, watches for drift, and measures colour
and flicker.
Wall-clock time is of this machine at this moment; CPU time is that of all processes.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ci_notebook.media.ffmpeg import run
from ci_notebook.media.samples import sample
from ci_notebook.media.scoring.score import compare

MODELS = (
    "model='version=vmaf_v0.6.1\\:name=vmaf|version=vmaf_v0.6.1neg\\:name=vmaf_neg|"
    "version=vmaf_v1.0.16_3d0h\\:name=vmaf_v1'"
)


def bare(made: Path, source: Path, folder: Path, every: int) -> None:
    """Score with the filter libvmaf alone."""
    graph = f"[0:v][1:v]libvmaf=log_fmt=json:log_path=v.json:n_threads=2:n_subsample={every}:{MODELS}[v]"
    run(["-i", made, "-i", source, "-filter_complex", graph, "-map", "[v]", "-f", "null", "-"], cwd=folder)


def plain(made: Path, source: Path, folder: Path, every: int) -> None:
    """Score as an experienced user of FFmpeg would."""
    graph = (
        "[0:v]split=4[a][b][c][d];[1:v]split=4[e][f][g][h];[a][e]psnr=stats_file=p.txt,nullsink;"
        "[b][f]ssim=stats_file=s.txt,nullsink;[c][g]xpsnr=stats_file=x.txt,nullsink;"
        f"[d][h]libvmaf=log_fmt=json:log_path=v.json:n_threads=2:n_subsample={every}:{MODELS}[v]"
    )
    run(["-i", made, "-i", source, "-filter_complex", graph, "-map", "[v]", "-f", "null", "-"], cwd=folder)


def cost(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall-clock and CPU seconds."""

    def cpu() -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in used)

    began, before = time.monotonic(), cpu()
    work()
    return time.monotonic() - began, cpu() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path, default=[sample()])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--height", type=int, default=1080)
    args = parser.parse_args()
    print(f"{'clip':<12} {'every':>5} | {'bare CPU s':>10} | {'plain CPU s':>11} | {'ours CPU s':>10} (wall) | ratio")
    for clip in args.clips:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            source, made = folder / "source.mp4", folder / "made.mp4"
            fast = ["-c:v", "libx264", "-preset", "veryfast", "-an"]
            scale = f"scale=-2:{args.height}:flags=lanczos"
            run(["-stream_loop", "9", "-t", args.seconds, "-i", clip, "-vf", scale, *fast, "-crf", "12", source])
            run(["-i", source, "-vf", "unsharp=5:5:0.5", *fast, "-crf", "26", made])
            compare(made, source)  # models and capabilities are read once
            for every in (5, 1):
                alone = min(cost(lambda: bare(made, source, folder, every))[1] for _ in range(2))  # noqa: B023 - at once
                theirs = min(cost(lambda: plain(made, source, folder, every))[1] for _ in range(2))  # noqa: B023
                wall, ours = min((cost(lambda: compare(made, source, every=every)) for _ in range(2)),  # noqa: B023
                                 key=lambda one: one[1])  # fmt: skip
                print(
                    f"{clip.stem:<12} {every:>5} | {alone:>10.2f} | {theirs:>11.2f} | {ours:>10.2f} {wall:>6.2f} | "
                    f"{ours / alone:.2f} of bare, {ours / theirs:.2f} of plain",
                    flush=True,
                )


if __name__ == "__main__":
    main()
