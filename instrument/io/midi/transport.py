"""JACK's transport as short messages, so that it comes through the ring of a MIDI input."""

from __future__ import annotations

POSITION, TEMPO = 0xF9, 0xFD  # status bytes that MIDI does not use
STATUS = frozenset((POSITION, TEMPO))
_TICK, _BPM = 4096, 10_000  # units of a tick, and of a beat a minute


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
