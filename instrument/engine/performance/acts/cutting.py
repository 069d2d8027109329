"""Ends what a player is playing, as a person begins: its notes that sound, and those that were to come."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable

from instrument.engine.performance.takes import Released, Revoked, Take
from instrument.music.notes import Note, Part
from instrument.music.timebase import MICRO_STEPS

RECENT = 256  # last notes, among which are all that may sound

Played = tuple[int, Note]  # the number of a player, and its note


class Cutting:
    """The notes that were cut. The take has their true durations, so a rendering has them, too."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._by_hand: deque[Played] = deque(maxlen=RECENT)
        self._since = 0  # notes before were cut, or have ended
        self._cut: list[Played] = []

    def strike(self, player: int, live: Iterable[Note]) -> None:
        """Notes of a person, which are never cut, were added to those of a player."""
        self._by_hand.extend((player, note) for note in live)

    def cut(self, players: Collection[int], tick: float) -> None:
        """End the melody of players at a tick. Committed notes that begin there or later are not heard."""
        take, since = self._take, max(self._since, self._take.heard_count - RECENT)
        for player, note in take.heard(since):
            if player not in players or note.part != Part.MELODY or (player, note) in self._by_hand:
                continue
            if note.tick + note.micro / MICRO_STEPS >= tick:
                take.entries.append(Revoked(player, note.tick, note.pitch, Part(note.part)))
            elif note.tick + note.duration > tick:
                length = max(1, round(tick - note.tick))
                take.entries.append(Released(player, note.tick, note.pitch, Part(note.part), length))
            else:
                continue
            self._cut.append((player, note))
        self._since = take.heard_count

    def taken(self) -> list[Played]:
        """The notes that were cut since the last call, for the outputs."""
        cut, self._cut = self._cut, []
        return cut
