"""How long the progressions are that a plan has in common with a training piece.

A progression is the sequence of chords without repeats in a row, relative to the tonic. Held-out pieces have long ones
too, as many pieces go round the same few chords; so they stand beside what a model writes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FACTOR = np.uint64(0x9E3779B97F4A7C15)


def changes_of(chords: Sequence[int]) -> NDArray[np.int64]:
    """The chords of slots without repeats in a row."""
    found = np.asarray(chords, np.int64)
    return found[np.flatnonzero(np.diff(found, prepend=-1))]


class Progressions:
    """All progressions of some pieces, to look others up in."""

    def __init__(self, pieces: Sequence[Sequence[int]]) -> None:
        """pieces: chords of their slots."""
        self._pieces = [changes_of(chords) for chords in pieces]
        self._known: dict[int, NDArray[np.uint64]] = {}

    def longest_common(self, chords: Sequence[int]) -> int:
        """Chords of the longest progression of a piece that is in one of these, too."""
        changes = changes_of(chords)
        low, high = 0, len(changes)
        while low < high:  # what has a common progression of some length has one of each shorter length
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
    """A hash of each run of `length` chords, multiplied modulo 2^64: two unlike ones are alike once in 2^50 or so."""
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
