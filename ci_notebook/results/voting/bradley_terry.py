"""The model of Bradley and Terry: one strength per item, from pairwise comparisons.

Numbers in, numbers out. The probability that i is preferred to j is s_i / (s_i + s_j); a tie counts half for
either. The fit uses Hunter's MM algorithm (Annals of Statistics 32, 2004), which never lowers the likelihood.
With `prior`, every item also has so many ties with an imaginary item of average strength, so that an item that
never lost has a finite strength.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

_STEPS: Final = 2000
_CLOSE: Final = 1e-7  # in log strength


def strengths(wins: Floats, *, prior: float = 0.0) -> Floats:
    """Return the log strengths, with mean 0, from `wins[..., i, j]`: how often i was preferred to j.

    Leading axes are independent fits. Without a prior every group of items must have points and lost against
    another group; otherwise there is no finite answer, and the iteration stops after a fixed number of steps.

    >>> strengths(np.array([[0.0, 3.0], [1.0, 0.0]])).round(3).tolist()
    [0.549, -0.549]
    """
    meetings = wins + np.swapaxes(wins, -1, -2)
    points = wins.sum(axis=-1) + prior / 2
    current = np.ones(wins.shape[:-1])
    for _ in range(_STEPS):
        both = meetings / (current[..., :, None] + current[..., None, :])
        updated = points / (both.sum(axis=-1) + prior / (current + 1))
        updated = np.maximum(updated, 1e-300)
        if not prior:
            updated = updated / np.exp(np.log(updated).mean(axis=-1, keepdims=True))
        has_converged = np.abs(np.log(updated) - np.log(current)).max() < _CLOSE
        current = updated
        if has_converged:
            break
    logs = np.log(current)
    centred: Floats = logs - logs.mean(axis=-1, keepdims=True)
    return centred


def chosen(logs: Floats) -> Floats:
    """Return the mean probability of each item to be preferred to the others, from log strengths."""
    gaps = logs[..., :, None] - logs[..., None, :]
    likely = 1 / (1 + np.exp(-gaps))
    count = logs.shape[-1]
    shares: Floats = (likely.sum(axis=-1) - 0.5) / (count - 1)
    return shares


def groups(wins: Floats) -> list[list[int]]:
    """Return the groups of items that were compared with each other, directly or through others.

    >>> groups(np.array([[0, 1, 0], [0, 0, 0], [0, 0, 0]]))
    [[0, 1], [2]]
    """
    meetings = (wins + wins.T) > 0
    unvisited, components = set(range(len(wins))), []
    while unvisited:
        queue, group = [min(unvisited)], set[int]()
        while queue:
            one = queue.pop()
            if one not in group:
                group.add(one)
                queue += [int(other) for other in np.flatnonzero(meetings[one]) if int(other) not in group]
        unvisited -= group
        components.append(sorted(group))
    return components


def wilson(hits: int, count: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval for a share of `count` independent answers.

    >>> tuple(round(end, 3) for end in wilson(8, 10))
    (0.49, 0.943)
    """
    from scipy.stats import binomtest  # lazy: a slow import that only a ranking needs

    interval = binomtest(hits, count).proportion_ci(confidence_level=level, method="wilson")
    return float(interval.low), float(interval.high)
