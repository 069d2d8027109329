"""Conditions: shares add up to one and knobs are continuous."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from instrument.models.notes.conditions import (
    DENSITIES,
    REGISTERS,
    add_pitch_class,
    density_at,
    density_knob,
    density_of,
    histogram_condition,
    knob_share,
    parts_share,
    pitch_class_histograms,
    register_of,
    share,
)


@given(st.floats(-10, 200), st.sampled_from([DENSITIES, REGISTERS]))
def test_a_value_is_shared_between_neighbours(value, anchors):
    row = share(np.array([value], np.float32), anchors)[0]
    assert row[0] == 0
    assert abs(row.sum() - 1) < 1e-5
    assert (row > 0).sum() <= 2


@given(st.floats(0, 8), st.floats(0, 0.1))
def test_a_knob_turned_a_little_changes_its_share_a_little(value, by):
    near = knob_share(min(8, value + by), DENSITIES)
    assert abs(near.sum() - 1) < 1e-5
    assert np.abs(near - knob_share(value, DENSITIES)).max() <= by + 1e-5


def test_none_is_told_apart():
    assert share(np.array([np.nan], np.float32), DENSITIES)[0].tolist() == [1] + [0] * 8
    assert knob_share(0, DENSITIES).tolist() == [1] + [0] * 8


def test_density_and_register_of_notes():
    notes = np.array([(i * 12, 0, 60 + i % 2, 12, 80, 0) for i in range(64)], np.int32)
    assert np.allclose(density_of(notes), 2, atol=0.1)
    assert np.allclose(register_of(notes), 60.5)
    drums = notes.copy()
    drums[:, 5] = 3
    assert np.isnan(register_of(drums)).all()


def test_a_density_has_its_place_on_the_knob():
    for density in DENSITIES:
        assert density_at(density_knob(density)) == density
    assert density_knob(0.01) == 1
    assert density_knob(99) == 8


def test_parts_told_and_none():
    assert parts_share(()).tolist() == [1, 0, 0, 0, 0, 0]
    assert parts_share({0, 3}).tolist() == [0, 1, 0, 0, 1, 0]


def test_tones_are_the_same_note_by_note_and_at_once():
    rng = np.random.default_rng(3)
    notes = np.zeros((2500, 6), np.int32)
    notes[:, 2], notes[:, 5] = rng.integers(0, 128, 2500), rng.integers(0, 5, 2500)
    at_once, tones = pitch_class_histograms(notes), np.zeros(12)
    for row, note in zip(at_once, notes, strict=True):
        np.testing.assert_allclose(row, tones, atol=1e-9)
        if note[5] != 3:
            tones = add_pitch_class(tones, int(note[2]))
    assert histogram_condition(np.zeros(12)).tolist() == [0] * 12
    assert histogram_condition(tones).sum() < 12
    assert not len(pitch_class_histograms(notes[:0]))
