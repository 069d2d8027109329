"""The mixer, measured."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from instrument.engine.sound.mixer import BLOCK, CUT_S, Fader, Mixer
from instrument.engine.voices.base import Voice
from instrument.engine.voices.gain import SILENCE_DB
from instrument.engine.voices.opening import FluidVoice
from instrument.engine.voices.plain import PlainVoice
from instrument.midi_spec import REVERB
from tests.support.sound.analysis import SILENT, level_db, onset, peak_db, roughness

RATE = 48000
FONT = Path(__file__).resolve().parents[3] / "assets" / "soundfont" / "hocket.sf3"
Opened = Callable[[], Voice]


@pytest.fixture(params=["fluid", "plain"])
def opened(request: pytest.FixtureRequest) -> Opened:
    return (lambda: FluidVoice(RATE, FONT)) if request.param == "fluid" else (lambda: PlainVoice(RATE))


class Tone:
    """A source: a sine."""

    def __init__(self, hertz: float, amplitude: float) -> None:
        self._step, self._amplitude, self._frame = 2 * np.pi * hertz / RATE, amplitude, 0

    def render(self, frames: int) -> np.ndarray:
        wave = self._amplitude * np.sin(self._step * (self._frame + np.arange(frames)))
        self._frame += frames
        return np.stack((wave, wave), axis=1).astype(np.float32)


def on(channel: int, key: int, velocity: int = 100) -> bytes:
    return bytes((0x90 | channel, key, velocity))


def off(channel: int, key: int) -> bytes:
    return bytes((0x80 | channel, key, 0))


def program(channel: int, number: int) -> bytes:
    return bytes((0xC0 | channel, number))


def blocks(mixer: Mixer, count: int) -> np.ndarray:
    return np.concatenate([mixer.render() for _ in range(count)])


def perform_something(mixer: Mixer) -> None:
    random = np.random.default_rng(1)
    for channel, number in ((0, 0), (1, 48), (2, 33), (3, 81)):
        mixer.post(0, program(channel, number))
    for _ in range(40):
        frame, length = int(random.integers(0, 40000)), int(random.integers(2000, 20000))
        channel, key = int(random.choice([0, 1, 2, 3, 9])), int(random.integers(36, 60))
        mixer.post(frame, on(channel, key))
        mixer.post(frame + length, off(channel, key))
    mixer.post(20000, Fader("melody", SILENCE_DB))
    mixer.post(31000, Fader("melody", 0))
    mixer.post(25000, Fader("master", 3))
    mixer.post(15001, bytes((0xE0, 0, 90)))


class DryVoice(FluidVoice):
    SETTINGS = (*FluidVoice.SETTINGS, ("synth.reverb.active", 0), ("synth.chorus.active", 0))


@pytest.mark.parametrize("make", [lambda: DryVoice(RATE, FONT), lambda: PlainVoice(RATE)])
def test_onsets_fall_on_their_frames(make: Opened) -> None:
    frames = (1024, 20000 + 17, 40000 + 63, 60000 + 300)
    mixer = Mixer(RATE, make())
    mixer.post(0, program(0, 115))
    for frame in frames:
        mixer.post(frame, on(0, 80, 127))
        mixer.post(frame + 2000, off(0, 80))
    sound = blocks(mixer, 320)
    grain = mixer.voice.grain
    attack = None  # from the note's frame to where it is heard, the same for all
    for frame in frames:
        stroke = sound[frame - 500 : frame + 2000]
        heard = onset(np.where(np.abs(stroke) > 0.05 * np.abs(stroke).max(), stroke, 0)) - 500
        heard -= (frame + grain // 2) // grain * grain - frame
        attack = heard if attack is None else attack
        assert abs(heard - attack) <= 1, frame
    assert attack is not None
    assert 0 <= attack < 0.003 * RATE
    mixer.voice.close()


def test_frame_0_in_is_frame_0_out() -> None:
    class Steps:
        def render(self, frames: int) -> np.ndarray:
            self.frame = getattr(self, "frame", 0) + frames
            ramp = np.arange(self.frame - frames, self.frame, dtype=np.float32) / 1e6
            return np.stack((ramp, -ramp), axis=1)

    mixer = Mixer(RATE, PlainVoice(RATE), {"steps": Steps()})
    sound = blocks(mixer, 4)
    assert np.array_equal(sound[:, 0], np.arange(4 * BLOCK, dtype=np.float32) / 1e6)
    assert np.array_equal(sound[:, 1], -sound[:, 0])
    assert mixer.horizon == 4 * BLOCK + RATE // 750


@pytest.mark.parametrize("sizes", [[BLOCK], [64, 1, 1000, 333]])
def test_blocks_and_a_whole_are_the_same(opened: Opened, sizes: list[int]) -> None:
    whole, cut = Mixer(RATE, opened()), Mixer(RATE, opened())
    perform_something(whole)
    perform_something(cut)
    expected = whole.render(48000)
    pieces, done = [], 0
    while done < 48000:
        pieces.append(cut.render(min(sizes[len(pieces) % len(sizes)], 48000 - done)))
        done += len(pieces[-1])
    assert peak_db(expected) > -30
    assert np.abs(np.concatenate(pieces) - expected).max() < 1e-6
    whole.voice.close()
    cut.voice.close()


def test_live_events_sound_as_events_known_before() -> None:
    known, live = Mixer(RATE, PlainVoice(RATE)), Mixer(RATE, PlainVoice(RATE))
    events = [(900, on(0, 60)), (5000, off(0, 60)), (5000, on(0, 60)), (9000, off(0, 60)), (7000, on(9, 38))]
    for event in events:
        known.post(*event)
    waiting, sound = sorted(events, key=lambda event: event[0]), []
    for _ in range(60):
        while waiting and waiting[0][0] < live.horizon + 1440:  # 30 ms before
            live.post(*waiting.pop(0))
        sound.append(live.render())
    assert np.array_equal(np.concatenate(sound), blocks(known, 60))


def test_a_late_event_is_played_at_once() -> None:
    mixer = Mixer(RATE, PlainVoice(RATE))
    blocks(mixer, 10)
    mixer.post(0, on(0, 80, 127))
    assert 0 <= onset(blocks(mixer, 4)) <= RATE // 750 + 2


def test_events_of_a_frame_keep_their_order() -> None:
    mixer = Mixer(RATE, PlainVoice(RATE))
    mixer.post(0, program(0, 16))
    for message in (on(0, 60), off(0, 60), on(0, 60)):
        mixer.post(1000, message)
    mixer.post(1010, off(0, 72))
    assert level_db(blocks(mixer, 100)[-BLOCK:]) > -60
    mixer.post(mixer.horizon, on(0, 64))
    for key in (60, 64):
        mixer.post(mixer.horizon, off(0, key))
    blocks(mixer, 60)
    assert peak_db(blocks(mixer, 4)) < SILENT


def test_short_notes_on_the_grid_do_not_stick(opened: Opened) -> None:
    mixer = Mixer(RATE, opened())
    mixer.post(0, program(0, 16))
    mixer.post(0, bytes((0xB0, REVERB, 0)))
    for i in range(20):  # on and off fall on one frame of a grid of 64
        mixer.post(1000 + 700 * i, on(0, 50 + i))
        mixer.post(1001 + 700 * i, off(0, 50 + i))
    assert peak_db(blocks(mixer, 60)) > -60
    blocks(mixer, 6 * RATE // BLOCK)
    assert peak_db(blocks(mixer, 20)) < SILENT
    mixer.voice.close()


def test_loud_is_limited_and_quiet_is_not_touched() -> None:
    mixer = Mixer(RATE, PlainVoice(RATE), {"a": Tone(300, 0.9), "b": Tone(301, 0.9)})
    sound = blocks(mixer, 400)
    assert -0.5 < peak_db(sound) <= -0.3
    assert mixer.meter().reduction < -4
    mixer = Mixer(RATE, PlainVoice(RATE), {"a": Tone(300, 0.4)})
    assert np.array_equal(blocks(mixer, 40), Tone(300, 0.4).render(40 * BLOCK))


def test_the_meter(opened: Opened) -> None:
    mixer = Mixer(RATE, opened(), {"stream": Tone(1000, 0.5)})
    blocks(mixer, 100)
    meter = mixer.meter()
    assert meter.peak == pytest.approx((-6.02, -6.02), abs=0.1)
    assert meter.rms == pytest.approx((-9.03, -9.03), abs=0.1)
    assert meter.reduction == 0
    assert mixer.meter().peak == (-120, -120)
    mixer.voice.close()


@pytest.mark.parametrize("strip", ["stream", "master"])
def test_faders_are_not_heard(strip: str) -> None:
    mixer = Mixer(RATE, PlainVoice(RATE), {"stream": Tone(100, 0.5)})
    usual = roughness(blocks(mixer, 20)).max()
    sound = []
    for db in (SILENCE_DB, 0.0, -6.0):
        mixer.post(mixer.horizon + 100, Fader(strip, db))
        sound.append(blocks(mixer, 8))
    assert roughness(np.concatenate(sound)).max() < usual + 1e-5
    assert peak_db(sound[0][-BLOCK:]) < SILENT
    assert peak_db(sound[2][-2 * BLOCK :]) == pytest.approx(-12.04, abs=0.1)


def test_a_part_can_be_muted(opened: Opened) -> None:
    mixer = Mixer(RATE, opened())
    mixer.post(0, program(0, 16))
    mixer.post(0, Fader("melody", SILENCE_DB))
    for channel in (0, 2):
        mixer.post(0, bytes((0xB0 | channel, REVERB, 0)))
    mixer.post(2000, on(0, 60))
    assert peak_db(blocks(mixer, 60)) < -60
    mixer.post(mixer.horizon, on(2, 40))
    assert peak_db(blocks(mixer, 60)) > -40
    assert {"melody", "chords", "bass", "drums", "other", "master", "voices"} == set(mixer.strips)
    mixer.voice.close()


def test_panic_is_fast_and_soft(opened: Opened) -> None:
    mixer = Mixer(RATE, opened())
    for channel, number in ((0, 19), (1, 48), (2, 33), (3, 89)):
        mixer.post(0, program(channel, number))
        mixer.post(0, bytes((0xB0 | channel, REVERB, 127)))
        for key in range(40, 80, 6):
            mixer.post(100, on(channel, key, 90))
    before = blocks(mixer, 100)
    mixer.post(mixer.horizon + 5000, on(0, 60))
    mixer.panic()
    after = blocks(mixer, 200)
    assert level_db(before[-4800:]) > -30
    assert peak_db(after[round(2 * CUT_S * RATE) :]) < SILENT  # 20 ms; 300 are allowed
    assert roughness(after).max() <= roughness(before).max() * 1.1
    mixer.post(mixer.horizon, on(0, 60))
    assert peak_db(blocks(mixer, 40)) > -60
    mixer.voice.close()


def test_any_thread_may_post() -> None:
    mixer = Mixer(RATE, PlainVoice(RATE))

    def post(channel: int) -> None:
        for i in range(100):
            mixer.post(mixer.horizon + i, on(channel, 30 + i % 60))
            mixer.post(mixer.horizon + i + 1, off(channel, 30 + i % 60))

    threads = [threading.Thread(target=post, args=(channel,)) for channel in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        mixer.render()
    for thread in threads:
        thread.join(10)
    blocks(mixer, 300)
    assert peak_db(blocks(mixer, 4)) < SILENT
