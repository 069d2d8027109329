"""Live notes: the keys that a person strikes, and the notes that are held until they are released."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from instrument.music.notes import Note, Part


class Key(NamedTuple):
    """A key that a person struck or released. ns: when (`perf_counter_ns`); velocity 0: released."""

    ns: int
    pitch: int
    velocity: int
    part: Part


class HeldNotes:
    """Live notes that have begun and not ended. At one pitch a part holds one note, the last that was struck."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], tuple[int, Note]] = {}  # (pitch, part) -> (player, note)

    @property
    def keys(self) -> list[tuple[int, int]]:
        """(pitch, part) of each, the oldest first."""
        return list(self._held)

    def strike(self, player: int, notes: Iterable[Note]) -> None:
        """These notes of a player are held from now on."""
        self._held |= {(note.pitch, note.part): (player, note) for note in notes}

    def release(self, pitch: int, part: int, tick: float) -> tuple[int, Note] | None:
        """(player, note) with the duration for which it was held; None if no such note was."""
        if (pitch, part) not in self._held:
            return None
        player, note = self._held.pop((pitch, part))
        return player, note._replace(duration=max(1, round(tick - note.tick)))
