"""The tempo from taps."""

from __future__ import annotations

from collections import deque

TAPS = 6  # the most taps that count
GAP_NS = 2_000_000_000  # a longer pause starts again
NS_PER_MINUTE = 60_000_000_000


class Tapper:
    """Tempo from taps: the mean of the last intervals."""

    def __init__(self) -> None:
        self._taps: deque[int] = deque(maxlen=TAPS)

    def tap(self, ns: int) -> float | None:
        """Add a tap at the time `ns`. Returns beats a minute, None at the first tap."""
        if self._taps and not 0 < ns - self._taps[-1] <= GAP_NS:
            self._taps.clear()
        self._taps.append(ns)
        if len(self._taps) < 2:
            return None
        return NS_PER_MINUTE * (len(self._taps) - 1) / (ns - self._taps[0])
