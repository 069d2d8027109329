"""A look-ahead limiter for stereo sound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from instrument.engine.voices.gain import Frames


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
