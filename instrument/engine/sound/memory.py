"""The last five minutes of the output, always kept, from which a clip can be cut."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from instrument.engine.sound.mixer import SHORT_BLOCK
from instrument.engine.voices.gain import Frames

SECONDS = 300
_FULL = 32767


class SoundMemory:
    """A ring of blocks with the time at which each is heard. 16 bits a sample, so that it takes some 60 MB.

    One thread adds, others may cut. A cut that reaches back to the oldest blocks may find them replaced.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._blocks = SECONDS * rate // SHORT_BLOCK
        self._sound = np.zeros((self._blocks * SHORT_BLOCK, 2), np.int16)
        self._heard = np.zeros(self._blocks)  # when (ns) each block is heard
        self._count = 0  # blocks ever added
        self._scratch = np.zeros((SHORT_BLOCK, 2), np.float32)

    def add(self, frames: Frames, heard_ns: float) -> None:
        """Add frames (n, 2), a multiple of `SHORT_BLOCK`, and when the first is heard."""
        for start in range(0, len(frames), SHORT_BLOCK):
            self._add(frames[start : start + SHORT_BLOCK], heard_ns + start * 1e9 / self.rate)

    def _add(self, block: Frames, heard_ns: float) -> None:
        at = self._count % self._blocks
        np.multiply(block, _FULL, out=self._scratch)
        np.clip(self._scratch, -_FULL, _FULL, out=self._scratch)
        self._sound[at * SHORT_BLOCK : (at + 1) * SHORT_BLOCK] = self._scratch
        self._heard[at] = heard_ns
        self._count += 1

    def cut(self, start_ns: float, end_ns: float) -> NDArray[np.float32]:
        """The frames (n, 2) that are heard from `start_ns` until `end_ns`; silence where there is no sound any more."""
        count = self._count
        kept = np.arange(max(0, count - self._blocks), count)
        frames = np.zeros((max(0, round((end_ns - start_ns) / 1e9 * self.rate)), 2), np.float32)
        if not len(kept) or not len(frames):
            return frames
        heard = self._heard[kept % self._blocks]
        first = round(self._frame(start_ns, kept, heard))
        there = np.arange(max(first, int(kept[0]) * SHORT_BLOCK), min(first + len(frames), count * SHORT_BLOCK))
        frames[there - first] = self._sound[there % len(self._sound)] / np.float32(_FULL)
        return frames

    def _frame(self, ns: float, kept: NDArray[np.int64], heard: NDArray[np.float64]) -> float:
        """The frame, counted from the first ever added, that is heard at `ns`."""
        i = int(np.clip(np.searchsorted(heard, ns) - 1, 0, len(kept) - 1))
        return float(kept[i] * SHORT_BLOCK + (ns - heard[i]) * self.rate / 1e9)
