"""Which chords the analysers hear in pieces whose chords are known."""

import numpy as np
import pytest

from instrument.errors import HocketError
from instrument.music.chords.analysis import (
    SILENT,
    STATES,
    features,
    load_model,
    recognise,
    relative,
    state_of,
    viterbi,
)
from instrument.music.chords.names import NO_CHORD, Chord, chord_name, parse_chord
from instrument.music.chords.profiles import beats_of, profiles
from instrument.music.chords.templates import template_chords
from instrument.music.notes import Part, Piece, tidy
from instrument.music.timebase import Metre
from tests.support.chords import block_piece

POP = ["C", "Am", "F", "G"] * 4
JAZZ = ["Dm7", "G7", "Cmaj7", "A7"] * 4
ANALYSERS = [recognise, template_chords]


def spelt(found: list[Chord], every: int = 1) -> list[str]:
    return [chord_name(chord) for chord in found[::every]]


def transposed(piece: Piece, semitones: int) -> Piece:
    notes = piece.notes.copy()
    notes[:, 2] += semitones
    return Piece(notes, piece.metres)


@pytest.mark.parametrize("analyse", ANALYSERS)
@pytest.mark.parametrize("symbols", [POP, JAZZ], ids=["pop", "jazz"])
@pytest.mark.parametrize("semitones", range(-6, 6))
def test_plain_chords_are_recognised_in_every_key(analyse, symbols, semitones):
    beats, found = analyse(transposed(block_piece(symbols), semitones))
    assert len(beats) == len(found) == 2 * len(symbols)
    expected = [parse_chord(symbol).transposed(semitones) for symbol in symbols for _ in range(2)]
    assert found == expected


def test_inversions_and_finer_qualities_are_distinguished():
    symbols = ["C", "G/B", "Am", "F", "C/E", "F", "Bdim7", "C", "F", "Gsus4", "G", "C"]
    _, found = recognise(block_piece(symbols, 96))
    assert spelt(found, 4) == symbols


def test_a_tune_alone_has_no_bass():
    rows = [(24 * i, 0, pitch, 24, 80, Part.MELODY) for i, pitch in enumerate([64, 67, 72, 67] * 8)]
    _, found = recognise(Piece(tidy(np.array(rows, np.int32)), (Metre(0, 4, 4),)))
    assert {chord.root for chord in found} == {0}
    assert {chord.bass for chord in found} == {0}


@pytest.mark.parametrize("metre", [Metre(0, 3, 4), Metre(0, 6, 8), Metre(0, 7, 8), Metre(0, 2, 2), None])
def test_chords_are_recognised_in_every_metre(metre):
    ticks = metre.bar_ticks if metre else 96
    beats, found = recognise(block_piece(POP, ticks, metre=metre))
    assert by_bar(found, beats) == POP


def by_bar(found, beats) -> list[str]:
    return [chord_name(found[i]) for i in np.flatnonzero(np.diff(beats.bars, prepend=-1))]


@pytest.mark.parametrize("analyse", ANALYSERS)
def test_a_piece_without_notes_is_refused(analyse):
    with pytest.raises(HocketError, match="without notes has no chords"):
        analyse(Piece(np.zeros((0, 6), np.int32)))


@pytest.mark.parametrize("analyse", ANALYSERS)
def test_drums_alone_give_an_answer(analyse):
    rows = [(24 * i, 0, 36, 6, 80, Part.DRUMS) for i in range(16)]
    beats, found = analyse(Piece(tidy(np.array(rows, np.int32)), (Metre(0, 4, 4),)))
    assert len(found) == len(beats) == 16


def test_states_are_roots_and_kinds():
    states = {state_of(Chord(root, quality, root)) for root in range(12) for quality in ("maj", "min7", "sus4", "aug")}
    assert len(states) == 48
    assert state_of(NO_CHORD) == SILENT == STATES - 1
    assert state_of(parse_chord("Am9/G")) == state_of(parse_chord("Am7"))
    assert relative(state_of(parse_chord("G7")), state_of(parse_chord("C"))) == state_of(parse_chord("F"))
    assert relative(SILENT, state_of(parse_chord("C"))) == state_of(parse_chord("C"))
    assert relative(state_of(parse_chord("C")), SILENT) == SILENT


def test_viterbi_finds_the_best_of_all_paths():
    model = load_model()
    beats = beats_of(block_piece(["C", "F"], 48))
    rng = np.random.default_rng(1)
    emissions = np.full((3, STATES), -50, np.float32)
    chosen = [3, 40, SILENT]
    emissions[:, chosen] = rng.normal(0, 1, (3, 3))
    beats = type(beats)(beats.edges[:4], beats.bars[:3], beats.places[:3])
    moves = 0.08 * model.moves
    paths = {
        (a, b, c): emissions[[0, 1, 2], [a, b, c]].sum() + moves[beats.places[1], a, b] + moves[beats.places[2], b, c]
        for a in chosen
        for b in chosen
        for c in chosen
    }
    assert tuple(viterbi(emissions, beats, model)) == max(paths, key=lambda path: paths[path])


def test_recognition_does_not_depend_on_the_key():
    model = load_model()
    piece = block_piece([*POP, *JAZZ])
    beats = beats_of(piece)
    here = model.probabilities(*features(profiles(piece, beats.edges), beats))
    there = model.probabilities(*features(profiles(transposed(piece, 5), beats.edges), beats))
    roots = here[:, :SILENT].reshape(len(beats), 12, -1)
    np.testing.assert_allclose(np.roll(roots, 5, 1).reshape(len(beats), -1), there[:, :SILENT], atol=1e-3)
    np.testing.assert_allclose(np.exp(here).sum(1), 1, rtol=1e-4)


def test_bad_tables_are_named(tmp_path):
    with pytest.raises(HocketError, match="cannot read the chord tables"):
        load_model(tmp_path / "none.npz")
    bad = tmp_path / "bad.npz"
    np.savez(bad, hidden=np.zeros(3))
    with pytest.raises(HocketError, match="cannot read the chord tables"):
        load_model(bad)
    with np.load(tmp_path / "bad.npz") as tables:
        assert tables.files == ["hidden"]
    names = ("hidden", "hidden_bias", "output", "output_bias", "change", "succession")
    np.savez(bad, **{name: np.zeros((3, 3)) for name in names})
    with pytest.raises(HocketError, match="the chord tables have the wrong shapes"):
        load_model(bad)
