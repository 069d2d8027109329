"""Live notes: the keys that a person presses, and the notes held until their release."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from instrument.music.notes import Note, Part


class Key(NamedTuple):
    """A key that a person pressed or released. ns: when (`perf_counter_ns`); velocity 0: released."""

    ns: int
    pitch: int
    velocity: int
    part: Part


class HeldNotes:
    """Live notes that have begun and not ended, at most one for each pitch and part: the latest."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], tuple[int, Note]] = {}  # (pitch, part) -> (player, note)

    @property
    def keys(self) -> list[tuple[int, int]]:
        """(pitch, part) of each, the oldest first."""
        return list(self._held)

    def strike(self, player: int, notes: Iterable[Note]) -> None:
        """Add notes of a player that are held from now on."""
        self._held |= {(note.pitch, note.part): (player, note) for note in notes}

    def release(self, pitch: int, part: int, tick: float) -> tuple[int, Note] | None:
        """End a note. Returns (player, note) with its true duration, None if no such note is held."""
        if (pitch, part) not in self._held:
            return None
        player, note = self._held.pop((pitch, part))
        return player, note._replace(duration=max(1, round(tick - note.tick)))
