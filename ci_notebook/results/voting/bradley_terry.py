"""Bradley and Terry's model: one strength a thing, from comparisons of two at a time.

The rule of this file: numbers in, numbers out, numpy alone. The chance that i is preferred to j is
s_i / (s_i + s_j); a tie counts half for either. Fitted by Hunter's MM steps (Annals of Statistics 32,
2004), which always go uphill. With `prior`, everything has also met an imaginary thing of middling
strength and tied with it so many times: what was never beaten then has a strength that is finite.
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

    Leading axes are fits of their own. Without a prior every group of things must have lost to
    another and beaten it, or there is no finite answer (and the steps end where they are).

    >>> strengths(np.array([[0.0, 3.0], [1.0, 0.0]])).round(3).tolist()
    [0.549, -0.549]
    """
    met = wins + np.swapaxes(wins, -1, -2)
    won = wins.sum(axis=-1) + prior / 2
    made = np.ones(wins.shape[:-1])
    for _ in range(_STEPS):
        both = met / (made[..., :, None] + made[..., None, :])
        after = won / (both.sum(axis=-1) + prior / (made + 1))
        after = np.maximum(after, 1e-300)
        if not prior:
            after = after / np.exp(np.log(after).mean(axis=-1, keepdims=True))
        done = np.abs(np.log(after) - np.log(made)).max() < _CLOSE
        made = after
        if done:
            break
    logs = np.log(made)
    centred: Floats = logs - logs.mean(axis=-1, keepdims=True)
    return centred


def chosen(logs: Floats) -> Floats:
    """Return how likely each is preferred to the others, as a mean over them, from log strengths."""
    apart = logs[..., :, None] - logs[..., None, :]
    likely = 1 / (1 + np.exp(-apart))
    count = logs.shape[-1]
    shares: Floats = (likely.sum(axis=-1) - 0.5) / (count - 1)
    return shares


def groups(wins: Floats) -> list[list[int]]:
    """Return the groups of things that were compared among each other, directly or by way of others.

    >>> groups(np.array([[0, 1, 0], [0, 0, 0], [0, 0, 0]]))
    [[0, 1], [2]]
    """
    met = (wins + wins.T) > 0
    left, found = set(range(len(wins))), []
    while left:
        todo, group = [min(left)], set[int]()
        while todo:
            one = todo.pop()
            if one not in group:
                group.add(one)
                todo += [int(other) for other in np.flatnonzero(met[one]) if int(other) not in group]
        left -= group
        found.append(sorted(group))
    return found


def wilson(hits: int, count: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval for a share of `count` independent answers.

    >>> tuple(round(end, 3) for end in wilson(8, 10))
    (0.49, 0.943)
    """
    from scipy.stats import binomtest  # lazy: a second of imports that only a ranking needs

    interval = binomtest(hits, count).proportion_ci(confidence_level=level, method="wilson")
    return float(interval.low), float(interval.high)
