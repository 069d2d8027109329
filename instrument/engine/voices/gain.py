"""Levels in decibels, and gains that change smoothly over some frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.float32]
SILENCE_DB = -120.0


def to_gain(db: float) -> float:
    """Amplitude of a level in decibels; at or below `SILENCE_DB` it is 0."""
    return 0.0 if db <= SILENCE_DB else float(10 ** (db / 20))


def to_db(gain: float) -> float:
    """Level in decibels of an amplitude, at least `SILENCE_DB`."""
    return float(max(SILENCE_DB, 20 * np.log10(max(gain, 1e-9))))


class Ramp:
    """A gain that moves to a new value over a number of frames along a cubic (smoothstep) curve."""

    def __init__(self, value: float = 1.0) -> None:
        self.value = value
        self._from = self._target = value
        self._frames = self._done = 0

    def move(self, target: float, frames: int) -> None:
        """Begin to move to `target`, over at least one frame. It starts at the present gain."""
        self._from, self._target = self.value, target
        self._frames, self._done = max(1, frames), 0

    @property
    def target(self) -> float:
        """The gain that it moves to, or has."""
        return self._target

    @property
    def moving(self) -> bool:
        """True until the target is reached."""
        return self._done < self._frames

    def take(self, frames: int) -> float | NDArray[np.float64]:
        """The gain of the next frames: a number while it does not move, else an array (frames, 1)."""
        if not self.moving:
            return self.value
        done = np.minimum(self._done + np.arange(1, frames + 1), self._frames) / self._frames
        gains = self._from + (self._target - self._from) * done**2 * (3 - 2 * done)
        self._done += frames
        self.value = float(gains[-1]) if self.moving else self._target
        return gains[:, None]
