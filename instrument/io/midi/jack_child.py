"""The JACK MIDI process: one port, every message on its frame.

    python -m instrument.io.midi.jack_child RING out|in NAME [PORT ...]    serve a port until the parent is gone,
                                                                    connected to PORTs as they appear
    python -m instrument.io.midi.jack_child --list out|in                  print what it may connect to, as JSON

rtmidi puts every message at the start of JACK's period; here the parent sends messages early, and each is written at
the frame of its time by JACK's clock. When the parent is gone, all notes are switched off before the end.
"""

from __future__ import annotations

import ctypes
import heapq
import json
import os
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from instrument import midi_spec
from instrument.errors import HocketError
from instrument.io.child import exit_after, serve
from instrument.io.midi.jack_port import KEYBOARDS
from instrument.io.midi.ring import LONGEST, MidiRing, pack, unpack
from instrument.io.midi.transport import BarCounter, position_message, tempo_message
from instrument.io.shared import RUNNING

THROUGH = "Midi Through"  # ALSA's port that returns what it gets: no keyboard
SYSTEM = 0xF0  # status bytes from here on have no channel
_LATE_US = 1000
_MOST = 256  # messages read in one cycle
_SHARE = 0.25  # of a cycle for writing: JACK drops a cycle's messages if it overruns
_WATCH_S = 0.1
_LAST_CYCLES = 3  # cycles between all-notes-off and closing, so that receivers get it
_PLAYBACK = 1  # JackPlaybackLatency
_BBT = 0x10  # JackPositionBBT: bar, beat, tick and tempo of a position are valid
_REPORT_US = 50_000  # between two reports of the transport
_LOOKS = 5  # tries to list ports: the library fails where one closes meanwhile


class _LatencyRange(ctypes.Structure):
    _fields_ = (("min", ctypes.c_uint32), ("max", ctypes.c_uint32))


def _jack() -> Any:
    """The jack module. HocketError says how to install it."""
    try:
        import jack
    except OSError as error:
        raise HocketError(
            f"no JACK library on this machine ({error}): install it (Debian, Ubuntu: sudo apt install jackd2)"
        ) from error
    except ImportError as error:
        raise HocketError("the package JACK-Client is missing: pip install JACK-Client") from error
    return jack


def _client(name: str) -> Any:
    """A client of the running server."""
    jack = _jack()
    try:
        return jack.Client(name, no_start_server=True)
    except jack.JackError as error:
        raise HocketError(f"no JACK server to connect to ({error})") from error


class JackTime:
    """JACK's clock in terms of `perf_counter_ns`. JACK-Client does not wrap these calls, so they are made by ctypes."""

    def __init__(self, client: Any) -> None:
        jack = _jack()
        self._lib = ctypes.CDLL(jack._libname)
        self._lib.jack_get_time.restype = ctypes.c_uint64
        self._pointer = ctypes.c_void_p(int(jack._ffi.cast("uintptr_t", client._ptr)))
        self._frame, self._start, self._end = ctypes.c_uint32(), ctypes.c_uint64(), ctypes.c_uint64()
        self._period = ctypes.c_float()
        self._out = [ctypes.byref(x) for x in (self._frame, self._start, self._end, self._period)]
        self._cast = jack._ffi.cast
        self.us_per_frame = 1e6 / client.samplerate

    def cycle(self) -> float:
        """The start of the current cycle in microseconds of `perf_counter_ns`. For the process callback. Its length is
        that of its frames: JACK's own figure is wrong after an xrun, and after a change of the buffer size."""
        self._lib.jack_get_cycle_times(self._pointer, *self._out)
        return self._start.value - self._offset_us()

    def _offset_us(self) -> float:
        """What to add to `perf_counter_ns` / 1000 for JACK's microseconds: from the fastest of a few readings. The two
        drift (on Linux JACK uses the raw monotonic clock), so it is read in every cycle."""
        readings = []
        for _ in range(3):
            before = time.perf_counter_ns()
            there: int = self._lib.jack_get_time()
            after = time.perf_counter_ns()
            readings.append((after - before, there - (before + after) / 2000))
        return min(readings)[1]

    def latency(self, port: Any) -> int:
        """Playback latency of `port` in frames."""
        span = _LatencyRange()
        pointer = ctypes.c_void_p(int(self._cast("uintptr_t", port._ptr)))
        self._lib.jack_port_get_latency_range(pointer, _PLAYBACK, ctypes.byref(span))
        return (
            int(span.max) if span.max < self._lib.jack_get_sample_rate(self._pointer) else 0
        )  # as in the device process


class PortClient:
    """A JACK client with one MIDI port. Subclasses give the process callback."""

    def __init__(self, ring: MidiRing, name: str, wanted: list[str]) -> None:
        self.ring = ring
        self.client = _client(name)
        self.time = JackTime(self.client)
        self.latency_us = 0
        self.ended = threading.Event()
        self._wanted = wanted
        self._keyboards: set[str] = set()  # those that are there
        self.port = self.register()
        self._at = {name: ring.index(name) for name in (*ring.numbers, "heartbeat_ns", "closing")}
        ring.put("rate", self.client.samplerate)
        ring.put("block", self.client.blocksize)
        ring.put_text("port", self.port.name)

    def register(self) -> Any:
        """The port."""
        raise NotImplementedError

    def process(self, frames: int) -> None:
        """One cycle of `frames`."""
        raise NotImplementedError

    def run(self) -> None:
        """Serve until closing."""
        self.client.set_process_callback(self._cycle)
        self.client.set_shutdown_callback(self._shutdown)
        self.client.activate()
        while not self.ended.wait(_WATCH_S):
            self._keep_up()
        self.client.deactivate()  # an orderly end, so that the server need not wait
        self.client.close()

    def _cycle(self, frames: int) -> None:
        words, at = self.ring.words, self._at
        try:
            self.process(frames)
        except Exception as error:  # noqa: BLE001  JACK would not call it again; the parent starts another process
            self.ring.fail(f"{type(error).__name__}: {error}")
            os._exit(1)
        words[at["cycles"]] += 1
        words[at["heartbeat_ns"]] = time.perf_counter_ns()

    def _shutdown(self, *_: object) -> None:
        self.ring.fail("the JACK server is gone")
        os._exit(1)

    def _keep_up(self) -> None:
        """What is not done in the callback: state, rate and buffer size, which may change, latency, connections."""
        self.time.us_per_frame = 1e6 / self.client.samplerate
        self.ring.put("rate", self.client.samplerate)
        self.ring.put("block", self.client.blocksize)
        with suppress(_jack().JackError):  # a port closed meanwhile: the next try is soon
            self._measure()
            self._reconnect()
        if self.ring.get("cycles"):
            self.ring.put("state", RUNNING)

    def _measure(self) -> None:
        """How long sound takes from JACK to the ear: as the audio device counts it, by the first port of the card. The
        latency of our own port would depend on what it is connected to."""
        cards = self.client.get_ports(is_audio=True, is_input=True, is_physical=True)
        frames = self.time.latency(cards[0]) if cards else 0
        self.latency_us = frames * 1_000_000 // self.ring.get("rate")
        self.ring.put("latency_ns", self.latency_us * 1000)

    def _reconnect(self) -> None:
        if KEYBOARDS in self._wanted:
            self._join_keyboards()
        there = {p.name for p in self.client.get_ports(is_midi=True)} if self._wanted else set()
        for name in there.intersection(self._wanted):
            self._wanted.remove(name)
            if not self.port.is_connected_to(name):
                ends = (self.port, name) if self.port.is_output else (name, self.port)
                with suppress(_jack().JackError):  # closed meanwhile
                    self.client.connect(*ends)
        self.ring.put_text("connections", "\n".join([p.name for p in self.port.connections] + self._wanted))

    def _join_keyboards(self) -> None:
        """Connect the keyboards that have come. Who disconnects one again has his way."""
        sources = self.client.get_ports(is_midi=True, is_output=True, is_physical=True)
        there = {port.name for port in sources if THROUGH not in port.name}
        for name in there - self._keyboards:
            if not self.port.is_connected_to(name):
                with suppress(_jack().JackError):  # closed meanwhile
                    self.client.connect(name, self.port)
        if self._keyboards - there:
            self.keyboard_gone()
        self._keyboards = there

    def keyboard_gone(self) -> None:
        """A keyboard was disconnected from the machine."""


class OutPort(PortClient):
    """Writes messages from the ring at their frames."""

    def __init__(self, ring: MidiRing, name: str, wanted: list[str]) -> None:
        super().__init__(ring, name, wanted)
        self._taken = 0
        self._waiting: list[tuple[int, int, bytes]] = []  # a heap, by time and order of sending
        self._serial = 0
        self._held: set[tuple[int, int]] = set()  # channel and key of sounding notes
        self._after_end = 0

    def register(self) -> Any:
        """An output."""
        return self.client.midi_outports.register("out")

    def process(self, frames: int) -> None:
        """Write what is due in this cycle."""
        self.port.clear_buffer()
        if self.ring.words[self._at["closing"]]:
            self._finish()
        messages, self._taken = self.ring.pairs.pull(self._taken, _MOST)
        if not self._after_end:
            for ns, word in messages:
                self._enter(ns, unpack(word))
        if self._waiting:
            self._write(frames)

    def _enter(self, ns: int, message: bytes) -> None:
        self._serial += 1
        heapq.heappush(self._waiting, (ns, self._serial, message))

    def _write(self, frames: int) -> None:
        words, at = self.ring.words, self._at
        start, us_per_frame = self.time.cycle(), self.time.us_per_frame
        last = 0
        enough = time.perf_counter() + frames * us_per_frame * _SHARE / 1e6
        while self._waiting and time.perf_counter() < enough:
            ns, _, message = self._waiting[0]
            due = ns / 1000 - self.latency_us
            last = max(last, round((due - start) / us_per_frame) if ns > 0 else 0)
            if last >= frames or self.port.max_event_size < len(message):
                return  # its time, or space in JACK's buffer, comes in a later cycle
            self.port.write_midi_event(last, message)
            heapq.heappop(self._waiting)
            self._note(message)
            words[at["sent"]] += 1
            words[at["late"]] += ns > 0 and due < start - _LATE_US

    def _note(self, message: bytes) -> None:
        parsed = midi_spec.parse(message)
        if parsed.starts:
            self._held.add((parsed.channel, parsed.first))
        elif parsed.ends:
            self._held.discard((parsed.channel, parsed.first))

    def _finish(self) -> None:
        """Switch off what sounds, forget what was to come, and end when receivers had the time to hear."""
        if not self._after_end:
            self._waiting.clear()
            for channel, key in self._held:
                self._enter(0, midi_spec.note_off(channel, key, 64))
            for message in midi_spec.all_notes_off():
                self._enter(0, message)
        self._after_end += not self._waiting or not self._after_end
        if self._after_end > _LAST_CYCLES:
            self.ended.set()


class InPort(PortClient):
    """What arrives, with the time of its frame, to the ring; the transport, too, where the parent watches it."""

    def __init__(self, ring: MidiRing, name: str, wanted: list[str]) -> None:
        super().__init__(ring, name, wanted)
        self._used: set[int] = set()  # channels that have been played
        self._gone = threading.Event()
        self._asked = 0
        self._bars = BarCounter()
        self._rolling = False
        self._tempo = -1.0
        self._reported = 0.0  # when (us of `perf_counter_ns`) the position was reported last

    def register(self) -> Any:
        """An input."""
        return self.client.midi_inports.register("in")

    def keyboard_gone(self) -> None:
        """Have the next cycle end what it may have been playing."""
        self._gone.set()

    def process(self, frames: int) -> None:
        """Read this cycle's messages."""
        arrived = [(frame, bytes(event)) for frame, event in self.port.incoming_midi_events()]
        if self._gone.is_set():
            self._gone.clear()
            arrived = [*((0, each) for channel in sorted(self._used) for each in midi_spec.released(channel)), *arrived]
        self._used.update(message[0] & 0x0F for _, message in arrived if message and message[0] < SYSTEM)
        if arrived:
            start, us_per_frame = self.time.cycle(), self.time.us_per_frame
            for frame, message in arrived:
                us = start + frame * us_per_frame
                if message[0] in midi_spec.CLOCK_MESSAGES:  # the time of a clock is when what it starts is heard
                    us += self.latency_us
                if len(message) <= LONGEST:
                    self.ring.pairs.push(round(us * 1000), pack(message))
        if self.ring.words[self._at["watch"]]:
            self._report_transport()
        if self.ring.words[self._at["closing"]]:
            self.ended.set()

    def _report_transport(self) -> None:
        """Where the transport is at the start of this cycle: when it starts or stops, and a few times a second."""
        state, place = self.client.transport_query_struct()
        rolling = state == _jack().ROLLING
        start = self.time.cycle()
        timed = bool(place.valid & _BBT) and place.beats_per_minute > 0 and place.ticks_per_beat > 0
        tempo = place.beats_per_minute if timed else 0.0
        position = self._bars.position(place) if timed else place.frame * 1e6 / self.ring.get("rate")
        if rolling == self._rolling and tempo == self._tempo and start - self._reported < _REPORT_US:
            return
        ns = round((start + self.latency_us) * 1000)
        self.ring.pairs.push(ns, pack(tempo_message(tempo)))
        self.ring.pairs.push(ns, pack(position_message(rolling, timed, position)))
        self._rolling, self._tempo, self._reported = rolling, tempo, start

    def _keep_up(self) -> None:
        super()._keep_up()
        asked = self.ring.get("asked")
        if asked == self._asked:
            return
        self._asked = asked
        if asked & 1:
            self.client.transport_start()
        else:
            self.client.transport_stop()
            self.client.transport_locate(0)


def ports(direction: str) -> list[str]:
    """Names of the ports that an output ("out") or an input ("in") may be connected to."""
    client = _client("Hocket list")
    for _ in range(_LOOKS):
        with suppress(_jack().JackError):
            there = client.get_ports(is_midi=True, is_input=direction == "out", is_output=direction == "in")
            return [port.name for port in there]
    raise HocketError("JACK's ports come and go too fast to be listed: try again")


def main(arguments: list[str]) -> int:
    """Run as the module says; the exit status."""
    if arguments[0] == "--list":
        exit_after()
        try:
            print(json.dumps(ports(arguments[1])), flush=True)
        except HocketError as error:
            print(error)
            return 1
        os._exit(0)  # without a client's clean-up, in which a dying server may hang
    path, direction, name, *wanted = arguments
    ring = MidiRing.open(path)
    kind = OutPort if direction == "out" else InPort
    serve(ring, lambda: kind(ring, name, wanted).run())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
