"""Reads what a person plays: it sounds at once through the built-in voices and goes to the players as context."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from instrument import midi_spec
from instrument.engine.performance.arrangement import LIVE_CHANNEL
from instrument.engine.performance.live_notes import Key
from instrument.io.midi.input import NullMidiInput
from instrument.io.ports import MidiInput
from instrument.midi_spec import BEND, CONTROL, DRUM_CHANNEL, FIRST_MODE_MESSAGE, MODULATION, SUSTAIN
from instrument.music.notes import Part

TURN_S = 0.03  # least time between two changes of knobs by controllers


class Receiver(Protocol):
    """Receives keys and controllers. Its methods are called by the input's thread and must not wait."""

    def binds(self, controller: int) -> bool:
        """Whether a controller turns a knob, or is about to be bound to one."""
        ...

    def control(self, moved: Mapping[int, int]) -> None:
        """Controllers were moved: number -> value 0..127."""
        ...

    def listen(self, keys: Sequence[Key]) -> None:
        """Keys were pressed or released, in order of time."""
        ...


class Listener:
    """Reads a MIDI input in a thread of its own. Channel 10 is drums, all others are one melody instrument."""

    def __init__(self, port: MidiInput, play: Callable[[bytes], None], receiver: Receiver) -> None:
        """play: plays a short MIDI message at once; any thread may call it."""
        self.port = port
        self._play = play
        self._receiver = receiver
        self._held: set[tuple[int, int]] = set()  # (channel, pitch)
        self._moved: dict[int, int] = {}  # controller -> value, not passed on yet
        self._turned = 0.0
        self._reading = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="midi-in", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def poll(self) -> None:
        """Keep the port alive. Keys that were held when it was lost are released."""
        self.port.poll()
        if self._held and self.port.status().state != "open":
            self._release_held()

    def use(self, open_port: Callable[[], MidiInput]) -> None:
        """Close the port and read another one from now on. HocketError if it does not open: then there is none."""
        for change in (NullMidiInput, open_port):
            opened = change()
            with self._reading:
                last, self.port = self.port, opened
            last.close()
            self._release_held()

    def close(self) -> None:
        """End the thread, close the port."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(2)
        self.port.close()

    def _run(self) -> None:
        while not self._closed.wait(self.port.pace_s):
            with self._reading:
                arrived = self.port.read()
            if arrived:
                self._take(arrived)
            if self._moved and time.monotonic() - self._turned > TURN_S:
                self._turn()

    def _turn(self) -> None:
        moved, self._moved = self._moved, {}
        self._turned = time.monotonic()
        self._receiver.control(moved)

    def _is_bound(self, controller: int) -> bool:
        """Whether it turns a knob, or the next one that is moved will."""
        free = controller != SUSTAIN and controller < FIRST_MODE_MESSAGE
        return free and self._receiver.binds(controller)

    def _release_held(self) -> None:
        now = time.perf_counter_ns()
        self._take([(now, midi_spec.note_off(channel, pitch)) for channel, pitch in list(self._held)])
        self._take([(now, midi_spec.control(0, SUSTAIN, 0))])

    def _take(self, arrived: list[tuple[int, bytes]]) -> None:
        keys = []
        for ns, message in arrived:
            parsed = midi_spec.parse(message)
            kind, first, second = parsed.kind, parsed.first, parsed.second
            drums = parsed.channel == DRUM_CHANNEL
            channel = DRUM_CHANNEL if drums else LIVE_CHANNEL
            if parsed.starts or parsed.ends:
                velocity = second if parsed.starts else 0
                (self._held.add if velocity else self._held.discard)((channel, first))
                keys.append(Key(ns, first, velocity, Part.DRUMS if drums else Part.MELODY))
            elif kind == CONTROL and self._is_bound(first):
                self._moved[first] = second
                continue
            elif kind != BEND and not (kind == CONTROL and first in (SUSTAIN, MODULATION)):
                continue
            self._play(bytes((kind | channel, first, second)))
        if keys:
            self._receiver.listen(keys)
