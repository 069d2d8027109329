"""Turns the keys that a person plays into notes of the performance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from instrument.engine.midi_learn import MidiLearn
from instrument.engine.performance.live_notes import Key
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.transport import Transport
from instrument.engine.state_view import StateView
from instrument.music.notes import Note
from instrument.music.timebase import MICRO_STEPS, TempoMap

STRUCK = 12  # assumed duration (ticks) of a live note until its key is released


class LiveInputHost(Protocol):
    """What live input needs of the notes thread."""

    @property
    def performance(self) -> Performance:
        """The present performance."""
        ...

    @property
    def transport(self) -> Transport:
        """The transport."""
        ...

    @property
    def view(self) -> StateView:
        """The view to which live notes are added."""
        ...


class LiveInput:
    """Puts pressed keys on their ticks and gives them to the first player as context. For the notes thread."""

    def __init__(self, notes: LiveInputHost) -> None:
        self._notes = notes

    def listen(self, keys: Iterable[Key]) -> None:
        """Take keys that a person pressed and released, in order of time. Ignored while the transport is stopped."""
        tempo = self._notes.transport.tempo
        if tempo is None or not self._notes.performance.players:
            return
        struck: list[Note] = []  # keys pressed together are passed on together
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
            self._notes.view.add_live(note._replace(duration=1))  # the full duration is added at its release


def _struck(key: Key, tempo: TempoMap) -> Note:
    at = max(0.0, tempo.tick(key.ns))
    tick = round(at)
    micro = min(MICRO_STEPS // 2 - 1, round((at - tick) * MICRO_STEPS))
    return Note(tick, micro, key.pitch, STRUCK, key.velocity, key.part)


class NotesThread(Protocol):
    """What a `KeyboardReceiver` needs of the notes thread."""

    @property
    def midi_learn(self) -> MidiLearn:
        """The assignment of controllers to knobs."""
        ...

    @property
    def live_input(self) -> LiveInput:
        """The receiver of live notes."""
        ...

    @property
    def view(self) -> StateView:
        """The state for other threads."""
        ...

    def call(self, do: Callable[[], Any]) -> Future[Any]:
        """Run a function in the notes thread, between two notes."""
        ...


class KeyboardReceiver:
    """Passes keys and controllers on to the notes thread. Any thread may call it; it does not wait."""

    def __init__(self, notes: NotesThread) -> None:
        self._notes = notes

    def binds(self, controller: int) -> bool:
        """Whether a controller turns a knob, or is about to be bound to one."""
        bound = self._notes.view.snapshot.patch.routing.controllers
        return controller in bound or bool(self._notes.midi_learn.learning)

    def control(self, moved: Mapping[int, int]) -> None:
        """Controllers were moved: number -> value 0..127."""
        self._notes.call(lambda: self._notes.midi_learn.control(moved))

    def listen(self, keys: Sequence[Key]) -> None:
        """Keys were pressed or released, in order of time."""
        self._notes.call(lambda: self._notes.live_input.listen(keys))
