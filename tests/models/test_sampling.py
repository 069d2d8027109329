"""Draws: counter-based, fair, and steady under masking."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from instrument.models.sampling import choose, noise


def test_noise_depends_on_its_key_and_counters_alone():
    one = noise(1, 0, (2, 3, 0), 50)
    assert (one == noise(1, 0, (2, 3, 0), 50)).all()
    assert (one[:20] == noise(1, 0, (2, 3, 0), 20)).all()
    others = [noise(2, 0, (2, 3, 0), 50), noise(1, 1, (2, 3, 0), 50), noise(1, 0, (2, 3, 1), 50)]
    assert all((one != other).mean() > 0.9 for other in others)
    assert (noise(-5, 0, (-1, 0, 0), 4) == noise(-5, 0, (-1, 0, 0), 4)).all()


def test_gumbel_max_draws_from_the_softmax():
    probabilities = np.array([0.5, 0.3, 0.15, 0.05])
    logits = np.log(probabilities).astype(np.float32)
    counts = np.bincount([choose(logits, noise(7, 0, (i, 0, 0), 4)) for i in range(4000)], minlength=4)
    assert np.abs(counts / 4000 - probabilities).max() < 0.03


@given(st.integers(0, 10_000), st.floats(0.2, 2), st.floats(0.5, 1))
def test_masking_what_was_not_chosen_changes_nothing(seed, temperature, top_p):
    logits = np.random.default_rng(seed).normal(0, 2, 30).astype(np.float32)
    draws = noise(seed, 0, (0, 0, 0), 30)
    chosen = choose(logits, draws, temperature, top_p)
    assert choose(logits, draws, temperature, top_p, after=np.arange(30) >= chosen) == chosen


def test_nothing_left_is_said():
    logits = np.zeros(4, np.float32)
    assert choose(logits, logits, allowed=np.zeros(4, bool)) == -1
    assert choose(logits, logits, after=np.zeros(4, bool)) == -1
    assert choose(logits, logits, allowed=np.array([False, True, False, False])) == 1


def test_low_temperature_and_small_top_p_take_the_likeliest():
    logits = np.array([0, 1, 3, 2], np.float32)
    for i in range(50):
        draws = noise(i, 0, (0, 0, 0), 4)
        assert choose(logits, draws, temperature=0.01) == 2
        assert choose(logits, draws, top_p=0.5) == 2
