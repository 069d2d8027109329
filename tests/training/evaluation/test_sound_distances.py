"""Distances between sounds and between collections of them, against cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.measures.distances import Bins, frechet, mel_cepstral, multi_resolution

RATE = 16000


@pytest.fixture
def noise():
    return (0.1 * np.random.default_rng(1).standard_normal(RATE)).astype(np.float32)


def test_a_sound_is_nowhere_from_itself(noise):
    assert multi_resolution(noise, noise) == 0
    assert mel_cepstral(noise, noise, RATE) == 0


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_a_gain_costs_itself_and_its_logarithm(noise, gain):
    assert multi_resolution(noise, noise * gain) == pytest.approx(abs(gain - 1) + abs(np.log(gain)), rel=1e-3)
    assert mel_cepstral(noise, noise * gain, RATE) == pytest.approx(0, abs=1e-4)


def test_silence_for_a_sound_costs_all_of_it(noise):
    assert multi_resolution(noise, np.zeros_like(noise)) > 1
    assert multi_resolution(np.zeros_like(noise), np.zeros_like(noise)) == 0


def test_the_shorter_sound_counts(noise):
    assert multi_resolution(noise, noise[: RATE // 2]) == 0


def test_a_tilt_of_the_spectrum_costs_its_cepstral_coefficient(noise):
    def mel(hz):
        return np.where(hz < 1000, hz * 0.015, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))

    low, high = mel(40.0), mel(RATE / 2)
    place = np.clip((mel(np.fft.rfftfreq(len(noise), 1 / RATE)) - low) / (high - low), 0, 1)
    tilt = 0.5
    # log power + 2 * 0.5 cos(pi m): the first coefficient differs by 0.5
    tilted = np.fft.irfft(np.fft.rfft(noise) * np.exp(tilt * np.cos(np.pi * place)))
    expected = 10 * np.sqrt(2) / np.log(10) * tilt
    assert mel_cepstral(noise, tilted.astype(np.float32), RATE) == pytest.approx(expected, rel=0.08)


def test_frechet_of_a_collection_moved_and_stretched():
    x = np.random.default_rng(2).standard_normal((500, 3)) * [1, 2, 0]
    assert frechet(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet(x, x + np.array([3, 0, 4])) == pytest.approx(25)
    # (2 - 1)^2 of the variances, and the mean that moved with them
    assert frechet(x, 2 * x) == pytest.approx(x.var(0, ddof=1).sum() + (x.mean(0) ** 2).sum())
    assert frechet(x[:, :1], 2 * x[:, :1]) > 0


def test_frechet_does_not_mind_fewer_sounds_than_dimensions():
    x = np.random.default_rng(3).standard_normal((6, 20))
    assert frechet(x, x + 1) == pytest.approx(20)


def two_heaps(first: int, second: int):
    rng = np.random.default_rng(4)
    return np.concatenate([rng.normal(0, 0.1, (first, 2)), rng.normal(9, 0.1, (second, 2))])


def test_bins_differ_where_proportions_do():
    bins = Bins.of(two_heaps(50, 50), 2)
    assert sorted(bins.counts) == [50, 50]
    assert bins.different(two_heaps(50, 50)) == 0
    assert bins.different(two_heaps(90, 10)) == 1
    # 50 of 100 against 58 of 100: z = 0.08 / sqrt(.54 * .46 * .02) = 1.13
    assert bins.different(two_heaps(58, 42)) == 0
    # against 64 of 100: z = 2.0, p = .045
    assert bins.different(two_heaps(64, 36)) == 1


def test_few_sounds_make_few_bins():
    assert len(Bins.of(two_heaps(10, 10)).counts) == 4
