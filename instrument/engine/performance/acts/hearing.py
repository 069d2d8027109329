"""Players that hear those before them: what these have committed becomes context of theirs, twice a bar of 4/4.

Every time is an input of the player that hears, with the notes, so a take is rendered without the others.
"""

from __future__ import annotations

from typing import Any, Protocol

from instrument.engine.performance.player_state import PlayerState
from instrument.engine.performance.takes import Take
from instrument.models.notes.player import LatentPlayer
from instrument.music.timebase import TICKS_PER_BEAT

EVERY = 2 * TICKS_PER_BEAT  # ticks


class Hears(Protocol):
    """What is needed of a performance."""

    players: list[PlayerState]
    take: Take

    @property
    def floor(self) -> int:
        """The tick before which everything has been committed."""
        ...

    def put(self, number: int, **what: Any) -> None:
        """Apply an input to a player."""
        ...


class Hearing:
    """Tells players what those before them have committed. A player of phrases would take it for its own phrase, so it
    hears nothing."""

    def __init__(self, performance: Hears) -> None:
        self._performance = performance
        self._told = 0  # notes of the take that have been told
        self._place = 0

    @property
    def tick(self) -> int | None:
        """Where players are told next, None if none wants to hear."""
        return (self._place + 1) * EVERY if any(self._listens(player) for player in self._performance.players) else None

    def update(self) -> None:
        """Go on to the present floor."""
        performance = self._performance
        place = performance.floor // EVERY
        if place == self._place:
            return
        self._place = place
        new = list(performance.take.heard(self._told))
        self._told = performance.take.heard_count
        for number, player in enumerate(performance.players):
            before = {note.order: note for other, note in new if other < number} if self._listens(player) else {}
            if before:
                performance.put(number, overheard=tuple(before[order] for order in sorted(before)))

    @staticmethod
    def _listens(player: PlayerState) -> bool:
        if player.line is None or not player.awake or not player.values["hear"]:
            return False
        return not isinstance(player.line.player, LatentPlayer)
