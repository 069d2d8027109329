"""Note players that are open, so that a new performance need not load again."""

from __future__ import annotations

import threading

from instrument.engine.performance import BundleInfo, OpenPlayer
from instrument.models.players import NotePlayer


class Players:
    """Opens note players and keeps those no longer in use, so that a new performance need not load again."""

    def __init__(self, open_player: OpenPlayer) -> None:
        self._open = open_player
        self._lock = threading.Lock()
        self._idle: list[tuple[BundleInfo, NotePlayer]] = []

    def load(self, slug: str) -> None:
        """Have a player of `slug` ready, so that giving it out takes no time. HocketError if that cannot be."""
        opened = self._open(slug)
        with self._lock:
            self._idle.append(opened)

    def give(self, slug: str) -> tuple[BundleInfo, NotePlayer]:
        """A player that nobody else uses."""
        with self._lock:
            ready = next((opened for opened in self._idle if opened[0].slug == slug), None)
            if ready:
                self._idle.remove(ready)
        return ready or self._open(slug)

    def take_back(self, players: list[tuple[BundleInfo, NotePlayer]]) -> None:
        """These are free again; others that nobody wanted meanwhile are let go."""
        with self._lock:
            self._idle = players
