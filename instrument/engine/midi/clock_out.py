"""MIDI clock for others to follow: 24 pulses a beat, start, stop, continue and song position."""

from __future__ import annotations

from math import ceil

from instrument.midi_spec import CLOCK, CONTINUE, START, STOP, TICKS_PER_POSITION, song_position
from instrument.music.timebase import TempoMap

BEFORE = 0.5  # ticks by which a start comes before its first pulse


class ClockSender:
    """The clock messages that are due. A pulse is a tick. For the thread that sends; `retime` and `switch` for any
    thread, one at a time.

    on: whether a clock is sent.
    """

    def __init__(self) -> None:
        self.on = False
        self._first: tuple[float, float, float] | None = None  # the segment with which the music began
        self._next = 0  # the next pulse
        self._started = False

    def retime(self, tempo: TempoMap | None) -> list[bytes]:
        """Follow another tempo map. Returns the messages to send at once: a stop, if a clock was running."""
        first = tempo.segments[0] if tempo else None
        if first == self._first:
            return []
        stops = self.sends
        self._first, self._started = first, False
        self._next = max(0, ceil(first[0])) if first else 0  # nothing is sent while bars are counted
        return [bytes((STOP,))] if stops else []

    def switch(self, on: bool) -> list[bytes]:
        """Send a clock or not. Returns the messages to send at once: a stop, if a clock was running."""
        stops = self.on and not on and self._started
        self.on, self._started = on, self._started and on
        return [bytes((STOP,))] if stops else []

    @property
    def sends(self) -> bool:
        """Whether a clock runs."""
        return self.on and self._started

    def next(self) -> float | None:
        """The tick of the next message, None while there is none."""
        if not self.on or self._first is None:
            return None
        return self._next if self._started else self._next - BEFORE

    def take(self, until: float) -> list[tuple[float, bytes]]:
        """(tick, message) of all that is due before `until`, in order."""
        taken: list[tuple[float, bytes]] = []
        while (tick := self.next()) is not None and tick < until:
            if self._started:
                taken.append((tick, bytes((CLOCK,))))
                self._next += 1
                continue
            self._started = True
            if until - tick > TICKS_PER_POSITION:  # switched on while the music plays: begin at a place that has a name
                self._next = ceil(until / TICKS_PER_POSITION) * TICKS_PER_POSITION
            if self._next == 0:
                taken.append((tick, bytes((START,))))
            else:
                self._next = ceil(self._next / TICKS_PER_POSITION) * TICKS_PER_POSITION
                taken += [(tick, song_position(self._next)), (tick, bytes((CONTINUE,)))]
        return taken
