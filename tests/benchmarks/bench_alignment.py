"""Align made pairs of known truth, and print what scoring says of each, and what alignment costs.

    python -m tests.benchmarks.bench_alignment [--only WORD] [--cost]

`right` means: scored with the offset and the parts of the frames that the pair was made with, or refused with the
expected reason. `--cost` scores a sharpened clip, and prints the CPU time of the checks as a share of that of scoring.
CPU time is that of all processes.
"""

from __future__ import annotations

import argparse
import re
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from ci_notebook.media.ffmpeg import run
from ci_notebook.media.samples import sample
from ci_notebook.media.scoring import pair_checks
from ci_notebook.media.scoring.alignment import assume_aligned
from ci_notebook.media.scoring.score import compare
from ci_notebook.model.errors import EngineError
from tests.media.alignment_pairs import PAIRS, MadePair, make_pair
from tests.media.test_alignment_pairs import pixels


def cpu() -> float:
    """Return the CPU seconds of this process and its children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def outcome(pair: MadePair, folder: Path) -> tuple[bool, str]:
    """Return whether the pair is scored or refused rightly, and the result in words."""
    output, source = make_pair(pair, folder)
    try:
        found = compare(output, source, every=25)
    except EngineError as error:
        return bool(pair.refused and re.search(pair.refused, str(error))), str(error).split("scored. ", 1)[-1][:60]
    used = found.alignment
    assert used is not None
    parts = pixels(used.source_crop, source), pixels(used.output_crop, output)
    right = not pair.refused and used.offset_frames == pair.offset and parts == (pair.source, pair.output)
    return right and ("0 to 255" in found.note) == bool(pair.note), f"{used.offset_frames:+d} frames, {parts}"


def print_cost() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for height in (360, 1080):
            source, made = folder / f"source{height}.mp4", folder / f"made{height}.mp4"
            fast = ["-c:v", "libx264", "-preset", "veryfast", "-an"]
            loop = ["-stream_loop", "2", "-t", "5", "-i", sample()]
            run([*loop, "-vf", f"scale=-2:{height}", *fast, "-crf", "12", source])
            run(["-i", source, "-vf", "unsharp=5:5:0.5", *fast, "-crf", "26", made])
            compare(made, source)
            before = cpu()
            compare(made, source)
            whole = cpu() - before
            pair = assume_aligned(made, source)
            assert pair is not None
            rng = np.random.default_rng(1)
            frames = [rng.integers(16, 235, pair.size[::-1], dtype=np.uint8) for _ in pair_checks.picture_numbers(pair)]
            before = cpu()
            pair_checks.displacement(pair, frames, frames)
            pair_checks.full_range_note(frames, frames)
            checks = cpu() - before
            print(f"{height} lines, 5 s: scoring {whole:.2f} s of CPU, of which the checks {checks:.3f} s "
                  f"({100 * checks / whole:.1f} %)")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--cost", action="store_true")
    args = parser.parse_args()
    if args.cost:
        print_cost()
        return
    wanted = [pair for pair in PAIRS if args.only in pair.id]
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        for pair in wanted:
            began = time.monotonic()
            is_right, said = outcome(pair, Path(name))
            wrong += not is_right
            print(
                f"{'right' if is_right else 'WRONG':<6}{pair.id:<44} {time.monotonic() - began:5.1f} s  {said}",
                flush=True,
            )
    print(f"{len(wanted) - wrong} of {len(wanted)} pairs right")


if __name__ == "__main__":
    main()
