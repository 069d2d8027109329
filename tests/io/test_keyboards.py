"""Keyboards are found and connected by themselves, several at once; synthesizers that go and come are taken back."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from instrument.io.midi.input import RtMidiKeyboards, list_inputs, open_midi_in
from instrument.io.midi.jack_port import EARLY_NS, JackMidiInput, JackMidiOutput
from instrument.io.midi.output import RtMidiOutput, list_ports
from instrument.midi_spec import note_on, released
from tests.support.jack import JackProbe, JackServer, wait_for
from tests.support.undisturbed import run_undisturbed

# A client with a port of a "card", which sends what arrives at its standard input.
CARD = """
import sys, queue, jack
client = jack.Client(sys.argv[1], no_start_server=True)
port = client.midi_outports.register("out", is_physical=True, is_terminal=True)
waiting = queue.SimpleQueue()
@client.set_process_callback
def process(frames):
    port.clear_buffer()
    while not waiting.empty():
        port.write_midi_event(0, waiting.get())
client.activate()
print(flush=True)
for line in sys.stdin:
    waiting.put(bytes.fromhex(line))
"""


class Card:
    def __init__(self, name: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", CARD, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        self._process.stdout.readline()

    def send(self, message: bytes) -> None:
        assert self._process.stdin
        self._process.stdin.write(message.hex() + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.kill()
        self._process.wait(5)


@contextmanager
def plugged_in(name: str) -> Iterator[Card]:
    card = Card(name)
    try:
        yield card
    finally:
        card.close()


def test_keyboards_on_jack_are_connected_as_they_come(jack: JackServer) -> None:
    with plugged_in("first") as first, JackProbe() as probe:
        port = open_midi_in("")
        assert isinstance(port, JackMidiInput)
        got: list[bytes] = []

        def arrived(message: bytes) -> bool:
            got.extend(message for _, message in port.read())
            return message in got

        try:
            wait_for(lambda: probe.connections("first:out") == ["Hocket in:in"], 5)
            with plugged_in("second") as second:
                wait_for(lambda: probe.connections("second:out") == ["Hocket in:in"], 5)
                for i, card in enumerate((first, second)):
                    card.send(note_on(i, 60, 90))
                    wait_for(lambda i=i: arrived(note_on(i, 60, 90)), 5)
                got.clear()
            wait_for(lambda: arrived(released(1)[1]), 5, "the end of what was held on the one that is gone")
            assert released(1)[0] in got
        finally:
            port.close()


def test_keyboards_of_the_system_are_opened_as_they_come(jack: JackServer) -> None:
    port = RtMidiKeyboards(backend="jack")
    got: list[bytes] = []

    def arrived(message: bytes) -> bool:
        port.poll()
        got.extend(message for _, message in port.read())
        return message in got

    try:
        assert port.status().port == "Hocket in"
        keys, pads = JackMidiOutput("keys"), JackMidiOutput("pads")
        try:
            wait_for(lambda: port.poll() or len(port.status().port.split(", ")) == 3, 5)
            for i, each in enumerate((keys, pads)):
                wait_for(lambda i=i, each=each: (each.send(note_on(i, 60, 90), 0), arrived(note_on(i, 60, 90)))[1], 5)
        finally:
            keys.close()
            pads.close()
        got.clear()
        wait_for(lambda: arrived(released(1)[1]), 5)
        assert port.status().port == "Hocket in"
    finally:
        port.close()
    assert port.status().state == "closed"


def test_a_synthesizer_that_goes_and_comes_is_taken_back(jack: JackServer) -> None:
    """As on ALSA: sending to one that is gone raises nothing, and another port bears its name later."""
    with JackProbe("synth"):
        port = RtMidiOutput("synth", backend="jack")
        assert not port.poll()
    try:
        wait_for(lambda: not port.poll() and port.status().state == "lost", 2)
        assert "synth" in port.status().detail
        with JackProbe("synth") as synth:
            began = time.monotonic()
            wait_for(port.poll, 2)
            assert time.monotonic() - began < 2
            port.send(note_on(0, 60, 90), 0)
            wait_for(lambda: note_on(0, 60, 90) in [message for _, message in synth.events()], 5)
    finally:
        port.close()


def test_own_ports_are_not_offered(jack: JackServer) -> None:
    ours = open_midi_in("virtual"), JackMidiOutput("Hocket")
    try:
        assert list_ports() == []
        assert list_inputs() == []
    finally:
        for port in ours:
            port.close()


RESIZE = "import sys, jack; jack.Client('resize', no_start_server=True).blocksize = int(sys.argv[1])"


def test_messages_are_on_their_frames_after_a_change_of_the_buffer_size(
    jack_with_long_periods: JackServer,
) -> None:
    def resize(frames: int) -> None:
        subprocess.run([sys.executable, "-c", RESIZE, str(frames)], timeout=20, check=True)
        wait_for(lambda: port._ring.get("block") == frames, 5, "the new size")

    with JackProbe() as probe:
        port = JackMidiOutput("Hocket")
        try:
            probe.connect("Hocket:out", "probe:midi_in")
            for frames in (2048, 512):
                resize(frames)

                def frames_off() -> tuple[float, dict[str, int]]:
                    began, before = time.perf_counter_ns(), len(probe.events())
                    due = [began + 400_000_000 + i * 13_700_000 for i in range(40)]
                    for i, ns in enumerate(due):
                        port.send(note_on(0, i, 90), ns)
                    wait_for(lambda: len(probe.events()) >= before + len(due) or probe.xruns_since(began))
                    heard = [ns for ns, _ in probe.events()[before:]]
                    latency = port.early_ns - EARLY_NS
                    off = np.abs(np.array(heard) - np.array(due[: len(heard)]) + latency) * 48_000 / 1e9
                    return float(np.percentile(off, 90)), {"xruns": probe.xruns_since(began)}

                assert run_undisturbed(frames_off) < 1.5
        finally:
            port.close()
