"""Loudness against the values of ITU-R BS.1770 and EBU Tech 3341; the levels of the factory patches, as a trial."""

import numpy as np
import pytest

from instrument.errors import HocketError
from training.evaluation.levels import LEAST_WIDTH, TARGET, TOLERANCE, factory_patches, measure_patch
from training.measures.loudness import RATE, loudness, width


def sine(hertz, db, seconds, channels=(1, 1)):
    """A sine whose peak is at `db` decibels of full scale, in the channels given."""
    wave = 10 ** (db / 20) * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)
    return wave[:, None] * np.array(channels)


def test_a_tone_in_one_channel_has_the_loudness_of_the_standard():
    assert loudness(sine(997, 0, 5, (1, 0))) == pytest.approx(-3.01, abs=0.02)


@pytest.mark.parametrize("db", [-23, -33])
def test_a_tone_in_both_channels_is_as_loud_as_its_peak(db):
    assert loudness(sine(1000, db, 20)) == pytest.approx(db, abs=0.1)


def test_what_is_quiet_is_left_out_of_the_loudness():
    quiet, loud = sine(1000, -36, 10), sine(1000, -23, 60)
    assert loudness(np.concatenate([quiet, loud, quiet])) == pytest.approx(-23, abs=0.1)
    assert loudness(np.concatenate([sine(1000, -72, 10), loud])) == pytest.approx(-23, abs=0.1)
    assert loudness(np.zeros((RATE, 2))) == -np.inf


def test_low_tones_count_less_and_high_ones_more():
    assert loudness(sine(38, -20, 5)) < -24
    assert loudness(sine(8000, -20, 5)) == pytest.approx(-20 + 3.3, abs=0.3)


def test_other_rates_and_short_sounds_are_refused():
    with pytest.raises(HocketError, match="48000 Hz"):
        loudness(np.zeros((RATE, 2)), 44_100)
    with pytest.raises(HocketError, match=r"0\.4 s"):
        loudness(np.zeros((1000, 2)))


def test_width_is_that_of_sides_against_the_middle():
    assert width(sine(1000, -20, 1)) == -np.inf
    assert width(sine(1000, -20, 1, (1, 0))) == pytest.approx(0, abs=0.01)
    assert width(sine(1000, -20, 1, (1, 0.5))) == pytest.approx(20 * np.log10(0.5 / 1.5), abs=0.01)


@pytest.mark.trial
@pytest.mark.parametrize("name", factory_patches())
def test_the_factory_patches_are_equally_loud_and_none_is_mono(name):
    level = measure_patch(name)
    assert level.loudness == pytest.approx(TARGET, abs=TOLERANCE), "python -m training levels --adjust"
    assert level.width > LEAST_WIDTH
