"""Live notes: what a person has begun to play, and what is held until its release."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from instrument.music.notes import Note


class LiveNote(NamedTuple):
    """A note that a person began to play, and the MIDI channel 0..15 of its key."""

    channel: int
    note: Note


class HeldNotes:
    """Live notes that have begun and not ended, at most one for each channel and pitch: the latest."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], tuple[int, Note]] = {}  # (channel, pitch) -> (player, note)

    @property
    def keys(self) -> list[tuple[int, int]]:
        """(channel, pitch) of each, the oldest first."""
        return list(self._held)

    def strike(self, player: int, struck: Iterable[LiveNote]) -> None:
        """Add notes of a player that are held from now on."""
        self._held |= {(channel, note.pitch): (player, note) for channel, note in struck}

    def release(self, channel: int, pitch: int, tick: float) -> tuple[int, Note] | None:
        """End a note. Returns (player, note) with its true duration, None if no such note is held."""
        if (channel, pitch) not in self._held:
            return None
        player, note = self._held.pop((channel, pitch))
        return player, note._replace(duration=max(1, round(tick - note.tick)))
