"""What there is to validate on: drums alone, one file, nothing; and what is needed to tell genres apart."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from instrument.errors import HocketError
from instrument.music.midifile import write_midi
from instrument.music.notes import Part, Piece
from tests.support.corpus import GENRES, tune, write_corpus
from training.core.recipe import Recipe
from training.data.notes.prepare import prepare
from training.data.notes.shards import Shards
from training.families.notes.task import NoteTask
from training.measures.genres import genre_classifier


def on(recipe: Recipe, folder: Path) -> Recipe:
    return dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, folder=str(folder)))


def test_drums_alone_are_validated_on_drums(recipe, tmp_path):
    (tmp_path / "mid").mkdir()
    for number in range(12):
        piece = tune(number, GENRES["march"])
        notes = np.array(piece.notes[piece.notes[:, 5] == Part.DRUMS])
        notes[:, 2] = np.random.default_rng(number).choice((36, 38, 42), len(notes))
        write_midi(Piece(notes, piece.metres), tmp_path / "mid" / f"{number}.mid")
    prepare(tmp_path / "mid", tmp_path / "out", jobs=1)
    task = NoteTask(on(recipe, tmp_path / "out"))
    assert task.valid
    assert all(piece.drums_only for piece in task.valid)


def test_one_file_is_validated_on_its_last_bars_or_refused(recipe, tmp_path):
    for name, bars in (("long", 32), ("short", 4)):
        (tmp_path / name).mkdir()
        write_midi(tune(1, GENRES["march"], bars), tmp_path / name / "one.mid")
        prepare(tmp_path / name, tmp_path / f"{name}-out", jobs=1)
    (piece,) = NoteTask(on(recipe, tmp_path / "long-out")).valid
    assert piece.path == "one.mid#valid"
    with pytest.raises(HocketError, match="has no pieces to validate on: prepare more, or longer ones"):
        NoteTask(on(recipe, tmp_path / "short-out"))


def test_genres_can_be_told_apart_from_twenty_pieces_each_or_the_need_is_said(tmp_path):
    prepare(write_corpus(tmp_path / "many", 40), tmp_path / "many-out", jobs=1)
    shards = Shards.open(tmp_path / "many-out")
    marches = [piece for piece in shards.pieces if piece.genre == "march"]
    assert len(marches) == 20
    with pytest.raises(
        HocketError, match=r"8 to learn from and 4 held out each \(march has \d+ and \d+, waltz has 0 and 0\)"
    ):
        genre_classifier(shards, tuple(GENRES))  # a waltz has no four beats
