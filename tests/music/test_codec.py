"""The codec: lossless on its grid, and echoes the same note by note as at once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from instrument.music import codec
from instrument.music.notes import Note, order_keys, tidy
from instrument.music.timebase import Metre, MetreMap

METRE = st.sampled_from([(4, 4), (3, 4), (6, 8), (2, 4), (5, 4), (7, 8)])
NOTES = st.lists(
    st.tuples(
        st.integers(0, 600),
        st.integers(-4, 3),
        st.integers(0, 127),
        st.integers(1, 1000),
        st.integers(1, 127),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=80,
)


def as_array(rows):
    """Notes whose gaps are the first numbers."""
    notes = np.array(rows, np.int32)
    notes[:, 0] = np.cumsum(notes[:, 0])
    return tidy(notes)


@given(NOTES)
def test_round_trip_on_the_grid(rows):
    notes = codec.to_grid(as_array(rows))
    assert (np.diff(notes[:, 0], prepend=notes[0, 0]) <= codec.MAX_GAP).all()
    events = codec.encode(notes, int(notes[0, 0]))
    for i, size in enumerate(codec.FIELDS.values()):
        assert events[:, i].min() >= 0
        assert events[:, i].max() < size
    assert (codec.decode(events, int(notes[0, 0])) == notes).all()
    assert (codec.to_grid(notes) == notes).all()


@given(NOTES)
def test_one_note_at_a_time_is_the_same(rows):
    notes = codec.to_grid(as_array(rows))
    last = int(notes[0, 0])
    for note, event in zip(notes.tolist(), codec.encode(notes, last).tolist(), strict=True):
        assert list(codec.encode_note(Note(*note), last)) == event
        assert list(codec.decode_note(event, last)) == note
        last = note[0]


@given(NOTES, METRE, st.integers(0, 500), METRE)
def test_echoes_note_by_note_are_those_of_the_piece(rows, first, change, second):
    notes = codec.to_grid(as_array(rows))
    metres = (Metre(0, *first), Metre(change + 1, *second))
    context = codec.bar_context(notes[:, 0], metres)
    grid = MetreMap(metres)
    assert [codec.tick_context(int(t), grid) for t in notes[:, 0]] == [tuple(c) for c in context.tolist()]
    keys = order_keys(notes)
    gaps = codec.all_echo_gaps(keys, context[:, 2])
    echoes = codec.all_echo_notes(keys, context[:, 2])
    so_far = keys.tolist()
    for i in range(len(notes)):
        assert codec.echo_gaps(so_far[: i + 1], int(context[i, 2])) == gaps[i].tolist()
        if i:
            found = codec.echo_notes(so_far[:i], int(notes[i, 0]), int(context[i, 2]))
            assert found == echoes[i - 1].tolist()


def test_an_echo_recalls_a_repeated_bar():
    bar = [(0, 60), (24, 64), (48, 67), (72, 72)]
    rows = [(tick + 96 * b, 0, pitch, 24, 80, 0) for b in range(2) for tick, pitch in bar]
    keys = order_keys(tidy(np.array(rows, np.int32)))
    found = codec.all_echo_notes(keys, np.full(8, 96, np.int32))
    assert found[3:, 0].tolist() == [0, 1, 2, 3]
    assert codec.all_echo_gaps(keys, np.full(8, 96, np.int32))[4:7, 0].tolist() == [24, 24, 24]


def test_unmetered_music_has_no_echo_and_its_own_position():
    ticks = np.arange(5, dtype=np.int32) * 10
    assert (codec.bar_context(ticks, ())[:, 0] == codec.UNMETERED).all()
    assert codec.tick_context(7, MetreMap()) == (codec.UNMETERED, 0, 0)
    assert codec.echo_notes([1000], 10, 0) == [-1] * 4
