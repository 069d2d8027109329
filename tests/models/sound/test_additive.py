"""Partials and noise against what they are by definition."""

from __future__ import annotations

import numpy as np
import pytest

from instrument.models.sound.additive import (
    BANDS,
    CENTRES,
    HIGHEST,
    KNOTS,
    NOISE_FLOOR,
    PARTIALS,
    amplitudes,
    audible,
    noise_frames,
    oscillate,
    phasors,
    ratios,
    sine_window,
)

RNG = np.random.default_rng(1)


@pytest.mark.parametrize("frames", [5, 240, 256, 353])
def test_partials_are_sines_whose_amplitude_and_frequency_go_in_a_line(frames):
    count, partials = 3, 20
    start = RNG.random((count, partials)) * np.exp(2j * np.pi * RNG.random((count, partials)))
    end = start * RNG.random((count, partials))
    first = RNG.random((count, partials)) * 0.1
    last = first * 1.003  # more than any vibrato does; within a block of samples a partial turns evenly
    time = np.arange(frames)
    cycles = first[..., None] * time + (last - first)[..., None] * time**2 / (2 * frames)
    amplitude = start[..., None] + (end - start)[..., None] * (time / frames)
    wanted = (amplitude * np.exp(2j * np.pi * cycles)).real.sum(1)
    assert np.abs(oscillate(start, end, first, last, frames) - wanted).max() < 0.05


def test_frames_of_partials_join():
    start, first = np.ones((1, 9)), np.linspace(0.01, 0.2, 9)[None]
    whole = oscillate(start, start, first, first, 512)
    turned = phasors(first * 256)
    parts = [oscillate(start, start, first, first, 256), oscillate(turned, turned, first, first, 256)]
    assert np.abs(np.concatenate(parts, 1) - whole).max() < 1e-3


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_noise_has_the_density_that_is_told_at_every_rate(rate):
    levels = np.full((400, BANDS), -70.0)
    levels[:, 20] = -50
    size = 2 * 16 * round(rate / 3000)
    turned = phasors(RNG.random((400, size // 2 + 1)))
    frames = noise_frames(levels, turned, rate)
    window = sine_window(size)
    density = (np.abs(np.fft.rfft(frames * window)) ** 2).mean(0) * 2 / (rate * (window**4).sum())
    hertz = np.arange(size // 2 + 1) * rate / size
    for band in (5, 12, 30):
        assert 10 * np.log10(np.interp(CENTRES[band], hertz, density)) == pytest.approx(-70, abs=1.5)
    assert hertz[density.argmax()] == pytest.approx(CENTRES[20], abs=rate / size)
    assert density[hertz > 20500].max(initial=0.0) < 1e-9


def test_noise_of_constant_levels_has_constant_power():
    size = 512
    frames = noise_frames(np.full((800, BANDS), -60.0), phasors(RNG.random((800, size // 2 + 1))), 48000)
    joined = frames[:-1, size // 2 :] + frames[1:, : size // 2]
    power = (joined**2).mean(0)
    assert power.std() / power.mean() < 0.12
    assert not noise_frames(np.full((1, BANDS), NOISE_FLOOR), phasors(np.zeros((1, 257))), 48000).any()


def test_what_is_told_at_knots_holds_there_and_between_them():
    levels = -np.arange(PARTIALS)[None].astype(float)
    found = 20 * np.log10(amplitudes(levels)[0])
    assert np.allclose(found[KNOTS - 1], levels[0], atol=1e-3)
    assert found[53] == pytest.approx((levels[0, 48] + levels[0, 49]) / 2, abs=1e-3)
    cents = np.zeros((1, PARTIALS))
    assert np.allclose(ratios(cents)[0], np.arange(1, HIGHEST + 1))
    cents[0, 2] = 1200
    assert ratios(cents)[0, 2] == pytest.approx(6)


def test_nothing_sounds_above_what_a_rate_can_hold():
    hertz = np.array([100.0, 6800.0, 7500.0, 9000.0])
    assert (audible(hertz, 16000) == [1, 1, 0, 0]).all()
    assert (audible(hertz, 48000) == 1).all()
