"""Note players for tests that look at time: one that clicks, one that is too slow."""

from __future__ import annotations

import time

from instrument.errors import HocketError
from instrument.models.notes.player import Ask
from instrument.music.notes import Note, Part
from instrument.music.timebase import MetreMap
from tests.support.players import ScaleBundle, ScalePlayer

CLICK_TICKS = 18
CLAVES = 75
SLOW_S = 0.4  # that the slow player takes for a note


class ClickPlayer:
    """A dry click on the drums every three sixteenths, now and then off the grid."""

    def __init__(self) -> None:
        self.reset(0, 0, MetreMap())

    @property
    def count(self) -> int:
        return self._count

    def reset(self, seed: int, player: int, metres: MetreMap) -> None:
        self._count = 0
        self._ticks: list[int] = []

    def propose(self, ask: Ask) -> Note:
        tick = self._ticks[-1] + CLICK_TICKS if self._ticks else 0
        tick += max(0, -(-(ask.floor - tick) // CLICK_TICKS)) * CLICK_TICKS
        return Note(tick, tick // CLICK_TICKS % 3, CLAVES, 6, 110, Part.DRUMS)

    def feed(self, note: Note) -> None:
        self._count += 1
        self._ticks.append(note.tick)

    def rewind(self, count: int) -> None:
        del self._ticks[count:]
        self._count = count

    def forget_before(self, count: int) -> None:
        pass


class SlowPlayer(ScalePlayer):
    """Takes `SLOW_S` for a note."""

    def propose(self, ask: Ask) -> Note:
        time.sleep(SLOW_S)
        return super().propose(ask)


class FaintingPlayer(ScalePlayer):
    """Fails after some notes."""

    def propose(self, ask: Ask) -> Note:
        if self.count > 20:
            raise HocketError("the network gives no number: fetch the bundle again")
        return super().propose(ask)


class UnteachablePlayer(ScalePlayer):
    """Fails when it is told what was played."""

    def feed(self, note: Note) -> None:
        raise HocketError("it cannot take that: fetch the bundle again")


PLAYERS = {"clicks": ClickPlayer, "slow": SlowPlayer, "fainting": FaintingPlayer, "unteachable": UnteachablePlayer}


def open_soloist(slug: str) -> tuple[ScaleBundle, ScalePlayer | ClickPlayer]:
    """As `catalog.open_note_player`."""
    if slug not in PLAYERS:
        raise HocketError(f"unknown model {slug!r}: choose one of {', '.join(PLAYERS)}")
    return ScaleBundle(slug, "c11c" * 15), PLAYERS[slug]()
