"""Ways between points: equal ways change what is heard equally, as far as it lets them."""

from collections.abc import Callable

import numpy as np
import pytest

from instrument.models.notes import pacing
from instrument.models.notes.pacing import MAX_UNEVENNESS, STOPS, pace, point_at
from instrument.music.phrases import Shape

SIZE, STEPS = 8, 32
A, B = np.eye(SIZE, dtype=np.float32)[:2]


def angles(points: np.ndarray) -> np.ndarray:
    """The share of the angle from A to B at which points lie."""
    return np.arctan2(points[:, 1], points[:, 0]) / (np.pi / 2)


def on_arc(at: list[float]) -> Callable[[np.ndarray], np.ndarray]:
    """A decoder whose tokens change at these shares of the angle, one for each."""

    def decode(points: np.ndarray) -> np.ndarray:
        tokens = np.zeros((len(points), STEPS), np.int64)
        tokens[:, : len(at)] = angles(points)[:, None] > np.array(at)
        return tokens

    return decode


@pytest.fixture
def way(monkeypatch):
    """The way from A to B for a decoder, and what its equal parts change."""

    def found(decode):
        def decode_greedily(bundle, shape, segments, points):
            return decode(points), np.zeros((len(points), STEPS, 2), np.float32)

        monkeypatch.setattr(pacing, "decode_greedily", decode_greedily)
        way = pace(None, Shape(), 1, A, B)
        stops = decode(np.stack([point_at(A, B, way, share) for share in np.linspace(0, 1, STOPS + 1)]))
        return way, (stops[1:] != stops[:-1]).sum(1)

    return found


def test_what_changes_all_in_one_place_is_spread_out(way):
    _, changes = way(on_arc([0.4 + 0.001 * i for i in range(32)]))
    assert changes.sum() == 32
    assert changes.max() <= MAX_UNEVENNESS * changes.mean()


def test_what_changes_at_once_is_alone(way):
    """Four tokens at once, where there are two a part: no more with them."""
    at = [0.5] * 4 + list(np.linspace(0.1, 0.9, 28))
    _, changes = way(on_arc(at))
    assert changes.max() <= MAX_UNEVENNESS * changes.mean()


def test_a_way_beside_the_arc_is_taken_where_the_arc_is_uneven(way):
    """On the arc ten tokens change at once; beside it, one after the other."""

    def decode(points: np.ndarray) -> np.ndarray:
        aside = np.abs(points[:, 2:]).sum(1, keepdims=True)
        at = np.linspace(0.02, 0.98, STEPS)
        tokens = angles(points)[:, None] > np.where((aside > 0.02) | (np.arange(STEPS) >= 10), at, 0.15)
        return tokens.astype(np.int64)

    found, changes = way(decode)
    assert found.bend.any()
    assert changes.max() <= MAX_UNEVENNESS * changes.mean()


def test_the_lengths_of_points_stay(way):
    found, _ = way(on_arc([0.3, 0.6]))
    lengths = [np.linalg.norm(point_at(A, B, found, share)) for share in np.linspace(0, 1, 9)]
    np.testing.assert_allclose(lengths, 1, atol=1e-5)
