"""Pools the scores of single frames into the scores of a clip."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ci_notebook.model.scores import scale_of

__all__ = ["percentile", "pool"]


def pool(pictures: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the mean of each score under its name, and statistics of its worst frames.

    `<name>_hmean` is the harmonic mean as libvmaf computes it, of values plus 1, which low values pull down;
    `<name>_p5` the 5th percentile; `<name>_worst` the worst frame. Where less is better they are the 95th
    percentile as `<name>_p95`, and the largest.

    >>> pool({"vmaf": [90.0, 80.0, 40.0]})["vmaf_worst"]
    40.0
    """
    statistics = {}
    for name, values in pictures.items():
        statistics[name] = math.fsum(values) / len(values)
        if scale_of(name).better != "less":
            statistics[f"{name}_hmean"] = len(values) / math.fsum(1 / (value + 1) for value in values) - 1
            statistics[f"{name}_p5"] = percentile(values, 5)
            statistics[f"{name}_worst"] = min(values)
        else:
            statistics[f"{name}_p95"] = percentile(values, 95)
            statistics[f"{name}_worst"] = max(values)
    return statistics


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile, linear between the values, as numpy does.

    >>> percentile([1.0, 2.0, 3.0], 25)
    1.5
    """
    ordered = sorted(values)
    at = (len(ordered) - 1) * share / 100
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])
