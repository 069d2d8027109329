"""Chords by templates and Viterbi, and keys, of notes whose chords are known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.bands import B, block, excerpt, note
from training.evaluation.bands.chords import (
    NO_PITCH,
    QUALITIES,
    STATES,
    Chord,
    is_diatonic,
    key,
    recognise,
    scores,
    viterbi,
)

NAMES = [quality.name for quality in QUALITIES]


def chord(root: int, name: str) -> Chord:
    return Chord(root, NAMES.index(name))


def names(notes: list, bars: int) -> list[str]:
    return [str(each) for each in recognise(excerpt(notes, bars)).chords]


@pytest.mark.parametrize("root", range(12))
@pytest.mark.parametrize("quality", QUALITIES, ids=NAMES)
def test_every_chord_over_its_root_is_recognised(quality, root) -> None:
    notes = [note(0, 36 + root, 4, B), *block(0, (60 + root + tone for tone in quality.tones), 4)]
    assert recognise(excerpt(notes, 1)).chords == [Chord(root, QUALITIES.index(quality))] * 2


def test_the_score_is_as_defined() -> None:
    # C 48 ticks and the lowest, E 24, G 12, D 12: shares .5, .25, .125, .125
    chroma = np.zeros((1, 12))
    chroma[0, [0, 4, 7, 2]] = 48, 24, 12, 12
    found = dict(zip(map(str, STATES), scores(chroma, np.array([48]))[0], strict=True))
    assert found["C:maj"] == pytest.approx(0.875 + 0.5 * (1 + 1 + 0.125 / 0.15) / 3 + 0.15)
    assert found["C:maj7"] == pytest.approx(0.875 + 0.5 * (1 + 1 + 0.125 / 0.15) / 4 + 0.15 - 0.03)
    assert found["C:sus4"] == pytest.approx(0.625 + 0.5 * (1 + 0.125 / 0.15) / 3 + 0.15 - 0.06)
    assert found["G:maj"] == pytest.approx(0.25 + 0.5 * (2 * 0.125 / 0.15) / 3)
    assert found["E:aug"] == pytest.approx(0.75 + 0.5 * 2 / 3 - 0.1)
    assert found["D:dim7"] == pytest.approx(0.125 + 0.5 * (0.125 / 0.15) / 4 - 0.08)


def test_no_chord_fits_where_nothing_sounds() -> None:
    assert not scores(np.zeros((1, 12)), np.array([NO_PITCH])).any()


def test_what_reaches_over_by_a_thirty_second_is_not_the_lowest_note() -> None:
    # A minor over C: with the C of the bar before it would be C in the bass.
    held = [note(0, 36, 2, B)._replace(duration=51)]
    notes = [*held, *block(0, (60, 64, 67), 2), *block(2, (57, 60, 64), 2)]
    assert names(notes, 1) == ["C:maj", "A:min"]


def test_half_bars_have_chords_of_their_own() -> None:
    notes = [*block(0, (48, 64, 67), 2), *block(2, (55, 59, 62), 2), *block(4, (57, 60, 64), 4)]
    assert names(notes, 2) == ["C:maj", "G:maj", "A:min", "A:min"]


def test_silence_goes_on_with_the_chord() -> None:
    found = recognise(excerpt([*block(0, (48, 64, 67), 2), *block(6, (53, 57, 60), 2)], 2))
    assert [str(each) for each in found.chords] == ["C:maj", "C:maj", "C:maj", "F:maj"]
    assert found.sounding.tolist() == [True, False, False, True]


def test_drums_have_no_chord() -> None:
    notes = [*block(0, (48, 64, 67), 4), note(0, 38, 4, part=3)]
    assert recognise(excerpt(notes, 1)).chroma.sum() == 3 * 96


def test_viterbi_stays_for_less_than_the_bonus() -> None:
    # Leaving and coming back loses the bonus twice: .24.
    fits = np.array([[1.0, 0.0], [0.5, 0.73], [1.0, 0.0]])
    assert viterbi(fits).tolist() == [0, 0, 0]
    fits[1, 1] = 0.75
    assert viterbi(fits).tolist() == [0, 1, 0]


def test_key_of_scales() -> None:
    major = [note(i, 60 + tone) for i, tone in enumerate((0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0, 0))]
    assert key(excerpt(major, 3)) == (0, False)
    minor = [note(i, 62 + tone) for i, tone in enumerate((0, 2, 3, 5, 7, 8, 11, 12, 7, 3, 0, 0))]
    assert key(excerpt(minor, 3)) == (2, True)


def test_diatonic_chords() -> None:
    assert [q for q in NAMES if is_diatonic(chord(7, q), 0, minor=False)] == ["maj", "7", "sus4"]
    assert is_diatonic(chord(4, "maj"), 9, minor=True)  # with the raised seventh
    assert is_diatonic(chord(7, "maj"), 9, minor=True)  # and with the natural one
    assert not is_diatonic(chord(4, "maj"), 0, minor=False)


def test_fifths() -> None:
    assert [chord(0, q).fifth for q in ("maj", "dim", "aug", "m7b5", "sus4")] == [7, 6, 8, 6, 7]
