"""Sound players at the mix thread of a null device that keeps what it is given."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from instrument.engine.performance.arrangement import LIVE_CHANNEL
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.engine.sound.mix_thread import LEAD_S, MixThread
from instrument.engine.sound.spectrum import BANDS, HIGH_HZ, LOW_HZ, spectrum
from instrument.io.audio.output import NullAudio
from instrument.music.timebase import TempoMap
from tests.support.jack import wait_for
from tests.support.sound import cents_off, level_db, roughness
from tests.support.sounds import AMPLITUDE, open_any

MS = 1_000_000
DUO = Patch(players=(PlayerPatch("sines"), PlayerPatch("whistle", {"part": "keys"})))


class Stage:
    def __init__(self) -> None:
        self.sound = MixThread(NullAudio(keep=True))
        self.sound.audio.start()
        self.performance = Performance(DUO, open_any)
        self.sound.arrange(self.performance)
        self.sound.start()

    def set(self, knob: str, value: float | str, player: int) -> None:
        self.performance.set(knob, value, player)
        self.sound.arrange(self.performance)

    def begin(self) -> None:
        self.sound.retime(TempoMap.start(120, 0, time.perf_counter_ns() + 80 * MS))

    def heard(self, frames: int) -> np.ndarray:
        """What comes next."""
        audio, first = self.sound.audio, len(self.sound.audio.recorded)
        wait_for(lambda: len(audio.recorded) >= first + frames)
        return audio.recorded[first : first + frames]


@pytest.fixture
def stage():
    stage = Stage()
    yield stage
    stage.sound.close()
    wait_for(lambda: not [thread for thread in threading.enumerate() if thread.name == "stream"], what="its threads")


def test_a_stream_begins_fades_and_follows_its_strip(stage):
    assert level_db(stage.heard(2000)) < -90
    stage.begin()
    wait_for(lambda: level_db(stage.heard(1000)) > -20)
    assert abs(cents_off(stage.heard(12_000), 48_000, 69)) < 10 or stage.sound.audio.status().starved
    stage.set("level", -12.0, 0)
    wait_for(lambda: np.abs(stage.heard(1000)).max() == pytest.approx(AMPLITUDE / 3.98, rel=0.05))
    assert stage.sound.peaks(2)[0][0] == pytest.approx((-26, -26), abs=13)
    stage.set("mute", 1, 0)
    wait_for(lambda: level_db(stage.heard(1000)) < -90)
    stage.set("mute", 0, 0)
    wait_for(lambda: level_db(stage.heard(1000)) > -50)
    stage.sound.retime(None)
    wait_for(lambda: level_db(stage.heard(1000)) < -90)


def test_keys_of_a_person_go_to_the_voice(stage):
    stage.sound.play(bytes((0x90 | LIVE_CHANNEL, 72, 127)))
    wait_for(lambda: np.abs(stage.heard(500)).max() > 0.9 * AMPLITUDE)
    assert abs(cents_off(stage.heard(12_000), 48_000, 72)) < 10 or stage.sound.audio.status().starved
    stage.set("part", "melody", 1)
    stage.sound.play(bytes((0x80 | LIVE_CHANNEL, 72, 0)))  # it ends where it sounds
    wait_for(lambda: level_db(stage.heard(1000)) < -90)


def test_less_lies_ready_while_a_voice_has_keys(stage):
    audio = stage.sound.audio

    def ready() -> float:
        status = audio.status()
        return (status.written - status.played) / status.rate

    wait_for(lambda: ready() <= stage.sound._keyed_lead_s)
    assert stage.sound._keyed_lead_s <= LEAD_S
    stage.set("part", "bass", 1)
    wait_for(lambda: ready() > 0.022)


def test_another_rate_takes_all_along(stage):
    stage.begin()
    wait_for(lambda: level_db(stage.heard(1000)) > -20)
    other = NullAudio(rate=44_100, keep=True)
    other.start()
    stage.sound.use(other)
    wait_for(lambda: len(other.recorded) > 30_000)
    assert abs(cents_off(other.recorded[-12_000:], 44_100, 69)) < 10 or other.status().starved
    stage.sound.retime(None)
    wait_for(lambda: level_db(stage.heard(1000)) < -90)
    stage.sound.play(bytes((0x90 | LIVE_CHANNEL, 72, 127)))
    wait_for(lambda: level_db(stage.heard(1000)) > -30)


def test_who_leaves_fades_and_who_comes_is_heard(stage):
    stage.begin()
    wait_for(lambda: level_db(stage.heard(1000)) > -20)
    first = len(stage.sound.audio.recorded)
    stage.performance.leave(0)
    stage.sound.arrange(stage.performance)
    wait_for(lambda: level_db(stage.heard(1000)) < -90)
    assert roughness(stage.sound.audio.recorded[first:]).max() < 0.005 or stage.sound.audio.status().starved
    stage.performance.load("sines", 1)
    stage.sound.arrange(stage.performance)
    wait_for(lambda: level_db(stage.heard(1000)) > -20)
    assert stage.sound.players.underruns(2) == (0, 0) or stage.sound.audio.status().starved


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
