"""Features of pieces, and comparing sets of pieces by them."""

from __future__ import annotations

import numpy as np
import pytest

from instrument.music.notes import Part, Piece, tidy
from tests.support.corpus import GENRES, tune
from tests.support.pieces import piece
from training.evaluation.notes import comparison, features
from training.evaluation.notes.features import LENGTHS, excerpt, length_classes, measure

BAR = 96


# --- features


def test_features_of_a_known_melody():
    found = measure(piece([(0, 60, 24), (24, 64, 24), (48, 60, 48)]))
    assert found.keys() == set(features.NAMES)
    assert found["pitch count"] == [2]
    assert found["note count"] == [3]
    assert found["pitch range"] == [4]
    assert found["mean interval"] == [4]
    assert found["mean onset interval"] == [1]
    classes = np.zeros(12)
    classes[[0, 4]] = 0.75, 0.25  # weighted by duration
    np.testing.assert_allclose(found["pitch classes"], classes)
    transitions = np.zeros((12, 12))
    transitions[0, 4] = transitions[4, 0] = 0.5
    np.testing.assert_allclose(found["pitch class transitions"], transitions.ravel())
    lengths = np.zeros(12)
    lengths[list(LENGTHS).index(24)], lengths[list(LENGTHS).index(48)] = 2 / 3, 1 / 3
    np.testing.assert_allclose(found["note lengths"], lengths)
    assert found["note length transitions"].reshape(12, 12)[2, 1] == 0.5


def test_drums_have_no_pitch_but_are_notes():
    melody = piece([(0, 60, 24), (24, 64, 24)])
    drums = piece([(12, 36, 6), (36, 38, 6)], Part.DRUMS)
    both = measure(Piece(tidy(np.concatenate([melody.notes, drums.notes])), melody.metres))
    assert both["note count"] == [4]
    assert both["mean onset interval"] == [0.5]
    for name in ("pitch count", "pitch range", "pitch classes", "note lengths"):
        np.testing.assert_allclose(both[name], measure(melody)[name])
    assert measure(drums) is None


def test_nothing_is_said_of_too_little():
    assert measure(piece([(0, 60, 24)])) is None
    assert measure(piece([(0, 60, 24), (0, 64, 24)])) is None


def test_lengths_go_to_the_nearest_class_of_the_bar():
    assert [LENGTHS[i] for i in length_classes(np.array([96, 47, 25, 13, 1, 70, 400]), 96)] == [
        96,
        48,
        24,
        12,
        6,
        72,
        96,
    ]
    assert LENGTHS[length_classes(np.array([72]), 72)[0]] == 96  # a whole bar of three beats
    assert LENGTHS[length_classes(np.array([60]), 96)[0]] == 48  # as near to 72: the earlier


def test_an_excerpt_begins_with_the_bar_of_the_first_note():
    upbeat = piece([(72 + 24 * i, 60 + i % 5, 24) for i in range(40)])
    assert excerpt(upbeat, 2).notes[:, 0].tolist() == list(range(72, 192, 24))
    free = Piece(upbeat.notes)
    assert excerpt(free, 1).notes[-1, 0] == 72 + 96 - 24


# --- comparison


def vectors(seed: int, n: int = 40, size: int = 3, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (n, size))


def test_distances_leave_the_piece_itself_out():
    points = np.array([[0.0], [1.0], [3.0]])
    assert sorted(comparison.intra(points)) == [1, 1, 2, 2, 3, 3]
    assert sorted(comparison.inter(points, np.array([[1.0]]))) == [0, 1, 2]


def test_a_density_is_one_and_smooth():
    grid = np.linspace(-5, 5, 400)
    found = comparison.density(np.array([0.0]), 1.0, grid)
    assert found.sum() == pytest.approx(1)
    normal = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi) * (grid[1] - grid[0])
    np.testing.assert_allclose(found, normal, atol=1e-6)


def test_alike_sets_are_near_and_others_far():
    real, more, far = vectors(1), vectors(2), vectors(3, shift=6)
    itself, same, other = (comparison.closeness(made, real) for made in (real, more, far))
    assert itself.oa > 0.93
    assert same.oa > 0.85
    assert other.oa < 0.05
    assert 0 <= itself.kld < 0.1
    assert 0 <= same.kld < 0.1 < 1 < other.kld


def test_kld_is_finite_and_never_below_zero():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        made, real = rng.integers(0, 3, (6, 2)).astype(float), rng.integers(0, 9, (5, 2)).astype(float)
        found = comparison.closeness(made, real)
        assert 0 <= found.kld < np.inf
        assert 0 <= found.oa <= 1 + 1e-9


def test_sets_without_any_spread_can_be_compared():
    same = np.ones((5, 2))
    assert comparison.closeness(same, same).oa == pytest.approx(1)
    assert comparison.closeness(same + 1, same).oa < 0.1


def test_scale_does_not_matter():
    """OA and KLD are of densities on one grid: in other units they are the same."""
    a, b = vectors(1), vectors(2, shift=1)
    one, other = comparison.closeness(a, b), comparison.closeness(a * 1000, b * 1000)
    assert one.oa == pytest.approx(other.oa)
    assert one.kld == pytest.approx(other.kld)


def test_comparing_measured_pieces():
    def group(seeds, metre):
        return [measure(tune(seed, metre)) for seed in seeds]

    marches, more, waltzes = (
        group(range(*r), m)
        for r, m in (((0, 12), GENRES["march"]), ((12, 24), GENRES["march"]), ((24, 36), GENRES["waltz"]))
    )
    near, far = comparison.compare(more, marches, more), comparison.compare(waltzes, marches, more)
    assert near["note count"]["oa"] == near["note count"]["floor_oa"]
    assert near["note count"]["mean_generated"] == near["note count"]["mean_heldout"] == 16 * 4 * 4 + 16
    assert far["note count"]["oa"] < 0.1 < near["note count"]["oa"]
    assert far["note count"]["mean_generated"] == 16 * 3 * 4 + 16
