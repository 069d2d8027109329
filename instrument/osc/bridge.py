"""The OSC process: takes OSC messages over UDP, passes them to the engine, answers queries and reports changes.

    python -m instrument.osc.bridge LISTEN [TARGET]      both HOST:PORT

It is a process of its own, so that a flood of messages costs the engine nothing: of each knob the last value counts,
and few commands are sent in a cycle. It ends when its standard input closes.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket

from instrument import log
from instrument.engine.ipc.client import EngineClient
from instrument.engine.ipc.messages import (
    AnyCommand,
    AnyReport,
    Description,
    KnobInfo,
    Reply,
    SetKnob,
    Telemetry,
    Value,
    Values,
)
from instrument.engine.performance.knobs import knob_name
from instrument.errors import HocketError
from instrument.io.child import when_parent_ends
from instrument.osc.addresses import ROOT, answers, command

CYCLE_S = 0.02
MOST_COMMANDS = 8  # sent to the engine in a cycle; the others wait
MOST_WAITING = 256  # knobs and presses that wait; what is more is dropped
MOST_PACKETS = 400  # read in a cycle; the system drops what is more
MOST_MESSAGES = 64  # of a bundle
MOST_ANSWERS = 500  # messages of an answer
_DATAGRAM = 8192  # bytes
_LOOK_S = 0.5  # between two tries to find the engine

Address = tuple[str, int]


def address_of(text: str) -> Address:
    """(host, port) of "HOST:PORT" or "PORT", which is on loopback. HocketError for anything else."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise HocketError(f"{text!r} is no address for OSC: give PORT or HOST:PORT, as in 9000 or 127.0.0.1:9000")
    return host or "127.0.0.1", int(port)


class Bridge:
    """OSC on a socket, and the engine. dropped: messages that were not passed on."""

    def __init__(self, listen: Address, target: Address | None) -> None:
        """HocketError where the port is taken."""
        self.dropped = 0
        self._target = target
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind(listen)
        except OSError as error:
            raise HocketError(f"cannot listen for OSC at {listen[0]}:{listen[1]}: {error.strerror}") from error
        self._engine: EngineClient | None = None
        self._next_look = 0.0
        self._knobs: dict[str, KnobInfo] = {}
        self._values: dict[str, Value] = {}
        self._state: dict[str, list[Value]] = {}
        self._waiting: dict[object, tuple[AnyCommand, Address]] = {}  # knobs by name, in order of arrival
        self._sent: dict[int, Address] = {}  # who sent the command of a number

    def run(self) -> None:
        """Serve. Never returns."""
        while True:
            ends = time.monotonic() + CYCLE_S
            self._receive(ends)
            self._talk_to_engine()

    def _receive(self, ends: float) -> None:
        """Read until a cycle is over."""
        packets = 0
        while (left := ends - time.monotonic()) > 0:
            if packets == MOST_PACKETS:
                time.sleep(left)
                return
            self._socket.settimeout(left)
            try:
                data, sender = self._socket.recvfrom(_DATAGRAM)
            except TimeoutError:
                return
            except OSError:
                continue  # as where a message that was sent before found nobody
            packets += 1
            self._take(data, sender)

    def _take(self, data: bytes, sender: Address) -> None:
        try:
            messages = OscPacket(data).messages[:MOST_MESSAGES]
        except Exception:  # noqa: BLE001  the parser raises anything at damaged packets, which are dropped
            self.dropped += 1
            return
        for timed in messages:
            message = timed.message
            try:
                self._obey(message.address, list(message.params), sender)
            except HocketError as error:
                self._send(sender, ROOT + "error", [str(error)])

    def _obey(self, address: str, values: Sequence[object], sender: Address) -> None:
        if address.endswith("?"):
            for where, found in list(answers(address, self._values, self._state).items())[:MOST_ANSWERS]:
                self._send(sender, where, found)
            return
        wanted = command(address, values, self._knobs)
        if wanted is None:
            return
        key = wanted.knob if isinstance(wanted, SetKnob) else (len(self._waiting), address)
        if key not in self._waiting and len(self._waiting) >= MOST_WAITING:
            self.dropped += 1
            return
        self._waiting[key] = wanted, sender

    def _talk_to_engine(self) -> None:
        engine = self._engine
        if engine is None or not engine.alive:
            self._find_engine()
            return
        for report in engine.poll():
            self._hear(report)
        for key in list(self._waiting)[:MOST_COMMANDS]:
            wanted, sender = self._waiting.pop(key)
            self._sent[engine.send(wanted)] = sender
        while len(self._sent) > MOST_WAITING:
            del self._sent[next(iter(self._sent))]

    def _find_engine(self) -> None:
        self._engine = None
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _LOOK_S
        with suppress(HocketError):
            self._engine = EngineClient.connect(spawn=False)

    def _hear(self, report: AnyReport) -> None:
        match report:
            case Description():
                self._knobs = {knob_name(info.player, info.id): info for info in report.knobs}
                self._change(report.values)
                self._set("patch", [report.patch])
            case Values():
                self._change(report.values)
            case Telemetry():
                self._set("playing", [int(report.playing)])
                self._set("position", [report.bar, report.beat])
                self._set("bpm", [round(report.bpm, 2)])
            case Reply() if report.error and report.number in self._sent:
                self._send(self._sent.pop(report.number), ROOT + "error", [report.error])

    def _change(self, values: dict[str, Value]) -> None:
        for name, value in values.items():
            if self._values.get(name) != value:
                self._values[name] = value
                self._report(name, [value])

    def _set(self, name: str, values: list[Value]) -> None:
        if self._state.get(name) != values:
            self._state[name] = values
            self._report(name, values)

    def _report(self, name: str, values: list[Value]) -> None:
        if self._target:
            self._send(self._target, ROOT + name, values)

    def _send(self, to: Address, address: str, values: Sequence[Value]) -> None:
        builder = OscMessageBuilder(address)
        for value in values:
            builder.add_arg(value)
        with suppress(OSError):  # nobody is there
            self._socket.sendto(builder.build().dgram, to)


def main(arguments: list[str]) -> int:
    """Run as the module says. Prints a line of JSON: the port, or why it cannot listen."""
    log.to_stderr()
    try:
        listen, *target = map(address_of, arguments)
        bridge = Bridge(listen, target[0] if target else None)
    except HocketError as error:
        print(json.dumps(str(error)), flush=True)
        return 1
    print(json.dumps(listen[1]), flush=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt from the keyboard is left to the parent
    when_parent_ends(lambda: os._exit(0))
    bridge.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
