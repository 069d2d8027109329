"""OSC with a client that sends and receives for real, and with a flood from a second process."""

import json
import socket
import subprocess
import sys
import time

import pytest
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket

from instrument.cli.osc import osc_bridge
from instrument.engine.ipc.messages import KnobInfo, LoadPatch, Play, Press, Remake, SetKnob, SetProgression
from instrument.errors import HocketError
from instrument.osc.addresses import answers, command
from instrument.osc.bridge import address_of
from instrument.processes import command as process_command
from tests.support.engine import start_engine

__all__ = ["start_engine"]  # the fixture

KNOBS = {
    "band/tempo": KnobInfo("tempo", "Tempo", low=20, high=400),
    "band/drums": KnobInfo("drums", "Drums", "choice", choices=("off", "auto", "on")),
}
FLOOD = """
import socket, sys, time
from pythonosc.osc_message_builder import OscMessageBuilder
def packet(address, value):
    builder = OscMessageBuilder(address)
    builder.add_arg(value)
    return builder.build().dgram
packets = [packet("/hocket/band/harmony", i % 100 / 100) for i in range(1000)]
out, began, sent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), time.monotonic(), 0
while (passed := time.monotonic() - began) < float(sys.argv[2]):
    while sent < 10_000 * passed:
        out.sendto(packets[sent % 1000], ("127.0.0.1", int(sys.argv[1])))
        sent += 1
    time.sleep(0.001)
print(sent)
"""


@pytest.mark.parametrize(
    ("address", "values", "wanted"),
    [
        ("/hocket/band/tempo", [96], SetKnob("band/tempo", 96.0)),
        ("/hocket/band/tempo", ["96.5"], SetKnob("band/tempo", "96.5")),
        ("/hocket/band/tempo", [], Press("band/tempo")),
        ("/hocket/band/drums", ["on"], SetKnob("band/drums", "on")),
        ("/hocket/band/drums", [1], SetKnob("band/drums", "auto")),
        ("/hocket/band/drums", [9.0], SetKnob("band/drums", "on")),
        ("/hocket/transport/play", [], Press("transport/play")),
        ("/hocket/transport/tap", [1.0], Press("transport/tap")),
        ("/hocket/transport/tap", [0.0], None),
        ("/hocket/patch", ["Blue trio"], LoadPatch("Blue trio")),
        ("/hocket/chords", ["C | G7"], SetProgression("C | G7")),
        ("/hocket/remake", [1, 4], Remake(bar=4, player=1)),
    ],
)
def test_messages_mean_commands(address, values, wanted):
    assert command(address, values, KNOBS) == wanted


@pytest.mark.parametrize(
    ("address", "values", "says"),
    [
        ("/other/band/tempo", [1], "is no address of Hocket: begin with /hocket/"),
        ("/hocket/band/volume", [1], "there is nothing called 'band/volume'"),
        ("/hocket/patch", [3], "needs a text"),
        ("/hocket/remake", [3], "needs two whole numbers: the player, and a bar from 1"),
        ("/hocket/patch", ["x" * 30_000], "needs a text"),
        ("/hocket/band/tempo", [b"blob"], "needs a number or a text"),
        ("/hocket/band/tempo", [float("nan")], "needs a number or a text"),
        ("/hocket/band/drums", [float("inf")], "needs a number or a text"),
        ("/hocket/remake", [True, 4], "needs two whole numbers"),
        ("/hocket/", [], "there is nothing called ''"),
    ],
)
def test_messages_without_a_meaning_are_refused(address, values, says):
    with pytest.raises(HocketError, match=says):
        command(address, values, KNOBS)


def test_queries_are_answered():
    values, state = {"band/tempo": 90.0, "band/drums": "on"}, {"playing": [1], "position": [2, 3]}
    assert answers("/hocket/band/tempo?", values, state) == {"/hocket/band/tempo": [90.0]}
    assert answers("/hocket/position?", values, state) == {"/hocket/position": [2, 3]}
    assert len(answers("/hocket/?", values, state)) == 4
    with pytest.raises(HocketError, match="there is nothing called 'x'"):
        answers("/hocket/x?", values, state)


def test_addresses_are_on_loopback_unless_told_otherwise():
    assert address_of("9000") == ("127.0.0.1", 9000)
    assert address_of("0.0.0.0:9000") == ("0.0.0.0", 9000)
    for wrong in ("", "host", "1.2.3.4:", "70000", "9000:x"):
        with pytest.raises(HocketError, match="is no address for OSC"):
            address_of(wrong)


class Client:
    """An OSC client on a port of its own."""

    def __init__(self):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.to = None

    def send(self, address, *values):
        builder = OscMessageBuilder(address)
        for value in values:
            builder.add_arg(value)
        self.raw(builder.build().dgram)

    def raw(self, data):
        self._socket.sendto(data, ("127.0.0.1", self.to))

    def hear(self, address, values=None, seconds=10.0):
        """Wait for a message of this address (and with these values); returns its values."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                message = OscPacket(self._socket.recv(65536)).messages[0].message
            except TimeoutError:
                break
            if message.address == address and values in (None, list(message.params)):
                return list(message.params)
        return pytest.fail(f"waited {seconds:g} s in vain for {address} {values or ''}")

    def close(self):
        self._socket.close()


@pytest.fixture
def client():
    client = Client()
    yield client
    client.close()


def starved_in(engine, seconds):
    """Blocks that starve within so many seconds."""
    engine.until(lambda: engine.telemetry.playing)
    before, ends = engine.telemetry.starved, time.monotonic() + seconds
    engine.until(lambda: time.monotonic() > ends, seconds + 10)
    return engine.telemetry.starved - before


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as some:
        some.bind(("127.0.0.1", 0))
        return some.getsockname()[1]


@pytest.mark.parametrize("figures", [False, pytest.param(True, marks=pytest.mark.trial)])
def test_an_engine_is_turned_asked_and_flooded_by_osc(figures, start_engine, client):
    engine = start_engine()
    engine.client.ask(Play())
    client.to = free_port()
    with osc_bridge(str(client.to), str(client.port)):
        client.hear("/hocket/band/harmony", [0.5])
        client.send("/hocket/band/tempo", 90)
        client.hear("/hocket/band/tempo", [90.0])
        engine.until(lambda: engine.description.values["band/tempo"] == 90)
        client.send("/hocket/band/tempo?")
        assert client.hear("/hocket/band/tempo") == [90.0]
        client.send("/hocket/band/drums", "on")
        client.hear("/hocket/band/drums", ["on"])
        client.send("/hocket/transport/stop")
        client.hear("/hocket/playing", [0])
        client.send("/hocket/band/tempo", 1000)
        assert "give 20 to 400" in client.hear("/hocket/error")[0]
        other = Client()
        other.to = client.to
        other.send("/hocket/band/tempo", 2000)
        client.send("/hocket/band/tempo?")
        assert "tempo cannot be 2000" in other.hear("/hocket/error")[0], "who asked is told"
        other.close()
        client.send("/hocket/band/volume", 1)
        assert "there is nothing called" in client.hear("/hocket/error")[0]
        for damaged in (b"", b"/hocket", b"#bundle\0", b"\xff" * 1000, b"/hocket/band/tempo\0\0,f\0\0"):
            client.raw(damaged)
        client.send("/hocket/transport/play")
        client.hear("/hocket/playing", [1])
        control = starved_in(engine, 2)
        before = engine.telemetry.starved
        flood = subprocess.Popen([sys.executable, "-c", FLOOD, str(client.to), "2"], stdout=subprocess.PIPE, text=True)
        slowest, presses = 0.0, 0
        while flood.poll() is None:
            began = time.monotonic()
            engine.client.ask(SetKnob("band/vary", presses % 2))
            slowest, presses = max(slowest, time.monotonic() - began), presses + 1
            time.sleep(0.05)
        sent = int(flood.communicate()[0])
        client.send("/hocket/band/harmony", 0.125)
        client.hear("/hocket/band/harmony", [0.125])
        engine.until(lambda: engine.telemetry.playing)
        starved = engine.telemetry.starved - before
        if figures:
            print(
                f"{sent} messages in 2 s: {starved} starved blocks, {control} in 2 s without; slowest {slowest:.3f} s"
            )
            assert sent > 15_000
            assert starved <= control
            assert slowest < 1, "the engine goes on answering its window"


def test_a_port_that_is_taken_is_named(client):
    with (
        pytest.raises(HocketError, match=f"cannot listen for OSC at 127.0.0.1:{client.port}"),
        osc_bridge(str(client.port), ""),
    ):
        pass
    with pytest.raises(HocketError, match="--osc-out needs --osc"), osc_bridge("", "9000"):
        pass
    done = subprocess.run(process_command("osc", "nowhere"), capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, json.loads(done.stdout)[:9]) == (1, "'nowhere'")
