"""The yardstick: known values, and a figure that does not depend on how it is computed."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
import torch

from instrument.models.notes.form_conditions import NOTHING
from instrument.music import codec
from instrument.music.notes import Part, Piece, tidy
from instrument.music.timebase import Metre
from tests.support.corpus import GENRES, tune
from training.data.notes.events import features
from training.families.lstm.network import Config, Network
from training.families.notes import network as note_family
from training.families.notes import yardstick
from training.families.notes.yardstick import SCORED, on_grid, score

TIMES, DURATIONS = codec.FIELDS["time"], codec.FIELDS["duration"]


class Uniform:
    """Finds everything equally likely."""

    genres = 1
    learned = NOTHING

    def initial(self, batch_size: int) -> None:
        return None

    def __call__(self, batch, condition, state):
        shape = batch["target"].shape[:2]
        return {name: torch.zeros(*shape, size) for name, size in note_family.CLASSES.items()}, None


def piece(rows: list[tuple[int, int, int, int]], part: int = Part.MELODY) -> Piece:
    """Of (tick, pitch, duration, velocity)."""
    notes = [(tick, 0, pitch, duration, velocity, part) for tick, pitch, duration, velocity in rows]
    return Piece(tidy(np.array(notes, np.int32)), (Metre(0, 4, 4),))


def nats(one: Piece) -> dict[str, float]:
    found = score(Uniform(), [("folk", one)], ("folk",))
    assert list(found.nats) == ["folk"]
    assert found.total == pytest.approx(found.nats["folk"].sum(), abs=1e-3)
    return dict(zip(SCORED, found.nats["folk"][0], strict=True))


def test_uniform_logits_give_the_analytic_value():
    flat = nats(piece([(0, 60, 12, 80), (24, 62, 12, 80), (48, 64, 12, 80)]))
    assert flat["time"] == pytest.approx(log(TIMES), abs=1e-5)
    assert flat["pitch"] == pytest.approx(log(5) + log(128), abs=1e-5)  # a part, then one of its pitches
    assert flat["duration"] == pytest.approx(log(DURATIONS), abs=1e-5)
    assert flat["velocity"] == pytest.approx(log(33 / 3), abs=1e-5)  # two of 32 fine steps, or "as constant as so far"


def test_long_times_and_durations_are_capped():
    found = nats(piece([(0, 60, 12, 80), (200, 62, 300, 80)]))
    assert found["time"] == pytest.approx(log(TIMES / (TIMES - 96)), abs=1e-5)
    assert found["duration"] == pytest.approx(log(DURATIONS / (DURATIONS - 95)), abs=1e-5)


def test_velocities_are_sixteen_steps():
    varied = nats(piece([(0, 60, 12, 80), (24, 62, 12, 40), (48, 64, 12, 100)]))
    # The second leaves the constant (two of 33 classes), after which there is no constant to keep to.
    assert varied["velocity"] == pytest.approx((log(33 / 2) + log(32 / 2)) / 2, abs=1e-5)
    near = nats(piece([(0, 60, 12, 80), (24, 62, 12, 85)]))
    assert near["velocity"] == pytest.approx(log(33 / 3), abs=1e-5)  # both fine steps are one coarse step


def test_notes_of_a_chord_ascend():
    found = nats(piece([(0, 60, 12, 80), (0, 64, 12, 80)]))
    assert found["pitch"] == pytest.approx(log(5) + log(127 - 60), abs=1e-5)


def test_drums_are_told_apart():
    found = nats(piece([(0, 36, 12, 80), (24, 38, 12, 80)], Part.DRUMS))
    assert found["pitch"] == pytest.approx(log(5) + log(128), abs=1e-5)


def test_the_grid_has_no_microtiming_and_a_limit():
    notes = np.array([(i, i % 5 - 2, 60, 6, 80, 0) for i in range(50)], np.int32)
    grid = on_grid(Piece(notes), 30)
    assert len(grid) == 30
    assert not grid.notes[:, 1].any()
    assert notes[:, 1].any()  # the piece is left as it was


def test_the_total_is_the_mean_of_genres():
    one, other = piece([(0, 60, 12, 80), (0, 64, 12, 80)]), piece([(0, 60, 12, 80), (24, 64, 12, 80)])
    found = score(Uniform(), [("a", one), ("b", other), ("b", other), ("b", other)], ("a", "b"))
    assert found.total == pytest.approx((found.nats["a"].sum() + found.nats["b"][0].sum()) / 2, abs=1e-3)
    assert found.by_genre()["b"]["pieces"] == 3


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    net = Network(Config(1, 16, 16, 8, 0.0), 2).eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return net


@pytest.fixture(scope="module")
def pieces() -> list[tuple[str, Piece]]:
    names = list(GENRES)
    return [(names[i % 2], tune(i, GENRES[names[i % 2]], bars=1 + i)) for i in range(7)]


@pytest.mark.parametrize(("batch_size", "steps"), [(1, 256), (3, 256), (48, 7), (2, 1)])
def test_the_score_does_not_depend_on_lanes_and_windows(network, pieces, monkeypatch, batch_size, steps):
    whole = score(network, pieces, tuple(GENRES))
    monkeypatch.setattr(yardstick, "BATCH_SIZE", batch_size)
    monkeypatch.setattr(yardstick, "STEPS", steps)
    parted = score(network, list(reversed(pieces)), tuple(GENRES))
    assert parted.total == pytest.approx(whole.total, abs=1e-5)
    for genre, found in whole.nats.items():
        np.testing.assert_allclose(np.sort(parted.nats[genre].sum(1)), np.sort(found.sum(1)), atol=1e-4)


def test_a_genre_that_is_not_known_is_told_as_none(network, pieces):
    known = score(network, [("march", pieces[0][1])], ("march", "waltz"))
    unknown = score(network, [("polka", pieces[0][1])], ("march", "waltz"))
    other = score(network, [("tango", pieces[0][1])], ("march", "waltz"))
    assert unknown.total == other.total != known.total


def test_the_first_note_is_not_scored_and_nothing_after_is_left_out(network, pieces):
    """The sum over the fields is the loss of the same notes, field by field, on a piece without caps."""
    genre, one = pieces[3]
    found = score(network, [(genre, one)], tuple(GENRES))
    told = features(one)
    rows = {n: getattr(told, n)[None] for n in told.__slots__}
    batch = note_family.tensors(rows | {"genre": np.full((1, len(told)), tuple(GENRES).index(genre))})
    condition = note_family.conditions(batch, 2, torch.tensor([[True, False, False, False]]))
    with torch.no_grad():
        logits, _ = network(batch, condition, network.initial(1))
        loss = {name: value[0, 1:].mean().item() for name, value in note_family.nats(logits, batch).items()}
    mine = dict(zip(SCORED, found.nats[genre][0], strict=True))
    assert mine["pitch"] == pytest.approx(loss["pitch"] + loss["part"], abs=1e-4)
    assert mine["time"] == pytest.approx(loss["time"], abs=1e-4)
    assert mine["velocity"] <= loss["velocity"]
