"""The stretch that is measured, its bars and its lines."""

from __future__ import annotations

import numpy as np
import pytest

from instrument.errors import HocketError
from instrument.music.notes import Piece
from instrument.music.timebase import Metre
from tests.support.bands import COMMON, OTHER, B, D, M, block, excerpt, note
from training.evaluation.bands.excerpt import cut, from_notes, line, melody_line, struck
from training.measures.bars import jaccard


def eighths(beats: int, first: float = 0.0) -> list:
    return [note(first + i / 2, 60, 0.5) for i in range(2 * beats)]


def test_it_begins_with_the_first_bar_that_has_a_note() -> None:
    found = from_notes(eighths(36, first=9.5), COMMON)
    assert found.notes[0, 0] == 36  # beat 9.5 is 1.5 beats into the third bar
    assert found.bars == 10  # beats 8 to 45.5: the last onset is in the tenth bar
    assert found.end == 960


def test_it_ends_with_the_last_whole_bar_of_three_minutes() -> None:
    found = from_notes(eighths(800), COMMON, bpm=100.0)
    assert found.bars == 75  # 180 s at 100 bpm are 300 beats
    assert found.notes[-1, 0] == 75 * 96 - 12
    assert found.seconds == pytest.approx(180)


def test_a_slower_tempo_on_the_way_makes_it_shorter() -> None:
    notes = np.array(eighths(800), np.int32)
    found = cut(Piece(notes, (COMMON,), ((0, 120.0), (120 * 24, 60.0))))
    assert found.bars == 60  # 120 beats in the first minute, then 120 in two
    assert found.bpm == pytest.approx(80)


def test_a_note_played_early_belongs_to_the_next_bar() -> None:
    early = note(4, 60)._replace(tick=94)
    found = from_notes([early, *eighths(40, first=5)], COMMON)
    assert found.notes[0, 0] == 0
    assert found.bars == 11


def test_what_sounds_beyond_the_end_is_cut() -> None:
    found = from_notes([*eighths(32), note(30, 48, 20)], COMMON)
    assert (found.notes[:, 0] + found.notes[:, 3]).max() == found.end == 8 * 96


@pytest.mark.parametrize(
    ("notes", "metres", "message"),
    [
        ([], (COMMON,), "no notes"),
        (eighths(40), (), "no metre"),
        (eighths(40), (COMMON, Metre(96, 3, 4)), "changes its metre"),
        (eighths(40), (COMMON, Metre(100, 4, 4)), "changes its metre"),
        (eighths(28), (COMMON,), "it has 7 bars"),
    ],
)
def test_it_refuses_what_has_no_form(notes: list, metres: tuple, message: str) -> None:
    with pytest.raises(HocketError, match=message):
        cut(Piece(np.array(notes, np.int32).reshape(-1, 6), metres))


def test_a_metre_said_again_at_a_bar_line_is_no_change() -> None:
    assert cut(Piece(np.array(eighths(40), np.int32), (COMMON, Metre(192, 4, 4)))).bars == 10


def test_bars_are_sets_of_sixteenth_and_pitch() -> None:
    late = note(1, 64)._replace(tick=26)  # on the sixteenth at 24
    notes = [note(0, 60), late, note(1, 60, part=D), note(4, 60), note(4, 60, part=D)]
    bars = struck(excerpt(notes, 3), excerpt(notes, 3).notes)
    assert [len(bar) for bar in bars] == [3, 2, 0]
    assert bars[0] & bars[1] == struck(excerpt(notes[:1], 1), excerpt(notes[:1], 1).notes)[0]
    assert jaccard(bars[0], bars[1]) == pytest.approx(1 / 4)
    assert jaccard(bars[2], bars[2]) == 0


def test_a_stretch_that_is_not_whole_is_left_out() -> None:
    assert len(struck(excerpt([note(0, 60)], 3), excerpt([note(0, 60)], 3).notes, bars=2)) == 1


def test_a_line_has_the_highest_of_each_onset_until_the_next() -> None:
    found = line(excerpt([*block(0, (60, 67), 2), note(1, 55, 0.5)], 1).notes)
    assert [tuple(each) for each in found] == [(0, 67, 24), (24, 55, 36)]


def test_the_top_line_leaves_out_what_a_higher_note_covers() -> None:
    notes = [note(0, 72, 2, OTHER), note(1, 48, 1, OTHER), note(2, 60, 1, OTHER), note(2, 90, 1, D)]
    assert [each.pitch for each in melody_line(excerpt(notes, 1))] == [72, 60]


def test_the_melody_is_the_part_where_there_is_one() -> None:
    notes = [note(0, 72, 2, OTHER), note(1, 48, 1, M), note(1, 36, 1, B)]
    assert [each.pitch for each in melody_line(excerpt(notes, 1))] == [48]
    assert melody_line(excerpt([], 1)) == []
