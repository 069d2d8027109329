"""MIDI inputs: a virtual port that keyboards are connected to, an existing port, or none."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from typing import Any

from instrument.errors import HocketError
from instrument.io.child import ask
from instrument.io.midi.jack_port import JACK_PROCESS, JackMidiInput, jack_is_running
from instrument.io.midi.output import NAME, NULL, VIRTUAL, connect, open_rtmidi, system_backend
from instrument.io.names import pick
from instrument.io.ports import MidiInput, MidiStatus

NAME_IN = "Hocket in"

_REMEMBERED = 4096
_RETRY_NS = 1_000_000_000


class NullMidiInput:
    """The stand-in of every input, without a device. Pairs (ns, message) that are put into `messages` arrive."""

    pace_s = 0.05

    def __init__(self) -> None:
        self.messages: deque[tuple[int, bytes]] = deque()
        self._state = "open"

    def read(self) -> list[tuple[int, bytes]]:
        """As `MidiInput.read`."""
        return [self.messages.popleft() for _ in range(len(self.messages))]

    def poll(self) -> bool:
        """Never lost."""
        return False

    def status(self) -> MidiStatus:
        """As `MidiInput.status`."""
        return MidiStatus(NULL, NULL, self._state, 0, 0)

    def close(self) -> None:
        """As `MidiInput.close`."""
        self._state = "closed"


class RtMidiInput:
    """A port of the system's own MIDI. The time of a message is that of rtmidi's callback."""

    pace_s = 0.003

    def __init__(self, port: str = "", name: str = NAME_IN, backend: str = "") -> None:
        """As `RtMidiOutput`: port, or a virtual one called `name`."""
        self._wanted = port
        self._name = name
        self._backend = backend or system_backend()
        self._arrived: deque[tuple[int, bytes]] = deque(maxlen=_REMEMBERED)
        self._lock = threading.Lock()
        self._next_look = 0
        self._state = "open"
        self._detail = ""
        self._in, self._port = self._open()

    def read(self) -> list[tuple[int, bytes]]:
        """As `MidiInput.read`; at most the last 4,096."""
        return [self._arrived.popleft() for _ in range(len(self._arrived))]

    def poll(self) -> bool:
        """As `MidiInput.poll`. rtmidi does not report an unplugged keyboard; its name is gone then."""
        now = time.perf_counter_ns()
        if not self._wanted or now < self._next_look or self._state == "closed":
            return False
        self._next_look = now + _RETRY_NS
        with self._lock:
            there = self._in is not None and self._port in self._in.get_ports()
            if there:
                return False
            self._release()
            self._state, self._detail = "lost", f"{self._port} is not there: connect it again"
            try:
                self._in, self._port = self._open()
            except HocketError as error:
                self._detail = str(error)
                return False
            self._state, self._detail = "open", ""
        return True

    def status(self) -> MidiStatus:
        """As `MidiInput.status`."""
        return MidiStatus(self._port, self._backend, self._state, 0, 0, self._detail)

    def close(self) -> None:
        """As `MidiInput.close`."""
        with self._lock:
            self._release()
            self._state = "closed"

    def _open(self) -> tuple[Any, str]:
        into = open_rtmidi("MidiIn", self._backend, self._name)
        into.set_callback(lambda event, _: self._arrived.append((time.perf_counter_ns(), bytes(event[0]))))
        return into, connect(into, self._wanted, self._name, "one MIDI input", NULL)

    def _release(self) -> None:
        if self._in:
            self._in.cancel_callback()
            self._in.close_port()
            self._in.delete()
            self._in = None


def list_inputs() -> list[str]:
    """The names of the MIDI ports that are there now to play on. Raises HocketError when there is no MIDI."""
    if jack_is_running():
        names = list(json.loads(ask(JACK_PROCESS, "--list", "in", seconds=5.0)))
    else:
        looking = open_rtmidi("MidiIn", system_backend(), f"{NAME_IN} list")
        try:
            names = list(looking.get_ports())
        finally:
            looking.delete()
    return [name for name in names if not name.startswith(f"{NAME}:")]  # without Hocket's own ports


def check_input(port: str) -> None:
    """HocketError if `open_midi_in` would not find the port of this name."""
    if port not in (VIRTUAL, NULL):
        pick(port, list_inputs(), "one MIDI input", f"{VIRTUAL} or {NULL}")


def open_midi_in(port: str) -> MidiInput:
    """Open the port that keyboards are connected to ("virtual", called `Hocket in`), nothing ("null"), or a port
    by its name. Raises HocketError when it cannot be had."""
    if port == NULL:
        return NullMidiInput()
    wanted = "" if port == VIRTUAL else port
    if jack_is_running():
        if wanted:
            names = list_inputs()
            wanted = names[pick(wanted, names, "one MIDI input", f"{VIRTUAL} or {NULL}")]
        return JackMidiInput(NAME_IN, wanted)
    if not wanted and sys.platform == "win32":
        raise HocketError("Windows has no virtual MIDI ports: choose your keyboard with --midi-in")
    return RtMidiInput(wanted)
