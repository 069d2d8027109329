"""MIDI clock for others to follow: 24 pulses a beat, start, stop, continue and song position."""

from __future__ import annotations

from math import ceil

from instrument.midi_spec import CLOCK, CONTINUE, START, STOP, TICKS_PER_POSITION, song_position
from instrument.music.timebase import TempoMap

BEFORE = 0.5  # ticks by which a start comes before its first pulse


class ClockSender:
    """The clock messages that are due. A pulse is a tick. For the thread that sends; `retime` for any thread.

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
        stops = self._first is not None and self._started
        self._first, self._started = first, False
        self._next = ceil(first[0]) if first else 0
        return [bytes((STOP,))] if stops else []

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
