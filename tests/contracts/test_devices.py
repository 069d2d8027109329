"""What every audio output, every MIDI output and every clock keeps to, adapters and stand-ins alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from instrument.errors import HocketError
from instrument.io.audio.output import DeviceAudio, NullAudio
from instrument.io.clocks import ManualClock, SystemClock
from instrument.io.midi.input import NullMidiInput, RtMidiInput
from instrument.io.midi.jack_port import EARLY_NS, JackMidiInput, JackMidiOutput
from instrument.io.midi.output import NullMidi, RtMidiOutput
from instrument.io.ports import AudioOutput, Clock, MidiInput, MidiOutput
from tests.support.feeding import coded
from tests.support.jack import wait_for

Pass = Callable[[], object]  # lets time pass for a device


def lost_audio() -> DeviceAudio:
    audio = DeviceAudio("no such device")
    with pytest.raises(HocketError, match="'no such device'"):
        audio.start()
    return audio


@pytest.fixture(params=["null", "null by hand", "device", "device lost"])
def audio(request: pytest.FixtureRequest) -> Iterator[tuple[AudioOutput, Pass]]:
    clock = ManualClock()
    output: AudioOutput
    if request.param == "null by hand":
        output, pass_time = NullAudio(clock), lambda: clock.advance(5_000_000)
    else:
        pass_time = lambda: time.sleep(0.005)  # noqa: E731
        if request.param == "null":
            output = NullAudio()
        else:
            request.getfixturevalue("jack")
            output = DeviceAudio() if request.param == "device" else lost_audio()
    yield output, pass_time
    output.close()


def play(audio: AudioOutput, pass_time: Pass, frames: int, lead: int = 2048) -> None:
    """Write until `frames` more were played."""
    goal = audio.status().played + frames
    end = time.monotonic() + 15
    while audio.status().played < goal:
        assert time.monotonic() < end
        if room := audio.free(lead):
            audio.write(coded(audio.status().written, room))
        pass_time()


def test_audio_outputs(audio: tuple[AudioOutput, Pass]) -> None:
    output, pass_time = audio
    output.start()
    output.start()  # a second time does nothing
    status = output.status()
    assert status.state in ("running", "lost")
    assert (output.rate, status.rate) == (48_000, 48_000)
    assert status.written == 0

    assert output.free(2048) == 2048
    output.write(np.zeros((300, 2), np.float32))
    assert 2048 - 300 <= output.free(2048) <= 2048
    play(output, pass_time, 9600)
    status = output.status()
    assert 0 <= status.written - status.played <= 2048
    assert (status.blocks > 0) == (status.state == "running")
    assert status.block > 0
    assert status.latency_ns >= 0

    # Frames are heard in order, a rate's distance apart, and the next one to be written soon.
    first, later = output.heard_ns(status.written), output.heard_ns(status.written + 48_000)
    assert later - first == pytest.approx(1_000_000_000, rel=0.006)

    assert output.poll() is False
    output.close()
    output.close()
    assert output.status().state == "stopped"


def test_a_frame_written_now_is_heard_after_the_lead(audio: tuple[AudioOutput, Pass]) -> None:
    output, pass_time = audio
    if output.status().state == "stopped":
        output.start()
    play(output, pass_time, 9600)
    ahead = []
    for _ in range(9):
        play(output, pass_time, 512)
        status = output.status()
        now = output._clock.now() if isinstance(output, NullAudio) else time.perf_counter_ns()
        ahead.append(
            output.heard_ns(status.written) - now - (status.written - status.played) * 1e9 / 48_000 - status.latency_ns
        )
    assert abs(np.median(ahead)) < 15e6  # a block more or less, and what a busy machine adds


@pytest.fixture(params=["null", "null that takes them early", "rtmidi", "jack"])
def port(request: pytest.FixtureRequest) -> Iterator[MidiOutput]:
    output: MidiOutput
    if request.param.startswith("null"):
        output = NullMidi(early_ns=EARLY_NS if "early" in request.param else 0)
    else:
        request.getfixturevalue("jack")
        output = RtMidiOutput(backend="jack") if request.param == "rtmidi" else JackMidiOutput("Hocket")
    yield output
    output.close()


def test_midi_outputs(port: MidiOutput) -> None:
    assert port.early_ns >= 0
    assert port.status().state == "open"
    now = time.perf_counter_ns()
    port.send(bytes((0x90, 60, 100)), now + 100_000_000)
    port.send(bytes((0x80, 60, 0)), now + 110_000_000)
    port.send(bytes((0xB0, 7, 100)), 0)
    wait_for(lambda: port.status().sent == 3)
    status = port.status()
    assert (status.late, status.detail) == (0, "")
    assert status.port
    assert status.backend
    assert port.poll() is False
    port.close()
    port.close()
    assert port.status().state != "open"
    port.send(bytes((0x90, 60, 100)), 0)  # to nobody, without complaint


@pytest.fixture(params=["null", "rtmidi", "jack"])
def keyboard(request: pytest.FixtureRequest) -> Iterator[tuple[MidiInput, Callable[[bytes], None]]]:
    """An input, and what plays on it."""
    if request.param == "null":
        null = NullMidiInput()
        yield null, lambda message: null.messages.append((time.perf_counter_ns(), message))
        null.close()
        return
    request.getfixturevalue("jack")
    keys = JackMidiOutput("keys")
    port = RtMidiInput("keys", backend="jack") if request.param == "rtmidi" else JackMidiInput("Hocket in", "keys:out")
    wait_for(lambda: keys._ring.text("connections"), what="the connection")
    yield port, lambda message: keys.send(message, 0)
    port.close()
    keys.close()


def test_midi_inputs(keyboard: tuple[MidiInput, Callable[[bytes], None]]) -> None:
    port, play = keyboard
    assert port.status().state == "open"
    assert port.status().port
    assert port.status().backend
    sent = [bytes((0x90, 60, 100)), bytes((0xB0, 7, 100)), bytes((0x80, 60, 0))]
    began = time.perf_counter_ns()
    for message in sent:
        play(message)
    got: list[tuple[int, bytes]] = []
    wait_for(lambda: got.extend(port.read()) or len(got) >= 3)
    assert [message for _, message in got] == sent
    times = [ns for ns, _ in got]
    assert times == sorted(times)
    assert began - 20_000_000 < times[0] < time.perf_counter_ns() + 20_000_000
    assert port.read() == []
    assert port.poll() is False
    port.close()
    port.close()
    assert port.status().state != "open"


@pytest.mark.parametrize("clock", [SystemClock(), ManualClock()])
def test_clocks(clock: Clock) -> None:
    start = clock.now()
    clock.sleep_until(start - 1)
    clock.sleep_until(start + 2_000_000)
    assert clock.now() >= start + 2_000_000
