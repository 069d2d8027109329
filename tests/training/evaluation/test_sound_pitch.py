"""Pitch of notes: the tracker's figures, and the fine estimate."""

from __future__ import annotations

import numpy as np
import pytest

from instrument.music.pitch import to_hertz, to_pitch
from training.evaluation.sound.pitch import (
    cents_between,
    estimate_pitch,
    fine_hertz,
    pitch_figures,
)

RATE = 16000


def sawtooth(pitch: float, seconds: float = 0.6, rate: int = RATE):
    times = np.arange(int(seconds * rate)) / rate
    f0 = to_hertz(pitch)
    partials = range(1, int(rate / 2 / f0))
    return (0.2 * sum(np.sin(2 * np.pi * f0 * n * times) / n for n in partials)).astype(np.float32)


def test_pitches_and_frequencies_are_inverse():
    assert to_hertz(69) == pytest.approx(440)
    assert to_pitch(to_hertz(37.25)) == pytest.approx(37.25)


@pytest.mark.parametrize("pitch", [31, 45, 60, 77, 95])
def test_the_tracker_hears_a_sawtooth(pitch):
    assert estimate_pitch(sawtooth(pitch), RATE) == pytest.approx(pitch, abs=0.2)


def test_another_rate_is_heard_the_same():
    assert estimate_pitch(sawtooth(57, rate=44100), 44100) == pytest.approx(57, abs=0.2)


@pytest.mark.parametrize("sound", [np.zeros(RATE, np.float32), np.zeros(0, np.float32), np.zeros(100, np.float32)])
def test_silence_has_no_pitch(sound):
    assert estimate_pitch(sound, RATE) is None


def test_figures_tell_near_octave_and_unvoiced():
    silence = np.zeros(RATE, np.float32)
    notes = [
        (sawtooth(60), RATE, 60),
        (sawtooth(60.3), RATE, 60),
        (sawtooth(72), RATE, 60),
        (sawtooth(64), RATE, 60),
        (silence, RATE, 60),
        (sawtooth(20), RATE, 20),
    ]
    assert pitch_figures(notes) == {"near": 0.4, "octaves": 0.2, "unvoiced": 0.2, "notes": 5}
    assert pitch_figures([])["notes"] == 0


@pytest.mark.parametrize("pitch", [36, 60, 84.1])
@pytest.mark.parametrize("off", [-30.0, -3.0, 0.0, 7.0, 30.0])
def test_the_fine_estimate_is_right_to_a_cent(pitch, off):
    sound = sawtooth(pitch + off / 100, 1.0) * np.linspace(1, 0.3, RATE, dtype=np.float32)
    found = fine_hertz(sound, RATE, to_hertz(pitch))
    assert cents_between(found, to_hertz(pitch)) == pytest.approx(off, abs=0.7)


def test_the_fine_estimate_needs_a_sound():
    assert fine_hertz(np.zeros(RATE, np.float32), RATE, 440.0) is None
    assert fine_hertz(sawtooth(60, 0.01), RATE, to_hertz(60)) is None
