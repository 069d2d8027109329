"""JACK's transport as short messages, so that it comes through the ring of a MIDI input."""

from __future__ import annotations

from typing import Any

POSITION, TEMPO = 0xF9, 0xFD  # status bytes that MIDI does not use
STATUS = frozenset((POSITION, TEMPO))
_TICK, _BPM = 4096, 10_000  # units of a tick, and of a beat a minute


class BarCounter:
    """The position of JACK's transport by its bars and beats, from cycle to cycle.

    Its `bar_start_tick` is not read: DAWs fill it in differently, and Ardour 7 with figures that mean nothing.
    """

    def __init__(self) -> None:
        self._bar = 0
        self._begins = 0.0  # ticks before this bar
        self._length = 0.0  # ticks of this bar

    def position(self, place: Any) -> float:
        """Ticks (24 a quarter note) from the start. place: a `jack_position_t` with bar, beat and tick.

        A bar after the last one begins where that ended, so that a change of metre is no jump. Elsewhere all bars
        before are taken to have the present metre.
        """
        beat: float = 24 * 4 / (place.beat_type or 4)
        length: float = place.beats_per_bar * beat
        if place.bar == self._bar + 1 and self._length:
            self._begins += self._length
        elif place.bar != self._bar:
            self._begins = (place.bar - 1) * length
        self._bar, self._length = place.bar, length
        within: float = (place.beat - 1 + place.tick / place.ticks_per_beat) * beat
        return self._begins + within


def tempo_message(bpm: float) -> bytes:
    """The tempo of the transport; 0: it has none."""
    return bytes((TEMPO,)) + round(bpm * _BPM).to_bytes(4, "little")


def position_message(rolling: bool, timed: bool, position: float) -> bytes:
    """Where the transport is, and whether it moves. position: in ticks (24 a beat) where it is timed, else in
    microseconds."""
    units = round(position * _TICK) if timed else round(position)
    return bytes((POSITION, rolling)) + min(max(units, 0), (1 << 40) - 1).to_bytes(5, "little")


def tempo_of(message: bytes) -> float:
    """The tempo in a `tempo_message`."""
    return int.from_bytes(message[1:], "little") / _BPM


def position_of(message: bytes, timed: bool) -> tuple[bool, float]:
    """(rolling, position) of a `position_message`."""
    units = int.from_bytes(message[2:], "little")
    return bool(message[1]), units / _TICK if timed else float(units)
