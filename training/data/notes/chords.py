"""Chords of training pieces, beat by beat: read where a file has them, recognised elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from instrument.music.chords.analysis import ChordModel, recognise
from instrument.music.chords.changes import ChordChange, block_chords, by_beat, marked_chords
from instrument.music.chords.names import Chord
from instrument.music.chords.profiles import Beats, beats_of
from instrument.music.notes import Part, Piece

MARKED = ("pop909", "wjazzd_band")  # datasets whose chords are markers
BLOCKED = ("openewld", "improvisor_solos", "improvisor_changes")  # and those that have them as block chords


class BeatChords(NamedTuple):
    """The chords of a piece: `chords` has one for each of the `beats`, None where none is written yet; `read`: whether
    the file has them, rather than the analyser."""

    beats: Beats
    chords: list[Chord | None]
    read: bool


def written_chords(piece: Piece, dataset: str) -> list[ChordChange] | None:
    """The chords that the file of a piece has, or None where it has none."""
    changes = marked_chords(piece) if dataset in MARKED else block_chords(piece) if dataset in BLOCKED else []
    return changes or None


def chords_by_beat(piece: Piece, dataset: str = "", model: ChordModel | None = None) -> BeatChords:
    """The chords of a piece of a dataset: read where its files have them, else recognised by the tables that ship or
    by `model`. Raises HocketError for a piece without notes."""
    changes = written_chords(piece, dataset)
    if changes is None:
        beats, chords = recognise(piece, model)
        return BeatChords(beats, list(chords), False)
    beats = beats_of(piece)
    return BeatChords(beats, by_beat(changes, beats), True)


def melody_alone(piece: Piece) -> Piece:
    """The piece without its part CHORDS: a lead sheet's melody."""
    return replace(piece, notes=piece.notes[piece.notes[:, 5] != Part.CHORDS])
