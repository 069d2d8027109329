"""The longest progression that a plan has in common with a training piece.

A progression is a sequence of chords relative to the tonic, without immediate repeats. Many pieces repeat the same few
chords, so held-out pieces also have long common progressions. The figures of a model are compared with theirs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FACTOR = np.uint64(0x9E3779B97F4A7C15)


def changes_of(chords: Sequence[int]) -> NDArray[np.int64]:
    """The chords of slots without immediate repeats."""
    found = np.asarray(chords, np.int64)
    return found[np.flatnonzero(np.diff(found, prepend=-1))]


class Progressions:
    """An index of all progressions of some pieces."""

    def __init__(self, pieces: Sequence[Sequence[int]]) -> None:
        """pieces: chords of their slots."""
        self._pieces = [changes_of(chords) for chords in pieces]
        self._known: dict[int, NDArray[np.uint64]] = {}

    def longest_common(self, chords: Sequence[int]) -> int:
        """The length in chords of the longest progression in common with one of the indexed pieces."""
        changes = changes_of(chords)
        low, high = 0, len(changes)
        while low < high:  # a common progression contains common ones of every shorter length
            middle = (low + high + 1) // 2
            if np.isin(_hashes(changes, middle), self._of(middle)).any():
                low = middle
            else:
                high = middle - 1
        return low

    def _of(self, length: int) -> NDArray[np.uint64]:
        if length not in self._known:
            self._known[length] = np.unique(np.concatenate([_hashes(piece, length) for piece in self._pieces]))
        return self._known[length]


def _hashes(changes: NDArray[np.int64], length: int) -> NDArray[np.uint64]:
    """A hash of each run of `length` chords, modulo 2^64. Different runs rarely collide, about once in 2^50."""
    if len(changes) < length:
        return np.zeros(0, np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(_scattered(changes), length)
    powers = np.full(length, FACTOR, np.uint64)
    return (windows * np.multiply.accumulate(powers)).sum(-1, dtype=np.uint64)


def _scattered(changes: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Each chord as a number that looks random (the finaliser of splitmix64)."""
    found = (changes.astype(np.uint64) + np.uint64(1)) * FACTOR
    found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return found ^ (found >> np.uint64(31))
