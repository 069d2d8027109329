"""How closely players keep to a plan, on notes whose figures are known."""

import numpy as np
import pytest

from instrument.music.notes import Part, Piece
from instrument.music.progressions import parse_progression
from instrument.music.timebase import Metre
from training.evaluation.notes.plan_following import bass_at_changes, changes, entropy, likeness, measure

PLAN = parse_progression("C | F | G7 | Am").repeated(12, 0.0)
ROOTS = (0, 5, 7, 9)
TRIADS = ((0, 4, 7), (5, 9, 0), (7, 11, 2), (9, 0, 4))


def band(melody_step: int = 0, bass_step: int = 0) -> Piece:
    """Twelve bars in the chords of the plan: chords twice a bar, a melody and a bass, moved by so many semitones."""
    rows = []
    for bar in range(12):
        root, triad = ROOTS[bar % 4], TRIADS[bar % 4]
        for tick in (0, 48):
            rows += [(96 * bar + tick, 0, 60 + pitch, 48, 80, Part.CHORDS) for pitch in triad]
            rows.append((96 * bar + tick, 0, 84 + root + melody_step, 24, 80, Part.MELODY))
        rows.append((96 * bar, 0, 36 + root + bass_step, 96, 80, Part.BASS))
    return Piece(np.array(sorted(rows), np.int32), (Metre(0, 4, 4),))


def test_a_band_that_obeys_has_everything_in_its_chords():
    found = measure(band(), PLAN)
    assert (found.melody, found.chords, found.bass, found.clash) == (1.0, 1.0, 1.0, 0.0)
    assert found.heard > 0.9
    assert found.entropy == pytest.approx(2.0)  # four pitches, equally often


def test_each_figure_falls_with_its_own_part():
    found = measure(band(melody_step=1), PLAN)
    assert found.melody == 0.0
    assert found.chords == 1.0
    found = measure(band(bass_step=6), PLAN)
    assert found.bass == 0.0
    assert found.melody == 1.0
    assert measure(band(bass_step=7), PLAN).bass == 1.0  # the fifth
    assert measure(band(), PLAN.transposed(6)).heard < 0.1


def test_what_is_not_there_is_not_counted():
    drums = Piece(np.array([(0, 0, 36, 6, 90, Part.DRUMS)], np.int32), (Metre(0, 4, 4),))
    found = measure(drums, PLAN)
    assert all(np.isnan(value) for value in (found.melody, found.chords, found.bass, found.heard, found.entropy))
    assert np.isnan(bass_at_changes(np.zeros((0, 6), np.int32), PLAN))
    assert np.isnan(entropy(np.zeros(0, np.int32)))


def test_changes_are_where_the_chord_is_another():
    plan = parse_progression("C | C | F G | %")
    assert [(tick, chord.root) for tick, chord in changes(plan, 9999)] == [
        (0, 0),
        (192, 5),
        (240, 7),
        (288, 5),
        (336, 7),
    ]
    assert [tick for tick, _ in changes(plan, 241)] == [0, 192, 240]


def test_rounds_are_as_like_as_what_they_share():
    """Twelve bars that repeat every four: the same, with a melody of other pitches, and moved by an eighth."""
    same = band()
    assert likeness(same, PLAN, 4, 12) == {"notes": 1.0, "rhythm": 1.0}
    late = same.notes[:, 0] >= 8 * 96
    melody = late & (same.notes[:, 5] == Part.MELODY)
    other = Piece(same.notes + 2 * melody[:, None] * np.array([0, 0, 1, 0, 0, 0]), same.metres)
    found = likeness(Piece(other.notes.astype(np.int32), same.metres), PLAN, 4, 12)
    assert found["rhythm"] == 1.0
    assert found["notes"] == pytest.approx((4 * 1 + 4 * 7 / 11) / 8, abs=1e-3)  # 9 notes a bar, of which 2 differ
    moved = Piece((same.notes + 12 * late[:, None] * np.array([1, 0, 0, 0, 0, 0])).astype(np.int32), same.metres)
    found = likeness(moved, PLAN, 4, 12)
    assert found["rhythm"] == found["notes"] == 0.5
