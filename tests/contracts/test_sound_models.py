"""What every sound model keeps to, whatever its family: the stand-ins of the tests, and each bundle that ships."""

from __future__ import annotations

import random

import numpy as np
import pytest

from instrument.engine.performance.harmony.band_chords import Chords
from instrument.engine.sound.streams import StreamSettings, TunedStream
from instrument.engine.voices.neural import NeuralVoice
from instrument.midi_spec import SUSTAIN
from instrument.models.catalog import list_models, open_sound
from instrument.models.manifest import Knob
from instrument.models.sound.base import StreamModel, Tones, VoiceModel
from tests.support.sound.analysis import cents_off, level_db
from tests.support.sound.players import open_any

RATE = 48_000
SHIPPED = {
    kind: [entry.slug for entry in list_models() if entry.kind == kind and not entry.problem]
    for kind in ("stream", "voice")
}
STAND_INS = {"stream": "sines", "voice": "whistle"}


def opened(slug: str):
    return (open_any if slug in STAND_INS.values() else open_sound)(slug)


@pytest.fixture(scope="module", params=[STAND_INS["stream"], *SHIPPED["stream"]])
def stream(request) -> tuple[tuple[Knob, ...], StreamModel]:
    bundle, model = opened(request.param)
    assert isinstance(model, StreamModel)
    return bundle.knobs, model


@pytest.fixture(scope="module", params=[STAND_INS["voice"], *SHIPPED["voice"]])
def voice(request) -> tuple[tuple[Knob, ...], VoiceModel]:
    bundle, model = opened(request.param)
    assert isinstance(model, VoiceModel)
    return bundle.knobs, model


def defaults(knobs) -> dict[str, float | str]:
    return {knob.id: knob.default for knob in knobs}


def anywhere(knobs, draw: random.Random) -> dict[str, float | str]:
    """Every knob somewhere."""
    return {
        knob.id: draw.choice(knob.choices)
        if knob.kind == "choice"
        else draw.choice((knob.low, knob.high, draw.uniform(knob.low, knob.high)))
        for knob in knobs
    }


# Streams


def chunks(model: StreamModel, knobs: list[dict], seed: int = 1, player: int = 0) -> np.ndarray:
    model.reset(seed, player)
    rendered = [model.render(each) for each in knobs]
    assert all(chunk.shape == (model.chunk,) and chunk.dtype == np.float32 for chunk in rendered)
    return np.concatenate(rendered)


def test_a_stream_is_told_by_seed_player_and_knobs(stream):
    knobs, model = stream
    draw = random.Random(1)
    turned = [anywhere(knobs, draw) if i % 4 == 3 else defaults(knobs) for i in range(12)]
    first = chunks(model, turned)
    assert np.array_equal(first, chunks(model, turned))
    assert not np.array_equal(first, chunks(model, turned, seed=2))
    assert np.array_equal(first[: 3 * model.chunk], chunks(model, [defaults(knobs)] * 3))  # nothing knows what comes


def test_a_stream_is_as_long_as_20_to_50_ms_a_chunk(stream):
    _, model = stream
    assert 0.020 <= model.chunk / model.rate <= 0.050


def test_a_stream_sounds_and_keeps_to_its_level(stream):
    knobs, model = stream
    sound = chunks(model, [defaults(knobs)] * round(8 * model.rate / model.chunk))
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= 1.0
    seconds = [level_db(piece) for piece in np.array_split(sound[model.rate :], 7)]
    assert -45 < min(seconds) <= max(seconds) < -6


def test_a_stream_has_no_seams_while_knobs_move(stream):
    knobs, model = stream
    draw = random.Random(2)
    turned = [anywhere(knobs, draw) for _ in range(150)]
    sound = chunks(model, turned)
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= 1.5
    jumps = np.abs(np.diff(sound, 2))
    borders = np.arange(model.chunk, len(sound) - 2, model.chunk)
    at = jumps[borders[:, None] + np.array([-2, -1, 0])].max(axis=1)
    inside = np.delete(jumps, (borders[:, None] + np.array([-2, -1, 0])).ravel())
    assert np.mean(at > np.quantile(inside, 0.999)) < 0.05


def test_a_stream_is_resampled_without_change_of_what_it_is(stream):
    knobs, model = stream
    told = StreamSettings(defaults(knobs), tuple(range(12)), 0.0, False, 0.0, 1, 0)
    heard = []
    for rate in (model.rate, 48_000):
        tuned = TunedStream(model, rate, float, Chords())
        tuned.update(0.0, told)
        tuned.restart()
        heard.append(np.concatenate([tuned.next(0) for _ in range(40)]))
    assert np.array_equal(heard[0], chunks(model, [defaults(knobs)] * 40))
    assert level_db(heard[1][4000:]) == pytest.approx(level_db(heard[0][4000:]), abs=0.3)


# Voices


def started(voice, rate: int = RATE) -> Tones:
    knobs, model = voice
    tones = model.start(rate)
    tones.turn(defaults(knobs))
    return tones


def played(tones: Tones, seconds: float, block: int = 256) -> np.ndarray:
    sound = np.concatenate([tones.render(block) for _ in range(round(seconds * RATE / block))])
    assert sound.dtype == np.float32
    assert np.isfinite(sound).all()
    return sound


def test_a_voice_is_silent_until_it_is_struck_and_when_it_is_released(voice):
    tones = started(voice)
    assert not tones.render(5000).any()
    assert not tones.sounding
    for tone, pitch in enumerate((48, 60, 72)):
        tones.strike(tone, pitch, 100)
    played(tones, 0.5)
    assert tones.sounding == {0, 1, 2}
    for tone in range(3):
        tones.release(tone)
    played(tones, 5)
    assert not tones.sounding
    assert not played(tones, 0.2).any()


@pytest.mark.parametrize("pitch", [45, 57, 69])
def test_a_voice_is_in_tune_bends_and_is_heard(voice, pitch):
    tones = started(voice)
    tones.strike(0, pitch, 100)
    sound = played(tones, 1.2)
    assert 0.005 < np.abs(sound).max() < 0.8
    assert abs(cents_off(sound[RATE // 5 :], RATE, pitch)) < 50
    bent = started(voice)
    bent.strike(0, pitch, 100)
    bent.bend(0, 1.0)
    bent.bend(7, 2.0)  # no such tone
    assert abs(cents_off(played(bent, 1.2)[RATE // 5 :], RATE, pitch + 1)) < 50


def test_a_bend_of_one_tone_leaves_the_others_in_tune(voice):
    tones = started(voice)
    tones.strike(0, 60, 100)
    tones.strike(1, 67, 1)
    tones.bend(1, 2.0)
    played(tones, 0.2)
    tones.cut(1)
    played(tones, 0.1)
    sound = played(tones, 1.0)
    assert np.abs(sound).max() > 0.001
    assert abs(cents_off(sound, RATE, 60)) < 50


def test_a_voice_is_louder_when_struck_harder(voice):
    levels = []
    for velocity in (20, 70, 127):
        tones = started(voice)
        tones.strike(0, 60, velocity)
        levels.append(level_db(played(tones, 0.5)))
    assert levels[0] < levels[1] < levels[2]


def act(tones: Tones, knobs, pieces: list[int]) -> np.ndarray:
    """The same play, cut otherwise: what is done is done after multiples of 3000 frames."""
    doings = [
        lambda: tones.strike(1, 60, 100), lambda: tones.strike(2, 67, 60), lambda: tones.bend(1, 0.5),
        lambda: tones.turn(anywhere(knobs, random.Random(3))), lambda: tones.release(1), lambda: tones.cut(2),
        lambda: tones.strike(3, 50, 127),
    ]  # fmt: skip
    sound = []
    for do in doings:
        do()
        left = 3000
        for piece in pieces:
            sound.append(tones.render(min(piece, left)))
            left -= len(sound[-1])
        sound.append(tones.render(left))
    return np.concatenate(sound)


def test_a_voice_sounds_the_same_however_it_is_cut_and_every_time(voice):
    knobs, _ = voice
    whole = act(started(voice), knobs, [])
    assert len(whole) == 21_000
    assert np.array_equal(whole, act(started(voice), knobs, []))
    for pieces in ([256] * 11, [1, 2, 3, 500, 64, 1000], [2999]):
        assert np.abs(act(started(voice), knobs, pieces) - whole).max() < 1e-5


def test_what_is_cut_fades_at_once_without_a_click(voice):
    tones = started(voice)
    tones.strike(0, 60, 100)
    before = played(tones, 0.5)
    tones.cut(0)
    after = played(tones, 0.2)
    assert not after[round(0.012 * RATE) :].any()  # 5 ms, from the next control frame on
    assert not tones.sounding
    steepest = np.abs(np.diff(before[4800:], axis=0)).max()
    assert np.abs(np.diff(np.concatenate((before[-100:], after)), axis=0)).max() < 2 * steepest


def test_a_morph_while_held_does_not_click(voice):
    knobs, _ = voice
    draw = random.Random(4)
    tones = started(voice)
    tones.strike(0, 60, 100)
    steady, moving = [], []
    for _ in range(12):
        tones.turn(anywhere(knobs, draw))
        moving.append(played(tones, 0.1))
        steady.append(played(tones, 0.2))
    steepest = max(np.abs(np.diff(piece, 2, axis=0)).max() for piece in steady)
    assert max(np.abs(np.diff(piece, 2, axis=0)).max() for piece in moving[1:]) < 3 * steepest


def test_sixteen_tones_stolen_and_released_leave_silence(voice):
    tones = started(voice)
    guest = NeuralVoice(tones, RATE, "voice")
    draw = random.Random(5)
    for _ in range(150):
        key, doing = draw.randrange(36, 84), draw.random()
        if doing < 0.6:
            guest.note_on(0, key, draw.randrange(20, 128))
        elif doing < 0.9:
            guest.note_off(0, key)
        else:
            guest.control(0, SUSTAIN, draw.choice((0, 127)))
        assert np.abs(guest.render(draw.choice((64, 256, 1000)))).max() < 4
    guest.control(0, SUSTAIN, 0)
    for key in range(128):
        guest.note_off(0, key)
    guest.render(5 * RATE)
    assert not tones.sounding
    guest.note_on(0, 60, 100)
    guest.render(2000)
    guest.all_off()
    assert not guest.render(5000).any()
