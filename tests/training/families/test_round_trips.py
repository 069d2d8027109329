"""Notes taken apart and put together again, by every family's representation."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.sound_corpus import INSTRUMENTS, note
from training.evaluation.sound.evaluation import levelled
from training.evaluation.sound.pitch import cents_between, fine_hertz, hertz
from training.families.table import FAMILIES
from training.measures.distances import multi_resolution

RATE = 16000


@pytest.mark.parametrize("family", [name for name, family in FAMILIES.items() if family.kind == "voice"])
@pytest.mark.parametrize("pitch", [45, 60, 79])
def test_a_note_comes_back(family, pitch):
    real = note(INSTRUMENTS["reed"], pitch, 100, RATE, 3 * RATE // 2, RATE)
    real += 1e-4 * np.random.default_rng(1).standard_normal(len(real))
    real = real.astype(np.float32)
    made = FAMILIES[family].round_trip(real, pitch, RATE)
    assert made.shape == real.shape
    assert np.std(made) == pytest.approx(np.std(real), rel=0.15)
    middle = slice(RATE // 4, 3 * RATE // 4)
    assert abs(cents_between(fine_hertz(made[middle], RATE, hertz(pitch)), hertz(pitch))) < 2
    other = note(INSTRUMENTS["organ"], pitch, 100, RATE, len(real), RATE).astype(np.float32)
    assert multi_resolution(real, made) < 0.7 * multi_resolution(real, levelled(other, real))
