"""The transport: tempo map, metre, start and stop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor, inf

from instrument.errors import HocketError
from instrument.music.timebase import TICKS_PER_BEAT, Metre, MetreMap, TempoMap, check_tempo

KEPT = 256  # changes of tempo that the map of a transport keeps
METRES = ("4/4", "3/4", "2/4", "5/4", "6/8", "12/8")


def metre_map(metre: str) -> MetreMap:
    """Bars of one time signature ("6/8") from tick 0. HocketError if it is not in METRES."""
    if metre not in METRES:
        raise HocketError(f"metre {metre!r} is not known: choose one of {', '.join(METRES)}")
    numerator, denominator = metre.split("/")
    return MetreMap((Metre(0, int(numerator), int(denominator)),))


FOUR_FOUR = metre_map("4/4")


@dataclass(frozen=True, slots=True)
class Transport:
    """An immutable value that its one writer replaces, so that any thread may read it without a lock.

    bpm: beats a minute where the music is now or will start; tempo: ticks to nanoseconds
    (`perf_counter_ns`, as heard), None while stopped; bars_before: bars of an outside transport before tick 0.
    """

    bpm: float = 120.0
    metres: MetreMap = FOUR_FOUR
    tempo: TempoMap | None = None
    bars_before: int = 0

    @property
    def playing(self) -> bool:
        """Whether the transport runs."""
        return self.tempo is not None

    def started(self, ns: float, tick: int = 0, bars_before: int = 0, counted: int = 0) -> Transport:
        """The transport started so that `tick` is heard at `ns`, or later by the bars that are `counted` first."""
        first = tick - counted * (self.metres.start_of(1) - self.metres.start_of(0))
        return replace(self, tempo=TempoMap.start(self.bpm, first, ns), bars_before=bars_before)

    def resumed(self, ns: float, gap: float) -> Transport:
        """The transport continued after the machine stood still for the `gap` nanoseconds before `ns`."""
        return replace(self, tempo=TempoMap.start(self.bpm, self.position(ns - gap), ns))

    def stopped(self) -> Transport:
        """The transport stopped; the next start begins with tick 0."""
        return replace(self, tempo=None)

    def with_tempo(self, bpm: float, tick: float) -> Transport:
        """Another tempo from `tick` on (while stopped: from the start). HocketError outside 20..400."""
        tempo = self.tempo and self.tempo.changed(tick, bpm).shortened(KEPT)
        return replace(self, bpm=check_tempo(bpm), tempo=tempo)

    def ns(self, tick: float) -> float:
        """When (ns) a tick is heard; infinite while stopped."""
        return self.tempo.ns(tick) if self.tempo else inf

    def with_metres(self, metres: MetreMap) -> Transport:
        """The transport with other metres."""
        return replace(self, metres=metres)

    def position(self, ns: float) -> float:
        """The tick heard at `ns`, with its fraction; 0 while stopped and before the first tick."""
        return max(0.0, self.tempo.tick(ns)) if self.tempo else 0.0

    def bpm_at(self, tick: float) -> float:
        """Tempo at `tick` in beats a minute."""
        return self.tempo.bpm(tick) if self.tempo else self.bpm

    def bar_and_beat(self, tick: float) -> tuple[int, int]:
        """Bar and beat, counted from 1; the beat is the metre's (eighths in 6/8)."""
        place = self.metres.locate(floor(tick))
        beat = TICKS_PER_BEAT * 4 // place.metre.denominator if place.metre else TICKS_PER_BEAT
        return place.bar + 1 + self.bars_before, place.offset // beat + 1

    def shown(self, ns: float) -> tuple[int, int]:
        """Bar and beat heard at `ns`. Bars that are counted before the first one are 0 and -1."""
        first = min(0.0, self.tempo.segments[0][0]) if self.tempo else 0.0
        return self.bar_and_beat(max(first, self.tempo.tick(ns)) if self.tempo else 0.0)


def bar_line(metres: MetreMap, tick: int) -> int:
    """The first bar line at or after `tick`."""
    place = metres.locate(tick)
    return metres.start_of(place.bar + (place.offset > 0))


def changed_metres(metres: MetreMap, metre: str, tick: int) -> MetreMap:
    """Another time signature from the first bar line at or after `tick`."""
    start = bar_line(metres, tick)
    (new,) = metre_map(metre).metres
    kept = [old for old in metres.metres if old.tick < start]
    return MetreMap((*kept, Metre(start, new.numerator, new.denominator)))
