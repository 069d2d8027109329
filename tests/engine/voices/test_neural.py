"""Sound models that are struck: as a voice, and at the mixer in place of the sound font."""

from __future__ import annotations

import random

import numpy as np
import pytest

from instrument.engine.sound.mixer import BLOCK, Fader, KnobUpdate, Mixer, Routes
from instrument.engine.voices.base import perform
from instrument.engine.voices.neural import POLYPHONY, NeuralVoice
from instrument.engine.voices.plain import PlainVoice
from instrument.errors import HocketError
from instrument.midi_spec import NOTES_OFF, SOUND_OFF, SUSTAIN
from tests.support.sound.analysis import cents_off, level_db, onset, roughness
from tests.support.sound.players import AMPLITUDE, SineTones, SineVoice

RATE = 48_000


def voice() -> NeuralVoice:
    made = NeuralVoice(SineVoice().start(RATE), RATE, "sines")
    made.turn({"octave": 0.0})
    return made


def on(channel: int, key: int, velocity: int = 100) -> bytes:
    return bytes((0x90 | channel, key, velocity))


def off(channel: int, key: int) -> bytes:
    return bytes((0x80 | channel, key, 0))


def control(channel: int, number: int, value: int) -> bytes:
    return bytes((0xB0 | channel, number, value))


def sounding(played: NeuralVoice) -> int:
    return len(played._tones.sounding)


def test_a_scale_is_in_tune_and_as_long_as_it_is_held():
    played = voice()
    for key in (60, 62, 64, 65, 67, 69, 71, 72):
        played.note_on(0, key, 127)
        held = played.render(12_000)
        played.note_off(0, key)
        rung = played.render(4800)
        assert abs(cents_off(held, RATE, key)) < 5
        assert np.abs(held).max() == pytest.approx(AMPLITUDE, rel=0.02)
        assert not rung[2000:].any()
        assert roughness(np.concatenate((held, rung))).max() < 0.01


def test_velocity_bend_and_knobs():
    played = voice()
    played.note_on(0, 69, 30)
    quiet = played.render(4800)
    assert np.abs(quiet).max() == pytest.approx(AMPLITUDE * 30 / 127, rel=0.02)
    perform(played, bytes((0xE0, 0, 96)))  # one semitone up
    played.render(9600)
    assert abs(cents_off(played.render(24_000), RATE, 70)) < 5
    played.turn({"octave": 1.0})
    moving = played.render(9600)
    assert roughness(moving).max() < 0.01
    assert abs(cents_off(played.render(24_000), RATE, 82)) < 5


def test_the_pedal_holds_by_channel():
    played = voice()
    perform(played, control(0, SUSTAIN, 127))
    for channel, key in ((0, 60), (4, 64)):
        played.note_on(channel, key, 100)
    played.render(1000)
    for channel, key in ((0, 60), (4, 64)):
        played.note_off(channel, key)
    played.render(9600)
    assert sounding(played) == 1  # the one on the channel without a pedal has gone
    perform(played, control(0, SUSTAIN, 0))
    assert not played.render(9600)[4800:].any()


def test_all_notes_and_all_sound_off():
    played = voice()
    for number, frames in ((NOTES_OFF, 2000), (SOUND_OFF, 300)):
        for key in (60, 64, 67):
            played.note_on(1, key, 100)
        played.note_on(2, 72, 100)
        played.render(2000)
        perform(played, control(1, number, 0))
        played.render(frames)
        assert sounding(played) == 1
        perform(played, control(2, SOUND_OFF, 0))
        played.render(2000)
    played.note_on(0, 60, 100)
    played.render(2000)
    played.all_off()
    assert not played.render(BLOCK).any()


def test_a_key_struck_again_is_one_note():
    played = voice()
    for _ in range(3):
        played.note_on(0, 60, 100)
        played.render(4800)
        assert sounding(played) == 1
    played.note_off(0, 60)
    played.render(4800)
    assert sounding(played) == 0


def test_voices_are_stolen_and_random_play_leaves_silence():
    played = voice()
    draw = random.Random(1)
    most = 0
    for _ in range(600):
        key, channel = draw.randrange(40, 80), draw.choice((0, 1, 4))
        act = draw.random()
        if act < 0.55:
            played.note_on(channel, key, draw.randrange(1, 128))
        elif act < 0.9:
            played.note_off(channel, key)
        else:
            perform(played, control(channel, SUSTAIN, draw.choice((0, 127))))
        sound = played.render(draw.choice((32, 64, 500)))
        most = max(most, len(played._keys) + len(played._ringing))
        assert np.abs(sound).max() < 1.5 * POLYPHONY * AMPLITUDE
    assert most == POLYPHONY
    for channel in (0, 1, 4):
        perform(played, control(channel, SUSTAIN, 0))
        for key in range(128):
            played.note_off(channel, key)
    played.render(4800)
    assert sounding(played) == 0
    assert not played.render(4800).any()


def test_those_let_go_are_stolen_first():
    played = voice()
    for key in range(40, 40 + POLYPHONY):
        played.note_on(0, key, 100)
    played.render(500)
    played.note_off(0, 50)
    played.note_on(0, 90, 100)
    held = {key for _, key in played._keys.values()}
    assert held == set(range(40, 40 + POLYPHONY)) - {50} | {90}
    played.note_on(0, 91, 100)
    assert {key for _, key in played._keys.values()} == held - {40} | {91}  # then the oldest


def test_a_model_that_fails_is_silent_and_told_of():
    class Failing(SineTones):
        def render(self, frames: int) -> np.ndarray:
            if self._tones:
                raise HocketError("the network gives no number")
            return super().render(frames)

    class Mad(SineTones):
        def render(self, frames: int) -> np.ndarray:
            return super().render(frames) * np.float32(np.nan)

    for tones in (Failing(RATE), Mad(RATE)):
        told: list[str] = []
        played = NeuralVoice(tones, RATE, "player 1", told.append)
        for _ in range(3):
            played.note_on(0, 60, 100)
            assert not played.render(BLOCK).any()
        assert len(told) == 1
        assert told[0].startswith("player 1 is silent: ")


# At the mixer


@pytest.fixture
def mixer() -> Mixer:
    return Mixer(RATE, PlainVoice(RATE, "plain"))


def render(mixer: Mixer, count: int) -> np.ndarray:
    return np.concatenate([mixer.render() for _ in range(count)])


def test_notes_go_where_their_channel_is_routed_and_end_where_they_sound(mixer):
    whistle = voice()
    mixer.attach("whistle", whistle)
    mixer.post(0, on(0, 60))
    render(mixer, 4)
    assert sounding(whistle) == 0
    mixer.post(mixer.horizon, on(0, 72))  # posted first; the route holds for it all the same
    mixer.post(mixer.horizon, Routes({0: ("whistle",)}))
    mixer.post(mixer.horizon, on(1, 64))
    render(mixer, 4)
    assert sounding(whistle) == 1
    mixer.post(mixer.horizon, Routes({}))
    for key in (60, 72):
        mixer.post(mixer.horizon, off(0, key))
    render(mixer, 20)
    assert sounding(whistle) == 0
    mixer.post(mixer.horizon, off(1, 64))
    render(mixer, 800)
    assert level_db(render(mixer, 4)) < -80


def test_a_guest_has_a_strip_with_a_level_and_peaks(mixer):
    whistle = voice()
    mixer.attach("whistle", whistle, -6.0)
    mixer.post(0, Routes({0: ("whistle",)}))
    mixer.post(0, on(0, 69, 127))
    render(mixer, 40)
    mixer.peaks()
    loud = render(mixer, 40)
    assert np.abs(loud).max() == pytest.approx(AMPLITUDE / 2, rel=0.02)
    assert mixer.peaks()["whistle"] == pytest.approx((-20.0, -20.0), abs=0.1)
    mixer.post(mixer.horizon, Fader("whistle", -120))
    muted = render(mixer, 40)
    assert not muted[2000:].any()
    assert roughness(np.concatenate((loud, muted))).max() < 0.005
    mixer.post(mixer.horizon, Fader("whistle", 0))
    mixer.post(mixer.horizon, KnobUpdate("whistle", {"octave": -1.0}))
    assert abs(cents_off(render(mixer, 200)[20_000:], RATE, 57)) < 5


def test_a_guest_leaves_without_a_click(mixer):
    whistle = voice()
    mixer.attach("whistle", whistle)
    mixer.post(0, Routes({0: ("whistle",)}))
    mixer.post(0, on(0, 69, 127))
    before = render(mixer, 40)
    mixer.detach("whistle")
    mixer.post(mixer.horizon, Fader("whistle", 6))  # too late for it
    after = render(mixer, 40)
    assert roughness(np.concatenate((before, after))).max() < 0.005
    assert not after[2000:].any()
    assert "whistle" not in mixer.strips
    mixer.post(mixer.horizon, on(0, 69))  # routed to nobody: the voice has it
    assert onset(render(mixer, 40)) >= 0


def test_panic_silences_guests(mixer):
    whistle = voice()
    mixer.attach("whistle", whistle)
    mixer.post(0, Routes({0: ("whistle",)}))
    mixer.post(0, on(0, 69, 127))
    render(mixer, 40)
    mixer.panic()
    assert not render(mixer, 40)[1000:].any()
    assert sounding(whistle) == 0
