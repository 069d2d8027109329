"""Resonators on the key, and the ducking at beats."""

import numpy as np
import pytest

from instrument.engine.sound.tuning import Tuner, ducking
from instrument.music.harmony import scale_mask
from instrument.music.timebase import TICKS_PER_BEAT
from tests.support.sound.analysis import chroma, level_db, roughness
from tests.support.sound.players import NoiseStream, SineStream

RATE, CHUNK = 44_100, 2048
C_MAJOR = tuple(np.nonzero(scale_mask(0, "major"))[0].tolist())
G_MINOR = tuple(np.nonzero(scale_mask(7, "minor"))[0].tolist())


def tuned(stream, tones, strengths, pitch: float = 69.0):
    tuner = Tuner(RATE, CHUNK)
    keys = tones if isinstance(tones, list) else [tones] * len(strengths)
    knobs = {"pitch": pitch}
    return np.concatenate([tuner.process(stream.render(knobs), key, s) for key, s in zip(keys, strengths, strict=True)])


def test_without_strength_sound_passes_bit_for_bit():
    plain = NoiseStream()
    assert np.array_equal(
        tuned(NoiseStream(), C_MAJOR, [0.0] * 8), np.concatenate([plain.render({}) for _ in range(8)])
    )


@pytest.mark.parametrize("tones", [C_MAJOR, G_MINOR])
def test_at_full_strength_the_energy_is_in_key(tones):
    in_key = [chroma(tuned(NoiseStream(), tones, [s] * 100)[RATE:], RATE)[list(tones)].sum() for s in (0.0, 0.5, 1.0)]
    assert in_key[0] < 0.65
    assert in_key[0] < in_key[1] < in_key[2]
    assert in_key[2] >= 0.8


def test_what_is_in_tune_passes_and_is_as_loud():
    plain = level_db(tuned(SineStream(), C_MAJOR, [0.0] * 60)[RATE:])
    assert level_db(tuned(SineStream(), C_MAJOR, [1.0] * 60)[RATE:]) == pytest.approx(plain, abs=1.0)
    assert level_db(tuned(SineStream(), C_MAJOR, [1.0] * 60, 70.0)[RATE:]) < plain - 6  # even as it is made up for
    noise = [level_db(tuned(NoiseStream(), C_MAJOR, [s] * 100)[2 * RATE :]) for s in (0.0, 1.0)]
    assert noise[1] == pytest.approx(noise[0], abs=1.5)


def test_turns_of_strength_and_key_do_not_click():
    turns = [0.0] * 10 + [1.0] * 10 + [0.3] * 10 + [1.0] * 30
    keys = [C_MAJOR] * 40 + [G_MINOR] * 10 + [C_MAJOR] * 10
    for pitch in (45.0, 69.0):
        assert roughness(tuned(SineStream(), keys, turns, pitch)[:, None]).max() < 2e-4  # a click is 0.01 and more


def test_sound_goes_on_without_a_seam_however_it_is_cut():
    stream = NoiseStream()
    sound = np.concatenate([stream.render({}) for _ in range(8)])
    heard = {}
    for chunk in (1024, 2048):
        tuner = Tuner(RATE, chunk)
        cut = [tuner.process(sound[i : i + chunk], C_MAJOR, 1.0) for i in range(0, len(sound), chunk)]
        heard[chunk] = np.concatenate(cut)
    spectra = [np.abs(np.fft.rfft(each)) for each in heard.values()]
    assert np.corrcoef(*spectra)[0, 1] > 0.98  # the make-up gain moves by chunks


def test_the_level_ducks_at_beats():
    count = 1000
    gains = ducking(0.0, 2.0 * TICKS_PER_BEAT, count, (1.0, 1.0))
    assert gains[0] == 0
    assert gains[count // 2] == 0
    assert gains[int(0.7 * count / 2)] == 1
    assert 0 < gains[count // 8] < 1
    assert np.abs(np.diff(gains)).max() < 0.1  # no step
    joined = [ducking(a, b, 100, (0.5, 0.5)) for a, b in ((3.0, 10.0), (10.0, 17.0))]
    assert np.allclose(np.concatenate(joined), ducking(3.0, 17.0, 200, (0.5, 0.5)), atol=1e-6)
    assert (ducking(0.0, 48.0, 10, (0.0, 0.0)) == 1).all()
    assert (ducking(np.inf, np.inf, 10, (1.0, 1.0)) == 1).all()  # time stands
