"""The network that tells renders from real pieces, on rolls whose difference is known."""

from __future__ import annotations

import numpy as np
import pytest

from instrument.errors import HocketError
from tests.support.bands import B, D, block, excerpt, note
from training.evaluation.bands.discriminator import (
    LOWEST,
    PITCHES,
    Window,
    balanced,
    cross_validated,
    roll,
    rows,
    transposed,
)

SCALE = (0, 2, 4, 5, 7, 9, 11)


def windows(random: np.random.Generator, rendered: bool, leaping: bool, count: int = 45) -> list[Window]:
    """Stretches of two bars of a line that steps along a scale, or leaps."""
    found = []
    for i in range(count):
        struck = np.zeros((2 * PITCHES, 32), bool)
        at = 20
        for step in range(0, 32, 2):
            at = int(random.integers(5, 60)) if leaping else (at + int(random.choice((-1, 1)))) % 40
            struck[7 * (at // 7) + SCALE[at % 7], step] = True
        found.append(Window(struck, "pop", i % 3, rendered))
    return found


def share(leaping: bool) -> float:
    random = np.random.default_rng(2)
    return float(cross_validated([*windows(random, False, False), *windows(random, True, leaping)], updates=80).mean())


def test_what_differs_is_told_apart_and_what_does_not_is_not():
    assert share(leaping=True) > 0.9
    assert 0.3 < share(leaping=False) < 0.7


def test_each_genre_and_fold_has_as_many_real_windows_as_rendered_ones():
    random = np.random.default_rng(1)
    kept = balanced([*windows(random, False, False, 30), *windows(random, True, False, 12)])
    assert [sum(w.rendered == kind for w in kept) for kind in (False, True)] == [12, 12]
    assert {(w.fold, w.rendered) for w in kept} == {(fold, kind) for fold in range(3) for kind in (False, True)}
    with pytest.raises(HocketError, match="too few real pieces or renders"):
        balanced(windows(random, True, False))


def test_a_roll_has_what_is_struck_and_what_sounds_but_no_drums():
    found = roll(excerpt([note(0, 60, 2.0), *block(4, (40, 47), 0.25, B), note(1, 36, part=D)], bars=2))
    struck, sounds = found.reshape(2, PITCHES, -1)
    assert sorted(zip(*np.nonzero(struck), strict=True)) == [(40 - LOWEST, 16), (47 - LOWEST, 16), (60 - LOWEST, 0)]
    assert np.flatnonzero(sounds[60 - LOWEST]).tolist() == list(range(8))
    assert sounds.sum() == 10


@pytest.mark.parametrize("semitones", [-5, 0, 6])
def test_a_roll_is_transposed_whole(semitones):
    struck = np.zeros((2, PITCHES, 4), bool)
    struck[0, 30, 1] = struck[1, 30, 1:3] = True
    moved = transposed(struck.reshape(2 * PITCHES, 4), semitones).reshape(2, PITCHES, 4)
    assert (moved[:, 30 + semitones] == struck[:, 30]).all()
    assert moved.sum() == 3


def test_the_table_has_both_versions():
    now = {"2": {"pop": 0.75, "all": 0.75}, "16": {"pop": 0.9, "all": 0.9}}
    assert rows(now, {"2": {"pop": 0.8, "all": 0.8}}) == [
        ("", "2 bars", "2 bars, before", "16 bars", "16 bars, before"),
        ("pop", "0.75", "0.80", "0.90", "–"),
        ("all", "0.75", "0.80", "0.90", "–"),
    ]
