"""Chords of training pieces, beat by beat: read from the file if it has them, else recognised."""

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
    """The chords of a piece. chords: one for each of the `beats`, None before the first written one; read: whether they
    are from the file instead of the recogniser."""

    beats: Beats
    chords: list[Chord | None]
    read: bool


def written_chords(piece: Piece, dataset: str) -> list[ChordChange] | None:
    """The chords written in the file of a piece, None if it has none."""
    changes = marked_chords(piece) if dataset in MARKED else block_chords(piece) if dataset in BLOCKED else []
    return changes or None


def chords_by_beat(piece: Piece, dataset: str = "", model: ChordModel | None = None) -> BeatChords:
    """The chords of a piece of a dataset: read from its file if this has them, else recognised with `model` (by default
    the tables that ship). Raises HocketError for a piece without notes."""
    changes = written_chords(piece, dataset)
    if changes is None:
        beats, chords = recognise(piece, model)
        return BeatChords(beats, list(chords), False)
    beats = beats_of(piece)
    return BeatChords(beats, by_beat(changes, beats), True)


def melody_alone(piece: Piece) -> Piece:
    """The piece without its part CHORDS: a lead sheet's melody."""
    return replace(piece, notes=piece.notes[piece.notes[:, 5] != Part.CHORDS])
