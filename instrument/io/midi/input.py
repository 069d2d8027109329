"""MIDI inputs: a virtual port that keyboards are connected to, an existing port, or none."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Any

from instrument.errors import HocketError
from instrument.io.child import ask
from instrument.io.jack_servers import jack_is_running
from instrument.io.midi.jack_port import JACK_PROCESS, KEYBOARDS, JackMidiInput
from instrument.io.midi.output import NULL, VIRTUAL, connect, open_rtmidi, system_backend
from instrument.io.names import is_own, pick, plain, plain_names
from instrument.io.ports import MidiInput, MidiStatus
from instrument.midi_spec import released

NAME_IN = "Hocket in"

_REMEMBERED = 4096
_SYSTEM = 0xF0  # status bytes from here on have no channel
_RETRY_NS = 500_000_000
_THROUGH = "Midi Through"  # ALSA's port that returns what it gets: no keyboard


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

    pace_s = 0.002

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
            there = self._in is not None and self._full in self._in.get_ports()
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
        into.ignore_types(sysex=True, timing=False, active_sense=True)
        into.set_callback(lambda event, _: self._arrived.append((time.perf_counter_ns(), bytes(event[0]))))
        self._full = connect(into, self._wanted, self._name, "one MIDI input", NULL)
        return into, plain(self._full)

    def _release(self) -> None:
        if self._in:
            self._in.cancel_callback()
            self._in.close_port()
            self._in.delete()
            self._in = None


class RtMidiKeyboards:
    """All keyboards of the system's own MIDI, as they come and go, and where there can be one the virtual port."""

    pace_s = 0.002

    def __init__(self, name: str = NAME_IN, backend: str = "") -> None:
        """As `RtMidiInput`."""
        self._name, self._backend = name, backend or system_backend()
        self._looking = open_rtmidi("MidiIn", self._backend, f"{name} list")
        self._virtual = RtMidiInput("", name, backend) if sys.platform != "win32" else None
        self._keyboards: dict[str, RtMidiInput] = {}
        self._used: dict[str, set[int]] = {}  # channels on which each has played
        self._ended: list[tuple[int, bytes]] = []  # what ends the notes of one that is gone
        self._changing = threading.Lock()
        self._next_look = 0
        self._state = "open"
        self.poll()

    def read(self) -> list[tuple[int, bytes]]:
        """As `MidiInput.read`."""
        with self._changing:
            arrived, self._ended = self._ended, []
            for name, keyboard in self._keyboards.items():
                played = keyboard.read()
                self._used[name].update(message[0] & 0x0F for _, message in played if message[0] < _SYSTEM)
                arrived += played
            arrived += self._virtual.read() if self._virtual else []
        return sorted(arrived, key=lambda pair: pair[0])

    def poll(self) -> bool:
        """As `MidiInput.poll`: open what came, close what is gone."""
        now = time.perf_counter_ns()
        if self._state != "open" or now < self._next_look:
            return False
        self._next_look = now + _RETRY_NS
        there = [name for name in self._looking.get_ports() if not is_own(name) and _THROUGH not in name]
        for name in self._keyboards.keys() - set(there):
            self._drop(name, now)
        came = False
        for name in there:
            if name not in self._keyboards:
                with suppress(HocketError):  # gone again, or another program has it
                    opened = RtMidiInput(name, self._name, self._backend)
                    with self._changing:
                        self._keyboards[name], self._used[name] = opened, set()
                    came = True
        return came

    def status(self) -> MidiStatus:
        """As `MidiInput.status`."""
        names = [*([self._name] if self._virtual else []), *(plain(name) for name in list(self._keyboards))]
        return MidiStatus(", ".join(names) or "no keyboard", self._backend, self._state, 0, 0)

    def close(self) -> None:
        """As `MidiInput.close`."""
        self._state = "closed"
        for name in list(self._keyboards):
            self._drop(name, time.perf_counter_ns())
        if self._virtual:
            self._virtual.close()
        self._looking.delete()

    def _drop(self, name: str, now: int) -> None:
        with self._changing:
            keyboard, used = self._keyboards.pop(name), self._used.pop(name)
            self._ended += [(now, message) for channel in sorted(used) for message in released(channel)]
        keyboard.close()


def list_inputs() -> list[str]:
    """The names of the MIDI ports that are there now to play on. Raises HocketError when there is no MIDI."""
    if jack_is_running():
        names = list(json.loads(ask(JACK_PROCESS, "--list", "in", seconds=5.0)))
    else:
        looking = open_rtmidi("MidiIn", system_backend(), f"{NAME_IN} list")
        try:
            names = plain_names(looking.get_ports())
        finally:
            looking.delete()
    return [name for name in names if not is_own(name)]


def check_input(port: str) -> None:
    """HocketError if `open_midi_in` would not find the port of this name."""
    if port not in ("", VIRTUAL, NULL):
        pick(port, list_inputs(), "one MIDI input", f"{VIRTUAL} or {NULL}")


def open_midi_in(port: str) -> MidiInput:
    """Open all keyboards that are there, now or later (""), the port that others connect to ("virtual", called
    `Hocket in`, which is open with the keyboards too), nothing ("null"), or a port by its name. Raises HocketError when
    it cannot be had."""
    if port == NULL:
        return NullMidiInput()
    if not port:
        return JackMidiInput(NAME_IN, KEYBOARDS) if jack_is_running() else RtMidiKeyboards()
    wanted = "" if port == VIRTUAL else port
    if jack_is_running():
        if wanted:
            names = list_inputs()
            wanted = names[pick(wanted, names, "one MIDI input", f"{VIRTUAL} or {NULL}")]
        return JackMidiInput(NAME_IN, wanted)
    if not wanted and sys.platform == "win32":
        raise HocketError("Windows has no virtual MIDI ports: choose your keyboard with --midi-in")
    return RtMidiInput(wanted)
