"""Find the least frame size of each model of VMAF v1, for `LEAST_SIDES` in `ci_notebook/model/vmaf_v1.py`.

    python -m tests.benchmarks.bench_least_size [MODEL ...] [--step 1]

Each model scores a test pattern against a noisy copy, 4 frames, wide, tall and square, in 8 and 10 bits. Every size
is tried three times with other garbage in fresh memory: where the results differ, it reads outside of its frames. A
line is printed where the outcome changes: `-11` is a crash, `no score` a VMAF of 0 without an error, `ok` three
equal scores. FFmpeg crashes in this program on purpose; it takes about 15 minutes for all models.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess

from ci_notebook.media.ffmpeg import find_ffmpeg
from ci_notebook.model.vmaf_v1 import MODELS

GARBAGE = (0, 90, 201)
SHAPES = {
    "square": lambda side: (side, side), "wide": lambda side: (640, side), "tall": lambda side: (side, 640),
    "very wide": lambda side: (1920, side), "very tall": lambda side: (side, 1920),
}  # fmt: skip
# Shorter sides in px around the limits that were found.
RANGES = {"3d0h": (150, 240), "1d5h_2160": (150, 240), "5d0h": (250, 310), "3d0h_2160": (304, 360)}


def score(model: str, size: tuple[int, int], pixels: str, garbage: int) -> tuple[int, str]:
    """Return the exit status of FFmpeg, and the score as text."""
    pattern = f"testsrc2=s={size[0]}x{size[1]}:r=25:d=0.16"
    graph = (
        f"[0:v]noise=alls=20:all_seed=3:allf=t,format={pixels}[a];[1:v]format={pixels}[b];"
        f"[a][b]libvmaf=n_threads=2:model='version={model}'"
    )
    inputs = ["-f", "lavfi", "-i", pattern, "-f", "lavfi", "-i", pattern]
    done = subprocess.run(
        [find_ffmpeg(), "-hide_banner", *inputs, "-lavfi", graph, "-f", "null", "-"], capture_output=True, text=True,
        check=False, env={**os.environ, "GLIBC_TUNABLES": f"glibc.malloc.perturb={garbage}"},
    )  # fmt: skip
    found = re.search(r"VMAF score: (\S+)", done.stderr)
    return done.returncode, found[1] if found else ""


def outcome(model: str, size: tuple[int, int], pixels: str) -> str:
    """Return what happened in the three tries."""
    tries = {score(model, size, pixels, garbage) for garbage in GARBAGE}
    codes = sorted({code for code, _ in tries})
    if codes != [0]:
        return "/".join(map(str, codes))
    if any(not text or float(text) == 0 for _, text in tries):
        return "no score"
    return "ok" if len(tries) == 1 else f"different scores: {sorted(text for _, text in tries)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument("--step", type=int, default=1)
    args = parser.parse_args()
    for model in args.models:
        low, high = next(span for name, span in RANGES.items() if model.endswith(f"_{name}"))
        for shape, size_of in SHAPES.items():
            last = ""
            for side in range(low, high + 1, args.step):
                pixels = "yuv420p10le" if side % 3 == 0 else "yuv420p"
                found = outcome(model, size_of(side), pixels)
                if found != last:
                    print(f"{model} {shape} from {side} px: {found}", flush=True)
                last = found


if __name__ == "__main__":
    main()
