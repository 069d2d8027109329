"""Passes what a person plays on to the notes thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from instrument.engine.midi.following import Following
from instrument.engine.midi.keys import KeySettings
from instrument.engine.performance.acts.live_input import Arrived, LiveInput
from instrument.engine.performance.harmony.left_hand import HandSettings, is_left
from instrument.engine.state_view import StateView
from instrument.engine.surface.controllers import ControllerInput
from instrument.engine.surface.midi_learn import MidiLearn


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
    def following(self) -> Following:
        """The time of others."""
        ...

    @property
    def view(self) -> StateView:
        """The state for other threads."""
        ...

    def call(self, do: Callable[[], Any]) -> Future[Any]:
        """Run a function in the notes thread, between two notes."""
        ...


class KeyboardReceiver:
    """Passes messages and controllers on to the notes thread. Any thread may call it; it does not wait."""

    def __init__(self, notes: NotesThread) -> None:
        self._notes = notes
        self._controllers = ControllerInput(
            lambda: notes.view.snapshot.patch.routing.bindings,
            lambda: bool(notes.midi_learn.learning),
            lambda moved: notes.call(lambda: notes.midi_learn.control(moved)),
        )

    @property
    def settings(self) -> KeySettings:
        """The settings of the keyboard, by the knobs."""
        return KeySettings.of(self._notes.view.snapshot.values)

    def time(self, arrived: Sequence[tuple[int, bytes]]) -> None:
        """Messages of a clock or a transport arrived: (ns, message), in order."""
        self._notes.call(lambda: self._notes.following.feed(arrived))

    def leads(self, message: bytes) -> bool:
        """Whether a message strikes a key of the left hand, which is silent."""
        return is_left(message, HandSettings.of(self._notes.view.snapshot.patch.knobs))

    def sort(self, arrived: Sequence[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """Take what turns knobs, presses buttons and chooses patches. Returns what is played. To be called often."""
        return self._controllers.sort(arrived)

    def listen(self, arrived: Sequence[Arrived]) -> None:
        """A person played messages, in order of time."""
        self._notes.call(lambda: self._notes.live_input.listen(arrived))
