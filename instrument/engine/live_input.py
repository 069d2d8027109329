"""Turns what a person plays into notes of the performance, and records it message by message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from instrument import midi_spec
from instrument.engine.midi.following import Following
from instrument.engine.midi.keys import KeySettings
from instrument.engine.performance.harmony.left_hand import HandSettings, LeftHand, is_left
from instrument.engine.performance.live_notes import LiveNote
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.takes import Keyboard
from instrument.engine.performance.transport import Transport
from instrument.engine.state_view import StateView
from instrument.engine.surface.controllers import ControllerInput
from instrument.engine.surface.midi_learn import MidiLearn
from instrument.engine.voices.live_channels import LiveChannels
from instrument.midi_spec import DRUM_CHANNEL, NOTES_OFF, SOUND_OFF
from instrument.music.notes import Note, Part
from instrument.music.timebase import MICRO_STEPS

STRUCK = 12  # assumed duration (ticks) of a live note until its key is released

Arrived = tuple[int, bytes]  # when (`perf_counter_ns`), and a short MIDI message


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
    """Puts pressed keys on their ticks and gives them to the first player as context, and writes all that is played
    into the take. For the notes thread."""

    def __init__(self, notes: LiveInputHost) -> None:
        self._notes = notes
        self._channels = LiveChannels()  # what pedals, wheels and controllers are set to
        self._left = LeftHand()

    def begin(self) -> None:
        """The transport starts: the take begins with what the keyboards have set, and the band with the chord that the
        left hand holds."""
        for message in self._channels.setup():
            self._record(0.0, message)
        if self._left.led:
            self._notes.performance.lead(self._left.led)

    def listen(self, arrived: Iterable[Arrived]) -> None:
        """Take messages of a person, in order of time. While the transport is stopped, only what they set is kept."""
        tempo = self._notes.transport.tempo
        struck: list[LiveNote] = []  # keys pressed together are passed on together
        arrived = self._lead(arrived)
        for ns, message in arrived:
            self._channels.take(message)
            if tempo is None:
                continue
            at = max(0.0, tempo.tick(ns))
            self._record(at, message)
            parsed = midi_spec.parse(message)
            if parsed.starts:
                struck.append(LiveNote(parsed.channel, _struck(parsed, at)))
                continue
            self._hear(struck)
            struck = []
            self._release(parsed, at)
        self._hear(struck)

    def _lead(self, arrived: Iterable[Arrived]) -> list[Arrived]:
        """Let the band follow the keys of the left hand. Returns the messages that are not its own."""
        performance, others = self._notes.performance, []
        for ns, message in arrived:
            if not self._left.take(message, performance.left_hand):
                others.append((ns, message))
        symbol = self._left.symbol(performance.left_hand)
        if symbol is not None:
            performance.lead(symbol)
        return others

    def _record(self, tick: float, message: bytes) -> None:
        self._notes.performance.take.entries.append(Keyboard(tick, tuple(message)))

    def _hear(self, struck: list[LiveNote]) -> None:
        if struck and self._notes.performance.players:
            self._notes.performance.listen(struck, self._notes.performance.company.listener)
            for _, note in struck:
                self._notes.view.add_live(note._replace(duration=1))  # the full duration is added at its release

    def _release(self, parsed: midi_spec.ShortMessage, at: float) -> None:
        """End the notes that a message ends: one, or those of its channel."""
        performance = self._notes.performance
        ended: list[tuple[int, int]] = []
        if parsed.ends:
            ended = [(parsed.channel, parsed.first)]
        elif parsed.kind == midi_spec.CONTROL and (parsed.first == SOUND_OFF or parsed.first >= NOTES_OFF):
            zone = self._channels.zone(parsed.channel)
            ended = [key for key in performance.held.keys if key[0] in zone]
        for channel, pitch in ended:
            if note := performance.release(channel, pitch, at):
                self._notes.view.add_live(note)


def _struck(key: midi_spec.ShortMessage, at: float) -> Note:
    tick = round(at)
    micro = min(MICRO_STEPS // 2 - 1, round((at - tick) * MICRO_STEPS))
    return Note(tick, micro, key.first, STRUCK, key.second, Part.DRUMS if key.channel == DRUM_CHANNEL else Part.MELODY)


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
