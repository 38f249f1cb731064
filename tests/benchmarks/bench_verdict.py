"""Coverage of a verdict's interval by simulation: ours, block bootstraps, and Student's t.

    python -m tests.benchmarks.bench_verdict [series a cell]

Series of paired differences with a true mean of 0 are drawn from AR(1) processes, with and without
added noise; printed is the share of 95 % intervals that contain 0, in per cent. The remainder
to 100 is false alarms. Several clips differ in their own means, too. Asserts nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from ci_notebook.results.verdict.paired_statistics import of_clips, of_frames

RHO = (0.5, 0.6, 0.7, 0.8, 0.9)
PICTURES = (48, 60, 75, 120)  # fewer are refused
Covers = Callable[[np.ndarray], bool]


def series(count: int, pictures: int, rho: float, draw: np.random.Generator, noise: float = 0.0) -> np.ndarray:
    """Return `count` series of AR(1), of mean 0 and variance 1, `noise` of which no two pictures have in common."""
    steps = draw.standard_normal((count, pictures))
    made = np.empty_like(steps)
    made[:, 0] = steps[:, 0]
    for at in range(1, pictures):
        made[:, at] = rho * made[:, at - 1] + (1 - rho**2) ** 0.5 * steps[:, at]
    return (1 - noise) ** 0.5 * made + noise**0.5 * draw.standard_normal((count, pictures))


def ours(one: np.ndarray) -> bool:
    """Say whether our interval holds 0."""
    made = of_frames([one])
    return made.low <= 0 <= made.high


def student(one: np.ndarray) -> bool:
    """Say whether an interval holds 0 that takes pictures for independent."""
    made = of_clips(one)
    return made.low <= 0 <= made.high


def bootstrap(one: np.ndarray, draw: np.random.Generator, *, stationary: bool) -> bool:
    """Say whether the percentiles of a block bootstrap hold 0; blocks of n^(1/3) · 1.5 pictures, wrapped around."""
    n, block = len(one), round(1.5 * len(one) ** (1 / 3))
    starts = draw.integers(0, n, size=(999, n))
    if stationary:
        new = draw.random((999, n)) < 1 / block
    else:
        new = np.broadcast_to(np.arange(n) % block == 0, (999, n)).copy()
    new[:, 0] = True
    place = np.arange(n)
    last = np.maximum.accumulate(np.where(new, place, 0), axis=1)
    chosen = (np.take_along_axis(starts, last, axis=1) + place - last) % n
    low, high = np.quantile(one[chosen].mean(axis=1), [0.025, 0.975])
    return bool(low <= 0 <= high)


def row(name: str, count: int, pictures: int, noise: float, covers: Covers) -> list[float]:
    """Print and return the coverage for every rho."""
    found = []
    for rho in RHO:
        drawn = series(count, pictures, rho, np.random.default_rng(round(1000 * rho) + pictures), noise)
        found.append(100 * float(np.mean([covers(one) for one in drawn])))
    print(f"  {pictures:3d} pictures  {name:24}" + "".join(f"{share:7.1f}" for share in found), flush=True)
    return found


def one_clip(count: int) -> None:
    """Print the coverage for one clip."""
    draw = np.random.default_rng(1)
    print("one clip; rho of AR(1):" + " " * 18 + "".join(f"{rho:7g}" for rho in RHO))
    cells = []
    for pictures in PICTURES:
        cells += row("ours", count, pictures, 0.0, ours)
        row("stationary bootstrap", count // 5, pictures, 0.0, lambda one: bootstrap(one, draw, stationary=True))
        row("moving-block bootstrap", count // 5, pictures, 0.0, lambda one: bootstrap(one, draw, stationary=False))
        row("t, as if independent", count, pictures, 0.0, student)
    print(f"  ours, mean over all: {np.mean(cells):.1f}; least {min(cells):.1f}, most {max(cells):.1f}")
    for noise in (0.2, 0.4, 0.6):
        print(f"the same with {100 * noise:g} % added noise:")
        for pictures in PICTURES:
            row("ours", count, pictures, noise, ours)


def several_clips(count: int) -> None:
    """Print the coverage of the mean of all clips like these; clips' own means vary by 0, 0.5 and 2."""
    print("several clips, for clips like these; rho:" + "".join(f"{rho:7g}" for rho in RHO))
    for clips in (3, 4, 5):  # two are judged for themselves, without an interval
        for spread in (0.0, 0.5, 2.0):
            found = []
            for rho in RHO:
                draw = np.random.default_rng(clips * 100 + round(rho * 10))
                lengths = draw.integers(15, 76, size=clips)
                means = np.stack([series(20 * count, n, rho, draw).mean(axis=1) for n in lengths], axis=1)
                means += spread * draw.standard_normal(means.shape)
                made = [of_clips(list(one)) for one in means[: 4 * count]]
                found.append(100 * float(np.mean([one.low <= 0 <= one.high for one in made])))
            print(f"  {clips} clips, spread {spread:3g}" + " " * 19 + "".join(f"{share:7.1f}" for share in found))


if __name__ == "__main__":
    amount = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    one_clip(amount)
    several_clips(amount)
