"""Figures of a melody whose intervals and rests are counted by hand."""

from __future__ import annotations

import math

import pytest

from tests.support.bands import excerpt, note
from training.evaluation.bands.excerpt import melody_line
from training.evaluation.bands.melody import (
    bar_line_intervals,
    contour,
    contour_entropy,
    melody_figures,
    phrase_lengths,
)


def test_intervals() -> None:
    # 0, +1, -2, +3, -7, +8, -12 and back by a unison, three times round: 21 intervals.
    pitches = [60]
    for _ in range(3):
        for interval in (0, 1, -2, 3, -7, 8, -3):
            pitches.append(pitches[-1] + interval)
    found = melody_figures(excerpt([note(i, pitch) for i, pitch in enumerate(pitches)], 6))
    assert found["repeated notes"] == pytest.approx(3 / 21)
    assert found["steps"] == pytest.approx(6 / 21)
    assert found["leaps"] == pytest.approx(3 / 21), "a fifth is no leap"


def test_range_is_from_the_5th_to_the_95th_percentile() -> None:
    found = melody_figures(excerpt([note(i, 40 + i) for i in range(21)], 6))
    assert found["range"] == 18


def test_of_few_intervals_nothing_is_said() -> None:
    found = melody_figures(excerpt([note(i, 60 + i) for i in range(16)], 4))
    assert all(math.isnan(value) for value in found.values())
    assert not math.isnan(melody_figures(excerpt([note(i, 60 + i) for i in range(17)], 5))["steps"])


def test_contours() -> None:
    assert [contour(i) for i in (0, 1, 2, 3, -1, -2, -3, 12)] == [0, 1, 1, 2, -1, -1, -2, 2]


def test_entropy_of_the_next_contour() -> None:
    assert contour_entropy([1, -1] * 10) == 0, "the next is known"
    assert contour_entropy([5] * 10) == 0
    # After a step up come, of four, two steps up and two down; after a step down always a step up.
    assert contour_entropy([1, 1, 1, -1, 1, -1, 1]) == pytest.approx(4 / 6)


def test_phrases_lie_between_rests_of_a_beat() -> None:
    # Beats 0-3, a rest of a beat, 4-6, half a beat of rest, 6.5-8, two beats, 10-11.
    notes = [note(0, 60, 3), note(4, 60, 2), note(6.5, 60, 1.5), note(10, 60, 1)]
    assert phrase_lengths(melody_line(excerpt(notes, 3))) == [3, 4, 1]


def test_the_phrase_length_is_the_median() -> None:
    notes = [note(8 * phrase + i, 60, 1) for phrase, length in enumerate((7, 5, 5, 1)) for i in range(length)]
    assert melody_figures(excerpt(notes, 8))["phrase length"] == 5


def test_intervals_across_bar_lines_are_held_against_those_within() -> None:
    # Four notes a bar, a semitone apart; from bar to bar a fourth down.
    notes = [note(4 * bar + i, 60 + i - 2 * bar) for bar in range(9) for i in range(4)]
    assert bar_line_intervals(melody_line(excerpt(notes, 9)), 96) == pytest.approx(5 - 1)
    assert melody_figures(excerpt(notes, 9))["bar-line intervals"] == pytest.approx(4)
    assert math.isnan(bar_line_intervals(melody_line(excerpt(notes[:32], 8)), 96)), "seven bar lines"
