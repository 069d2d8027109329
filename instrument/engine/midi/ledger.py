"""The sounding notes: every note-on is entered with the time of its note-off, so that no note hangs."""

from __future__ import annotations

import heapq

from instrument.midi_spec import note_off, note_on

MAX_DURATION = 64 * 24.0  # ticks; a longer note is released here


class Ledger:
    """The sounding notes of one destination (a MIDI port, the voices), and the time at which each ends.

    Times are fractional ticks, so a change of tempo moves the ends too. Calls return the short MIDI messages to send,
    in order. There is never a second note-on of a channel and key without a note-off between, and after `release_all`
    nothing sounds. Not for several threads at once.
    """

    def __init__(self, max_duration: float = MAX_DURATION) -> None:
        self._max_duration = max_duration
        self._sounding: dict[tuple[int, int], int] = {}  # (channel, key) -> serial number of the note
        self._ends: list[tuple[float, int, int, int]] = []  # heap of (tick, serial, channel, key)
        self._serial = 0

    def __len__(self) -> int:
        """Number of sounding notes."""
        return len(self._sounding)

    def on(self, tick: float, channel: int, key: int, velocity: int, duration: float) -> list[bytes]:
        """A note starts at `tick` and lasts `duration` ticks (a negative one counts as 0)."""
        messages = self._release(channel, key)
        self._serial += 1
        self._sounding[channel, key] = self._serial
        end = tick + min(max(duration, 0.0), self._max_duration)
        heapq.heappush(self._ends, (end, self._serial, channel, key))
        messages.append(note_on(channel, key, max(1, velocity)))
        return messages

    def off(self, channel: int, key: int) -> list[bytes]:
        """End a note early; nothing if it does not sound."""
        return self._release(channel, key)

    def due(self, tick: float) -> list[tuple[float, bytes]]:
        """The note-offs at or before `tick`, each with its tick. Send them before a note-on at that tick."""
        messages = []
        while self._ends and self._ends[0][0] <= tick:
            end, serial, channel, key = heapq.heappop(self._ends)
            if self._sounding.get((channel, key)) == serial:
                messages += [(end, message) for message in self._release(channel, key)]
        return messages

    def next_end(self) -> float | None:
        """The tick of the next note-off, None when nothing sounds."""
        while self._ends:
            end, serial, channel, key = self._ends[0]
            if self._sounding.get((channel, key)) == serial:
                return end
            heapq.heappop(self._ends)  # that note ended early
        return None

    def release_all(self) -> list[bytes]:
        """End everything that sounds: exactly one note-off each."""
        messages = [note_off(channel, key) for channel, key in self._sounding]
        self._sounding.clear()
        self._ends.clear()
        return messages

    def _release(self, channel: int, key: int) -> list[bytes]:
        if self._sounding.pop((channel, key), None) is None:
            return []
        return [note_off(channel, key)]
