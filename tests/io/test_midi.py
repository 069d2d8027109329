"""MIDI ports: every message on its frame, nothing that sounds on, and what becomes of a port when things die."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.io.clocks import ManualClock, SystemClock
from instrument.io.jack_servers import jack_is_running
from instrument.io.midi import output as midi
from instrument.io.midi.jack_port import EARLY_NS, JackMidiInput, JackMidiOutput
from instrument.io.midi.output import NullMidi, RtMidiOutput, list_ports, open_midi
from instrument.io.ports import MidiOutput, MidiStatus
from instrument.io.priority import DEADLINE_PRIORITY, set_realtime_priority
from instrument.midi_spec import all_notes_off
from tests.support.jack import JackProbe, JackServer, Recording, alive, wait_for
from tests.support.undisturbed import run_undisturbed


@pytest.fixture
def probe(jack: JackServer) -> Iterator[JackProbe]:
    with JackProbe() as probe:
        yield probe


@contextmanager
def virtual_port(probe: JackProbe) -> Iterator[JackMidiOutput]:
    """A virtual port that a probe listens to."""
    port = open_midi("virtual")
    assert isinstance(port, JackMidiOutput)
    probe.connect("Hocket:out", "probe:midi_in")
    yield port
    port.close()


@pytest.fixture
def port(probe: JackProbe) -> Iterator[JackMidiOutput]:
    with virtual_port(probe) as port:
        yield port


def heard(probe: JackProbe, message: bytes) -> Callable[[], bool]:
    return lambda: message in [m for _, m in probe.events()]


def in_time() -> None:
    set_realtime_priority(DEADLINE_PRIORITY)  # as a scheduler has it


def send_300(folder: Path) -> tuple[tuple[NDArray[np.int64], Recording, MidiStatus], dict[str, int]]:
    """A trial: 300 messages at odd moments; when (ns) they were to leave for the card, what was heard, and what
    the port says."""
    clock, chance = SystemClock(), random.Random(1)

    def send() -> int:
        stalls = 0
        for i, ns in enumerate(due.tolist()):
            clock.sleep_until(ns - port.early_ns)
            stalls += clock.now() > ns - EARLY_NS // 2
            port.send(bytes((0x90, i % 128, 1 + i // 128)), ns)
        return stalls

    with JackProbe() as probe, virtual_port(probe) as port, ThreadPoolExecutor(1, initializer=in_time) as sender:
        began = clock.now()  # clients that come may cost a cycle
        latency = port.early_ns - EARLY_NS
        due = clock.now() + 100_000_000 + np.cumsum([chance.randrange(10_000_000) for _ in range(300)])
        stalls = sender.submit(send).result(30)
        wait_for(lambda: port.status().sent == 300)
        wait_for(lambda: len(probe.events()) == 300 or probe.xruns_since(began))
        status, xruns = port.status(), probe.xruns_since(began)
        recording = probe.finish(folder)
    return (due - latency, recording, status), {"xruns": xruns, "messages sent late by the test": stalls}


def test_every_message_is_on_its_frame(jack_with_long_periods: JackServer, tmp_path: Path) -> None:
    due, recording, status = run_undisturbed(lambda: send_300(tmp_path))
    assert (status.backend, status.port, status.late) == ("jack", "Hocket:out", 0)
    number = [(m[2] - 1) * 128 + m[1] for _, m in recording.events]
    assert number == list(range(300))
    off = np.abs(np.array([ns for ns, _ in recording.events]) - due) * 48_000 / 1e9
    print(f"frames off: p50 {np.percentile(off, 50):.2f}, p99 {np.percentile(off, 99):.2f}, max {off.max():.2f}")
    assert np.percentile(off, 99) < 1  # whole frames: half a one is rounding


def test_messages_of_one_instant_keep_their_order(port: JackMidiOutput, probe: JackProbe) -> None:
    due = SystemClock().now() + port.early_ns
    later = bytes((0x90, 1, 1))
    port.send(later, due + 1_000_000)
    chord = [bytes((0x80, 60, 0)), bytes((0x90, 60, 9)), bytes((0x90, 64, 9))]
    for message in chord:
        port.send(message, due)
    wait_for(heard(probe, later))
    assert [m for _, m in probe.events()] == [*chord, later]


def test_late_messages_are_sent_and_counted(port: JackMidiOutput, probe: JackProbe) -> None:
    port.send(bytes((0x90, 60, 1)), SystemClock().now() - 50_000_000)
    port.send(bytes((0x90, 61, 1)), 0)  # as soon as possible is never late
    wait_for(lambda: len(probe.events()) == 2)
    assert (port.status().sent, port.status().late) == (2, 1)


def test_closing_switches_off_what_sounds(port: JackMidiOutput, probe: JackProbe) -> None:
    port.send(bytes((0x93, 60, 100)), 0)
    port.send(bytes((0x93, 61, 100)), 0)
    port.send(bytes((0x83, 61, 0)), 0)
    wait_for(heard(probe, bytes((0x83, 61, 0))))
    port.send(bytes((0x93, 70, 100)), SystemClock().now() + 60_000_000_000)  # was to come, and never does
    pid = port.pid
    port.close()
    port.close()
    assert not alive(pid)
    messages = [m for _, m in probe.events()]
    assert messages[3:] == [bytes((0x83, 60, 64)), *all_notes_off()]


def test_when_the_parent_is_killed_all_notes_end(jack: JackServer, probe: JackProbe) -> None:
    code = """if True:
        from instrument.io.midi.output import *
        port = open_midi("probe:midi_in")
        print(port.pid, flush=True)
        input()
        port.send(bytes((0x90, 60, 100)), 0)
        input()
    """
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdin
    assert parent.stdout
    pid = int(parent.stdout.readline())
    wait_for(lambda: probe.connections("probe:midi_in") == ["Hocket:out"])
    parent.stdin.write("\n")
    parent.stdin.flush()
    wait_for(heard(probe, bytes((0x90, 60, 100))))
    parent.kill()
    parent.wait(5)
    wait_for(heard(probe, all_notes_off()[-1]))
    assert bytes((0x80, 60, 64)) in [m for _, m in probe.events()]
    wait_for(lambda: not alive(pid), 5, "the end of the MIDI process")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_dead_or_hung_process_is_replaced(how: signal.Signals, port: JackMidiOutput, probe: JackProbe) -> None:
    port.send(bytes((0x90, 60, 1)), 0)
    wait_for(heard(probe, bytes((0x90, 60, 1))))
    wait_for(lambda: port._ring.text("connections"))
    pid = port.pid
    os.kill(pid, how)
    wait_for(lambda: port.status().state == "lost")
    port.send(bytes((0x90, 60, 2)), 0)  # dropped, as it would come too late
    wait_for(port.poll)
    assert (port.status().state, port.status().detail) == ("open", "")
    assert not alive(pid)
    wait_for(lambda: probe.connections("probe:midi_in"), what="its connections")
    port.send(bytes((0x90, 60, 3)), 0)
    wait_for(heard(probe, bytes((0x90, 60, 3))))
    assert port.status().sent == 2


def test_a_port_comes_back_with_the_server_connected_as_it_was(jack: JackServer) -> None:
    with JackProbe() as probe:
        port = open_midi("probe:midi_in")
        wait_for(lambda: probe.connections("probe:midi_in"))
        jack.kill()
        wait_for(lambda: port.status().state == "lost")
        assert not port.poll()
        assert not jack_is_running()
    jack.start()
    wait_for(port.poll)
    assert not port.poll()
    with JackProbe() as probe:
        wait_for(lambda: probe.connections("probe:midi_in"), what="the connection as it was")
        port.send(bytes((0x90, 60, 1)), 0)
        wait_for(heard(probe, bytes((0x90, 60, 1))))
    port.close()


def test_a_message_comes_earlier_by_what_the_sound_still_takes(port: JackMidiOutput, probe: JackProbe) -> None:
    latency = port.early_ns - EARLY_NS
    assert 5_000_000 < latency < 20_000_000  # two periods, and what the driver adds
    ns = SystemClock().now() + 100_000_000
    port.send(bytes((0x90, 60, 1)), ns)
    wait_for(heard(probe, bytes((0x90, 60, 1))))
    assert abs(ns - probe.events()[0][0] - latency) < 1_000_000


def send_burst(messages: list[bytes]) -> tuple[list[bytes], dict[str, int]]:
    """A trial: what is heard of messages that are sent at once."""
    with JackProbe() as probe, virtual_port(probe) as port:
        for message in messages:
            port.send(message, 0)
        wait_for(lambda: port.status().sent == len(messages), what="every message")
        wait_for(lambda: len(probe.events()) == len(messages) or probe.xruns(), what="every message")
        return [m for _, m in probe.events()], {"xruns": len(probe.xruns())}


def test_a_burst_loses_nothing(jack: JackServer) -> None:
    messages = [bytes((0x90 | n // 128, n % 128, 1)) for n in range(1500)]  # more than JACK's buffer holds
    assert run_undisturbed(lambda: send_burst(messages)) == messages


def receive_20(
    port: JackMidiOutput, probe: JackProbe
) -> tuple[tuple[list[int], list[tuple[int, bytes]]], dict[str, int]]:
    """A trial: when (ns) messages were to leave for the card, and what an input read of them."""
    lost = len(probe.xruns())
    receiver = JackMidiInput("Hocket bench", "Hocket:out")
    wait_for(lambda: receiver._ring.text("connections"))
    latency = port.early_ns - EARLY_NS
    due = [SystemClock().now() + port.early_ns + i * 7_654_321 for i in range(20)]
    for i, ns in enumerate(due):
        port.send(bytes((0x90, i, 1)), ns)
    got: list[tuple[int, bytes]] = []
    wait_for(lambda: got.extend(receiver.read()) or len(got) == len(due) or len(probe.xruns()) > lost)
    assert receiver.poll() is False
    receiver.close()
    return ([ns - latency for ns in due], got), {"xruns": len(probe.xruns()) - lost}


def test_an_input_stamps_the_frame_on_which_a_message_came(port: JackMidiOutput, probe: JackProbe) -> None:
    due, got = run_undisturbed(lambda: receive_20(port, probe))
    assert [message[1] for _, message in got] == list(range(20))
    off = np.abs(np.array([ns for ns, _ in got]) - due) * 48_000 / 1e9
    print(f"frames off: p50 {np.median(off):.2f}, max {off.max():.2f}")
    assert np.median(off) < 1


def test_ports_are_found_by_name(jack: JackServer, probe: JackProbe) -> None:
    assert list_ports() == ["probe:midi_in"]
    with pytest.raises(HocketError, match=r"'Klavier' is not .* use 'probe:midi_in' or virtual or null"):
        open_midi("Klavier")
    port = open_midi("PROBE")
    wait_for(lambda: probe.connections("probe:midi_in") == [port.status().port])
    port.close()


def test_rtmidi_holds_a_virtual_port(jack: JackServer, probe: JackProbe) -> None:
    port = RtMidiOutput(backend="jack")
    wait_for(lambda: "Hocket:Hocket" in probe.ports())
    probe.connect("Hocket:Hocket", "probe:midi_in")
    port.send(bytes((0x90, 60, 1)), SystemClock().now() - 10_000_000)
    wait_for(heard(probe, bytes((0x90, 60, 1))))
    status = port.status()
    assert (status.port, status.backend, status.sent, status.late) == ("Hocket", "jack", 1, 1)
    port.close()
    port.close()
    assert port.status().state == "closed"


def test_rtmidi_opens_a_port_by_name(jack: JackServer, probe: JackProbe) -> None:
    port = RtMidiOutput("midi_in", backend="jack")
    assert port.status().port == "probe:midi_in"
    port.send(bytes((0x90, 60, 1)), 0)
    wait_for(heard(probe, bytes((0x90, 60, 1))))
    port.close()
    with pytest.raises(HocketError, match="'Klavier'"):
        RtMidiOutput("Klavier", backend="jack")


def test_rtmidi_reopens_a_port_that_was_lost(
    jack: JackServer, probe: JackProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    import rtmidi

    class Unplugged:
        def send_message(self, _: bytes) -> None:
            raise rtmidi.SystemError("unplugged")

        def close_port(self) -> None: ...
        def delete(self) -> None: ...

    port = RtMidiOutput("midi_in", backend="jack")
    port._out.delete()
    port._out = Unplugged()
    port.send(bytes((0x90, 60, 1)), 0)
    assert (port.status().state, port.status().detail, port.status().sent) == ("lost", "unplugged", 0)
    wait_for(port.poll)
    port.send(bytes((0x90, 60, 2)), 0)
    wait_for(heard(probe, bytes((0x90, 60, 2))))
    port.close()


def test_without_a_sequencer_the_reason_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "hocket-no-such-server")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(midi, "_SEQUENCER", "/nowhere/seq")
    for ask in (lambda: open_midi("virtual"), lambda: open_midi("Klavier"), midi._Enumerator().ports):
        with pytest.raises(HocketError, match=r"/nowhere/seq is missing.*modprobe") as caught:
            ask()
        assert "\n" not in str(caught.value)


def test_windows_is_shown_the_way_to_loopmidi(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(midi, "RtMidiOutput", lambda port, name: opened.append(port))
    monkeypatch.setattr(midi._enumerator, "ports", lambda: ["Microsoft GS Wavetable Synth"])
    with pytest.raises(HocketError, match="loopMIDI"):
        open_midi("virtual")
    monkeypatch.setattr(midi._enumerator, "ports", lambda: ["Microsoft GS Wavetable Synth", "loopMIDI Port"])
    open_midi("virtual")
    assert opened == ["loopMIDI Port"]


def test_jack_without_a_server_is_a_named_error(jack: JackServer) -> None:
    jack.stop()
    assert not jack_is_running()
    with pytest.raises(HocketError, match="no MIDI port on JACK"):
        JackMidiOutput("Hocket")


def test_jack_without_its_library_is_a_named_error(
    jack: JackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jack.py").write_text("raise OSError('JACK library not found')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for ask in (lambda: JackMidiOutput("Hocket"), list_ports):
        with pytest.raises(HocketError, match=r"JACK library not found.*apt install"):
            ask()


def test_the_null_port_remembers() -> None:
    clock = ManualClock(1_000_000_000)
    port: MidiOutput = NullMidi(clock)
    port.send(b"\x90\x3c\x01", 2_000_000_000)
    port.send(b"\x80\x3c\x00", 0)
    port.send(b"\x90\x3c\x02", 900_000_000)
    assert isinstance(port, NullMidi)
    assert list(port.messages) == [
        (2_000_000_000, b"\x90\x3c\x01"),
        (1_000_000_000, b"\x80\x3c\x00"),
        (1_000_000_000, b"\x90\x3c\x02"),
    ]
    assert (port.status().sent, port.status().late) == (3, 1)
    port.close()
    assert [m for _, m in port.messages][3:] == all_notes_off()
