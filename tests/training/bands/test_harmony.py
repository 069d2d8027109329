"""Figures of harmony on progressions whose answers are counted by hand."""

from __future__ import annotations

import math

import pytest

from instrument.music.notes import Note
from instrument.music.timebase import Metre
from tests.support.bands import B, C, D, M, block, excerpt, note
from training.evaluation.bands.chords import recognise
from training.evaluation.bands.harmony import clash, harmony_figures, in_chord, on_strong_beats

TONIC, SUB, DOM, SUPER = (60, 64, 67), (60, 65, 69), (59, 62, 67), (57, 62, 65)  # C, F, G, D minor
ROOTS = {TONIC: 36, SUB: 41, DOM: 43, SUPER: 38}


def progression(chords: list, bass: dict | None = None) -> list[Note]:
    """A bar of each chord over its bass note."""
    under = bass or ROOTS
    return [
        each
        for bar, chord in enumerate(chords)
        for each in (*block(4 * bar, chord, 4), note(4 * bar, under[chord], 4, B))
    ]


def test_a_progression() -> None:
    # C F G C, four times: 15 changes in 16 bars; 4 x V-I, 3 x C after C (no change), so 12 changes.
    found = harmony_figures(excerpt(progression([TONIC, SUB, DOM, TONIC] * 4), 16))
    assert found["in chord"] == 1
    assert found["chord changes"] == pytest.approx(12 / 16)
    assert found["V-I"] == 4
    assert found["IV-I"] == 0
    assert found["ii-V"] == 0
    assert found["diatonic chords"] == 1
    assert found["bass at changes"] == 1
    assert found["clash"] == 0
    assert found["chords on strong beats"] == 1
    assert found["bass on strong beats"] == 1
    assert math.isnan(found["melody on strong beats"])


def test_motions_are_counted_in_sixteen_bars() -> None:
    # C Dm G C F C, twice: per pass ii-V, V-I and IV-I once; and C C between the passes.
    found = harmony_figures(excerpt(progression([TONIC, SUPER, DOM, TONIC, SUB, TONIC] * 2), 12))
    assert [found[name] for name in ("V-I", "IV-I", "ii-V")] == pytest.approx([2 * 16 / 12] * 3)


def test_a_chord_outside_the_key() -> None:
    # C G C F# (once in eight) in C major
    strange = (61, 66, 70)
    chords = [TONIC, DOM, TONIC, SUB, TONIC, DOM, strange, TONIC]
    found = harmony_figures(excerpt(progression(chords, ROOTS | {strange: 42}), 8))
    assert found["diatonic chords"] == pytest.approx(7 / 8)


def test_thirds_in_the_bass_are_neither_root_nor_fifth() -> None:
    # At 7 changes the bass has: G's root 3 times, F's third 2 times, C's fifth 2 times.
    notes = progression([TONIC, DOM, TONIC, SUB, DOM, SUB, DOM, TONIC], {TONIC: 43, SUB: 45, DOM: 43})
    assert harmony_figures(excerpt(notes, 8))["bass at changes"] == pytest.approx(5 / 7)


def test_the_bass_may_come_later_in_the_half_bar_and_is_not_asked_where_it_rests() -> None:
    chords = [TONIC, DOM, TONIC, SUB, TONIC, DOM, TONIC, DOM]
    notes = [each for each in progression(chords) if each.part == C]
    # Changes at bars 1 to 7. Bars 1-4: the root on the second beat; bar 5: a third on it; bars 6, 7: none in time.
    notes += [note(4 * bar + 1, ROOTS[chords[bar]], 1, B) for bar in range(1, 5)]
    notes += [note(4 * 5 + 1, 47, 1, B), note(4 * 6 + 2, 36, 1, B)]
    assert harmony_figures(excerpt(notes, 8))["bass at changes"] == pytest.approx(4 / 5)


def test_without_a_bass_the_lowest_notes_count() -> None:
    # The triads stand on C (root), C (fifth of F) and B (third of G).
    notes = [each for each in progression([TONIC, SUB, DOM, TONIC] * 2) if each.part == C]
    # Changes: to F, G, C, (C to C none), F, G, C: six; of these G twice has its third.
    assert harmony_figures(excerpt(notes, 8))["bass at changes"] == pytest.approx(4 / 6)


def test_duration_within_the_chord() -> None:
    # A bar of C with a D for one beat: 3 x 4 beats of the chord, 1 of D.
    found = recognise(excerpt([*block(0, TONIC, 4), note(1, 74, 1)], 1))
    assert in_chord(found) == pytest.approx(12 / 13)


def test_strong_beats_are_the_first_and_the_middle() -> None:
    # Each bar C major; the melody has E, F, D, F on its beats: first in, middle out.
    notes = [each for bar in range(8) for each in block(4 * bar, TONIC, 4)]
    notes += [note(4 * bar + i, pitch) for bar in range(8) for i, pitch in enumerate((76, 77, 74, 77))]
    piece = excerpt(notes, 8)
    assert on_strong_beats(piece, recognise(piece), M) == pytest.approx(0.5)


def test_in_three_four_only_the_first_is_strong() -> None:
    notes = [each for bar in range(8) for each in block(3 * bar, TONIC, 3)]
    notes += [note(3 * bar + beat, pitch) for bar in range(8) for beat, pitch in ((0, 76), (1.5, 77), (2, 77))]
    piece = excerpt(notes, 8, Metre(0, 3, 4))
    assert on_strong_beats(piece, recognise(piece), M) == 1


@pytest.mark.parametrize(
    ("interval", "beats", "share"),
    [
        (1, 1.0, 4 / 32),
        (13, 1.0, 4 / 32),
        (1, 0.5, 0),
        (1, 0.75, 3 / 32),
        (2, 1.0, 0),
        (11, 1.0, 0),
        (25, 1.0, 0),
    ],
)
def test_clashes_last_longer_than_an_eighth(interval: int, beats: float, share: float) -> None:
    notes = [note(0, 60, 4), note(1, 60 + interval, beats), note(0, 61, 8, D)]
    assert clash(excerpt(notes, 2)) == pytest.approx(share)


def test_a_clash_is_one_of_two_notes() -> None:
    # A semitone struck anew every eighth never sounds with the other for longer than that.
    assert clash(excerpt([note(0, 60, 4), *(note(i / 2, 61, 0.5) for i in range(8))], 1)) == 0


def test_nothing_is_said_of_drums_alone() -> None:
    found = harmony_figures(excerpt([note(i, 38, 1, D) for i in range(32)], 8))
    assert all(math.isnan(value) or value == 0 for value in found.values())
    assert math.isnan(found["clash"])
    assert math.isnan(found["chord changes"])
