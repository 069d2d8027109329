"""Notes as maps, and maps as sound."""

from __future__ import annotations

import numpy as np
import pytest

from instrument.models.sound import note_spectra as ns
from instrument.models.sound.spectral import hann, hann_lobe
from instrument.music.pitch import to_hertz
from tests.support.sound.analysis import level_db


def tone(pitch: float, seconds: float = 1.0, harmonics: int = 8, rate: int = ns.RATE) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    f0 = to_hertz(pitch)
    return sum(0.2 / h * np.sin(2 * np.pi * h * f0 * t + h) for h in range(1, harmonics + 1)).astype(np.float32)


def frequency_of(sound: np.ndarray, rate: int, near: float) -> float:
    """The frequency of the partial near some hertz: by the peak of a long, padded spectrum."""
    size = 1 << 19
    found = np.abs(np.fft.rfft(sound * hann(len(sound)), size))
    low, high = (round(near * 2 ** (cents / 1200) * size / rate) for cents in (-80, 80))
    return (low + int(np.argmax(found[low:high]))) * rate / size


def steady(pitch: float, frames: int = 64, deviation: float = 0.0, noise: float = ns.QUIET) -> ns.Maps:
    level = np.full((frames, ns.PARTIALS), ns.QUIET, np.float32)
    level[:, :5] = np.log(0.1)
    return ns.Maps(level, np.full_like(level, deviation), np.full((frames, ns.BANDS), noise, np.float32))


def test_the_lobe_is_that_of_the_window():
    size, at = 256, 40.37
    sine = np.exp(2j * np.pi * at * np.arange(size) / size)
    found = np.abs(np.fft.fft(sine * hann(size)))[36:46] / hann(size).sum()
    assert np.abs(np.abs(hann_lobe(np.arange(36, 46) - at)) - found).max() < 1e-4
    assert hann_lobe(np.array([0.0, 1.0, 2.0])).tolist() == pytest.approx([1, 0.5, 0], abs=1e-6)


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
@pytest.mark.parametrize("pitch", [36, 60, 84])
def test_maps_sound_at_their_pitch_and_level_at_any_rate(rate, pitch):
    sound = ns.resynthesise(steady(pitch), pitch, rate, rate)[rate // 8 :]
    for partial in (1, 3):
        found = frequency_of(sound, rate, partial * to_hertz(pitch))
        assert abs(1200 * np.log2(found / (partial * to_hertz(pitch)))) < 3
    assert level_db(sound) == pytest.approx(10 * np.log10(5 * 0.1**2 / 2), abs=0.3)


def test_partials_deviate_as_told():
    sound = ns.resynthesise(steady(60, deviation=0.01), 60, 48000, 48000)[6000:]
    found = frequency_of(sound, 48000, to_hertz(60))
    assert found / to_hertz(60) == pytest.approx(1.01, abs=1e-3)


@pytest.mark.parametrize("rate", [16000, 44100])
def test_noise_is_as_loud_as_told_and_has_no_pitch(rate):
    maps = steady(60, noise=np.log(0.01))
    maps.level[:] = ns.QUIET
    sound = ns.resynthesise(maps, 60, rate, rate)
    measured = np.abs(ns.amplitudes(ns.resynthesise(maps, 60, 16000, 16000)))[4:-4, 20:400]
    assert np.sqrt(np.mean(measured**2)) == pytest.approx(0.01, rel=0.1)
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    assert spectrum[: len(spectrum) * 7000 * 2 // rate].max() < 20 * spectrum.mean() * rate / 16000


@pytest.mark.parametrize("pitch", [40, 60, 81])
def test_analysis_finds_partials_and_their_frequencies(pitch):
    sharp = pitch + 0.2
    maps = ns.analyse(tone(sharp), pitch)
    middle = slice(8, -8)
    for partial in range(4):
        there = np.median(maps.level[middle, partial])
        assert there == pytest.approx(np.log(0.2 / (partial + 1)), abs=0.1)
        assert np.median(maps.deviation[middle, partial]) == pytest.approx(2 ** (0.2 / 12) - 1, abs=2e-3)
    assert np.median(maps.noise[middle]) < np.log(1e-3)


@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_round_trip_keeps_pitch_and_level(rate):
    sound = tone(57, rate=rate)
    back = ns.round_trip(sound, 57, rate)
    assert back.shape == sound.shape
    assert abs(level_db(back) - level_db(sound)) < 0.5
    found = frequency_of(back[rate // 8 :], rate, to_hertz(57))
    assert abs(1200 * np.log2(found / to_hertz(57))) < 3


@pytest.mark.parametrize("sound", [np.zeros(4000, np.float32), np.zeros(10, np.float32), np.ones(3000, np.float32)])
def test_what_has_no_pitch_is_no_trouble(sound):
    assert np.isfinite(ns.round_trip(sound, 60, ns.RATE)).all()


def test_a_note_begins_at_once():
    sound = ns.resynthesise(steady(72), 72, 48000, 48000)
    assert level_db(sound[:480]) > level_db(sound[4800:9600]) - 3
