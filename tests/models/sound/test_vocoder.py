"""The vocoder that ships: its golden sound, chunks as the whole, and the pitch of what goes through it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrument.models.bundle import Bundle, open_bundle
from instrument.models.sound.spectral import log_mel
from instrument.models.sound.vocoder import Vocoder

SHIPPED = Path(__file__).parents[3] / "models_onnx" / "vocoder-44k"
RATE = 44100


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle(SHIPPED, trusted=True)


def tone(f0: float, seconds: float = 1.0) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    return sum(0.1 / h * np.sin(2 * np.pi * f0 * h * times) for h in range(1, 9)).astype(np.float32)


def heard(sound: np.ndarray, about: float) -> float:
    """The loudest frequency within a semitone of that."""
    size = 1 << 19
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), size))
    near = slice(*(int(about * ratio * size / RATE) for ratio in (0.944, 1.06)))
    return (near.start + spectrum[near].argmax()) * RATE / size


def test_the_golden_sound_is_met(bundle):
    golden = bundle.golden()
    sound = Vocoder(bundle).render(golden["mels"])
    np.testing.assert_allclose(sound, golden["sound"], atol=bundle.manifest.golden.tolerance)


@given(st.lists(st.integers(1, 16), min_size=1, max_size=16), st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_streamed_is_whole(bundle, chunks, seed):
    rng = np.random.default_rng(seed)
    sound = tone(rng.uniform(60, 2000)) * rng.uniform(0.1, 1) + 0.03 * rng.standard_normal(RATE).astype(np.float32)
    mels, vocoder = log_mel(sound)[: sum(chunks)], Vocoder(bundle)
    whole = vocoder.push(mels)
    vocoder.reset()
    parts = [vocoder.push(part) for part in np.split(mels, np.cumsum(chunks)[:-1])]
    assert np.abs(np.concatenate(parts) - whole).max() <= 1e-5 * np.abs(whole).max()


@pytest.mark.parametrize("f0", [146.8, 220.0, 440.0, 987.8, 1760.0])
def test_a_held_tone_keeps_its_pitch_and_its_level(bundle, f0):
    real = tone(f0)
    made = Vocoder(bundle).render(log_mel(real))
    assert abs(len(made) - len(real)) <= 256
    inside = slice(8820, 35280)
    assert abs(1200 * np.log2(heard(made[inside], f0) / f0)) < 10
    assert abs(20 * np.log10(made[inside].std() / real[inside].std())) < 2


def test_silence_stays_silent(bundle):
    assert np.abs(Vocoder(bundle).render(log_mel(np.zeros(RATE // 2, np.float32)))).max() < 1e-3
