"""How the chord analyser learns, and how its agreement with written chords is counted."""

import csv
import zipfile

import numpy as np
import pytest
import torch

from instrument.errors import HocketError
from instrument.music.chords.analysis import (
    PLANES,
    SCALARS,
    SILENT,
    STATES,
    ChordModel,
    load_model,
    recognise,
    state_of,
)
from instrument.music.chords.names import NO_CHORD, chord_name, parse_chord
from instrument.music.chords.profiles import beats_of
from instrument.music.midifile import write_midi
from instrument.music.notes import Marker, Part, Piece, tidy
from tests.support.chords import block_piece
from training.chord_model import learning as chordmodel
from training.chord_model.evaluation import agreement, measure, report
from training.chord_model.learning import MELODY, Example, Network, annotated_pieces, counts, fit, learn, tables
from training.data.notes.chords import chords_by_beat, written_chords

KEYS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")


def marked(symbols: list[str]) -> Piece:
    """Block chords of two beats with markers that say which."""
    markers = [Marker(48 * i, f"chord {symbol}") for i, symbol in enumerate(symbols)]
    return block_piece(symbols, markers=markers)


def lead_sheet(symbols: list[str]) -> Piece:
    """Block chords, without a bass, under a tune of their tones."""
    piece = block_piece(symbols)
    blocks = piece.notes[piece.notes[:, 5] == Part.CHORDS]
    rows = [
        (24 * i, 0, 72 + sorted(parse_chord(symbols[i // 2]).tones)[i % 2], 24, 80, Part.MELODY)
        for i in range(2 * len(symbols))
    ]
    return Piece(tidy(np.concatenate((blocks, np.array(rows, np.int32)))), piece.metres)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small copy of the data: two datasets, pieces of every split, one under the GPL."""
    path = tmp_path_factory.mktemp("midi")
    rng = np.random.default_rng(1)
    rows = []
    pieces: dict[str, list[tuple[str, Piece]]] = {"pop909": [], "openewld": [], "jsb_chorales": []}
    for i in range(16):
        symbols = [
            KEYS[k] + "m" * int(minor) for k, minor in zip(rng.integers(0, 12, 32), rng.random(32) < 0.5, strict=True)
        ]
        for dataset, piece in (("pop909", marked(symbols)), ("openewld", lead_sheet(symbols))):
            split = ("train", "test", "valid")[max(0, i - 13)]
            pieces[dataset].append((f"{dataset}/{i}.mid", piece))
            rows.append((f"{dataset}/{i}.mid", dataset, "pop", "GPL-2.0" if i == 3 else "MIT", split))
    pieces["jsb_chorales"].append(("jsb_chorales/0.mid", block_piece(["C", "F"])))
    rows.append(("jsb_chorales/0.mid", "jsb_chorales", "chorale", "public domain", "train"))
    for dataset, members in pieces.items():
        with zipfile.ZipFile(path / f"{dataset}.zip", "w") as archive:
            for name, piece in members:
                write_midi(piece, path / "one.mid")
                archive.write(path / "one.mid", name)
    (path / "one.mid").unlink()
    with (path / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "dataset", "genre", "licence", "split"), *rows])
    return path


def test_what_is_learned_from_is_annotated_of_one_split_and_not_under_the_gpl(folder):
    names = [name for name, _, _ in annotated_pieces(folder, "train")]
    assert {name: names.count(name) for name in names} == {"pop909": 13, "openewld": 13, MELODY: 13}
    assert [name for name, _, _ in annotated_pieces(folder, "test")] == ["openewld", MELODY, "pop909"]
    pieces = {name: piece for name, piece, _ in annotated_pieces(folder, "test")}
    assert set(pieces[MELODY].notes[:, 5]) == {Part.MELODY}
    assert set(pieces["openewld"].notes[:, 5]) == {Part.MELODY, Part.CHORDS}


def test_tables_are_learned_from_a_folder_and_used(folder, tmp_path, monkeypatch, one_thread):
    monkeypatch.setattr(chordmodel, "BATCH", 16)
    monkeypatch.setattr(chordmodel, "EPOCHS", 4)
    learn(folder, tmp_path / "model.npz")
    model = load_model(tmp_path / "model.npz")
    found = measure(folder, "test", {"learned": lambda piece: recognise(piece, model)})
    assert "pop909        learned" in report(found)
    for name in ("pop909", "openewld"):
        assert found[name]["learned"][-1] == 32 * 48
        assert found[name]["learned"][0] / found[name]["learned"][-1] > 0.9


def test_too_little_to_learn_from_is_named(tmp_path):
    (tmp_path / "a").mkdir()
    write_midi(block_piece(["C"]), tmp_path / "a" / "a.mid")
    with pytest.raises(HocketError, match="has no pieces with chords"):
        learn(tmp_path, tmp_path / "model.npz")
    few = Example("pop909", np.zeros((4, PLANES, 12)), np.zeros((4, SCALARS)), np.zeros(4, int), np.zeros(4, int))
    with pytest.raises(HocketError, match="4 beats are too few"):
        fit([few])


def test_a_split_without_chords_is_named(folder):
    with pytest.raises(HocketError, match="no pieces with chords in the split 'foo': choose one of train, valid, test"):
        measure(folder, "foo", {})


def test_the_tables_say_what_the_network_said():
    torch.manual_seed(1)
    network = Network().eval()
    rng = np.random.default_rng(1)
    planes = rng.random((7, PLANES, 12)).astype(np.float32)
    scalars = rng.random((7, SCALARS)).astype(np.float32)
    learned = tables(network, np.full(3, 0.5), np.zeros((9, STATES)))
    model = ChordModel(**{name: table.astype(np.float32) for name, table in learned.items()})
    expected = torch.log_softmax(network(torch.from_numpy(planes), torch.from_numpy(scalars)), 1)
    np.testing.assert_allclose(model.probabilities(planes, scalars), expected.detach().numpy(), atol=1e-4)


def test_changes_and_successions_are_counted():
    names = ["C", "C", "G7", "C", "N.C.", "Am"]
    states = np.array([state_of(parse_chord(name)) for name in names])
    places = np.array([0, 2, 1, 2, 0, 2])
    empty = np.zeros((len(names), PLANES, 12)), np.zeros((len(names), SCALARS))
    example = Example("pop909", *empty, states, places)
    change, succession = counts([example, example._replace(name=MELODY)])
    np.testing.assert_allclose(change, [2 / 3, 2 / 3, 3 / 5])  # one of each added
    major, dominant = state_of(parse_chord("C")), state_of(parse_chord("C7"))
    best = succession.argmax(1)
    assert best[major] in (state_of(parse_chord("G7")), SILENT)
    assert best[dominant] == state_of(parse_chord("F"))
    minors = succession[8, state_of(parse_chord("Cm")) : SILENT : 8]
    assert np.ptp(minors) == 0  # after silence, any root
    assert minors[0] > succession[8, state_of(parse_chord("C"))]
    np.testing.assert_allclose(np.exp(succession).sum(1), 1)


def test_agreement_counts_time():
    piece = block_piece(["C"] * 4, 24)
    beats = beats_of(piece)
    written = [parse_chord(name) for name in ("C/E", "Cmaj7", "Csus4")]
    found = [parse_chord(name) for name in ("C/E", "C", "Cm", "C")]
    assert agreement(found, [*written, None], beats).tolist() == [72, 48, 24, 24, 72]
    assert agreement([NO_CHORD] * 4, [NO_CHORD, *written], beats).tolist() == [24, 24, 24, 24, 96]


def test_chords_are_read_where_the_file_has_them_and_recognised_elsewhere():
    symbols = ["C", "Am", "F", "G"]
    wrong = [Marker(0, "chord Db:maj")]  # not what is played
    piece = block_piece(symbols, 96)
    annotated = Piece(piece.notes, piece.metres, markers=tuple(wrong))
    read = chords_by_beat(annotated, "pop909")
    assert read.read
    assert {chord_name(chord) for chord in read.chords} == {"Db"}
    blocks = chords_by_beat(annotated, "openewld")
    assert blocks.read
    assert [chord_name(chord) for chord in blocks.chords[::4]] == symbols
    found = chords_by_beat(annotated, "jsb_chorales")
    assert not found.read
    assert [chord_name(chord) for chord in found.chords[::4]] == symbols
    assert not chords_by_beat(piece, "pop909").read  # of a dataset with markers, but it has none
    assert written_chords(piece, "pop909") is None
