"""The sense of key: what was heard decides what is expected."""

import numpy as np
import pytest

from instrument.models.notes.key_sense import flattened, in_key_ratio, inside, key_logits
from instrument.music.harmony import scale_mask

C_MAJOR = scale_mask(0, "major")


def test_a_key_that_was_heard_is_expected():
    logits = key_logits(np.where(C_MAJOR, 4.0, 0.0), 8.0)
    assert logits[C_MAJOR].min() > logits[~C_MAJOR].max() + 1


def test_nothing_heard_or_no_key_expects_nothing():
    assert np.allclose(key_logits(np.zeros(12)), 0)
    assert np.allclose(key_logits(np.where(C_MAJOR, 4.0, 0.0), 1.0), 0)


def test_tones_inside_the_likeliest_key_and_outside():
    tones = np.where(C_MAJOR, 2.0, 0.0)
    tones[1] = 3.0
    assert in_key_ratio(tones[None]) == (14.0, 3.0)


def test_steps_of_a_scale_over_all_pitches():
    assert inside(2, "major").sum() == sum(scale_mask(2, "major")[pitch % 12] for pitch in range(128))


def test_few_tones_are_told_as_more_of_their_key():
    few = np.where(C_MAJOR, 0.5, 0.0)
    few[[0, 7]] = 20.0
    told = flattened(few, 8.0, 2.6)
    assert told.sum() == pytest.approx(few.sum())
    assert told[4] > few[4] + 1
    assert told[0] < few[0] - 1
    assert told[C_MAJOR].min() > told[~C_MAJOR].max()
    enough = np.where(C_MAJOR, 6.0, 0.0)
    assert (flattened(enough, 8.0, 2.6) == enough).all()
