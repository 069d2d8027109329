"""Musical time: ticks, bars, and the one map from ticks to nanoseconds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from instrument.errors import HocketError

TICKS_PER_BEAT = 24
MICRO_STEPS = 8  # eighths of a tick: 192 steps a beat, 2.6 ms at 120 beats a minute
TEMPO_RANGE = (20.0, 400.0)
NS_PER_MINUTE = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Metre:
    """A time signature from `tick` on."""

    tick: int
    numerator: int
    denominator: int

    @property
    def bar_ticks(self) -> int:
        """Length of a bar in ticks."""
        return max(1, self.numerator * TICKS_PER_BEAT * 4 // self.denominator)


@dataclass(frozen=True, slots=True)
class BarPosition:
    """Where a tick falls: bar counted from 0, offset in ticks within it, and its metre (None: unmetered)."""

    bar: int
    offset: int
    metre: Metre | None


class MetreMap:
    """Bars from a sequence of metre changes. Without any, the music is unmetered and `bar` counts
    spans of 96 ticks, so that there is still a place to refer to."""

    def __init__(self, metres: Sequence[Metre] = ()) -> None:
        self.metres = tuple(sorted(metres, key=lambda m: m.tick))
        self._starts = [m.tick for m in self.metres]
        self._bars: list[int] = []
        bars = 0
        for i, metre in enumerate(self.metres):
            self._bars.append(bars)
            if i + 1 < len(self.metres):
                span = self.metres[i + 1].tick - metre.tick
                bars += -(-span // metre.bar_ticks)  # a cut-off bar still counts as one

    def locate(self, tick: int) -> BarPosition:
        """The bar position of `tick`; ticks before the first metre count back from it."""
        if not self.metres:
            bar, offset = divmod(tick, 4 * TICKS_PER_BEAT)
            return BarPosition(bar, offset, None)
        i = max(0, bisect_right(self._starts, tick) - 1)
        bar, offset = divmod(tick - self._starts[i], self.metres[i].bar_ticks)
        return BarPosition(self._bars[i] + bar, offset, self.metres[i])

    def start_of(self, bar: int) -> int:
        """The tick at which `bar` starts."""
        if not self.metres:
            return bar * 4 * TICKS_PER_BEAT
        i = max(0, bisect_right(self._bars, bar) - 1)
        return self._starts[i] + (bar - self._bars[i]) * self.metres[i].bar_ticks


def check_tempo(bpm: float) -> float:
    """Return `bpm`, or raise HocketError when it is outside 20..400 beats a minute."""
    low, high = TEMPO_RANGE
    if not low <= bpm <= high:  # also refuses nan
        raise HocketError(f"tempo {bpm:g} is not possible: give {low:g} to {high:g} beats a minute")
    return float(bpm)


@dataclass(frozen=True, slots=True)
class TempoMap:
    """An immutable, piecewise linear map between ticks and nanoseconds (`perf_counter_ns`).

    segments: (tick, ns, ns a tick), ascending in both; the first also serves what lies before it.
    """

    segments: tuple[tuple[float, float, float], ...]

    @classmethod
    def start(cls, bpm: float, tick: float = 0, ns: float = 0) -> TempoMap:
        """A map of one tempo in which `tick` is at `ns`."""
        return cls(((float(tick), float(ns), ns_per_tick(bpm)),))

    def changed(self, tick: float, bpm: float) -> TempoMap:
        """The map with a new tempo from `tick` on; later segments are replaced."""
        kept = tuple(s for s in self.segments if s[0] < tick)
        return TempoMap((*kept, (float(tick), self.ns(tick), ns_per_tick(bpm))))

    def shortened(self, most: int) -> TempoMap:
        """The map with the first segment and the last `most` ones. What lies between is forgotten."""
        return self if len(self.segments) <= 2 * most else TempoMap((self.segments[0], *self.segments[-most:]))

    def ns(self, tick: float) -> float:
        """When `tick` falls, in nanoseconds."""
        start, ns, rate = self._segment(tick, 0)
        return ns + (tick - start) * rate

    def tick(self, ns: float) -> float:
        """Which tick, with its fraction, falls at `ns`."""
        start, start_ns, rate = self._segment(ns, 1)
        return start + (ns - start_ns) / rate

    def bpm(self, tick: float) -> float:
        """Tempo at `tick`, in beats a minute."""
        return NS_PER_MINUTE / (self._segment(tick, 0)[2] * TICKS_PER_BEAT)

    def _segment(self, value: float, axis: int) -> tuple[float, float, float]:
        if len(self.segments) == 1:
            return self.segments[0]
        return self.segments[max(0, bisect_right(self.segments, value, key=lambda s: s[axis]) - 1)]


def ns_per_tick(bpm: float) -> float:
    """Nanoseconds a tick lasts at `bpm`."""
    return NS_PER_MINUTE / (check_tempo(bpm) * TICKS_PER_BEAT)
