"""The form of training pieces: sections, recalled bars, and the conditions that they make."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from instrument.models.notes.form_conditions import FORM_SIZE, NO_ECHO, NO_FORM, PLACE, RATES, RECALL, form_row
from instrument.models.notes.plan_guidance import PlanGuidance
from instrument.music import codec
from instrument.music.chords.changes import ChordChange
from instrument.music.chords.names import parse_chord
from instrument.music.notes import Piece, tidy
from instrument.music.plan import Plan, PlanBar, PlannedChord, Recall
from instrument.music.timebase import Metre
from tests.training.data.test_events import drawn
from training.data.notes.events import features
from training.data.notes.form import analysis as form
from training.data.notes.form.features import part_rates
from training.data.notes.harmony import as_rows

BAR = 96
LETTERS = "AABA" * 2


def song(letters: str = LETTERS) -> Piece:
    """Sections of eight bars, those of a letter with the same notes: a line, chords, and a drum a bar."""
    rows = []
    for number, letter in enumerate(letters):
        rng = np.random.default_rng(ord(letter))
        for tick in range(8 * number * BAR, 8 * (number + 1) * BAR, 24):
            rows.append((tick, 0, int(rng.integers(60, 84)), 12, 80, 0))
            if tick % BAR == 0:
                rows.append((tick, 0, 40, 6, 90, 3))
            if tick % 48 == 0:
                rows += [(tick, 0, 36 + int(each), 40, 70, 1) for each in rng.choice(24, 2, replace=False)]
    return Piece(codec.to_grid(tidy(np.array(rows, np.int32))), (Metre(0, 4, 4),))


def test_sections_that_return_are_found_and_recalled_in_order():
    found = form.form_of(song())
    assert found[:, form.TICK].tolist() == list(range(0, 64 * BAR, BAR))
    source = found[:, form.SOURCE] // BAR
    assert (source[:8] < 0).all()
    assert source[8:16].tolist() == list(range(8))  # A again
    assert ((source[16:24] < 0) | (source[16:24] >= 16)).all()  # B is new
    assert (found[8:16, form.LIKENESS] == 100).all()
    begins = np.flatnonzero(found[:, form.SINCE] == 0).tolist()
    assert set(begins) <= set(range(0, 64, 8))
    assert {0, 8, 16, 24} <= set(begins)
    assert (found[:, form.LEFT][np.array(begins[1:]) - 1] == 0).all()


def test_a_piece_without_bars_has_no_form():
    assert len(form.form_of(Piece(song().notes, ()))) == 0
    told = features(Piece(song().notes, ()))
    np.testing.assert_array_equal(told.form[:, : RATES.start], np.tile(NO_FORM[: RATES.start], (len(told), 1)))
    assert (told.recalled == NO_ECHO).all()


def plan_of(found: form.Form, chords: list[str]) -> Plan:
    """A plan with the form of a piece: sections by their begin, recalls as it has them, a chord a bar."""
    bars = []
    for number, (_, since, _, ending, source, likeness) in enumerate(found.tolist()):
        recall = Recall(source // BAR, likeness / 100) if source >= 0 else None
        chord = PlannedChord(0, parse_chord(chords[number % len(chords)]))
        bars.append(PlanBar((4, 4), "ending" if ending else "X", since == 0, (chord,), recall))
    return Plan(tuple(bars))


@pytest.mark.parametrize("chords", [["C"], ["C", "F", "G7"]])
def test_a_player_is_told_of_the_form_what_training_was(chords):
    """With chords that differ where a bar returns, so that recalled notes are moved."""
    piece = song("AABA")
    found = form.form_of(piece)
    plan = plan_of(found, chords)
    changes = as_rows([ChordChange(i * BAR, parse_chord(chords[i % len(chords)])) for i in range(len(found))])
    told = features(piece, changes=changes, form=found)
    assert told.form.shape == (len(told), FORM_SIZE)
    guide, keys = PlanGuidance(plan, 1.0), [note.order for note in piece.as_notes()]
    rates = part_rates(codec.to_grid(piece.notes))
    recalled = 0
    for i in range(1, (len(found) - 4) * len(keys) // len(found)):  # the plan has an end, the music goes on
        before, last = keys[:i], keys[i - 1]
        closeness, matched = guide.recalling(before)
        row = form_row(plan, last >> 8, closeness, matched, rates[i])
        np.testing.assert_array_equal(told.form[i], row)
        coming = guide.expected(before, last)
        gap = (coming.tick - (last >> 8)) if coming else codec.NO_GAP
        assert told.recalled[i, 0] == min(gap, codec.NO_GAP)
        tick = keys[i] >> 8
        there = guide.recalled_at(before, tick, last & 255 if last >> 8 == tick else -1)
        assert told.recalled[i, 1] == (there.row if there else codec.NO_NOTE)
        if there:
            note = piece.notes[there.source]
            assert told.recalled[i, 2:].tolist() == [note[5], note[3] - 1]
            recalled += 1
    assert recalled > 100
    assert (told.form[:, RECALL.stop - 1] == 1).mean() > 0.2  # notes that came as they were recalled
    assert (told.form[:, PLACE.start] == 0).all()


def test_the_density_of_parts_is_counted_ahead():
    rates = part_rates(song().notes)
    np.testing.assert_allclose(rates[0], [1, 1, 0, 0.25, 0])
    np.testing.assert_allclose(rates[-100], [1, 1, 0, 0.25, 0], atol=0.1)


def test_what_a_marker_names_is_a_section():
    piece = song()
    info = drawn({"a": 1.0}).by_genre["rock"][0][0]
    marks = [(0, "form I1 chorus 0"), (4 * BAR, "form A1 chorus 1"), (4 * BAR, "chord C:maj"), (20 * BAR, "form B1")]
    found = form.form_of(piece, msgspec.structs.replace(info, markers=marks))
    assert np.flatnonzero(found[:, form.SINCE] == 0).tolist() == [0, 4, 20]
