"""Gains that move without a sound of their own: ramps in samples, and a look-ahead limiter."""

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
    """A gain that moves to a new value over a number of frames, gently at both ends."""

    def __init__(self, value: float = 1.0) -> None:
        self.value = value
        self._from = self._target = value
        self._frames = self._done = 0

    def move(self, target: float, frames: int) -> None:
        """Begin to move, over at least one frame; a movement under way is taken up where it is."""
        self._from, self._target = self.value, target
        self._frames, self._done = max(1, frames), 0

    @property
    def moving(self) -> bool:
        """True until the target is reached."""
        return self._done < self._frames

    def take(self, frames: int) -> float | NDArray[np.float64]:
        """The gain of the next `frames` frames: a number where it does not move, else an array (frames, 1)."""
        if not self.moving:
            return self.value
        done = np.minimum(self._done + np.arange(1, frames + 1), self._frames) / self._frames
        gains = self._from + (self._target - self._from) * done**2 * (3 - 2 * done)
        self._done += frames
        self.value = float(gains[-1]) if self.moving else self._target
        return gains[:, None]


class Limiter:
    """Keeps stereo sound at or under a ceiling, whatever comes in; under it, sound passes bit for bit.

    It looks `lookahead` frames ahead, so its output is that much later than its input. The gain it needs is
    known that early; it is held, let go at a constant rate in decibels, and smoothed by a moving average as
    long as the look-ahead. An average of gains that each are low enough is low enough, so the ceiling holds
    exactly. The gain does not depend on how the sound is cut into blocks.
    """

    def __init__(self, rate: int, ceiling_db: float = -0.3, release_db: float = 40.0) -> None:
        self.lookahead = rate // 750  # frames, 1.3 ms
        self.reduction_db = 0.0  # the most it took away in the last block
        self._ceiling = 10 ** (ceiling_db / 20) * (1 - 1e-6)  # float32 rounds up
        self._release = release_db / rate
        self._sound = np.zeros((self.lookahead, 2), np.float32)
        self._needed = np.zeros(self.lookahead)  # decibels, at most 0, of the last frames that came in
        self._held = np.zeros(self.lookahead)
        self._last = 0.0

    def process(self, sound: Frames) -> Frames:
        """The next frames (n, 2) in; as many, `lookahead` older, out."""
        count, span = len(sound), self.lookahead + 1
        peaks = np.abs(sound).max(axis=1)
        sound = np.concatenate((self._sound, sound))
        out, self._sound = sound[:count], sound[count:]
        if self._quiet and peaks.max(initial=0.0) <= self._ceiling:
            self.reduction_db = 0.0
            return out

        over = np.maximum(peaks.astype(np.float64) / self._ceiling, 1.0)
        needed = np.concatenate((self._needed, -20 * np.log10(over)))
        self._needed = needed[count:]
        # Held: the least of the last `span` needs, so that what is needed lasts until it is heard.
        lowest = _moving_least(needed, span)
        # Released: gain[n] = min(lowest[n], gain[n - 1] + release), in closed form.
        rise = self._release * np.arange(1, count + 1)
        released = np.minimum(np.minimum.accumulate(np.append(self._last, lowest - rise))[1:] + rise, 0.0)
        self._last = float(released[-1])
        held = np.concatenate((self._held, released))
        self._held = held[count:]
        sums = np.concatenate(([0.0], np.cumsum(held)))
        smooth = (sums[span:] - sums[:-span]) / span
        self.reduction_db = float(smooth.min())
        limited: Frames = (out * (10 ** (smooth / 20))[:, None]).astype(np.float32)
        return limited

    @property
    def _quiet(self) -> bool:
        return self._last == 0.0 and not self._needed.any() and not self._held.any()


def _moving_least(values: NDArray[np.float64], span: int) -> NDArray[np.float64]:
    """The least of every `span` neighbours, found from the least of 2, 4, 8, ... of them."""
    width = 1
    while 2 * width <= span:
        values, width = np.minimum(values[:-width], values[width:]), 2 * width
    rest = span - width
    return values if rest == 0 else np.minimum(values[:-rest], values[rest:])
