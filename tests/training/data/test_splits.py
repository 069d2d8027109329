"""Splits of a collection that has none: by genre, copies together, by bars where pieces are few."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrument.music.midifile import write_midi
from instrument.music.notes import Part, Piece, tidy
from instrument.music.timebase import Metre
from tests.support.corpus import GENRES, tune
from training.data.notes.prepare import prepare
from training.data.notes.shards import Shards
from training.data.notes.splits import FEW, LEAST, sketch


def write(folder: Path, name: str, piece: Piece) -> None:
    path = folder / f"{name}.mid"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_midi(piece, path)


def moved(piece: Piece, by: int, stretch: float = 1.0) -> Piece:
    notes = np.array(piece.notes)
    notes[notes[:, 5] != Part.DRUMS, 2] += by
    notes[:, 0] = np.rint(notes[:, 0] * stretch)
    notes[:, 3] = np.maximum(1, np.rint(notes[:, 3] * stretch))
    return Piece(tidy(notes), piece.metres)


def by_split(shards: Shards, genre: str) -> Counter[str]:
    return Counter(p.split for p in shards.pieces if p.genre == genre)


def test_every_genre_has_two_pieces_to_validate_on_and_two_to_test(tmp_path):
    for number in range(24):
        genre = "march" if number < 12 else "waltz"
        write(tmp_path / "mid", f"{genre}/{number}", tune(number, GENRES[genre]))
    shards = prepare(tmp_path / "mid", tmp_path / "out", jobs=1)
    for genre in GENRES:
        counts = by_split(shards, genre)
        assert counts.total() == 12
        assert min(counts["valid"], counts["test"]) >= LEAST
        assert counts["train"] >= 12 - 2 * LEAST - 2


def test_transposed_and_re_timed_copies_are_in_the_split_of_their_original(tmp_path):
    for number in range(14):
        whole = tune(number, GENRES["march"])
        write(tmp_path / "mid", f"march/{number}-a", whole)
        write(tmp_path / "mid", f"march/{number}-b", moved(whole, 5))
        write(tmp_path / "mid", f"march/{number}-c", moved(whole, -3, 2.0))
    shards = prepare(tmp_path / "mid", tmp_path / "out", jobs=1)
    split = {p.path.split("/")[1].removesuffix(".mid"): p.split for p in shards.pieces}
    assert len(split) == 3 * 14
    for number in range(14):
        assert len({split[f"{number}-{copy}"] for copy in "abc"}) == 1
    assert set(split.values()) == {"train", "valid", "test"}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 300), st.integers(-20, 20), st.sampled_from([0.5, 2.0, 4.0]))
def test_a_sketch_knows_a_tune_in_any_key_and_tempo_and_no_other(seed, by, stretch):
    whole = tune(seed, Metre(0, 4, 4))
    mine = set(sketch(whole.notes).tolist())
    theirs = set(sketch(moved(whole, by, stretch).notes).tolist())
    other = set(sketch(tune(seed + 1000, Metre(0, 4, 4)).notes).tolist())
    assert len(mine & theirs) >= 0.8 * len(mine)
    assert len(mine & other) < 0.3 * len(mine)


def test_of_a_genre_with_few_pieces_bars_are_held_out(tmp_path, capsys):
    for number in range(3):
        write(tmp_path / "mid", f"waltz/{number}", tune(number, GENRES["waltz"], bars=40))
    write(tmp_path / "mid", "waltz/short", tune(9, GENRES["waltz"], bars=6))
    for number in range(FEW):
        write(tmp_path / "mid", f"march/{number}", tune(100 + number, GENRES["march"]))
    shards = prepare(tmp_path / "mid", tmp_path / "out", jobs=1)
    assert "waltz: fewer than 10 different pieces" in "".join(capsys.readouterr().err.split("\n"))
    assert by_split(shards, "waltz") == {"train": 4, "valid": 3, "test": 3}
    own = {p.path: p for p in shards.pieces if p.path.startswith("waltz/1.mid")}
    assert list(own) == ["waltz/1.mid", "waltz/1.mid#valid", "waltz/1.mid#test"]
    train, valid, test = (shards.notes(p) for p in own.values())
    assert train[-1, 0] < valid[0, 0] <= valid[-1, 0] < test[0, 0]
    assert [int(part[0, 0]) // 72 for part in (train, valid, test)] == [0, 32, 36]
    whole = tune(1, GENRES["waltz"], bars=40).notes
    assert len(train) + len(valid) + len(test) == len(whole)
    assert sum(p.seconds for p in own.values()) == pytest.approx(40 * 3 / 2, rel=0.05)
    assert all(shards.piece(p).metres for p in own.values())


def test_a_single_file_can_be_validated_on(tmp_path):
    write(tmp_path / "mid", "one", tune(1, GENRES["march"], bars=32))
    shards = prepare(tmp_path / "mid", tmp_path / "out", jobs=1)
    assert by_split(shards, "none") == {"train": 1, "valid": 1, "test": 1}


def test_files_of_a_group_share_a_split(tmp_path):
    for number in range(24):
        write(tmp_path / "mid", f"march/song{number // 2}/take{number % 2}", tune(number, GENRES["march"]))
    for out, group_by in (("a", "folder"), ("b", r"(song\d+)/")):
        shards = prepare(tmp_path / "mid", tmp_path / out, jobs=1, group_by=group_by)
        splits: dict[str, set[str]] = {}
        for piece in shards.pieces:
            splits.setdefault(piece.path.split("/")[1], set()).add(piece.split)
        assert len(splits) == 12
        assert all(len(each) == 1 for each in splits.values())
        assert set.union(*splits.values()) == {"train", "valid", "test"}
