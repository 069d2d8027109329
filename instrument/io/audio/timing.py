"""When a frame is heard: a regression line through the times that the device publishes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

_WINDOW = 1024  # pairs of the regression: 5 s at 256 frames
_RECENT = 16  # pairs that must agree before the line starts again
_JUMP_NS = 1_000_000  # a greater step of the device's time is not jitter
_SETTLE_NS = 1_000_000_000  # over a shorter time the nominal rate is more exact than a regressed one
_RATE_TOLERANCE = 0.005


class FrameClock:
    """Frames to nanoseconds by regression of (frame, ns) pairs.

    A callback can be late but never early, so the line follows the earlier half of the pairs. A lasting step
    (the driver left out a period) starts the line again.
    """

    def __init__(self, rate: int) -> None:
        """rate: nominal frames a second."""
        self._nominal = 1e9 / rate
        self._pairs = np.zeros((0, 2), np.int64)
        self._line = (0, 0, self._nominal)  # frame, its ns, ns a frame

    def ns(self, frame: int) -> int:
        """When `frame` is or will be heard."""
        start, ns, slope = self._line
        return ns + round((frame - start) * slope)

    def add(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Take further pairs, in order, and fit the line again."""
        known, new = len(self._pairs), np.array([*pairs], np.int64).reshape(-1, 2)
        self._pairs = np.concatenate([self._pairs, new])[-_WINDOW:]
        if not len(self._pairs):
            return
        if known >= _RECENT:
            recent = self._pairs[-_RECENT:]
            off = [ns - self.ns(frame) for frame, ns in recent.tolist()]
            if min(off) > _JUMP_NS or max(off) < -_JUMP_NS:
                self._pairs = recent
        start, origin = self._pairs[-1].tolist()
        frames, ns = (self._pairs - self._pairs[-1]).astype(np.float64).T
        settled = ns[-1] - ns[0] > _SETTLE_NS
        slope, offset, kept = self._nominal, 0.0, np.ones(len(ns), bool)
        for _ in range(3):
            x, y = frames[kept], ns[kept]
            if settled:
                away = x - x.mean()
                ratio = float(away @ y / (away @ away)) / self._nominal
                slope = self._nominal * min(max(ratio, 1 - _RATE_TOLERANCE), 1 + _RATE_TOLERANCE)
            offset = float(np.mean(y - x * slope))
            late = ns - frames * slope - offset
            kept = late <= np.median(late)
        self._line = (start, origin + round(offset), slope)
