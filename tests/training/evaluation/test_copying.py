"""Runs copied from training pieces: planted ones are found with their length, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from instrument.music.notes import Part, Piece
from training.data.notes.shards import INDEX_NAME, Index, PieceInfo, Shards, shard_name
from training.evaluation.notes.copying import TrainingLines, copying, lines, note_count, shorten
from training.evaluation.notes.long_run import LongRun, Reference
from training.evaluation.report import copying_rows

Notes = NDArray[np.int32]


def melody(seed: int, count: int, part: Part = Part.MELODY) -> Notes:
    """Random pitches and gaps."""
    rng = np.random.default_rng(seed)
    ticks = np.cumsum(rng.integers(1, 9, count)) * 3
    fixed = np.tile([12, 80, part], (count, 1))
    return np.column_stack([ticks, np.zeros(count), rng.integers(40, 80, count), fixed]).astype(np.int32)


def moved(notes: Notes, ticks: int, semitones: int) -> Notes:
    return notes + np.array([ticks, 0, semitones, 0, 0, 0], np.int32)


def joined(*parts: Notes) -> Notes:
    """One after the other, a quarter apart."""
    found: list[Notes] = []
    for part in parts:
        at = found[-1][-1, 0] + 24 if found else 0
        found.append(moved(part, at - part[0, 0], 0))
    return np.concatenate(found)


def collection(folder: Path, pieces: dict[str, tuple[str, str, Notes]]) -> Shards:
    """path -> genre, split and notes, as `prepare` leaves them."""
    infos, start = [], 0
    for path, (genre, split, notes) in pieces.items():
        place = {"shard": 0, "start": start, "count": len(notes), "phase": 0}
        facts = {"seconds": 60.0, "bpm": 120.0, "metres": [(0, 4, 4)], "tempos": [(0, 120.0)], "markers": []}
        flags = dict.fromkeys(("drums_only", "realised", "velocity_constant"), False)
        names = {"path": path, "dataset": "", "genre": genre, "subgenre": "", "licence": "", "split": split}
        infos.append(PieceInfo(**names, **place, **facts, **flags))
        start += len(notes)
    np.save(folder / shard_name(0), np.concatenate([notes for _, _, notes in pieces.values()]))
    (folder / INDEX_NAME).write_bytes(msgspec.json.encode(Index(1, infos, "0" * 64)))
    return Shards.open(folder)


@pytest.fixture
def shards(tmp_path) -> Shards:
    return collection(
        tmp_path,
        {
            "a.mid": ("folk", "train", melody(1, 200)),
            "b.mid": ("folk", "train", melody(2, 200)),
            "held.mid": ("folk", "test", joined(melody(3, 80), melody(2, 200)[30:42], melody(4, 80))),
        },
    )


@pytest.fixture
def training(shards) -> TrainingLines:
    return TrainingLines(shards, shards.select(split="train"))


@pytest.mark.parametrize(
    ("path", "seed", "begin", "count"), [("a.mid", 1, 0, 37), ("b.mid", 2, 57, 8), ("b.mid", 2, 150, 50)]
)
def test_a_planted_copy_is_found_in_another_key_and_at_another_time(training, path, seed, begin, count):
    planted = moved(melody(seed, 200)[begin : begin + count], 1003, 7)
    assert training.longest_run(list(lines(planted))) == (count, path)
    hidden = joined(melody(5, 90), planted, melody(6, 90))
    assert training.longest_run(list(lines(hidden))) == (count, path)


def test_one_changed_note_parts_a_copy(training):
    copy = melody(1, 200)[20:60].copy()
    copy[25, 2] += 1
    assert training.longest_run(list(lines(copy))).notes == 25
    copy = melody(1, 200)[20:60].copy()
    copy[10:, 0] += 6
    assert training.longest_run(list(lines(copy))).notes == 30


def test_a_tick_more_or_less_is_the_same_rhythm(training):
    copy = melody(1, 200)[20:60].copy()
    copy[10, 0] += 1
    assert training.longest_run(list(lines(copy))) == (40, "a.mid")


def test_a_run_is_of_one_line_of_one_piece(training):
    both = joined(melody(1, 200)[-30:], melody(2, 200)[:20])
    assert training.longest_run(list(lines(both))) == (30, "a.mid")
    apart = [*lines(melody(1, 200)[50:60]), *lines(melody(1, 200)[60:70])]
    assert training.longest_run(apart) == (10, "a.mid")


def test_accompaniment_and_lower_notes_do_not_hide_a_copy(training):
    copy = melody(2, 200)[:40]
    second = moved(copy[::3], 0, -9)
    bass = melody(9, 40, Part.BASS)
    drums = melody(10, 40, Part.DRUMS)
    assert training.longest_run(list(lines(np.concatenate([bass, second, copy, drums])))) == (40, "b.mid")


def test_drums_and_single_notes_have_no_line(training):
    assert list(lines(melody(1, 200, Part.DRUMS))) == []
    assert list(lines(melody(1, 1))) == []
    assert training.longest_run([]) == (0, "")


@pytest.mark.parametrize("seed", range(8))
def test_it_is_what_comparing_everything_finds(tmp_path, seed):
    rng = np.random.default_rng(seed)

    def simple(count: int) -> Notes:
        notes = melody(0, count)
        notes[:, 0] = np.cumsum(rng.integers(1, 3, count)) * 12
        notes[:, 2] = 60 + rng.integers(0, 2, count)
        return notes

    pieces = {f"{i}.mid": ("folk", "train", simple(60)) for i in range(3)}
    query = list(lines(simple(60)))
    (own,) = (line.tolist() for line in query)
    theirs = [line.tolist() for _, _, notes in pieces.values() for line in lines(notes)]
    lengths = [
        next((n for n in range(min(len(own) - i, len(line) - j)) if own[i + n] != line[j + n]), 0)
        for line in theirs
        for i in range(len(own))
        for j in range(len(line))
    ]
    shards = collection(tmp_path, pieces)
    assert TrainingLines(shards, shards.pieces).longest_run(query).notes == max(lengths) + 1


def test_lines_are_shortened_to_a_number_of_notes():
    found = [*lines(melody(1, 10)), *lines(melody(2, 10))]
    for notes in (2, 9, 10, 12, 20):
        assert note_count(shorten(found, notes)) == notes
    assert note_count(shorten(found, 11)) == 10  # one note alone is no line
    assert note_count(shorten(found, 99)) == 20


def test_long_runs_are_compared_with_as_many_held_out_notes(shards):
    copied = joined(melody(7, 60), moved(melody(1, 200)[100:125], 5, -3), melody(8, 400))
    runs = [LongRun(genre, 1, Reference(shards, "folk", ("folk",)), Piece(copied)) for genre in ("none", "folk")]
    train, held = shards.select(split="train"), shards.select(split="test")
    found = copying(runs, shards, train, held)
    assert found == {
        "folk": {
            "notes": 172,
            "generated": 25,
            "held_out": 12,
            "generated_source": "a.mid",
            "held_out_source": "b.mid",
        }
    }
    assert copying_rows({"copying": found})["folk"]["held out"] == 12
    assert copying(runs, shards, [], held) == {}
    assert copying(runs, shards, train, []) == {}
