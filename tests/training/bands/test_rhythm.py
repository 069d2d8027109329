"""Figures of rhythm and of parts, counted by hand."""

from __future__ import annotations

import math

import pytest

from instrument.music.notes import Note
from instrument.music.timebase import Metre
from tests.support.bands import B, C, D, M, excerpt, note
from training.evaluation.bands.rhythm import bars_sounding, longest_rest, part_figures, rhythm_figures, swing


def test_a_part_sounds_in_the_bars_that_its_notes_reach() -> None:
    piece = excerpt([note(3, 60, 2, B), note(8, 60, 4, B)._replace(duration=98), note(3, 38, 8, D)], 4)
    assert bars_sounding(piece, B) == pytest.approx(3 / 4), "a hundredth of a beat into the fourth bar is no bar"
    assert bars_sounding(piece, D) == pytest.approx(1 / 4), "drums are struck"
    assert bars_sounding(piece, C) == 0


def test_rests_before_between_and_after() -> None:
    piece = excerpt([note(4, 60, 2), note(12, 60, 4), note(12, 38, 4, D), note(30, 38, 1, D)], 8)
    assert longest_rest(piece, M) == 4, "from beat 16 to the end"
    assert longest_rest(piece, D) == pytest.approx(4.5)
    assert longest_rest(excerpt([note(4, 60, 2), note(12, 60, 4)], 4), M) == 1.5
    assert longest_rest(excerpt([note(12, 60, 4)], 4), M) == 3


def test_a_part_that_never_plays_rests_throughout() -> None:
    found = part_figures(excerpt([note(9, 60, 1)], 8))
    assert found["melody enters"] == 2
    assert (found["bass bars"], found["bass rest"]) == (0, 8)
    assert part_figures(excerpt([note(9, 60, 1, B)], 8))["melody enters"] == 8


def test_drum_bars() -> None:
    # Bars of kick, snare and, in every other, a crash: two of three are common.
    notes = [note(4 * bar + i, pitch, 1, D) for bar in range(9) for i, pitch in enumerate((36, 38))]
    notes += [note(4 * bar + 3, 49, 1, D) for bar in range(0, 9, 2)]
    assert rhythm_figures(excerpt(notes, 9))["drum bars alike"] == pytest.approx(2 / 3)
    assert math.isnan(rhythm_figures(excerpt([note(i, 60) for i in range(36)], 9))["drum bars alike"])


def test_kicks_with_a_bass() -> None:
    notes = [note(i, 36, 1, D) for i in range(32)]
    # Of the four kicks of bars 0 to 4 the first has a bass a thirty-second late, the second one a tick more.
    for bar in range(5):
        notes += [note(4 * bar + 3 / 24, 40, 0.5, B), note(4 * bar + 1 + 4 / 24, 40, 0.5, B)]
    assert rhythm_figures(excerpt(notes, 8))["kicks with bass"] == pytest.approx(1 / 4), "bars 5 to 7 have no bass"
    assert math.isnan(rhythm_figures(excerpt(notes[:32], 8))["kicks with bass"])


def swung(second: float, count: int = 16) -> list[Note]:
    """Beats of two notes, the second at a place in the beat; eighths of a tick included."""
    tick, micro = divmod(round(second * 192), 8)
    return [each for i in range(count) for each in (note(i, 60, 0.3), note(i + tick / 24, 60, 0.3, micro=micro))]


@pytest.mark.parametrize(("second", "found"), [(0.5, 0.5), (2 / 3, 2 / 3), (0.625, 0.625), (115 / 192, 115 / 192)])
def test_swing_is_where_the_off_beat_falls(second: float, found: float) -> None:
    assert swing(excerpt(swung(second), 4)) == pytest.approx(found)


def test_other_beats_have_no_swing() -> None:
    dotted, sixteenths = swung(0.75), swung(0.5) + [note(i + 0.25, 62, 0.2) for i in range(16)]
    assert math.isnan(swing(excerpt(dotted, 4)))
    assert math.isnan(swing(excerpt(sixteenths, 4)))
    assert math.isnan(swing(excerpt(swung(0.5, 15), 4)))
    assert math.isnan(swing(excerpt(swung(0.5), 6, Metre(0, 6, 8)))), "its beat is no quarter"
    chords = swung(2 / 3) + [note(i, 64, 0.3, micro=3) for i in range(16)]
    assert swing(excerpt(chords, 4)) == pytest.approx(2 / 3), "notes of a chord are one onset"


def test_off_beats_and_density() -> None:
    notes = [note(i / 2, 60, 0.5, C) for i in range(32)] + [note(i, 40, 1, B) for i in range(16)]
    found = rhythm_figures(excerpt(notes, 4, bpm=60))
    assert found["off-beats"] == pytest.approx(16 / 48)
    assert found["notes a second"] == 3
    assert found["chords a second"] == 2
    assert found["bass a second"] == 1
    assert math.isnan(found["melody a second"])


def test_dynamics_are_the_standard_deviation() -> None:
    notes = [note(i, 60, 1, C, 80 + 10 * (i % 2)) for i in range(16)] + [note(i, 40, 1, B, 90) for i in range(16)]
    found = rhythm_figures(excerpt(notes, 4))
    assert found["chords dynamics"] == 5
    assert found["bass dynamics"] == 0
    assert math.isnan(found["melody dynamics"])
