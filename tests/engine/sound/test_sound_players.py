"""Sound players at the mix thread of a null device that keeps what it is given, in a time that the tests let pass."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.engine.sound import lead
from instrument.engine.sound.lead import KEYED_LEAD_S, LEAD_S, PLAYED_LEAD_S
from instrument.engine.sound.mix_thread import MixThread
from instrument.engine.sound.mixer import BLOCK, SHORT_BLOCK
from instrument.engine.sound.spectrum import BANDS, HIGH_HZ, LOW_HZ, spectrum
from instrument.io.audio.output import NullAudio
from instrument.io.clocks import ManualClock
from instrument.midi_spec import note_off, note_on
from instrument.music.timebase import TempoMap
from tests.support.feeding import let_play
from tests.support.jack import wait_for
from tests.support.sound.analysis import cents_off, level_db, roughness
from tests.support.sound.players import AMPLITUDE, open_any

MS = 1_000_000
DUO = Patch(players=(PlayerPatch("sines"), PlayerPatch("whistle", {"part": "keys"})))


class Stage:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.sound = MixThread(NullAudio(self.clock, keep=True))
        self.sound.audio.start()
        self.performance = Performance(DUO, open_any)
        self.sound.arrange(self.performance)
        self.sound.start()

    def set(self, knob: str, value: float | str, player: int) -> None:
        self.performance.set(knob, value, player)
        self.sound.arrange(self.performance)

    def begin(self) -> None:
        """Start the time of the music, 80 ms from now."""
        self.sound.retime(TempoMap.start(120, 0, self.clock.now() + 80 * MS))

    def heard(self, frames: int) -> np.ndarray:
        """What comes next."""
        return let_play(self.sound, self.clock, frames)


@pytest.fixture
def stage(monkeypatch):
    monkeypatch.setattr(lead, "BUSY_LEAD_S", 0.0)  # a busy machine would lengthen the lead
    stage = Stage()
    yield stage
    assert stage.sound.audio.status().starved == 0
    stage.sound.close()
    wait_for(lambda: not [thread for thread in threading.enumerate() if thread.name == "stream"], what="its threads")


def test_a_stream_begins_fades_and_follows_its_strip(stage):
    assert level_db(stage.heard(2000)) < -90
    stage.begin()
    assert level_db(stage.heard(3000)) < -90
    stage.heard(3000)
    assert abs(cents_off(stage.heard(12_000), 48_000, 69)) < 3
    stage.set("level", -12.0, 0)
    stage.heard(4000)
    stage.sound.peaks(2)  # since then
    assert np.abs(stage.heard(4800)).max() == pytest.approx(AMPLITUDE / 3.98, rel=0.01)
    assert stage.sound.peaks(2)[0][0] == pytest.approx((-26, -26), abs=0.1)
    for change, audible in (
        (lambda: stage.set("mute", 1, 0), False),
        (lambda: stage.set("mute", 0, 0), True),
        (lambda: stage.sound.retime(None), False),
    ):
        change()
        stage.heard(4000)
        assert (level_db(stage.heard(2000)) > -35) == audible
    assert level_db(stage.heard(1000)) < -90
    assert stage.sound.players.underruns(2) == (0, 0)


def test_keys_of_a_person_go_to_the_voice(stage):
    stage.heard(2000)
    stage.sound.play(note_on(5, 72, 127))
    struck = stage.heard(14_000)
    assert np.abs(struck[:1000]).max() > 0.9 * AMPLITUDE, "at once"
    assert abs(cents_off(struck[2000:], 48_000, 72)) < 3
    stage.set("part", "melody", 1)
    stage.sound.play(note_off(5, 72))  # it ends where it sounds
    stage.heard(4000)
    assert level_db(stage.heard(1000)) < -90


def test_less_lies_ready_while_a_person_plays(stage):
    def ready() -> float:
        stage.heard(10 * BLOCK)
        status = stage.sound.audio.status()
        wait_for(lambda: stage.sound.audio.free(int(lead_s * status.rate)) < block, what="the mixer to be ahead")
        status = stage.sound.audio.status()
        return (status.written - status.played) / status.rate

    lead_s, block = KEYED_LEAD_S, SHORT_BLOCK
    assert max(lead_s, 2 * BLOCK / 48_000) - block / 48_000 < ready() <= max(lead_s, 2 * BLOCK / 48_000)
    stage.set("part", "bass", 1)
    lead_s, block = LEAD_S, BLOCK
    assert lead_s - block / 48_000 < ready() <= lead_s
    stage.sound.play(note_on(0, 60, 1))
    lead_s, block = PLAYED_LEAD_S, SHORT_BLOCK
    assert ready() <= 2 * BLOCK / 48_000, "the null device takes blocks of 256, two of which are the least"


def test_another_rate_takes_all_along(stage):
    stage.begin()
    stage.heard(8000)
    assert level_db(stage.heard(1000)) > -20
    other = NullAudio(stage.clock, rate=44_100, keep=True)
    other.start()
    stage.sound.use(other)
    stage.heard(8000)
    assert abs(cents_off(stage.heard(12_000), 44_100, 69)) < 3
    assert stage.sound.players.underruns(2) == (0, 0)
    stage.sound.retime(None)
    stage.heard(4000)
    assert level_db(stage.heard(1000)) < -90
    stage.sound.play(note_on(5, 72, 127))
    assert level_db(stage.heard(4000)[1000:]) > -20


def test_who_leaves_fades_and_who_comes_is_heard(stage):
    stage.begin()
    stage.heard(8000)
    assert level_db(stage.heard(1000)) > -20
    stage.performance.leave(0)
    stage.sound.arrange(stage.performance)
    fading = stage.heard(4000)
    assert level_db(fading[-1000:]) < -90
    assert roughness(fading).max() < 0.005
    stage.performance.load("sines", 1)
    stage.sound.arrange(stage.performance)
    wait_for(lambda: level_db(stage.heard(1000)) > -20)  # it comes as soon as its model has something
    assert stage.sound.players.underruns(2) == (0, 0)


def test_the_spectrum_shows_what_sounds():
    assert spectrum(np.zeros((4096, 2), np.float32), 48_000) == b""
    t = np.arange(6000) / 48_000
    for hertz in (100, 1000, 9000):
        sine = np.repeat(np.sin(2 * np.pi * hertz * t)[:, None], 2, axis=1).astype(np.float32)
        bands = np.frombuffer(spectrum(sine, 48_000), np.uint8)
        assert len(bands) == BANDS
        wanted = BANDS * np.log(hertz / LOW_HZ) / np.log(HIGH_HZ / LOW_HZ)
        assert abs(int(bands.argmax()) - wanted) <= 2
        assert bands.max() > 250
    assert np.frombuffer(spectrum(0.1 * sine, 48_000), np.uint8).max() == pytest.approx(255 * 70 / 90, abs=4)
