"""Error correction of the digital watermark: a polar code of 4,096 bits with list decoding.

Why not Reed–Solomon: it takes bits that were already decided and corrects about 2 % of them. This code
uses how certain each bit is, and still decodes when a third of them are wrong. On the same clips that was
worth 5 to 6 dB, or half the amplitude (64 letters, Reed–Solomon of 792 bits).

The construction is the polarisation weight of 5G (He et al. 2017). The decoder is successive cancellation
with a list (Tal and Vardy 2015) in its LLR form (Balatsoukas-Stimming et al. 2015), with exact shortcuts
for frozen and repeated subtrees (Hashemi et al. 2016).
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
import numpy.typing as npt

LENGTH: Final = 4096
PATHS: Final = 16

Bits = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float32]


@functools.cache
def _reliable(count: int) -> npt.NDArray[np.intp]:
    """Return the `count` positions that polarise best, in ascending order."""
    places = np.arange(LENGTH)
    depth = LENGTH.bit_length() - 1
    weights = sum((places >> bit & 1) * 2 ** (bit / 4) for bit in range(depth))
    return np.sort(np.argsort(weights, kind="stable")[LENGTH - count :])


def encode(bits: list[int]) -> Bits:
    """Return the code word of up to 4,096 bits: int8, 4,096 zeros and ones."""
    word = np.zeros(LENGTH, np.int8)
    word[_reliable(len(bits))] = bits
    return _transform(word)


def _transform(words: Bits) -> Bits:
    """Multiply by the polar matrix along the last axis; it is its own inverse."""
    words = words.copy()
    step = 1
    while step < LENGTH:
        pairs = words.reshape(*words.shape[:-1], -1, 2, step)
        pairs[..., 0, :] ^= pairs[..., 1, :]
        step *= 2
    return words


def decode(evidence: Floats, count: int) -> list[tuple[list[int], Bits]]:
    """Return the most likely inputs, best first: up to 16 pairs of `count` bits and code word.

    `evidence` holds one number per code bit: its sign means zero (+) or one (-), its size the certainty, on
    any scale. Costs 50 to 300 ms.
    """
    tree = _Tree(count)
    words, _ = tree.walk(evidence[None, :].astype(np.float32), 0)
    words = words[np.argsort(tree.costs, kind="stable")]
    sent = _transform(words)[:, _reliable(count)]
    return [(bits.tolist(), word) for bits, word in zip(sent, words, strict=True)]


class _Tree:
    """One decoding: the costs of the live paths; each array has one row per path."""

    def __init__(self, count: int) -> None:
        self.costs = np.zeros(1, np.float64)
        carries = np.zeros(LENGTH, np.intp)
        carries[_reliable(count)] = 1
        self._carried = np.concatenate(([0], np.cumsum(carries)))  # bits carried before each position

    def walk(self, llr: Floats, first: int) -> tuple[Bits, npt.NDArray[np.intp]]:
        """Decide the subtree that begins at `first`: return its code bits, and the parent row of each path."""
        size = llr.shape[1]
        carried = self._carried[first + size] - self._carried[first]
        if carried == 0:  # all frozen: nothing to decide
            self.costs = self.costs + np.maximum(-llr, 0).sum(1)
            return np.zeros(llr.shape, np.int8), np.arange(len(llr))
        if carried == 1 and self._carried[first + size - 1] == self._carried[first]:
            return self._repeated(llr)
        upper, lower = llr[:, : size // 2], llr[:, size // 2 :]
        weakest = np.minimum(np.abs(upper), np.abs(lower))
        left, grew = self.walk(np.copysign(weakest, upper * lower), first)
        upper, lower = upper[grew], lower[grew]
        right, grew_again = self.walk(np.where(left, lower - upper, lower + upper), first + size // 2)
        left = left[grew_again]
        return np.concatenate((left ^ right, right), axis=1), grew[grew_again]

    def _repeated(self, llr: Floats) -> tuple[Bits, npt.NDArray[np.intp]]:
        """Decide the one bit that all code bits here repeat: each path forks, and the best paths stay."""
        paths = len(llr)
        costs = np.concatenate((self.costs + np.maximum(-llr, 0).sum(1), self.costs + np.maximum(llr, 0).sum(1)))
        best = np.argsort(costs, kind="stable")[:PATHS]
        self.costs = costs[best]
        bits = (best >= paths).astype(np.int8)
        return np.repeat(bits[:, None], llr.shape[1], axis=1), best % paths
