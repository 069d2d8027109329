"""A look-ahead limiter for stereo sound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from instrument.engine.voices.gain import Frames


class Limiter:
    """Keeps stereo sound at or below a ceiling. Sound that stays below it passes bit for bit.

    A look-ahead limiter with its gain in decibels (for the terms see Giannoulis, Massberg and Reiss 2012, "Digital
    Dynamic Range Compressor Design"). The output is `lookahead` frames later than the input. The gain that each frame
    needs is held for the look-ahead (moving minimum), released at a constant rate, and smoothed by a moving average as
    long as the look-ahead. The average of gains that are each low enough is low enough, so the ceiling holds exactly.
    The gain does not depend on how the sound is cut into blocks.

    lookahead: frames; reduction_db: the largest gain reduction in the last block, in decibels, at most 0.
    """

    def __init__(self, rate: int, ceiling_db: float = -0.3, release_db: float = 40.0) -> None:
        """rate: frames a second; ceiling_db: dBFS; release_db: decibels a second."""
        self.lookahead = rate // 750  # frames, 1.3 ms
        self.reduction_db = 0.0
        self._ceiling = 10 ** (ceiling_db / 20) * (1 - 1e-6)  # float32 rounds up
        self._release = release_db / rate
        self._sound = np.zeros((self.lookahead, 2), np.float32)
        self._needed = np.zeros(self.lookahead)  # decibels, at most 0, of the last frames that came in
        self._held = np.zeros(self.lookahead)
        self._last = 0.0

    def process(self, sound: Frames) -> Frames:
        """Take the next frames (n, 2); returns as many, `lookahead` frames older, at or below the ceiling."""
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
        # Held: the minimum of the last `span` needed gains, as a peak leaves the look-ahead only then.
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
    """The minimum of every `span` neighbours (n,) -> (n - span + 1,), by doubling widths 1, 2, 4, ..."""
    width = 1
    while 2 * width <= span:
        values, width = np.minimum(values[:-width], values[width:]), 2 * width
    rest = span - width
    return values if rest == 0 else np.minimum(values[:-rest], values[rest:])
