"""MIDI outputs: a virtual port for others to listen to, an existing port, or none, recorded."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import deque
from typing import Any

from instrument.errors import HocketError
from instrument.io.child import ask
from instrument.io.clocks import SystemClock
from instrument.io.jack_servers import jack_is_running
from instrument.io.midi.jack_port import JACK_PROCESS, JackMidiOutput
from instrument.io.names import is_own, pick, plain, plain_names
from instrument.io.ports import Clock, MidiOutput, MidiStatus
from instrument.midi_spec import all_notes_off

__all__ = [
    "NAME",
    "NULL",
    "VIRTUAL",
    "NullMidi",
    "RtMidiOutput",
    "check_port",
    "list_ports",
    "open_midi",
    "open_rtmidi",
    "system_backend",
]

NAME = "Hocket"
VIRTUAL, NULL = "virtual", "null"

# rtmidi's names of the backends.
BACKENDS = {
    "alsa": "API_LINUX_ALSA",
    "coremidi": "API_MACOSX_CORE",
    "winmm": "API_WINDOWS_MM",
    "jack": "API_UNIX_JACK",
}

_LATE_NS = 1_000_000
_RETRY_NS = 500_000_000
_REMEMBERED = 100_000
_SEQUENCER = "/dev/snd/seq"
_NO_VIRTUAL_PORTS = "Windows has no virtual MIDI ports: install loopMIDI, make a port in it and choose it with --midi"


class NullMidi:
    """Records messages without a port: the stand-in of every port, and the engine's fallback.

    messages: the last pairs (ns, message), in the order of sending. early_ns: as `MidiOutput.early_ns`, 0: it sends at
    once.
    """

    latency_ns = 0

    def __init__(self, clock: Clock | None = None, *, early_ns: int = 0) -> None:
        self._clock = clock or SystemClock()
        self.early_ns = early_ns
        self._sent = self._late = 0
        self._state = "open"
        self.messages: deque[tuple[int, bytes]] = deque(maxlen=_REMEMBERED)

    def send(self, message: bytes, ns: int) -> None:
        """As `MidiOutput.send`."""
        now = self._clock.now()
        self.messages.append((max(ns, now), message))
        self._sent += 1
        self._late += 0 < ns < now - _LATE_NS

    def poll(self) -> bool:
        """Never lost."""
        return False

    def status(self) -> MidiStatus:
        """As `MidiOutput.status`."""
        return MidiStatus(NULL, NULL, self._state, self._sent, self._late)

    def close(self) -> None:
        """As `MidiOutput.close`."""
        if self._state == "open":
            for message in all_notes_off():
                self.send(message, 0)
        self._state = "closed"


class RtMidiOutput:
    """A port of the system's own MIDI: ALSA, CoreMIDI or WinMM. Messages are sent at once."""

    early_ns = latency_ns = 0

    def __init__(self, port: str = "", name: str = NAME, backend: str = "") -> None:
        """port: the name, or a part of it, of an existing port; empty: a virtual port called `name`.
        backend: one of `BACKENDS`, the system's if empty. Raises HocketError when it cannot be opened."""
        self._wanted = port
        self._name = name
        self._backend = backend or system_backend()
        self._lock = threading.Lock()
        self._sent = self._late = 0
        self._next_try = 0
        self._detail = ""
        self._state = "open"
        self._out, self._port = self._open()

    def send(self, message: bytes, ns: int) -> None:
        """As `MidiOutput.send`; what is sent while the port is lost is dropped."""
        late = 0 < ns < time.perf_counter_ns() - _LATE_NS
        with self._lock:
            if self._state != "open":
                return
            try:
                self._out.send_message(message)
            except _rtmidi().RtMidiError as error:
                self._state, self._detail = "lost", str(error)
                return
            self._sent += 1
            self._late += late

    def poll(self) -> bool:
        """As `MidiOutput.poll`. Sending to a synthesizer that was unplugged raises nothing; its name is gone then."""
        now = time.perf_counter_ns()
        if self._state == "closed" or now < self._next_try:
            return False
        with self._lock:
            if self._state == "open" and self._is_there():
                return False
            self._next_try = now + _RETRY_NS
            if self._state == "open":
                self._state, self._detail = "lost", f"{self._port} is not there: connect it again"
            self._release()
            try:
                self._out, self._port = self._open()
            except HocketError as error:
                self._detail = str(error)
                return False
            self._state, self._detail = "open", ""
        return True

    def status(self) -> MidiStatus:
        """As `MidiOutput.status`."""
        return MidiStatus(self._port, self._backend, self._state, self._sent, self._late, self._detail)

    def close(self) -> None:
        """As `MidiOutput.close`."""
        for message in all_notes_off():
            self.send(message, 0)
        with self._lock:
            self._release()
            self._state = "closed"

    def _is_there(self) -> bool:
        return not self._wanted or self._full in self._out.get_ports()

    def _open(self) -> tuple[Any, str]:
        out = open_rtmidi("MidiOut", self._backend, self._name)
        self._full = connect(out, self._wanted, self._name, "one MIDI port", _otherwise())
        return out, plain(self._full)

    def _release(self) -> None:
        if self._out:
            self._out.close_port()
            self._out.delete()
            self._out = None


def connect(client: Any, wanted: str, name: str, what: str, otherwise: str) -> str:
    """Open the wanted port on an rtmidi client, or if none is wanted, a virtual one called `name`. Returns its name as
    rtmidi has it, with ALSA's numbers. Raises HocketError, and releases the client, where there is no such port."""
    if not wanted:
        client.open_virtual_port(name)
        return name
    names = client.get_ports()
    try:
        number = names.index(wanted) if wanted in names else pick(plain(wanted), plain_names(names), what, otherwise)
    except HocketError:
        client.delete()
        raise
    client.open_port(number, name)
    return str(names[number])


class _Enumerator:
    """The one client that lists ports, since each client uses one of the few that the system has."""

    def __init__(self) -> None:
        self._out: Any = None
        self._lock = threading.Lock()

    def ports(self) -> list[str]:
        with self._lock:
            if self._out is None:
                self._out = open_rtmidi("MidiOut", system_backend(), f"{NAME} list")
            return list(self._out.get_ports())


_enumerator = _Enumerator()


def list_ports() -> list[str]:
    """The names of the MIDI ports that are there now to send to. Raises HocketError when there is no MIDI."""
    if jack_is_running():
        names = list(json.loads(ask(JACK_PROCESS, "--list", "out", seconds=5.0)))
    else:
        names = plain_names(_enumerator.ports())
    return [name for name in names if not is_own(name)]


def check_port(port: str) -> None:
    """HocketError if `open_midi` would not find the port of this name."""
    if port not in (VIRTUAL, NULL):
        pick(port, list_ports(), "one MIDI port", _otherwise())


def open_midi(port: str, name: str = NAME) -> MidiOutput:
    """Open the port others listen to ("virtual", called `name`), nothing ("null"), or a port by its name.

    Where a JACK server runs it is a port of JACK, exact to the frame; elsewhere one of the system's own.
    Raises HocketError when it cannot be opened.
    """
    if port == NULL:
        return NullMidi()
    wanted = "" if port == VIRTUAL else port
    if jack_is_running():
        if wanted:
            names = list_ports()
            wanted = names[pick(wanted, names, "one MIDI port", _otherwise())]
        return JackMidiOutput(name, wanted)
    if not wanted and sys.platform == "win32":
        loops = [p for p in list_ports() if any(word in p.casefold() for word in ("hocket", "loopmidi"))]
        wanted = "".join(loops[:1])
        if not wanted:
            raise HocketError(_NO_VIRTUAL_PORTS)
    return RtMidiOutput(wanted, name)


def system_backend() -> str:
    """The system's own MIDI."""
    return {"darwin": "coremidi", "win32": "winmm"}.get(sys.platform, "alsa")


def _otherwise() -> str:
    """The names allowed instead of an existing port, for errors."""
    return NULL if sys.platform == "win32" else f"{VIRTUAL} or {NULL}"


def _rtmidi() -> Any:
    try:
        import rtmidi
    except ImportError as error:
        raise HocketError("the package python-rtmidi is missing: pip install python-rtmidi") from error
    return rtmidi


def open_rtmidi(kind: str, backend: str, name: str) -> Any:
    """An rtmidi client whose port is not yet open. kind: "MidiOut" or "MidiIn". HocketError where there is no
    MIDI."""
    rtmidi = _rtmidi()
    if backend == "alsa" and not os.path.exists(_SEQUENCER):  # checked first, as ALSA prints errors
        raise HocketError(f"no MIDI: {_SEQUENCER} is missing; load it (sudo modprobe snd-seq) or start JACK")
    try:
        return getattr(rtmidi, kind)(getattr(rtmidi, BACKENDS[backend]), name)
    except rtmidi.RtMidiError as error:
        raise HocketError(f"no MIDI ({backend}): {str(error).strip()}") from error
