"""Clocks with a second process on JACK that sends and receives for real."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from instrument.engine.ipc.messages import FindOffset, Play, Record, SetDevice, SetKnob, Stop
from instrument.engine.offline.render import differences, tempo_map
from instrument.engine.performance.takes import load_take
from instrument.errors import HocketError
from tests.support.engine import start_engine
from tests.support.jack import wait_for
from tests.support.players import open_scale

__all__ = ["start_engine"]  # the fixture

# What is measured in frames is a trial, as a busy machine loses cycles of the server.
FIGURES = pytest.mark.parametrize("figures", [False, pytest.param(True, marks=pytest.mark.trial)])

RATE = 48_000
CLOCK, START, STOP = "f8", "fa", "fc"


class Peer:
    """The other process."""

    def __init__(self, name="peer"):
        script = Path(__file__).with_name("clock_peer.py")
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(script), name], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )
        self._process.stdout.readline()

    def ask(self, *command):
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def pulses(self):
        """Frames of the pulses heard since the last start."""
        heard = self.ask("heard")
        begins = max((i for i, (_, message) in enumerate(heard) if message == START), default=0)
        return np.array([frame for frame, message in heard[begins:] if message == CLOCK], float)

    def close(self):
        self._process.kill()
        self._process.wait(5)


@pytest.fixture
def peer(jack):
    peer = Peer()
    yield peer
    peer.close()


def connected(peer, start_engine):
    engine = start_engine(midi="virtual", **{"midi-in": "virtual"})
    wait_for(lambda: {"Hocket:out", "Hocket in:in"} <= set(peer.ask("ports")), what="the ports")
    peer.ask("connect", "Hocket:out", "peer:in")
    peer.ask("connect", "peer:out", "Hocket in:in")
    return engine


def apart_ms(ours, sent):
    """How much later (ms) each of our pulses is than the nearest that was sent: a lost cycle may have cost some."""
    return np.array([1000 * (pulse - sent[np.abs(sent - pulse).argmin()]) / RATE for pulse in ours])


@FIGURES
def test_a_clock_is_sent(figures, peer, start_engine):
    engine = connected(peer, start_engine)
    engine.client.ask(SetKnob("band/clock_out", "1"))
    engine.client.ask(SetKnob("band/tempo", 125))
    engine.client.ask(Play())
    engine.until(lambda: len(peer.pulses()) > 100, 40)
    engine.client.ask(Stop())
    wait_for(lambda: peer.ask("heard")[-1][1] == STOP or STOP in [message for _, message in peer.ask("heard")[-64:]])
    pulses = peer.pulses()
    steps = np.diff(pulses)
    if figures:
        print(f"pulses more than a frame off: {np.mean(np.abs(steps - 960) > 1):.3%}")
        assert np.median(steps) == 960, "24 pulses a beat"
        assert np.mean(np.abs(steps - 960) <= 1) > 0.95, "on their frames, but for lost cycles"
    assert [message for _, message in peer.ask("heard") if message in (START, STOP)] == [START, STOP]


@FIGURES
def test_a_clock_is_followed_and_the_take_renders_in_its_time(figures, peer, start_engine, tmp_path):
    engine = connected(peer, start_engine)
    engine.client.ask(SetKnob("band/follow", "clock"))
    engine.client.ask(SetKnob("band/clock_out", "1"))
    take = tmp_path / "clock.take.json"
    engine.client.ask(Record(str(take)))
    peer.ask("clock", 120, 3.0)
    engine.until(lambda: engine.telemetry.playing, seconds=30, what="the start")
    engine.until(lambda: len(peer.pulses()) > 150, 40)
    with pytest.raises(HocketError, match="the tempo is that of the clock outside"):
        engine.client.ask(SetKnob("band/tempo", 90))
    engine.until(lambda: engine.telemetry.time.startswith("clock: running, 1"))
    peer.ask("tempo", 150)
    engine.until(lambda: len(peer.pulses()) > 300, 40)
    ours, sent = peer.pulses(), np.array(peer.ask("sent"))
    peer.ask("stop")
    engine.until(lambda: not engine.telemetry.playing, seconds=30, what="the stop")
    if figures:
        before, after = apart_ms(ours[96:140], sent), apart_ms(ours[240:290], sent)
        print(f"ms apart, at 120 and then 150 beats a minute: {np.median(before):.2f}, {np.median(after):.2f}")
        assert abs(np.median(before)) < 3, "the control: the pulses come with a jitter of 3 ms"
        assert abs(np.median(after)) < 3, "and so after the change of tempo"
    played = load_take(take)
    assert differences(played, open_scale) == []
    tempo = tempo_map(played)
    assert not figures or (tempo.ns(280) - tempo.ns(200)) / 1e9 == pytest.approx(
        (sent[280] - sent[200]) / RATE, abs=0.02
    )


@FIGURES
def test_jack_s_transport_is_followed_and_driven(figures, peer, start_engine):
    engine = connected(peer, start_engine)
    engine.client.ask(SetKnob("band/follow", "jack"))
    engine.client.ask(SetKnob("band/clock_out", "1"))
    peer.ask("tempo", 133)
    engine.until(lambda: "stopped" in engine.telemetry.time, what="the transport")
    peer.ask("locate", RATE * 60 * 4 // 133 * 2)  # the third bar
    peer.ask("roll")
    engine.until(lambda: engine.telemetry.playing and engine.telemetry.bar >= 3, seconds=30, what="the roll")
    engine.until(lambda: len(peer.pulses()) > 120, 40)
    ours, (rolling, frame, now) = peer.pulses()[-60:], peer.ask("transport")
    assert rolling
    step = RATE * 60 / 133 / 24
    phase = (ours - now + frame) / step
    if figures:
        apart = np.median((phase + 0.5) % 1 - 0.5) * step / RATE * 1000
        print(f"ms apart from the transport: {apart:.2f}")
        assert abs(apart) < 3, "its pulses fall on those of the transport"
    peer.ask("halt")
    engine.until(lambda: not engine.telemetry.playing, what="the halt")
    engine.client.ask(Play())
    engine.until(lambda: engine.telemetry.playing, what="the roll that was asked for")
    assert peer.ask("transport")[0]
    engine.client.ask(Stop())
    wait_for(lambda: peer.ask("transport")[:2] == [False, 0], what="the halt that was asked for")


def test_the_offset_is_found_over_a_loop_and_kept_by_the_names_of_port_and_device(peer, start_engine):
    engine = connected(peer, start_engine)
    with pytest.raises(
        HocketError, match="no loop is heard: connect the MIDI output Hocket:out to the MIDI input Hock"
    ):
        engine.client.ask(FindOffset(), 20)
    peer.ask("echo", 30)
    engine.client.ask(FindOffset(), 20)
    engine.until(lambda: engine.description.offset_ms == pytest.approx(-30, abs=3), what="the offset")
    found = engine.description.offset_ms
    engine.client.ask(SetDevice(midi="null"), 60)
    engine.until(lambda: engine.description.offset_ms == 0, what="that of another port")
    engine.client.ask(SetDevice(midi="virtual"), 60)
    engine.until(lambda: engine.description.offset_ms == found, what="that of the first")
    engine.client.ask(SetDevice(midi="peer:in"), 60)
    engine.until(lambda: engine.description.offset_ms == 0, what="that of a port by its name, on JACK too")
    engine.client.ask(Play())
    with pytest.raises(HocketError, match="while the music plays: stop it first"):
        engine.client.ask(FindOffset(), 20)


def p99_ms(pulses, bpm):
    """Of the deviation of the steps between pulses."""
    return np.percentile(np.abs(np.diff(pulses) - RATE * 60 / bpm / 24), 99) / RATE * 1000


@pytest.mark.trial
def test_the_clock_is_as_even_as_that_of_a_bare_process(peer, start_engine):
    """The control: a process that does nothing but send pulses, to another one, on the same server at the same time."""
    engine = connected(peer, start_engine)
    bare, receiver = Peer("bare"), Peer("receiver")
    try:
        bare.ask("connect", "bare:out", "receiver:in")
        engine.client.ask(SetKnob("band/clock_out", "1"))
        engine.client.ask(SetKnob("band/tempo", 125))
        engine.client.ask(Play())
        bare.ask("clock", 125, 0)
        engine.until(lambda: len(peer.pulses()) > 1000, 60)
        ours, control = p99_ms(peer.pulses(), 125), p99_ms(receiver.pulses()[:1000], 125)
    finally:
        bare.close()
        receiver.close()
    print(f"p99 of the steps of the clock: {ours:.2f} ms, of a bare process {control:.2f} ms")
    assert ours <= control + 1
