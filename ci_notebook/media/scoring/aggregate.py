"""From one number a picture to the numbers of a clip."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ci_notebook.model.scores import scale_of


def pooled(pictures: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the mean of each score under its name, and beside it how bad its bad pictures are.

    `<name>_hmean` is the harmonic mean as libvmaf takes it, of values plus 1, which low values pull
    down; `<name>_p5` the 5th percentile; `<name>_worst` the worst picture. Where less is better they
    are the 95th percentile as `<name>_p95`, and the largest.

    >>> pooled({"vmaf": [90.0, 80.0, 40.0]})["vmaf_worst"]
    40.0
    """
    found = {}
    for name, values in pictures.items():
        found[name] = math.fsum(values) / len(values)
        if scale_of(name).better != "less":
            found[f"{name}_hmean"] = len(values) / math.fsum(1 / (value + 1) for value in values) - 1
            found[f"{name}_p5"] = percentile(values, 5)
            found[f"{name}_worst"] = min(values)
        else:
            found[f"{name}_p95"] = percentile(values, 95)
            found[f"{name}_worst"] = max(values)
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile, with straight lines between the values (numpy's way too).

    >>> percentile([1.0, 2.0, 3.0], 25)
    1.5
    """
    ordered = sorted(values)
    at = (len(ordered) - 1) * share / 100
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])
