"""Devices that are not there at the start, and come later: a real JACK server, started after the engine."""

from dataclasses import replace

import numpy as np
import pytest

from instrument.engine import devices as module
from instrument.engine.devices import KINDS, MIDI, RETRY_S, Devices, best_audio, best_midi
from instrument.engine.ipc.messages import Play, Stop
from instrument.engine.keyboard_receiver import KeyboardReceiver
from instrument.engine.midi.midi_input import Listener
from instrument.engine.midi.ports import MidiPorts
from instrument.engine.note_thread import NoteThread
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.pool.model_pool import ModelPool
from instrument.engine.sound.mix_thread import MixThread
from instrument.errors import HocketError
from instrument.io.clocks import SystemClock
from instrument.io.device_snapshot import device_snapshot
from instrument.io.midi.input import NullMidiInput
from instrument.io.midi.output import NullMidi
from tests.support.engine import start_engine
from tests.support.jack import JackProbe, wait_for
from tests.support.players import open_scale

__all__ = ["start_engine"]  # the fixture


@pytest.fixture
def no_jack(jack):
    """The server that these tests would use, not yet started."""
    jack.stop()
    return jack


def test_what_appears_after_the_start_is_taken_while_the_music_plays(no_jack, start_engine, tmp_path):
    engine = start_engine(audio="", midi="")
    engine.until(lambda: engine.telemetry.audio == engine.telemetry.midi == "null")
    told = " ".join(engine.telemetry.banners)
    assert "not playing to any device until there is one" in told
    assert "not sending to any port until there is one" in told
    engine.client.ask(Play())
    engine.hear(3)

    no_jack.start()
    engine.until(lambda: engine.telemetry.midi == "Hocket:out (jack)", 15, "the port on JACK")
    engine.until(lambda: engine.telemetry.audio.endswith("48000 Hz"), 15, "the device on JACK")
    engine.until(lambda: any("now playing to" in banner for banner in engine.telemetry.banners))
    engine.until(lambda: not any("until" in banner for banner in engine.telemetry.banners))
    engine.until(lambda: engine.description.audio_devices, what="the list of devices")
    with JackProbe() as probe:
        probe.connect("Hocket:out", "probe:midi_in")
        wait_for(lambda: any(m[0] & 0xF0 == 0x90 for _, m in probe.events()), what="notes at the port")
        client = next(name.partition(":")[0] for name in probe.ports() if name.endswith(":out_0"))
        probe.listen(client)
        own = {name for name in probe.ports() if name.startswith(f"{client}:")}
        assert own == {f"{client}:out_0", f"{client}:out_1"}, "no audio input is opened"
        engine.hear(8)
        engine.client.ask(Stop())
        recording = probe.finish(tmp_path)
    assert np.abs(recording.sound).max() > 0.01
    ticks = [note.tick for note in engine.committed]
    assert ticks == sorted(ticks), "the music went on"


def test_a_port_that_was_asked_for_is_taken_when_it_appears(jack, start_engine):
    engine = start_engine(midi="probe:midi_in")
    engine.until(lambda: any("sending to Hocket:out until it appears" in b for b in engine.telemetry.banners))
    with JackProbe() as probe:
        wait_for(lambda: probe.connections("probe:midi_in") == ["Hocket:out"], what="the connection")
        engine.until(lambda: not any("until" in banner for banner in engine.telemetry.banners))


class NamedMidi(NullMidi):
    """A port that is there."""

    def __init__(self, name):
        super().__init__()
        self.name = name

    def status(self):
        return replace(super().status(), port=self.name, backend="alsa")


class Rig:
    """Devices wound by hand, which open when they are allowed to."""

    def __init__(self, monkeypatch):
        self.now, self.tries, self.there, self.snapshot, self.room = 0.0, [], set(), 0, True
        audio, _ = best_audio("null")
        self.sound, self.ports = MixThread(audio), MidiPorts(SystemClock(), NullMidi())
        self.scheduler = self.ports.first
        self.devices = Devices(self.sound, self.ports, self.listener(), lambda: self.now)
        monkeypatch.setattr(module, "device_snapshot", lambda: self.snapshot)
        monkeypatch.setattr(module, "open_midi", self.open)
        monkeypatch.setattr(module, "check_port", self.check)
        lists = dict.fromkeys(KINDS, list) | {MIDI: lambda: sorted(self.there)}
        monkeypatch.setattr(module, "_LISTS", lists)

    def listener(self):
        players = ModelPool(open_scale)
        patch = Patch(players=(PlayerPatch("scale"),))
        return Listener(
            NullMidiInput(), self.sound.play, KeyboardReceiver(NoteThread(SystemClock(), players, patch, ()))
        )

    def check(self, name):
        if name != "virtual":
            self.tries.append(self.now)
        if name not in self.there:
            raise HocketError(f"{name} is not there")

    def open(self, name, called=""):
        if called and not self.room:
            raise HocketError("no room for another port")
        return NamedMidi(called or name)

    def turn(self):
        """Poll until what it began is done."""
        self.devices.poll()
        wait_for(lambda: self.devices._attempt is None or self.devices._attempt.done(), 5)


@pytest.fixture
def rig(monkeypatch):
    rig = Rig(monkeypatch)
    yield rig
    rig.devices.close()
    rig.sound.close()


def test_tries_become_rarer_until_something_changes(rig):
    rig.devices.add_missing(MIDI, "Keys", "no Keys")
    for _ in range(400):
        rig.now += 0.25
        rig.turn()
    assert len(rig.tries) <= 4 + 100 / RETRY_S[-1] + len(RETRY_S)
    waits = np.diff(rig.tries)
    assert (np.diff(waits[1:]) >= 0).all()
    rig.snapshot, count = 1, len(rig.tries)
    rig.turn()
    assert len(rig.tries) == count + 1, "at once"
    assert "no Keys" in rig.devices.banners


def test_it_is_told_that_it_was_found_and_then_no_more(rig):
    rig.devices.add_missing(MIDI, "Keys", "no Keys")
    rig.there.add("Keys")
    rig.turn()
    assert rig.devices.available[MIDI] == ("Keys",)
    assert [text for text in rig.devices.banners if text] == ["the device is back: now sending to Keys"]
    rig.now += 60
    rig.turn()
    assert not any(rig.devices.banners)
    assert len(rig.tries) == 1


def test_any_other_serves_until_the_one_that_was_asked_for_is_there(rig):
    rig.devices.add_missing(MIDI, "Keys", "no Keys")
    rig.there.add("virtual")
    rig.turn()
    assert rig.scheduler.port.name == "virtual"
    told = [text for text in rig.devices.banners if text]
    assert told == ["'Keys' is missing: now sending to virtual until it appears"]
    rig.now += 60
    rig.turn()
    assert rig.scheduler.port.name == "virtual"
    rig.there.add("Keys")
    rig.now += 60
    rig.turn()
    assert rig.scheduler.port.name == "Keys"


def test_another_choice_makes_it_forget_the_wish(rig):
    rig.devices.add_missing(MIDI, "Keys", "no Keys")
    rig.there.add("Synth")
    rig.devices.call(lambda: rig.devices.use(MIDI, "Synth")).result(5)
    rig.there.add("Keys")
    rig.now += 60
    rig.turn()
    assert len(rig.tries) == 1
    with pytest.raises(HocketError, match="Piano"):
        rig.devices.use(MIDI, "Piano")
    assert not any(rig.devices.banners)


def test_ports_are_opened_as_the_players_need_them_and_closed_again(rig):
    names = lambda: [each.port.status().port for each in rig.ports.all]  # noqa: E731
    rig.turn()
    rig.ports.wanted = 2
    rig.turn()
    assert names() == ["null", "null"], "without MIDI they lead nowhere"
    rig.there.add("virtual")
    rig.devices.use(MIDI, "virtual")
    rig.turn()
    assert names() == ["virtual", "Hocket 2"]
    rig.room, rig.ports.wanted = False, 3
    rig.turn()
    assert any("2 of 3 MIDI ports are open: no room for another port" in each for each in rig.devices.banners)
    rig.room, rig.now = True, rig.now + RETRY_S[-1]
    rig.turn()
    assert names() == ["virtual", "Hocket 2", "Hocket 3"]
    assert not any("MIDI ports are open" in each for each in rig.devices.banners)
    rig.ports.wanted = 1
    rig.turn()
    assert names() == ["virtual"]


def test_nothing_asked_for_but_silence_is_never_looked_for():
    for best in (best_audio, best_midi):
        device, banner = best("null")
        assert banner == ""
        device.close()


def test_the_snapshot_changes_when_a_server_starts(no_jack):
    before = device_snapshot()
    assert device_snapshot() == before
    no_jack.start()
    assert device_snapshot() != before
