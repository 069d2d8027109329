"""Where a strip of the mixer stands between left and right, and how wide it is."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from instrument.engine.voices.base import FADE_S
from instrument.engine.voices.gain import Frames, Ramp

# Early reflections of a small room, in milliseconds. Half of them are turned over, so that bass stays in the middle.
REFLECTIONS = (1.3, -3.1, 5.9, -8.7, 11.3, -15.1, 18.7, -22.9)


class Place(NamedTuple):
    """pan: -1 left .. 1 right; width: 0 as it comes .. 1, as much at the sides as in the middle."""

    pan: float = 0.0
    width: float = 0.0


MIDDLE = Place()


class Placing:
    """Places stereo sound by constant power, and widens it by reflections that are added on the left and taken away on
    the right: left and right together are what they were (Lauridsen's stereo)."""

    def __init__(self, rate: int, place: Place = MIDDLE) -> None:
        delays = [round(abs(ms) * rate / 1000) for ms in REFLECTIONS]
        gains = [math.copysign(len(delays) ** -0.5, ms) for ms in REFLECTIONS]
        self._taps = list(zip(delays, gains, strict=True))
        self._rate = rate
        self._past: NDArray[np.float32] = np.zeros(max(delays), np.float32)
        self._ramps = tuple(Ramp(value) for value in _gains(place))

    def move(self, place: Place) -> None:
        """Move to another place within `FADE_S`."""
        for ramp, value in zip(self._ramps, _gains(place), strict=True):
            if value != ramp.target:
                ramp.move(value, round(FADE_S * self._rate))

    def clear(self) -> None:
        """Forget the reflections to come."""
        self._past[:] = 0

    def process(self, sound: Frames) -> Frames:
        """The next frames (n, 2), placed. In the middle and without width they are as they came."""
        frames, longest = len(sound), len(self._past)
        middle = (sound[:, 0] + sound[:, 1]) / 2
        heard: NDArray[np.float32] = np.concatenate((self._past, middle)).astype(np.float32, copy=False)
        self._past = heard[frames:]
        left, right, width = (ramp.take(frames) for ramp in self._ramps)
        if not isinstance(width, float) or width:
            sides = np.zeros((frames, 1), np.float32)
            for delay, gain in self._taps:
                sides[:, 0] += gain * heard[longest - delay : longest - delay + frames]
            sound = sound + (sides * width * (1, -1)).astype(np.float32)
        if isinstance(left, float) and left == right:  # both 1
            return sound
        placed: Frames = (sound * np.hstack((left, right))).astype(np.float32)
        return placed


def _gains(place: Place) -> tuple[float, float, float]:
    """The gains of left, right (1 in the middle) and of the reflections."""
    if not place.pan:
        return 1.0, 1.0, float(place.width)
    angle = (place.pan + 1) * np.pi / 4
    return float(np.sqrt(2) * np.cos(angle)), float(np.sqrt(2) * np.sin(angle)), float(place.width)
