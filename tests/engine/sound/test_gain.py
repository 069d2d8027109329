"""Ramps and the limiter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instrument.engine.sound.limiter import Limiter
from instrument.engine.voices.gain import Ramp, to_db, to_gain

RATE = 48000
CEILING = 10 ** (-0.3 / 20)


def sine(hertz: float, amplitude: float, frames: int) -> np.ndarray:
    wave = amplitude * np.sin(2 * np.pi * hertz * np.arange(frames) / RATE)
    return np.stack((wave, wave), axis=1).astype(np.float32)


def run(sound: np.ndarray, sizes: list[int]) -> np.ndarray:
    limiter, out, at = Limiter(RATE), [], 0
    while at < len(sound):
        size = sizes[len(out) % len(sizes)]
        out.append(limiter.process(sound[at : at + size]))
        at += size
    return np.concatenate(out)


def test_decibels() -> None:
    assert to_gain(0) == 1
    assert to_gain(-20) == pytest.approx(0.1)
    assert to_gain(-120) == to_gain(-500) == 0
    assert to_db(0.5) == pytest.approx(-6.02, abs=0.01)
    assert to_db(0) == -120


def test_a_ramp_is_gentle_and_then_a_number() -> None:
    ramp = Ramp(1.0)
    assert ramp.take(3) == 1.0
    ramp.move(0.0, 4)
    assert ramp.take(3)[:, 0].tolist() == [0.84375, 0.5, 0.15625]
    assert ramp.moving
    assert ramp.take(3)[:, 0].tolist() == [0.0, 0.0, 0.0]
    assert not ramp.moving
    assert ramp.take(3) == 0.0


def test_a_ramp_turns_where_it_is() -> None:
    ramp = Ramp(0.0)
    ramp.move(1.0, 10)
    ramp.take(5)
    assert ramp.value == 0.5
    ramp.move(0.0, 2)
    assert ramp.take(2)[:, 0] == pytest.approx([0.25, 0.0])


def test_quiet_sound_passes_bit_for_bit() -> None:
    sound = sine(997, CEILING - 1e-4, 5000)
    out = run(sound, [256])
    late = Limiter(RATE).lookahead
    assert np.array_equal(out[late:], sound[:-late])
    assert not out[:late].any()


@given(seed=st.integers(0, 2**32), loud=st.floats(0.1, 100))
def test_nothing_leaves_above_the_ceiling(seed: int, loud: float) -> None:
    random = np.random.default_rng(seed)
    sound = (random.standard_normal((4000, 2)) * loud * (random.random((4000, 1)) < 0.1)).astype(np.float32)
    assert np.abs(run(sound, [256])).max() <= CEILING


def test_the_blocks_do_not_matter() -> None:
    sound = np.random.default_rng(1).standard_normal((20000, 2)).astype(np.float32)
    whole = run(sound, [len(sound)])
    for sizes in ([256], [1000, 1, 77], [13]):
        assert np.abs(run(sound, sizes) - whole).max() < 1e-6


def test_a_loud_note_is_bent_hardly() -> None:
    out = run(sine(220, 2.0, RATE), [256])[RATE // 2 :, 0].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out)))) ** 2
    at = round(220 * len(out) / RATE)
    share = 1 - spectrum[at - 4 : at + 5].sum() / spectrum.sum()
    assert 10 * np.log10(share) < -40  # total distortion


def test_it_lets_go() -> None:
    sound = np.concatenate((sine(220, 4.0, 2000), sine(220, 0.5, 3 * RATE)))
    out = run(sound, [256])
    tail = Limiter(RATE).lookahead
    assert np.array_equal(out[-RATE:], sound[-RATE - tail : -tail])
