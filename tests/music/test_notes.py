"""Notes in order, each at most once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from instrument.music.notes import Part, order_keys, tidy


def test_a_melody_keeps_its_notes_where_the_accompaniment_doubles_them_for_longer():
    piano = [(0, 0, 60, 96, 50, Part.CHORDS), (0, 0, 64, 96, 50, Part.CHORDS), (24, 1, 65, 72, 50, Part.CHORDS)]
    singer = [(0, 1, 64, 20, 90, Part.MELODY), (24, 0, 65, 24, 91, Part.MELODY)]
    kept = [(0, 0, 60, 96, 50, Part.CHORDS), *singer]
    for rows in (piano + singer, singer + piano):
        assert tidy(np.array(rows, np.int32)).tolist() == [list(row) for row in kept]


def test_of_equal_notes_of_one_part_the_longest_is_kept():
    rows = [(0, 0, 60, length, 80, Part.CHORDS) for length in (12, 48, 24)]
    assert tidy(np.array(rows, np.int32))[:, 3].tolist() == [48]


def test_a_drum_is_equal_to_no_pitch():
    rows = [(0, 0, 38, 6, 80, Part.DRUMS), (0, 0, 38, 24, 80, Part.BASS)]
    assert tidy(np.array(rows, np.int32))[:, 5].tolist() == [Part.BASS, Part.DRUMS]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(60, 62), st.integers(1, 4), st.sampled_from(Part))))
def test_tidy_keeps_one_note_at_every_place_whatever_their_order(found):
    rows = np.array([(tick, 0, pitch, length, 80, part) for tick, pitch, length, part in found], np.int32)
    rows = rows.reshape(-1, 6)
    once = tidy(rows)
    assert order_keys(once).tolist() == np.unique(order_keys(rows)).tolist()
    np.testing.assert_array_equal(tidy(rows[::-1]), once)
    np.testing.assert_array_equal(tidy(once), once)
