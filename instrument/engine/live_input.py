"""What a person plays, as notes of the performance."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from instrument.engine.performance.live_notes import Key
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.transport import Transport
from instrument.engine.state_view import StateView
from instrument.music.notes import Note
from instrument.music.timebase import MICRO_STEPS, TempoMap

STRUCK = 12  # ticks that a live note is taken to last until it is known


class Playing(Protocol):
    """What live input needs of the notes thread."""

    @property
    def performance(self) -> Performance:
        """The performance that is played."""
        ...

    @property
    def transport(self) -> Transport:
        """Whether time runs, and how."""
        ...

    @property
    def view(self) -> StateView:
        """Where notes are shown."""
        ...


class LiveInput:
    """Puts struck keys on their ticks and gives them to the first player to hear. For the notes thread."""

    def __init__(self, notes: Playing) -> None:
        self._notes = notes

    def listen(self, keys: Iterable[Key]) -> None:
        """A person strikes and releases keys, in order of time. Only what is played while time runs is music."""
        tempo = self._notes.transport.tempo
        if tempo is None or not self._notes.performance.players:
            return
        struck: list[Note] = []  # keys struck together are heard together
        for key in keys:
            if key.velocity:
                struck.append(_struck(key, tempo))
                continue
            self._hear(struck)
            struck = []
            at = max(0.0, tempo.tick(key.ns))
            if note := self._notes.performance.release(key.pitch, key.part, at):
                self._notes.view.add_live(note)
        self._hear(struck)

    def _hear(self, notes: list[Note]) -> None:
        if notes:
            self._notes.performance.listen(notes)
        for note in notes:
            self._notes.view.add_live(note._replace(duration=1))  # it grows when it is released


def _struck(key: Key, tempo: TempoMap) -> Note:
    at = max(0.0, tempo.tick(key.ns))
    tick = round(at)
    micro = min(MICRO_STEPS // 2 - 1, round((at - tick) * MICRO_STEPS))
    return Note(tick, micro, key.pitch, STRUCK, key.velocity, key.part)
