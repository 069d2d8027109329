"""Following JACK's transport."""

from __future__ import annotations

from instrument.io.midi.transport import TEMPO, position_of, tempo_of
from instrument.music.timebase import TEMPO_RANGE, ns_per_tick

JUMP = 2.0  # ticks: a position that is further from the expected one is a jump
SILENT_NS = 2_000_000_000  # after so long without a position the server is gone


class TransportFollower:
    """What JACK's transport says. The interface is that of `ClockFollower`.

    bpm: the tempo that holds where no timebase master gives one (timed is False).
    """

    def __init__(self) -> None:
        self.running = False
        self.timed = False
        self.bpm = 120.0
        self._ns, self._tick = -SILENT_NS, 0.0

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
                low, high = TEMPO_RANGE
                self._ns, self._tick = ns, self.tick_at(ns)
                self.bpm = min(max(bpm, low), high)
            return ""
        before = self.running
        self.running, position = position_of(message, self.timed)
        tick = position if self.timed else position * 1000 / self.period
        jumped = abs(self.tick_at(ns) - tick) > JUMP
        self._ns, self._tick = ns, tick
        if not self.running:
            return "stop" if before else ""
        if not before:
            return "start"
        return "jump" if jumped else ""

    def seen(self, now: int) -> bool:
        """Whether the transport is heard of."""
        return now - self._ns < SILENT_NS

    def tick_at(self, ns: float) -> float:
        """The tick at `ns`, with its fraction."""
        return self._tick + (ns - self._ns) / self.period

    def ns_of(self, tick: float) -> float:
        """When a tick falls."""
        return self._ns + (tick - self._tick) * self.period
