"""Partials found in mels: to a few cents where they stand alone, and harmless where there are none."""

import numpy as np
import pytest

from instrument.models.sound.peaks import MAX_DISTANCE, Peaks
from instrument.models.sound.spectral import SILENCE, MelFormat, hann, hann_lobe, log_mel, mel_magnitudes

FORMAT = MelFormat()
TONAL = 512
BIN = FORMAT.rate / FORMAT.fft
PEAKS = Peaks(FORMAT, TONAL)


def tone(f0: float, harmonics: int) -> np.ndarray:
    times = np.arange(22050) / FORMAT.rate
    return sum(0.1 / h * np.sin(2 * np.pi * f0 * h * times) for h in range(1, harmonics + 1)).astype(np.float32)


@pytest.mark.parametrize("f0", [146.8, 220.0, 440.0, 523.25, 987.0, 1760.0])
@pytest.mark.parametrize("harmonics", [1, 6])
def test_a_lone_partial_is_found_to_a_few_cents(f0, harmonics):
    _, offsets, lobes = PEAKS.find(log_mel(tone(f0, harmonics))[40:44])
    for h in range(1, min(harmonics, 5) + 1):
        bin = round(f0 * h / BIN)
        if bin < TONAL:
            cents = 1200 * np.log2((bin + offsets[:, bin]) * BIN / (f0 * h))
            assert np.abs(cents).max() < 8
            assert (lobes[:, bin] > lobes[:, bin + 3] + 2).all()  # the lobe falls off to its sides


def test_a_low_sine_is_found_to_a_sixth_of_a_semitone():
    for f0 in (55.0, 82.4, 110.0):
        _, offsets, _ = PEAKS.find(log_mel(tone(f0, 1))[40:44])
        bin = round(f0 / BIN)
        assert np.abs(1200 * np.log2((bin + offsets[:, bin]) * BIN / f0)).max() < 16


@pytest.mark.parametrize("f0", [66.1, 73.4, 82.4, 98.0])
def test_partials_of_a_deep_tone_are_told_apart(f0):
    times, draw = np.arange(22050) / FORMAT.rate, np.random.default_rng(4)
    sizes, phases = 0.1 * draw.uniform(0.3, 1, 10), draw.uniform(0, 2 * np.pi, 10)
    turns = 2 * np.pi * f0 * np.outer(np.arange(1, 11), times) + phases[:, None]
    _, offsets, _ = PEAKS.find(log_mel((sizes @ np.sin(turns)).astype(np.float32))[40:44])
    for h in range(3, 8):
        bin = round(f0 * h / BIN)
        assert np.abs(1200 * np.log2((bin + offsets[:, bin]) * BIN / (f0 * h))).max() < 10


def test_a_chord_is_no_deep_tone():
    chord = tone(110.0, 5) + tone(130.8, 5) + tone(185.0, 5)
    _, fits = PEAKS._deep.find(mel_magnitudes(log_mel(chord)[40:44]))
    assert not fits.any()


def test_silence_and_noise_have_bounded_answers():
    rng = np.random.default_rng(0)
    noise = (0.1 * rng.standard_normal((3, 5, FORMAT.mels))).astype(np.float32)
    for mels in (np.full((2, FORMAT.mels), SILENCE, np.float32), noise):
        places, offsets, lobes = PEAKS.find(mels)
        assert places.shape == mels.shape
        assert offsets.shape == lobes.shape == (*mels.shape[:-1], TONAL)
        assert np.abs(places).max() <= 3
        assert np.abs(offsets).max() < MAX_DISTANCE
        assert np.isfinite(lobes).all()
        assert {places.dtype, offsets.dtype, lobes.dtype} == {np.dtype(np.float32)}


def test_frames_are_told_one_by_one():
    mels = log_mel(tone(300, 4))[:20]
    whole = PEAKS.find(mels)
    for t in (0, 7, 19):
        for all_, one in zip(whole, PEAKS.find(mels[t : t + 1]), strict=True):
            np.testing.assert_array_equal(all_[t], one[0])


def test_the_lobe_is_the_windows_transform():
    offsets = np.arange(16) / 4
    spectrum = np.abs(np.fft.rfft(hann(2048).astype(float), 4 * 2048))[:16]
    np.testing.assert_allclose(np.abs(hann_lobe(offsets)), spectrum / spectrum[0], atol=1e-4)
