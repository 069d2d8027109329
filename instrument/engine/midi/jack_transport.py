"""Following JACK's transport."""

from __future__ import annotations

from instrument.io.midi.transport import TEMPO, position_of, tempo_of
from instrument.music.timebase import NS_PER_MINUTE, TEMPO_RANGE, TICKS_PER_BEAT, ns_per_tick

JUMP = 2.0  # ticks: a position that is further from the expected one is a jump
MEASURED_NS = 200_000_000  # over which the tempo is measured
UNTRUE = 0.01  # how far the tempo that is told may be from the one that is measured
SILENT_NS = 2_000_000_000  # after so long without a position the server is gone


class TransportFollower:
    """What JACK's transport says. The interface is that of `ClockFollower`.

    The tempo is the one that is told, if the position moves by it: Ardour 7 tells the first of its session always.
    bpm: the tempo that holds where no timebase master gives one (timed is False).
    """

    def __init__(self) -> None:
        self.running = False
        self.timed = False
        self.bpm = 120.0
        self._told = 0.0  # beats a minute
        self._ns, self._tick = -SILENT_NS, 0.0
        self._since = (0, 0.0)  # ns and tick from which the tempo is measured

    @property
    def period(self) -> float:
        """ns a tick."""
        return ns_per_tick(self.bpm)

    def feed(self, ns: int, message: bytes) -> str:
        """Take a message of the input. Returns "start", "jump", "stop" or ""."""
        if message[0] == TEMPO:
            bpm = tempo_of(message)
            self.timed = bpm > 0
            if self.timed:
                self._ns, self._tick = ns, self.tick_at(ns)
            if self.timed and bpm != self._told:
                self._told, self._since = bpm, (ns, self._tick)
                self.bpm = _possible(bpm)
            return ""
        before = self.running
        self.running, position = position_of(message, self.timed)
        tick = position if self.timed else position * 1000 / self.period
        jumped = abs(self.tick_at(ns) - tick) > JUMP
        self._ns, self._tick = ns, tick
        if jumped or not (before and self.running):
            self._since = ns, tick
        elif self.timed:
            self._measure()
        if not self.running:
            return "stop" if before else ""
        if not before:
            return "start"
        return "jump" if jumped else ""

    def _measure(self) -> None:
        """Take the tempo by which the position has moved, if it is not the one that is told."""
        ns, tick = self._since
        if self._ns - ns < MEASURED_NS:
            return
        measured = (self._tick - tick) * NS_PER_MINUTE / TICKS_PER_BEAT / (self._ns - ns)
        self.bpm = _possible(self._told if abs(measured - self._told) < UNTRUE * self._told else measured)
        self._since = self._ns, self._tick

    def seen(self, now: int) -> bool:
        """Whether the transport is heard of."""
        return now - self._ns < SILENT_NS

    def tick_at(self, ns: float) -> float:
        """The tick at `ns`, with its fraction."""
        return self._tick + (ns - self._ns) / self.period

    def ns_of(self, tick: float) -> float:
        """When a tick falls."""
        return self._ns + (tick - self._tick) * self.period


def _possible(bpm: float) -> float:
    low, high = TEMPO_RANGE
    return min(max(bpm, low), high)
