"""The metronome: which clicks are due, and their sound."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import numpy as np

from instrument.engine.performance.performance import Performance
from instrument.engine.performance.transport import FOUR_FOUR
from instrument.engine.voices.gain import Frames, to_gain
from instrument.music.timebase import TICKS_PER_BEAT, MetreMap, TempoMap

HIGH_HZ, LOW_HZ = 1760.0, 1320.0  # of the first beat of a bar, and of the others
LENGTH_S, DECAY_S, ATTACK_S = 0.06, 0.012, 0.0005


class Beat(NamedTuple):
    """An event of the mixer: a click. first: of a bar; db: its level."""

    first: bool
    db: float


class Click:
    """A source of the mixer: the sound of the clicks."""

    def __init__(self, rate: int) -> None:
        times = np.arange(round(LENGTH_S * rate)) / rate
        envelope = np.minimum(times / ATTACK_S, 1.0) * np.exp(-times / DECAY_S)
        self._sounds = {
            first: (envelope * np.sin(2 * np.pi * hz * times)).astype(np.float32)[:, None]
            for first, hz in ((True, HIGH_HZ), (False, LOW_HZ))
        }
        self._left = np.zeros((0, 1), np.float32)

    def strike(self, beat: Beat) -> None:
        """Begin a click with the next frame."""
        self._left = self._sounds[beat.first] * np.float32(to_gain(beat.db))

    def render(self, frames: int) -> Frames:
        """As `Source.render`."""
        out = np.zeros((frames, 2), np.float32)
        now, self._left = self._left[:frames], self._left[frames:]
        out[: len(now)] += now
        return out


class Metronome:
    """The clicks that are due: on the beats before tick 0, which count in, and on all others where it is on."""

    def __init__(self) -> None:
        self._on = False
        self._db = 0.0
        self._metres: MetreMap = FOUR_FOUR
        self._next = 0  # the next beat

    def arrange(self, performance: Performance) -> None:
        """Take the settings and the bars of a performance."""
        self._on, self._db = bool(performance.setting("metronome")), float(performance.setting("click_level"))
        self._metres = performance.metres

    def begin(self, tempo: TempoMap) -> None:
        """The transport starts where the map begins."""
        first = ceil(tempo.segments[0][0])
        self._next = first + -self._metres.locate(first).offset % self._beat(first)

    def take(self, until: float) -> list[tuple[int, Beat]]:
        """(tick, click) of all that are due before the tick `until`, in order."""
        taken = []
        while self._next < until:
            if self._on or self._next < 0:
                taken.append((self._next, Beat(self._metres.locate(self._next).offset == 0, self._db)))
            self._next += self._beat(self._next)
        return taken

    def _beat(self, tick: int) -> int:
        """The length of a beat: an eighth in 6/8."""
        metre = self._metres.locate(tick).metre
        return TICKS_PER_BEAT * 4 // metre.denominator if metre else TICKS_PER_BEAT
