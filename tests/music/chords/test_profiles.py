"""Beats, and what sounds in them."""

import numpy as np
import pytest

from instrument.errors import HocketError
from instrument.music.chords.profiles import DOWNBEAT, MIDDLE, WEAK, beat_ticks, beats_of, profiles
from instrument.music.notes import Part, Piece, tidy
from instrument.music.reading import DEFAULT_METRE
from instrument.music.timebase import Metre


def piece(*rows: tuple[int, int, int, int], metres=(DEFAULT_METRE,)) -> Piece:
    """Rows of tick, pitch, duration, part."""
    return Piece(tidy(np.array([(t, 0, p, d, 80, part) for t, p, d, part in rows], np.int32)), metres)


@pytest.mark.parametrize(
    ("metre", "ticks"),
    [
        ((4, 4), 24),
        ((3, 4), 24),
        ((2, 2), 24),
        ((6, 8), 36),
        ((12, 8), 36),
        ((3, 8), 12),
        ((7, 8), 12),
        ((4, 16), 6),
    ],
)
def test_a_beat_is_what_is_counted(metre, ticks):
    assert beat_ticks(Metre(0, *metre)) == ticks
    assert beat_ticks(None) == 24


def test_beats_know_their_bar_and_place():
    beats = beats_of(piece((0, 60, 150, Part.MELODY), metres=(Metre(0, 4, 4), Metre(96, 3, 4))))
    assert beats.edges.tolist() == [0, 24, 48, 72, 96, 120, 144, 168]
    assert beats.bars.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert beats.places.tolist() == [DOWNBEAT, WEAK, MIDDLE, WEAK, DOWNBEAT, WEAK, WEAK]
    assert [beats.at(tick) for tick in (-5, 0, 23, 24, 167, 500)] == [0, 0, 0, 1, 6, 6]


def test_without_a_metre_there_are_four_beats_to_a_bar():
    beats = beats_of(piece((0, 60, 100, Part.MELODY), metres=()))
    assert beats.edges.tolist() == [0, 24, 48, 72, 96, 120, 144, 168, 192]
    assert beats.places.tolist() == [DOWNBEAT, WEAK, MIDDLE, WEAK] * 2


def test_profiles_are_time_sounding_lowest_and_strokes():
    found = profiles(
        piece(
            (0, 48, 48, Part.BASS),  # C for two beats
            (12, 64, 24, Part.CHORDS),  # E over half of each
            (12, 76, 12, Part.MELODY),  # and an octave above in the first
            (24, 43, 12, Part.BASS),  # a lower G
            (0, 36, 48, Part.DRUMS),
        ),
        np.array([0, 24, 48]),
    )
    expected = np.zeros((3, 2, 12))
    expected[0, 0, [0, 4]] = [1, 1]
    expected[0, 1, [0, 4, 7]] = [1, 0.5, 0.5]
    expected[1, 0, 0] = 1
    expected[1, 1, [0, 7]] = [0.5, 0.5]
    expected[2, 0, [0, 4]] = [1, 2]
    expected[2, 1, 7] = 1
    np.testing.assert_allclose(np.stack(found), expected)


def test_a_piece_that_has_no_end_is_refused():
    with pytest.raises(HocketError, match="over 20000 beats is too long"):
        beats_of(piece((1 << 23, 60, 24, Part.MELODY)))
    with pytest.raises(HocketError, match="over 20000 beats is too long"):
        beats_of(piece((1 << 20, 60, 24, Part.MELODY), metres=(Metre(0, 1, 64),)))
