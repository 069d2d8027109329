"""Reads what a person plays: it sounds at once through the built-in voices and goes to the players as context."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from instrument import last_resort, midi_spec
from instrument.engine.midi.keys import Keys, KeySettings
from instrument.engine.midi.loops import LoopWatch
from instrument.engine.voices.live_channels import PARAMETERS, PLAYED
from instrument.errors import HocketError
from instrument.io.midi import transport
from instrument.io.midi.input import NullMidiInput
from instrument.io.midi.jack_port import JackMidiInput
from instrument.io.ports import MidiInput
from instrument.midi_spec import CONTROL, NOTES_OFF, RESET_CONTROLLERS, SOUND_OFF

# What is played. Programs and clocks are not, nor are controllers without effect on the sound.
_KINDS = frozenset((midi_spec.NOTE_ON, midi_spec.NOTE_OFF, midi_spec.POLY_PRESSURE, midi_spec.PRESSURE, midi_spec.BEND))
_CONTROLLERS = PLAYED | PARAMETERS | {SOUND_OFF, RESET_CONTROLLERS, *range(NOTES_OFF, 128)}
LAST_STATUS = 0xEF  # of the messages of a channel
_TIME = midi_spec.CLOCK_MESSAGES | transport.STATUS


class Receiver(Protocol):
    """Receives what is played, and controllers. Its methods are called by the input's thread and must not wait."""

    def time(self, arrived: Sequence[tuple[int, bytes]]) -> None:
        """Messages of a clock or a transport arrived: (ns, message), in order."""
        ...

    @property
    def settings(self) -> KeySettings:
        """The settings of the keyboard."""
        ...

    def leads(self, message: bytes) -> bool:
        """Whether a message strikes a key of the left hand, which is silent."""
        ...

    def sort(self, arrived: Sequence[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """Take what turns knobs, presses buttons and chooses patches. Returns what is played. To be called often."""
        ...

    def listen(self, arrived: Sequence[tuple[int, bytes]]) -> None:
        """(ns, short MIDI message) of what was played, in order of time."""
        ...


class Listener:
    """Reads a MIDI input in a thread of its own. Channel 10 is drums; the others play one instrument, each with its own
    pedal, bend and controllers."""

    def __init__(
        self, port: MidiInput, play: Callable[[bytes], None], receiver: Receiver, loops: LoopWatch | None = None
    ) -> None:
        """play: plays a short MIDI message at once; any thread may call it. loops: knows what Hocket sends.
        watches: JACK's transport is read, too; tap: takes all that arrives, which is not played then."""
        self.port = port
        self.watches = False
        self.tap: Callable[[list[tuple[int, bytes]]], None] | None = None
        self._play = play
        self._receiver = receiver
        self._loops = loops or LoopWatch()
        self._keys, self._given = Keys(), Keys()
        self._reading = threading.Lock()
        self._passing_on = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="midi-in", daemon=True)

    @property
    def held(self) -> tuple[int, ...]:
        """The keys that are down, from low to high."""
        return tuple(sorted({*self._keys.held, *self._given.held}))

    @property
    def loop(self) -> bool:
        """Whether what arrives now is what Hocket itself sends."""
        return self._loops.is_loop(time.perf_counter_ns())

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def poll(self) -> None:
        """Keep the port alive. Keys that were held when it was lost are released."""
        self.port.poll()
        if isinstance(self.port, JackMidiInput):
            self.port.watch_transport(self.watches)
        if not self._keys.is_idle and self.port.status().state != "open":
            self._release_held()

    def roll(self, on: bool) -> None:
        """Ask JACK's transport to roll or to stop, if the port is one of JACK."""
        if isinstance(self.port, JackMidiInput):
            self.port.roll(on)

    def use(self, open_port: Callable[[], MidiInput]) -> None:
        """Close the port and read another one from now on. HocketError if it does not open: then there is none."""
        for change in (NullMidiInput, open_port):
            opened = change()
            with self._reading:
                last, self.port = self.port, opened
            last.close()
            self._release_held()

    def play(self, messages: Sequence[bytes]) -> None:
        """Play messages that come from no port, whatever channel is listened to. For any thread. HocketError for what
        is no message of a channel."""
        for message in messages:
            if not midi_spec.NOTE_OFF <= message[0] <= LAST_STATUS or max(message[1:]) > 127:
                raise HocketError(
                    f"{message.hex(' ')} is no MIDI message of a channel: give note on, note off and the like"
                )
        now = time.perf_counter_ns()
        self._take(
            [(now, message) for message in messages], self._receiver.settings._replace(channel=None), self._given
        )

    def release_keys(self) -> None:
        """Release what `play` holds."""
        if not self._given.is_idle:
            now = time.perf_counter_ns()
            self._pass_on([(now, message) for message in self._given.release()])

    def close(self) -> None:
        """End the thread, close the port."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(2)
        self.port.close()

    def _run(self) -> None:
        last_resort.keep_going("the MIDI input thread", self._read, lambda: self._closed.wait(self.port.pace_s))

    def _read(self) -> None:
        with self._reading:
            arrived = self.port.read()
        if timed := [each for each in arrived if each[1][0] in _TIME]:
            self._receiver.time(timed)
            arrived = [each for each in arrived if each[1][0] not in _TIME]
        if tap := self.tap:
            tap(arrived)
        elif arrived := self._receiver.sort(arrived):
            self._take(arrived, self._receiver.settings, self._keys)

    def _release_held(self) -> None:
        """End what a keyboard that is gone was playing."""
        now = time.perf_counter_ns()
        self._pass_on([(now, message) for message in self._keys.release()])

    def _take(self, arrived: list[tuple[int, bytes]], settings: KeySettings, keys: Keys) -> None:
        played = []
        for ns, message in arrived:
            kind, _, first, second = midi_spec.parse(message)
            if kind == midi_spec.NOTE_ON and self._loops.is_echo(ns, first, second):
                continue
            if kind in _KINDS or (kind == CONTROL and first in _CONTROLLERS):
                played.append((ns, keys.take(message, settings)))
        self._pass_on([(ns, message) for ns, message in played if message])

    def _pass_on(self, played: list[tuple[int, bytes]]) -> None:
        with self._passing_on:
            for _, message in played:
                if not self._receiver.leads(message):
                    self._play(message)
            if played:
                self._receiver.listen(played)
