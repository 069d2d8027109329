"""A corpus of sound: what is written is what is read."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from instrument.errors import HocketError
from tests.support.sound.corpus import GENRES, INSTRUMENTS, make_note_corpus, make_stream_corpus
from training.data.sound.corpus import INDEX_NAME, SOUND_NAME, Clip, Corpus, CorpusWriter


def two_clips(folder: Path) -> Corpus:
    writer = CorpusWriter(folder, 8000)
    writer.add(Clip("a.wav", "mine", "folk", "CC0", "train", group="a"), np.linspace(-1, 1, 100))
    writer.add(Clip("b.wav", "mine", "rock", "GPL-2", "test", group="b"), np.full(50, 0.25, np.float32))
    return writer.finish()


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    made = two_clips(tmp_path)
    corpus = Corpus.open(str(tmp_path))
    assert (corpus.rate, corpus.clips, corpus.data_hash) == (8000, made.clips, made.data_hash)
    first, second = corpus.clips
    assert (second.start, second.frames) == (100, 50)
    assert np.allclose(corpus.read(first), np.linspace(-1, 1, 100), atol=1 / 32768)
    assert np.all(corpus.read(second) == 0.25)
    assert corpus.read(second).dtype == np.float32


def test_a_part_of_a_clip_and_silence_beyond_its_end(tmp_path: Path) -> None:
    corpus = two_clips(tmp_path)
    first, second = corpus.clips
    assert np.array_equal(corpus.read(first, 10, 20), corpus.read(first)[10:30])
    assert corpus.read(second, 40, 30).tolist() == [0.25] * 10 + [0.0] * 20
    assert corpus.read(second, 60, 5).tolist() == [0.0] * 5
    assert len(corpus.read(second, 60)) == 0
    with pytest.raises(ValueError, match="not in a clip"):
        corpus.read(first, -1)


def test_selection(tmp_path: Path) -> None:
    corpus = two_clips(tmp_path)
    first, second = corpus.clips
    assert corpus.select(split="train") == [first]
    assert corpus.select(ship_only=True) == [first]
    assert corpus.select(genres={"rock"}) == [second]
    assert corpus.select(datasets={"mine"}) == [first, second]
    assert corpus.select(instruments={"flute"}) == []


def test_the_hash_tells_sound_and_facts_apart(tmp_path: Path) -> None:
    hashes = set()
    for name, genre, value in (
        ("1", "folk", 0.1),
        ("2", "folk", 0.2),
        ("3", "rock", 0.1),
        ("4", "folk", 0.1),
    ):
        writer = CorpusWriter(tmp_path / name, 8000)
        writer.add(Clip("a", "d", genre, "CC0", "train"), np.full(9, value))
        hashes.add(writer.finish().data_hash)
    assert len(hashes) == 3


def test_a_corpus_goes_to_another_process(tmp_path: Path) -> None:
    corpus = pickle.loads(pickle.dumps(two_clips(tmp_path)))  # noqa: S301 - our own
    assert corpus.read(corpus.clips[1]).max() == 0.25


def test_no_corpus_or_a_damaged_one_says_so(tmp_path: Path) -> None:
    with pytest.raises(HocketError, match=r"holds no index\.json: run"):
        Corpus.open(tmp_path)
    corpus = two_clips(tmp_path)
    (tmp_path / SOUND_NAME).write_bytes(b"\0" * 100)
    with pytest.raises(HocketError, match="too short"):
        corpus.read(corpus.clips[0])
    (tmp_path / INDEX_NAME).write_text("{}")
    with pytest.raises(HocketError, match="cannot be read"):
        Corpus.open(tmp_path)
    (tmp_path / INDEX_NAME).write_text('{"version": 99, "rate": 1, "clips": [], "data_hash": ""}')
    with pytest.raises(HocketError, match="version 99"):
        Corpus.open(tmp_path)


def test_corpora_of_the_tests(tmp_path: Path) -> None:
    stream = make_stream_corpus(tmp_path / "stream", 8000, 1.0, 5)
    assert {c.genre for c in stream.select("train", ship_only=True)} == set(GENRES)
    assert {c.split for c in stream.clips} == {"train", "valid", "test"}
    notes = make_note_corpus(tmp_path / "notes", 8000, 0.3)
    assert {c.instrument for c in notes.select("test")} == set(INSTRUMENTS)
    assert all(0 < np.abs(c.read(clip)).max() < 1 for c in (stream, notes) for clip in c.clips)
