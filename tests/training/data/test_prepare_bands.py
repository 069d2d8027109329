"""`prepare` with full bands and weights of data sets, and what it prints about parts."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

from instrument.errors import HocketError
from instrument.music.midifile import write_midi
from instrument.music.notes import Part, Piece, tidy
from instrument.music.timebase import Metre
from training import cli
from training.data.notes import prepare
from training.data.notes.shards import Shards

FIXTURES = Path(__file__).parents[2] / "fixtures" / "midi"
METRES = (Metre(0, 4, 4),)
COLUMNS = ("path", "dataset", "genre", "subgenre", "licence", "split", "drums_only", "realised")


def write_manifest(folder: Path, rows: list[tuple[str, ...]]) -> None:
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A lead sheet, a realised pop song of the validation split, and a drummer."""
    folder = tmp_path / "collection"
    folder.mkdir()
    files = {
        "sheet.mid": "openewld_scarborough_fair.mid",
        "pop.mid": "pop909_098.mid",
        "fill.mid": "groove_jazz_fill.mid",
    }
    for name, fixture in files.items():
        (folder / name).write_bytes((FIXTURES / fixture).read_bytes())
    rows = [
        ("sheet.mid", "lead", "folk", "", "MIT", "train", "0", "0"),
        ("pop.mid", "lead", "pop", "", "MIT", "valid", "0", "1"),
        ("fill.mid", "drums", "jazz", "", "CC-BY-4.0", "test", "1", "0"),
    ]
    write_manifest(folder, rows)
    return folder


def band_folder(tmp_path: Path) -> Path:
    """Lead sheets of two splits, and a drummer."""
    folder = tmp_path / "sheets"
    (folder / "jazz").mkdir(parents=True)
    symbols = ((2, 5, 9, 0), (7, 11, 2, 5), (0, 4, 7, 11), (9, 1, 4, 7)) * 3
    chords = [(96 * i, 0, 48 + tone, 96, 80, int(Part.CHORDS)) for i, tones in enumerate(symbols) for tone in tones]
    for seed, split in enumerate(("train", "test")):
        melody = [(24 * i, 0, 72 + (5 * i + seed) % 12, 24, 80, int(Part.MELODY)) for i in range(48)]
        write_midi(Piece(tidy(np.array(melody + chords, np.int32)), METRES), folder / "jazz" / f"{split}.mid")
    drums = [(12 * i, i % 3 - 1, 51, 6, 50 + i % 40, int(Part.DRUMS)) for i in range(96)]
    write_midi(Piece(tidy(np.array(drums, np.int32)), METRES), folder / "jazz" / "drums.mid")
    names = ("train", "train", "0"), ("test", "test", "0"), ("drums", "train", "1")
    rows = [(f"jazz/{name}.mid", "jazz", "jazz", "jazz/swing beat", "MIT", split, drums_only, "0")
            for name, split, drums_only in names]  # fmt: skip
    write_manifest(folder, rows)
    return folder


def test_full_bands_are_added_on_request(tmp_path):
    folder = band_folder(tmp_path)
    plain = prepare.prepare(folder, tmp_path / "out", jobs=1)
    assert len(plain.pieces) == 3
    shards = prepare.prepare(folder, tmp_path / "out", jobs=1, full_bands=True, realised=0.25)
    assert shards.pieces[:3] == plain.pieces
    for made, source in zip(shards.pieces[3:], [p for p in plain.pieces if not p.drums_only], strict=True):
        assert made.path.startswith(f"{source.path} [")
        assert (made.split, made.genre, made.realised, made.weight) == (source.split, "jazz", True, 0.25)
        parts = set(shards.notes(made)[:, 5].tolist())
        assert parts == {0, 1, 2} | ({3} if made.split == "train" else set())
    again = prepare.prepare(folder, tmp_path / "again", jobs=1, full_bands=True, realised=0.25)
    assert again.data_hash == shards.data_hash
    assert prepare.prepare(folder, tmp_path / "none", jobs=1, full_bands=True, realised=0).pieces == plain.pieces


def test_data_sets_can_be_weighed(collection, tmp_path):
    shards = prepare.prepare(collection, tmp_path / "out", jobs=1, realised=0.5, datasets={"lead": 4.0, "drums": 0.0})
    assert {p.path: p.weight for p in shards.pieces} == {"sheet.mid": 4.0, "pop.mid": 2.0}
    with pytest.raises(HocketError, match="no data set bebop: choose one of "):
        prepare.prepare(collection, tmp_path / "out", datasets={"bebop": 2.0})
    with pytest.raises(HocketError, match="a weight must be"):
        prepare.prepare(collection, tmp_path / "out", datasets={"lead": -1.0})


def test_weights_of_data_sets_on_the_command_line(collection, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["training", "prepare", str(collection), "--out", str(tmp_path / "out"), "--weigh",
                                      "lead=3", "--weigh", "drums=0"])  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert {p.weight for p in Shards.open(tmp_path / "out").pieces} == {3.0}
    monkeypatch.setattr(sys, "argv", ["training", "prepare", str(collection), "--weigh", "lead"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "'lead' is no weight of a data set: write it as NAME=2" in capsys.readouterr().err


def test_prepare_says_how_parts_agree_with_names(collection, tmp_path, capsys):
    prepare.prepare(collection, tmp_path / "out", jobs=1)
    shown = capsys.readouterr().err
    assert "parts by notes agree with clear names of valid and test tracks: melody 1.00 of 1, chords 1.00 of 1" in shown
    assert "pitched notes without a part: 0 of" in shown
