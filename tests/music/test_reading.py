from dataclasses import replace

import numpy as np
import pytest

from instrument.errors import HocketError
from instrument.music.notes import Marker, Part, Piece, tidy
from instrument.music.reading import (
    MAX_TICK,
    RawMidi,
    RawTrack,
    align,
    beat_strength,
    read,
    to_piece,
    track_labels,
)
from instrument.music.timebase import Metre


def track(name: str = "", starts=(0, 480), *, program: int = 0, drums: bool = False, chord: int = 1) -> RawTrack:
    onsets = np.repeat(np.array(starts, np.int64), chord)
    count = len(onsets)
    pitches = 60 + np.arange(count, dtype=np.int64) % chord * 4
    return RawTrack(name, program, drums, onsets, np.full(count, 240, np.int64), pitches, np.full(count, 80, np.int64))


def raw(*tracks: RawTrack, **facts) -> RawMidi:
    return RawMidi(480, list(tracks), **facts)


def test_tracks_are_labelled_among_each_other_and_labels_may_be_given():
    low = replace(track(starts=range(0, 9600, 480)), pitches=np.full(20, 36, np.int64))
    high = replace(low, pitches=np.arange(72, 92))
    empty = track(starts=())
    file = raw(low, empty, high)
    assert [label.part for label in track_labels(file)] == [Part.BASS, Part.MELODY]
    assert to_piece(file).notes[:2, 2:].tolist() == [[36, 12, 80, Part.BASS], [72, 12, 80, Part.MELODY]]
    assert set(read(file, parts=[Part.OTHER, Part.OTHER]).piece.notes[:, 5].tolist()) == {Part.OTHER}


def test_of_the_tempos_of_a_tick_the_last_holds():
    piece = to_piece(raw(track(), tempos=[(0, 240.0), (0, 60.0), (960, 90.0), (960, 80.0)]))
    assert piece.tempos == ((0, 60.0), (48, 80.0))


def test_what_is_timed_in_seconds_has_no_metre():
    counted = raw(track(starts=range(0, 9600, 480)))
    assert read(counted).piece.metres == (Metre(0, 4, 4),)
    assert read(replace(counted, in_seconds=True)).piece.metres == ()


def test_a_file_without_notes_says_what_is_wrong_with_it():
    with pytest.raises(HocketError, match="it has no notes; track 1 is damaged"):
        read(raw(warnings=["track 1 is damaged"]))


def test_onsets_keep_their_microtiming():
    notes = to_piece(raw(track(starts=(0, 25, 30, 60, 485)))).notes
    assert notes[:, :2].tolist() == [[0, 0], [1, 2], [2, -4], [3, 0], [24, 2]]
    assert set(notes[:, 3].tolist()) == {12}


def test_velocity_and_duration_stay_in_range():
    one = RawTrack("", 0, False, *(np.array([v], np.int64) for v in (0, -5, 300, 0)))
    assert to_piece(raw(one)).notes[0, 1:5].tolist() == [0, 127, 1, 1]


@pytest.mark.parametrize(
    ("start", "says"),
    [
        (-480, "before its beginning"),
        (MAX_TICK * 20, "it is 100,001 beats long: at most 100,000 are read"),
        (1 << 50, "it is 2,345,624,805,923 beats long"),
    ],
)
def test_impossible_times_are_refused(start, says):
    with pytest.raises(HocketError, match=says):
        to_piece(raw(track(starts=(0, start))))
    with pytest.raises(HocketError, match="above 0"):
        to_piece(RawMidi(0))


def test_time_signatures_begin_at_the_start_and_do_not_repeat():
    piece = to_piece(
        raw(track(), metres=[(960, 3, 4), (960, 3, 4), (1920, 3, 4), (2880, 6, 8), (9, 0, 4), (9, 4, 999)])
    )
    assert piece.metres == (Metre(0, 4, 4), Metre(48, 3, 4), Metre(144, 6, 8))
    assert to_piece(raw(track())).metres == ()


def steady(offsets, count: int = 200, step: int = 96, **facts) -> Piece:
    """Notes every `step` eighths of a tick, moved by `offsets`."""
    steps = np.arange(count) * step + np.asarray(offsets) + 192
    notes = np.zeros((count, 6), np.int32)
    notes[:, 0] = (steps + 4) // 8
    notes[:, 1] = steps - notes[:, 0] * 8
    notes[:, 2:] = 60, 12, 80, Part.OTHER
    return Piece(tidy(notes), **facts)


@pytest.mark.parametrize("offset", [-20, -9, 7, 19])
def test_a_constant_phase_is_subtracted(offset):
    done = align(steady(offset, metres=(Metre(0, 4, 4),)))
    assert abs(done.phase + offset) <= 1
    assert beat_strength(done.piece.notes[:, 0] * 8 + done.piece.notes[:, 1]) > 0.99
    assert done.piece.notes[:, 0].tolist() == list(range(24, 24 + 200 * 12, 12))


def test_swing_and_looseness_are_no_phase():
    rng = np.random.default_rng(1)
    swung = np.where(np.arange(200) % 2, 32, 0)
    loose = rng.normal(0, 4, 200).round().astype(int)
    for offsets in (swung, loose, swung + loose):
        assert align(steady(offsets, metres=(Metre(0, 4, 4),))).phase == 0


def test_free_time_is_unmetered_and_a_beat_gets_four_four():
    rng = np.random.default_rng(1)
    free = rng.integers(0, 96, 200)
    assert align(steady(free, metres=(Metre(0, 4, 4),))).piece.metres == ()
    assert align(steady(0)).piece.metres == (Metre(0, 4, 4),)


def test_drummers_play_to_a_click():
    piece = steady(np.random.default_rng(1).integers(0, 96, 200), metres=(Metre(0, 4, 4),))
    piece.notes[:, 5] = Part.DRUMS
    assert align(piece).piece.metres == (Metre(0, 4, 4),)


def test_accents_move_the_bar_line():
    piece = steady(0, metres=(Metre(0, 3, 4),), markers=(Marker(24, "chord A:min"),))
    places = piece.notes[:, 0] % 72
    piece.notes[:, 4] = np.where(places == 24, 105, 80)  # a pickup of one beat
    done = align(piece)
    assert done.phase == 48 * 8
    assert (done.piece.notes[done.piece.notes[:, 4] == 105, 0] % 72 == 0).all()
    assert done.piece.markers == (Marker(72, "chord A:min"),)


def test_long_notes_move_the_bar_line():
    onsets = np.array([0, *(24 + bar * 72 + place for bar in range(12) for place in (0, 48))])
    notes = np.zeros((len(onsets), 6), np.int32)
    notes[:, 0], notes[:, 2], notes[:, 4] = onsets, 60, 90
    notes[:, 3] = np.where(onsets % 72 == 24, 48, 24)  # long, short, long, short: a waltz with a pickup
    piece = Piece(notes, (Metre(0, 3, 4),))
    done = align(piece)
    assert done.phase == 48 * 8
    assert done.piece.notes[:3, 0].tolist() == [48, 72, 120]
    notes[-1, 5] = Part.DRUMS
    assert align(piece).phase == 0
    notes[-1, 5] = Part.OTHER
    notes[:, 4] += np.arange(len(notes), dtype=np.int32)
    assert align(piece).phase == 0  # a performance


def test_a_bar_that_a_change_of_metre_cuts_is_a_pickup():
    notes = steady(0, 100).notes
    notes[:, 0] -= 24
    piece = Piece(notes, (Metre(0, 4, 4), Metre(24 + 8 * 96, 3, 4)), ((0, 100.0), (24 + 96, 60.0)))
    done = align(piece).piece
    assert done.metres == (Metre(0, 4, 4), Metre(9 * 96, 3, 4))
    assert done.tempos == ((0, 100.0), (2 * 96, 60.0))
    assert done.notes[0, 0] == 72


def test_nothing_is_aligned_to_nothing():
    empty = Piece(np.zeros((0, 6), np.int32))
    assert align(empty).piece is empty
